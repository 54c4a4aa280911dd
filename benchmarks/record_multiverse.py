"""Records the weights of N-RReliefF in every universe: python benchmarks/record_multiverse.py

A universe is one way to make all choices that the paper leaves open (see `hia.multiverse`). Writes
multiverse.parquet, one row each, and multiverse.json, what it was made with, into data/. One
process, one thread; the files are written at the end.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

# Before NumPy is there: more threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hia import multiverse, processes, trials

PACKAGES = ("numpy", "scipy", "pandas")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of the study (default: data)"
    )
    options = parser.parse_args(arguments)
    table = trials.load(options.data / "trials.parquet")
    began = time.monotonic()

    def report(done: int, of: int) -> None:
        seconds = time.monotonic() - began
        left = timedelta(seconds=round(seconds * (of - done) / done))
        print(f"{done} of {of} searches, about {left} left at this speed", flush=True)

    found = multiverse.universes(table, report=report)
    path = options.to / "multiverse.parquet"
    multiverse.save(found, path)
    note = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "universes": len(found),
        "trials": len(table),
        "fingerprint": multiverse.fingerprint(table),
        "seed": multiverse.SEED,
        "processor": processes.describe_processor("cpu"),
        "versions": {name: version(name) for name in PACKAGES},
    }
    content = json.dumps(note, indent=1, sort_keys=True) + "\n"
    path.with_suffix(".json").write_text(content, encoding="utf-8")
    print(f"{len(found):,} universes of {len(table):,} CNNs written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
