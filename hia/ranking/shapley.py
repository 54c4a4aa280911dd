"""Shapley importance: HyperSHAP's games (Wever et al. 2026) on a random forest, exactly.

A coalition takes its values from a configuration, other hyperparameters keep the default. It is
worth, by ablation, what the forest predicts for it above the default; by tunability, the maximum of
this over samples; by sensitivity, its variance over samples: as in `hypershap` 0.0.6, the authors'
package. Importances are Shapley values, of pairs Shapley interaction indices (Grabisch and Roubens
1999; "SII" and "k-SII" of order 2 in the package, whose default is another index). One walk down a
tree serves all 2^K coalitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import comb
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils import check_consistent_length

from hia.inputs import Floats, Ints, Singles, check_count, read_target, span_of
from hia.ranking.columns import read
from hia.space import Hyperparameter

GAMES = ("ablation", "tunability", "sensitivity")
MAX_HYPERPARAMETERS = 16
# Samples worked on at once, at most, and cells of the table of their values in all coalitions.
_SAMPLES = 1024
_CELLS = 1 << 24


class Explanation(NamedTuple):
    """What a game says, in units of y (sensitivity: squared).

    table: index `hyperparameter`, columns `value`, `low`, `high`. pairs: columns `first`, `second`,
    `value`, `low`, `high`, the largest sizes first. total: v of all hyperparameters, the sum of the
    table's values. default: the values used; typical: the names of those that are the trials' own.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    total: float
    default: dict[str, Any]
    typical: list[str]


def explain(
    game: str,
    X: pd.DataFrame,
    y: ArrayLike,
    hyperparameters: Sequence[Hyperparameter],
    default: Mapping[str, Any] | None = None,
    configuration: Mapping[str, Any] | None = None,
    *,
    maximize: bool = True,
    n_trees: int = 100,
    n_samples: int = 1000,
    n_bootstrap: int = 100,
    level: float = 0.95,
    random_state: int = 0,
) -> Explanation:
    """Play a game, one of `GAMES`, on a forest of full trees fitted to trials.

    X: one row per trial, no value missing. y: (n,). default: values by name; without one it is the
    hyperparameter's own (Table 1's) where it can have that value, else the lower median or the most
    frequent category of X. configuration: for ablation, all values by name. maximize: whether large
    y are good; if not, gains are decreases. n_samples: random configurations, uniform over the
    space, with the categories that occur in X or are given. n_bootstrap: resamples of the trees (0:
    none) for intervals of this level around the value, which tell the forest's randomness alone.

    Raises ValueError for a wrong option, a column or value that is missing, a value that its
    hyperparameter cannot have, constant y, and more than 16 hyperparameters.
    """
    if (game == "ablation") != (configuration is not None):
        raise ValueError("ablation needs a configuration, and no other game takes one")
    check_count("n_trees", n_trees)
    check_count("n_samples", n_samples)
    table, target = _read_all(X, hyperparameters), read_target(y)
    check_consistent_length(table, target)
    unit = span_of(target, "y", "nothing can explain it")  # forests take tiny variances for 0
    target = (1.0 if maximize else -1.0) * (target - target.min()) / unit
    given, goal = default or {}, configuration or {}
    columns: list[Hyperparameter] = []
    usual: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for column in hyperparameters:
        name, its_own = column.name, column.default
        also = [values[name] for values in (given, goal) if name in values]
        column, usual[name] = _prepare(column, table[name], target, also)
        columns.append(column)
        if its_own is not None and column.allows(pd.Series([its_own])).all():
            own[name] = its_own
    names = list(usual)
    if unknown := sorted({*given, *goal} - {*names}):
        raise ValueError(f"{unknown[0]!r} is none of the hyperparameters {', '.join(names)}")
    start_at = {**usual, **own, **given}
    rng = np.random.default_rng(random_state)
    if configuration is None:
        draws = {column.name: [column.sample(rng) for _ in range(n_samples)] for column in columns}
        samples = pd.DataFrame(draws)
    else:
        samples = _read_all(pd.DataFrame([configuration]), columns)
    codes = _codes(table, columns)
    rows = np.lexsort([target, *codes.T])  # no result depends on the order of the rows
    forest = RandomForestRegressor(n_trees, random_state=random_state)
    forest.fit(codes[rows], target[rows])
    resamples = rng.multinomial(n_trees, np.full(n_trees, 1 / n_trees), n_bootstrap)
    weights = np.vstack([np.ones(n_trees), resamples]) / n_trees
    start = _codes(_read_all(pd.DataFrame([start_at]), columns), columns)[0]
    values = game_values(game, forest, _codes(samples, columns), start, weights)
    values *= unit**2 if game == "sensitivity" else unit
    singles = _with_limits(shapley(values, 1), level)
    pairs = pd.DataFrame(list(combinations(names, 2)), columns=["first", "second"])
    pairs = pairs.join(_with_limits(shapley(values, 2), level))
    return Explanation(
        singles.set_axis(pd.Index(names, name="hyperparameter")),
        pairs.sort_values("value", key=abs, ascending=False, kind="stable", ignore_index=True),
        float(values[0, -1]),
        start_at,
        [name for name in names if name not in own and name not in given],
    )


