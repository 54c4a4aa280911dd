"""hia_book.screening: designs of every size, levels, and effects against closed forms."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from hia import space, trials
from hia_book import screening
from hia_book.screening import code, configs, design, effects, levels, pooled, rank_sum, screen

# The first rows of Plackett and Burman's cyclic designs, by number of runs (1946, pages 323-324).
PUBLISHED = {
    8: "+++-+--",
    12: "++-+++---+-",
    20: "++--++++-+-+----++-",
    24: "+++++-+-++--++--+-+----",
}
NAMES = list("abcdefghijk")
ROOT = Path(__file__).parents[2]


def folded(names: list[str] = NAMES) -> pd.DataFrame:
    return pd.DataFrame(design(len(names)), columns=names)


# Designs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold_over", [False, True])
def test_designs_of_all_sizes_are_orthogonal_and_balanced(fold_over):
    for n in [*range(1, 32), 59, 60]:
        signs = design(n, fold_over)
        assert signs.dtype == np.int8
        # 27 is no prime and 28 no power of 2; all other multiples of 4 here have a design.
        smallest = 32 if 24 <= n < 32 else 4 * (n // 4 + 1)
        assert signs.shape == (smallest * (1 + fold_over), n)
        runs = signs.astype(int)
        assert set(np.unique(runs)) == {-1, 1}
        np.testing.assert_array_equal(runs.T @ runs, len(runs) * np.eye(n, dtype=int))
        np.testing.assert_array_equal(runs.sum(axis=0), 0)
        if fold_over:
            half = design(n, fold_over=False)
            np.testing.assert_array_equal(runs, [*half, *-half])
            assert (screening.aliases(runs) == 0).all(axis=None)


@pytest.mark.parametrize(("runs", "row"), PUBLISHED.items())
def test_designs_are_those_that_plackett_and_burman_printed(runs, row):
    """All cyclic shifts of the printed row, and a run with all factors at their low level."""
    signs = np.array([1 if sign == "+" else -1 for sign in row])
    printed = {tuple(np.roll(signs, shift)) for shift in range(len(row))} | {(-1,) * len(row)}
    ours = design(runs - 1, fold_over=False)
    assert len(ours) == runs
    assert {tuple(run) for run in ours} == printed
    np.testing.assert_array_equal(ours[0], signs)


def test_the_recorded_runs_are_those_of_the_design():
    table = trials.load(ROOT / "data" / "screening.parquet", "screening")
    for _, rows in table.groupby("dataset"):
        runs = rows.drop_duplicates("run").sort_values("run")
        np.testing.assert_array_equal(code(runs), design(11))


@pytest.mark.parametrize("pair", [("a", "b"), ("c", "k")])
def test_aliases_are_what_an_interaction_adds_to_the_main_effects(pair):
    runs = pd.DataFrame(design(11, fold_over=False), columns=NAMES)
    y = 0.5 + 0.1 * (runs[pair[0]] * runs[pair[1]])  # an interaction of 0.2 and nothing else
    found = effects(runs, np.column_stack([y, y]))["effect"]
    mixed = screening.aliases(runs)
    np.testing.assert_allclose(found, 0.2 * mixed[pair], atol=1e-12)
    assert found.abs().max() > 0.05
    assert mixed.index.name == "hyperparameter"
    assert list(mixed.index) == NAMES
    assert mixed.columns.names == ["first", "second"]
    assert list(mixed.columns) == list(itertools.combinations(NAMES, 2))
    unnamed = screening.aliases(runs.to_numpy())
    assert list(unnamed.columns) == list(itertools.combinations(range(11), 2))


@pytest.mark.parametrize("n", [0, 2.5, "11"])
def test_a_wrong_number_of_factors_is_named(n):
    with pytest.raises(ValueError, match=rf"n_factors={n!r} is not a whole number"):
        design(n)


# Levels ---------------------------------------------------------------------------------------


def test_levels_are_stated():
    at = levels()
    assert at.index.name == "hyperparameter"
    assert list(zip(at.index, at["low"], at["high"], strict=True)) == [
        ("num_conv_layers", 1, 3),
        ("lr", pytest.approx(10**-4.75), pytest.approx(10**-2.25)),
        ("dropout_rate", pytest.approx(0.225), pytest.approx(0.675)),
        *[("optimizer", "Adam", "SGD"), ("epoch", 3, 8), ("stride", 1, 2)],
        *[("in_channel_num", 1, 3), ("padding", 0, 1), ("kernel", 2, 3)],
        *[("num_fc_units", 70, 194), ("batch_size", 32, 256)],
    ]
    drawn = at["drawn"][["lr", "dropout_rate", "epoch", "optimizer"]].tolist()
    assert drawn[:2] == ["log-uniform from 1e-06 to 0.1", "uniform from 0 to 0.9"]
    assert drawn[2:] == ["a whole number from 1 to 10", "one of Adam, SGD"]
    assert list(at["label"]) == [space.SPACE[name].label for name in at.index]


def test_quartiles_of_a_range_that_does_not_start_at_0():
    row = space.Hyperparameter("momentum", "float", 0.5, 0.9, default=0.5)
    assert screening._quartiles(row) == (pytest.approx(0.6), pytest.approx(0.8))


def test_configurations_are_in_the_space_and_at_the_levels_and_are_found_again():
    coded, at = design(11), levels()
    configurations = configs(coded)
    assert len(configurations) == 24
    for run, config in zip(coded, configurations, strict=True):
        assert space.validate(config) == config
        for name, sign in zip(space.HYPERPARAMETERS, run, strict=True):
            assert config[name] == at.loc[name, "high" if sign > 0 else "low"]
        present = set(space.FILTERS[: config["num_conv_layers"]])
        assert {name for name in config if name in space.FILTERS} == present
        assert all(config[name] == space.SPACE[name].default for name in present)
    table = pd.DataFrame(configurations, index=range(5, 29))
    found = code(table)
    np.testing.assert_array_equal(found, coded)
    assert list(found.columns) == list(space.HYPERPARAMETERS)
    assert list(found.index) == list(table.index)


def test_a_design_of_other_columns_has_no_configurations():
    with pytest.raises(ValueError, match=r"^the design has 10 columns, not 11$"):
        configs(design(10))


@pytest.mark.parametrize(("column", "value"), [("lr", 0.001), ("optimizer", "adam"), ("epoch", 5)])
def test_a_value_that_is_no_level_is_named(column, value):
    table = pd.DataFrame(configs(design(11))).astype({column: object})
    table.at[7, column] = value
    with pytest.raises(ValueError, match=f"column '{column}', row 7: {value!r} is neither level"):
        code(table)


# Effects --------------------------------------------------------------------------------------


def test_additive_effects_come_out_exactly():
    x = folded()
    y = 0.5 + 0.1 * x["a"] - 0.04 * x["d"] + 0.02 * x["k"]
    found = effects(x, y)
    expected = pd.Series(0.0, index=NAMES)
    expected[["a", "d", "k"]] = 0.2, -0.08, 0.04  # from -1 to +1: twice the coefficient
    np.testing.assert_allclose(found["effect"], expected, atol=1e-15)
    assert found.index.name == "hyperparameter"
    assert list(found.index) == NAMES
    np.testing.assert_allclose(found["share"][["a", "d", "k"]], [20 / 32, 8 / 32, 4 / 32])
    np.testing.assert_allclose(found["variance"][["a", "d", "k"]], [100 / 120, 16 / 120, 4 / 120])
    assert found["share"].sum() == pytest.approx(1)
    assert found["rank"].to_dict() == {"a": 1, "d": 2, "k": 3} | dict.fromkeys("bcefghij", 7.5)


def test_contrasts_give_the_standard_errors_of_a_regression():
    rng = np.random.default_rng(1)
    x = folded()
    y = rng.normal(size=24) + 2 * x["b"] + x["c"] * x["d"]
    found = effects(x, y, error="contrasts")
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    np.testing.assert_allclose(found["effect"], 2 * fit.params[1:])
    np.testing.assert_allclose(found["se"], 2 * fit.bse[1:])
    np.testing.assert_allclose(found["t"], fit.tvalues[1:])
    np.testing.assert_allclose(found["p"], fit.pvalues[1:])
    np.testing.assert_allclose(found[["low", "high"]], 2 * fit.conf_int()[1:])
    assert (found["df"] == fit.df_resid).all()
    assert found["variance"].sum() == pytest.approx(fit.rsquared)
    one_left = effects(design(11, fold_over=False)[:, :10], y[:12])
    assert (one_left["df"] == 1).all()


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_replicates_of_unequal_spread_have_the_degrees_of_freedom_of_satterthwaite(unit):
    """Three replicates at the run's mean and +- d: variance d^2, of which half are 9 times those
    of the others; (sum v)^2 / sum v^2 = (12 + 12 * 9)^2 / (12 + 12 * 81) of 24 runs."""
    d = unit * np.where(np.arange(24) % 2, 1.0, 3.0)
    means = np.random.default_rng(9).uniform(size=24)
    found = effects(folded(), np.column_stack([means - d, means, means + d]))
    np.testing.assert_allclose(found["df"], 2 * 120**2 / 984)
    np.testing.assert_allclose(found["se"], unit * 2 / 24 * np.sqrt(120 / 3))


def test_an_interval_beyond_all_numbers_is_infinite_without_a_warning():
    y = np.random.default_rng(10).choice([-1e308, 1e308], 24)
    found = effects(folded(), y)
    assert np.isinf(found[["low", "high"]]).any(axis=None)
    assert np.isfinite(found["effect"]).all()


def test_the_source_of_the_error_is_chosen():
    rng = np.random.default_rng(4)
    x = folded()
    noise = 0.01 * rng.normal(size=(24, 3))
    y = (x["a"] + x["b"] * x["c"]).to_numpy()[:, None] + noise
    pd.testing.assert_frame_equal(effects(x, y), effects(x, y, error="replicates"))
    pd.testing.assert_frame_equal(
        effects(x, y, error="contrasts"), effects(x, y.mean(axis=1), error="contrasts")
    )
    pd.testing.assert_frame_equal(effects(x, y[:, 0]), effects(x, y[:, 0], error="contrasts"))
    by_seed, by_contrast = (effects(x, y, error=e)["se"].iloc[0] for e in screening.ERRORS)
    assert by_contrast > 10 * by_seed  # the interaction


def test_no_spread_is_certainty():
    x = folded()
    y = np.repeat((0.5 + 0.1 * x["a"]).to_numpy()[:, None], 3, axis=1)
    found = effects(x, y)
    assert (found["se"] == 0).all()
    assert found.at["a", "p"] == 0
    assert np.isinf(found.at["a", "t"])
    assert (found["low"] == found["effect"]).all()
    for shape in ((24,), (24, 3)):  # all runs alike
        found = effects(folded(), np.full(shape, 0.1))
        np.testing.assert_allclose(found["effect"], 0, atol=1e-15)
        assert (found[["variance", "t"]] == 0).all(axis=None)
        np.testing.assert_allclose(found["share"], 1 / 11)
        assert (found["rank"] == 6).all()
        assert found.notna().all(axis=None)


DESIGN, NAN = design(11), np.where(np.arange(24) == 5, np.nan, 1.0)
WRONG = [
    ((2 * DESIGN, np.ones(24)), r"run 0, factor 0: 2 is not \+1 or -1"),
    ((DESIGN[0], np.ones(24)), r"shape \(runs, factors\)"),
    ((DESIGN, np.ones(23)), r"shape \(23, 1\); there are 24 runs"),
    ((DESIGN, np.ones((24, 2, 2))), r"shape \(24, 2, 2\)"),
    ((DESIGN, np.ones((24, 0))), r"shape \(24, 0\)"),
    ((DESIGN, NAN), "run 5: .*missing"),
    ((DESIGN[:-1], np.ones(23)), "factor 0 does not have each level"),
    ((DESIGN[:, [0, 1, 0]], np.ones(24)), "factors 0 and 2 are not orthogonal"),
    ((DESIGN, np.ones(24), "seeds"), "^error: 'seeds' is not one of replicates, contrasts$"),
    ((DESIGN, np.ones(24), "replicates"), "^error: 'replicates' needs at least two responses"),
    ((DESIGN[:12], np.ones(12)), "11 factors use all of 12 runs"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        effects(*arguments)


# A table of trained runs ----------------------------------------------------------------------


def recorded(**sensitivities: dict[str, float]) -> pd.DataFrame:
    """Runs on data sets whose accuracy moves by so much per hyperparameter, three seeds each."""
    rng = np.random.default_rng(7)
    coded = pd.DataFrame(design(11), columns=space.HYPERPARAMETERS)
    tables = []
    for name, moves in sensitivities.items():
        accuracy = 0.5 + sum(move * coded[of] for of, move in moves.items())
        for replicate in (1, 2, 3):
            table = pd.DataFrame(configs(coded)).assign(dataset=name, run=range(24))
            noise = 0.001 * rng.normal(size=24)
            tables.append(table.assign(replicate=replicate, accuracy=accuracy + noise))
    return pd.concat(tables, ignore_index=True).sample(frac=1, random_state=0)


@pytest.fixture
def table():
    return recorded(
        mnist={"lr": 0.2, "optimizer": -0.1, "epoch": 0.05},
        usps={"lr": 0.1, "optimizer": -0.2, "epoch": 0.05},
    )


def test_each_data_set_is_screened(table):
    screened = screen(table)
    assert screened.index.names == ["dataset", "hyperparameter"]
    assert len(screened) == 22
    assert list(screened.index.unique("dataset")) == list(table["dataset"].unique())
    ascending = screen(table.sort_values("dataset", ascending=False))
    assert list(ascending.index.unique("dataset")) == ["usps", "mnist"]
    assert list(screened.loc["usps"].index) == list(space.HYPERPARAMETERS)
    mnist = screened.loc["mnist"]
    np.testing.assert_allclose(mnist["effect"][["lr", "optimizer"]], [0.4, -0.2], atol=0.002)
    assert mnist["rank"][["lr", "optimizer", "epoch"]].tolist() == [1, 2, 3]
    assert (mnist["p"][["lr", "optimizer", "epoch"]] < 1e-6).all()
    by_contrast = screen(table, error="contrasts")
    assert (by_contrast["df"] == 12).all()
    np.testing.assert_allclose(by_contrast["effect"], screened["effect"])


def test_pooled_effects_are_means_over_data_sets(table):
    screened = screen(table)
    found = pooled(screened)
    assert list(found.index) == list(space.HYPERPARAMETERS)
    both = np.array([screened.loc[name, "effect"] for name in ("mnist", "usps")])
    np.testing.assert_allclose(found["effect"], both.mean(axis=0))
    np.testing.assert_allclose(found["se"], both.std(axis=0, ddof=1) / np.sqrt(2))
    assert (found["df"] == 1).all()
    assert found["rank"][["lr", "optimizer", "epoch"]].max() == 3
    assert found["share"].sum() == pytest.approx(1)
    of_both = [screened.loc[name, "variance"] for name in ("mnist", "usps")]
    np.testing.assert_allclose(found["variance"], np.mean(of_both, axis=0))
    assert set(found.columns) == set(screened.columns)
    with pytest.raises(ValueError, match="effects on 1 data set cannot be pooled"):
        pooled(screened.loc[["usps"]])


def test_runs_that_are_not_there_are_named(table):
    gone = (table["dataset"] == "usps") & (table["run"] == 9)
    with pytest.raises(ValueError, match="usps: run 9 lacks replicates"):
        screen(table[~(gone & (table["replicate"] == 2))])
    with pytest.raises(ValueError, match="usps: factor 0 does not have each level in half"):
        screen(table[~gone])
    with pytest.raises(ValueError, match=r"(mnist|usps): a replicate of a run occurs twice"):
        screen(pd.concat([table, table.head(1).assign(accuracy=0.5)]))


def test_ranks_are_summed_over_data_sets():
    scores = pd.DataFrame(
        {"mnist": [0.1, -0.5, 0.3], "usps": [-0.2, 0.2, 0.4], "svhn": [0.0, 0.9, 0.1]},
        index=["epoch", "lr", "stride"],
    )
    found = rank_sum(scores)
    assert list(found.index) == ["lr", "stride", "epoch"]
    assert found.loc["lr"].to_dict() == {
        "mnist": 1,
        "usps": 2.5,  # a tie with epoch, of the other sign
        "svhn": 1,
        "rank_sum": 4.5,
        "rank": 1,
    }
    assert found["rank_sum"].to_dict() == {"lr": 4.5, "stride": 5, "epoch": 8.5}
    assert (found[["mnist", "usps", "svhn"]].sum() == 6).all()
    pd.testing.assert_frame_equal(rank_sum(scores * 1e-20), found)


def test_equal_rank_sums_share_a_rank_and_stay_in_their_order():
    names = [f"h{i}" for i in range(40)]
    found = rank_sum(pd.DataFrame({"mnist": np.arange(40) % 2}, index=names))
    assert list(found.index) == names[1::2] + names[::2]
    assert found["rank"].tolist() == [10.5] * 20 + [30.5] * 20
    with pytest.raises(ValueError, match="h1 has no score on usps"):
        rank_sum(pd.DataFrame({"usps": [1.0, np.nan]}, index=names[:2]))
