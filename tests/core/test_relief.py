"""N-RReliefF against hand computation, Algorithm 1 in plain loops, and properties."""

import itertools
import math
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from algorithm1 import (
    continuous,
    eq_10,
    mixed_rows,
    on_grid,
    reference_means,
    reference_weights,
    tied_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hia import equations, neighbours
from hia.relief import NRReliefF, joint_importance, shares

SEEDS = st.integers(0, 2**32 - 1)


# --- Algorithm 1, line by line -------------------------------------------------------------------


@pytest.mark.parametrize("target_scale", ["none", "range"])
@pytest.mark.parametrize("weighting", ["exp_rank", "uniform"])
@pytest.mark.parametrize("rank_base", [0, 1])
@pytest.mark.parametrize("scale", ["range", "none"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("make_rows", [mixed_rows, tied_rows])
@pytest.mark.parametrize(("n_neighbors", "sigma"), [(1, 3.0), (20, 20.0)])
@given(seed=SEEDS)
@settings(max_examples=2)
def test_equals_algorithm_1_in_plain_loops(
    make_rows, n_neighbors, sigma, metric, scale, rank_base, weighting, target_scale, seed
):
    """And so depends neither on the order of rows nor on that of columns."""
    rows, p = make_rows(seed)
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


def test_what_neighbours_never_differ_in_weighs_nothing():
    flag = np.arange(40) % 2
    X = np.column_stack([flag, np.random.default_rng(4).uniform(size=40)])
    fitted = NRReliefF(n_neighbors=5).fit(X, 0.5 * flag + 0.001 * X[:, 1])
    assert (fitted.weights_[0], fitted.mean_diffs_[0]) == (0, 0)


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
    np.testing.assert_allclose(fitted.mean_diffs_, [7 / 9, 1 / 3], rtol=1e-13)
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


def test_raw_distance_lets_the_largest_unit_choose_the_neighbour():
    # p follows `small`, in the rows that are neighbours by `large`; scaled, `small` decides.
    X = pd.DataFrame({"small": [0.0, 1.0, 0.1, 0.9], "large": [0.0, 1.0, 1000.0, 1001.0]})
    y = [0.0, 0.5, 0.0, 0.5]
    raw = NRReliefF(n_neighbors=1, scale="none").fit(X, y)
    # Neighbours 01 and 23: |Δp| = 0.5, diff small 1 and 0.8, large 1/1001, every time: Eq. 10 is
    # N_dθ·(0.5/0.5 − 0.5/0.5) = 0.
    np.testing.assert_allclose(raw.weights_, [0.0, 0.0], atol=1e-15)
    unfitted = NRReliefF(n_neighbors=1)
    with pytest.raises(
        ValueError, match=r"^y is the same for all neighbours, which leaves Eq\. 10 undefined$"
    ):  # neighbours 02 and 13
        unfitted.fit(X[["small"]], y)
    with pytest.raises(NotFittedError):
        unfitted.joint_importances()


# --- Properties ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [continuous, on_grid])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@given(
    seed=SEEDS,
    factor=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3),
    shift=st.floats(-10, 10),
)
@settings(max_examples=15)
def test_rescaling_a_column_does_not_matter(make, metric, seed, factor, shift):
    X, y = make(seed)
    model = NRReliefF(n_neighbors=8, metric=metric)
    expected = model.fit(X, y).weights_
    scaled = X.copy()
    scaled[:, 1] = factor * (scaled[:, 1] + shift)
    # A shift costs digits of the column, hence the tolerance.
    np.testing.assert_allclose(clone(model).fit(scaled, y).weights_, expected, rtol=0, atol=1e-9)


@given(seed=SEEDS)
@settings(max_examples=15)
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


def test_additive_function_ranks_its_terms_and_leaves_the_noise_near_zero():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(2000, 5))
    y = 0.6 * X[:, 3] + 0.3 * X[:, 0] + 0.1 * X[:, 4]
    fitted = NRReliefF().fit(X, y)
    assert list(np.argsort(-fitted.weights_)[:3]) == [3, 0, 4]
    assert np.all(np.abs(fitted.weights_[[1, 2]]) < 0.01)
    assert np.all(fitted.importances_[[1, 2]] < 0.02)


