"""N-RReliefF against hand computation, Algorithm 1 in plain loops, and properties."""

import itertools
import math
import pickle
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from hia import neighbours, relief
from hia.relief import NRReliefF, joint_importance, profile

SEEDS = st.integers(0, 2**32 - 1)


# --- Algorithm 1, line by line -------------------------------------------------------------------


def reference_means(
    rows,
    p,
    n_neighbors=30,
    sigma=20.0,
    metric="euclidean",
    scale="range",
    rank_base=1,
    weighting="exp_rank",
    target_scale="none",
    sampled=None,
    order_ties=None,
):
    """Means of Eqs. 12 to 14 from `rows`, a list of tuples of numbers and strings (categories).

    `order_ties(m, candidates)` may put the neighbours of row m in an order of its own; by default
    those at the same distance share the weights of the ranks they occupy.
    """
    n, k_all = len(rows), len(rows[0])
    ranges = [
        1.0 if isinstance(column[0], str) else max(column) - min(column)
        for column in zip(*rows, strict=True)
    ]
    p_range = max(p) - min(p) if target_scale == "range" else 1.0

    def raw_diff(a, b):
        return float(a != b) if isinstance(a, str) else abs(a - b)

    def distance(a, b):
        parts = [raw_diff(a[k], b[k]) for k in range(k_all)]
        if scale == "range":
            parts = [part / r for part, r in zip(parts, ranges, strict=True)]
        return sum(parts) if metric == "manhattan" else math.sqrt(sum(x * x for x in parts))

    d = [
        1.0 if weighting == "uniform" else math.exp(-(((rank + rank_base) / sigma) ** 2))
        for rank in range(n_neighbors)
    ]
    d = [x / sum(d) for x in d] + [0.0] * n

    n_p, n_theta, n_both = 0.0, [0.0] * k_all, [0.0] * k_all
    sampled = range(n) if sampled is None else sampled
    for m in sampled:
        others = sorted((distance(rows[m], rows[j]), j) for j in range(n) if j != m)
        if order_ties is None:
            influence = {}
            start = 0
            while start < len(others):
                stop = start + 1
                while stop < len(others) and math.isclose(
                    others[stop][0], others[stop - 1][0], rel_tol=1e-9
                ):
                    stop += 1
                for _, j in others[start:stop]:
                    influence[j] = sum(d[start:stop]) / (stop - start)
                start = stop
        else:
            influence = {j: d[rank] for rank, j in enumerate(order_ties(m, others))}
        for j, weight in influence.items():
            dp = abs(p[m] - p[j]) / p_range
            n_p += dp * weight
            for k in range(k_all):
                diff = raw_diff(rows[m][k], rows[j][k]) / ranges[k]
                n_theta[k] += diff * weight
                n_both[k] += dp * diff * weight
    size = len(sampled)
    return n_p / size, [x / size for x in n_theta], [x / size for x in n_both]


def eq_10(n_p, n_theta, n_both):
    return [b / n_p - (t - b) / (1 - n_p) for t, b in zip(n_theta, n_both, strict=True)]


def reference_weights(rows, p, **options):
    return eq_10(*reference_means(rows, p, **options))


def mixed_rows(seed, n=24):
    """Configurations with continuous, integer and categorical columns, a few rows twice."""
    rng = np.random.default_rng(seed)
    rows = [
        (
            float(rng.uniform(-6, -1)),
            float(rng.integers(8, 257)),
            str(rng.choice(["Adam", "SGD"])),
            str(rng.choice(["relu", "tanh", "gelu"])),
            float(rng.integers(1, 4)),
        )
        for _ in range(n)
    ]
    rows += rows[:3]
    return rows, list(rng.uniform(0, 0.9, len(rows)))


def tied_rows(seed, n=30):
    """Configurations on a coarse grid: nearly every distance is there more than once."""
    rng = np.random.default_rng(seed)
    rows = [
        (
            float(rng.integers(1, 4)),
            float(rng.integers(0, 2)),
            str(rng.choice(["a", "b", "c"])),
        )
        for _ in range(n)
    ]
    return rows, list(rng.uniform(0, 0.9, n))


