"""Functional ANOVA against hand computation, enumeration of all cells, and other programs."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hia.ranking import fanova, fanova_package
from hia.ranking.fanova import FAnova
from hia.space import HYPERPARAMETERS, SPACE, Hyperparameter, sample

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("apart", "varies"), [(0, False), (5e-13, False), (2e-12, True)])
def test_a_tree_that_is_constant_but_for_rounding_has_no_variance(apart, varies):
    # As scikit-learn stores it: x ≤ 1/4, else y ≤ 1/2, else y > 1/2.
    leaf = -1
    stored = SimpleNamespace(
        node_count=5,
        children_left=np.array([1, leaf, 3, leaf, leaf]),
        children_right=np.array([2, leaf, 4, leaf, leaf]),
        feature=np.array([0, -2, 1, -2, -2]),
        threshold=np.array([0.25, -2.0, 0.5, -2.0, -2.0]),
        value=np.array([np.nan, 0.1, np.nan, 0.1 + apart, 0.1])[:, None, None],
    )
    tree = fanova._read_tree(stored, [fanova._Scale("column 'x' of X", None)] * 2)
    # Shares 1/4, 3/8 and 3/8.
    assert tree.variance == pytest.approx(15 / 64 * apart**2 if varies else 0, rel=1e-3, abs=0)


# --- By hand: functions of few values, which every full tree finds -------------------------------


def factorial(columns, times=40):
    """Every combination of the values, so many times that no bootstrap sample misses one."""
    rows = list(itertools.product(*columns.values())) * times
    return pd.DataFrame(rows, columns=list(columns))


def levels(**choices):
    """A space of numbers that can have these values."""
    return {n: Hyperparameter(n, "float", choices=tuple(values)) for n, values in choices.items()}


def bounds(log=False, **limits):
    """A space of numbers between bounds."""
    return {name: Hyperparameter(name, "float", *pair, log=log) for name, pair in limits.items()}


def shares(X, y, space=None):
    fitted = FAnova(n_trees=4, space=space, random_state=0).fit(X, y)
    pairs = fitted.pair_importances().set_index(["first", "second"])["weight"]
    return fitted.importances_, pairs


def check(X, y, single, pair=0.0, rest=0.0, space=None, rtol=1e-13):
    """Against variances of single columns, of each pair, and of more columns together."""
    found, pairs = shares(X, y, space)
    total = sum(single) + pair * len(pairs) + rest
    np.testing.assert_allclose(found, np.array(single) / total, rtol=rtol, atol=1e-15)
    np.testing.assert_allclose(pairs, pair / total, rtol=rtol, atol=1e-15)


def test_sums_and_products():
    X = factorial({"a": [0, 1], "b": [0, 1], "c": [0, 1]})
    check(X, 3 * X["a"] - X["b"], [9, 1, 0])  # Var(3a) : Var(b) = 9 : 1
    # a·b of two coins: mean 1/4, variance 3/16. Of each alone 1/2·b: variance 1/16; rest 1/16.
    check(X[["a", "b"]], X["a"] * X["b"], [1, 1], pair=1)
    # Three columns share what no pair explains.
    X = factorial({"a": [-1, 1], "b": [-1, 1], "c": [-1, 1]})
    check(X, X.prod(axis=1), [0, 0, 0], rest=1)


def test_categories_are_uniform_and_may_interact_in_any_order():
    X = factorial({"optimizer": ["SGD", "Adam", "LBFGS", "Lion"], "flag": [0, 1]})
    # Means 0, 1, 5, 2 by optimizer: variance (0 + 1 + 25 + 4)/4 − 4 = 3.5; flag 1/4·4 = 1.
    y = X["optimizer"].map({"SGD": 0, "Adam": 1, "LBFGS": 5, "Lion": 2}) + 2 * X["flag"]
    check(X, y, [3.5, 1])
    # A good category with the flag, another one without: no order of the four shows it.
    check(X, (X["optimizer"].isin(["Adam", "Lion"])) ^ (X["flag"] == 1), [0, 0], pair=1)


def test_levels_are_uniform_whatever_their_distances():
    X = factorial({"batch_size": [32, 64, 128, 256], "kernel": [2, 3]})
    y = 4 * (X["batch_size"] == 256) + X["kernel"]
    # Variance of the first 16·3/16 = 3, of the second 1/4.
    check(X, y, [3, 1 / 4], space=levels(batch_size=(32, 64, 128, 256), kernel=(2, 3)))
    # As numbers, the cut at 192 leaves 64 of 224 above: variance 16·2/7·5/7 = 160/49.
    check(X, y, [160 / 49, 1 / 4], rtol=1e-6)
    # The second of five levels is half-way between the first and the third, where the cut is, and
    # belongs below like any value on a cut; the last two belong to the third: {1, 3}, {4, 5, 6}.
    X = factorial({"epoch": [1, 4], "kernel": [2, 3]})
    known = levels(epoch=(1, 3, 4, 5, 6))
    check(X, X["epoch"] + X["kernel"], [9 * 0.4 * 0.6, 1 / 4], space=known, rtol=1e-6)


def test_bounds_and_scales_give_the_interval():
    # Cut at 0.25: a quarter below, so 9·3/16 of variance; unbounded, the cut is in the middle.
    X = factorial({"a": [0.125, 0.375], "b": [0, 1]})
    y = 3 * (X["a"] > 0.25) + X["b"]
    check(X, y, [27 / 16, 1 / 4], space=bounds(a=(0, 1)))
    check(X, y, [9, 1])
    # From 1e-6 to 1e-2, values at 1e-5 and 1e-3: cut at 1e-4, half-way on the logarithm.
    X = factorial({"lr": [1e-5, 1e-3], "b": [0, 1]})
    y = 3 * (X["lr"] > 1e-4) + X["b"]
    limits = (1e-6, 1e-2)
    check(X, y, [9, 1], space=bounds(log=True, lr=limits), rtol=1e-6)  # 24 bits of the forest
    below = (0.5 * (1e-5 + 1e-3) - 1e-6) / (1e-2 - 1e-6)
    check(X, y, [9 * below * (1 - below), 1 / 4], space=bounds(lr=limits), rtol=1e-6)


def test_marginals_of_a_step():
    X = factorial({"lr": [1e-5, 1e-3], "kernel": [2, 3, 4], "optimizer": ["SGD", "Adam"]})
    y = 10 + 3 * (X["lr"] > 1e-4) + X["kernel"] + (X["optimizer"] == "SGD")
    known = levels(kernel=(2, 3, 4)) | bounds(log=True, lr=(1e-6, 1e-2))
    fitted = FAnova(n_trees=4, space=known, random_state=0).fit(X, y)
    curve = fitted.marginal("lr", [1e-6, 9e-5, 1.1e-4, 1e-2])
    assert list(curve.columns) == ["value", "mean", "std"]
    np.testing.assert_allclose(curve["mean"], [13.5, 13.5, 16.5, 16.5], rtol=1e-6)
    np.testing.assert_allclose(curve["std"], 0, atol=1e-6)
    default = fitted.marginal(0)["value"]
    np.testing.assert_allclose(default, np.geomspace(1e-6, 1e-2, 101), rtol=1e-12)
    kernel = fitted.marginal("kernel")
    assert kernel["value"].tolist() == [2, 3, 4]
    np.testing.assert_allclose(kernel["mean"], [14, 15, 16], rtol=1e-6)
    optimizer = fitted.marginal("optimizer")
    assert optimizer["value"].tolist() == ["Adam", "SGD"]  # the worse one first
    np.testing.assert_allclose(optimizer["mean"], [14.5, 15.5], rtol=1e-6)
    again = fitted.marginal("optimizer", ["SGD"])
    np.testing.assert_array_equal(again["mean"], optimizer["mean"][1:])


def test_points_of_a_curve_are_even_on_the_scale_and_within_the_bounds():
    linear = fanova._Scale("column 'x' of X", None, 0.5, 2.5, False)
    np.testing.assert_allclose(linear.grid(), np.linspace(0.5, 2.5, 101), rtol=1e-15)
    for low in np.random.default_rng(16).uniform(1e-7, 1e-3, 100):
        points = fanova._Scale("column 'x' of X", None, low, 1e3 * low, True).grid()
        assert points[0] >= low  # a logarithm taken and back may be less
        assert points[-1] <= 1e3 * low
        np.testing.assert_allclose(points, np.geomspace(low, 1e3 * low, 101), rtol=1e-12)


def test_categories_are_in_the_order_of_their_means_and_equal_ones_of_their_names():
    X = pd.DataFrame({"optimizer": ["SGD"] * 6 + ["LBFGS", "Lion", "Adam", "Adam", "Lion"]})
    y = [0.25] * 6 + [0.0, 0.75, 0.5, 1.0, 0.75]  # SGD is there more often, but not the worst
    for order in (slice(None), slice(None, None, -1)):
        fitted = FAnova(n_trees=2, random_state=0).fit(X[order], y[order])
        assert fitted.marginal("optimizer")["value"].tolist() == ["LBFGS", "SGD", "Adam", "Lion"]


def test_the_spread_of_a_marginal_is_over_the_trees():
    rng = np.random.default_rng(1)
    X, y = rng.random((60, 2)), rng.random(60)
    fitted = FAnova(n_trees=5, random_state=0).fit(X, y)
    curve = fitted.marginal(1, [0.2, 0.7])
    by_tree = []
    for estimator in fitted._forest.estimators_:
        # By enumeration, in the code of the forest: shares of the ranges of the columns.
        first = cells_of(estimator, fitted, 0)
        second = (np.array([0.2, 0.7]) - X[:, 1].min()) / np.ptp(X[:, 1])
        grid = np.array(list(itertools.product(second, first["points"])))
        predicted = estimator.predict(grid[:, ::-1].astype(np.float32)).reshape(2, -1)
        by_tree.append(fitted._middle + fitted._spread * (predicted @ first["weights"]))
    np.testing.assert_allclose(curve["mean"], np.mean(by_tree, axis=0), rtol=1e-12)
    np.testing.assert_allclose(curve["std"], np.std(by_tree, axis=0), rtol=1e-10)
    assert (curve["std"] > 0).all()


# --- By enumeration ------------------------------------------------------------------------------


def cells_of(estimator, fitted, k):
    """A point in every cell of one column of one tree, and the share of the measure it has."""
    tree, scale = estimator.tree_, fitted._scales[k]
    if scale.levels is not None:
        n = len(scale.levels)
        return {"points": np.arange(n), "weights": np.full(n, 1 / n)}
    cuts = np.unique([0, *tree.threshold[tree.feature == k], 1])
    return {"points": (cuts[1:] + cuts[:-1]) / 2, "weights": np.diff(cuts)}


def enumerated(estimator, fitted):
    """Variance of a tree: all of it, of single columns, and of pairs, from all cells."""
    n_columns = fitted.n_features_in_
    cells = [cells_of(estimator, fitted, k) for k in range(n_columns)]
    grid = np.array(list(itertools.product(*(c["points"] for c in cells))))
    values = estimator.predict(grid.astype(np.float32))
    values = values.reshape([len(c["points"]) for c in cells])
    weights = [c["weights"] for c in cells]

    def mean_over_all_but(kept):
        marginal = values
        for k in reversed(range(n_columns)):
            if k not in kept:
                marginal = np.tensordot(marginal, weights[k], axes=(k, 0))
        return marginal

    mean = mean_over_all_but([])
    total = (values - mean) ** 2
    for w in reversed(weights):
        total = total @ w
    single = [(mean_over_all_but([k]) - mean) ** 2 @ weights[k] for k in range(n_columns)]
    pairs = {
        (a, b): weights[a] @ (mean_over_all_but([a, b]) - mean) ** 2 @ weights[b]
        - single[a]
        - single[b]
        for a, b in itertools.combinations(range(n_columns), 2)
    }
    return total, np.array(single), pairs


def mixed(seed, n=40):
    """Continuous, logarithmic, integer and categorical columns; performance without a rule."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "dropout_rate": rng.uniform(0, 0.9, n),
            "lr": 10 ** rng.uniform(-6, -1, n),
            "batch_size": rng.choice([32, 64, 128, 256], n),
            "activation": rng.choice(["relu", "tanh", "gelu"], n),
        }
    )
    X.loc[:2, "activation"] = ["relu", "tanh", "gelu"]
    return X, rng.uniform(0, 0.9, n)


