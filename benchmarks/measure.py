"""What the measuring scripts share: the machine they ran on, times, and tables."""

import os
import platform
import statistics
import sys
import timeit
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import pandas as pd


def describe(*packages: str) -> None:
    """Print the machine and the versions of these packages."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    print(f"{os.cpu_count()} cores ({platform.machine()}), one used; ", end="")
    print(f"Python {platform.python_version()}, {versions}", flush=True)


def time(what: str, work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """The `spread` of the wall seconds of so many calls."""
    progress(what)
    return spread(timeit.repeat(work, number=1, repeat=repeats))


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Columns of a table: how many times, their median, the fastest and the slowest."""
    if not seconds:
        return {"runs": 0}
    columns = {"runs": len(seconds), "median s": statistics.median(seconds)}
    return columns | {"fastest": min(seconds), "slowest": max(seconds)}


def progress(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table; what a row does not have stays empty."""
    text = pd.DataFrame(rows).to_string(index=False, na_rep="", float_format="{:,.3f}".format)
    print(f"\n{title}\n{text}", flush=True)
