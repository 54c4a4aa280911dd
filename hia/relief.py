"""Hyperparameter importance by N-RReliefF (Wang et al. 2024, Algorithm 1, Eqs. 10–14).

A hyperparameter weighs much where it tells apart neighbouring configurations that perform
differently, and little where it also differs between neighbours that perform alike. The method is
RReliefF (Robnik-Šikonja and Kononenko 2003) put to use on hyperparameters (Sun et al. 2019).

What the paper leaves open, or writes differently from RReliefF, is an option of `NRReliefF` with a
stated default. Fixed here, because the paper says nothing of it:

- Neighbours at the same distance share the weights of the ranks they occupy, those outside the
  first J included. This is the mean over all orders in which ties could be broken, so the result
  does not depend on the order of the rows. Duplicates of a row are neighbours like any other; only
  the row itself is left out.
- Sampled rows are drawn without replacement, so that sampling all of them is using all of them.
- A share is max(W, 0) / Σ max(W, 0). A weight below zero says that nothing was found, and Eq. 11
  needs shares that add up to 1. The paper's own shares (Table 3) add up to 1 and the smallest is
  above 0, which excludes shifting by the smallest weight; the largest is 25 times the smallest,
  which excludes a softmax: Eq. 10 lies in [-1, 1], so its shares differ at most by e² = 7.4.

How sure a weight is, which the paper does not ask:

- `NRReliefF.bootstrap` does not search for neighbours among resampled rows: copies of a row are its
  neighbours at distance 0, which lifts all weights by about as much as an important column weighs.
  The neighbours stay, and what a row adds to W counts as often as the row is drawn.
- `NRReliefF.permutation_test` asks of each column whether it says anything about performance that
  the others do not. To permute a column changes all distances, unless it has no part in them: so
  neighbours are found in the other columns, and one search serves all permutations of a column.
  To permute the performance instead is the null that nothing matters at all, and wrong for the
  rest where something does: among near rows, those that differ in a column that matters differ less
  in the others, so that columns without influence weigh less than if no column had any.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from hia import neighbours
from hia.inputs import (
    as_frame,
    check_count,
    is_text,
    positions,
    read_numbers,
    read_target,
    span_of,
)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.intp]

# Published shares are rounded: eleven of them to six digits add up to 1 within 5.5e-6.
_SHARE_SUM = 1e-5
# An average |Δp| this near to 1 is 1.
_NEAR_1 = 1e-9
# Weights of permuted values are this near: the differences are of single precision, for speed.
_SINGLE = 1e-6
# Differences of permuted values worked on at once, in cache; permuted values, and counts of
# resampled rows, held at once.
_DIFFERENCES = 1 << 16
_COPIES = 1 << 25
_COUNTS = 1 << 22

# Ranges of a target that is taken as it is, between these: products of it and of what a neighbour
# counts have to be numbers of single precision.
_TARGET_RANGES = (1e-25, 1e30)
# Ranges of columns that raw distances can have in them, between these.
_RAW_RANGES = (1e-100, 1e100)

_CHOICES = {
    "metric": ("euclidean", "manhattan"),
    "scale": ("range", "none"),
    "weighting": ("exp_rank", "uniform"),
    "target_scale": ("none", "range"),
    "rank_base": (0, 1),
}
_NULLS = ("column", "target")


class NRReliefF(BaseEstimator):  # type: ignore[misc]
    """Importance of each hyperparameter by N-RReliefF.

    Parameters
    ----------
    n_neighbors : number J of nearest neighbours of each sampled row.
    sigma : decay of a neighbour's influence with its rank, exp(-(rank / sigma)²). The paper does
        not give it; 20 is the default of RReliefF. Not used by weighting="uniform".
    n_iterations : number M of sampled rows, drawn without replacement; None uses every row once.
        The neighbours are always searched among all rows.
    metric : "euclidean" (the paper) or "manhattan" (RReliefF).
    scale : what the distance is computed on. "range": each number divided by its range. "none": the
        raw values, the paper's literal distance, in which columns of large units decide. Either
        way two categories are 0 (equal) or 1 apart, and Eqs. 13 and 14 divide by the range.
    rank_base : rank of the nearest neighbour, 1 (the paper) or 0 (other implementations).
    weighting : "exp_rank" (the paper) or "uniform", the same influence for each of J neighbours.
    target_scale : "none": |Δp| as it is (the paper); "range": divided by the range of p (RReliefF).
    categorical : names (of DataFrame columns) or positions of the categorical columns. DataFrame
        columns of dtype string or category, and object columns of strings, are categorical without
        being named. Never guessed from the number of distinct values.
    random_state : seed or generator of the sampled rows; without effect if n_iterations is None.

    Attributes
    ----------
    weights_ : (K,) W of Eq. 10, in [-1, 1], in the order of the columns.
    importances_ : (K,) shares max(W, 0) / Σ max(W, 0), which sum to 1.
    n_features_in_ : K. feature_names_in_ : (K,) names, where X was a DataFrame with string names.

    Notes
    -----
    Neighbours come from all distances between rows that agree in the columns of two values, where
    those are few and near enough, else from a k-d tree; then weighted sums over (rows, neighbours)
    column by column. One thread, no BLAS, memory proportional to the input. Every row visits all
    the rows that tie with its J-th neighbour, so data with very few distinct rows take quadratic
    time. A column of C > 2 categories is C coordinates in the tree.

    References
    ----------
    Wang et al. 2024, Section 3; Robnik-Šikonja and Kononenko 2003; Sun et al. 2019. Of `bootstrap`:
    Efron and Stein 1981, "The jackknife estimate of variance".
    """

    weights_: Floats
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init__(
        self,
        n_neighbors: int = 30,
        sigma: float = 20.0,
        n_iterations: int | None = None,
        metric: str = "euclidean",
        scale: str = "range",
        rank_base: int = 1,
        weighting: str = "exp_rank",
        target_scale: str = "none",
        categorical: Sequence[str | int] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.sigma = sigma
        self.n_iterations = n_iterations
        self.metric = metric
        self.scale = scale
        self.rank_base = rank_base
        self.weighting = weighting
        self.target_scale = target_scale
        self.categorical = categorical
        self.random_state = random_state

    def fit(self, X: ArrayLike | pd.DataFrame, y: ArrayLike) -> Self:
        """Weigh the columns of X, configurations (n, K), by how they explain y, performance (n,).

        Raises ValueError for a wrong option; a missing or infinite value, a column that is neither
        numeric nor categorical or has one value only; an unknown categorical column; y that is
        constant or of another length than X; ranges that raw distances or Eq. 10 cannot take, which
        scaling mends; fewer than n_neighbors + 1 rows; and where the average |Δp| between
        neighbours is 0 or not below 1, which leaves Eq. 10 undefined.
        """
        trials = self._read(X, y)
        validate_data(self, X, skip_check_array=True)
        self.weights_ = _weights(*_means(trials.search()), self.target_scale)
        return self

    @property
    def importances_(self) -> Floats:
        """Shares max(W, 0) / Σ max(W, 0), (K,). Raises ValueError where no weight is above 0."""
        check_is_fitted(self, "weights_")
        positive = np.maximum(self.weights_, 0.0)
        if not positive.any():
            raise ValueError("no weight is above 0, so there are no shares; see weights_")
        return np.asarray(positive / positive.sum())

    def joint_importances(self) -> pd.DataFrame:
        """Eq. 11 on the shares, see `joint_importance`; columns without names are x0, x1, ..."""
        shares = self.importances_
        names = getattr(self, "feature_names_in_", [f"x{k}" for k in range(len(shares))])
        return joint_importance(pd.Series(shares, index=names))

    def bootstrap(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        n_resamples: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ) -> Floats:
        """Weights as other rows of the same kind would give them, (n_resamples, K).

        X, y: as for `fit`, which need not come before and is not replaced. Percentiles of a column
        are an interval for the W of so many rows; the same holds for shares and ranks made from
        each row of the result. The ranges of columns and target are taken as known.

        A resample counts row i as often as it is drawn, c_i times: W + Σ (c_i - 1) ψ_i / n, with
        ψ_i the derivative of W by the frequency of the row, as one that is sampled and as a
        neighbour of others (without the latter, nearly half of the spread is missing). So the
        resamples cost little beyond two searches. As all estimates of this kind (Efron and Stein
        1981) the spread errs on the large side, by up to about √2 for columns without influence,
        whose weights are noise of pairs, and hardly for others.

        Raises ValueError as `fit`, and where n_resamples is not a whole number of at least 1.
        """
        check_count("n_resamples", n_resamples)
        trials = self._read(X, y)
        means = _means(trials.search())
        weights = _weights(*means, self.target_scale)
        influences = _influences(trials.search(), *means)
        random = check_random_state(random_state)
        n = len(trials.target)
        resamples = np.empty((n_resamples, len(weights)))
        at_once = max(1, _COUNTS // n)
        with threadpool_limits(1, "blas"):  # more threads would add up in another order
            for start in range(0, n_resamples, at_once):
                block = resamples[start : start + at_once]
                drawn = [np.bincount(random.randint(n, size=n), minlength=n) for _ in block]
                block[:] = weights + (np.array(drawn) - 1.0) @ influences.T / n
        return resamples

    def permutation_test(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        n_permutations: int = 999,
        null: str = "column",
        random_state: int | np.random.RandomState | None = None,
    ) -> pd.DataFrame:
        """Whether each column weighs more than one that has no relation to the performance.

        X, y: as for `fit`, which need not come before and is not replaced.

        null="column", for each column on its own: it is unrelated to performance and to the other
        columns, and these may matter as they like. Its weight is computed with the neighbours that
        the other columns find, and compared with those of permuted copies of the column. The
        p-value is exact where its values were drawn independently of the other columns, as by
        random search; not where they followed from results, as in BOHB, or from other columns.
        null="target", for all columns together: none is related to performance, which is permuted.
        The weights are those of `fit`. Where one column matters, the p-values of the others are too
        large (see the head of this module). Of a single column this is the only null.

        Time is that of a search for each column, and grows with rows · permutations · neighbours.

        Returns one row per column of X, in its order, index `hyperparameter`: `weight`, what is
        compared, and `p_value`, the share that 1 + the permutations of at least this weight have in
        1 + n_permutations; one-sided, of each column by itself.
        Raises ValueError as `fit`, and for a wrong option.
        """
        check_count("n_permutations", n_permutations)
        if null not in _NULLS:
            raise ValueError(f"null={null!r} is not one of {_NULLS}")
        trials = self._read(X, y)
        random = check_random_state(random_state)
        with threadpool_limits(1, "blas"):  # more threads would add up in another order
            found = self._permuted(trials, n_permutations, null, random)
        # One that changes nothing is not less, whatever its rounding; nor is one without a weight.
        less = found[1:] < found[0] - _SINGLE
        return pd.DataFrame(
            {
                "weight": found[0],
                "p_value": (1 + np.count_nonzero(~less, axis=0)) / (1 + n_permutations),
            },
            index=pd.Index(_names(as_frame(X)), name="hyperparameter"),
        )

    def _permuted(
        self, trials: "_Trials", count: int, null: str, random: np.random.RandomState
    ) -> Floats:
        """(1 + count, K): the weights, and those of permutations."""
        if null == "target" or len(trials.columns) == 1:
            # From 0, as the columns: single precision has no digits to lose.
            target = trials.target - trials.target.min()
            weigh = partial(_permute_target, trials, self.target_scale)
            return _permute(target, count, random, weigh)
        of_columns = []
        for k, column in enumerate(trials.columns):
            weigh = partial(_permute_column, trials, self.target_scale, k)
            of_columns.append(_permute(column.scaled(), count, random, weigh))
        return np.hstack(of_columns)

    def _read(self, X: ArrayLike | pd.DataFrame, y: ArrayLike) -> "_Trials":
        self._check_options()
        frame = as_frame(X)
        target = read_target(y)
        check_consistent_length(frame, target)
        self._check_rows(len(frame))
        target_range = span_of(target, "y", "no column can explain it")
        if self.target_scale == "range":
            target = (target - target.min()) / target_range
        elif not _TARGET_RANGES[0] < target_range < _TARGET_RANGES[1]:
            what = "small" if target_range < 1 else "large"
            raise ValueError(
                f"y has a range of {target_range:.3g}, too {what} for Eq. 10: scale y, or "
                "target_scale='range'"
            )
        rows = np.arange(len(frame))
        if self.n_iterations is not None:
            random = check_random_state(self.random_state)
            rows = random.choice(len(frame), size=self.n_iterations, replace=False)
        columns = _read_columns(frame, self.categorical)
        if self.scale == "none":
            _check_raw(frame, columns)
        return _Trials(
            columns,
            target,
            rows,
            self.metric,
            self.scale,
            _rank_weights(self.n_neighbors, self.sigma, self.rank_base, self.weighting),
        )

    def _check_options(self) -> None:
        for option, allowed in _CHOICES.items():
            value = getattr(self, option)
            if isinstance(value, bool) or value not in allowed:
                raise ValueError(f"{option}={value!r} is not one of {allowed}")
        check_count("n_neighbors", self.n_neighbors)
        if self.n_iterations is not None:
            check_count("n_iterations", self.n_iterations)
        if not isinstance(self.sigma, Real) or not 0 < self.sigma < np.inf:
            raise ValueError(f"sigma={self.sigma!r} is not a number above 0")

    def _check_rows(self, n_rows: int) -> None:
        if n_rows <= self.n_neighbors:
            raise ValueError(
                f"X has {n_rows} sample(s), a minimum of {self.n_neighbors + 1} is required for "
                f"n_neighbors={self.n_neighbors}"
            )
        if self.n_iterations is not None and self.n_iterations > n_rows:
            raise ValueError(
                f"n_iterations={self.n_iterations} is more than the {n_rows} rows of X; rows are "
                "drawn without replacement, None uses every row"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def joint_importance(weights: pd.Series) -> pd.DataFrame:
    """Importance of every pair of hyperparameters (Wang et al. 2024, Eq. 11).

    weights: share of each hyperparameter, indexed by name, summing to 1.
    Returns one row per unordered pair, largest first, equal ones in the order of `weights`: columns
    `first`, `second` (in the order of `weights`) and `weight` in (0, 1].
    Raises ValueError where there are fewer than two shares, a name is there twice, a share is
    negative or missing, or the shares do not sum to 1 (within 1e-5, so that printed tables pass).
    """
    shares = weights.astype(float)
    if len(shares) < 2:
        raise ValueError(f"pairs need at least two hyperparameters, got {len(shares)}")
    if not shares.index.is_unique:
        raise ValueError(f"{shares.index[shares.index.duplicated()][0]!r} is there twice")
    wrong = ~(shares >= 0)
    if wrong.any():
        name = shares.index[wrong][0]
        raise ValueError(f"the share of {name!r} is {shares[name]}, not a number from 0 to 1")
    total = shares.sum()
    if abs(total - 1) > _SHARE_SUM:
        raise ValueError(f"the shares sum to {total:.6g}, not to 1")
    pairs = pd.DataFrame(combinations(shares.index, 2), columns=["first", "second"])
    exponents = np.array([a + b for a, b in combinations(shares, 2)]) - total
    pairs["weight"] = np.exp(exponents)
    return pairs.sort_values("weight", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True)
class _Column:
    """A column of X: numbers counted from the smallest, or codes 0, 1, ... of categories.

    values: (n,) in [0, range].
    """

    values: Floats
    range: float
    categorical: bool

    def in_order(self, order: Ints) -> "_Column":
        return _Column(self.values[order], self.range, self.categorical)

    def scaled(self) -> Floats:
        """(n,): numbers from 0 to 1, codes of categories as they are."""
        return self.values if self.categorical else self.values / self.range

    def coordinates(self, metric: str, scale: str) -> Floats:
        """(n, D): columns in which the distance of two rows is what this column adds to it."""
        if not self.categorical:
            return (self.scaled() if scale == "range" else self.values)[:, None]
        if self.range == 1:  # two categories: their codes are 0 or 1 apart already
            return self.values[:, None]
        # One-hot vectors of two categories differ in two places: 1 apart after scaling.
        one_hot = np.eye(int(self.range) + 1)[self.values.astype(np.intp)]
        return np.asarray(one_hot * (0.5 if metric == "manhattan" else np.sqrt(0.5)))

    def diff(self, rows: Ints, others: Ints) -> Floats:
        """diff(θ_mk, θ_jk) of Section 3.1: rows (m,), others (m, J), result (m, J) in [0, 1]."""
        differences = self.values[others]
        differences -= self.values[rows, None]
        np.abs(differences, out=differences)
        if self.categorical:
            return np.asarray(np.minimum(differences, 1.0, out=differences))
        differences /= self.range
        return differences


@dataclass(frozen=True)
class _Trials:
    """What X and y say, and how near rows are found.

    target: (n,). rows: (M,) those that are sampled. rank_weights: (J,), see `_rank_weights`.
    """

    columns: list[_Column]
    target: Floats
    rows: Ints
    metric: str
    scale: str
    rank_weights: Floats

    def search(self, without: int | None = None, in_cells: bool = True) -> "_Search":
        """The neighbours by all columns, or by all but one; searched in cells first, or not."""
        distant = [column for k, column in enumerate(self.columns) if k != without]
        coordinates = np.hstack([column.coordinates(self.metric, self.scale) for column in distant])
        order, cells = neighbours.layout(coordinates)
        coordinates, cells = coordinates[order], cells if in_cells else cells[:0]
        rows = np.sort(np.argsort(order)[self.rows])
        return _Search(
            [column.in_order(order) for column in self.columns],
            self.target[order],
            len(rows),
            self.rank_weights,
            neighbours.search(coordinates, cells, rows, self.metric, len(self.rank_weights)),
        )


@dataclass(frozen=True)
class _Search:
    """The columns and the target (n,) in an order of the search's own, and the neighbours of M rows
    by their numbers in that order, to be gone through once.

    rank_weights: (J,), as those of `_Trials`.
    """

    columns: list[_Column]
    target: Floats
    n_sampled: int
    rank_weights: Floats
    found: Iterator[neighbours.Found]

    def neighbours(self) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Rows (m,), their neighbours (m, k), and the influence of these (m, k): of those beyond
        the first J, only where they tie with the J-th."""
        for rows, others, first in self.found:
            by_rank = np.zeros(first.shape)
            by_rank[:, : len(self.rank_weights)] = self.rank_weights
            yield rows, others, _share_ties(by_rank, first)

    def p_differences(self, rows: Ints, others: Ints) -> Floats:
        """|Δp| of rows (m,) and their neighbours (m, k)."""
        return np.asarray(np.abs(self.target[others] - self.target[rows, None]))


