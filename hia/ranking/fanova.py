"""Hyperparameter importance by functional ANOVA (Hutter, Hoos and Leyton-Brown 2014).

A tree of a random forest of the performances is constant on boxes, so its variance splits exactly
into parts of single hyperparameters, pairs and so on. Importance is a part's share, averaged over
the trees that are not constant (Algorithm 2). Prefix sums give marginals whole, not at mid-points.
Numbers are uniform over an interval, on the logarithm where the space says so, categories over
their values; a missing value is an error. Trees cut categories in the order of their mean
performance, where the best division of all rows is a cut (Fisher 1958; Breiman et al. 1984): the
authors' trees choose subsets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from hia.inputs import (
    Estimator,
    Floats,
    Ints,
    Singles,
    as_frame,
    check_count,
    is_text,
    one_thread,
    position,
    read_columns,
    read_numbers,
    read_target,
    span_of,
)
from hia.space import Hyperparameter

Name = str | int

# Cells of a pair's grid worked on at once, so that they stay in cache.
_CELLS = 1 << 16
# Leaves whose values differ by less are rounding: performance has range 1 in the forest.
_FLAT = 1e-12
# Whole numbers in wider ranges are as good as fractions.
_WIDE = 1000
# Points of a marginal curve over an interval.
_POINTS = 101


class FAnova(Estimator):
    """Importance of each hyperparameter by functional ANOVA of a random forest.

    Parameters
    ----------
    n_trees
        Number of trees, each grown on a bootstrap sample of the rows.
    min_samples_leaf
        The fewest rows of a leaf; 1 grows full trees.
    space
        What the columns are, by name or position, such as `hia.space.SPACE`. Integers have levels,
        but on a logarithm or in a range of more than 1,000. Columns that it does not have are
        numbers between the smallest and the largest, or categories where their dtype is string or
        category, or they are objects that are strings; what X does not have is passed over.
    random_state
        Seed or generator of the forest.

    Attributes
    ----------
    importances_
        (K,) share of the variance that each column explains alone, mean over the trees. In [0, 1]
        and summing to at most 1: the rest belongs to interactions.
    tree_importances_
        (n_trees, K) the same of each tree; NaN for constant trees.
    n_features_in_
        K, the number of columns.
    feature_names_in_
        (K,) names, where X was a DataFrame with string names.

    Notes
    -----
    Noise in y is variance as well, and full trees repeat it as interactions of many columns: all
    shares shrink by a similar factor, which a larger min_samples_leaf gives back. The order of the
    rows does not matter; that of the columns, like another seed, gives another forest. One thread.
    With L leaves in a tree, single effects take O(K L), all pairs up to about L² / 2 cells.

    References
    ----------
    Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for assessing hyperparameter
    importance", Algorithms 1 and 2.
    """

    importances_: Floats
    tree_importances_: Floats
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init__(
        self,
        n_trees: int = 16,
        min_samples_leaf: int = 1,
        space: Mapping[Any, Hyperparameter] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_trees = n_trees
        self.min_samples_leaf = min_samples_leaf
        self.space = space
        self.random_state = random_state

    def fit(self, X: ArrayLike | pd.DataFrame, y: ArrayLike) -> Self:
        """Share out the variance of y, performance (n,), among the columns of X (n, K).

        Raises ValueError for a wrong option; a missing or infinite value, or one outside the space;
        a column that is neither numeric nor categorical, or has one value only (unless the space
        has more); y that is constant or of another length than X; and constant trees only.
        """
        check_count("n_trees", self.n_trees)
        check_count("min_samples_leaf", self.min_samples_leaf)
        frame = as_frame(X)
        validate_data(self, X, skip_check_array=True)
        target = read_target(y)
        check_consistent_length(frame, target)
        if len(frame) < 2:
            raise ValueError(f"X has {len(frame)} sample(s), a minimum of 2 is required")
        # Around 0 and of range 1: a forest takes variances below 2e-16 for 0, and a mean far from 0
        # costs digits.
        self._spread = span_of(target, "y", "no column can explain it")
        self._middle = target.min() + self._spread / 2
        target = (target - self._middle) / self._spread
        space = self.space or {}
        columns = list(read_columns(frame))
        self._scales = [
            _read_scale(label, values, space.get(values.name, space.get(k)), target)
            for k, (label, values) in enumerate(columns)
        ]
        codes = np.column_stack([self._scales[k].codes(c) for k, (_, c) in enumerate(columns)])
        order = np.lexsort([target, *codes.T])
        forest = RandomForestRegressor(
            self.n_trees, min_samples_leaf=self.min_samples_leaf, random_state=self.random_state
        )
        self._forest = forest.fit(codes[order], target[order])
        self.tree_importances_ = np.full((self.n_trees, self.n_features_in_), np.nan)
        self._curves: list[list[tuple[Floats, Floats]]] = []
        with one_thread():
            for number, tree in enumerate(self._trees()):
                cuts, effects = tree.cuts, tree.effects
                self._curves.append([(c, tree.mean + effects[k]) for k, c in enumerate(cuts)])
                if tree.variance > 0:
                    parts = np.array([effects[k] ** 2 @ np.diff(c) for k, c in enumerate(cuts)])
                    shares = np.minimum(parts / tree.variance, 1.0)  # above 1 is rounding
                    self.tree_importances_[number] = shares
        if np.isnan(self.tree_importances_).all():
            raise ValueError(
                "every tree is constant: the rows are too few for "
                f"min_samples_leaf={self.min_samples_leaf}, or no column tells values of y apart"
            )
        self.importances_ = np.nanmean(self.tree_importances_, axis=0)
        return self

    def pair_importances(self) -> pd.DataFrame:
        """Share of the variance that each pair explains by interaction, beyond its two columns.

        Returns one row per unordered pair, largest first, equal ones in the order of the columns:
        columns `first`, `second` (in the order of the columns) and `weight` in [0, 1], the mean
        over the trees. With `importances_` they sum to at most 1. Names by default: x0, x1, ...
        """
        check_is_fitted(self, "importances_")
        pairs = list(combinations(range(self.n_features_in_), 2))
        with one_thread():
            shares = [
                [tree.interaction(a, b) / tree.variance for a, b in pairs]
                for tree in self._trees()
                if tree.variance > 0
            ]
        table = pd.DataFrame(combinations(self._names(), 2), columns=["first", "second"])
        table["weight"] = np.minimum(np.mean(shares, axis=0), 1.0)  # above 1 is rounding
        return table.sort_values("weight", ascending=False, kind="stable", ignore_index=True)

    def marginal(self, column: Name, values: ArrayLike | None = None) -> pd.DataFrame:
        """Mean performance over all other columns, at values of one column.

        column: name or position. values: (m,), such as `fit` would take; by default 101 points from
        bound to bound, even on the column's scale, or all of its levels, or all of its categories
        from the lowest mean performance in the data to the highest.

        Returns m rows with the columns `value`, `mean` and `std`, over the trees and in units of y.
        Raises ValueError where X had no such column, or it cannot have such a value.
        """
        check_is_fitted(self, "importances_")
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        place = position("column", column, list(names))
        scale = self._scales[place]
        points = pd.Series(scale.grid() if values is None else np.asarray(values)).infer_objects()
        shares = scale.at(scale.codes(points))
        of_trees = [tree[place] for tree in self._curves]
        curves = [means[np.searchsorted(cuts[1:-1], shares)] for cuts, means in of_trees]
        mean, std = np.mean(curves, axis=0), np.std(curves, axis=0)
        return pd.DataFrame(
            {"value": points, "mean": self._middle + self._spread * mean, "std": self._spread * std}
        )

    def _trees(self) -> Iterator["_Tree"]:
        for estimator in self._forest.estimators_:
            yield _read_tree(estimator.tree_, self._scales)


@dataclass(frozen=True)
class _Scale:
    """The measure of a column: uniform over levels or categories, whose codes are 0, 1, ...; or
    from `low` to `high`, on the logarithm where `log`, with codes in [0, 1]."""

    label: str
    levels: pd.Index | None
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def codes(self, values: pd.Series) -> Singles:
        """(n,): what the forest gets for values (n,), in the digits that it keeps."""
        if self.levels is None:
            numbers = read_numbers(values, self.label)
            outside = ~((self.low <= numbers) & (numbers <= self.high))
            if outside.any():
                raise ValueError(
                    f"{self.label} has {numbers[outside][0]:g}, "
                    f"which is outside its bounds {self.low:g} and {self.high:g}"
                )
            low, high, numbers = (self._scaled(x) for x in (self.low, self.high, numbers))
            shares = np.clip((numbers - low) / (high - low), 0.0, 1.0)
            return np.asarray(shares.astype(np.float32))
        if self.levels.dtype == object:
            wanted = pd.Index(values, dtype=object)
        else:
            wanted = pd.Index(read_numbers(values, self.label))
        codes = self.levels.get_indexer(wanted)
        if (codes < 0).any():
            allowed = [str(level) for level in self.levels]
            if len(allowed) > 8:
                allowed[4:-2] = ["..."]
            raise ValueError(
                f"{self.label} has {wanted[codes < 0][0]}, which is none of {', '.join(allowed)}"
            )
        return codes.astype(np.float32)

    def below(self, thresholds: Floats) -> Floats:
        """(m,): share of the measure that has codes up to the thresholds (m,)."""
        return thresholds if self.levels is None else (np.floor(thresholds) + 1) / len(self.levels)

    def at(self, codes: Singles) -> Floats:
        """(n,) in [0, 1]: a place after all cuts below the codes (n,), before those above."""
        places = codes.astype(float)
        return places if self.levels is None else np.asarray((places + 0.5) / len(self.levels))

    def grid(self) -> Floats | pd.Index:
        """Values for a curve."""
        if self.levels is not None:
            return self.levels
        points = np.linspace(self._scaled(self.low), self._scaled(self.high), _POINTS)
        return np.clip(np.exp(points) if self.log else points, self.low, self.high)

    def _scaled(self, x: Any) -> Any:
        return np.log(x) if self.log else x


def _read_scale(
    label: str, values: pd.Series, column: Hyperparameter | None, target: Floats
) -> _Scale:
    """The scale of a column (n,) by its description, or without one by its values."""
    if is_text(values) if column is None else column.kind == "categorical":
        return _Scale(label, _order_categories(label, values, target))
    if column is None:
        numbers = read_numbers(values, label)
        span_of(numbers, label, "leave it out, or declare its bounds in space")
        return _Scale(label, None, float(numbers.min()), float(numbers.max()))
    low, high = column.bounds
    if column.choices is not None:
        return _Scale(label, pd.Index(column.choices, dtype=float))
    if column.kind == "integer" and not column.log and high - low <= _WIDE:
        return _Scale(label, pd.Index(np.arange(low, high + 1)))
    if low == high:
        raise ValueError(f"{label} goes from {low:g} to {high:g} in the space: leave it out")
    return _Scale(label, None, low, high, column.log)


def _order_categories(label: str, values: pd.Series, target: Floats) -> pd.Index:
    """The categories of a column (n,) by the mean of the target (n,)."""
    codes, categories = pd.factorize(values.astype(object))
    if len(categories) < 2:
        raise ValueError(f"{label} has one value only: leave it out")
    order = np.argsort(target)  # makes the sums independent of the order of the rows
    means = np.bincount(codes[order], target[order]) / np.bincount(codes)
    ascending = sorted(range(len(categories)), key=lambda c: (means[c], str(categories[c])))
    return categories[ascending]


@dataclass(frozen=True)
class _Tree:
    """A tree of L leaves as a function of K columns, constant on boxes.

    cuts: by column the shares of the measure at its cuts, from 0 to 1, ascending; cells lie between
    them. starts, ends: (K, L) indices into the cuts, where the boxes start and end. sides: (K, L)
    their lengths. parts: (L,) volume times the deviation of the leaf's value from the mean.
    mean, variance: over the whole space.
    """

    cuts: list[Floats]
    starts: Ints
    ends: Ints
    sides: Floats
    parts: Floats
    mean: float
    variance: float

    @cached_property
    def effects(self) -> list[Floats]:
        """By column, (cells,): the mean over all other columns, as deviation from the tree's."""
        effects = []
        for k, cuts in enumerate(self.cuts):
            # A leaf counts for its volume elsewhere, from where its box starts to where it ends.
            steps = self.parts / self.sides[k]
            changes = np.bincount(self.starts[k], steps, len(cuts))
            changes -= np.bincount(self.ends[k], steps, len(cuts))
            effect = np.cumsum(changes[:-1])
            effects.append(effect - effect @ np.diff(cuts))  # what is not 0 on average is rounding
        return effects

    @cached_property
    def edges(self) -> list[tuple[Ints, Ints, Floats]]:
        """By column, the edges of the boxes inside the space, ascending, and its lower bound.

        Three arrays of the same length: index into the cuts, leaf, 1 for a start or -1 for an end.
        """
        edges = []
        for k, starts in enumerate(self.starts):
            ends = self.ends[k]
            cuts = np.concatenate([starts, ends])
            order = np.argsort(cuts)[: np.count_nonzero(cuts < ends.max())]
            signs = np.where(order < len(starts), 1.0, -1.0)
            edges.append((cuts[order], order % len(starts), signs))
        return edges

    def interaction(self, a: int, b: int) -> float:
        """Variance of the mean over all columns but two, without the effects of these two.

        That mean is summed up from its steps on the grid of the two columns' cuts, some rows at
        once. The grid has a column more than cells, for boxes that end where the space ends.
        """
        a, b = sorted((a, b), key=lambda k: len(self.cuts[k]))
        row_sides, column_sides = np.diff(self.cuts[a]), np.diff(self.cuts[b])
        n_rows, width = len(row_sides), len(self.cuts[b])
        if n_rows == 1:
            return 0.0
        cuts, leaves, signs = self.edges[a]
        steps = signs * (self.parts / (self.sides[a] * self.sides[b]))[leaves]
        firsts = cuts * width + self.starts[b][leaves]
        lasts = cuts * width + self.ends[b][leaves]
        # The effects are taken off in the first row and column, as steps: what is squared is the
        # interaction itself, and no small difference of large variances is left to rounding.
        row_steps = np.diff(self.effects[a], prepend=0.0)
        row = -np.diff(self.effects[b], prepend=0.0, append=0.0)
        variance = 0.0
        rows_at_once = max(1, _CELLS // width)
        for start in range(0, n_rows, rows_at_once):
            stop = min(start + rows_at_once, n_rows)
            piece = slice(*np.searchsorted(cuts, (start, stop)))
            cells = np.concatenate([firsts[piece], lasts[piece]]) - start * width
            weights = np.concatenate([steps[piece], -steps[piece]])
            sums = np.bincount(cells, weights, (stop - start) * width).astype(float)
            strip = sums.reshape(-1, width)
            strip[0] += row
            strip[:, 0] -= row_steps[start:stop]
            for above, below in pairwise(strip):  # long rows: a tenth of the time of np.cumsum
                below += above
            row = strip[-1].copy()
            values = np.cumsum(strip[:, :-1], axis=1)
            variance += float(row_sides[start:stop] @ (values**2 @ column_sides))
        return variance


def _read_tree(tree: Any, scales: Sequence[_Scale]) -> _Tree:
    """A tree of scikit-learn, grown on the codes of the columns, over the whole space."""
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    cuts = []
    cut = np.zeros_like(feature)
    for k, scale in enumerate(scales):
        nodes = np.flatnonzero(feature == k)
        shares, which = np.unique(scale.below(tree.threshold[nodes]), return_inverse=True)
        cuts.append(np.concatenate([[0.0], shares, [1.0]]))
        cut[nodes] = which + 1
    starts = np.zeros((tree.node_count, len(scales)), dtype=np.intp)
    ends = np.empty_like(starts)
    ends[0] = [len(shares) - 1 for shares in cuts]
    nodes = np.array([0])  # of one depth
    while len(nodes := nodes[left[nodes] != -1]):
        for children, side in ((left[nodes], ends), (right[nodes], starts)):
            starts[children], ends[children] = starts[nodes], ends[nodes]
            side[children, feature[nodes]] = cut[nodes]
        nodes = np.concatenate([left[nodes], right[nodes]])

    leaves = np.flatnonzero(left == -1)
    starts, ends = starts[leaves].T.copy(), ends[leaves].T.copy()
    sides = np.array([c[ends[k]] - c[starts[k]] for k, c in enumerate(cuts)])
    values, volumes = tree.value[leaves, 0, 0], sides.prod(axis=0)
    mean = float(values @ volumes)
    parts = (values - mean) * volumes
    variance = float(parts @ (values - mean)) if np.ptp(values) > _FLAT else 0.0
    return _Tree(cuts, starts, ends, sides, parts, mean, variance)
