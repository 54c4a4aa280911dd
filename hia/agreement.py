"""How well lists of importance weights agree (Wang et al. 2024, Sections 4.1 and 5.2).

The paper draws ten subsets of the trained CNNs, weighs the hyperparameters on each, and takes the
intraclass correlation (ICC) of the ten lists as evidence that the weights are reliable. What it
leaves open is decided here:

- Performance intervals. "Each performance interval" is capped at 600 points, but the intervals are
  not given. Here they are of equal width between accuracy 0 and 1, ten of them by default.
- Which ICC. There are six; `icc` returns all of them. Reported is `REPORTED`, ICC(A,1), the
  absolute agreement of single lists, which Shrout and Fleiss (1979) call ICC(2,1): the subsets are
  a random sample of those that could have been drawn, and one list is what a reader would use.
  Lists of shares have the same mean, so that ICC(1,1), ICC(A,1) and ICC(C,1) come out nearly equal;
  those of the mean list, ICC(.,k), are larger by construction.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
import pingouin
from numpy.typing import ArrayLike, NDArray
from scipy import stats

REPORTED = "ICC(A,1)"


class RankAgreement(NamedTuple):
    """Kendall's tau-b of two rankings, the limits of its 95 % interval, and how many items."""

    tau: float
    low: float
    high: float
    items: int

    def __str__(self) -> str:
        return f"{self.tau:.2f} (95 % interval {self.low:.2f} to {self.high:.2f})"


def intervals(y: ArrayLike, n_intervals: int = 10) -> NDArray[np.intp]:
    """Which of `n_intervals` equally wide intervals of [0, 1] each accuracy is in, (n,), from 0.

    Intervals are closed below, the last one on both sides. Raises ValueError for no rows and for an
    accuracy that is missing or outside [0, 1].
    """
    _check_count("n_intervals", n_intervals)
    accuracy = np.asarray(y, dtype=float)
    if accuracy.ndim != 1 or not accuracy.size:
        raise ValueError(f"y must be accuracies of shape (n,), not of shape {accuracy.shape}")
    wrong = ~((accuracy >= 0) & (accuracy <= 1))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"y, row {row}: {accuracy[row]} is not an accuracy in [0, 1]")
    return np.minimum((accuracy * n_intervals).astype(np.intp), n_intervals - 1)


def balanced_subsamples(
    y: ArrayLike,
    n_subsets: int = 10,
    max_per_interval: int = 600,
    n_intervals: int = 10,
    random_state: int | np.random.Generator = 0,
) -> list[NDArray[np.intp]]:
    """Random subsets of rows in which no interval of accuracy has too many (Section 5.2).

    y: accuracies, (n,). Each subset has, from each of the `intervals` of y, all rows where there
    are at most `max_per_interval` of them, else so many drawn without replacement.
    Returns `n_subsets` arrays of row numbers, ascending. Where no interval has more rows than the
    cap, every subset is all rows.
    Raises ValueError for a number that is not a whole number of at least 1, and as `intervals`.
    """
    _check_count("n_subsets", n_subsets)
    _check_count("max_per_interval", max_per_interval)
    interval = intervals(y, n_intervals)
    members = [np.flatnonzero(interval == which) for which in np.unique(interval)]
    rng = np.random.default_rng(random_state)
    subsets = []
    for _ in range(n_subsets):
        chosen = [
            rows if len(rows) <= max_per_interval else rng.choice(rows, max_per_interval, False)
            for rows in members
        ]
        subsets.append(np.sort(np.concatenate(chosen)))
    return subsets


def icc(weights: pd.DataFrame) -> pd.DataFrame:
    """Intraclass correlations of lists of weights, by pingouin.

    weights: (lists, hyperparameters), one list per row. The hyperparameters are the targets, the
    lists the raters. Only the values count, not the names of rows and columns.
    Returns six rows, columns `form` (ICC(1,1), ICC(A,1), ICC(C,1), ICC(1,k), ICC(A,k), ICC(C,k)),
    `icc`, and `low` and `high`, the limits of the 95 % interval. Lists that are all equal give 1
    with an interval of no width.
    Raises ValueError for fewer than two lists or two hyperparameters, for a missing weight, and
    where all weights are the same number, which leaves the ICC undefined.
    """
    values = weights.to_numpy(dtype=float)
    lists, items = values.shape
    if lists < 2 or items < 2:
        raise ValueError(
            f"an ICC needs two lists of two weights at least, not {lists} list(s) of {items}"
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"list {row}, {weights.columns[column]!r}: {values[row, column]}")
    if np.ptp(values) == 0:
        raise ValueError(f"all weights are {values[0, 0]:g}: the ICC is not defined")
    long = pd.DataFrame(
        {
            "hyperparameter": np.tile(np.arange(items), lists),
            "subset": np.repeat(np.arange(lists), items),
            "weight": values.ravel(),
        }
    )
    with _quiet_pingouin():
        table = pingouin.intraclass_corr(long, "hyperparameter", "subset", "weight")
    limits = np.array(table["CI95"].tolist())
    result = pd.DataFrame(
        {"form": table["Type"], "icc": table["ICC"], "low": limits[:, 0], "high": limits[:, 1]}
    )
    if (values == values[0]).all():  # no residual, and pingouin has divided by it
        result[["icc", "low", "high"]] = 1.0
    return result


