"""Recordings that may be killed at any moment: journals, and what scripts share.

What takes long writes every finished row to a journal, from which the same command goes on, and its
table at the end. Nothing here needs PyTorch.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from hia.files import write_json
from hia.study import stopping

_Job = TypeVar("_Job")
Row = dict[str, Any]

# Versions that decide what a ranking computes.
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "optuna")
REPORT_SECONDS = 10.0


class Journal:
    """A text file with one JSON object per line: {"row": ...} or {"session": ...}.

    Appending returns when the line is on the disk. A line that was cut short by a kill is not read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def append(self, kind: str, content: Row) -> None:
        line = json.dumps({kind: content}, allow_nan=False) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # after a line that was cut short
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self, kind: str) -> list[Row]:
        """What was appended as this kind, oldest first; nothing where there is no file."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # cut short: not JSON, or not text
                entry = json.loads(line)
                if isinstance(entry, dict) and kind in entry:
                    found.append(entry[kind])
        return found


# --- scripts in benchmarks/ ----------------------------------------------------------------------


def parser(description: str | None, journal: bool = True) -> argparse.ArgumentParser:
    """The options that all scripts have. journal: also those of one that keeps a journal."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of the study (default: data)"
    )
    if journal:
        parser.add_argument(
            "--journal", type=Path, help="what is finished (default: runs/NAME.jsonl)"
        )
        parser.add_argument("--again", action="store_true", help="forget what is there")
    return parser


def open_journal(options: argparse.Namespace, name: str, *tables: str) -> Journal:
    """The journal of a script. --again removes it, and NAME.parquet and the tables beside it."""
    journal = Journal(options.journal or Path("runs") / f"{name}.jsonl")
    if options.again:
        for path in (journal.path, *(options.to / f"{one}.parquet" for one in (name, *tables))):
            path.unlink(missing_ok=True)
    return journal


def until_stopped(work: Callable[[], None]) -> int:
    """Do it; the exit status, also where Ctrl-C, or a polite kill, is the end."""
    stopping.heed()
    try:
        work()
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept, and the same command goes on", file=sys.stderr)
        return 130
    return 0


def go_through(
    waiting: Sequence[_Job],
    work: Callable[[_Job], Row | None],
    state: Callable[[_Job, Sequence[_Job], float], str],
    journal: Journal,
) -> None:
    """Do all that waits, keep every row, and say how far it is.

    work: gives the row, or None for what is left out. state: in words, from the last job, those
    that still wait and the mean seconds of those that do not.
    """
    began = printed = time.monotonic()
    for place, job in enumerate(waiting, start=1):
        if (row := work(job)) is not None:
            journal.append("row", row)
        now = time.monotonic()
        if now - printed >= REPORT_SECONDS or place == len(waiting):
            printed, elapsed = now, timedelta(seconds=round(now - began))
            words = state(job, waiting[place:], (now - began) / place)
            print(f"{place:,} of {len(waiting):,} after {elapsed}, {words}", flush=True)


def write_note(path: Path, processor: str, **content: Any) -> None:
    """What a table was made with and on, beside it."""
    versions = {name: version(name) for name in PACKAGES}
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    write_json({"finished": finished, "processor": processor, "versions": versions} | content, path)