@pytest.mark.parametrize("target_scale", ["none", "range"])
@pytest.mark.parametrize("weighting", ["exp_rank", "uniform"])
@pytest.mark.parametrize("rank_base", [0, 1])
@pytest.mark.parametrize("scale", ["range", "none"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("make_rows", [mixed_rows, tied_rows])
@pytest.mark.parametrize(("n_neighbors", "sigma"), [(1, 20.0), (7, 3.0), (18, 20.0)])
def test_equals_algorithm_1_in_plain_loops(
    make_rows, n_neighbors, sigma, metric, scale, rank_base, weighting, target_scale
):
    rows, p = make_rows(seed=3)
    options = {
        "n_neighbors": n_neighbors,
        "sigma": sigma,
        "metric": metric,
        "scale": scale,
        "rank_base": rank_base,
        "weighting": weighting,
        "target_scale": target_scale,
    }
    fitted = NRReliefF(**options).fit(pd.DataFrame(rows), p)
    np.testing.assert_allclose(
        fitted.weights_, reference_weights(rows, p, **options), rtol=0, atol=1e-12
    )


def test_all_other_rows_can_be_neighbours():
    rows, p = mixed_rows(seed=4)
    fitted = NRReliefF(n_neighbors=len(rows) - 1).fit(pd.DataFrame(rows), p)
    expected = reference_weights(rows, p, n_neighbors=len(rows) - 1)
    np.testing.assert_allclose(fitted.weights_, expected, rtol=0, atol=1e-12)


def test_a_row_with_more_duplicates_than_neighbours_leaves_out_only_itself():
    rng = np.random.default_rng(5)
    rows = [(float(i % 3), float(i % 2)) for i in range(120)]
    p = list(rng.uniform(0, 0.9, len(rows)))
    fitted = NRReliefF(n_neighbors=4).fit(np.array(rows), p)
    # Twenty rows of each configuration: only duplicates are neighbours, so no column ever differs.
    np.testing.assert_array_equal(fitted.weights_, [0.0, 0.0])
    fitted = NRReliefF(n_neighbors=25).fit(np.array(rows), p)
    expected = reference_weights(rows, p, n_neighbors=25)
    np.testing.assert_allclose(fitted.weights_, expected, rtol=0, atol=1e-12)


def test_ties_count_as_the_mean_over_all_orders_they_could_be_put_in():
    # On the line, the rows inside have neighbours that tie; J = 3 cuts through some of the ties.
    rows, p = [(0.0,), (1.0,), (-1.0,), (2.0,), (-2.0,)], [0.0, 0.1, 0.5, 0.2, 0.7]
    means = []
    for m in range(5):
        others = sorted((abs(rows[m][0] - rows[j][0]), j) for j in range(5) if j != m)
        ascending = [
            [j for _, j in order]
            for order in itertools.permutations(others)
            if [distance for distance, _ in order] == [distance for distance, _ in others]
        ]
        of_row = [
            reference_means(
                rows, p, n_neighbors=3, sampled=[m], order_ties=lambda _, __, order=order: order
            )
            for order in ascending
        ]
        means.append([np.mean(values, axis=0) for values in zip(*of_row, strict=True)])
    expected = eq_10(*(np.mean(values, axis=0) for values in zip(*means, strict=True)))
    fitted = NRReliefF(n_neighbors=3).fit(np.array(rows), p)
    np.testing.assert_allclose(fitted.weights_, expected, rtol=0, atol=1e-14)


def test_without_ties_every_neighbour_has_the_influence_of_its_rank():
    rng = np.random.default_rng(6)
    rows = [tuple(row) for row in rng.uniform(size=(25, 3)).tolist()]
    p = list(rng.uniform(0, 0.9, 25))
    literal = reference_weights(
        rows, p, n_neighbors=5, order_ties=lambda m, others: [j for _, j in others]
    )
    fitted = NRReliefF(n_neighbors=5).fit(np.array(rows), p)
    np.testing.assert_allclose(fitted.weights_, literal, rtol=0, atol=1e-12)


# --- By hand -------------------------------------------------------------------------------------

# x: 0, 1, 3 (range 3). z: A, B, A. Distances: ac = 1, ab = √(1/9 + 1), bc = √(4/9 + 1), so the
# neighbours are a: c, b; b: a, c; c: a, b. |Δp|: ac 0.2, ab 0.4, bc 0.2.
THREE = pd.DataFrame({"x": [0.0, 1.0, 3.0], "z": ["A", "B", "A"]}, index=["a", "b", "c"])
THREE_P = [0.1, 0.5, 0.3]


def test_three_rows_one_neighbour():
    # N_dp = (0.2 + 0.4 + 0.2)/3 = 4/15
    # N_dx = (1 + 1/3 + 1)/3 = 7/9       N_dpdx = (0.2 + 0.4/3 + 0.2)/3 = 8/45
    # N_dz = (0 + 1 + 0)/3 = 1/3         N_dpdz = 0.4/3 = 2/15
    # W_x = (8/45)/(4/15) − (7/9 − 8/45)/(11/15) = 2/3 − 9/11 = −5/33
    # W_z = (2/15)/(4/15) − (1/3 − 2/15)/(11/15) = 1/2 − 3/11 = 5/22
    fitted = NRReliefF(n_neighbors=1).fit(THREE, THREE_P)
    np.testing.assert_allclose(fitted.weights_, [-5 / 33, 5 / 22], rtol=1e-13)
    np.testing.assert_array_equal(fitted.importances_, [0.0, 1.0])


@pytest.mark.parametrize(
    ("rank_base", "sigma"), [(1, math.sqrt(3 / math.log(2))), (0, math.sqrt(1 / math.log(2)))]
)
def test_three_rows_two_neighbours(rank_base, sigma):
    # d' of the second is half of the first: e^(−4/σ²)/e^(−1/σ²), or e^(−1/σ²)/e^0. d = 2/3, 1/3.
    # N_dp: a 0.8/3, b 1/3, c 0.6/3, mean 4/15
    # N_dx: a 7/9, b 4/9, c 8/9, mean 19/27          N_dpdx: a 1.6/9, b 1.2/9, c 1.6/9, mean 22/135
    # N_dz: a 1/3, b 1, c 1/3, mean 5/9              N_dpdz: a 0.4/3, b 1/3, c 0.2/3, mean 8/45
    # W_x = 11/18 − 73/99 = −25/198,  W_z = 2/3 − 17/33 = 5/33
    fitted = NRReliefF(n_neighbors=2, rank_base=rank_base, sigma=sigma).fit(THREE, THREE_P)
    np.testing.assert_allclose(fitted.weights_, [-25 / 198, 5 / 33], rtol=1e-13)


def test_two_rows_tell_nothing():
    # N_dp = q, N_dθ = 1, N_dpdθ = q: W = 1 − (1 − q)/(1 − q) = 0.
    fitted = NRReliefF(n_neighbors=1).fit([[5.0], [7.0]], [0.25, 0.5])
    np.testing.assert_array_equal(fitted.weights_, [0.0])


def test_raw_distance_lets_the_largest_unit_choose_the_neighbour():
    # p follows `small`, in the rows that are neighbours by `large`; scaled, `small` decides.
    X = pd.DataFrame({"small": [0.0, 1.0, 0.1, 0.9], "large": [0.0, 1.0, 1000.0, 1001.0]})
    y = [0.0, 0.5, 0.0, 0.5]
    raw = NRReliefF(n_neighbors=1, scale="none").fit(X, y)
    # Neighbours 01 and 23: |Δp| = 0.5, diff small 1 and 0.8, large 1/1001, every time: Eq. 10 is
    # N_dθ·(0.5/0.5 − 0.5/0.5) = 0.
    np.testing.assert_allclose(raw.weights_, [0.0, 0.0], atol=1e-15)
    with pytest.raises(
        ValueError, match=r"^y is the same for all neighbours, which leaves Eq\. 10 undefined$"
    ):  # neighbours 02 and 13
        NRReliefF(n_neighbors=1).fit(X[["small"]], y)


# --- Properties ----------------------------------------------------------------------------------


def continuous(seed, n=60, k=4):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, k))
    return X, np.clip(X[:, 0] * 0.6 + X[:, 1] * 0.2 + rng.uniform(0, 0.2, n), 0, 1)


def on_grid(seed, n=60):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n, 3)).astype(float)
    X[:4, :] = np.arange(4)[:, None]  # every value occurs, so that no range depends on chance
    return X, rng.uniform(0, 0.9, n)


both_kinds = pytest.mark.parametrize("make", [continuous, on_grid])
both_scales = pytest.mark.parametrize("scale", ["range", "none"])


@both_kinds
@both_scales
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_row_order_does_not_matter(make, scale, seed):
    X, y = make(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    model = NRReliefF(n_neighbors=8, scale=scale)
    expected = model.fit(X, y).weights_
    np.testing.assert_allclose(
        clone(model).fit(X[order], y[order]).weights_, expected, rtol=0, atol=1e-12
    )


@both_kinds
@both_scales
@given(seed=SEEDS, order=st.permutations(range(3)))
@settings(max_examples=15, deadline=None)
def test_column_order_does_not_matter(make, scale, seed, order):
    X, y = make(seed)
    X = X[:, :3]
    model = NRReliefF(n_neighbors=8, scale=scale)
    expected = model.fit(X, y).weights_[order]
    np.testing.assert_allclose(
        clone(model).fit(X[:, order], y).weights_, expected, rtol=0, atol=1e-12
    )


@both_kinds
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@given(
    seed=SEEDS,
    factor=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3),
    shift=st.floats(-10, 10),
)
@settings(max_examples=15, deadline=None)
def test_rescaling_a_column_does_not_matter(make, metric, seed, factor, shift):
    X, y = make(seed)
    model = NRReliefF(n_neighbors=8, metric=metric)
    expected = model.fit(X, y).weights_
    scaled = X.copy()
    scaled[:, 1] = factor * (scaled[:, 1] + shift)
    # A shift costs digits of the column, hence the tolerance.
    np.testing.assert_allclose(clone(model).fit(scaled, y).weights_, expected, rtol=0, atol=1e-9)


def test_a_column_far_from_zero_loses_nothing():
    rng = np.random.default_rng(21)
    X = rng.integers(0, 1024, (60, 2)) / 1024
    y = rng.uniform(0, 0.9, 60)
    expected = NRReliefF(n_neighbors=8).fit(X, y).weights_
    np.testing.assert_array_equal(NRReliefF(n_neighbors=8).fit(X + 2.0**40, y).weights_, expected)


