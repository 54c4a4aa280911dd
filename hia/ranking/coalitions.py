"""Games of coalitions on a random forest, for all coalitions at once, and their Shapley values.

A coalition S of columns takes its values from a sample; the other columns keep a default. One by
one, all S take 2^K predictions. Here a single walk down a tree serves them all: where sample and
default part, both ways are followed, and a leaf counts for the S that contain all that has to come
from the sample and nothing that has to come from the default. `hia.ranking.shapley` has the games'
meaning and source.
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb
from sklearn.ensemble import RandomForestRegressor

from hia.inputs import Floats

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

GAMES = ("ablation", "tunability", "sensitivity")
MAX_HYPERPARAMETERS = 16
# Samples worked on at once, at most, and cells of the table of their values in all coalitions.
_SAMPLES = 1024
_CELLS = 1 << 24


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
            gains = _sum_up(cells, parts * row[owners], width, len(piece))
            gains -= gains[0]
            highest[r] = np.maximum(highest[r], gains.max(axis=1))
            sums[r] += gains.sum(axis=1)
            squares[r] += np.einsum("ij,ij->i", gains, gains)
    return squares / n - (sums / n) ** 2 if game == "sensitivity" else highest


def _list_terms(tree: Any, samples: Singles, default: Singles) -> tuple[Ints, Floats]:
    """What `_sum_up` sums up to one tree's values: cells (m,) of a table (2, 2^K, n), flat, and
    what is added to each."""
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


def _sum_up(cells: Ints, parts: Floats, width: int, n: int) -> Floats:
    """(2^K, n): at S the sum of all terms of the first half that are at subsets of S, and of all
    terms of the second that are at subsets of the complement of S."""
    table = np.bincount(cells, parts, (2 << width) * n)
    for k in range(width):
        halves = table.reshape(-1, 2, n << k)
        halves[:, 1] += halves[:, 0]
    table = table.reshape(2, 1 << width, n)
    return np.asarray(table[0] + table[1, ::-1])


def shapley_values(values: Floats) -> Floats:
    """(..., K): Shapley values of games (..., 2^K), in the order of the bits of the index."""
    return _average_changes(values, 1)


def shapley_interactions(values: Floats) -> Floats:
    """(..., K (K - 1) / 2): Shapley interaction indices of the pairs, in `combinations`' order."""
    return _average_changes(values, 2)


def _average_changes(values: Floats, order: int) -> Floats:
    """By so many players: how v changes as they join, averaged over all orders of the others."""
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