def _names(frame: pd.DataFrame) -> list[str]:
    """Names of the columns; x0, x1, ... where there are none."""
    return [label if isinstance(label, str) else f"x{k}" for k, label in enumerate(frame)]


def _read_columns(frame: pd.DataFrame, categorical: Sequence[str | int] | None) -> list[_Column]:
    declared = positions("categorical", categorical, list(frame.columns))
    columns = []
    for position, (name, values) in enumerate(frame.items()):
        label = f"column {name!r} of X"
        if values.isna().any():
            raise ValueError(f"{label} contains NaN (missing values)")
        is_categorical = position in declared or is_text(values)
        if is_categorical:
            numbers = pd.factorize(values)[0].astype(np.float64)
        else:
            numbers = read_numbers(values, label)
        span = span_of(numbers, label, "leave it out")
        # From 0, so that dividing by the range costs no digits where the values are far from 0.
        columns.append(_Column(numbers - numbers.min(), span, is_categorical))
    return columns


def _check_raw(frame: pd.DataFrame, columns: Sequence[_Column]) -> None:
    """Raises ValueError where squares of raw differences overflow, or vanish."""
    for name, column in zip(frame, columns, strict=True):
        if not _RAW_RANGES[0] < column.range < _RAW_RANGES[1]:
            raise ValueError(
                f"column {name!r} of X has a range of {column.range:.3g}, which raw distances "
                "cannot take: scale it, or scale='range'"
            )