@given(seed=SEEDS, factor=st.floats(0.1, 1.0))
@settings(max_examples=15, deadline=None)
def test_target_range_makes_the_unit_of_the_target_irrelevant(seed, factor):
    X, y = continuous(seed)
    model = NRReliefF(n_neighbors=8, target_scale="range")
    expected = model.fit(X, y).weights_
    np.testing.assert_allclose(
        clone(model).fit(X, y * factor - 3).weights_, expected, rtol=0, atol=1e-9
    )


@both_kinds
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_a_copied_column_gets_the_same_weight(make, seed):
    X, y = make(seed)
    weights = NRReliefF(n_neighbors=8).fit(np.column_stack([X, X[:, 0]]), y).weights_
    assert weights[-1] == weights[0]


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_weights_are_within_one_and_shares_sum_to_one(seed):
    X, y = continuous(seed)
    fitted = NRReliefF(n_neighbors=8).fit(X, y)
    assert np.all(np.abs(fitted.weights_) <= 1)
    assert np.all(fitted.importances_ >= 0)
    assert fitted.importances_.sum() == pytest.approx(1)
    positive = fitted.weights_ > 0
    np.testing.assert_allclose(
        fitted.importances_[positive] / fitted.importances_.max(),
        fitted.weights_[positive] / fitted.weights_.max(),
    )


@pytest.mark.parametrize("seed", range(5))
def test_additive_function_ranks_its_terms_and_leaves_the_noise_near_zero(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(2000, 5))
    y = 0.6 * X[:, 3] + 0.3 * X[:, 0] + 0.1 * X[:, 4]
    fitted = NRReliefF().fit(X, y)
    assert list(np.argsort(-fitted.weights_)[:3]) == [3, 0, 4]
    assert np.all(np.abs(fitted.weights_[[1, 2]]) < 0.01)
    assert np.all(fitted.importances_[[1, 2]] < 0.02)


@pytest.mark.parametrize("pairs", [1, 1000])
def test_work_in_pieces_changes_nothing(monkeypatch, pairs):
    X, y = on_grid(7, n=200)
    expected = NRReliefF().fit(X, y).weights_
    monkeypatch.setattr(neighbours, "_PAIRS", pairs)
    np.testing.assert_allclose(NRReliefF().fit(X, y).weights_, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_iterations", [None, 300])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_searching_in_cells_and_in_the_tree_agree(monkeypatch, metric, n_iterations):
    rng = np.random.default_rng(22)
    X = np.column_stack([rng.integers(0, 2, (1500, 3)), rng.integers(0, 4, 1500), rng.random(1500)])
    y = rng.uniform(0, 0.9, 1500)
    model = NRReliefF(metric=metric, n_iterations=n_iterations, random_state=0)
    in_cells, search = [], neighbours._search_cells

    def spy(*args):
        for found in search(*args):
            in_cells.extend(found[0])
            yield found

    monkeypatch.setattr(neighbours, "_search_cells", spy)
    expected = model.fit(X, y).weights_
    assert len(in_cells) == len(set(in_cells)) > 200
    monkeypatch.setattr(neighbours, "_CELL", 0)
    in_cells.clear()
    np.testing.assert_allclose(clone(model).fit(X, y).weights_, expected, rtol=0, atol=1e-12)
    assert in_cells == []


def nearest(coordinates, n_neighbors, metric):
    """By row, the numbers of the neighbours that `search` finds, up to the end of the ties."""
    order, cells = neighbours.layout(coordinates)
    every = np.arange(len(order))
    nearest = {}
    for rows, others, first in neighbours.search(
        coordinates[order], cells, every, metric, n_neighbors
    ):
        for row, its, further in zip(rows, others, first, strict=True):
            end = [*np.flatnonzero(further[n_neighbors:]) + n_neighbors, len(its)][0]
            assert order[row] not in nearest
            nearest[order[row]] = {*order[its[:end]]}
    return nearest


def promised(values, kth, axis):
    """What `np.argpartition` promises, and no more: only the kth is in its place."""
    order = np.argsort(values, axis=axis)
    return np.hstack([order[:, :kth][:, ::-1], order[:, [kth]], order[:, kth + 1 :][:, ::-1]])


@pytest.mark.parametrize("n_neighbors", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_all_that_tie_with_the_last_neighbour_are_found(monkeypatch, metric, n_neighbors):
    """On a grid of two cells, in which every row has ties."""
    rng = np.random.default_rng(24)
    grid = np.column_stack([rng.integers(0, 2, 150), rng.integers(0, 7, (150, 2)) / 10])
    monkeypatch.setattr(np, "argpartition", promised)
    monkeypatch.setattr(neighbours, "_search_tree", spied := Mock(wraps=neighbours._search_tree))
    found = nearest(grid, n_neighbors, metric)
    assert len(spied.call_args_list[0].args[1]) < 150  # the others were found in their cell
    for row, distances in enumerate(cdist(grid, grid, neighbours._METRICS[metric])):
        distances[row] = np.inf
        last = np.sort(distances)[n_neighbors - 1]
        assert found[row] == {*np.flatnonzero(distances <= last * (1 + 1e-9))}


def test_the_last_neighbour_in_a_cell_may_tie_with_one_in_another():
    """The third row of each cell is far, and the second nearly as far as the other cell is."""
    near = 1 - 1e-12
    found = nearest(
        np.array([[0, 0], [0, near], [0, 3], [1, 0], [1, near], [1, 3]]), 1, "euclidean"
    )
    assert found == {0: {1, 3}, 1: {0, 4}, 2: {5}, 3: {0, 4}, 4: {1, 3}, 5: {2}}


# --- Sampling ------------------------------------------------------------------------------------


def test_sampling_draws_distinct_rows_and_searches_all_for_neighbours():
    rows, p = mixed_rows(seed=8, n=5)
    possible = [
        reference_weights(rows, p, n_neighbors=2, sampled=pair)
        for pair in itertools.combinations(range(len(rows)), 2)
    ]
    model = NRReliefF(n_neighbors=2, n_iterations=2)
    drawn = set()
    for seed in range(20):
        weights = model.set_params(random_state=seed).fit(pd.DataFrame(rows), p).weights_
        hits = [i for i, w in enumerate(possible) if np.allclose(w, weights, rtol=0, atol=1e-12)]
        assert hits
        drawn.add(hits[0])
    assert len(drawn) > 5


def test_sampling_every_row_is_using_every_row():
    X, y = continuous(9)
    sampled = NRReliefF(n_neighbors=8, n_iterations=len(y), random_state=1).fit(X, y)
    np.testing.assert_array_equal(
        sampled.weights_, NRReliefF(n_neighbors=8, n_iterations=None).fit(X, y).weights_
    )


def test_same_seed_same_weights():
    X, y = continuous(10)
    model = NRReliefF(n_neighbors=8, n_iterations=20, random_state=5)
    first = model.fit(X, y).weights_
    np.testing.assert_array_equal(clone(model).fit(X, y).weights_, first)
    other = clone(model).set_params(random_state=6).fit(X, y).weights_
    assert not np.array_equal(other, first)


# --- One search, many weights --------------------------------------------------------------------


def spread(rng):
    return pd.DataFrame(rng.random((90, 3)) * [1, 100, 5], columns=list("abc"))


def tied(rng):
    """Few values: rows that are equal, and many at the same distance."""
    X = pd.DataFrame(rng.integers(3, size=(90, 3)), columns=list("abc"))
    return X.assign(d=rng.choice(["x", "y", "z"], 90))


@pytest.mark.parametrize("columns", [spread, tied])
@pytest.mark.parametrize(
    ("metric", "scale"),
    [("euclidean", "none"), ("euclidean", "range"), ("manhattan", "range"), ("manhattan", "none")],
)
def test_one_profile_gives_the_weights_of_every_choice(columns, metric, scale):
    rng = np.random.default_rng(0)
    X = columns(rng)
    y = 0.3 * rng.random(90) + 0.1 * X["a"] / X["a"].max()
    found = profile(X, y, 89, metric, scale)
    choices = itertools.product((1, 5, 30, 89), (0.5, 5, 100), (0, 1), ("none", "range"))
    for n_neighbors, sigma, rank_base, target_scale in choices:
        model = NRReliefF(
            n_neighbors,
            sigma=sigma,
            rank_base=rank_base,
            target_scale=target_scale,
            metric=metric,
            scale=scale,
        )
        expected = model.fit(X, y).weights_
        of_profile = found.weights(n_neighbors, sigma, rank_base, target_scale)
        np.testing.assert_allclose(of_profile, expected, rtol=1e-9, atol=1e-12)


def test_ties_with_the_last_neighbour_of_a_short_profile_share():
    X = tied(np.random.default_rng(1))
    y = np.random.default_rng(2).random(90)
    expected = NRReliefF(2).fit(X, y).weights_
    np.testing.assert_allclose(profile(X, y, 2).weights(2), expected, rtol=1e-9)


def test_the_profile_of_three_rows_by_hand():
    """At 0, 1 and 3: the nearest are 1, 1 and 2 of 3 away, the others 3, 2 and 3."""
    found = profile(pd.DataFrame({"x": [0, 1, 3]}), [0.0, 0.2, 0.8], 2)
    np.testing.assert_allclose(found.theta[:, 0], [4 / 9, 8 / 9])
    np.testing.assert_allclose(found.p, [(0.2 + 0.2 + 0.6) / 3, (0.8 + 0.6 + 0.8) / 3])
    np.testing.assert_allclose(found.both[0, 0], (0.2 / 3 + 0.2 / 3 + 0.6 * 2 / 3) / 3)
    assert found.target_range == 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 6}, "n_neighbors=6: the profile has 5"),
        ({"n_neighbors": 0}, "n_neighbors=0"),
        ({"n_neighbors": 5, "sigma": -1.0}, "sigma=-1.0"),
        ({"n_neighbors": 5, "rank_base": 2}, "rank_base=2"),
        ({"n_neighbors": 2.5}, "n_neighbors=2.5 is not a whole number"),
        ({"n_neighbors": 5, "target_scale": "log"}, "target_scale='log'"),
    ],
)
def test_options_of_weights_are_checked(options, message):
    rng = np.random.default_rng(0)
    found = profile(spread(rng), rng.random(90), 5)
    with pytest.raises(ValueError, match=message):
        found.weights(**options)


