"""Hyperparameter importance by N-RReliefF (Wang et al. 2024, Algorithm 1, Eqs. 10 to 14).

It is RReliefF (Robnik-Šikonja and Kononenko 2003) on hyperparameters (Sun et al. 2019). Eq. 10 is
`hia.equations.eq_10`, of the sums of Eqs. 12 to 14 there; `hia.certainty` resamples and permutes.

What the paper leaves open is an option of `NRReliefF`, but for this: rows of the same configuration
are one, at their mean performance, since what seeds change no hyperparameter does; configurations
are sampled without replacement; neighbours at the same distance share the weights of their ranks,
the mean over all ways to break ties; and a weight below 0 has no share.
"""

from collections.abc import Sequence
from itertools import combinations
from numbers import Real
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from hia import certainty, equations
from hia.equations import Column, Trials, average_repeats
from hia.inputs import (
    Estimator,
    Floats,
    as_frame,
    check_count,
    is_text,
    positions,
    read_columns,
    read_numbers,
    read_target,
    span_of,
)

# Published shares are rounded: eleven of them to six digits add up to 1 within 5.5e-6.
_SHARE_SUM = 1e-5
# Ranges of a target taken as it is, between these: its products with what a neighbour counts have
# to be numbers of single precision.
_TARGET_RANGES = (1e-25, 1e30)
# Ranges of columns between which squares of raw differences neither overflow nor vanish.
_RAW_RANGES = (1e-100, 1e100)

_CHOICES = {
    "metric": ("euclidean", "manhattan"),
    "scale": ("range", "none"),
    "weighting": ("exp_rank", "uniform"),
    "target_scale": ("none", "range"),
    "rank_base": (0, 1),
}


