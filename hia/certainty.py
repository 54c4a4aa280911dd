"""How sure the weights of N-RReliefF are: `NRReliefF.bootstrap` and `NRReliefF.permutation_test`.

The paper does not ask. A resample keeps the neighbours, and counts rows as often as they are drawn:
copies of a row would be neighbours at distance 0, which lifts all weights. A permuted column finds
neighbours in the other columns, so that one search serves all its permutations. To permute the
performance is the null that nothing matters at all, and wrong for the rest where something does:
near rows that differ in what matters differ less in the others, whose weights fall below the null.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from hia.equations import Search, Trials, eq_10, weights
from hia.inputs import Floats, Ints, Singles, one_thread

# Weights of permuted values are this near: the differences are of single precision, for speed.
SINGLE = 1e-6
# Differences of permuted values worked on at once, in cache; permuted values, and counts of
# resampled rows, held at once.
_DIFFERENCES = 1 << 16
_COPIES = 1 << 25
_COUNTS = 1 << 22


def bar(what: str, progress: bool, steps: Iterable[Any] | None = None, total: int = 0) -> Any:
    """A line on standard error of how long steps still take, once they took two seconds."""
    return tqdm(steps, what, total or None, disable=not progress, delay=2, leave=False)


def resample(
    trials: Trials, n_resamples: int, random: np.random.RandomState, progress: bool
) -> Floats:
    """Weights of resampled rows, (n_resamples, K): W + Σ (c_i - 1) ψ_i / n, where row i is drawn
    c_i times and ψ_i is the derivative of W by its frequency (Efron and Stein 1981)."""
    search = trials.search()
    means = search.means()
    observed = weights(*means)
    derivatives = influences(search, *means, progress)
    n = len(search.target)
    resamples = np.empty((n_resamples, len(observed)))
    at_once = max(1, _COUNTS // n)
    with one_thread():
        for start in range(0, n_resamples, at_once):
            block = resamples[start : start + at_once]
            drawn = [np.bincount(random.randint(n, size=n), minlength=n) for _ in block]
            block[:] = observed + (np.array(drawn) - 1.0) @ derivatives.T / n
    return resamples


def influences(
    search: Search, n_p: float, n_theta: Floats, n_both: Floats, progress: bool
) -> Floats:
    """(K, n): derivative of W, from `Search.means`, by the frequency of each row.

    The derivative of Eq. 10 by the three means makes a change of them a mean over pairs of a row
    and a neighbour. A row takes part as the one that is sampled, and as a neighbour by what it
    changes in the means of others, whose neighbours have influence 1 together with or without it.
    """
    by_p = -n_both / n_p**2 - (n_theta - n_both) / (1 - n_p) ** 2
    by_theta = -1 / (1 - n_p)
    by_both = 1 / n_p + 1 / (1 - n_p)
    means = by_p * n_p + by_theta * n_theta + by_both * n_both
    result = np.zeros((len(search.columns), len(search.target)))
    rows_done = bar("N-RReliefF: resamples", progress, total=len(search.rows))
    for rows, others, influence in search.pairs():
        p_diff = search.p_diff(rows, others)
        for k, column in enumerate(search.columns):
            pairs = column.diff(rows, others)
            pairs *= by_theta + by_both * p_diff
            pairs += by_p[k] * p_diff
            of_rows = np.einsum("mj,mj->m", influence, pairs)
            result[k, rows] += of_rows - means[k]
            pairs -= of_rows[:, None]
            pairs *= influence
            np.add.at(result[k], others.ravel(), pairs.ravel())
        rows_done.update(len(rows))
    rows_done.close()
    return np.asarray(result * (len(search.target) / len(search.rows)))


def permute(
    trials: Trials, count: int, null: str, random: np.random.RandomState, progress: bool
) -> Floats:
    """(1 + count, K): the weights that are tested, and those of permutations.

    null: "target", or "column", which needs two columns at least.
    """
    with one_thread():
        if null == "target" or len(trials.columns) == 1:
            search = trials.search()
            # From 0, as the columns: single precision has no digits to lose.
            target = trials.target - trials.target.min()
            return _permute(target, count, random, partial(of_targets, search))
        parts = []
        for k, column in enumerate(bar("N-RReliefF: permutations", progress, trials.columns)):
            weigh = partial(of_columns, trials.search(k))
            parts.append(_permute(column.scaled(), count, random, weigh))
        return np.hstack(parts)


def p_values(weights: Floats) -> Floats:
    """(K,): share of weights (1 + m, K), the tested ones first, that are not less than these."""
    # One that changes nothing is not less, whatever its rounding; nor is one without a weight.
    less = weights < weights[0] - SINGLE
    return np.asarray(np.mean(~less, axis=0))


def adjusted_p_values(weights: Floats) -> Floats:
    """(K,): as `p_values`, of the largest weight of all columns in units of their spread."""
    weights = np.where(np.isfinite(weights), weights, np.nan)
    centre, spread = np.nanmean(weights, axis=0), np.nanstd(weights, axis=0)
    scaled = (weights - centre) / np.where(spread > SINGLE, spread, np.inf)
    largest = np.nan_to_num(scaled, nan=np.inf).max(axis=1, keepdims=True)
    return p_values(np.vstack([scaled[:1], np.tile(largest[1:], weights.shape[1])]))


def of_targets(search: Search, copies: Singles) -> Floats:
    """(1 + m, K): the weights, and those with copies (n, m) of the target in its place."""
    sums = np.zeros((1 + len(search.columns), copies.shape[1]))

    def visit(rows: Ints, others: Ints, influence: Floats) -> None:
        diffs = [influence * column.diff(rows, others) for column in search.columns]
        sums[:] += _sum_differences(copies, False, rows, others, np.stack([influence, *diffs]))

    means = search.means(visit=visit)
    sums /= len(search.rows)
    return np.vstack([weights(*means), eq_10(sums[0][:, None], means[1], sums[1:].T)])


def of_columns(search: Search, copies: Singles) -> Floats:
    """(1 + m, 1): the weight of the search's only column, and those with copies (n, m) of its
    scaled values in its place."""
    (column,) = search.columns
    sums = np.zeros((2, copies.shape[1]))

    def visit(rows: Ints, others: Ints, influence: Floats) -> None:
        factors = np.stack([influence, influence * search.p_diff(rows, others)])
        sums[:] += _sum_differences(copies, column.categorical, rows, others, factors)

    means = search.means(visit=visit)
    sums /= len(search.rows)
    return np.concatenate([weights(*means), eq_10(means[0], sums[0], sums[1])])[:, None]


def _permute(
    values: Floats, count: int, random: np.random.RandomState, weigh: Callable[[Singles], Floats]
) -> Floats:
    """(1 + count, ...): what is weighed first by every call of `weigh`, and what it finds for
    permutations of values (n,), so many at once as memory allows."""
    at_once = max(1, _COPIES // len(values))
    parts: list[Floats] = []
    for start in range(0, count, at_once):
        copies = [random.permutation(values) for _ in range(start, min(start + at_once, count))]
        part = weigh(np.column_stack(copies).astype(np.float32))
        parts.append(part[1:] if parts else part)
    return np.concatenate(parts)


def _sum_differences(
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
        total += np.tensordot(factors[:, piece], differences)
    return total
