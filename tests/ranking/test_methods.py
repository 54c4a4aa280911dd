"""One contract for every importance method, and what `rank` does around them."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from invented import search

from hia import certainty
from hia.ranking import measures, methods
from hia.ranking.columns import infer
from hia.ranking.fanova import FAnova
from hia.ranking.methods import METHODS, MIN_TRIALS, rank
from hia.relief import NRReliefF, shares
from hia.space import Hyperparameter
from hia_book import surfaces

N = 160
# Slow methods have to do with less of everything.
OPTIONS = {
    "fanova": {"n_trees": 8},
    "tunability": {"n_trees": 20, "n_samples": 200},
    "sensitivity": {"n_trees": 20, "n_samples": 200},
    "ablation": {"n_trees": 20},
    "forward_selection": {"n_trees": 2, "n_splits": 2},
    "impurity": {"n_trees": 8},
    "optuna_fanova": {"n_trees": 2},
    "fanova_package": {"n_trees": 8},
}
TABLE = search(N)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    if not METHODS[request.param].available():
        pytest.skip(f"what {request.param} needs is not installed here")
    return str(request.param)


def ranked(given: pd.DataFrame, method: str, target: str = "accuracy", **options) -> pd.DataFrame:
    options = {"n_bootstrap": 0, **OPTIONS.get(method, {}), **options}
    return rank(given, target, method=method, **options).table


@functools.cache
def plain(method: str) -> pd.DataFrame:
    """Of TABLE, with one resample."""
    return ranked(TABLE, method, n_bootstrap=1)


def test_a_ranking_and_what_it_says_of_itself(method: str) -> None:
    # What has its best value by default is not worth tuning.
    options = dict(OPTIONS.get(method, {}))
    if method in ("tunability", "ablation"):
        options["default"] = {"optimizer": "sgd"}
    said = rank(TABLE, "accuracy", method=method, n_bootstrap=3, level=0.9, **options)
    found = said.table
    assert found.index.tolist() == ["lr", "optimizer", "idle", "spare"]
    assert found.index.name == "hyperparameter"
    assert found["rank"].nsmallest(2).index.tolist() == ["lr", "optimizer"]
    assert (found.loc[["idle", "spare"], "share"] < 0.1).all()
    assert found["share"].sum() == pytest.approx(1)
    assert (found["share"] >= 0).all()
    positive = found["score"] > 0
    ratios = found.loc[positive, "share"] / found.loc[positive, "score"]
    np.testing.assert_allclose(ratios, ratios.iloc[0])
    assert (found.loc[~positive, "share"] == 0).all()
    assert found["rank"].tolist() == found["score"].rank(ascending=False, method="min").tolist()
    for what in ("score", "share"):
        assert (found[f"{what}_low"] <= found[what] + 1e-12).all()
        assert (found[f"{what}_high"] >= found[what] - 1e-12).all()
    assert found[["rank_low", "rank_high"]].isin(range(1, 5)).all(axis=None)
    assert (found["rank_low"] <= found["rank_high"]).all()
    assert (found["note"] == "").all()

    assert (said.method, said.target) == (method, "accuracy")
    assert (said.level, said.n_bootstrap, said.n_rows) == (0.9, 3, N)
    assert min(said.seconds, said.bootstrap_seconds) > 0
    chosen, notes = METHODS[method], " ".join(said.notes)
    assert (said.r2 > 0.9) if chosen.has_forest else np.isnan(said.r2)
    assert ("what is good: a large accuracy" in notes) == chosen.asks_direction
    assert ("the out-of-bag R² of a forest is 0.9" in notes) == chosen.has_forest
    names = dict.fromkeys(["tunability", "ablation"], "idle, lr, spare")
    names["sensitivity"] = "idle, lr, optimizer, spare"
    assert (f"default of {names.get(method)}: median" in notes) == (method in names)
    assert methods.CHANCE not in notes


def test_the_order_of_rows_and_columns_does_not_matter_but_the_seed(method: str) -> None:
    other = TABLE[TABLE.columns[::-1]].sample(frac=1, random_state=1)
    found = ranked(other, method, n_bootstrap=1)
    assert found.index.tolist() == ["spare", "idle", "optimizer", "lr"]
    pd.testing.assert_frame_equal(found.loc[plain(method).index], plain(method))
    other = ranked(TABLE, method, n_bootstrap=1, random_state=5)
    assert not other["score_low"].equals(plain(method)["score_low"])


def test_scales_and_kinds_are_those_that_are_declared(method: str) -> None:
    """Numbers that are declared categories have no order and no distances that could matter."""
    declared = [*infer(TABLE, "accuracy").columns]
    declared[1] = Hyperparameter("optimizer", "categorical", choices=(-7, 1000))
    numbers = TABLE.assign(optimizer=TABLE["optimizer"].map({"adam": -7, "sgd": 1000}).astype(int))
    found = ranked(numbers, method, columns=declared, n_bootstrap=1)
    pd.testing.assert_frame_equal(found, plain(method))


def test_one_value_only_is_importance_0_and_a_single_column_has_it_all(method: str) -> None:
    found = ranked(TABLE.assign(constant=3, a="x"), method, n_bootstrap=1)
    assert found.index.tolist() == ["lr", "optimizer", "idle", "spare", "constant", "a"]
    assert (found.loc[["constant", "a"], ["score", "share"]] == 0).all(axis=None)
    assert (found.loc[["constant", "a"], "rank"] == 5).all()
    assert (found.loc[["constant", "a"], "note"] == "one value only").all()
    assert found.loc[["constant", "a"], "score_low"].isna().all()
    pd.testing.assert_frame_equal(found.loc[plain(method).index], plain(method))
    single = ranked(TABLE[["lr", "accuracy"]], method, n_bootstrap=1)
    assert (single["share"].tolist(), single["rank"].tolist()) == ([1.0], [1])


def test_the_unit_of_the_target_does_not_change_the_ranking(method: str) -> None:
    options = {"target_scale": "range"} if method == "nrrelieff" else {}
    expected = ranked(TABLE, method, **options) if options else plain(method)
    larger = ranked(TABLE.assign(accuracy=64 * TABLE["accuracy"]), method)
    np.testing.assert_allclose(larger["share"], expected["share"], atol=1e-9)


def test_too_few_trials(method: str) -> None:
    few = f"9 trials with accuracy are too few; at least {MIN_TRIALS}"
    with pytest.raises(ValueError, match=few):
        ranked(TABLE[: MIN_TRIALS - 1], method)
    assert len(ranked(TABLE[:MIN_TRIALS], method, n_bootstrap=1)) == 4


def test_a_hyperparameter_that_does_not_exist_everywhere(method: str) -> None:
    second = np.where(TABLE["optimizer"] == "adam", np.random.default_rng(6).random(N), np.nan)
    given = TABLE.assign(second=second)
    before = given.copy(deep=True)
    options = {"n_bootstrap": 0, **OPTIONS.get(method, {})}
    found = rank(given, "accuracy", method=method, **options)
    pd.testing.assert_frame_equal(given, before)
    # Without effect where it exists, it must not take over the effect of what it depends on.
    assert found.table.loc["second", "share"] < 0.1
    assert any(note.startswith("second is missing in") for note in found.notes)


def test_trials_that_miss_a_hyperparameter_can_be_dropped_and_without_target_they_are() -> None:
    adam = TABLE["optimizer"] == "adam"
    given = TABLE.assign(idle=TABLE["idle"].where(adam))
    dropped = rank(given, "accuracy", missing="drop", n_bootstrap=0)
    assert dropped.n_rows == adam.sum()
    assert dropped.table.loc["optimizer", "note"] == "one value only"
    assert "trials that miss a hyperparameter are left out" in dropped.notes[0]
    given = TABLE.copy()
    given.loc[[3, 77], "accuracy"] = np.nan
    given.loc[100, "accuracy"] = np.inf
    given.loc[77, "lr"] *= 1e6  # beyond what the others have
    found = rank(given, "accuracy", n_bootstrap=0)
    assert "3 trials without accuracy are left out" in found.notes
    assert found.n_rows == N - 3
    described = infer(given, "accuracy").columns
    without = rank(given.drop(index=[3, 77, 100]), "accuracy", described, n_bootstrap=0)
    pd.testing.assert_frame_equal(found.table, without.table)


def test_a_blank_can_be_a_choice() -> None:
    """06_none_is_a_choice: in numbers, too."""
    blank = np.arange(N) % 3 == 0
    given = TABLE.assign(accuracy=blank + 0.01 * TABLE["accuracy"])
    for name, column in (
        ("weight", {"weight": np.where(blank, None, "balanced")}),
        ("idle (blank)", {"idle": TABLE["idle"].mask(blank)}),
    ):
        found = ranked(given.assign(**column), "fanova", missing="level")
        assert found.loc[name, "share"] > 0.9


def test_at_most_so_many_trials(monkeypatch) -> None:
    found = rank(TABLE, "accuracy", n_bootstrap=0, max_rows=60)
    assert found.n_rows == 60
    assert found.notes[0] == "60 of 160 trials, drawn at random"
    # As of a million trials, or of 5,000 hyperparameters.
    assert {method.max_rows <= 20_000 for method in METHODS.values()} == {True}
    monkeypatch.setattr(methods, "_CELLS", 4 * 80)
    monkeypatch.setattr(methods, "_TRIALS", 40)
    assert rank(TABLE, "accuracy", n_bootstrap=0).n_rows == 80
    wide = TABLE.assign(**{f"x{k}": TABLE["spare"] for k in range(9)})
    assert rank(wide, "accuracy", n_bootstrap=0).n_rows == 40


LIONS = [Hyperparameter("optimizer", "categorical", choices=("adam", "sgd", "lion")), "lr"]
TUNE, ABLATE = {"method": "tunability"}, {"method": "ablation"}
SAME = {"lr": 1.0, "optimizer": "a", "idle": 1, "spare": 1}
LION = {"columns": LIONS, "default": {"optimizer": "lion"}}
NONE = "'rl' is none of the hyperparameters lr, optimizer"
ADAGRAD = "column 'optimizer' has 'adagrad', which is not categorical"


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"accuracy": "high"}, {}, "'accuracy' has 'high', which is no number"),
        ({"accuracy": 0.5}, {}, "accuracy is 0.5 in all trials"),
        ({}, {"target": "loss"}, "no column 'loss'; there are lr, optimizer"),
        ({}, {"columns": ["lr", "lr"]}, "'lr' is there twice"),
        ({}, {"columns": "lr"}, r"columns='lr' is not a list; \['lr'\] is"),
        ({}, {"level": 95}, "level=95 is not between 0 and 1"),
        ({}, {"n_bootstrap": -1}, "n_bootstrap=-1 is not a whole number"),
        ({}, {"n_permutations": 1.5}, r"n_permutations=1\.5 is not a whole number"),
        ({}, {"missing": "mean"}, "missing='mean' is not one of draw, drop, level"),
        ({}, {"method": "anova"}, "there is no method 'anova'; there are nrrelieff, fanova"),
        ({}, {"columns": ["lr", Hyperparameter("idle", "integer", 1, 8)]}, "not integer: 1 to 8"),
        ({}, TUNE | LION, "default: no trial has optimizer = 'lion'"),
        ({}, TUNE | {"default": {"optimizer": "adagrad"}}, ADAGRAD),
        ({}, TUNE | {"default": {"rl": 1}}, NONE),
        ({}, ABLATE | {"configuration": {"rl": 1}}, NONE),
        (SAME, {}, "all of lr, optimizer, idle, spare have one value only"),
    ],
)
def test_errors(change, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        ranked(TABLE.assign(**change), **{"method": "fanova", **options})


def test_the_first_two_are_this_package_s() -> None:
    found = ranked(TABLE, "nrrelieff", n_neighbors=30)["score"]  # the paper's
    X = TABLE.assign(lr=np.log10(TABLE["lr"])).drop(columns="accuracy")
    expected = NRReliefF().fit(X, TABLE["accuracy"]).weights_
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    columns = [*infer(TABLE, "accuracy").columns]
    linear = [dataclasses.replace(columns[0], log=False), *list(TABLE)[1:4]]  # or by name
    weaker = ranked(TABLE, "nrrelieff", n_neighbors=30, columns=linear)["score"]
    assert weaker["lr"] < found["lr"]
    found = ranked(TABLE, "fanova")["score"]
    model = FAnova(8, space={column.name: column for column in columns}, random_state=0)
    X = TABLE[sorted(found.index)]  # in which order the package has them
    expected = pd.Series(model.fit(X, TABLE["accuracy"]).importances_, X.columns)
    np.testing.assert_allclose(found, expected[found.index], rtol=1e-9)


def test_three_ways_to_compute_one_functional_anova_agree() -> None:
    for name in ("optuna_fanova", *["fanova_package"] * METHODS["fanova_package"].available()):
        found = ranked(TABLE, name, n_trees=8)["score"]
        np.testing.assert_allclose(found, plain("fanova")["score"], atol=0.08)


def test_forward_selection_takes_the_gains_of_a_greedy_path() -> None:
    found = ranked(TABLE, "forward_selection")["score"]
    # Shares of the variance: 0.7² 0.8² / 12 and 0.175² / 4.
    assert found["lr"] == pytest.approx(0.77, abs=0.1)
    assert found["optimizer"] == pytest.approx(0.23, abs=0.1)
    assert found.sum() < 1


def test_tunability_asks_what_is_good_and_from_where() -> None:
    given = TABLE.assign(loss=-TABLE["accuracy"])
    good = {"default": {"optimizer": "adam", "lr": 1e-3}}
    bad = {"default": {"optimizer": "sgd", "lr": 0.09}}
    for start, worth in ((good, "lr"), (bad, "optimizer")):
        options = {"columns": list(TABLE)[:4], "maximize": False, **start}
        assert ranked(given, "tunability", "loss", **options).loc[worth, "share"] > 0.8


def test_what_a_method_warns_of_is_a_note() -> None:
    # The best tenth is everything, as all others tie with it.
    given = TABLE.assign(accuracy=(np.arange(N) < 5).astype(float))
    found = rank(given, "accuracy", method="ped_anova", n_bootstrap=2)
    assert any("select the same set of trials" in note for note in found.notes)
    assert (found.table["share"] == 0).all()


def test_wide_whole_numbers_and_levels_are_all_the_same_to_every_method() -> None:
    rng = np.random.default_rng(8)
    x = rng.choice([32, 64, 128, 256], 100)
    given = pd.DataFrame({"x": x, "wide": rng.integers(1, 10**9, 100), "y": np.log2(x)})
    for name, method in METHODS.items():
        if method.available():
            found = ranked(given, name, "y")
            assert found["rank"].tolist() == [1, 2], name
            assert found.loc["wide", "share"] < 0.15, name


def test_resamples_and_p_values_are_those_that_were_asked_for() -> None:
    found = rank(TABLE, "accuracy", n_bootstrap=40, n_permutations=19, level=0.8)
    assert (found.n_bootstrap, found.level) == (40, 0.8)
    assert found.table.loc["lr", "p_value"] == 0.05
    assert found.table["p_value"].between(0.05, 1).all()
    assert found.seconds > 0
    narrow = found.table["score_high"] - found.table["score_low"]
    wide = rank(TABLE, "accuracy", n_bootstrap=40, level=0.99).table
    assert (wide["score_high"] - wide["score_low"] >= narrow).all()
    assert (wide["score_high"] - wide["score_low"] > narrow).any()
    slow = rank(TABLE[:40], "accuracy", method="impurity", n_bootstrap=100, n_trees=1)
    assert slow.n_bootstrap == METHODS["impurity"].max_bootstrap
    assert slow.table["p_value"].isna().all()
    none = rank(TABLE, "accuracy", n_bootstrap=0).table
    assert none[["score_low", "share_high", "rank_low", "p_value"]].isna().all(axis=None)


def test_resamples_and_permutations_tell_how_long_they_take(monkeypatch, capsys) -> None:
    shown = certainty.tqdm
    at_once = {"delay": 0, "mininterval": 0}
    monkeypatch.setattr(certainty, "tqdm", lambda *of, **options: shown(*of, **options | at_once))
    given = {"n_bootstrap": 3, "n_permutations": 3}
    rank(TABLE, "accuracy", **given)
    assert capsys.readouterr().err == ""
    rank(TABLE, "accuracy", progress=True, **given)
    rank(TABLE, "accuracy", method="ped_anova", progress=True, **given)
    told = capsys.readouterr().err
    for what in ("N-RReliefF: resamples: 100%", "N-RReliefF: permutations: 100%", "PED-ANOVA (Opt"):
        assert what in told


def test_nothing_that_matters_is_chance_and_intervals_stay_within_bounds() -> None:
    """13_noise: shares of pure noise are as large as any, and their intervals reach 0."""
    rng = np.random.default_rng(3)
    noise = pd.DataFrame(rng.random((120, 4)), columns=list("abcy"))
    of_methods = {
        "nrrelieff": {"n_bootstrap": 20, "n_permutations": 99},
        "ped_anova": {"n_bootstrap": 5, "n_permutations": 19},
        "fanova": {"n_bootstrap": 5, "n_trees": 4},
    }
    for method, options in of_methods.items():
        found = rank(noise, "y", method=method, **options)
        assert found.notes[0].startswith("nothing is distinguishable from chance: ")
        assert (found.table["share_low"] == 0).any() or method == "fanova"  # all above 0
        for name, row in found.table.iterrows():
            assert 0 <= row["share_low"] <= row["share"] <= row["share_high"] <= 1, (method, name)
            assert (row["share_low"] == 0) == (row["score_low"] <= 0), (method, name)
            assert row["score_high"] <= 1, (method, name)
    assert found.r2 <= 0
    options = {"method": "ped_anova", "n_bootstrap": 0, "n_permutations": 19}
    clear = rank(noise.assign(y=noise["a"]), "y", **options)
    assert clear.table.loc["a", "p_value"] == clear.table.loc["a", "p_adjusted"] == 0.05
    assert (clear.table.loc[["b", "c"], "p_adjusted"] > 0.05).all()
    assert not clear.notes[0].startswith(methods.CHANCE)


def test_trials_of_a_configuration_are_resampled_together(monkeypatch) -> None:
    repeated = pd.concat([search(50, 1)] * 3, ignore_index=True)
    repeated["accuracy"] += np.random.default_rng(2).normal(0, 0.01, len(repeated))
    found = rank(repeated, "accuracy", n_bootstrap=20, n_permutations=19)
    assert found.notes[0].startswith("100 of 150 trials repeat a configuration: ")
    near = repeated.assign(lr=np.nextafter(repeated["lr"], [0, 1] * 75))
    assert rank(near, "accuracy", n_bootstrap=0).notes[0] == found.notes[0]
    first = measures.FAnova.fit
    seen = []
    monkeypatch.setattr(
        measures.FAnova, "fit", lambda model, X, y: seen.append(X.copy()) or first(model, X, y)
    )
    rank(repeated, "accuracy", method="fanova", n_bootstrap=3, n_trees=2)
    assert len(seen) == 4
    for X in seen:  # as often as it was drawn, three times
        assert (X.groupby(list(X.columns)).size() % 3 == 0).all()
    noise = pd.DataFrame(np.random.default_rng(3).random((40, 3)), columns=["a", "b", "y"])
    options = {"method": "fanova", "n_bootstrap": 0, "n_trees": 2}
    copies = rank(pd.concat([noise] * 4), "y", **options)
    assert copies.r2 == pytest.approx(rank(noise, "y", **options).r2, abs=0.2)
    assert copies.r2 < 0
    assert ranked(repeated, "forward_selection")["score"]["lr"] > 0.5
    copies = pd.concat([noise] * 4)  # a fold without a copy of what it is tested on learns nothing
    assert ranked(copies, "forward_selection", "y")["score"].sum() < 0


def test_neighbours_by_the_number_of_trials(monkeypatch) -> None:
    rng = np.random.default_rng(9)
    X = pd.DataFrame(rng.random((800, 3)), columns=["a", "b", "c"])
    given = X.assign(y=0.5 * X["a"] + 0.3 * X["b"])
    fits, fit = [], NRReliefF.fit
    monkeypatch.setattr(NRReliefF, "fit", lambda *data: fits.append(1) or fit(*data))
    found = rank(given, "y", n_bootstrap=0)
    assert len(fits) == 1
    assert found.notes == ("40 neighbours, sigma 26.7, by the number of trials",)
    expected = rank(given, "y", n_bootstrap=0, n_neighbors=40)
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert expected.notes == ()
    few = rank(given[:20], "y", n_bootstrap=0)
    assert few.notes[0].startswith("19 neighbours, sigma 20,")
    monkeypatch.setattr(measures, "_PAIRS", 3000)  # of large tables not all are taken
    X = pd.DataFrame(np.random.default_rng(10).random((300, 2)), columns=["a", "b"])
    given = X.assign(y=X["a"])
    found = rank(given, "y", n_bootstrap=50)
    assert "; of 100 of them, drawn at random" in found.notes[0]
    whole = rank(given, "y", n_bootstrap=50, n_neighbors=30)
    width, before = (r.table["score_high"] - r.table["score_low"] for r in (found, whole))
    assert width["a"] > 1.2 * before["a"]


@pytest.mark.parametrize("levels", [2, 6])
def test_a_category_that_no_near_trial_differs_in_has_its_weight(levels: int) -> None:
    """A category explains .19 of the variance, numbers the rest, and a third nothing."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.random((2000, 3)), columns=["a", "b", "idle"])
    X["c"] = rng.integers(0, levels, 2000).astype(str)
    of_c = (X["c"] == "0") / np.sqrt((levels - 1) / levels**2)
    given = X.assign(y=np.sqrt(7.32) * X["a"] + np.sqrt(2.4) * X["b"] + 0.19**0.5 * of_c)
    found = rank(given, "y", n_bootstrap=0)
    assert found.table["rank"].idxmin() == "a"
    assert 0.08 < found.table.loc["c", "share"] < 0.35  # .19
    assert 0.1 < found.table.loc["b", "share"] < 0.3  # .20
    assert found.table.loc["idle", "share"] < 0.06
    assert "the nearest hardly ever differ in c" in found.notes[0]
    thirty = rank(given, "y", n_bootstrap=0, n_neighbors=30)
    assert thirty.table.loc["c", "score"] == 0
    assert thirty.notes[0].startswith("no neighbour differs in c: 0 by construction")