MIXED = (
    bounds(log=True, lr=(1e-6, 1e-1))
    | bounds(dropout_rate=(0, 1))
    | levels(batch_size=(16, 32, 64, 128, 256))
)


@pytest.mark.parametrize(
    ("seed", "min_samples_leaf", "cells"),
    [(0, 1, fanova._CELLS), (0, 4, 50), (1, 1, 1), (1, 4, fanova._CELLS)],
)
def test_equals_the_enumeration_of_all_cells(monkeypatch, seed, min_samples_leaf, cells):
    monkeypatch.setattr(fanova, "_CELLS", cells)  # rows of a pair's grid taken at once
    X, y = mixed(seed)
    options = {"n_trees": 3, "min_samples_leaf": min_samples_leaf, "random_state": seed}
    fitted = FAnova(**options, space=MIXED).fit(X, y)
    pair_shares = []
    for estimator, shares_of_tree in zip(
        fitted._forest.estimators_, fitted.tree_importances_, strict=True
    ):
        total, single, pairs = enumerated(estimator, fitted)
        np.testing.assert_allclose(shares_of_tree, single / total, rtol=0, atol=1e-13)
        pair_shares.append({pair: value / total for pair, value in pairs.items()})
    np.testing.assert_allclose(
        fitted.importances_, fitted.tree_importances_.mean(axis=0), rtol=1e-14
    )
    columns = list(X.columns)
    found = fitted.pair_importances()
    assert len(found) == 6
    assert found["weight"].is_monotonic_decreasing
    for first, second, weight in found.itertuples(index=False):
        pair = (columns.index(first), columns.index(second))
        expected = np.mean([of_tree[pair] for of_tree in pair_shares])
        assert weight == pytest.approx(expected, abs=1e-13)


