"""Records searches that tune what a ranking puts first, against searches that tune everything.

    python benchmarks/record_tuning.py          data/tuning.parquet and tuning.json

See `hia.tuning`. One process, one thread. Every finished job is written to a journal,
runs/tuning.jsonl, and is on the disk before the next one begins: the command can be killed at any
moment, and the same command goes on. Nothing is searched twice, unless the recorded study has
changed since, or --again is given. The table is written at the end, also where Ctrl-C or an error
is the end.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Before NumPy is there: one thread, beside whatever else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd

from hia import processes, published, trials, tuning
from hia.experiments import Journal

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "optuna")
REPORT_SECONDS = 10.0

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of the study (default: data)"
    )
    parser.add_argument(
        "--journal", type=Path, default=Path("runs/tuning.jsonl"), help="finished jobs"
    )
    parser.add_argument("--again", action="store_true", help="forget what is there")
    parser.add_argument(
        "--searches",
        nargs="+",
        choices=tuning.SEARCHES,
        default=list(tuning.SEARCHES),
        help="(default: all)",
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    journal = Journal(options.journal)
    path = options.to / "tuning.parquet"
    if options.again:
        journal.path.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    study_trials = trials.load(options.data / "trials.parquet")
    paper = published.table(3, options.data / "published")["hyperparameter"].tolist()
    mark = tuning.fingerprint(study_trials, paper)
    wanted = tuning.jobs(sorted(study_trials["dataset"].unique()), searches=options.searches)
    known = {_key(row): row for row in _recorded(path, journal) if row["mark"] == mark}
    waiting = [job for job in wanted if _key(vars(job)) not in known]
    print(f"{len(wanted) - len(waiting):,} of {len(wanted):,} jobs are there", flush=True)
    experiment = tuning.Experiment(study_trials, paper)
    try:
        _run(experiment, waiting, known, journal, mark)
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept, and the same command goes on", file=sys.stderr)
        return 130
    finally:
        if known:
            _write(tuning.table(list(known.values())), path)
            _note(options, study_trials, experiment, len(known), len(wanted))
    return 0


def _run(
    experiment: tuning.Experiment,
    waiting: Sequence[tuning.Job],
    known: dict[tuple[Any, ...], Row],
    journal: Journal,
    mark: str,
) -> None:
    """Do all that waits, keep every row, and say how far it is."""
    began = printed = time.monotonic()
    for place, job in enumerate(waiting, start=1):
        row = experiment.measure(job) | {"mark": mark}
        known[_key(row)] = row
        journal.append("row", row)
        now = time.monotonic()
        if now - printed >= REPORT_SECONDS or place == len(waiting):
            printed, elapsed = now, timedelta(seconds=round(now - began))
            words = f"now {job.search}, {job.default}, {job.dataset}"
            print(f"{place:,} of {len(waiting):,} after {elapsed}, {words}", flush=True)


def _recorded(path: Path, journal: Journal) -> list[Row]:
    """Finished jobs of the table and the journal."""
    rows = []
    if path.is_file():
        for row in pd.read_parquet(path).drop(columns=["best", "trials"]).to_dict("records"):
            rows.append(row | {name: list(row[name]) for name in ("tuned", "mean", "error")})
    return rows + journal.read("row")


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("dataset", "default", "search", "ranking", "k"))


def _write(table: pd.DataFrame, path: Path) -> None:
    """The file is whole or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    table.to_parquet(partial, index=False, compression="zstd")
    partial.replace(path)
    print(f"{len(table):,} rows written to {path}")


def _note(
    options: argparse.Namespace,
    study_trials: pd.DataFrame,
    experiment: tuning.Experiment,
    done: int,
    asked: int,
) -> None:
    """What the table was made with and from, beside it."""
    parts = {str(name): rows for name, rows in study_trials.groupby("dataset")}
    content = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "jobs": done,
        "asked": asked,
        "repetitions": tuning.REPETITIONS,
        "processor": processes.describe_processor("cpu"),
        "versions": {name: version(name) for name in PACKAGES},
        "surrogates": {
            name: {"rows": len(rows), **tuning.quality(rows)} for name, rows in parts.items()
        },
        "rankings": experiment.rankings,
        "defaults": {
            default: {name: tuning.decode(x) for name, x in by_dataset.items()}
            for default, by_dataset in experiment.defaults.items()
        },
    }
    path = options.to / "tuning.json"
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
