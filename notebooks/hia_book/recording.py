"""Recorded tables: what the scripts in `studies/` share, and how a page lists and offers them.

Every finished part is in joblib's cache (`--cache`), so that a killed script goes on. The cache
knows a part by its arguments, not by the code that it calls: `--again` forgets what is there.
"""

import argparse
import json
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
# Tables of CNNs beside the study's, and what each has.
TABLES = {
    "linear_reduced/trials": "random search with `lr` drawn uniformly, on the study's images",
    "linear_all/trials": "random search and BOHB with `lr` drawn uniformly, on all images",
    "log_all/trials": "random search with `lr` on a log scale, on all images",
    "replicates": "configurations of the study, trained again with other seeds",
    "scaling": "configurations of the study, trained on fewer and on more images",
    "precision": "configurations of the study, trained again in bfloat16",
    "screening": "runs of a Plackett-Burman design, with several seeds each",
}


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all scripts have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, folder, what in (
        ("--to", "data", "folder"),
        ("--data", "data", "folder of the study"),
        ("--cache", "runs", "what is finished"),
    ):
        about = f"{what} (default: {folder})"
        parser.add_argument(name, type=Path, default=Path(folder), help=about)
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

    total: calls at most, for the progress shown. ignore: arguments that follow from the others and
    are no part of the key.
    """
    cached = Memory(options.cache, verbose=0).cache(function, ignore=list(ignore))
    if options.again:
        cached.clear(warn=False)
    results = Parallel(options.jobs, return_as="generator")(delayed(cached)(*one) for one in calls)
    return iter(tqdm(results, desc=function.__name__, total=total))


def read(path: str | Path, columns: Sequence[str], command: str) -> pd.DataFrame:
    """A recorded table that has at least these columns.

    Raises FileNotFoundError with the command that makes it, ValueError naming file and column.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing; `python studies/{command}` makes it")
    table = read_parquet(Path(path))
    if missing := [name for name in columns if name not in table]:
        raise ValueError(f"{path}: column {missing[0]!r} is missing")
    return table


def read_note(path: str | Path) -> dict[str, Any]:
    """What `save` wrote beside a table."""
    note: dict[str, Any] = json.loads(Path(path).with_suffix(".json").read_text("utf-8"))
    return note


def size(path: Path) -> str:
    """Of a file."""
    return f"{path.stat().st_size / 1e3:,.0f} kB"


def list_tables(study: Path, folder: Path = Path("book/_static/data")) -> list[tuple[Any, ...]]:
    """Of the study's table and each of `TABLES` beside it: name, what, rows, size, link to its CSV.

    The CSV files lie in `folder`, beside the pages, and are written where they changed. A rerun
    with the tables of another folder than the book's does not change what the book offers.
    """
    listed = []
    for name, about in ({study.stem: "the study: all that this page is about"} | TABLES).items():
        if not (path := study.parent / f"{name}.parquet").is_file():
            continue
        table, link, short = trials.load(path, None), "", name.split("/")[0]
        if study.parent == Path("data"):
            accuracies = [json.dumps(list(one)) for one in table["accuracy_per_epoch"]]
            content = table.assign(accuracy_per_epoch=accuracies).to_csv(index=False).encode()
            csv = folder / f"{short}.csv"
            if not csv.is_file() or csv.read_bytes() != content:
                csv.parent.mkdir(parents=True, exist_ok=True)
                csv.write_bytes(content)
            link = f'<a href="_static/data/{csv.name}" download>{csv.name}</a>, {size(csv)}'
        listed.append((f"`{short}`", about, len(table), size(path), link))
    return listed


def describe(column: pd.Series) -> str:
    """What is in a column of a table of CNNs: its values where they are few, else the ends."""
    values = column.dropna()
    if values.empty:
        return "missing in all"
    if column.name == "accuracy_per_epoch":
        return f"lists of {values.map(len).min()} to {values.map(len).max()}"
    distinct = sorted(values.unique())
    if len(distinct) <= 4:
        shown = ", ".join(map(str, distinct))
    elif isinstance(distinct[0], str):
        shown = f"{', '.join(distinct[:4])} and {len(distinct) - 4} more"
    else:
        kind = ",d" if pd.api.types.is_integer_dtype(values) else ".4g"
        shown = f"{distinct[0]:{kind}} to {distinct[-1]:{kind}}"
    absent = len(column) - len(values)
    return f"{shown}; missing in {absent:,}" if absent else shown


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
