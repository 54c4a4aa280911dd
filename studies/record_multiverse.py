"""Records the weights of N-RReliefF in every universe: python studies/record_multiverse.py

A universe is one way to make all choices that the paper leaves open (see `hia_book.multiverse`).
Writes multiverse.parquet, one row each, and multiverse.json, what it was made with, into data/.
"""

import os
import sys
from collections.abc import Sequence

# Before NumPy is there: more threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hia import trials
from hia_book import multiverse, recording


def main(arguments: Sequence[str] | None = None) -> int:
    options = recording.parser(__doc__).parse_args(arguments)
    study = trials.load(options.data / "trials.parquet")
    table = study[multiverse.USED]
    calls = [(table, search) for search in multiverse.searches()]
    parts = recording.compute(options, multiverse.weigh, calls, len(calls))
    universes = multiverse.collect(list(parts))
    recording.save(
        multiverse.pack(universes),
        options.to / "multiverse.parquet",
        universes=len(universes),
        trials=len(study),
        fingerprint=multiverse.fingerprint(study),
        seed=multiverse.SEED,
    )
    return 0


if __name__ == "__main__":
    sys.exit(recording.run(main))