def test_a_profile_has_200_neighbours_and_its_weights_are_of_30():
    rng = np.random.default_rng(3)
    X = rng.random((210, 2))
    y = rng.random(210)
    found = profile(X, y)
    assert len(found.p) == 200
    np.testing.assert_allclose(found.weights(), NRReliefF().fit(X, y).weights_, rtol=1e-9)


# --- How sure the weights are --------------------------------------------------------------------


def frequency_weights(X, p, counts, n_neighbors, by=None, rows=None):
    """W where row i of X (n, K), numbers without ties, is there counts[i] times and never a
    neighbour of itself; neighbours are found in the columns `by`."""
    ranges = np.ptp(X, axis=0)
    scaled = X / ranges
    near = scaled if by is None else scaled[:, by]
    d = np.exp(-((np.arange(1, n_neighbors + 1) / 20.0) ** 2))
    n_p, n_theta, n_both, total = 0.0, np.zeros(X.shape[1]), np.zeros(X.shape[1]), 0.0
    for m in range(len(X)) if rows is None else rows:
        others = np.argsort(np.square(near - near[m]).sum(axis=1))[1 : n_neighbors + 1]
        influence = d * counts[others]
        influence = influence / influence.sum()
        dp, diffs = np.abs(p[others] - p[m]), np.abs(scaled[others] - scaled[m])
        n_p += counts[m] * influence @ dp
        n_theta += counts[m] * influence @ diffs
        n_both += counts[m] * (influence * dp) @ diffs
        total += counts[m]
    return np.array(eq_10(n_p / total, n_theta / total, n_both / total))


@pytest.mark.parametrize("n_iterations", [None, 20])
def test_influences_are_derivatives_by_the_frequency_of_a_row(n_iterations):
    X, y = continuous(31, n=40, k=3)
    model = NRReliefF(n_neighbors=6, n_iterations=n_iterations, random_state=0)
    trials = model._read(X, y)
    search = trials.search()
    means = relief._means(search)
    order = np.array([np.flatnonzero(y == target)[0] for target in search.target])
    rows = np.sort(trials.rows)
    ones = np.ones(len(y))
    whole = frequency_weights(X, y, ones, 6, rows=rows)
    np.testing.assert_allclose(relief._eq_10(*means), whole, rtol=1e-12)
    step = 1e-6
    slopes = [
        (frequency_weights(X, y, ones + step * (np.arange(40) == i), 6, rows=rows) - whole) / step
        for i in order
    ]
    influences = relief._influences(trials.search(), *means)
    np.testing.assert_allclose(influences.T / len(y), slopes, rtol=0, atol=2e-7)
    np.testing.assert_allclose(influences.sum(axis=1), 0, atol=1e-10)


@pytest.mark.parametrize("pairs", [1, 100])
def test_influences_in_pieces_are_the_same(monkeypatch, pairs):
    X, y = continuous(41, n=50)
    monkeypatch.setattr(neighbours, "_CELL", 0)
    trials = NRReliefF(n_neighbors=6)._read(X, y)
    means = relief._means(trials.search())
    expected = relief._influences(trials.search(), *means)
    monkeypatch.setattr(neighbours, "_PAIRS", pairs)
    again = relief._influences(trials.search(), *means)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-12)


def test_a_resample_has_nearly_the_weights_of_the_rows_it_counts():
    X, y = continuous(42, n=80)
    model = NRReliefF(n_neighbors=20)
    resamples = model.bootstrap(X, y, 30, random_state=7)
    target = model._read(X, y).search().target  # in the order of the search, as the counts
    back = np.array([np.flatnonzero(target == p)[0] for p in y])
    random = np.random.RandomState(7)
    counts = [np.bincount(random.randint(80, size=80), minlength=80)[back] for _ in resamples]
    exact = np.array([frequency_weights(X, y, of_row, 20) for of_row in counts])
    spread = exact.std(axis=0)
    assert np.all(np.abs(resamples - exact) < 2 * spread)
    for k in range(4):
        assert np.corrcoef(resamples[:, k], exact[:, k])[0, 1] > 0.5