# --- Other programs ------------------------------------------------------------------------------


def synthetic_trials(seed, n):
    """Configurations of Table 1 and an accuracy that follows some of the hyperparameters."""
    rng = np.random.default_rng(seed)
    channels = SPACE["in_channel_num"]
    rows = [{**sample(rng), "in_channel_num": channels.sample(rng)} for _ in range(n)]
    X = pd.DataFrame(rows)[list(HYPERPARAMETERS)]
    y = (
        0.5
        - 0.03 * (np.log10(X["lr"]) + 3) ** 2
        - 0.2 * X["dropout_rate"] * (X["optimizer"] == "SGD")
        + 0.01 * X["epoch"]
        + 0.1 * (X["batch_size"] == 256)
        + rng.normal(0, 0.02, n)
    )
    return X, y


@pytest.mark.skipif(
    not fanova_package.available(), reason="the fanova package could not be compiled here"
)
def test_agrees_with_the_authors_package():
    X, y = synthetic_trials(3, 400)
    continuous = ["lr", "dropout_rate", "num_fc_units"]
    discrete = [name for name in X.columns if name not in continuous]
    theirs = fanova_package.importances(X, y, categorical=discrete, min_samples_leaf=3)
    known = {n: Hyperparameter(n, "categorical", choices=tuple(set(X[n]))) for n in discrete}
    known |= bounds(log=True, lr=(X["lr"].min(), X["lr"].max()))
    ours = FAnova(min_samples_leaf=3, space=known, random_state=0).fit(X, y)
    # Given the rows, trees are drawn independently, so a mean over 16 of them has a standard error
    # of a quarter of their standard deviation. What else differs: their nodes choose from 70% of
    # the columns, ours from all.
    error = np.hypot(theirs["std"], ours.tree_importances_.std(axis=0)) / 4
    assert (np.abs(theirs["weight"] - ours.importances_) < 4 * error + 0.02).all()
    relevant = {"lr", "dropout_rate", "optimizer", "epoch", "batch_size"}
    for found in (theirs["weight"], pd.Series(ours.importances_, X.columns)):
        assert set(found.nlargest(5).index) == relevant
        assert found.idxmax() == "lr"
        assert found.drop(list(relevant)).max() < 0.01
    # The six irrelevant columns may come in any order: turned round, they leave 0.68.
    assert spearmanr(theirs["weight"], ours.importances_).statistic > 0.65


