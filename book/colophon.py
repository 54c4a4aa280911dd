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

    given: the parameters that had other values. source: its code, in which the tables are looked
    for that it reads from a folder. seconds: of the run.
    """
    values = {one.name: one.value for one in parameters} | dict(given)
    return {
        "notebook": name,
        "parameters": values,
        "given": [name for name in values if name in given],
        "python": platform.python_version(),
        "versions": _versions(),
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
    times = [one.get(key) for one in sessions or [told] for key in ("started", "finished")]
    dates: list[str | None] = []
    dates += sorted(day[0] for time in times if (day := _DAY.match(str(time))))
    rows = (
        len(pd.read_csv(path))
        if path.suffix == ".csv"
        else pyarrow.parquet.read_metadata(path).num_rows
    )
    first, last = (dates[0], dates[-1]) if dates else (None, None)
    return {"file": path.as_posix(), "rows": rows, "sessions": len(sessions)} | {
        "first": first,
        "last": last,
    }


def markdown(facts: Facts) -> str:
    """The fold at the end of the page: MyST Markdown."""
    packages = ", ".join(" ".join(one) for one in facts["versions"].items())
    tables = "; ".join(
        f"`{one['file']}`, {one['rows']:,} rows, {one['last'] or 'date unknown'}"
        for one in facts["recordings"]
    )
    made = (
        f"Made on {facts['made'][:10]} in {facts['seconds']:.0f} s, with Python "
        f"{facts['python']}, {packages}. {f'Recorded: {tables}.' if tables else ''}"
    )
    title = "Run this page again, with other parameters"
    return f"~~~~{{dropdown}} {title}\n```text\n{command(facts)}\n```\n\n{made}\n~~~~"


def command(facts: Facts) -> str:
    """The command that makes the page again, with parameters to be changed: those that were given,
    else the first two numbers, else the first of all."""
    values = facts["parameters"]
    numbers = [name for name, value in values.items() if isinstance(value, int | float)]
    names = facts["given"] or numbers[:2] or list(values)[:1]
    line = " ".join(f"{name}={_quoted(written(values[name]))}" for name in names)
    return f"make notebook NB={facts['notebook']}" + (f' P="{line}"' if line else "")


def _quoted(text: str) -> str:
    return text if text.startswith("[") else shlex.quote(text)


def _tables(value: Any, source: str) -> list[Path]:
    """The recorded tables that a parameter names: a file, or a folder and, in the code, names."""
    path = Path(value) if isinstance(value, str) and value else None
    if path is not None and path.is_dir():
        named = sorted(path.glob("*.parquet"))
        return [one for one in named if re.search(rf"\b{re.escape(one.stem)}\b", source)]
    return [path] if path and path.is_file() and path.suffix in (".parquet", ".csv") else []


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