def rank_agreement(a: pd.Series, b: pd.Series) -> RankAgreement:
    """How alike two lists of weights order the same items: Kendall's tau-b, with a 95 % interval.

    a, b: weights (or ranks, both the same way round), indexed by the names of the items, in any
    order.

    The interval takes the items for a random sample of those that could have been compared, and
    inverts the test of tau (as Wilson's interval does for a share) with the variance
    v (1 - tau²), v = 2 (2n + 5) / 9n (n - 1) being that of two unrelated rankings. It holds 0
    exactly when that test does not reject, and keeps a width even at tau = 1. With few items it is
    wide: for n = 11, 0.65 to 1 at tau = 1 and -0.42 to 0.42 at 0. Simulated with normal variables
    and n from 5 to 30, it covers at least 95 %. The usual interval on Fisher's scale is narrower
    above 0.8, where it misses far too often, and has no width at 1.
    Raises ValueError where the items differ, occur twice or are fewer than two, where a weight is
    missing, and where all weights of a list are equal.
    """
    for name, weights in (("first", a), ("second", b)):
        if not weights.index.is_unique:
            twice = weights.index[weights.index.duplicated()][0]
            raise ValueError(f"the {name} list has {twice!r} twice")
        if weights.isna().any():
            raise ValueError(
                f"the {name} list has no weight for {weights.index[weights.isna()][0]!r}"
            )
    if len(only := a.index.symmetric_difference(b.index)):
        raise ValueError(f"only one of the lists has {only[0]!r}")
    if len(a) < 2:
        raise ValueError(f"a ranking needs two items at least, not {len(a)}")
    for name, weights in (("first", a), ("second", b)):
        if (weights == weights.iloc[0]).all():
            raise ValueError(f"all weights of the {name} list are {weights.iloc[0]}: no ranking")
    tau = float(stats.kendalltau(a, b.reindex(a.index)).statistic)
    return RankAgreement(tau, *_interval(tau, _variance(len(a))), len(a))


def mean_agreement(agreements: Sequence[RankAgreement]) -> RankAgreement:
    """The mean of several taus, one per data set say, with a 95 % interval.

    agreements: of unrelated samples of items; all weigh the same. The interval is made as for one
    tau, with the mean of the m taus in its place and sum(v) / m² in that of v. `items`: all items.
    Raises ValueError where there is none.
    """
    if not agreements:
        raise ValueError("there are no rankings to take the mean of")
    tau = float(np.mean([one.tau for one in agreements]))
    variance = sum(_variance(one.items) for one in agreements) / len(agreements) ** 2
    return RankAgreement(tau, *_interval(tau, variance), sum(one.items for one in agreements))


def typical_agreement(agreements: Sequence[RankAgreement]) -> RankAgreement:
    """The means of tau and of both limits, over pairs of lists of the same items.

    agreements: of pairs that are not independent, such as all pairs of several lists. The interval
    is that of one pair: many of them tell no more about other items than one does.
    Raises ValueError where there is none, or where they differ in their number of items.
    """
    if len({one.items for one in agreements}) != 1:
        raise ValueError("the pairs of lists must be of one number of items, and at least one pair")
    tau, low, high = np.mean([one[:3] for one in agreements], axis=0)
    return RankAgreement(float(tau), float(low), float(high), agreements[0].items)


def _variance(n: int) -> float:
    """Variance of tau between two unrelated rankings of n items."""
    return 2 * (2 * n + 5) / (9 * n * (n - 1))


def _interval(tau: float, variance: float) -> tuple[float, float]:
    """The t with (tau - t)² <= c (1 - t²), c = z² v: between the roots of a quadratic."""
    c = stats.norm.ppf(0.975) ** 2 * variance
    half = np.sqrt(c * (1 + c - tau**2))
    return float((tau - half) / (1 + c)), float(min((tau + half) / (1 + c), 1.0))


def _check_count(option: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{option}={value!r} is not a whole number of at least 1")


@contextmanager
def _quiet_pingouin() -> Iterator[None]:
    """Without its deprecated call of pandas, the division by a residual of 0 that `icc` sees to,
    and the rounding of intervals to two decimals."""
    rounding = pingouin.options.pop("round.column.CI95", None)
    try:
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            warnings.filterwarnings(
                "ignore",
                message="The inplace keyword",
                category=pd.errors.Pandas4Warning,
                module="pingouin",
            )
            yield
    finally:
        pingouin.options["round.column.CI95"] = rounding