# --- Properties ----------------------------------------------------------------------------------


@given(seed=SEEDS)
@settings(max_examples=8)
def test_two_columns_and_their_pair_are_all_there_is(seed):
    X, y = mixed(seed)
    single, pairs = shares(X[["lr", "activation"]], y, bounds(log=True, lr=(1e-6, 1e-1)))
    assert single.sum() + pairs.sum() == pytest.approx(1, abs=1e-12)
    single, _ = shares(X[["lr"]], y)
    assert single[0] == pytest.approx(1, abs=1e-12)


@given(seed=SEEDS)
@settings(max_examples=8)
def test_neither_the_order_of_rows_nor_names_of_categories_matter(seed):
    X, y = mixed(seed)
    y = y.round(1)  # with ties
    model = FAnova(n_trees=3, random_state=1, space=MIXED)
    expected = model.fit(X, y)
    order = np.random.default_rng(seed).permutation(len(y))
    renamed = X["activation"].map({"relu": "z", "tanh": "a", "gelu": "m"})
    other = clone(model).fit(X.assign(activation=renamed).iloc[order], y[order])
    np.testing.assert_array_equal(other.tree_importances_, expected.tree_importances_)
    pd.testing.assert_frame_equal(other.pair_importances(), expected.pair_importances())


@given(seed=SEEDS)
@settings(max_examples=8)
def test_a_logarithm_declared_is_a_logarithm_taken(seed):
    X, y = mixed(seed)
    model = FAnova(n_trees=3, random_state=1)
    taken = model.fit(X.assign(lr=np.log(X["lr"])), y)
    limits = (X["lr"].min(), X["lr"].max())
    declared = clone(model).set_params(space=bounds(log=True, lr=limits)).fit(X, y)
    np.testing.assert_array_equal(declared.tree_importances_, taken.tree_importances_)