class NRReliefF(Estimator):
    """Importance of each hyperparameter by N-RReliefF.

    Parameters
    ----------
    n_neighbors
        Number J of nearest neighbours of each sampled configuration.
    sigma
        Decay of a neighbour's influence with its rank, exp(-(rank / sigma)²). The paper does not
        give it; 20 is the default of RReliefF. Not used by weighting="uniform".
    n_iterations
        Number M of sampled configurations, drawn without replacement; None uses each once. The
        neighbours are always searched among all.
    metric
        "euclidean" (the paper) or "manhattan" (RReliefF).
    scale
        What the distance is computed on. "range": each number divided by its range. "none": the raw
        values, the paper's literal distance, in which columns of large units decide. Either way two
        categories are 0 (equal) or 1 apart, and Eqs. 13 and 14 divide by the range.
    rank_base
        Rank of the nearest neighbour, 1 (the paper) or 0 (other implementations).
    weighting
        "exp_rank" (the paper) or "uniform", the same influence for each of J neighbours.
    target_scale
        "none": `|Δp|` as it is (the paper); "range": divided by the range of p (RReliefF).
    categorical
        Names (of DataFrame columns) or positions of the categorical columns. DataFrame columns of
        dtype string or category, and object columns of strings, are categorical without being
        named. Never guessed from the number of distinct values.
    random_state
        Seed or generator of the sampled configurations; without effect if n_iterations is None.

    Attributes
    ----------
    weights_
        (K,) W of Eq. 10, in [-1, 1], in the order of the columns.
    mean_diffs_
        (K,) Eq. 13, the mean diff of neighbours in [0, 1]. Where it is 0, so is W.
    n_features_in_
        K, the number of columns.
    feature_names_in_
        (K,) names, where X was a DataFrame with string names.

    Notes
    -----
    One thread, no BLAS, memory proportional to the input. A configuration visits all those that tie
    with its J-th neighbour. A column of 3 to 32 categories is as many coordinates in the search;
    with one of more, all distances are computed.

    References
    ----------
    Wang et al. 2024, Section 3; Robnik-Šikonja and Kononenko 2003; Sun et al. 2019. Of `bootstrap`:
    Efron and Stein 1981, "The jackknife estimate of variance".
    """

    weights_: Floats
    mean_diffs_: Floats
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
        """Weigh the columns of X (n, K), configurations, by how they explain y, performance (n,).

        Raises ValueError as `read`, and where the mean `|Δp|` between neighbours is 0 or not below
        1, which leaves Eq. 10 undefined.
        """
        trials = self.read(X, y)
        validate_data(self, X, skip_check_array=True)
        means = trials.search().means()
        self.weights_ = equations.weights(*means)
        self.mean_diffs_ = means[1]
        return self

    @property
    def importances_(self) -> Floats:
        """Shares max(W, 0) / Σ max(W, 0), (K,). Raises ValueError where no weight is above 0."""
        check_is_fitted(self, "weights_")
        result = shares(self.weights_)
        if not result.any():
            raise ValueError("no weight is above 0, so there are no shares; see weights_")
        return result

    def joint_importances(self) -> pd.DataFrame:
        """Eq. 11 on the shares, see `joint_importance`; columns without names are x0, x1, ..."""
        return joint_importance(pd.Series(self.importances_, index=self._names()))

    def bootstrap(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        n_resamples: int = 1000,
        random_state: int | np.random.RandomState | None = None,
        progress: bool = False,
    ) -> Floats:
        """Weights as other configurations of the same kind would give them, (n_resamples, K).

        X, y: as for `fit`, which need not come before and is not replaced. Percentiles of a column
        are an interval for the W of so many; the same holds for shares and ranks made from
        each row of the result. The ranges of columns and target are taken as known. The spread errs
        on the large side, by up to about √2 for columns without influence, hardly for others.
        progress: tell on standard error how long it still takes.

        Raises ValueError as `fit`, and where n_resamples is not a whole number of at least 1.
        """
        check_count("n_resamples", n_resamples)
        random = check_random_state(random_state)
        return certainty.resample(self.read(X, y), n_resamples, random, progress)

    def permutation_test(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        n_permutations: int = 999,
        null: str = "column",
        random_state: int | np.random.RandomState | None = None,
        progress: bool = False,
    ) -> pd.DataFrame:
        """Whether each column weighs more than one that has no relation to the performance.

        X, y: as for `fit`, which need not come before and is not replaced. progress: tell on
        standard error how long it still takes.

        null="column", for each column on its own: it is unrelated to performance and to the other
        columns, and these may matter as they like. Its weight is computed with the neighbours that
        the other columns find, and compared with those of permuted copies of the column. The
        p-value is exact where its values were drawn independently of the other columns, as by
        random search; not where they followed from results, as in BOHB, or from other columns.
        null="target", for all columns together: none is related to performance, which is permuted.
        The weights are those of `fit`. Where one column matters, the p-values of the others are too
        large (see `hia.certainty`). Of a single column this is the only null.

        Time is that of a search for each column, and grows with rows · permutations · neighbours.

        Returns one row per column of X, in its order, index `hyperparameter`: `weight`, what is
        compared; `p_value`, the share that 1 + the permutations of at least this weight have in
        1 + n_permutations, one-sided, of each column by itself; and `p_adjusted`, by the largest of
        all columns in each permutation (Westfall and Young 1993), the weights in units of their
        spread: that any is at most .05 happens in 5% of the tables in which no column matters.
        Raises ValueError as `fit`, and for a wrong option.
        """
        check_count("n_permutations", n_permutations)
        if null not in ("column", "target"):
            raise ValueError(f"null={null!r} is not one of ('column', 'target')")
        random = check_random_state(random_state)
        weights = certainty.permute(self.read(X, y), n_permutations, null, random, progress)
        names = [n if isinstance(n, str) else f"x{k}" for k, n in enumerate(as_frame(X))]
        return pd.DataFrame(
            {
                "weight": weights[0],
                "p_value": certainty.p_values(weights),
                "p_adjusted": certainty.adjusted_p_values(weights),
            },
            index=pd.Index(names, name="hyperparameter"),
        )

    def read(self, X: ArrayLike | pd.DataFrame, y: ArrayLike) -> Trials:
        """Configurations X (n, K) and performance y (n,), checked and scaled by the options.

        Raises ValueError for a wrong option; a missing or infinite value, a column that is neither
        numeric nor categorical or has one value only; an unknown categorical column; y that is
        constant or of another length than X; ranges that raw distances or Eq. 10 cannot take, which
        scaling mends; and fewer than n_neighbors + 1 configurations.
        """
        self._check_options()
        frame, target = as_frame(X), read_target(y)
        check_consistent_length(frame, target)
        self._check_number(len(frame), "sample(s)")
        columns, target = average_repeats(self._read_columns(frame), target)
        n = len(target)
        self._check_number(n, f"different configuration(s) of {len(columns)} feature(s)")
        rows = np.arange(n)
        if self.n_iterations is not None:
            if self.n_iterations > n:
                raise ValueError(
                    f"n_iterations={self.n_iterations} is more than the {n} configurations of X, "
                    "which are drawn without replacement; None uses each once"
                )
            random = check_random_state(self.random_state)
            rows = random.choice(n, size=self.n_iterations, replace=False)
        target_range = span_of(target, "y", "no column can explain it")
        if self.target_scale == "range":
            target = (target - target.min()) / target_range
        elif not _TARGET_RANGES[0] < target_range < _TARGET_RANGES[1]:
            what = "small" if target_range < 1 else "large"
            raise ValueError(
                f"y has a range of {target_range:.3g}, too {what} for Eq. 10: scale y, or "
                "target_scale='range'"
            )
        influence = equations.rank_influence(
            self.n_neighbors, self.sigma, self.rank_base, self.weighting
        )
        return Trials(columns, target, rows, self.metric, self.scale, influence)

    def _read_columns(self, frame: pd.DataFrame) -> list[Column]:
        declared = positions("categorical", self.categorical, list(frame.columns))
        columns = []
        for position, (label, values) in enumerate(read_columns(frame)):
            is_categorical = position in declared or is_text(values)
            if is_categorical:
                numbers = pd.factorize(values)[0].astype(np.float64)
            else:
                numbers = read_numbers(values, label)
            span = span_of(numbers, label, "leave it out")
            if self.scale == "none" and not _RAW_RANGES[0] < span < _RAW_RANGES[1]:
                raise ValueError(
                    f"{label} has a range of {span:.3g}, which raw distances cannot take: scale "
                    "it, or scale='range'"
                )
            # From 0, so that dividing by the range costs no digits where values are far from 0.
            columns.append(Column(numbers - numbers.min(), span, is_categorical))
        return columns

    def _check_number(self, n: int, what: str) -> None:
        if n <= self.n_neighbors:
            raise ValueError(
                f"X has {n} {what}, a minimum of {self.n_neighbors + 1} is required for "
                f"n_neighbors={self.n_neighbors}"
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


def shares(weights: ArrayLike) -> Floats:
    """max(W, 0) / Σ max(W, 0) of weights (..., K), over the last axis; 0 where none is above 0."""
    positive = np.maximum(np.asarray(weights, dtype=np.float64), 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(positive, total, out=np.zeros_like(positive), where=total > 0))


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
