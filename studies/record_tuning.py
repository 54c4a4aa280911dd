"""Records searches that tune what a ranking puts first, against searches that tune everything.

    python studies/record_tuning.py          data/tuning.parquet and tuning.json

See `hia_book.tuning`. Every finished job is kept: the command can be killed at any moment, and the
same command goes on. The table is written at the end.
"""

import os
import sys
from collections.abc import Sequence

# Before NumPy is there: one thread, beside whatever else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hia import trials
from hia_book import published, recording, tuning


def main(arguments: Sequence[str] | None = None) -> int:
    parser = recording.parser(__doc__)
    searches = list(tuning.SEARCHES)
    parser.add_argument(
        "--searches", nargs="+", choices=searches, default=searches, help="(default: all)"
    )
    options = parser.parse_args(arguments)
    study = trials.load(options.data / "trials.parquet")[tuning.USED]
    paper = published.table(3, options.data / "published")["hyperparameter"].tolist()
    jobs = tuning.jobs(sorted(study["dataset"].unique()), searches=options.searches)
    experiment = tuning.Experiment(study, paper)
    calls = (experiment.arguments(job) for job in jobs)
    results = recording.compute(options, tuning.search, calls, len(jobs), ignore=["surrogate"])
    rows = [experiment.row(job, result) for job, result in zip(jobs, results, strict=True)]
    recording.save(
        tuning.table(rows),
        options.to / "tuning.parquet",
        jobs=len(rows),
        asked=len(jobs),
        repetitions=tuning.REPETITIONS,
        surrogates={
            str(name): {"rows": len(part), **tuning.quality(part)}
            for name, part in study.groupby("dataset")
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
    return 0


if __name__ == "__main__":
    sys.exit(recording.run(main))
