"""Known vulnerabilities of what the lock files pin: what fails `make audit`, and what passes."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from scripts import load_script

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "audit.py"
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))
TOOLS = ROOT / ".venv-tools" / "bin" / "python"
TODAY = date(2026, 11, 22)

needs_tools = pytest.mark.skipif(
    not (ROOT / ".venv-tools" / ".ready").is_file(), reason="`make audit` sets pip-audit up"
)


audit = load_script("audit", SCRIPT.parent)

# Of pip-audit 2.10, for a file of three packages.
REPORT = json.dumps(
    {
        "dependencies": [
            {"name": "idna", "version": "3.20", "vulns": []},
            {
                "name": "jinja2",
                "version": "2.4.1",
                "vulns": [
                    {
                        "id": "PYSEC-2019-217",
                        "fix_versions": ["2.10.1"],
                        "aliases": ["CVE-2019-10906", "GHSA-462w-v97r-4m45"],
                        "description": "A sandbox escape\nby str.format_map.",
                    }
                ],
            },
            {"name": "numpy", "skip_reason": "Dependency not found on PyPI"},
        ],
        "fixes": [],
    }
)
JINJA = ("jinja2", "2.4.1")


def exception(**changes: Any) -> str:
    entry = {
        "id": '"CVE-2019-10906"',
        "package": '"Jinja2"',
        "reason": '"no template of others"',
        "until": str(TODAY),
    }
    entry |= changes
    return "\n".join(["[[exception]]", *(f"{key} = {value}" for key, value in entry.items())])


def exceptions(tmp_path: Path, text: str, names: set[str] | None = None) -> list[Any]:
    path = tmp_path / "audit.toml"
    path.write_text(text, encoding="utf-8")
    found: list[Any] = audit.load_exceptions(path, TODAY, names or {"jinja2"})
    return found


def answer(trouble: str = "") -> Any:
    known, findings = audit.read_report(REPORT)
    return audit.Answer("osv", frozenset(known), tuple(findings), trouble)


# --- reading -------------------------------------------------------------------------------------


def test_all_pins_are_asked_for() -> None:
    """Also those of other systems and Pythons, for which pip-audit has no eyes."""
    found = audit.pins(ROOT / name for name in LOCKS)
    lines = [line for name in LOCKS for line in (ROOT / name).read_text().splitlines()]
    pinned = {re.sub(r"\[.*\]", "", line.split()[0]) for line in lines if "==" in line[:40]}
    assert len(found) == len(pinned)
    assert len({name for name, _ in found}) < len(found)
    for part in audit.rounds(found):
        assert len({name for name, _ in part}) == len(part)
    assert sorted(pin for part in audit.rounds(found) for pin in part) == found


def test_pins_with_extras_and_markers(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    path.write_text(
        "# a==1\nA_b.c[x,y]==1.0 ; python_full_version < '3.12' \\\n    --hash=sha256:0\n"
    )
    assert audit.pins([path]) == [("a-b-c", "1.0")]


def test_a_lock_without_pins_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    path.write_text("numpy\n")
    with pytest.raises(audit.AuditError, match=r"some\.lock pins nothing"):
        audit.pins([path])


def test_what_was_skipped_was_not_checked() -> None:
    known, (finding,) = audit.read_report(REPORT)
    assert known == {("idna", "3.20"), JINJA}
    assert finding.pin == JINJA
    assert finding.ids == ("PYSEC-2019-217", "CVE-2019-10906", "GHSA-462w-v97r-4m45")
    assert "fixed in 2.10.1\n    A sandbox escape by" in str(finding)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dependencies": [{"name": "a"}]}', "<html>"])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(audit.AuditError, match="report cannot be read"):
        audit.read_report(text)


# --- exceptions ----------------------------------------------------------------------------------


def test_the_list_of_exceptions_holds() -> None:
    """Also where no service can be reached: nothing has expired, nothing is of another package."""
    names = {name for name, _ in audit.pins(ROOT / name for name in LOCKS)}
    audit.load_exceptions(audit.EXCEPTIONS, date.today(), names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[exception", "audit.toml"),
        ("[[exceptions]]", "there is .*no 'exceptions'"),
        ("exception = 3", "written"),
        (exception(until=TODAY - timedelta(1)), "was allowed until 2026-11-21"),
        (exception(until='"2027-01-01"'), "until = '2027-01-01' is not a date"),
        (exception(until="2027-01-01T00:00:00"), "is not a date"),
        (exception(reason='" "'), "reason = ' ' is not text"),
        (exception(id="3"), "id = 3 is not text"),
        (exception(package='"django"'), "django is in no lock file"),
        (exception(severity='"low"'), "has .*severity"),
        ('[[exception]]\nid = "a"', "needs"),
        (f"{exception()}\n{exception()}", "exception 2: .* is there twice"),
    ],
)
def test_an_exception_at_fault_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(audit.AuditError, match=message):
        exceptions(tmp_path, text)


# --- judging -------------------------------------------------------------------------------------


def test_nothing_found() -> None:
    code, lines = audit.judge([audit.Answer("osv", frozenset({JINJA}), ())], [])
    assert code == 0
    assert lines[0].startswith("no known vulnerability in 1 pinned packages (osv, ")


def test_a_vulnerability_fails() -> None:
    code, lines = audit.judge([answer()], [])
    assert code == audit.FOUND
    assert lines[0].startswith("VULNERABLE: jinja2 2.4.1: PYSEC-2019-217 = CVE-2019-10906 = GHSA-")


@pytest.mark.parametrize("name", ["PYSEC-2019-217", "CVE-2019-10906", "GHSA-462w-v97r-4m45"])
def test_an_exception_by_any_of_its_names_passes(tmp_path: Path, name: str) -> None:
    code, lines = audit.judge([answer()], exceptions(tmp_path, exception(id=f'"{name}"')))
    assert code == 0
    assert lines[0] == f"allowed: jinja2, {name}: no template of others (until {TODAY})"


def test_an_exception_for_another_package_does_not_pass(tmp_path: Path) -> None:
    allowed = exceptions(tmp_path, exception(package='"idna"'), {"idna"})
    assert audit.judge([answer()], allowed)[0] == audit.FOUND


def test_an_exception_that_no_longer_applies_fails(tmp_path: Path) -> None:
    allowed = exceptions(tmp_path, exception())
    code, lines = audit.judge([audit.Answer("osv", frozenset({JINJA}), ())], allowed)
    assert code == audit.FOUND
    assert lines == ["audit.toml: CVE-2019-10906 of Jinja2 is not found any more"]


def test_without_an_answer_nothing_is_checked(tmp_path: Path) -> None:
    """An exception may apply or not: nobody knows."""
    silent = audit.Answer("osv", frozenset(), (), "no network")
    code, lines = audit.judge([silent], exceptions(tmp_path, exception()))
    assert code == audit.NOT_CHECKED
    assert lines[0].startswith("NOT CHECKED: ")
    assert "osv: no network" in lines[1]


def test_what_is_found_before_an_outage_counts() -> None:
    code, lines = audit.judge([answer("lost"), audit.Answer("pypi", frozenset(), (), "lost")], [])
    assert code == audit.FOUND
    assert [line.split(":")[0] for line in lines[:2]] == ["VULNERABLE", "NOT CHECKED"]


def test_a_service_that_lacks_a_package_has_not_checked_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "_run", lambda *_: REPORT)
    assert not audit.ask("pypi", [JINJA], None).trouble
    assert "numpy 2.4.6" in audit.ask("pypi", [JINJA, ("numpy", "2.4.6")], None).trouble


# --- pip-audit itself, and a service -------------------------------------------------------------

# In the form of an answer of OSV's.
ADVISORY = {
    "schema_version": "1.7.3",
    "id": "PYSEC-2019-217",
    "aliases": ["CVE-2019-10906", "GHSA-462w-v97r-4m45"],
    "details": "In Pallets Jinja before 2.10.1, str.format_map allows a sandbox escape.",
    "published": "2019-04-07T00:29:00Z",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}],
        }
    ],
}


@contextmanager
def service(answers: int | None = None) -> Iterator[str]:
    """The URL of a service that knows one vulnerability, and fails after so many answers."""
    left = [10**9 if answers is None else answers]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            left[0] -= 1
            bad = (asked["package"]["name"], asked["version"]) == JINJA
            body = json.dumps({"vulns": [ADVISORY]} if bad else {}).encode()
            self.send_response(200 if left[0] >= 0 else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(tmp_path: Path, url: str, pins: str, *options: str, allowed: str = "") -> tuple[int, str]:
    lock, listed = tmp_path / "some.lock", tmp_path / "audit.toml"
    lock.write_text(pins)
    listed.write_text(allowed)
    command = [str(TOOLS), str(SCRIPT), str(lock), "--osv-url", url, "--exceptions", str(listed)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path)
    return done.returncode, done.stdout + done.stderr


@needs_tools
def test_pip_audit_and_a_service_find_a_vulnerability(tmp_path: Path) -> None:
    locked = "idna==3.20 \\\n    --hash=sha256:0\njinja2==2.4.1 ; sys_platform == 'win32'\n"
    tomorrow = date.today() + timedelta(1)
    with service() as url:
        code, text = run(tmp_path, url, locked)
        assert (code, "VULNERABLE: jinja2 2.4.1: PYSEC-2019-217" in text) == (1, True), text
        code, text = run(tmp_path, url, locked, "--outage-passes")
        assert code == 1, text
        code, text = run(tmp_path, url, locked, allowed=exception(until=tomorrow))
        assert (code, "allowed: jinja2" in text) == (0, True), text
        code, text = run(tmp_path, url, "idna==3.20\n")
        assert (code, "no known vulnerability in 1" in text) == (0, True), text


@needs_tools
@pytest.mark.parametrize("options", [(), ("--outage-passes",)])
def test_an_outage_is_said(tmp_path: Path, options: tuple[str, ...]) -> None:
    with service(answers=1) as url:
        code, text = run(tmp_path, url, "idna==3.20\njinja2==2.11\n", *options)
    assert (code, text.startswith("NOT CHECKED")) == (0 if options else 3, True), text
    code, text = run(tmp_path, url, "idna==3.20\n", *options)  # nobody is there any more
    assert (code, text.startswith("NOT CHECKED")) == (0 if options else 3, True), text


@needs_tools
def test_a_fault_of_pip_audit_is_no_outage(tmp_path: Path) -> None:
    with service() as url:
        code, text = run(tmp_path, url, "idna==not-a-version\n", "--outage-passes")
    assert (code, text.startswith("audit: pip-audit: ")) == (1, True), text
