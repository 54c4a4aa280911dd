"""Asks for known vulnerabilities of everything that the lock files pin.

    python .ci/audit.py requirements.lock requirements-fanova.lock

pip-audit asks OSV, and PyPI's own service where that does not answer. Every pin counts, those for
other systems and Pythons too. Every known vulnerability is an error, whatever its severity, unless
.ci/audit.toml has an exception for it. An exception that has expired or no longer applies is an
error too.

Where no service answers for all pins, nothing has been checked, and that is what is said; what one
of them found until then counts nevertheless. (pip-audit itself reports "no known vulnerabilities"
where its service knows none of the packages.)

Exit code: 0 nothing found, 1 something found or an exception at fault, 2 a wrong command line,
3 not checked; --outage-passes makes 3 a 0, not a silent one.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

EXCEPTIONS = Path(__file__).with_name("audit.toml")
SERVICES = ("osv", "pypi")
PATIENCE = 300  # seconds, for all packages of a lock file
FOUND, NOT_CHECKED = 1, 3

_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)

# What pip-audit's last line has where a service cannot be reached, or does not answer in JSON.
_OUTAGE = re.compile(
    r"ConnectionError|ServiceError|JSONDecodeError|HTTPError|SSLError|ProxyError|Timeout|"
    r"ChunkedEncodingError|blocking this service"
)

# A name in its normal form, and a version.
Pin = tuple[str, str]


class AuditError(Exception):
    """A lock file, the list of exceptions or pip-audit is not what it should be."""


class OutageError(Exception):
    """A service did not answer."""


@dataclass(frozen=True)
class Finding:
    """A known vulnerability of a pin. ids: all the names that it goes by. fixed: versions."""

    pin: Pin
    ids: tuple[str, ...]
    fixed: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        name, version = self.pin
        fixed = ", ".join(self.fixed) or "no version yet"
        return f"{name} {version}: {' = '.join(self.ids)}; fixed in {fixed}\n    {self.text[:300]}"


@dataclass(frozen=True)
class Allowed:
    """A vulnerability that is no error until the end of a day."""

    id: str
    package: str
    reason: str
    until: date

    def covers(self, finding: Finding) -> bool:
        return normal(self.package) == finding.pin[0] and self.id in finding.ids


@dataclass(frozen=True)
class Answer:
    """What a service said: the pins that it knows, what it found, and why it knows no others."""

    service: str
    known: frozenset[Pin]
    findings: tuple[Finding, ...]
    trouble: str = ""


def normal(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(paths: Iterable[Path]) -> list[Pin]:
    """All pins of lock files, in order. Raises AuditError where a file has none."""
    found = set()
    for path in paths:
        here = {(normal(name), version) for name, version in _PIN.findall(path.read_text())}
        if not here:
            raise AuditError(f"{path} pins nothing")
        found |= here
    return sorted(found)


def load_exceptions(path: Path, today: date, names: set[str]) -> list[Allowed]:
    """The list of exceptions.

    names: of all pinned packages. Raises AuditError for an entry that lacks something, is there
    twice, has expired, or is of a package that is not pinned.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AuditError(f"{path}: {error}") from None
    if unknown := sorted(set(document) - {"exception"}):
        raise AuditError(f"{path}: there is [[exception]], and no {unknown[0]!r}")
    entries = document.get("exception", [])
    if not isinstance(entries, list):
        raise AuditError(f"{path}: exceptions are written [[exception]]")
    found: list[Allowed] = []
    for number, entry in enumerate(entries, 1):
        where = f"{path}, exception {number}"
        wanted = {"id": str, "package": str, "reason": str, "until": date}
        if set(entry) != set(wanted):
            raise AuditError(f"{where}: has {sorted(entry)}, and needs {sorted(wanted)}")
        for key, kind in wanted.items():
            if type(entry[key]) is not kind or not str(entry[key]).strip():
                what = "a date, as 2027-01-31" if kind is date else "text"
                raise AuditError(f"{where}: {key} = {entry[key]!r} is not {what}")
        one = Allowed(**entry)
        if one.until < today:
            raise AuditError(f"{where}: {one.id} of {one.package} was allowed until {one.until}")
        if normal(one.package) not in names:
            raise AuditError(f"{where}: {one.package} is in no lock file; remove the entry")
        if any((one.id, one.package) == (other.id, other.package) for other in found):
            raise AuditError(f"{where}: {one.id} of {one.package} is there twice")
        found.append(one)
    return found


def rounds(wanted: Sequence[Pin]) -> list[list[Pin]]:
    """The pins in lists without a name twice: pip-audit takes one version of each package."""
    lists: list[list[Pin]] = []
    for name, version in wanted:
        free = (one for one in lists if all(name != there for there, _ in one))
        place = next(free, None)
        if place is None:
            lists.append(place := [])
        place.append((name, version))
    return lists


