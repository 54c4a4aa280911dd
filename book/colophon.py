"""What a computed page was made with: kept in the executed notebook's metadata, where the book's
lists of pages find it, and told in a fold at its end."""

import json
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from parameters import Parameter, written

# What a result may depend on; those that are installed are named.
PACKAGES = (
    *("numpy", "pandas", "scipy", "scikit-learn", "pingouin", "fanova"),
    *("optuna", "torch", "matplotlib"),
)
# Tables whose JSON file has another name.
_NOTES = {"trials": "provenance", "surfaces": "truth"}

_DAY = re.compile(r"\d{4}-\d\d-\d\d(?=T)", re.ASCII)

Facts = dict[str, Any]


def facts(
    name: str,
    parameters: Sequence[Parameter],
    given: Mapping[str, Any],
    source: str,
    seconds: float,
) -> Facts:
    """What a run of the notebook `name` was made with, as JSON can hold it.

    given: other values of the parameters. source: its code, which names the tables that it reads
    from a folder. seconds: of the run.
    """
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    values = {one.name: one.value for one in parameters} | dict(given)
    return {
        "notebook": name,
        "parameters": values,
        "given": [name for name in values if name in given],
        "python": platform.python_version(),
        "versions": versions,
        "recordings": [recording(path) for one in values.values() for path in _tables(one, source)],
        "seconds": round(seconds, 1),
        "made": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def recording(path: Path) -> Facts:
    """A recorded table and when it was recorded: `file`, `rows`, `sessions`, `first`, `last`.

    The dates (ISO, None where not known) are those of the sessions in the JSON file beside it:
    provenance.json of trials.parquet, truth.json of surfaces.parquet, NAME.json of any other.
    """
    note = path.with_name(f"{_NOTES.get(path.stem, path.stem)}.json")
    told = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    sessions = told.get("sessions", [])
    times = [str(one.get(key)) for one in sessions or [told] for key in ("started", "finished")]
    dates = sorted(day[0] for day in map(_DAY.match, times) if day)
    first, last = (dates[0], dates[-1]) if dates else (None, None)
    csv = path.suffix == ".csv"
    rows = len(pd.read_csv(path)) if csv else pyarrow.parquet.read_metadata(path).num_rows
    known = {"file": path.as_posix(), "rows": rows, "sessions": len(sessions)}
    return known | {"first": first, "last": last}


def markdown(facts: Facts) -> str:
    """The fold at the end of the page: MyST Markdown."""
    packages = ", ".join(map(" ".join, facts["versions"].items()))
    tables = "; ".join(
        f"`{one['file']}`, {one['rows']:,} rows, {one['last'] or 'date unknown'}"
        for one in facts["recordings"]
    )
    made = (
        f"Made on {facts['made'][:10]} in {facts['seconds']:.0f} s, with Python "
        f"{facts['python']}, {packages}. {f'Recorded: {tables}.' if tables else ''}"
    )
    title = "~~~~{dropdown} Run this page again, with other parameters"
    return f"{title}\n```text\n{command(facts)}\n```\n\n{made}\n~~~~"


def command(facts: Facts) -> str:
    """The command that makes the page again, with parameters to be changed: those that were given,
    else the first two numbers, else the first of all."""
    values = facts["parameters"]
    numbers = [name for name, value in values.items() if isinstance(value, int | float)]
    names = facts["given"] or numbers[:2] or list(values)[:1]
    texts = {name: written(values[name]) for name in names}
    line = " ".join(
        f"{name}={text if text.startswith('[') else shlex.quote(text)}"
        for name, text in texts.items()
    )
    return f"make notebook NB={facts['notebook']}" + (f' P="{line}"' if line else "")


def _tables(value: Any, source: str) -> list[Path]:
    """The recorded tables that a parameter names: a file, or a folder and, in the code, names."""
    if not (isinstance(value, str) and value):
        return []
    path = Path(value)
    if path.is_dir():
        named = sorted(path.glob("*.parquet"))
        return [one for one in named if re.search(rf"\b{re.escape(one.stem)}\b", source)]
    return [path] if path.is_file() and path.suffix in (".parquet", ".csv") else []