def _read_all(table: pd.DataFrame, columns: Sequence[Hyperparameter]) -> pd.DataFrame:
    values = read(table, columns)
    if values.isna().any(axis=None):
        raise ValueError(f"column {values.columns[values.isna().any()][0]!r} has missing values")
    return values


def _prepare(
    column: Hyperparameter, values: pd.Series, target: Floats, also: Sequence[Any]
) -> tuple[Hyperparameter, Any]:
    """As it is drawn and coded: categories that occur, or are given `also`, by their mean target,
    and integers on a logarithm as fractions, both as in `hia.ranking.fanova`. And what is usual."""
    if column.kind != "categorical":
        column = replace(column, kind="float") if column.log else column
        return column, values.quantile(interpolation="lower")
    by_choice = pd.Series(target).groupby(values.to_numpy())
    counts, means = by_choice.size().to_dict(), by_choice.mean().to_dict()
    unseen = {choice for choice in also if choice in (column.choices or ())} - {*means}
    means |= dict.fromkeys(unseen, float(target.mean()))
    order = sorted(means, key=lambda choice: (means[choice], str(choice)))
    usual = max(counts, key=lambda choice: (counts[choice], str(choice)))
    return replace(column, choices=tuple(order)), usual


def _codes(table: pd.DataFrame, columns: Sequence[Hyperparameter]) -> Floats:
    """(n, K): positions of categories, and numbers or their logarithms in [0, 1]."""
    codes = []
    for column in columns:
        values = table[column.name]
        if column.kind == "categorical":
            places = {choice: place for place, choice in enumerate(column.choices or ())}
            codes.append(values.map(places).to_numpy())
        else:
            numbers = np.array([*column.bounds, *values])
            low, high, *rest = np.log(numbers) if column.log else numbers
            codes.append((np.array(rest) - low) / (high - low or 1.0))
    return np.column_stack(codes).astype(np.float64)


def _with_limits(effects: Floats, level: float) -> pd.DataFrame:
    """effects: (1 + resamples, m), the first of all trees. The limits are percentiles, moved so
    that the median of the resamples is the value: a maximum or a variance is larger in them."""
    value, resamples = effects[0], effects[1:]
    low = high = np.full(len(value), np.nan)
    if len(resamples):
        limits = [(1 - level) / 2, 0.5, (1 + level) / 2]
        lower, middle, upper = np.quantile(resamples, limits, axis=0)
        low, high = value + lower - middle, value + upper - middle
    return pd.DataFrame({"value": value, "low": low, "high": high})


def game_values(
    game: str,
    forest: RandomForestRegressor,
    samples: Floats,
    default: Floats,
    weights: Floats | None = None,
) -> Floats:
    """v(S) for all S, (R, 2^K); bit k of the index tells whether column k is in S.

    game: one of `GAMES`; ablation has one sample. forest: fitted to K columns. samples: (n, K).
    default: (K,). weights: (R, T), of the T trees in R forests; without them R is 1, and all trees
    are equal. Raises ValueError for another game, and for more than 16 columns.
    """
    if game not in GAMES:
        raise ValueError(f"there is no game {game!r}; there are {', '.join(GAMES)}")
    n, width = samples.shape
    if width > MAX_HYPERPARAMETERS:
        raise ValueError(
            f"{width} hyperparameters have 2^{width} coalitions: name {MAX_HYPERPARAMETERS} at most"
        )
    trees = [estimator.tree_ for estimator in forest.estimators_]
    if weights is None:
        weights = np.full((1, len(trees)), 1 / len(trees))
    singles, start = samples.astype(np.float32), default.astype(np.float32)  # as trees see them
    highest = np.full((len(weights), 1 << width), -np.inf)
    sums, squares = np.zeros_like(highest), np.zeros_like(highest)
    step = min(_SAMPLES, _CELLS >> width)
    for piece in np.split(singles, range(step, n, step)):
        terms = [_list_terms(tree, piece, start) for tree in trees]
        cells, parts = (np.concatenate(arrays) for arrays in zip(*terms, strict=True))
        owners = np.repeat(np.arange(len(trees)), [len(cells) for cells, _ in terms])
        for r, row in enumerate(weights):
            # At S, all terms of the first half that are at subsets of S, and all of the second that
            # are at subsets of the complement of S.
            table = np.bincount(cells, parts * row[owners], (2 << width) * len(piece))
            for k in range(width):
                halves = table.reshape(-1, 2, len(piece) << k)
                halves[:, 1] += halves[:, 0]
            table = table.reshape(2, 1 << width, len(piece))
            gains = table[0] + table[1, ::-1]
            gains -= gains[0]
            highest[r] = np.maximum(highest[r], gains.max(axis=1))
            sums[r] += gains.sum(axis=1)
            squares[r] += np.einsum("ij,ij->i", gains, gains)
    return squares / n - (sums / n) ** 2 if game == "sensitivity" else highest