@pytest.mark.parametrize("pairs", [1, 1000])
def test_work_in_pieces_of_limited_size_is_the_same(monkeypatch, pairs):
    X, y = on_grid(7)
    expected = NRReliefF().fit(X, y).weights_
    monkeypatch.setattr(neighbours, "_PAIRS", pairs)
    monkeypatch.setattr(neighbours, "_DISTANCES", pairs)
    np.testing.assert_allclose(NRReliefF().fit(X, y).weights_, expected, rtol=0, atol=1e-12)
    of = (np.arange(60), "euclidean", 32)
    for piece, distances, _ in neighbours._search_tree(X, *of):
        assert (len(piece) - 1) * distances.shape[1] < pairs
    for piece, _, _ in neighbours._search_all(X, X[:, :1], *of):
        assert (len(piece) - 1) * len(X) < pairs


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


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_categories_of_many_levels_and_as_coordinates_agree(monkeypatch, metric):
    rng = np.random.default_rng(23)
    X = pd.DataFrame({"a": rng.integers(0, 50, 150), "b": rng.integers(0, 9, 150) / 8})
    X["c"] = rng.integers(0, 3, 150)
    y = rng.uniform(0, 0.9, 150)
    model = NRReliefF(8, metric=metric, categorical=["a", "c"])
    expected = model.fit(X, y).weights_
    tested = model.permutation_test(X, y, 1)["weight"]  # by neighbours in the others
    for levels in (2, 100):
        monkeypatch.setattr(equations, "_LEVELS", levels)
        np.testing.assert_allclose(model.fit(X, y).weights_, expected, rtol=0, atol=1e-12)
        again = model.permutation_test(X, y, 1)["weight"]
        np.testing.assert_allclose(again, tested, rtol=0, atol=1e-12)


def nearest(coordinates, codes, n_neighbors, metric):
    """By row, the numbers of the neighbours that `search` finds, up to the end of the ties."""
    order, cells = neighbours.layout(coordinates)
    every = np.arange(len(order))
    nearest = {}
    for rows, others, first in neighbours.search(
        coordinates[order], codes[order], cells, every, metric, n_neighbors
    ):
        for row, its, further in zip(rows, others, first, strict=True):
            end = [*np.flatnonzero(further[n_neighbors:]) + n_neighbors, len(its)][0]
            assert order[row] not in nearest
            nearest[order[row]] = {*order[its[:end]]}
    return nearest


def promised(values, kth):
    """What `np.argpartition` promises, and no more: only the kth is in its place."""
    order = np.argsort(values)
    return np.hstack([order[:, :kth][:, ::-1], order[:, [kth]], order[:, kth + 1 :][:, ::-1]])


