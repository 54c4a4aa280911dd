"""How long `FAnova` takes: python benchmarks/bench_fanova.py

Random: random configurations of Table 1 (eleven columns) with an invented accuracy. Recorded: the
rows of data/trials.parquet, all that there are. Continuous: eleven columns of random numbers, the
most that pairs can cost. Options are the defaults (16 full trees) and the measures of the space.
`fit` is the forest and all single effects, `pairs` the interactions of all 55 pairs. One thread.
11,150 rows are as many as the paper trained CNNs.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn

from hia import space
from hia.ranking.fanova import FAnova, measure_options

TRIALS = Path(__file__).parents[1] / "data" / "trials.parquet"
OF_SPACE = measure_options(space.SPACE, space.HYPERPARAMETERS)


def random(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """n configurations and an accuracy in [0, 1] that follows some of them."""
    channels = space.SPACE["in_channel_num"]
    rows = [{**space.sample(rng), "in_channel_num": channels.sample(rng)} for _ in range(n)]
    X = pd.DataFrame(rows)[list(space.HYPERPARAMETERS)]
    accuracy = (
        0.5
        + 0.05 * (X["num_conv_layers"] - 2)
        - 0.02 * (np.log10(X["lr"]) + 3) ** 2
        - 0.2 * X["dropout_rate"]
        + rng.normal(0, 0.05, n)
    )
    return X, accuracy.clip(0, 1)


def recorded() -> tuple[pd.DataFrame, pd.Series]:
    rows = pd.read_parquet(TRIALS, columns=[*space.HYPERPARAMETERS, "accuracy"])
    return rows.drop(columns="accuracy"), rows["accuracy"]


def continuous(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    X = pd.DataFrame(rng.random((n, len(space.HYPERPARAMETERS))))
    return X, X.sum(axis=1) + X[0] * X[1] + rng.normal(0, 0.1, n)


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


def report(label: str, X: pd.DataFrame, y: pd.Series, options: dict, repeats: int) -> None:
    model = FAnova(random_state=0, **options)
    model.fit(X, y)  # the first fit also imports and fills caches
    for name, work in (("fit", lambda: model.fit(X, y)), ("pairs", model.pair_importances)):
        found = seconds(work, repeats)
        print(
            f"{label:>10} {len(X):>8} {name:>6} {repeats:>5} {statistics.median(found):>9.3f} "
            f"{min(found):>10.3f} {max(found):>10.3f}",
            flush=True,
        )


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"{os.cpu_count()} cores ({platform.machine()}), one used; Python", end=" ")
    print(f"{platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}", end="")
    print(f", scikit-learn {sklearn.__version__}")
    print(f"{'rows of':>10} {'rows':>8} {'':>6} {'runs':>5}", end=" ")
    print(f"{'median s':>9} {'fastest s':>10} {'slowest s':>10}")
    report("random", *random(1_000, rng), OF_SPACE, repeats=11)
    report("random", *random(11_150, rng), OF_SPACE, repeats=7)
    report("random", *random(100_000, rng), OF_SPACE, repeats=1)
    if TRIALS.is_file():
        report("recorded", *recorded(), OF_SPACE, repeats=7)
    report("continuous", *continuous(11_150, rng), {}, repeats=3)


if __name__ == "__main__":
    main()