def test_bootstrap_spreads_as_much_as_new_rows_do():
    def draw(rng, n=300):
        X = rng.uniform(size=(n, 4))
        return X, 0.5 * X[:, 0] + 0.3 * X[:, 1] + rng.uniform(0, 0.2, n)

    rng = np.random.default_rng(32)
    fresh = np.std([NRReliefF().fit(*draw(rng)).weights_ for _ in range(150)], axis=0)
    found = np.mean([NRReliefF().bootstrap(*draw(rng), 400, 0).std(axis=0) for _ in range(6)], 0)
    ratio = found / fresh
    assert np.all(ratio[:2] > 0.85)
    assert np.all(ratio[:2] < 1.35)
    # Without influence: too wide rather than too narrow.
    assert np.all(ratio[2:] > 0.95)
    assert np.all(ratio[2:] < 1.7)


def test_bootstrap_is_centred_on_the_weights():
    X, y = on_grid(33, n=80)
    model = NRReliefF(n_neighbors=8)
    resamples = model.bootstrap(X, y, 2000, random_state=1)
    assert resamples.shape == (2000, 3)
    assert not hasattr(model, "weights_")
    error = resamples.std(axis=0) / math.sqrt(2000)
    assert np.all(np.abs(resamples.mean(axis=0) - model.fit(X, y).weights_) < 5 * error)


@pytest.mark.parametrize("counts", [1, 1 << 22])
def test_bootstrap_in_pieces_with_the_same_seed_is_the_same(monkeypatch, counts):
    X, y = continuous(34)
    expected = NRReliefF(n_neighbors=8).bootstrap(X, y, 5, random_state=3)
    monkeypatch.setattr(relief, "_COUNTS", counts)
    again = NRReliefF(n_neighbors=8).bootstrap(X, y, 5, random_state=3)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-14)
    other = NRReliefF(n_neighbors=8).bootstrap(X, y, 5, random_state=4)
    assert not np.allclose(other, expected)


@both_kinds
@pytest.mark.parametrize("factor", [1, 2])
def test_weights_of_permuted_targets_are_those_of_a_fit(make, factor):
    X, y = make(35)
    y = factor * y  # differences above 1 count in full
    model = NRReliefF(n_neighbors=8)
    trials = model._read(X, y)
    random = np.random.default_rng(0)
    copies = np.column_stack([random.permutation(y) for _ in range(4)]).astype(np.float32)
    found = relief._permute_target(trials, "none", copies)
    np.testing.assert_allclose(found[0], model.fit(X, y).weights_, rtol=0, atol=1e-12)
    # Copies are in the order of the search.
    back = np.array([np.flatnonzero(trials.search().target == p)[0] for p in y])
    for weights, permuted in zip(found[1:], copies.T, strict=True):
        expected = model.fit(X, permuted[back]).weights_
        np.testing.assert_allclose(weights, expected, rtol=0, atol=relief._SINGLE)


def test_a_target_far_from_0_is_permuted_without_loss():
    X, y = continuous(44)
    y = np.round(y * 2**20) / 2**20  # so that nothing is lost in the data
    model = NRReliefF(n_neighbors=8)
    near, far = (
        model._permuted(model._read(X, y + shift), 9, "target", np.random.RandomState(0))
        for shift in (0, 2**20)
    )
    np.testing.assert_allclose(far, near, rtol=0, atol=relief._SINGLE)


def test_p_values_count_the_permutations_that_weigh_at_least_as_much(monkeypatch):
    columns = {
        "less": [0.5, 0.4, 0.3, 0.5 - 2e-6],
        "one is equal but for rounding": [0.5, 0.5 - 1e-7, 0.3, 0.2],
        "one more": [0.5, 0.6, 0.4, 0.2],
        "without a weight": [0.5, np.nan, 0.1, 0.1],
        "all": [-0.1, 0.6, 0.4, 0.2],
    }
    weights = np.array(list(columns.values())).T
    monkeypatch.setattr(NRReliefF, "_permuted", lambda *_: weights)
    X, y = continuous(45, k=5)
    found = NRReliefF(n_neighbors=8).permutation_test(pd.DataFrame(X, columns=list(columns)), y, 3)
    assert found["p_value"].tolist() == [1 / 4, 2 / 4, 2 / 4, 2 / 4, 1]
    assert found["weight"].tolist() == [0.5, 0.5, 0.5, 0.5, -0.1]


def test_weights_that_permuted_targets_are_compared_with_are_those_of_a_fit():
    X, y = continuous(46)
    model = NRReliefF(n_neighbors=8)
    found = model.permutation_test(X, y, 2, null="target")["weight"]
    np.testing.assert_allclose(found, model.fit(X, y).weights_, rtol=0, atol=1e-12)


def test_permuted_categories_are_equal_or_not():
    column = relief._Column(np.array([0.0, 1.0, 2.0]), 2.0, True)
    np.testing.assert_array_equal(column.scaled(), [0, 1, 2])
    rows, others = np.arange(3), np.array([[1, 2], [0, 2], [0, 1]])
    np.testing.assert_array_equal(column.diff(rows, others), np.ones((3, 2)))


def test_how_many_by_default():
    X, y = continuous(47, n=12, k=2)
    model = NRReliefF(n_neighbors=8)
    assert model.bootstrap(X, y, random_state=0).shape == (1000, 2)
    default = model.permutation_test(X, y, random_state=0)
    pd.testing.assert_frame_equal(default, model.permutation_test(X, y, 999, random_state=0))
    p_values = default["p_value"].to_numpy() * 1000
    np.testing.assert_allclose(p_values, np.round(p_values), rtol=0, atol=1e-9)


def test_weight_of_a_column_by_the_neighbours_of_the_others():
    X, y = continuous(36, n=50)
    found = NRReliefF(n_neighbors=7).permutation_test(X, y, 1)
    for k, weight in enumerate(found["weight"]):
        others = [other for other in range(4) if other != k]
        expected = frequency_weights(X, y, np.ones(50), 7, by=others)[k]
        assert weight == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("differences", [1, 1 << 16])
def test_permuting_a_column_leaves_the_others_and_the_target(monkeypatch, differences):
    monkeypatch.setattr(relief, "_DIFFERENCES", differences)
    rows, p = mixed_rows(seed=37)
    trials = NRReliefF(n_neighbors=5)._read(pd.DataFrame(rows), p)
    for k in (0, 3):  # numbers, and three categories
        column, random = trials.columns[k], np.random.default_rng(5)
        copies = np.column_stack([random.permutation(column.scaled()) for _ in range(3)])
        found = relief._permute_column(trials, "none", k, copies.astype(np.float32))
        for weight, permuted in zip(found[1:, 0], copies.T, strict=True):
            span = column.range if column.categorical else 1.0
            in_its_place = [relief._Column(permuted, span, column.categorical)]
            means = relief._means(relief.replace(trials.search(without=k), columns=in_its_place))
            assert weight == pytest.approx(relief._eq_10(*means)[0], abs=relief._SINGLE)