@pytest.mark.parametrize(("factor", "shift"), [(2.0**-40, 0.0), (2.0**40, 0.0), (1.0, 2.0**20)])
def test_unit_and_mean_of_the_target_do_not_matter(factor, shift):
    X, y = mixed(5)
    y = np.round(y * 2**20) / 2**20  # all sums and products here are exact
    model = FAnova(n_trees=3, random_state=1, space=MIXED)
    expected = model.fit(X, y)
    marginal = expected.marginal("lr")
    scaled = clone(model).fit(X, factor * y + shift)
    np.testing.assert_array_equal(scaled.tree_importances_, expected.tree_importances_)
    curve = scaled.marginal("lr")
    np.testing.assert_allclose(curve["mean"], factor * marginal["mean"] + shift, rtol=1e-15)
    np.testing.assert_allclose(curve["std"], factor * marginal["std"], rtol=1e-12)


# --- The estimator -------------------------------------------------------------------------------


def test_two_values_are_the_same_as_number_level_and_category():
    rng = np.random.default_rng(10)
    X = pd.DataFrame({"flag": rng.integers(0, 2, 50).astype(bool), "lr": rng.random(50)})
    y = X["lr"] + X["flag"] * rng.random(50)  # the mean is higher with the flag
    expected = FAnova(n_trees=3, random_state=0).fit(X, y).tree_importances_
    for known in (
        {"flag": Hyperparameter("flag", "categorical", choices=(0, 1))},
        levels(flag=(0, 1)),
        {0: Hyperparameter("flag", "integer", 0, 1)},
    ):
        found = FAnova(3, space=known, random_state=0).fit(X.astype({"flag": "Int64"}), y)
        np.testing.assert_array_equal(found.tree_importances_, expected)


