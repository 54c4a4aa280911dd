"""Records how near the importance methods come to the truth, and what a ranking costs.

    python studies/record_truth.py          data/truth.parquet, surfaces.parquet and truth.json
    python studies/record_truth.py cost     data/cost.parquet and cost.json
    python studies/record_truth.py mixed    data/mixed.parquet and mixed.json

The first fits every method of `hia.ranking.methods` to draws from every surface of
`hia_book.surfaces`, the second ranks parts of the recorded study, the third draws of a search as
well (see `hia_book.truth`, `hia_book.cost` and `hia_book.mixed`). One process, one thread. Every
finished fit is written to a journal, runs/NAME.jsonl, and is on the disk before the next one
begins: the command can be killed at any moment, and the same command goes on. Also what the tables
have already is not done again, unless the surface or the trials have changed since, or --again is
given. The tables are written at the end, also where Ctrl-C or an error is the end.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

# Before NumPy is there: processor time counts the threads that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from hia import trials
from hia.study import processes, recording, records
from hia.study.recording import Journal, Row
from hia_book import cost, mixed, truth
from hia_book.surfaces import Surface


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
    work = {"truth": _truth, "cost": _cost, "mixed": _mixed}[options.what]
    tables = ["surfaces"] if options.what == "truth" else []
    journal = recording.open_journal(options, options.what, *tables)
    study_trials = trials.load(options.data / "trials.parquet")
    return recording.until_stopped(lambda: work(study_trials, journal, options))


def _truth(study_trials: pd.DataFrame, journal: Journal, options: argparse.Namespace) -> None:
    surfaces = truth.all_surfaces(study_trials)
    marks = {name: surface.fingerprint() for name, surface in surfaces.items()}
    installed = [name for name in options.methods if truth.CONTENDERS[name].available()]
    sizes = _sizes(truth.SIZES, options)
    known = {
        _fit(row): row
        for row in _known(options.to / "truth.parquet", journal)
        if row["surface"] in surfaces and row["mark"] == marks[row["surface"]]
    }
    of: dict[tuple[str, str], list[Row]] = {}  # finished fits by surface and method
    for row in known.values():
        of.setdefault((row["surface"], row["method"]), []).append(row)
    drawn: dict[tuple[str, int, int], pd.DataFrame] = {}

    def alike(job: truth.Job) -> list[Row]:
        return of.setdefault((job.surface, job.method), [])

    def work(job: truth.Job) -> Row | None:
        if truth.over(alike(job), job, options.limit):
            return None
        key = job.surface, job.trials, job.repeat
        if key not in drawn:
            drawn.clear()
            drawn[key] = truth.draw(surfaces[job.surface], job.trials, job.repeat)
        row = truth.measure(surfaces[job.surface], drawn[key], job)
        row["mark"] = marks[job.surface]
        known[_fit(row)] = row
        alike(job).append(row)
        return row

    def state(last: truth.Job, waiting: Sequence[truth.Job], _: float) -> str:
        seconds = sum(_expected(alike(job), job, options.limit) for job in waiting)
        return (
            f"now {last.trials:,} trials; about {timedelta(seconds=round(seconds))} of processor "
            "time left"
        )

    wanted = truth.jobs(surfaces, installed, sizes)
    waiting = [job for job in wanted if _fit(vars(job)) not in known]
    print(f"{len(wanted) - len(waiting):,} of {len(wanted):,} are there", flush=True)
    try:
        recording.go_through(waiting, work, state, journal)
    finally:
        if known:
            print("The truths, and how near each fit came to them", flush=True)
            true = _truths(surfaces, marks, options.to / "surfaces.parquet")
            by_surface = {str(name): rows for name, rows in true.groupby("surface")}
            asked = truth.jobs(surfaces, sizes=truth.SIZES)
            table = truth.table(list(known.values()), by_surface, asked, options.limit)
            _write(true, options.to / "surfaces.parquet")
            _write(table.assign(mark=table["surface"].map(marks)), options.to / "truth.parquet")
            _note(options, len(known), len(wanted), limit=options.limit)


def _cost(study_trials: pd.DataFrame, journal: Journal, options: argparse.Namespace) -> None:
    scopes = cost.scopes(study_trials)
    wanted = cost.jobs(
        study_trials,
        *(
            [n for n in sizes if n <= (options.most or n)]
            for sizes in (cost.SIZES, cost.POOLED_SIZES)
        ),
        options.repeats or cost.REPEATS,
    )
    keys = {_ranking(vars(job)) for job in wanted}
    known = {
        _ranking(row): row
        for row in _known(options.to / "cost.parquet", journal)
        if row["method"] in cost.SAMPLED and _ranking(row) in keys
    }

    def work(job: cost.Job) -> Row:
        row = cost.measure(scopes[job.scope], job)
        known[_ranking(row)] = row
        return row

    def state(last: cost.Job, waiting: Sequence[cost.Job], seconds: float) -> str:
        return f"now {last.scope}; about {timedelta(seconds=round(seconds * len(waiting)))} left"

    waiting = [job for job in wanted if _ranking(vars(job)) not in known]
    print(f"{len(wanted) - len(waiting):,} of {len(wanted):,} are there", flush=True)
    try:
        recording.go_through(waiting, work, state, journal)
    finally:
        if known:
            rows = list(known.values())
            path = options.data / "screening.parquet"
            if path.is_file():
                rows += cost.screens(records.load("screening", path))
            else:
                print(f"{path} is not there: the table is without the screen")
            table = cost.table(rows, study_trials)
            data = {scope: cost.fingerprint(part) for scope, part in scopes.items()}
            _write(table.assign(data=table["scope"].map(data)), options.to / "cost.parquet")
            _note(options, len(known), len(wanted))


def _mixed(study_trials: pd.DataFrame, journal: Journal, options: argparse.Namespace) -> None:
    surfaces = truth.all_surfaces(study_trials)
    marks = {name: surface.fingerprint() for name, surface in surfaces.items()}
    true = {
        str(name): table.set_index("hyperparameter")
        for name, table in _truths(surfaces, marks, options.to / "surfaces.parquet").groupby(
            "surface"
        )
    }
    sizes = _sizes(mixed.SIZES, options)
    wanted = mixed.jobs(list(surfaces), sizes)
    path = options.to / "mixed.parquet"
    known: dict[mixed.Job, list[Row]] = {}
    table = pd.read_parquet(path).to_dict("records") if path.is_file() else []
    for row in [*table, *(one for draw in journal.read("row") for one in draw["fits"])]:
        job = mixed.Job(row["surface"], row["trials"], row["repeat"])
        if row["mark"] == marks.get(row["surface"]):
            fits = [fit for fit in known.get(job, []) if _part(fit) != _part(row)]
            known[job] = [*fits, row]

    def work(job: mixed.Job) -> Row:
        mark = marks[job.surface]
        known[job] = [
            row | {"mark": mark}
            for row in mixed.measure(surfaces[job.surface], true[job.surface], job)
        ]
        return {"fits": known[job]}

    def state(last: mixed.Job, waiting: Sequence[mixed.Job], _: float) -> str:
        return f"now {last.trials:,} trials of {last.surface}"

    waiting = [job for job in wanted if job not in known]
    print(f"{len(wanted) - len(waiting):,} of {len(wanted):,} are there", flush=True)
    try:
        recording.go_through(waiting, work, state, journal)
    finally:
        if known:
            rows = pd.DataFrame([row for fits in known.values() for row in fits])
            order = ["surface", "trials", "repeat", "table", "method"]
            _write(rows.sort_values(order, ignore_index=True), path)
            _note(options, len(known), len(wanted))


def _part(row: Row) -> tuple[Any, ...]:
    return row["table"], row["method"]


def _sizes(sizes: Mapping[int, int], options: argparse.Namespace) -> dict[int, int]:
    """Number of trials -> draws, as far as they are asked for."""
    return {
        n: min(times, options.repeats or times)
        for n, times in sizes.items()
        if n <= (options.most or n)
    }


def _expected(alike: list[Row], job: truth.Job, limit: float) -> float:
    """Seconds of a fit, in proportion to the trials of the latest of its method and surface."""
    if not alike or truth.over(alike, job, limit):
        return 0.0
    latest: float = alike[-1]["seconds"] / alike[-1]["trials"]
    return latest * job.trials


def _truths(surfaces: Mapping[str, Surface], marks: Mapping[str, str], path: Path) -> pd.DataFrame:
    """The truths of all surfaces; those of the same surfaces in the file are not computed again."""
    known = pd.read_parquet(path) if path.is_file() else pd.DataFrame({"surface": [], "mark": []})
    found = {}
    for name, surface in surfaces.items():
        alike = known[(known["surface"] == name) & (known["mark"] == marks[name])]
        found[name] = alike if len(alike) else surface.truth().reset_index()
    rows = [table.assign(surface=name, mark=marks[name]) for name, table in found.items()]
    table = pd.concat(rows, ignore_index=True)
    return table[["surface", *table.columns.drop("surface")]]


def _known(path: Path, journal: Journal) -> list[Row]:
    """Finished fits of the table and the journal."""
    rows = []
    if path.is_file():
        for row in pd.read_parquet(path).to_dict("records"):
            if row.get("state") in (None, truth.MEASURED):
                there = np.ndim(row["scores"])  # else None, or NaN where no row has any
                rows.append(row | {"scores": [float(s) for s in row["scores"]] if there else None})
    return rows + journal.read("row")


def _fit(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("surface", "method", "trials", "repeat"))


def _ranking(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("scope", "method", "trainings", "repeat", "data"))


def _write(table: pd.DataFrame, path: Path) -> None:
    if "scores" in table:  # half the size; agreements were computed with every digit
        singles = [None if row is None else np.float32(row) for row in table["scores"]]
        table = table.assign(scores=singles)
    trials.write(table, path)
    print(f"{len(table):,} rows written to {path}")


def _note(options: argparse.Namespace, done: int, asked: int, **more: Any) -> None:
    """What the table was made with, beside it."""
    recording.write_note(
        options.to / f"{options.what}.json",
        processes.describe_processor("cpu"),
        fits=done,
        asked=asked,
        **more,
    )


if __name__ == "__main__":
    sys.exit(main())