@pytest.mark.parametrize("null", ["column", "target"])
def test_permutations_in_pieces_with_the_same_seed_are_the_same(monkeypatch, null):
    X, y = continuous(43)
    model = NRReliefF(n_neighbors=8)
    expected = model.permutation_test(X, y, 9, null, random_state=3)
    for copies in (1, 2 * len(y)):
        monkeypatch.setattr(relief, "_COPIES", copies)
        again = model.permutation_test(X, y, 9, null, random_state=3)
        pd.testing.assert_frame_equal(again, expected)


def test_p_values_of_columns_without_influence_are_uniform_and_of_others_small():
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(100, 4))
        X[:, 3] = X[:, 3] > 0.5
        y = np.where(X[:, 0] > 0.5, X[:, 1], 1 - X[:, 1])
        found.append(NRReliefF(n_neighbors=10).permutation_test(X, y, 19, random_state=seed))
    p_values = np.array([table["p_value"] for table in found])
    assert np.all(p_values[:, :2] == 1 / 20)
    # Uniform on 1/20, 2/20, ..., 1: the mean of 60 is 0.525 ± 0.037.
    assert np.all(np.abs(p_values[:, 2:].mean(axis=0) - 0.525) < 4 * 0.037)


def test_permuting_the_target_is_the_null_of_no_relation_at_all():
    def p_values(seed, effect):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(100, 3))
        y = 0.9 * effect * X[:, 0] + rng.uniform(0, 0.1, 100)
        model = NRReliefF(n_neighbors=10)
        return model.permutation_test(X, y, 19, null="target", random_state=seed)["p_value"]

    unrelated = np.mean([p_values(seed, 0) for seed in range(60)], axis=0)
    assert np.all(np.abs(unrelated - 0.525) < 4 * 0.037)
    related = np.mean([p_values(seed, 1) for seed in range(30)], axis=0)
    assert related[0] < 0.1
    assert np.all(related[1:] > 0.7)


def test_permutation_test_names_columns_in_their_order():
    rows, p = mixed_rows(seed=38)
    frame = pd.DataFrame(rows, columns=list("abcde"))
    before = frame.copy(deep=True)
    model = NRReliefF(n_neighbors=5)
    for null in ("column", "target"):
        found = model.permutation_test(frame, p, 9, null, random_state=2)
        assert list(found.index) == list("abcde")
        assert found.index.name == "hyperparameter"
        assert found["p_value"].between(0.1, 1).all()
        pd.testing.assert_frame_equal(found, model.permutation_test(frame, p, 9, null, 2))
    pd.testing.assert_frame_equal(frame, before)
    assert not hasattr(model, "weights_")
    assert list(model.permutation_test(np.array(rows)[:, :2].astype(float), p, 1).index) == [
        "x0",
        "x1",
    ]


def test_a_single_column_is_tested_by_permuting_the_target():
    X, y = continuous(39, k=2)
    model = NRReliefF(n_neighbors=8)
    by_column = model.permutation_test(X[:, :1], y, 19, random_state=0)
    by_target = model.permutation_test(X[:, :1], y, 19, null="target", random_state=0)
    pd.testing.assert_frame_equal(by_column, by_target)
    assert by_column["weight"].iloc[0] == pytest.approx(model.fit(X[:, :1], y).weights_[0])


def test_how_sure_refuses_wrong_options():
    X, y = continuous(40)
    model = NRReliefF(n_neighbors=8)
    with pytest.raises(ValueError, match="n_resamples=0 is not a whole number"):
        model.bootstrap(X, y, 0)
    with pytest.raises(ValueError, match=r"n_permutations=1\.5 is not a whole number"):
        model.permutation_test(X, y, 1.5)
    with pytest.raises(ValueError, match=r"null='both' is not one of \('column', 'target'\)"):
        model.permutation_test(X, y, 9, "both")
    with pytest.raises(ValueError, match="y has one value only"):
        model.bootstrap(X, np.ones(len(y)))
    with pytest.raises(ValueError, match="metric='cosine'"):
        NRReliefF(metric="cosine").permutation_test(X, y)


@pytest.mark.parametrize("null", ["column", "target"])
def test_how_sure_where_eq_10_is_undefined(null):
    X, y = [[1.0, 1.0], [2.0, 2.0]], [3.0, 4.0]
    model = NRReliefF(n_neighbors=1, target_scale="range")
    with pytest.raises(ValueError, match=r"needs less than 1: use more neighbours$"):
        model.bootstrap(X, y, 5)
    with pytest.raises(ValueError, match=r"needs less than 1: use more neighbours$"):
        model.permutation_test(X, y, 5, null)


@pytest.mark.parametrize("y", [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 0, 1]])
def test_a_permutation_that_leaves_eq_10_undefined_is_not_less_and_no_warning(y):
    """Three pairs of rows. Of three that succeed one may come into every pair, and all neighbours
    differ by 1; two may come into the same pair, and none differ."""
    X, y = [[0.0], [0.01], [1.0], [1.01], [2.2], [2.21]], np.array(y, dtype=float)
    model = NRReliefF(n_neighbors=1)
    copies = model._permuted(model._read(X, y), 40, "target", np.random.RandomState(0))
    undefined = ~np.isfinite(copies[:, 0])
    assert 2 < undefined.sum() < 40
    at_least = undefined | (copies[:, 0] >= copies[0, 0] - relief._SINGLE)
    found = model.permutation_test(X, y, 40, "target", random_state=0)
    assert found["p_value"].tolist() == [at_least.sum() / 41]


# --- The estimator -------------------------------------------------------------------------------


def test_defaults_are_the_papers_where_it_states_them():
    assert NRReliefF().get_params() == {
        "n_neighbors": 30,
        "sigma": 20.0,
        "n_iterations": None,
        "metric": "euclidean",
        "scale": "range",
        "rank_base": 1,
        "weighting": "exp_rank",
        "target_scale": "none",
        "categorical": None,
        "random_state": None,
    }


# Their targets are classes far apart, so all neighbours of a row have its class.
SAME_FOR_ALL_NEIGHBOURS = dict.fromkeys(
    ["check_pipeline_consistency", "check_estimators_pickle"], "Eq. 10 is undefined, as reported"
)


@parametrize_with_checks(
    [NRReliefF(n_neighbors=3, target_scale="range")],
    expected_failed_checks=lambda _: SAME_FOR_ALL_NEIGHBOURS,
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def test_what_it_tells_scikit_learn():
    tags = get_tags(NRReliefF())
    assert tags.target_tags.required is True
    assert tags.input_tags.categorical is True
    assert tags.input_tags.string is True


def test_dataframe_array_clone_and_pickle_agree():
    X, y = continuous(11)
    frame = pd.DataFrame(X, columns=["lr", "dropout_rate", "epoch", "kernel"])
    by_name = NRReliefF(n_neighbors=8).fit(frame, pd.Series(y, index=range(100, 160)))
    by_position = NRReliefF(n_neighbors=8).fit(X.tolist(), y.tolist())
    np.testing.assert_array_equal(by_name.weights_, by_position.weights_)
    np.testing.assert_array_equal(clone(by_name).fit(frame, y).weights_, by_name.weights_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(by_name)).weights_, by_name.weights_)
    assert list(by_name.feature_names_in_) == list(frame.columns)
    assert by_name.n_features_in_ == by_position.n_features_in_ == 4
    assert not hasattr(by_position, "feature_names_in_")
    # A second fit, on other columns, leaves nothing of the first.
    assert by_name.fit(X[:, :2], y).weights_.shape == (2,)
    assert not hasattr(by_name, "feature_names_in_")


