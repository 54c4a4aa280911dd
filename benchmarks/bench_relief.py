"""How long `NRReliefF().fit` takes: python benchmarks/bench_relief.py

Rows are random configurations of Table 1 (eleven columns, lr as its logarithm) with an invented
accuracy; options are the defaults (J = 30, every row). One thread. 11,150 rows are as many as the
paper trained CNNs.
"""

import os
import platform
import statistics
import time

import numpy as np
import pandas as pd
import scipy
import sklearn

from hia import space
from hia.relief import NRReliefF

REPEATS = {1_000: 21, 10_000: 11, 11_150: 11, 100_000: 5}


def configurations(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """n configurations and an accuracy in [0, 1] that follows some of them."""
    channels = space.SPACE["in_channel_num"]
    rows = [{**space.sample(rng), "in_channel_num": channels.sample(rng)} for _ in range(n)]
    X = pd.DataFrame(rows)[list(space.HYPERPARAMETERS)]
    X["lr"] = np.log10(X["lr"])
    accuracy = (
        0.5
        + 0.05 * (X["num_conv_layers"] - 2)
        - 0.02 * (X["lr"] + 3) ** 2
        - 0.2 * X["dropout_rate"]
        + rng.normal(0, 0.05, n)
    )
    return X, accuracy.clip(0, 1)


def fit_seconds(X: pd.DataFrame, y: pd.Series) -> float:
    start = time.perf_counter()
    NRReliefF().fit(X, y)
    return time.perf_counter() - start


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"{os.cpu_count()} cores ({platform.machine()}), one used; Python", end=" ")
    print(f"{platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}", end="")
    print(f", scikit-learn {sklearn.__version__}")
    print(f"{'rows':>8} {'fits':>5} {'median s':>9} {'fastest s':>10} {'slowest s':>10}")
    for n, repeats in REPEATS.items():
        X, y = configurations(n, rng)
        fit_seconds(X, y)  # the first fit also imports and fills caches
        seconds = [fit_seconds(X, y) for _ in range(repeats)]
        print(
            f"{n:>8} {repeats:>5} {statistics.median(seconds):>9.3f} "
            f"{min(seconds):>10.3f} {max(seconds):>10.3f}"
        )


if __name__ == "__main__":
    main()
