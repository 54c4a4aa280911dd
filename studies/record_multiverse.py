"""Records the weights of N-RReliefF in every universe: python studies/record_multiverse.py

A universe is one way to make all choices that the paper leaves open (see `hia_book.multiverse`).
Writes multiverse.parquet, one row each, and multiverse.json, what it was made with, into data/. One
process, one thread; the files are written at the end.
"""

import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta

# Before NumPy is there: more threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hia import trials
from hia.study import processes, recording
from hia_book import multiverse


def main(arguments: Sequence[str] | None = None) -> int:
    options = recording.parser(__doc__, journal=False).parse_args(arguments)
    table = trials.load(options.data / "trials.parquet")
    began = time.monotonic()

    def report(done: int, of: int) -> None:
        seconds = time.monotonic() - began
        left = timedelta(seconds=round(seconds * (of - done) / done))
        print(f"{done} of {of} searches, about {left} left at this speed", flush=True)

    found = multiverse.universes(table, report=report)
    path = options.to / "multiverse.parquet"
    multiverse.save(found, path)
    recording.write_note(
        path.with_suffix(".json"),
        processes.describe_processor("cpu"),
        seconds=round(time.monotonic() - began, 1),
        universes=len(found),
        trials=len(table),
        fingerprint=multiverse.fingerprint(table),
        seed=multiverse.SEED,
    )
    print(f"{len(found):,} universes of {len(table):,} CNNs written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
