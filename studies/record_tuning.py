"""Records searches that tune what a ranking puts first, against searches that tune everything.

    python studies/record_tuning.py          data/tuning.parquet and tuning.json

See `hia_book.tuning`. One process, one thread. Every finished job is written to a journal,
runs/tuning.jsonl, and is on the disk before the next one begins: the command can be killed at any
moment, and the same command goes on. Nothing is searched twice, unless the recorded study has
changed since, or --again is given. The table is written at the end, also where Ctrl-C or an error
is the end.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Before NumPy is there: one thread, beside whatever else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd

from hia import trials
from hia.study import processes, recording
from hia.study.recording import Journal, Row
from hia_book import published, tuning


def main(arguments: Sequence[str] | None = None) -> int:
    parser = recording.parser(__doc__)
    parser.add_argument(
        "--searches",
        nargs="+",
        choices=tuning.SEARCHES,
        default=list(tuning.SEARCHES),
        help="(default: all)",
    )
    options = parser.parse_args(arguments)
    journal = recording.open_journal(options, "tuning")
    path = options.to / "tuning.parquet"
    study_trials = trials.load(options.data / "trials.parquet")
    paper = published.table(3, options.data / "published")["hyperparameter"].tolist()
    mark = tuning.fingerprint(study_trials, paper)
    wanted = tuning.jobs(sorted(study_trials["dataset"].unique()), searches=options.searches)
    known = {_key(row): row for row in _recorded(path, journal) if row["mark"] == mark}
    waiting = [job for job in wanted if _key(vars(job)) not in known]
    print(f"{len(wanted) - len(waiting):,} of {len(wanted):,} jobs are there", flush=True)
    experiment = tuning.Experiment(study_trials, paper)

    def work(job: tuning.Job) -> Row:
        row = experiment.measure(job) | {"mark": mark}
        known[_key(row)] = row
        return row

    def state(last: tuning.Job, *_: Any) -> str:
        return f"now {last.search}, {last.epochs}, {last.default}, {last.dataset}"

    def record() -> None:
        try:
            recording.go_through(waiting, work, state, journal)
        finally:
            if known:
                table = tuning.table(list(known.values()))
                trials.write(table, path)
                print(f"{len(table):,} rows written to {path}")
                _note(options, study_trials, experiment, len(known), len(wanted))

    return recording.until_stopped(record)


def _recorded(path: Path, journal: Journal) -> list[Row]:
    """Finished jobs of the table and the journal."""
    rows = []
    if path.is_file():
        for row in pd.read_parquet(path).drop(columns=["best", "trials"]).to_dict("records"):
            rows.append(row | {name: list(row[name]) for name in ("tuned", "mean", "error")})
    return rows + journal.read("row")


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("dataset", "epochs", "default", "search", "ranking", "k"))


def _note(
    options: argparse.Namespace,
    study_trials: pd.DataFrame,
    experiment: tuning.Experiment,
    done: int,
    asked: int,
) -> None:
    """What the table was made with and from, beside it."""
    parts = {str(name): rows for name, rows in study_trials.groupby("dataset")}
    recording.write_note(
        options.to / "tuning.json",
        processes.describe_processor("cpu"),
        jobs=done,
        asked=asked,
        repetitions=tuning.REPETITIONS,
        surrogates={
            name: {"rows": len(rows), **tuning.quality(rows)} for name, rows in parts.items()
        },
        rankings=experiment.rankings,
        defaults={
            epochs: {
                default: {name: tuning.decode(x) for name, x in by_dataset.items()}
                for default, by_dataset in by_default.items()
            }
            for epochs, by_default in experiment.defaults.items()
        },
    )


if __name__ == "__main__":
    sys.exit(main())
