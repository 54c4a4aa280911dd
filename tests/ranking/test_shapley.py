"""Games of coalitions against predictions one by one, Shapley values against all permutations."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from hia.ranking.shapley import explain, game_values, shapley
from hia.space import HYPERPARAMETERS, SPACE, Hyperparameter, sample


def forest_of(width: int, n_trees: int = 6) -> tuple[RandomForestRegressor, np.ndarray]:
    """Fitted to numbers and levels of which all interact, and its rows."""
    rng = np.random.default_rng(width)
    X = rng.random((150, width))
    X[:, ::2] = rng.integers(4, size=X[:, ::2].shape)
    y = X.sum(axis=1) + X.prod(axis=1) + rng.normal(0, 0.1, len(X))
    return RandomForestRegressor(n_trees, random_state=0).fit(X, y), X


def predict_all(model: RandomForestRegressor, samples: np.ndarray, default: np.ndarray) -> list:
    """By coalition, (T, n): the trees' predictions, one by one."""
    tables = []
    for coalition in range(1 << len(default)):
        inside = coalition >> np.arange(len(default)) & 1 == 1
        mixed = np.where(inside, samples, default)
        tables.append(np.array([tree.predict(mixed) for tree in model.estimators_]))
    return tables


WEIGHTS = np.array([[1 / 6] * 6, [0, 1, 0, 0, 0, 0], [0.5, 0, 0, 0, 0.25, 0.25]])


@pytest.mark.parametrize("width", [1, 3, 7])
def test_games_are_those_of_predictions_one_by_one(width: int) -> None:
    """Of all trees alike, and of trees with weights; of more samples than are worked on at once."""
    model, X = forest_of(width)
    for default in (X[1], X.min(axis=0) - 1, X.mean(axis=0))[: 8 - width]:
        trees = np.array(predict_all(model, X, default))
        for samples in (X, np.tile(X, (15, 1)))[: 5 - width]:
            games = {
                "tunability": lambda values: values.max(axis=1) - values[0, 0],
                "sensitivity": lambda values: values.var(axis=1),
            }
            for game, expected in games.items():
                found = game_values(game, model, samples, default)
                values = [expected(np.einsum("t,stn->sn", row, trees)) for row in WEIGHTS]
                assert found[0] == pytest.approx(values[0], abs=1e-12)
                weighted = game_values(game, model, samples, default, WEIGHTS)
                assert weighted == pytest.approx(np.array(values), abs=1e-12)
        one = game_values("ablation", model, X[5:6], default)[0]
        values = trees.mean(axis=1)
        assert one == pytest.approx(values[:, 5] - values[0, 5], abs=1e-12)


def test_numbers_are_compared_in_the_digits_that_trees_see() -> None:
    # scikit-learn rounds to float32 and compares with thresholds in float64.
    X = np.float32(1) + np.arange(8, dtype=np.float32)[:, None] * np.finfo(np.float32).eps
    model = RandomForestRegressor(5, random_state=0).fit(X, np.arange(8.0))
    between = X.astype(np.float64) + 0.4 * np.finfo(np.float32).eps
    values = game_values("ablation", model, between[6:7], between[1])[0]
    assert values[1] == pytest.approx(np.diff(model.predict(between[[1, 6]]))[0], abs=1e-12)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_shapley_values_are_the_mean_over_permutations(width: int) -> None:
    game = np.random.default_rng(width).normal(size=1 << width)
    expected = np.zeros(width)
    orders = list(permutations(range(width)))
    for order in orders:
        before = 0
        for player in order:
            expected[player] += (game[before | 1 << player] - game[before]) / len(orders)
            before |= 1 << player
    assert shapley(game, 1) == pytest.approx(expected)
    assert shapley(game, 1).sum() == pytest.approx(game[-1] - game[0])


@pytest.mark.parametrize("width", [2, 3, 5])
def test_an_interaction_is_the_mean_over_permutations_in_which_the_pair_is_one(width: int) -> None:
    games = np.random.default_rng(width).normal(size=(2, 1 << width))
    for place, pair in enumerate(combinations(range(width), 2)):
        a, b = (1 << player for player in pair)
        others = [player for player in range(width) if player not in pair]
        orders = list(permutations([*others, -1]))
        expected = np.zeros(2)
        for order in orders:
            before = sum(1 << player for player in order[: order.index(-1)])
            expected += games[:, before | a | b] + games[:, before]
            expected -= games[:, before | a] + games[:, before | b]
        assert shapley(games, 2)[:, place] == pytest.approx(expected / len(orders))


def test_what_is_no_game_is_refused() -> None:
    model, X = forest_of(2)
    with pytest.raises(ValueError, match="no game 'mistunability'; there are ablation"):
        game_values("mistunability", model, X, X[0])
    wide = np.random.default_rng(0).random((20, 17))
    model = RandomForestRegressor(2, random_state=0).fit(wide, wide[:, 0])
    with pytest.raises(ValueError, match="17 hyperparameters have 2\\^17 coalitions: name 16"):
        game_values("tunability", model, wide, wide[0])


PARTS = [
    Hyperparameter("loss", "categorical", choices=("hinge", "log", "squared", "never")),
    Hyperparameter("depth", "integer", low=0, high=1),
    Hyperparameter("width", "integer", low=0, high=1),
    Hyperparameter("rate", "float", low=1e-4, high=1.0, log=True),
]
START = {"loss": "log", "depth": 0, "width": 0, "rate": 1e-2}