@pytest.mark.parametrize("n_neighbors", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("n_codes", [0, 2])
def test_all_that_tie_with_the_last_neighbour_are_found(monkeypatch, n_codes, metric, n_neighbors):
    """On a grid of eight cells, in which every row has ties, in the cells beside it as well."""
    rng = np.random.default_rng(24)
    grid = np.hstack([rng.integers(0, 2, (400, 3)), rng.integers(0, 7, (400, 2)) / 2])
    codes = rng.integers(0, 3, (400, n_codes))
    monkeypatch.setattr(np, "argpartition", promised)
    monkeypatch.setattr(neighbours, "_search_tree", spied := Mock(wraps=neighbours._search_tree))
    found = nearest(grid, codes, n_neighbors, metric)
    if n_codes == 0 and n_neighbors < 8:
        assert len(spied.call_args_list[0].args[1]) < 400  # the others were found in their cell
    norm = neighbours._NORMS[metric]
    differ = (codes[:, None] != codes).sum(axis=2)
    apart = (cdist(grid, grid, neighbours._METRICS[metric]) ** norm + differ) ** (1 / norm)
    for row, distances in enumerate(apart):
        distances[row] = np.inf
        last = np.sort(distances)[n_neighbors - 1]
        assert found[row] == {*np.flatnonzero(distances <= last * (1 + 1e-9))}


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_the_last_neighbour_in_a_cell_may_tie_with_one_in_another(metric):
    """The third row of each cell is far, and the second nearly as far as the other cell is."""
    near = 1 - 1e-12
    rows = np.array([[0, 0], [0, near], [0, 3], [1, 0], [1, near], [1, 3]])
    found = nearest(rows, np.empty((6, 0)), 1, metric)
    assert found == {0: {1, 3}, 1: {0, 4}, 2: {5}, 3: {0, 4}, 4: {1, 3}, 5: {2}}


def test_the_nearest_may_be_in_a_cell_that_is_not_beside():
    rows = np.array([[0, 0, 0.1], [0, 0, 2.5], [0, 0, 2.9], [1, 1, 0.1]])
    assert nearest(rows, np.empty((4, 0)), 1, "manhattan")[0] == {3}


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("n_codes", [0, 1])
@pytest.mark.parametrize(("further", "tie"), [(0.7e-9, {0, 2}), (1.5e-9, {0})])
def test_distances_that_differ_by_a_billionth_are_ties(further, tie, n_codes, metric):
    rows = np.array([[0.0], [5.0], [10 + 5 * further], [100.0], [200.0]])
    assert nearest(rows, np.zeros((5, n_codes)), 1, metric)[1] == tie


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        # Two are less than the three nearest, eight more than a small cell.
        ([[0, 0.1], [0, 0.1, 0.2], [0.1] * 7, [0.1] * 8], range(2, 12)),
        ([[0, 0.1, 0.2, 5], [0, 0.1, 0.2]], [0, 1, 2, 4, 5, 6]),
        ([[0, 0.1, 0.2, 5, 7, 9], [0, 0.1, 0.2]], [0, 1, 2, 6, 7, 8]),
        ([[0, 0.1, 0.2, 5, 7, 9, 11], [0, 0.1, 0.2]], [0, 1, 2]),  # less than half
    ],
)
def test_small_cells_are_searched_while_half_of_the_rows_find_their_neighbours(
    monkeypatch, cells, found
):
    monkeypatch.setattr(neighbours, "_CELL", 7)
    corners = itertools.product((0, 1), repeat=2)
    rows = [(*corner, x) for corner, cell in zip(corners, cells, strict=False) for x in cell]
    starts = np.cumsum([0, *(len(cell) for cell in cells)])
    every = np.arange(len(rows))
    pieces = neighbours._search_cells(np.array(rows), starts, every, "euclidean", 3)
    assert [*np.concatenate([piece for piece, _, _ in pieces])] == list(found)


def test_the_mean_diff_of_a_column_is_over_all_pairs():
    rng = np.random.default_rng(25)
    every = np.arange(40)
    others = np.tile(every, (40, 1))
    for column in (
        equations.Column(rng.random(40) * 3, 3.5, False),
        equations.Column(rng.integers(0, 3, 40).astype(float), 2.0, True),
    ):
        expected = column.diff(every, others).mean()
        assert column.mean_diff() == pytest.approx(expected, rel=1e-12)


# --- Sampling ------------------------------------------------------------------------------------


def test_sampling_draws_distinct_rows_and_searches_all_for_neighbours():
    rows, p = mixed_rows(seed=8, n=5)  # and three of them twice
    possible = [
        reference_weights(rows, p, n_neighbors=2, sampled=pair)
        for pair in itertools.combinations(range(5), 2)
    ]
    model = NRReliefF(n_neighbors=2, n_iterations=2)
    drawn = set()
    for seed in range(30):
        weights = model.set_params(random_state=seed).fit(pd.DataFrame(rows), p).weights_
        hits = [i for i, w in enumerate(possible) if np.allclose(w, weights, rtol=0, atol=1e-12)]
        assert hits
        drawn.add(hits[0])
        np.testing.assert_array_equal(clone(model).fit(pd.DataFrame(rows), p).weights_, weights)
    assert len(drawn) > 5