def _rank_weights(n_neighbors: int, sigma: float, rank_base: int, weighting: str) -> Floats:
    """(J,) influence of the j-th neighbour, summing to 1 (Section 3.1)."""
    if weighting == "uniform":
        return np.full(n_neighbors, 1.0 / n_neighbors)
    ranks = np.arange(rank_base, rank_base + n_neighbors, dtype=np.float64)
    # Relative to the first, so that a small sigma cannot make all of them 0.
    with np.errstate(over="ignore"):
        influence = np.exp((rank_base**2 - ranks**2) / sigma / sigma)
    return np.asarray(influence / influence.sum())


def _share_ties(values: Floats, first: NDArray[np.bool_]) -> Floats:
    """Values (m, k) of neighbours, those at the same distance sharing theirs equally.

    first: (m, k), whether a neighbour is further than the one before.
    """
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=first.size)
    means = np.add.reduceat(values.ravel(), starts) / counts
    return np.asarray(np.repeat(means, counts).reshape(values.shape))


def _means(
    search: _Search, visit: Callable[[Ints, Ints, Floats], None] | None = None
) -> tuple[float, Floats, Floats]:
    """Eqs. 12, 13 (K,) and 14 (K,). visit: called with every piece of the neighbours as well."""
    n_p, n_theta, n_both = 0.0, np.zeros(len(search.columns)), np.zeros(len(search.columns))
    for rows, others, influence in search.neighbours():
        p_influence = search.p_differences(rows, others) * influence
        n_p += float(p_influence.sum())
        for k, column in enumerate(search.columns):
            differences = column.diff(rows, others)
            n_theta[k] += np.einsum("mj,mj", influence, differences)
            n_both[k] += np.einsum("mj,mj", p_influence, differences)
        if visit is not None:
            visit(rows, others, influence)
    return n_p / search.n_sampled, n_theta / search.n_sampled, n_both / search.n_sampled