def table_of(n: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """3 for the squared loss, 2 for depth and width together; the rate does nothing."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({part.name: [part.sample(rng) for _ in range(n)] for part in PARTS})
    X["loss"] = X["loss"].replace("never", "hinge")
    return X, np.asarray(3.0 * (X["loss"] == "squared") + 2.0 * X["depth"] * X["width"])


def test_tunability_and_ablation_of_a_known_function() -> None:
    X, y = table_of()
    best = {"loss": "squared", "depth": 1, "width": 1, "rate": 0.5}
    for game, configuration in (("tunability", None), ("ablation", best)):
        result = explain(game, X, y, PARTS, START, configuration, n_trees=40, n_bootstrap=5)
        assert result.table["value"].tolist() == pytest.approx([3, 1, 1, 0], abs=0.02)
        assert result.table.index.tolist() == ["loss", "depth", "width", "rate"]
        first = result.pairs.iloc[0]
        assert (first["first"], first["second"]) == ("depth", "width")
        assert first["value"] == pytest.approx(2, abs=0.02)
        assert result.pairs["value"][1:].abs().max() < 0.05
        assert result.total == pytest.approx(result.table["value"].sum())
        assert result.total == pytest.approx(5, abs=0.02)
        assert (result.default, result.typical) == (START, [])
    worse = explain("tunability", X, y, PARTS, START, maximize=False, n_trees=40)
    assert worse.table["value"].tolist() == pytest.approx([0, 0, 0, 0], abs=0.02)
    loss = explain("tunability", X, 7 - 1e-9 * y, PARTS, START, maximize=False, n_trees=40)
    assert (1e9 * loss.table["value"]).tolist() == pytest.approx([3, 1, 1, 0], abs=0.02)


def test_sensitivity_of_a_known_function() -> None:
    # Of the three losses that occur one has 3; depth and width are both 1 in a quarter.
    options = {"n_samples": 20_000, "n_trees": 5, "n_bootstrap": 0}
    table = explain("sensitivity", *table_of(), PARTS, START, **options).table
    assert table["value"].tolist() == pytest.approx([2, 0.375, 0.375, 0], rel=0.05, abs=0.05)


def test_the_default_is_the_readers_or_the_hyperparameters_own_or_typical() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame([{**sample(rng), "in_channel_num": 3} for _ in range(60)])
    X.loc[:10, "in_channel_num"] = 1
    columns = [SPACE[name] for name in HYPERPARAMETERS]
    y = X["dropout_rate"]
    result = explain("tunability", X, y, columns, {"epoch": 7}, n_samples=10, n_trees=3)
    own = {name: SPACE[name].default for name in HYPERPARAMETERS}
    # Table 1 has 0 channels, of 1 and 3 that are possible.
    assert result.default == own | {"epoch": 7, "in_channel_num": 3}
    assert result.typical == ["in_channel_num"]
    X, y = table_of(99)
    X["depth"] = [0] * 49 + [1] * 50
    result = explain("sensitivity", X, y, PARTS, n_samples=10, n_trees=3)
    assert result.typical == [part.name for part in PARTS]
    rate = float(np.sort(X["rate"])[49])
    usual = {"loss": "hinge", "depth": 1, "width": X["width"].median(), "rate": rate}
    assert result.default == usual


def test_neither_the_rows_order_nor_names_of_categories_matter() -> None:
    X, y = table_of()
    y = y + np.random.default_rng(1).normal(0, 0.3, len(y))
    names = {"hinge": "z", "log": "a", "squared": "m", "never": "b"}
    renamed = [Hyperparameter("loss", "categorical", choices=tuple(names.values())), *PARTS[1:]]
    rows = np.random.default_rng(2).permutation(len(X))
    options = {"n_trees": 5, "n_bootstrap": 3}
    expected = explain("sensitivity", X, y, PARTS, START, **options)
    data, start = (X.iloc[rows].replace({"loss": names}), y[rows]), START | {"loss": "a"}
    shuffled = explain("sensitivity", *data, renamed, start, **options)
    pd.testing.assert_frame_equal(shuffled.table, expected.table)
    pd.testing.assert_frame_equal(shuffled.pairs, expected.pairs)


@pytest.mark.slow
def test_intervals_have_the_value_of_a_large_forest() -> None:
    X, y = table_of(120)
    y = y + np.random.default_rng(1).normal(0, 1.0, len(y))
    best = {"loss": "squared", "depth": 1, "width": 1, "rate": 0.5}
    large = explain("ablation", X, y, PARTS, START, best, n_trees=600, n_bootstrap=0)
    assert large.table[["low", "high"]].isna().all(axis=None)
    inside = []
    for seed in range(10):
        table = explain("ablation", X, y, PARTS, START, best, n_trees=60, random_state=seed).table
        inside += [*large.table["value"].between(table["low"], table["high"])]
    assert np.mean(inside) >= 0.85


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"configuration": START}, "ablation needs a configuration, and no other game"),
        ({"game": "ablation"}, "ablation needs a configuration"),
        ({"default": {"speed": 1}}, "'speed' is none of the hyperparameters loss, depth"),
        ({"default": {"rate": 7}}, "column 'rate' has 7"),
        ({"game": "ablation", "configuration": {"loss": "log"}}, "no column 'depth'"),
        ({"default": {"rate": None}}, "column 'rate' has missing values"),
        ({"default": {"loss": "huber"}}, "column 'loss' has 'huber'"),
        ({"n_samples": 0}, "n_samples=0 is not a whole number"),
        ({"X": table_of()[0].assign(rate=np.nan)}, "column 'rate' has missing values"),
        ({"X": table_of()[0].drop(columns="width")}, "no column 'width'"),
        ({"y": np.ones(400)}, "y has one value only"),
    ],
)
def test_bad_input_is_named(change: dict, message: str) -> None:
    X, y = table_of()
    given = {"game": "tunability", "X": X, "y": y, "hyperparameters": PARTS} | change
    with pytest.raises(ValueError, match=message):
        explain(**given)