def test_sampling_every_row_is_using_every_row():
    X, y = continuous(9)
    sampled = NRReliefF(n_neighbors=8, n_iterations=len(y), random_state=1).fit(X, y)
    np.testing.assert_array_equal(
        sampled.weights_, NRReliefF(n_neighbors=8, n_iterations=None).fit(X, y).weights_
    )


# --- The estimator -------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["range", "none"])
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


@pytest.mark.parametrize(
    ("sigma", "same_as"),
    [(1e-200, {"n_neighbors": 1}), (1e9, {"n_neighbors": 8, "weighting": "uniform"})],
)
def test_sigma_goes_from_the_nearest_neighbour_to_equal_influence(sigma, same_as):
    X, y = continuous(15)
    expected = NRReliefF(**same_as).fit(X, y).weights_
    fitted = NRReliefF(n_neighbors=8, sigma=sigma).fit(X, y)
    np.testing.assert_allclose(fitted.weights_, expected, rtol=0, atol=1e-12)


def test_shares_of_each_row():
    found = shares([[1, 3, -1], [2, 0, 2], [0, -1, -2]])
    assert found.tolist() == [[0.25, 0.75, 0], [0.5, 0, 0.5], [0, 0, 0]]


def test_no_shares_where_no_weight_is_above_zero():
    # N_dp = q, N_dθ = 1, N_dpdθ = q: W = 1 − (1 − q)/(1 − q) = 0.
    fitted = NRReliefF(n_neighbors=1).fit([[5.0, 1.0], [7.0, 3.0]], [0.25, 0.5])
    np.testing.assert_array_equal(fitted.weights_, [0.0, 0.0])
    with pytest.raises(ValueError, match="no weight is above 0"):
        fitted.joint_importances()


# --- Eq. 11 --------------------------------------------------------------------------------------


def test_joint_importances_are_eq_11_on_the_shares():
    X, y = continuous(17)
    names = ["lr", "dropout_rate", "epoch", "kernel"]
    fitted = NRReliefF(n_neighbors=8).fit(pd.DataFrame(X, columns=names), y)
    pairs = fitted.joint_importances()
    share = dict(zip(names, fitted.importances_, strict=True))
    assert list(pairs.columns) == ["first", "second", "weight"]
    for first, second, weight in pairs.itertuples(index=False):
        assert weight == pytest.approx(math.exp(share[first] + share[second] - 1), rel=1e-12)
    unnamed = NRReliefF(n_neighbors=8).fit(X, y).joint_importances()
    assert set(unnamed["first"]) | set(unnamed["second"]) == {"x0", "x1", "x2", "x3"}


def test_equal_pairs_stay_in_the_order_of_the_shares():
    names = [f"h{i}" for i in range(16)]
    raw = pd.Series([1 + i % 2 for i in range(16)], index=names)
    pairs = joint_importance(raw / raw.sum())
    expected = sorted(itertools.combinations(names, 2), key=lambda pair: -raw[list(pair)].sum())
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == expected
    assert list(pairs.index) == list(range(120))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12).filter(lambda w: sum(w) > 0.1))
@settings(max_examples=30)
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
        (pd.Series([0.5, 0.5], index=["lr", "lr"]), "'lr' is there twice"),
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
            "^n_iterations=61 is more than the 60 configurations of X, .*None uses each once$",
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


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.0, 90.0, 20.0, 60.0], "needs less than 1: scale y, as target_scale='range' does"),
        (
            [0.0, 1e31, 0.0, 0.0],
            r"^y has a range of 1e\+31, too large for Eq\. 10: scale y, or target_scale='range'$",
        ),
    ],
)
def test_a_target_that_eq_10_cannot_take(y, message):
    with pytest.raises(ValueError, match=message):
        NRReliefF(n_neighbors=2).fit([[1.0], [2.0], [3.0], [4.0]], y)


def test_too_few_rows():
    X, y = continuous(20, n=30)
    with pytest.raises(ValueError, match=r"30 sample.*31 is required for n_neighbors=30"):
        NRReliefF().fit(X, y)
