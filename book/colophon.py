"""The box at the end of every computed page: how it was made, and how to make it otherwise.

`facts` collects what is known of a run of a notebook; `run_notebooks.run` keeps them in the
executed notebook's metadata, where the book's list of items and pages finds them, and appends
`markdown` of them as its last cell.
"""

import ast
import io
import json
import platform
import re
import shlex
import tokenize
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet
import yaml

# What a result may depend on; those that are installed are named.
PACKAGES = (
    *("numpy", "pandas", "scipy", "scikit-learn", "pingouin", "fanova"),
    *("optuna", "torch", "matplotlib"),
)

# Tables whose JSON file has another name.
_NOTES = {"trials": "provenance", "surfaces": "truth"}

Facts = dict[str, Any]


class Parameter(NamedTuple):
    """An assignment of the parameters cell: name, value (None where it is no literal), comment."""

    name: str
    value: Any
    comment: str


def parameters(source: str) -> list[Parameter]:
    """The assignments in a cell of parameters, in their order, with the comment on their line."""
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        try:
            value = None if statement.value is None else ast.literal_eval(statement.value)
        except ValueError:
            value = None
        comment = comments.get(statement.end_lineno or statement.lineno, "")
        found += [Parameter(one.id, value, comment) for one in targets if isinstance(one, ast.Name)]
    return found


def facts(
    name: str,
    declared: list[Parameter],
    given: Mapping[str, Any],
    source: str,
    seconds: float,
) -> Facts:
    """What a run of the notebook `name` was made with, as JSON can hold it.

    declared: its parameters; given: those that had other values. source: its code, in which the
    tables are looked for that it reads from a folder. seconds: of the run.
    """
    values = {one.name: one.value for one in declared} | dict(given)
    return {
        "notebook": name,
        "parameters": values,
        "comments": {one.name: one.comment for one in declared},
        "given": sorted(given),
        "python": platform.python_version(),
        "versions": _versions(),
        "recordings": [
            recording(path) for value in values.values() for path in _tables(value, source)
        ],
        "seconds": round(seconds, 1),
        "made": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def recording(path: Path) -> Facts:
    """A recorded table and when it was recorded: `file`, `rows`, `sessions`, `first`, `last`.

    The dates (ISO, None where not known) are those of the sessions in the JSON file beside it:
    provenance.json of trials.parquet, truth.json of surfaces.parquet, NAME.json of any other.
    """
    note = path.with_name(f"{_NOTES.get(path.stem, path.stem)}.json")
    known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    sessions = known.get("sessions", [known])
    dates = sorted(
        str(session[key])[:10]
        for session in sessions
        for key in ("started", "finished")
        if session.get(key)
    )
    return {
        "file": path.as_posix(),
        "rows": _rows(path),
        "sessions": len(known.get("sessions", [])),
        "first": dates[0] if dates else None,
        "last": dates[-1] if dates else None,
    }


def markdown(known: Facts) -> str:
    """The box, folded: MyST Markdown."""
    changed = set(known["given"])
    lines = [
        f"- `{name}={_written(value)}`{' (as given)' if name in changed else ''}"
        + (f": {comment}" if (comment := known["comments"].get(name)) else "")
        for name, value in known["parameters"].items()
    ]
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    recorded = "; ".join(map(_when, known["recordings"]))
    parts = [
        f"```text\n{command(known)}\n```",
        "\n".join(lines) or "This page has no parameters.",
        f"**Made** {known['made'][:10]} in {known['seconds']:.0f} s, with Python "
        f"{known['python']}, {versions}.",
    ]
    if recorded:
        parts.append(f"**Recorded:** {recorded}.")
    body = "\n\n".join(parts)
    return f"~~~~{{dropdown}} Run this page again, with other parameters\n{body}\n~~~~"


def command(known: Facts) -> str:
    """The command that makes the page again, with parameters to be changed: those that were given,
    else the first two numbers, else the first of all."""
    values = known["parameters"]
    given = [name for name in values if name in known["given"]]
    numbers = [name for name, value in values.items() if isinstance(value, int | float)]
    names = given or numbers[:2] or list(values)[:1]
    assignments = " ".join(f"{name}={shlex.quote(_written(values[name]))}" for name in names)
    return f"make notebook NB={known['notebook']}" + (f' P="{assignments}"' if names else "")


def _written(value: Any) -> str:
    """A value as `run_notebooks.parse` reads it."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    return text.split("\n...")[0].strip()


def _when(recorded: Facts) -> str:
    first, last = recorded["first"], recorded["last"]
    days = "date unknown" if first is None else first if first == last else f"{first} to {last}"
    sessions = recorded["sessions"]
    more = f", {sessions} session{'s' if sessions > 1 else ''}" if sessions else ""
    return f"`{recorded['file']}`, {recorded['rows']:,} rows ({days}{more})"


def _tables(value: Any, source: str) -> list[Path]:
    """The recorded tables that a parameter names: a file, or a folder and, in the code, names."""
    if not isinstance(value, str) or not value:
        return []
    path = Path(value)
    if path.is_dir():
        named = sorted(path.glob("*.parquet"))
        return [one for one in named if re.search(rf"\b{re.escape(one.stem)}\b", source)]
    return [path] if path.is_file() and path.suffix in (".parquet", ".csv") else []


def _rows(path: Path) -> int:
    if path.suffix == ".csv":
        return len(pd.read_csv(path))
    rows: int = pyarrow.parquet.read_metadata(path).num_rows
    return rows


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
