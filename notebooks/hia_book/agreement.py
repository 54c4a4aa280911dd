"""How well lists of importance weights agree (Wang et al. 2024, Sections 4.1 and 5.2).

The paper names neither its ICC nor the width of its intervals of performance. Here `REPORTED` is
ICC(A,1), the absolute agreement of single lists (ICC(2,1) of Shrout and Fleiss 1979), and intervals
are equally wide, ten by default. For several data sets: Demšar 2006, JMLR 7, 1-30.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.spatial.distance import squareform

from hia.inputs import check_count, in_unit

REPORTED = "ICC(A,1)"
_ROUNDING = 1e-12  # correlations that differ by less are equal


class Estimate(NamedTuple):
    """A mean or a share with its 95% interval."""

    mean: float
    low: float
    high: float

    @property
    def points(self) -> "Estimate":
        """In percentage points."""
        return Estimate(*(100 * one for one in self))


def student(values: ArrayLike) -> Estimate:
    """The mean of a sample (n,) with Student's 95% interval."""
    sample = np.asarray(values, dtype=float)
    half = stats.sem(sample) * stats.t.ppf(0.975, len(sample) - 1)
    return Estimate(*(float(sample.mean() + step) for step in (0, -half, half)))


def write_mean(values: pd.Series) -> str:
    """The mean of a sample (n,) and its standard error, both to two decimals."""
    mean, error = values.agg(["mean", "sem"]).tolist()
    return f"{mean:.2f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{error:.2f}"


class RankAgreement(NamedTuple):
    """Kendall's tau-b of two rankings with its 95% interval, and how many items."""

    tau: float
    low: float
    high: float
    items: int