def _weights(n_p: float, n_theta: Floats, n_both: Floats, target_scale: str) -> Floats:
    """W of Eq. 10, (K,), from the means of Eqs. 12, 13 (K,) and 14 (K,)."""
    if n_p == 0:
        raise ValueError("y is the same for all neighbours, which leaves Eq. 10 undefined")
    if n_p > 1 - _NEAR_1:
        hint = (
            "use more neighbours" if target_scale == "range" else "scale y, or target_scale='range'"
        )
        raise ValueError(
            f"y of neighbours differs by {n_p:.3g} on average, and Eq. 10 needs less than 1: {hint}"
        )
    return _eq_10(n_p, n_theta, n_both)


def _eq_10(n_p: float | Floats, n_theta: Floats, n_both: Floats) -> Floats:
    """W. NaN or infinite, without a warning, where the performances of all neighbours are equal or
    1 apart."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(n_both / n_p - (n_theta - n_both) / (1 - n_p))


def _influences(search: _Search, n_p: float, n_theta: Floats, n_both: Floats) -> Floats:
    """(K, n): derivative of W, from `_means`, by the frequency of each row.

    The derivative of Eq. 10 by the three means makes a change of them a mean over pairs of a row
    and a neighbour. A row takes part as the one that is sampled, and as a neighbour by what it
    changes in the means of others, whose neighbours have influence 1 together with or without it.
    """
    by_p = -n_both / n_p**2 - (n_theta - n_both) / (1 - n_p) ** 2
    by_theta = -1 / (1 - n_p)
    by_both = 1 / n_p + 1 / (1 - n_p)
    means = by_p * n_p + by_theta * n_theta + by_both * n_both
    influences = np.zeros((len(search.columns), len(search.target)))
    for rows, others, influence in search.neighbours():
        p_differences = search.p_differences(rows, others)
        for k, column in enumerate(search.columns):
            pairs = column.diff(rows, others)
            pairs *= by_theta + by_both * p_differences
            pairs += by_p[k] * p_differences
            of_rows = np.einsum("mj,mj->m", influence, pairs)
            influences[k, rows] += of_rows - means[k]
            pairs -= of_rows[:, None]
            pairs *= influence
            np.add.at(influences[k], others.ravel(), pairs.ravel())
    return np.asarray(influences * (len(search.target) / search.n_sampled))


def _permute_target(trials: _Trials, target_scale: str, copies: Singles) -> Floats:
    """(1 + m, K): the weights, and those with copies (n, m) of the target in its place."""
    search = trials.search()
    sums = np.zeros((1 + len(search.columns), copies.shape[1]))

    def visit(rows: Ints, others: Ints, influence: Floats) -> None:
        diffs = [influence * column.diff(rows, others) for column in search.columns]
        sums[:] += _of_copies(copies, False, rows, others, np.stack([influence, *diffs]))

    means = _means(search, visit)
    sums /= search.n_sampled
    weights = _weights(*means, target_scale)
    return np.vstack([weights, _eq_10(sums[0][:, None], means[1], sums[1:].T)])


def _permute_column(trials: _Trials, target_scale: str, k: int, copies: Singles) -> Floats:
    """(1 + m, 1): the weight of column k by the neighbours that the others find, and those with
    copies (n, m) of the column in its place."""
    search = trials.search(without=k)
    column = search.columns[k]
    sums = np.zeros((2, copies.shape[1]))

    def visit(rows: Ints, others: Ints, influence: Floats) -> None:
        factors = np.stack([influence, influence * search.p_differences(rows, others)])
        sums[:] += _of_copies(copies, column.categorical, rows, others, factors)

    means = _means(replace(search, columns=[column]), visit)
    sums /= search.n_sampled
    weight = _weights(*means, target_scale)
    return np.concatenate([weight, _eq_10(means[0], sums[0], sums[1])])[:, None]


def _permute(
    values: Floats, count: int, random: np.random.RandomState, weigh: Callable[[Singles], Floats]
) -> Floats:
    """(1 + count, ...): `weigh` of permutations of values (n,), so many at once as memory allows.

    It returns the weight of the original first, and is called anew for every piece.
    """
    at_once = max(1, _COPIES // len(values))
    found: list[Floats] = []
    for start in range(0, count, at_once):
        copies = [random.permutation(values) for _ in range(start, min(start + at_once, count))]
        of_piece = weigh(np.column_stack(copies).astype(np.float32))
        found.append(of_piece[1:] if found else of_piece)
    return np.concatenate(found)


def _of_copies(
    copies: Singles, categorical: bool, rows: Ints, others: Ints, factors: Floats
) -> Floats:
    """Σ factor · difference over all pairs, for each factor and each copy, (F, m).

    copies: (n, m) numbers, or codes of categories. factors: (F, rows, neighbours).
    """
    factors = factors.astype(np.float32)
    total = np.zeros((len(factors), copies.shape[1]))
    step = max(1, _DIFFERENCES // (others.shape[1] * copies.shape[1]))
    for start in range(0, len(rows), step):
        piece = slice(start, start + step)
        differences = copies[others[piece]]
        differences -= copies[rows[piece], None]
        np.abs(differences, out=differences)
        if categorical:
            np.minimum(differences, 1.0, out=differences)
        total += np.tensordot(factors[:, piece], differences, 2)
    return total


@dataclass(frozen=True)
class Profile:
    """How the j-th nearest neighbours differ, the mean over all rows.

    p: (J,) of |Δp|. theta: (J, K) of diff in each column. both: (J, K) of their product. Neighbours
    at the same distance share the mean of theirs. target_range: of p.
    """

    p: Floats
    theta: Floats
    both: Floats
    target_range: float

    def weights(
        self,
        n_neighbors: int = 30,
        sigma: float = 20.0,
        rank_base: int = 1,
        target_scale: str = "none",
    ) -> Floats:
        """W of Eq. 10, (K,), what `NRReliefF` of these options finds.

        Raises ValueError for more neighbours than the profile has, for options that NRReliefF
        refuses, and where Eq. 10 is not defined.
        """
        if not 1 <= n_neighbors <= len(self.p):
            raise ValueError(f"n_neighbors={n_neighbors}: the profile has {len(self.p)} neighbours")
        options = NRReliefF(
            n_neighbors, sigma=sigma, rank_base=rank_base, target_scale=target_scale
        )
        options._check_options()
        influence = _rank_weights(n_neighbors, sigma, rank_base, "exp_rank")
        unit = self.target_range if target_scale == "range" else 1.0
        n_p = float(influence @ self.p[:n_neighbors]) / unit
        n_theta = influence @ self.theta[:n_neighbors]
        n_both = influence @ self.both[:n_neighbors] / unit
        return _weights(n_p, n_theta, n_both, target_scale)


def profile(
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    n_neighbors: int = 200,
    metric: str = "euclidean",
    scale: str = "range",
) -> Profile:
    """The profile of configurations X (n, K) and performances y (n,), up to `n_neighbors`.

    metric, scale: as those of `NRReliefF`. Raises ValueError as its `fit`.
    """
    trials = NRReliefF(n_neighbors, metric=metric, scale=scale)._read(X, y)
    search = trials.search(in_cells=False)  # few rows have so many neighbours in their own cell
    p = np.zeros(n_neighbors)
    theta, both = np.zeros((2, n_neighbors, len(search.columns)))
    for rows, others, first in search.found:
        p_differences = search.p_differences(rows, others)
        p += _by_rank(p_differences, first, n_neighbors)
        for k, column in enumerate(search.columns):
            differences = column.diff(rows, others)
            theta[:, k] += _by_rank(differences, first, n_neighbors)
            differences *= p_differences
            both[:, k] += _by_rank(differences, first, n_neighbors)
    n = len(search.target)
    return Profile(p / n, theta / n, both / n, float(np.ptp(search.target)))


def _by_rank(values: Floats, first: NDArray[np.bool_], n_neighbors: int) -> Floats:
    """(n_neighbors,): sums over the rows of values (m, k), the mean of each group of ties."""
    alone = first[:, : n_neighbors + 1].all(axis=1)
    total = values[alone, :n_neighbors].sum(axis=0)
    if not alone.all():
        tied = _share_ties(values[~alone], first[~alone])
        total += tied[:, :n_neighbors].sum(axis=0)
    return np.asarray(total)