def test_a_category_of_many_levels_is_said_to_be_hardly_seen() -> None:
    rng = np.random.default_rng(4)
    level = rng.integers(0, 800, 2000)
    given = pd.DataFrame({"lr": rng.random(2000), "model": [f"m{k}" for k in level]})
    given["y"] = 5 * np.sin(level) + given["lr"]
    told = "nearly all neighbours differ in model: the weight"
    found = rank(given, "y", ["lr", "model"], n_bootstrap=0)
    assert any(note.startswith(told) for note in found.notes)
    few = given.assign(model=[f"m{k % 6}" for k in level])
    assert not any(note.startswith(told) for note in rank(few, "y", n_bootstrap=0).notes)


def test_a_switch_on_which_others_depend_has_its_weight() -> None:
    """An SVM or a forest, each with a parameter of its own."""
    rng = np.random.default_rng(1)
    n = 400
    svm, c, depth = rng.random(n) < 0.5, rng.random(n), rng.random(n)
    # Shares of the variance: .56, .30 and .14.
    y = np.where(svm, np.sqrt(0.3 * 24) * (c - 0.5), np.sqrt(0.14 * 24) * (depth - 0.5))
    y = y + np.sqrt(0.56 * 4) * ~svm
    given = pd.DataFrame({"m": np.where(svm, "svm", "rf"), "c": np.where(svm, c, np.nan), "y": y})
    given["depth"] = np.where(svm, np.nan, depth)
    found = rank(given, "y", n_bootstrap=0).table["share"]
    assert found.sort_values(ascending=False).index.tolist() == ["m", "c", "depth"]
    assert 0.45 < found["m"] < 0.85
    assert found["c"] > 0.08
    assert found["depth"] > 0.04


