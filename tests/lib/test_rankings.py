"""Weights on one data set after the other are those that the estimators find on its rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF
from hia.space import FILTERS, HYPERPARAMETERS, SPACE
from hia.trials import load
from hia_book import rankings

COLUMNS = ["lr", "epoch", "optimizer"]


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load(Path(__file__).parents[2] / "data" / "trials.parquet")


@pytest.fixture(scope="module")
def rows(study: pd.DataFrame) -> pd.DataFrame:
    return rankings.select(study, ["mnist", "svhn"]).groupby("dataset").head(80)


def test_design_is_the_eleven_with_lr_on_its_scale(study: pd.DataFrame) -> None:
    result = rankings.design(study)
    assert list(result.columns) == list(HYPERPARAMETERS)
    np.testing.assert_array_equal(result["lr"], np.log10(study["lr"]))
    others = [name for name in HYPERPARAMETERS if name != "lr"]
    pd.testing.assert_frame_equal(result[others], study[others])
    pd.testing.assert_frame_equal(rankings.design(study, log=False), study[list(HYPERPARAMETERS)])
    uniform = study.assign(lr_scale="linear")
    pd.testing.assert_frame_equal(rankings.design(uniform), rankings.design(study, log=False))
    pd.testing.assert_frame_equal(rankings.design(uniform, log=True), result)
    assert rankings.drawn_space(study) == SPACE == rankings.drawn_space(study[["lr"]])
    assert not rankings.drawn_space(uniform)["lr"].log
    three = study[study["num_conv_layers"] == 3]
    filters = rankings.design(three, FILTERS)
    assert (filters.dtypes == "int64").all()
    assert filters.to_numpy().tolist() == three[list(FILTERS)].to_numpy().tolist() != []


def test_select_takes_data_sets_and_sources(study: pd.DataFrame) -> None:
    chosen = rankings.select(study, ["usps"], ["bohb"])
    expected = study[(study["dataset"] == "usps") & (study["source"] == "bohb")]
    pd.testing.assert_frame_equal(chosen, expected)
    pd.testing.assert_frame_equal(rankings.select(study), study)
    with pytest.raises(ValueError, match=r"no rows of dataset 'imagenet'; there are: "):
        rankings.select(study, ["imagenet"])


def test_weights_are_those_of_the_estimators(rows: pd.DataFrame) -> None:
    own = rows[rows["dataset"] == "svhn"]
    relief = NRReliefF(10, sigma=5.0).fit(rankings.design(own, COLUMNS), own["accuracy"])
    forest = FAnova(4, 3, space=SPACE, random_state=1)
    forest.fit(own[COLUMNS], own["accuracy"])
    tables = [
        rankings.by_dataset(rows, COLUMNS, "nrrelieff", n_neighbors=10, sigma=5.0),
        rankings.by_dataset(rows, COLUMNS, "fanova", n_trees=4, random_state=1),
    ]
    for table, expected in zip(tables, (relief.weights_, forest.importances_), strict=True):
        assert list(table.index) == ["mnist", "svhn"]
        np.testing.assert_array_equal(table.loc["svhn"], expected)


def test_the_best_of_each_group_are_a_part_of_it_and_one_at_least() -> None:
    table = pd.DataFrame({"dataset": [*"aaaaab"], "accuracy": [0.1, 0.5, 0.3, 0.4, 0.2, 0.9]})
    assert rankings.take_best(table, 0.4, "dataset").index.tolist() == [1, 3, 5]
    assert rankings.take_best(table, 0.01, ["dataset"]).index.tolist() == [1, 5]


def test_the_learning_rate_is_on_the_scale_on_which_it_was_drawn(rows: pd.DataFrame) -> None:
    uniform = rows.assign(lr_scale="linear")
    for method in (*rankings.METHODS, "nrrelieff_raw"):
        log, linear = (
            rankings.weigh(table, COLUMNS, method, n_trees=2) for table in (rows, uniform)
        )
        assert (log["lr"] == linear["lr"]) == (method == "nrrelieff_raw")


def test_what_does_not_vary_has_no_weight(rows: pd.DataFrame) -> None:
    same = rows.assign(epoch=3)
    for method in rankings.METHODS:
        weights = rankings.weigh(same, COLUMNS, method, n_neighbors=10, n_trees=2)
        assert weights["epoch"] == 0
        assert weights["lr"] != 0


def test_what_varies_everywhere(rows: pd.DataFrame) -> None:
    here = rows.copy()
    here.loc[here["dataset"] == "svhn", "kernel"] = 2
    varied = rankings.varied(here)
    assert "lr" in varied
    assert not {"kernel", "in_channel_num"} & set(varied)


def test_the_ways_are_those_that_they_say(rows: pd.DataFrame) -> None:
    ways = rankings.ways(rows, 4, sigma=2.0, rank_base=0)
    drawn = rows[rows["source"] == "random"]
    columns = list(ways["Ours"].X)
    assert "lr" in columns
    assert {len(way.X) for way in ways.values()} == {len(rows), len(drawn)}
    many = ways["J = n/20"].relief
    assert (many.n_neighbors, many.sigma) == (len(drawn) // 20, 2.0 * (len(drawn) // 20) / 4)
    raw = NRReliefF(4, sigma=2.0, scale="none")
    raw.fit(rankings.design(rows, columns, log=False), rows["accuracy"])
    np.testing.assert_array_equal(ways["Raw"].weights(), raw.weights_)
    ours = NRReliefF(4, sigma=2.0, rank_base=0)
    ours.fit(rankings.design(drawn, columns), drawn["accuracy"])
    np.testing.assert_array_equal(ways["Random search"].weights(), ours.weights_)


def test_halves_agree_with_their_own_data_set(rows: pd.DataFrame) -> None:
    """With one division at random, computed apart for two data sets."""
    names = ["mnist", "svhn"]
    rng = np.random.default_rng(3)
    halves: dict[str, list[pd.Series]] = {}
    for name in names:
        own = rows[rows["dataset"] == name]
        shuffled = rng.permutation(len(own))
        parts = (np.sort(shuffled[: len(own) // 2]), np.sort(shuffled[len(own) // 2 :]))
        halves[name] = [
            rankings.weigh(own.iloc[part], COLUMNS, "nrrelieff", n_neighbors=5) for part in parts
        ]
    found = rankings.compare_halves(rows, names, COLUMNS, 1, random_state=3, n_neighbors=5)
    assert set(found) == set(rankings.METHODS)
    own_taus = [kendalltau(*halves[name]).statistic for name in names]
    crossed = [
        kendalltau(halves[one][0], halves[other][1]).statistic
        for one, other in (names, names[::-1])
    ]
    np.testing.assert_allclose(found["nrrelieff"], [own_taus, [np.mean(crossed)] * 2])


def test_pairs_are_the_same_in_either_order() -> None:
    table = pd.DataFrame({"first": ["a", "c"], "second": ["b", "a"], "weight": [0.25, 0.5]})
    assert rankings.by_pair(table)[frozenset("ba")] == 0.25
    expected = [[np.nan, 0.25, 0.5], [0.25, np.nan, np.nan], [0.5, np.nan, np.nan]]
    np.testing.assert_array_equal(rankings.square(table, ["a", "b", "c"]), expected)