def _list_terms(tree: Any, samples: Singles, default: Singles) -> tuple[Ints, Floats]:
    """What sums up to one tree's values: cells (m,) of a table (2, 2^K, n), flat, and what is added
    to each."""
    n, width = samples.shape
    leaf = tree.children_left < 0
    feature, threshold = np.maximum(tree.feature, 0), tree.threshold
    left = default[feature] <= threshold  # the default's side
    near = np.where(left, tree.children_left, tree.children_right)
    far = np.where(left, tree.children_right, tree.children_left)
    bit = (1 << feature).astype(np.int32)
    required = np.zeros(len(leaf), dtype=np.int32)  # of the sample: the default is outside the box
    nodes = np.zeros(1, dtype=np.intp)
    while len(nodes := nodes[~leaf[nodes]]):
        required[near[nodes]] = required[nodes]
        required[far[nodes]] = required[nodes] | bit[nodes]
        nodes = np.concatenate([near[nodes], far[nodes]])
    decided = (required & bit) > 0
    bit[decided] = 0
    follow = np.concatenate([np.where(decided, far, near), near])  # by whether both agree

    # Ways of the samples down the tree; `barred`: what has to come from the default on them.
    numbers, nodes, place = samples.ravel(), np.zeros(n, dtype=np.intp), np.arange(n) * width
    barred = np.zeros(n, dtype=np.int32)
    ends = []
    while len(nodes):
        end = leaf[nodes]
        ends.append((nodes[end], place[end], barred[end]))
        nodes, place, barred = nodes[~end], place[~end], barred[~end]
        agree = (numbers[place + feature[nodes]] <= threshold[nodes]) == left[nodes]
        parting = np.where(agree, 0, bit[nodes])
        new = np.flatnonzero(parting & ~barred)  # a way on, with the sample
        nodes, place, barred = (
            np.concatenate([follow[nodes + len(leaf) * agree], far[nodes[new]]]),
            np.concatenate([place, place[new]]),
            np.concatenate([barred | parting, barred[new]]),
        )
    nodes, place, barred = (np.concatenate(arrays) for arrays in zip(*ends, strict=True))

    # A leaf counts for the S that contain `required` and nothing of `barred`: one of the two is
    # the cell, and inclusion and exclusion goes through the subsets of the other, smaller one.
    inside = required[nodes]
    upper = np.bitwise_count(inside) < np.bitwise_count(barred)
    other = np.where(upper, inside, barred)
    order = np.argsort(np.bitwise_count(other), kind="stable")[::-1]
    other, values = other[order], tree.value[nodes[order], 0, 0]
    base = np.where(upper, barred | 1 << width, inside)[order].astype(np.int64) * n
    base += place[order] // width
    n_subsets = 1 << np.bitwise_count(other).astype(np.intp)  # descending
    signs = 1.0 - 2.0 * (np.bitwise_count(np.arange(1 << width)) % 2)
    cells, parts, subset = [], [], other
    for done in range(n_subsets[0]):
        count = np.searchsorted(-n_subsets, -done)
        subset, other = subset[:count], other[:count]
        cells.append(base[:count] + subset.astype(np.int64) * n)
        parts.append(values[:count] * signs[subset])
        subset = (subset - 1) & other
    return np.concatenate(cells), np.concatenate(parts)


def shapley(values: Floats, order: int) -> Floats:
    """Of games (..., 2^K): how v changes as so many players join, averaged over all orders of the
    others. Order 1: Shapley values (..., K), in the order of the bits of the index. Order 2:
    Shapley interaction indices of the pairs (..., K (K - 1) / 2), in `combinations`' order."""
    coalitions = np.arange(values.shape[-1])
    width = len(coalitions).bit_length() - 1
    rest = width - order
    averages = []
    for players in combinations([1 << k for k in range(width)], order):
        before = coalitions[coalitions & sum(players) == 0]
        changes = np.zeros((*values.shape[:-1], len(before)))
        for size in range(order + 1):
            for joined in combinations(players, size):
                changes += (-1) ** (order - size) * values[..., before | sum(joined)]
        averages.append(changes @ (1 / ((rest + 1) * comb(rest, np.bitwise_count(before)))))
    return np.stack(averages, axis=-1) if averages else np.zeros((*values.shape[:-1], 0))
