"""What the scripts in `studies/` share that compute something and record it.

Every finished part is in joblib's cache (`--cache`), so that a killed script goes on. The cache
knows a part by its arguments, not by the code that it calls: `--again` forgets what is there.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Memory, Parallel, delayed
from tqdm import tqdm

from hia import trials
from hia.files import read_parquet, write_json

# Versions that decide what a ranking computes.
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "optuna")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all scripts have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of the study (default: data)"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("runs"), help="what is finished (default: runs)"
    )
    parser.add_argument("--again", action="store_true", help="forget what is finished")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    return parser


def run(main: Callable[[], int]) -> int:
    """The exit status of a script, also where Ctrl-C ends it."""
    try:
        return main()
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept, and the same command goes on", file=sys.stderr)
        return 130


def compute(
    options: argparse.Namespace,
    function: Callable[..., Any],
    calls: Iterable[Sequence[Any]],
    total: int,
    ignore: Sequence[str] = (),
) -> Iterator[Any]:
    """Results of `function` for the arguments of each call, in their order, from the cache or anew.

    total: calls at most, for the progress that is shown. ignore: names of arguments that follow
    from the others and are no part of the key.
    """
    cached = Memory(options.cache, verbose=0).cache(function, ignore=list(ignore))
    if options.again:
        cached.clear(warn=False)
    results = Parallel(options.jobs, return_as="generator")(delayed(cached)(*one) for one in calls)
    return iter(tqdm(results, desc=function.__name__, total=total))


def read(path: Path, columns: Sequence[str], command: str) -> pd.DataFrame:
    """A recorded table that has at least these columns.

    Raises FileNotFoundError with the command that makes it, ValueError naming file and column.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; `python studies/{command}` makes it")
    table = read_parquet(path)
    if missing := [name for name in columns if name not in table]:
        raise ValueError(f"{path}: column {missing[0]!r} is missing")
    return table


def save(table: pd.DataFrame, path: Path, **content: Any) -> None:
    """Write a table, whole or not at all, and beside it as JSON what it was made with and on."""
    from hia.study import processes  # PyTorch takes seconds

    trials.write(table, path)
    note = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processes.describe_processor("cpu"),
        "versions": {name: version(name) for name in PACKAGES},
    }
    write_json(note | content, path.with_suffix(".json"))
    print(f"{len(table):,} rows written to {path}")