def test_all_ways_to_give_a_categorical_column_agree():
    rng = np.random.default_rng(12)
    codes = rng.integers(0, 3, 80)
    names = np.array(["tanh", "gelu", "relu"])[codes]
    lr = rng.uniform(size=80)
    y = 0.3 * (codes == 1) + 0.5 * lr
    weights = [
        NRReliefF(n_neighbors=40, categorical=categorical).fit(X, y).weights_
        for X, categorical in [
            (pd.DataFrame({"act": names, "lr": lr}), None),
            (pd.DataFrame({"act": names.astype(object), "lr": lr}), None),
            (pd.DataFrame({"act": pd.Categorical(names), "lr": lr}), ["act"]),
            (pd.DataFrame({"act": codes, "lr": lr}), ["act"]),
            (pd.DataFrame({"act": codes, "lr": lr}), [0]),
            (np.column_stack([codes, lr]), [np.int64(0)]),
            (np.column_stack([-100 * codes, lr]), (0,)),
            (np.array([names, lr], dtype=object).T, None),
        ]
    ]
    for other in weights[1:]:
        np.testing.assert_array_equal(other, weights[0])
    as_number = NRReliefF(n_neighbors=40).fit(pd.DataFrame({"act": codes, "lr": lr}), y)
    assert not np.allclose(as_number.weights_, weights[0])


@both_scales
def test_two_categories_are_a_number_from_0_to_1(scale):
    rng = np.random.default_rng(13)
    flag = rng.integers(0, 2, 50).astype(bool)
    X = pd.DataFrame({"flag": flag, "n": pd.array(rng.integers(4, 64, 50), dtype="Int64")})
    y = rng.uniform(0, 0.9, 50)
    model = NRReliefF(n_neighbors=5, scale=scale)
    expected = model.fit(X, y).weights_
    np.testing.assert_array_equal(model.fit(X.astype(float), y).weights_, expected)
    model.set_params(categorical=["flag"])
    np.testing.assert_allclose(model.fit(X, y).weights_, expected, rtol=0, atol=1e-14)


def test_input_is_not_changed():
    rows, p = mixed_rows(seed=14)
    X, y = pd.DataFrame(rows, columns=list("abcde")), np.array(p)
    X_before, y_before = X.copy(deep=True), y.copy()
    NRReliefF(n_neighbors=5, target_scale="range").fit(X, y)
    pd.testing.assert_frame_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)
    array, _ = continuous(14)
    array.setflags(write=False)
    NRReliefF(n_neighbors=5).fit(array, array[:, 0])


def test_small_sigma_leaves_the_nearest_neighbour():
    X, y = continuous(15)
    nearest = NRReliefF(n_neighbors=1).fit(X, y).weights_
    for sigma in (1e-3, 1e-200):
        few = NRReliefF(n_neighbors=8, sigma=sigma).fit(X, y).weights_
        np.testing.assert_allclose(few, nearest, rtol=0, atol=1e-12)


def test_large_sigma_is_uniform():
    X, y = continuous(16)
    uniform = NRReliefF(n_neighbors=8, weighting="uniform").fit(X, y).weights_
    wide = NRReliefF(n_neighbors=8, sigma=1e9).fit(X, y).weights_
    np.testing.assert_allclose(wide, uniform, rtol=0, atol=1e-12)


def test_results_need_a_fit():
    with pytest.raises(NotFittedError):
        _ = NRReliefF().importances_
    with pytest.raises(NotFittedError):
        NRReliefF().joint_importances()


def test_no_shares_where_no_weight_is_above_zero():
    fitted = NRReliefF(n_neighbors=1).fit([[5.0, 1.0], [7.0, 3.0]], [0.25, 0.5])
    with pytest.raises(ValueError, match="no weight is above 0"):
        _ = fitted.importances_
    with pytest.raises(ValueError, match="no weight is above 0"):
        fitted.joint_importances()


# --- Eq. 11 --------------------------------------------------------------------------------------


def test_joint_importances_are_eq_11_on_the_shares():
    X, y = continuous(17)
    frame = pd.DataFrame(X, columns=["lr", "dropout_rate", "epoch", "kernel"])
    fitted = NRReliefF(n_neighbors=8).fit(frame, y)
    pairs = fitted.joint_importances()
    share = dict(zip(frame.columns, fitted.importances_, strict=True))
    assert list(pairs.columns) == ["first", "second", "weight"]
    assert {frozenset(pair) for pair in zip(pairs["first"], pairs["second"], strict=True)} == {
        frozenset(pair) for pair in itertools.combinations(frame.columns, 2)
    }
    assert len(pairs) == 6
    for first, second, weight in pairs.itertuples(index=False):
        assert weight == pytest.approx(math.exp(share[first] + share[second] - 1), rel=1e-12)
    assert pairs["weight"].is_monotonic_decreasing
    assert list(pairs.index) == list(range(6))
    unnamed = NRReliefF(n_neighbors=8).fit(X, y).joint_importances()
    assert set(unnamed["first"]) | set(unnamed["second"]) == {"x0", "x1", "x2", "x3"}


def test_joint_importance_closed_form():
    pairs = joint_importance(pd.Series({"lr": 0.25, "epoch": 0.5, "kernel": 0.25}))
    # lr and kernel are equal, so two pairs are: they stay in the order of the shares.
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["lr", "epoch"],
        ["epoch", "kernel"],
        ["lr", "kernel"],
    ]
    np.testing.assert_allclose(
        pairs["weight"], [math.exp(-0.25), math.exp(-0.25), math.exp(-0.5)], rtol=1e-15
    )


def test_equal_pairs_stay_in_the_order_of_the_shares():
    names = [f"h{i}" for i in range(16)]
    raw = pd.Series([1 + i % 2 for i in range(16)], index=names)
    pairs = joint_importance(raw / raw.sum())
    expected = sorted(itertools.combinations(names, 2), key=lambda pair: -raw[list(pair)].sum())
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == expected


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12).filter(lambda w: sum(w) > 0.1))
def test_joint_importance_is_within_0_and_1_and_follows_the_sums(raw):
    shares = pd.Series(raw, index=[f"h{i}" for i in range(len(raw))]) / sum(raw)
    pairs = joint_importance(shares)
    assert len(pairs) == len(raw) * (len(raw) - 1) // 2
    assert pairs["weight"].between(math.exp(-1) * (1 - 1e-9), 1).all()
    sums = shares[pairs["first"]].to_numpy() + shares[pairs["second"]].to_numpy()
    assert np.all(np.diff(sums) <= 1e-12)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"lr": 0.5, "epoch": 0.6}, "sum to 1.1"),
        ({"lr": 0.5, "epoch": 0.499}, "sum to 0.999"),
        ({"lr": 1.5, "epoch": -0.5}, "'epoch' is -0.5"),
        ({"lr": 1.0, "epoch": np.nan}, "'epoch' is nan"),
        ({"lr": 1.0}, "at least two"),
    ],
)
def test_joint_importance_refuses_what_are_no_shares(shares, message):
    with pytest.raises(ValueError, match=message):
        joint_importance(pd.Series(shares))


