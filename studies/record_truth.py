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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    told = "trials, or trainings, at most (default: all sizes)"
    parser.add_argument("--most", type=int, metavar="N", help=told)
    names = list(truth.CONTENDERS)
    told = f"truth only: of {', '.join(names)} (default: all that are installed)"
    parser.add_argument(
        "--methods", nargs="+", choices=names, default=names, metavar="NAME", help=told
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="draws at most")
    told = "of processor time for a fit, truth only (default: %(default)g)"
    parser.add_argument("--limit", type=float, default=truth.LIMIT, metavar="SECONDS", help=told)
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
    asked = truth.jobs(surfaces, sizes=truth.SIZES)
    table = truth.table(rows, dict(iter(true.groupby("surface"))), asked, options.limit)
    trials.write(true, options.to / "surfaces.parquet")
    _save(table, len(jobs), options, fits=len(rows), limit=options.limit)


def _cost(study: pd.DataFrame, options: argparse.Namespace) -> None:
    scopes = cost.scopes(study[["dataset", *cost.USED]])
    sizes = (_up_to(options.most, some) for some in (cost.SIZES, cost.POOLED_SIZES))
    jobs = cost.jobs(study, *sizes, options.repeats or cost.REPEATS)
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
    true = dict(iter(_truths(study, options).set_index("hyperparameter").groupby("surface")))
    jobs = truth.jobs(surfaces, ["all"], _sizes(mixed.SIZES, options))

    def calls() -> Iterator[tuple[Any, ...]]:
        for job in jobs:
            surface = surfaces[job.surface]
            draw = truth.draw(surface, job.trials, job.repeat)
            yield surface, draw, true[job.surface], job

    parts = recording.compute(options, mixed.measure, calls(), len(jobs), ignore=["surface"])
    rows = pd.DataFrame([row for part in parts for row in part])
    order = ["surface", "trials", "repeat", "table", "method"]
    _save(rows.sort_values(order, ignore_index=True), len(jobs), options, fits=len(jobs))


def _truths(study: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    (true,) = recording.compute(options, truth.truths, [(study[list(truth.USED)],)], 1)
    return true


def _sizes(sizes: Mapping[int, int], options: argparse.Namespace) -> dict[int, int]:
    """Number of trials -> draws, as far as they are asked for."""
    most = options.repeats or max(sizes.values())
    return {n: min(sizes[n], most) for n in _up_to(options.most, sizes)}


def _up_to(most: int | None, sizes: Iterable[int]) -> list[int]:
    return [n for n in sizes if n <= (most or n)]


def _save(table: pd.DataFrame, asked: int, options: argparse.Namespace, **content: Any) -> None:
    if "scores" in table:  # half the size; agreements were computed with every digit
        singles = [None if row is None else np.float32(row) for row in table["scores"]]
        table = table.assign(scores=singles)
    recording.save(table, options.to / f"{options.what}.parquet", asked=asked, **content)


if __name__ == "__main__":
    sys.exit(recording.run(main))
