"""Records how near the importance methods come to the truth, and what a ranking costs.

    python studies/record_truth.py          data/truth.parquet, surfaces.parquet and truth.json
    python studies/record_truth.py cost     data/cost.parquet and cost.json
    python studies/record_truth.py mixed    data/mixed.parquet and mixed.json

The first fits every method of `hia.ranking.methods` to draws from every surface of
`hia_book.surfaces`, the second ranks parts of the recorded study, the third draws of a search as
well (see `hia_book.truth`, `hia_book.cost` and `hia_book.mixed`). Times are of one process with one
thread. Every finished fit is kept: the command can be killed at any moment, and the same command
goes on. A table has what was asked for, and is written at the end.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Before NumPy is there: processor time counts the threads that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from hia import trials
from hia_book import cost, mixed, recording, truth


def main(arguments: Sequence[str] | None = None) -> int:
    parser = recording.parser(__doc__)
    parser.add_argument("what", nargs="?", choices=("truth", "cost", "mixed"), default="truth")
    parser.add_argument(
        "--most", type=int, metavar="N", help="trials, or trainings, at most (default: all sizes)"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=truth.CONTENDERS,
        default=list(truth.CONTENDERS),
        metavar="NAME",
        help=f"truth only: of {', '.join(truth.CONTENDERS)} (default: all that are installed)",
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="draws at most")
    parser.add_argument(
        "--limit",
        type=float,
        default=truth.LIMIT,
        metavar="SECONDS",
        help=f"of processor time for a fit, truth only (default: {truth.LIMIT:g})",
    )
    options = parser.parse_args(arguments)
    study = trials.load(options.data / "trials.parquet")
    {"truth": _truth, "cost": _cost, "mixed": _mixed}[options.what](study, options)
    return 0


def _truth(study: pd.DataFrame, options: argparse.Namespace) -> None:
    surfaces = truth.all_surfaces(study)
    true = _truths(study, options)
    installed = [name for name in options.methods if truth.CONTENDERS[name].available()]
    jobs = truth.jobs(surfaces, installed, _sizes(truth.SIZES, options))
    rows: list[truth.Row] = []

    def calls() -> Iterator[tuple[Any, ...]]:
        draws: dict[tuple[str, int, int], pd.DataFrame] = {}
        for job in jobs:
            if truth.over(rows, job, options.limit):
                continue
            key = job.surface, job.trials, job.repeat
            if key not in draws:  # the methods on a draw follow each other
                draws = {key: truth.draw(surfaces[job.surface], job.trials, job.repeat)}
            yield surfaces[job.surface].columns, draws[key], job

    for row in recording.compute(options, truth.measure, calls(), len(jobs)):
        rows.append(row)
    by_surface = {str(name): part for name, part in true.groupby("surface")}
    asked = truth.jobs(surfaces, sizes=truth.SIZES)
    table = truth.table(rows, by_surface, asked, options.limit)
    trials.write(true, options.to / "surfaces.parquet")
    _save(table, len(jobs), options, fits=len(rows), limit=options.limit)


def _cost(study: pd.DataFrame, options: argparse.Namespace) -> None:
    scopes = cost.scopes(study[["dataset", *cost.USED]])
    own, pooled = (
        [n for n in sizes if n <= (options.most or n)] for sizes in (cost.SIZES, cost.POOLED_SIZES)
    )
    jobs = cost.jobs(study, own, pooled, options.repeats or cost.REPEATS)
    calls = [(scopes[job.scope], job) for job in jobs]
    rows = list(recording.compute(options, cost.measure, calls, len(jobs)))
    path = options.data / "screening.parquet"
    if path.is_file():
        rows += cost.screens(trials.load(path, "screening"))
    else:
        print(f"{path} is not there: the table is without the screen")
    _save(cost.table(rows), len(jobs), options, fits=len(jobs))


def _mixed(study: pd.DataFrame, options: argparse.Namespace) -> None:
    surfaces = truth.all_surfaces(study)
    true = {
        str(name): table.set_index("hyperparameter")
        for name, table in _truths(study, options).groupby("surface")
    }
    jobs = truth.jobs(surfaces, ["all"], _sizes(mixed.SIZES, options))
    calls = (
        (
            surfaces[job.surface],
            truth.draw(surfaces[job.surface], job.trials, job.repeat),
            true[job.surface],
            job,
        )
        for job in jobs
    )
    parts = recording.compute(options, mixed.measure, calls, len(jobs), ignore=["surface"])
    rows = pd.DataFrame([row for part in parts for row in part])
    order = ["surface", "trials", "repeat", "table", "method"]
    _save(rows.sort_values(order, ignore_index=True), len(jobs), options, fits=len(jobs))


def _truths(study: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """The truths of all surfaces, `truth.truths`."""
    (true,) = recording.compute(options, truth.truths, [(study[list(truth.USED)],)], 1)
    return true


def _sizes(sizes: Mapping[int, int], options: argparse.Namespace) -> dict[int, int]:
    """Number of trials -> draws, as far as they are asked for."""
    return {
        n: min(times, options.repeats or times)
        for n, times in sizes.items()
        if n <= (options.most or n)
    }


def _save(table: pd.DataFrame, asked: int, options: argparse.Namespace, **content: Any) -> None:
    if "scores" in table:  # half the size; agreements were computed with every digit
        singles = [None if row is None else np.float32(row) for row in table["scores"]]
        table = table.assign(scores=singles)
    recording.save(table, options.to / f"{options.what}.parquet", asked=asked, **content)


if __name__ == "__main__":
    sys.exit(recording.run(main))