def test_the_papers_space():
    X, y = synthetic_trials(11, 400)
    fitted = FAnova(8, space=SPACE, random_state=0).fit(X, y)
    assert fitted.feature_names_in_[np.argmax(fitted.importances_)] == "lr"
    assert fitted.marginal("num_fc_units")["value"].tolist() == list(range(8, 257))
    with pytest.raises(ValueError, match=r"'num_fc_units' of X has 7\.0, which is none of 8\.0"):
        fitted.marginal("num_fc_units", [7])
    # On a logarithm, and in wide ranges, integers are as good as fractions.
    for unlike in ({"log": True}, {"high": 1009}):
        known = {"num_fc_units": replace(SPACE["num_fc_units"], **unlike)}
        assert len(FAnova(1, space=known).fit(X, y).marginal("num_fc_units")) == 101
    known = {"num_fc_units": replace(SPACE["num_fc_units"], high=1008)}
    assert len(FAnova(1, space=known).fit(X, y).marginal("num_fc_units")) == 1001
    assert fitted.marginal("batch_size")["value"].tolist() == [32, 64, 128, 256]
    assert fitted.marginal("optimizer")["value"].tolist() == ["SGD", "Adam"]
    np.testing.assert_allclose(
        fitted.marginal("lr")["value"], np.geomspace(1e-6, 1e-1, 101), rtol=1e-12
    )


def test_constant_trees_are_left_out_of_the_average():
    X, y = [[0.0], [1.0], [2.0]], [1.0, 1.0, 2.0]  # the third row is in 19 of 27 samples
    fitted = FAnova(n_trees=40, random_state=0).fit(X, y)
    constant = np.isnan(fitted.tree_importances_[:, 0])
    assert 0 < constant.sum() < 40
    np.testing.assert_allclose(fitted.tree_importances_[~constant], 1, rtol=1e-13)
    assert fitted.importances_[0] == pytest.approx(1, rel=1e-13)
    assert (fitted.marginal(0)["std"] > 0).any()
    with pytest.raises(ValueError, match="column 0 of X has 3, which is outside its bounds 0 and"):
        fitted.marginal(0, [3])
    assert FAnova().fit(X[1:], y[1:]).tree_importances_.shape == (16, 1)
    two = FAnova(n_trees=40, random_state=0).fit(np.hstack([X, X[::-1]]), y)
    assert two.pair_importances()["weight"].between(0, 1).all()


