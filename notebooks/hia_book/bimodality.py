"""Whether accuracies have two modes, as the paper says of its own (Section 5.1, Fig. 3)."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import gaussian_kde, kurtosis, skew

from hia.trials import SOURCES

# Sarle's coefficient of a uniform distribution: what is above it may have two modes.
UNIFORM = 5 / 9


def sarle(values: ArrayLike) -> float:
    """Sarle's bimodality coefficient of a sample (n,), with SAS's correction for its size.

    1 for two points, 5/9 for a uniform and 1/3 for a normal distribution; a long tail may exceed
    5/9 as well (Pfister et al. 2013, Frontiers in Psychology 4:700). NaN for fewer than four values
    and where all are the same.
    """
    sample = np.asarray(values, dtype=float)
    n = len(sample)
    if n < 4 or np.ptp(sample) == 0:
        return float("nan")
    correction = 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    return float((skew(sample, bias=False) ** 2 + 1) / (kurtosis(sample, bias=False) + correction))


def modes(values: ArrayLike) -> list[float]:
    """Where a density of accuracies (n,) in [0, 1] has its maxima, on a grid of steps of 1/500.

    By a Gaussian kernel of Silverman's width, rather too wide: what it shows apart is apart.
    """
    sample = np.asarray(values, dtype=float)
    if len(set(sample)) < 2:
        return list(map(float, sample[:1]))
    grid = np.linspace(0, 1, 501)
    density = np.pad(gaussian_kde(sample, "silverman")(grid), 1)
    top = (density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])
    return list(map(float, grid[top]))


def thirds(values: ArrayLike) -> NDArray[np.float64]:
    """Shares of a sample (n,) below 1/3, between, and from 2/3 on, (3,)."""
    sample = np.clip(np.asarray(values, dtype=float), 0, 1)
    return np.histogram(sample, bins=[0, 1 / 3, 2 / 3, 1])[0] / len(sample)


def end_over_middle(values: ArrayLike) -> tuple[float, float, float]:
    """By how much more accuracies (n,) are in the emptier of the outer thirds than in the middle
    one: the difference of the two shares and its 95% limits, as of a multinomial."""
    low, middle, high = thirds(values)
    end = min(low, high)
    gap = float(end - middle)
    half = float(1.96 * np.sqrt((end + middle - gap**2) / len(np.asarray(values))))
    return gap, gap - half, gap + half


def histogram(trials: pd.DataFrame, edges: NDArray[np.float64]) -> pd.DataFrame:
    """CNNs per interval of accuracy between edges (n + 1,): `from`, `to` and a column for each
    source, n rows."""
    own = {name: trials.loc[trials["source"] == name, "accuracy"] for name in SOURCES}
    counts = {name: np.histogram(accuracies, edges)[0] for name, accuracies in own.items()}
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:]} | counts)