def ask(service: str, wanted: Sequence[Pin], osv_url: str | None) -> Answer:
    """What a service knows of the pins."""
    known: set[Pin] = set()
    findings: list[Finding] = []
    trouble = ""
    for part in rounds(wanted):
        try:
            part_known, part_findings = read_report(_run(service, part, osv_url))
        except OutageError as error:
            trouble = str(error)
            break
        known |= part_known
        findings += part_findings
    missing = [f"{name} {version}" for name, version in wanted if (name, version) not in known]
    if missing and not trouble:
        trouble = f"it does not know {len(missing)} of the pins, {missing[0]} for one"
    return Answer(service, frozenset(known), tuple(findings), trouble)


def _run(service: str, wanted: Sequence[Pin], osv_url: str | None) -> str:
    """The JSON report of pip-audit.

    Raises OutageError where the service did not answer, AuditError where anything else went wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed, report = Path(folder, "pins.txt"), Path(folder, "report.json")
        listed.write_text("".join(f"{name}=={version}\n" for name, version in wanted))
        command = [sys.executable, "-m", "pip_audit", "-s", service, "-r", str(listed)]
        command += ["--no-deps", "--disable-pip", "--aliases=on", "--desc=on"]
        command += ["--progress-spinner=off", "--format=json", "-o", str(report)]
        command += ["--cache-dir", str(Path(folder, "cache"))]  # an answer is of today
        command += ["--osv-url", osv_url] if osv_url else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise OutageError(f"no answer within {PATIENCE} s") from None
        if not report.is_file():
            last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1][:300]
            raise OutageError(last) if _OUTAGE.search(last) else AuditError(f"pip-audit: {last}")
        return report.read_text(encoding="utf-8")


def read_report(text: str) -> tuple[set[Pin], list[Finding]]:
    """The pins that a JSON report of pip-audit answers for, and what it found.

    A package that was skipped is none of them. Raises AuditError for what is no such report.
    """
    try:
        dependencies = json.loads(text)["dependencies"]
        known: set[Pin] = set()
        findings = []
        for one in dependencies:
            if "skip_reason" in one:
                continue
            pin = (normal(one["name"]), str(one["version"]))
            known.add(pin)
            findings += [_finding(pin, vulnerability) for vulnerability in one["vulns"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AuditError(f"pip-audit's report cannot be read ({error!r})") from None
    return known, findings


def _finding(pin: Pin, one: dict[str, Any]) -> Finding:
    ids = dict.fromkeys([one["id"], *one.get("aliases", ())])
    text = " ".join(str(one.get("description", "")).split())
    return Finding(pin, tuple(ids), tuple(one.get("fix_versions", ())), text)


def judge(answers: Sequence[Answer], exceptions: Sequence[Allowed]) -> tuple[int, list[str]]:
    """The exit code, and what to print.

    answers: of the services that were asked, the last of which answered for all pins, or none did.
    """
    findings = {(*one.pin, one.ids[0]): one for answer in answers for one in answer.findings}
    whole = not answers[-1].trouble
    lines, code = [], 0
    for _, finding in sorted(findings.items()):
        allowed = next((one for one in exceptions if one.covers(finding)), None)
        if allowed is None:
            code = FOUND
            lines.append(f"VULNERABLE: {finding}")
        else:
            reason = f"{allowed.reason} (until {allowed.until})"
            lines.append(f"allowed: {finding.pin[0]}, {allowed.id}: {reason}")
    for one in exceptions:
        if whole and not any(one.covers(finding) for finding in findings.values()):
            code = FOUND
            lines.append(f"{EXCEPTIONS.name}: {one.id} of {one.package} is not found any more")
    if whole:
        found = "no other known vulnerability" if lines else "no known vulnerability"
        if not code:
            lines.append(f"{found} in {len(answers[-1].known)} pinned packages ({_named(answers)})")
        return code, lines
    lines.append("NOT CHECKED: whether there are known vulnerabilities, as no service answered.")
    lines += [f"    {answer.service}: {answer.trouble}" for answer in answers]
    lines.append("    To check: make audit, where these services can be reached.")
    return code or NOT_CHECKED, lines


def _named(answers: Sequence[Answer]) -> str:
    return f"{answers[-1].service}, {datetime.now(UTC):%Y-%m-%d}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the head of this file for the exit codes."""
    parser = argparse.ArgumentParser(prog="audit.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("locks", nargs="+", type=Path, metavar="LOCK")
    parser.add_argument("--exceptions", type=Path, default=EXCEPTIONS)
    parser.add_argument("--outage-passes", action="store_true", help="not checked is exit code 0")
    parser.add_argument("--osv-url", help="ask this OSV service, and no other")
    chosen = parser.parse_args(arguments)
    try:
        wanted = pins(chosen.locks)
        names = {name for name, _ in wanted}
        exceptions = load_exceptions(chosen.exceptions, datetime.now(UTC).date(), names)
        answers: list[Answer] = []
        for service in SERVICES[:1] if chosen.osv_url else SERVICES:
            answers.append(ask(service, wanted, chosen.osv_url))
            if not answers[-1].trouble:
                break
    except (AuditError, OSError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return FOUND
    code, lines = judge(answers, exceptions)
    print("\n".join(lines), file=sys.stderr if code else sys.stdout)
    return 0 if code == NOT_CHECKED and chosen.outage_passes else code


if __name__ == "__main__":
    sys.exit(main())