def test_no_column_explains_more_than_everything():
    """A single column explains all, and by rounding up to 4e-16 more."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = FAnova(n_trees=4, random_state=seed).fit(rng.random((50, 1)), rng.random(50))
        assert found.tree_importances_.max() <= 1


def test_equal_pairs_stay_in_the_order_of_the_columns():
    names = [f"h{i}" for i in range(8)]
    rng = np.random.default_rng(17)
    X = pd.DataFrame(rng.random((40, 8)), columns=names)
    X[names[:6]] = 0.5
    known = bounds(**dict.fromkeys(names, (0, 1)))
    found = FAnova(2, space=known, random_state=0).fit(X, X["h6"] * X["h7"]).pair_importances()
    assert list(found.index) == list(range(28))
    pairs = list(zip(found["first"], found["second"], strict=True))
    assert pairs == [("h6", "h7"), *itertools.combinations(names, 2)][:28]
    assert (found["weight"][1:] == 0).all()


@pytest.mark.parametrize("known", [bounds(epoch=(1, 10)), levels(epoch=(1, 2))])
def test_a_constant_column_of_declared_range_has_no_importance(known):
    rng = np.random.default_rng(13)
    X = pd.DataFrame({"lr": rng.random(40), "epoch": 1})
    fitted = FAnova(3, space=known, random_state=0).fit(X, X["lr"])
    assert fitted.importances_[1] == 0
    assert fitted.pair_importances()["weight"].tolist() == [0]
    assert np.ptp(fitted.marginal("epoch")["mean"]) == 0


def test_results_need_a_fit():
    model = FAnova(n_trees=2, min_samples_leaf=40)
    with pytest.raises(ValueError, match=r"^every tree is constant: .* min_samples_leaf=40"):
        model.fit(*mixed(14))
    for question in (model.pair_importances, lambda: model.marginal(0)):
        with pytest.raises(NotFittedError):
            question()


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trees": 0}, "n_trees=0 is not a whole number"),
        ({"min_samples_leaf": 0.1}, "min_samples_leaf=0.1"),
        ({"space": bounds(lr=(1, 1))}, "'lr' of X goes from 1 to 1 in the space: leave it out"),
        (
            {"space": bounds(lr=(0, 1e-9))},
            "'lr' of X has .*, which is outside its bounds 0 and 1e-",
        ),
        ({"space": levels(batch_size=range(1, 9))}, r"none of 1\.0, (\d\.0, ){6}8\.0$"),
        ({"space": levels(batch_size=range(1, 10))}, r"none of 1\.0, .*4\.0, \.\.\., 8\.0, 9\.0$"),
    ],
)
def test_wrong_options(options, message):
    X, y = mixed(14)
    with pytest.raises(ValueError, match=message):
        FAnova(**{"n_trees": 2, **options}).fit(X, y)


def test_wrong_values_of_a_declared_column():
    X = pd.DataFrame({"epoch": [1, 2, 3, 4], "lr": [0.1, 0.2, np.inf, 0.3]})
    y = [0.1, 0.2, 0.3, 0.4]
    with pytest.raises(ValueError, match="has inf, which is outside its bounds 0 and 1"):
        FAnova(space=bounds(lr=(0, 1))).fit(X, y)
    with pytest.raises(ValueError, match=r"has inf, which is none of 0\.1, 0\.2, 0\.3"):
        FAnova(space=levels(lr=(0.1, 0.2, 0.3))).fit(X, y)
    with pytest.raises(ValueError, match="has one value only: leave it out, or declare its bounds"):
        FAnova().fit(X.assign(lr=0.1), y)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("lrr", None, "column: 'lrr' is not a column of X; there are 4 columns"),
        (4, None, "column: 4 is not a column"),
        ("lr", [1e-3, 1.0], "'lr' of X has 1, which is outside its bounds 1e-06 and"),
        ("lr", [np.nan], "has nan, which is outside its bounds"),
        ("batch_size", [48], r"'batch_size' of X has 48\.0, which is none of 16\.0"),
        ("batch_size", ["a"], r"'batch_size' of X \(str\) is neither all numbers nor all text"),
        ("activation", ["elu"], "'activation' of X has elu, which is none of"),
        ("lr", ["a"], r"'lr' of X \(str\) is neither all numbers nor all text"),
    ],
)
def test_wrong_questions_to_a_marginal(column, values, message):
    X, y = mixed(15)
    fitted = FAnova(n_trees=2, random_state=0, space=MIXED).fit(X, y)
    with pytest.raises(ValueError, match=message):
        fitted.marginal(column, values)