def test_ablation_goes_to_the_best_trial_or_to_a_configuration() -> None:
    good = {"lr": 0.09, "optimizer": "adam", "idle": 8, "spare": 0.5}
    start = {"lr": 2e-5, "optimizer": "adam", "idle": 8, "spare": 0.5}
    found = ranked(TABLE, "ablation", default=start, configuration=good)
    assert found.loc["lr", "share"] > 0.9
    assert found.loc["optimizer", "score"] == 0
    options = {"method": "ablation", "n_bootstrap": 1, "n_trees": 20, "default": start}
    best = rank(TABLE.assign(same=1), "accuracy", **options)
    assert "what is not given of the configuration is the best trial's" in best.notes
    assert best.table["rank"].idxmin() == "lr"


def test_pairs_of_hyperparameters() -> None:
    rng = np.random.default_rng(11)
    X = pd.DataFrame(rng.integers(0, 2, (300, 3)), columns=["a", "b", "c"])
    given = X.assign(y=(X["a"] ^ X["b"]) + 0.01 * X["c"])
    for method in ("fanova", "sensitivity"):
        found = methods.pairs(given, "y", method=method)
        assert list(found.columns) == ["first", "second", "weight"]
        assert found.iloc[0, :2].tolist() == ["a", "b"]
    assert methods.pairs(given, "y").loc[0, "weight"] > 0.9
    with pytest.raises(ValueError, match="impurity knows no pairs; nrrelieff, fanova, tunab"):
        methods.pairs(given, "y", method="impurity")
    with pytest.raises(ValueError, match="2 to 30 hyperparameters with several values, not of 1"):
        methods.pairs(given.assign(b=1, c=0), "y")


@pytest.mark.parametrize(
    ("method", "surface", "trials", "options", "held"),
    [
        *[("nrrelieff", name, 200, {}, 0.92) for name in ("additive", "conditional", "noise")],
        ("fanova", "interactions", 60, {"n_trees": 4, "n_bootstrap": 20}, 0.95),
    ],
)
def test_intervals_hold_what_other_trials_give(method, surface, trials, options, held) -> None:
    """Of W and of the shares, over hyperparameters and ten tables, for 95% intervals."""
    drawn = surfaces.synthetic()[surface]
    found = []
    for seed in range(10):
        rows = drawn.draw(trials, np.random.default_rng(seed))
        given = {"random_state": seed, **options}
        found.append(rank(rows, "y", drawn.columns, method, **given).table)
    mean = np.mean([one["score"] for one in found], axis=0)
    for what, true in (("score", mean), ("share", shares(mean))):
        inside = [(one[f"{what}_low"] <= true) & (true <= one[f"{what}_high"]) for one in found]
        assert np.mean(inside) >= held, what
