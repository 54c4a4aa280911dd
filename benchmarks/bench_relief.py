"""How long N-RReliefF takes, and how it grows: python benchmarks/bench_relief.py

Rows are random configurations of Table 1 (eleven columns, lr as its logarithm) with an invented
accuracy; options are the defaults (J = 30, every row). One thread. 11,150 rows are as many as the
paper trained CNNs. Peak memory is what a fit needs beyond its input; a fit that needs less than
the one before it shows as 0.
"""

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy
import sklearn

from hia import space
from hia.relief import NRReliefF

REPEATS = {1_000: 21, 10_000: 11, 11_150: 11, 100_000: 5, 1_000_000: 1}
PAPER = 11_150
RESAMPLES, PERMUTATIONS = 1000, 199


def configurations(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """n configurations and an accuracy in [0, 1] that follows some of them."""
    X = pd.DataFrame({name: values(space.SPACE[name], n, rng) for name in space.HYPERPARAMETERS})
    X["lr"] = np.log10(X["lr"])
    accuracy = (
        0.5
        + 0.05 * (X["num_conv_layers"] - 2)
        - 0.02 * (X["lr"] + 3) ** 2
        - 0.2 * X["dropout_rate"]
        + rng.normal(0, 0.05, n)
    )
    return X, accuracy.clip(0, 1)


def values(row: space.Hyperparameter, n: int, rng: np.random.Generator) -> np.ndarray:
    """What `row.sample` draws, n times at once."""
    if row.choices is not None:
        return rng.choice(np.array(row.choices), n)
    low, high = row.bounds
    if row.kind == "integer":
        return rng.integers(int(low), int(high), n, endpoint=True)
    return (
        np.exp(rng.uniform(np.log(low), np.log(high), n)) if row.log else rng.uniform(low, high, n)
    )


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"{os.cpu_count()} cores ({platform.machine()}), one used; Python", end=" ")
    print(f"{platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}", end="")
    print(f", scikit-learn {sklearn.__version__}")
    print(
        f"{'rows':>9} {'fits':>5} {'median s':>9} {'fastest s':>10} {'slowest s':>10} "
        f"{'µs per row':>11} {'input MB':>9} {'peak MB':>8}"
    )
    NRReliefF().fit(*configurations(1_000, rng))  # the first fit also imports and fills caches
    for n, repeats in REPEATS.items():
        X, y = configurations(n, rng)
        before = peak_mb()
        times = [seconds(lambda X=X, y=y: NRReliefF().fit(X, y)) for _ in range(repeats)]
        median = statistics.median(times)
        print(
            f"{n:>9,} {repeats:>5} {median:>9.3f} {min(times):>10.3f} {max(times):>10.3f} "
            f"{median / n * 1e6:>11.1f} {X.memory_usage(deep=True).sum() / 2**20:>9.1f} "
            f"{peak_mb() - before:>8.0f}",
            flush=True,
        )
    X, y = configurations(PAPER, rng)
    model = NRReliefF()
    print(f"\n{PAPER:,} rows, seconds")
    for what, run in {
        f"{RESAMPLES} resamples for intervals": lambda: model.bootstrap(X, y, RESAMPLES, 0),
        f"{PERMUTATIONS} permutations of each column": lambda: model.permutation_test(
            X, y, PERMUTATIONS, "column", 0
        ),
        f"{PERMUTATIONS} permutations of the target": lambda: model.permutation_test(
            X, y, PERMUTATIONS, "target", 0
        ),
    }.items():
        print(f"{what:<35} {min(seconds(run) for _ in range(3)):>7.2f}", flush=True)


if __name__ == "__main__":
    main()