def test_joint_importance_refuses_a_name_twice():
    with pytest.raises(ValueError, match="'lr' is there twice"):
        joint_importance(pd.Series([0.5, 0.5], index=["lr", "lr"]))


def test_joint_importance_accepts_rounded_shares():
    pairs = joint_importance(pd.Series({"lr": 0.333334, "epoch": 0.333334, "kernel": 0.333333}))
    np.testing.assert_allclose(pairs["weight"], math.exp(-1 / 3), atol=1e-6)


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors=0"),
        ({"n_neighbors": 2.5}, "n_neighbors=2.5"),
        ({"n_neighbors": True}, "n_neighbors=True"),
        ({"n_iterations": 0}, "n_iterations=0"),
        (
            {"n_iterations": 61},
            "^n_iterations=61 is more than the 60 rows of X; .*None uses every row$",
        ),
        ({"sigma": 0}, "sigma=0"),
        ({"sigma": float("nan")}, "sigma=nan"),
        ({"sigma": float("inf")}, "sigma=inf is not a number above 0$"),
        ({"sigma": "20"}, "sigma='20'"),
        ({"metric": "cosine"}, "metric='cosine'"),
        ({"scale": None}, "scale=None"),
        ({"weighting": "rank"}, "weighting='rank'"),
        ({"target_scale": "log"}, "target_scale='log'"),
        ({"rank_base": 2}, "rank_base=2"),
        ({"rank_base": True}, "rank_base=True"),
        ({"categorical": ["optimiser"]}, "^categorical: 'optimiser' is not .*: lr, dropout_rate"),
        ({"categorical": [4]}, "4 is not a column of X; there are 4 columns"),
        ({"categorical": [-1]}, "-1 is not a column"),
        ({"categorical": [1.0]}, "1.0 is not a column"),
        ({"categorical": "lr"}, r"\['lr'\]"),
    ],
)
def test_wrong_options(options, message):
    X, y = continuous(18)
    frame = pd.DataFrame(X, columns=["lr", "dropout_rate", "epoch", "kernel"])
    with pytest.raises(ValueError, match=message):
        NRReliefF(**{"n_neighbors": 8, **options}).fit(frame, y)


def test_a_name_is_unknown_in_an_array():
    X, y = continuous(19)
    with pytest.raises(ValueError, match=r"'lr' is not a column of X; there are 4 columns$"):
        NRReliefF(n_neighbors=8, categorical=["lr"]).fit(X, y)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0, np.nan, 4.0], "column 'lr' of X contains NaN"),
        ([1.0, 2.0, np.inf, 4.0], "column 'lr' of X contains infinity"),
        ([-1e308, 2.0, 3.0, 1e308], "column 'lr' of X has a range too large"),
        ([0.1, 0.1, 0.1, 0.1], "column 'lr' of X has one value only: leave it out$"),
        (["a", "a", "a", "a"], "column 'lr' of X has one value only"),
        (["a", None, "b", "a"], "column 'lr' of X contains NaN"),
        (pd.array([1, 2, None, 4], dtype="Int64"), "column 'lr' of X contains NaN"),
        (["a", 1, "b", 2], r"column 'lr' of X \(object\) is neither all numbers nor all text"),
        ([1j, 2.0, 3.0, 4.0], r"column 'lr' of X \(complex128\) is neither"),
        (pd.date_range("2024", periods=4), r"column 'lr' of X \(datetime64.* is neither"),
    ],
)
def test_wrong_column(values, message):
    X = pd.DataFrame({"epoch": [1, 2, 3, 4], "lr": values})
    with pytest.raises(ValueError, match=message):
        NRReliefF(n_neighbors=2).fit(X, [0.1, 0.2, 0.3, 0.4])


def test_wrong_column_of_an_array_is_named_by_position():
    with pytest.raises(ValueError, match="column 1 of X has one value only"):
        NRReliefF(n_neighbors=1).fit([[1.0, 5.0], [2.0, 5.0]], [0.1, 0.2])


def test_mixed_column_passes_once_declared():
    X = pd.DataFrame({"epoch": [1, 2, 3, 4], "lr": ["a", 1, "b", 2]})
    fitted = NRReliefF(n_neighbors=2, categorical=["lr"]).fit(X, [0.1, 0.2, 0.3, 0.4])
    assert fitted.weights_.shape == (2,)


def test_column_name_twice():
    X = pd.DataFrame([[1.0, 2.0], [2.0, 3.0], [3.0, 1.0]], columns=["lr", "lr"])
    with pytest.raises(ValueError, match="'lr' of X is there twice"):
        NRReliefF(n_neighbors=1).fit(X, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.5, 0.5, 0.5, 0.5], "y has one value only: no column can explain it$"),
        ([0.5, np.nan, 0.5, 0.1], "y contains NaN"),
        ([0.5, np.inf, 0.5, 0.1], "y contains inf"),
        ([0.1, 0.2, 0.3], r"inconsistent numbers of samples: \[4, 3\]"),
        ([[0.1, 0.2]] * 4, "1d array"),
        (["a", "b", "c", "d"], "could not convert"),
        (None, "y is None"),
        ([0.0, 90.0, 20.0, 60.0], "needs less than 1: scale y, or target_scale='range'"),
        (
            [0.0, 1e-26, 0.0, 0.0],
            r"^y has a range of 1e-26, too small for Eq\. 10: scale y, or target_scale='range'$",
        ),
        ([0.0, 1e31, 0.0, 0.0], r"^y has a range of 1e\+31, too large for Eq\. 10: scale y"),
    ],
)
def test_wrong_target(y, message):
    with pytest.raises(ValueError, match=message):
        NRReliefF(n_neighbors=2).fit([[1.0], [2.0], [3.0], [4.0]], y)


def test_neighbours_that_all_differ_by_the_range_of_the_target():
    with pytest.raises(ValueError, match="use more neighbours"):
        NRReliefF(n_neighbors=1, target_scale="range").fit([[1.0], [2.0]], [3.0, 4.0])


def test_percentages_pass_with_target_range():
    fitted = NRReliefF(n_neighbors=2, target_scale="range").fit(
        [[1.0], [2.0], [3.0], [4.0]], [0.0, 90.0, 20.0, 60.0]
    )
    assert fitted.weights_.shape == (1,)


def test_raw_distances_have_room_for_their_squares():
    X, y = continuous(48)
    X[:, 2] *= 1e120
    with pytest.raises(
        ValueError,
        match=r"^column 2 of X has a range of [\d.]+e\+\d+, which raw distances cannot take: "
        r"scale it, or scale='range'$",
    ):
        NRReliefF(n_neighbors=8, scale="none").fit(X, y)


def test_too_few_rows():
    X, y = continuous(20, n=30)
    with pytest.raises(ValueError, match=r"30 sample.*31 is required for n_neighbors=30"):
        NRReliefF().fit(X, y)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([1.0, 2.0, 3.0], "2D array"),
        (pd.DataFrame(index=range(3)), "0 feature"),
        (np.empty((3, 0)), "0 feature"),
    ],
)
def test_wrong_shape(X, message):
    with pytest.raises(ValueError, match=message):
        NRReliefF(n_neighbors=1).fit(X, [0.1, 0.2, 0.3])