def intervals(y: ArrayLike, n_intervals: int = 10) -> NDArray[np.intp]:
    """Which of `n_intervals` equally wide intervals of [0, 1] each accuracy is in, (n,), from 0.

    Closed below, the last on both sides. Raises ValueError for no rows and for an accuracy that is
    missing or outside [0, 1].
    """
    check_count("n_intervals", n_intervals)
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
    """`n_subsets` random subsets of rows, as ascending row numbers (Section 5.2).

    y: accuracies, (n,). Of each of its `intervals` a subset has all rows, or `max_per_interval`
    drawn without replacement. Raises ValueError for a count below 1, and as `intervals`.
    """
    check_count("n_subsets", n_subsets)
    check_count("max_per_interval", max_per_interval)
    interval = intervals(y, n_intervals)
    members = [np.flatnonzero(interval == which) for which in np.unique(interval)]
    rng = np.random.default_rng(random_state)

    def draw(rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return rng.choice(rows, max_per_interval, False) if len(rows) > max_per_interval else rows

    return [np.sort(np.concatenate([draw(rows) for rows in members])) for _ in range(n_subsets)]


def icc(weights: pd.DataFrame) -> pd.DataFrame:
    """Intraclass correlations of lists of weights, by pingouin.

    weights: (lists, hyperparameters); the lists are the raters. Returns six rows, `form` (ICC(1,1),
    ICC(A,1), ICC(C,1), and of k lists), columns `icc`, `low`, `high` (95%); all 1 of equal lists.
    Raises ValueError for fewer than two lists, two hyperparameters or five weights, a missing
    weight, and where it is not defined.
    """
    values = _values(weights, least=2)
    if (values == values[0, 0]).all():
        raise ValueError(f"all weights are {values[0, 0]:g}: the ICC is not defined")
    if values.size < 5:
        raise ValueError(f"an ICC needs five weights in all at least, not {values.size}")
    subset, item = np.indices(values.shape).reshape(2, -1)
    weight = in_unit(values)[0].ravel()
    long = pd.DataFrame({"hyperparameter": item, "subset": subset, "weight": weight})
    import pingouin  # takes seconds

    pingouin.options["round.column.CI95"] = None
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # Its deprecated call of pandas; and the division by no residual, seen to below.
        warnings.filterwarnings("ignore", "The inplace keyword", module="pingouin")
        table = pingouin.intraclass_corr(long, "hyperparameter", "subset", "weight")
    limits = np.array(table["CI95"].tolist())
    result = pd.DataFrame({"icc": table["ICC"], "low": limits[:, 0], "high": limits[:, 1]})
    result.index = pd.Index(table["Type"], name="form")
    if (values == values[0]).all():  # no residual, and pingouin has divided by it
        result[:] = 1.0
    if not (result["icc"] <= 1 + _ROUNDING).all():
        raise ValueError(
            "the ICC is not defined: no list tells its weights apart, or some are so much larger "
            "than the others that only rounding is left of these"
        )
    return result


def rank_agreement(a: pd.Series, b: pd.Series) -> RankAgreement:
    """Kendall's tau-b of two lists of weights, indexed by item, with a 95% interval.

    The interval takes the items for a random sample and inverts the test of tau, with variance v (1
    - tau²), v = 2 (2n + 5) / 9n (n - 1) that of unrelated rankings. It covers at least 95%
    (simulated), where that on Fisher's scale misses above 0.8. Raises ValueError for an item that
    is there twice or in one list only, and for a list whose weights are all equal.
    """
    for weights in (a, b):
        if not weights.index.is_unique:
            raise ValueError(f"a list has {weights.index[weights.index.duplicated()][0]!r} twice")
    both = pd.DataFrame({"first": a, "second": b})
    for name, weights in both.items():
        if weights.isna().any():
            missing = weights.index[weights.isna()][0]
            raise ValueError(f"the {name} list has no weight for {missing!r}")
        if weights.nunique() < 2:
            raise ValueError(f"all weights of the {name} list are equal: no ranking")
    tau = float(stats.kendalltau(both["first"], both["second"]).statistic)
    return mean_agreement([RankAgreement(tau, -1, 1, len(a))])


def mean_agreement(agreements: Sequence[RankAgreement]) -> RankAgreement:
    """The mean of taus of unrelated samples of items, one per data set say, with a 95% interval.

    As for one tau, with sum(v) / m² of the m taus for v. `items`: all. Raises ValueError for none.
    """
    if not agreements:
        raise ValueError("there are no rankings to take the mean of")
    tau, counts = float(np.mean([one.tau for one in agreements])), [one.items for one in agreements]
    variance = sum(2 * (2 * n + 5) / (9 * n * (n - 1)) for n in counts) / len(counts) ** 2
    # The t with (tau - t)² <= c (1 - t²), c = z² v: between the roots of a quadratic.
    c = stats.norm.ppf(0.975) ** 2 * variance
    half = np.sqrt(c * (1 + c - tau**2))
    low, high = (tau - half) / (1 + c), min((tau + half) / (1 + c), 1.0)
    return RankAgreement(tau, float(low), float(high), sum(counts))


def typical_agreement(agreements: Sequence[RankAgreement]) -> RankAgreement:
    """The means of tau and of both limits, over pairs of lists of the same items.

    Pairs that are not independent, such as all of several lists, are no surer for their number.
    Raises ValueError where there is none, or where they differ in their number of items.
    """
    if len({one.items for one in agreements}) != 1:
        raise ValueError("the pairs of lists must be of one number of items, and at least one pair")
    tau, low, high = np.mean([one[:3] for one in agreements], axis=0).tolist()
    return RankAgreement(tau, low, high, agreements[0].items)


class Concordance(NamedTuple):
    """Kendall's W of several lists with its 95% interval, the mean Spearman correlation of two of
    the lists, and how many lists of how many items."""

    w: float
    low: float
    high: float
    correlation: float
    lists: int
    items: int


def kendalls_w(
    weights: pd.DataFrame, n_resamples: int = 2000, random_state: int | np.random.Generator = 0
) -> Concordance:
    """How alike several lists order the same items: 1 for the same order, near 0 for unrelated.

    weights: (lists, items). Corrected for ties. The interval is a bootstrap over the lists:
    percentiles of (1 + (m - 1) r) / m, r the mean correlation of the ranks of two *different* lists
    among those drawn. Of five or ten lists that agree well it covers about 88% (simulated). Raises
    ValueError for fewer than three lists or two items, a missing weight, and a list of equal ones.
    """
    check_count("n_resamples", n_resamples)
    places = _places(weights, least=3)
    lists, items = places.shape
    products = np.cov(places)
    variances = np.diag(products)
    if not (variances > 0).all():
        raise ValueError(f"all weights of list {int(np.argmin(variances))} are equal: no ranking")

    def correlation(counts: NDArray) -> float:
        pairs = np.outer(counts, counts)
        np.fill_diagonal(pairs, 0)
        mean = (variances[:, None] + variances) / 2
        return float((pairs * products).sum() / (pairs * mean).sum())

    rng = np.random.default_rng(random_state)
    drawn: list[float] = []
    while len(drawn) < n_resamples:
        counts = np.bincount(rng.integers(lists, size=lists), minlength=lists)
        if (counts > 0).sum() > 1:  # else there are no two lists
            drawn.append(correlation(counts))
    mean = correlation(np.ones(lists))
    low, high = np.quantile(drawn, [0.025, 0.975])
    w, low, high = ((1 + (lists - 1) * float(r)) / lists for r in (mean, low, high))
    return Concordance(w, low, high, mean, lists, items)


class Friedman(NamedTuple):
    """Friedman's test that all items have the same mean rank, and Nemenyi's comparison of them.

    mean_ranks: the best (1) first. chi2, p: corrected for ties. critical_difference: mean ranks
    that differ by less are not told apart, at one level for all pairs together. groups: the largest
    sets of items that are not.
    """

    mean_ranks: pd.Series
    chi2: float
    p: float
    critical_difference: float
    groups: list[list[str]]


def friedman(weights: pd.DataFrame, alpha: float = 0.05) -> Friedman:
    """Which items several lists tell apart (Demšar 2006, Section 3.2).

    weights: (lists, items), large ones for the first ranks. Raises ValueError for fewer than two
    lists or three items, a missing weight, an alpha outside (0, 1), and lists without an order.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha!r} is not between 0 and 1")
    places = pd.DataFrame(_places(weights, least=2), columns=weights.columns)
    lists, items = places.shape
    if items < 3:
        raise ValueError(f"Friedman's test needs three items at least, not {items}")
    if not places.to_numpy().std(axis=1).any():
        raise ValueError("every list ranks all items equal")
    chi2, p = stats.friedmanchisquare(*places.to_numpy().T)
    ranks = places.mean().sort_values(kind="stable")
    # Nemenyi's: q sqrt(items (items + 1) / 6 lists), q the studentized range over sqrt(2).
    q = stats.studentized_range.isf(alpha, items, np.inf) / np.sqrt(2)
    critical = float(q * np.sqrt(items * (items + 1) / (6 * lists)))
    stops = np.searchsorted(ranks, ranks + critical, side="left").tolist()
    groups = [
        list(map(str, ranks.index[start:stop]))
        for start, (stop, before) in enumerate(zip(stops, [0, *stops], strict=False))
        if stop > max(before, start + 1)
    ]
    return Friedman(ranks, float(chi2), float(p), critical, groups)


class Mantel(NamedTuple):
    """Correlation of two tables of distances, and the share of permutations that correlate at least
    as strongly in the same direction (one-sided p)."""

    correlation: float
    p: float


def mantel(distances: ArrayLike, others: ArrayLike, n_permutations: int = 1999) -> Mantel:
    """Whether what is far apart in one respect is far apart in another (Mantel 1967, Cancer
    Research 27, 209-220).

    distances, others: (n, n), symmetric, of which the part above the diagonal counts. p counts the
    original as a permutation. Raises ValueError for other shapes, fewer than four objects, and
    distances that are missing or all the same.
    """
    check_count("n_permutations", n_permutations)
    first, second = np.asarray(distances, dtype=float), np.asarray(others, dtype=float)
    shapes = first.shape, second.shape
    if first.ndim != 2 or len({*shapes, first.T.shape}) > 1:
        raise ValueError(f"distances of shape {shapes[0]} and {shapes[1]}; both must be (n, n)")
    if len(first) < 4:
        raise ValueError(f"{len(first)} objects are too few to permute; at least 4 are needed")
    above = np.triu_indices(len(first), 1)
    for which, table in (("first", first), ("second", second)):
        if not np.isfinite(table[above]).all() or (table[above] == table[above][0]).all():
            raise ValueError(f"distances of the {which} table are missing, or all the same")
    one, other = in_unit(first[above])[0], in_unit(second[above])[0]
    symmetric = squareform(other)
    rng = np.random.default_rng(0)
    correlation = float(np.corrcoef(one, other)[0, 1])
    hits = 0
    for _ in range(n_permutations):
        order = rng.permutation(len(first))
        permuted = symmetric[np.ix_(order, order)]
        hits += np.corrcoef(one, permuted[above])[0, 1] >= correlation - _ROUNDING
    return Mantel(correlation, (1 + hits) / (1 + n_permutations))


def _values(weights: pd.DataFrame, least: int) -> NDArray[np.float64]:
    """Weights (lists, items) of so many lists at least, of two items or more, none missing."""
    values = weights.to_numpy(dtype=float)
    lists, items = values.shape
    if lists < least or items < 2:
        raise ValueError(f"{lists} list(s) of {items} item(s); there must be {least} of two items")
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"list {row}, {weights.columns[column]!r}: {values[row, column]}")
    return values


def _places(weights: pd.DataFrame, least: int) -> NDArray[np.float64]:
    """Ranks (lists, items), 1 for the largest weight."""
    return np.asarray(stats.rankdata(-_values(weights, least), axis=1))
