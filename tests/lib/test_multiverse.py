"""The multiverse: every universe is what N-RReliefF finds, and the summaries are what they say."""

import dataclasses
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import invented
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hia import space
from hia.relief import NRReliefF
from hia_book import multiverse, published
from hia_book.multiverse import CHOICES, Profile
from hia_book.rankings import design

NAMES = list(space.HYPERPARAMETERS)
WITHIN = [name for name in NAMES if name != "in_channel_num"]
FEW = {"neighbours": ("5", "200", "n/20"), "sigma": ("20",)}
FEW |= {"rank_base": ("1",), "target": ("as it is",)}


def trials(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Random configurations on two data sets, a third of them by BOHB."""
    rng = np.random.default_rng(seed)
    table = invented.trials(2 * n, seed)
    table["dataset"] = ["mnist"] * n + ["svhn"] * n
    table["in_channel_num"] = [1] * n + [3] * n
    table["source"] = (["random"] * 2 + ["bohb"]) * (2 * n // 3)
    table["accuracy"] = 0.2 + 0.5 * (table["optimizer"] == "Adam") + 0.1 * rng.random(2 * n)
    return table


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Fewer options of some choices."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, options in FEW.items():
            choice = dataclasses.replace(CHOICES[name], options=options)
            monkeypatch.setitem(CHOICES, name, choice)
        yield


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    table, searches = trials(), multiverse.searches()
    few = [one for one in searches if one["balance"] == "nothing"]
    return multiverse.collect(multiverse.weigh(table, search) for search in few)


SEARCH = {"source": "both", "balance": "nothing", "scope": "pooled"}
SEARCH |= {"distance": "Euclidean", "lr_scale": "log"}


def weigh(table: pd.DataFrame, neighbours: str = "5", **search: str) -> pd.Series:
    (row,) = (
        one for one in multiverse.weigh(table, SEARCH | search) if one["neighbours"] == neighbours
    )
    return pd.Series(row)


@pytest.mark.parametrize(
    ("neighbours", "J", "distance", "lr_scale", "source"),
    [
        ("5", 5, "raw Euclidean", "raw", "both"),
        ("5", 5, "Euclidean", "log", "random"),
        ("n/20", 240 // 20, "Manhattan", "log", "both"),
    ],
)
def test_a_pooled_universe_is_a_fit_to_its_rows(
    neighbours: str, J: int, distance: str, lr_scale: str, source: str
) -> None:
    table = trials(120)
    rows = table if source == "both" else table[table["source"] == source.lower()]
    metric = "manhattan" if distance == "Manhattan" else "euclidean"
    scale = "none" if distance == "raw Euclidean" else "range"
    relief = NRReliefF(J, metric=metric, scale=scale)
    relief.fit(design(rows, log=lr_scale == "log"), rows["accuracy"])
    row = weigh(table, neighbours, distance=distance, lr_scale=lr_scale, source=source)
    np.testing.assert_allclose(row[NAMES].astype(float), relief.weights_, atol=1e-9)
    assert row["rows"] == len(rows)


def test_a_universe_of_data_sets_is_the_mean_of_their_fits() -> None:
    """Over those on which a hyperparameter varies."""
    table = trials()
    table.loc[table["dataset"] == "svhn", "stride"] = 1
    fits = []
    for _, own in table.groupby("dataset"):
        names = [name for name in WITHIN if np.ptp(own[name].factorize()[0])]
        fit = NRReliefF(len(own) - 1).fit(design(own, names), own["accuracy"])  # J is capped
        fits.append(pd.Series(fit.weights_, names))
    row = weigh(table, "200", scope="each")
    expected = pd.DataFrame(fits).mean()[WITHIN]
    np.testing.assert_allclose(row[WITHIN].astype(float), expected, atol=1e-9)
    assert np.isnan(row["in_channel_num"])


def test_balance_takes_what_it_says() -> None:
    table = trials().drop(index=range(30))  # 30 of mnist, 60 of svhn
    rows = {one: weigh(table, balance=one)["rows"] for one in CHOICES["balance"].options}
    # 600 of 11,150 are 5 of 90; accuracies are in [0.2, 0.3) and [0.7, 0.8).
    assert rows == {"nothing": 90, "data set": 60, "accuracy": 10}


def test_a_saved_table_comes_back(made: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "multiverse.parquet"
    multiverse.pack(made).to_parquet(path)
    again = multiverse.load(path)
    pd.testing.assert_frame_equal(again.drop(columns=NAMES), made.drop(columns=NAMES))
    assert (again[NAMES] - made[NAMES]).abs().max(axis=None) <= 0.5e-5 + 1e-12
    assert again[NAMES].isna().equals(made[NAMES].isna())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="sigma"), "column 'sigma' is missing"),
        (lambda table: table.iloc[1:], "107 universes; all combinations would be 108"),
        (lambda table: pd.concat([table, table[:1]]), "a universe is there twice"),
        (lambda table: table.assign(scope="all"), "column 'scope': unknown option 'all'"),
    ],
)
def test_a_table_is_checked(change, message: str, made: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "multiverse.parquet"
    change(multiverse.pack(made)).to_parquet(path)
    with pytest.raises(ValueError, match=message) as error:
        multiverse.load(path)
    assert str(path) in str(error.value)


def test_the_fingerprint_is_that_of_what_is_used() -> None:
    table = trials()
    same = multiverse.fingerprint(table.assign(seconds=1.0).set_index(table.index + 5))
    assert multiverse.fingerprint(table) == same
    for change in ({"accuracy": 0.5}, {"source": "random"}, {"stride": 1}):
        assert multiverse.fingerprint(table.assign(**change)) != same


def test_ranks_stretch_over_what_is_missing() -> None:
    weights = pd.DataFrame([[0.3, 0.1, 0.2], [0.3, np.nan, 0.2], [0.1, 0.1, -0.2]])
    expected = [[1, 3, 2], [1, np.nan, 3], [1.5, 1.5, 3]]
    np.testing.assert_array_equal(multiverse.ranks(weights), expected)


def test_the_size_of_a_weight_below_0_ranks_it_the_other_way(made: pd.DataFrame) -> None:
    choices, ranks = multiverse.ranked(made)
    assert len(choices) == len(ranks) == 2 * len(made)
    by_w, by_size = (ranks[choices["score"] == one] for one in CHOICES["score"].options)
    lowest = made[NAMES].idxmin(axis=1)
    assert (by_w.to_numpy()[range(len(made)), [NAMES.index(n) for n in lowest]] == 11).all()
    size = made[NAMES].abs().idxmax(axis=1)
    assert (by_size.to_numpy()[range(len(made)), [NAMES.index(n) for n in size]] == 1).all()


def factorial() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two choices: `a` moves x by 4, `b` moves y by 1 and z by 2 where a is 1."""
    choices = pd.DataFrame(product("01", "012"), columns=["a", "b"])
    a, b = choices["a"].astype(int), choices["b"].astype(int)
    return choices, pd.DataFrame({"x": 4.0 * a, "y": 1.0 * b, "z": 2.0 * a * b, "same": 7.0})


def test_moves_by_hand() -> None:
    """Of 0, 1, 2 two are 4/3 apart on average."""
    found = multiverse.moves(*factorial())
    assert found.loc["x"].to_dict() == {"a": 4, "b": 0}
    assert found.loc["y"].to_dict() == pytest.approx({"a": 0, "b": 4 / 3})
    assert found.loc["z"].to_dict() == pytest.approx({"a": 2, "b": 2 * 4 / 3 / 2})
    assert found.loc["same"].to_dict() == {"a": 0, "b": 0}
    choices, values = factorial()  # a choice of one option, and missing ranks
    found = multiverse.moves(choices.assign(c="0"), values.mask(choices["b"] == "2"))
    assert found.loc["y"].to_dict() == {"a": 0, "b": 1}
    found = multiverse.moves(choices, values.mask(choices["a"] == "1"))
    assert found.loc["y"].tolist() == pytest.approx([np.nan, 4 / 3], nan_ok=True)


def test_places_apart_by_hand() -> None:
    """1, 2, 4 are 2 places apart on average, 1 and 1 none."""
    ranks = pd.DataFrame({"a": [4, 1, 2], "b": [1, np.nan, 1]})
    assert multiverse.places_apart(ranks) == pytest.approx(1)


def test_variance_shares_by_hand() -> None:
    """z is 0, 0, 0, 0, 2, 4: variance 7/3. Means by a: 0 and 2, variance 1; by b: 0, 1, 2, 2/3."""
    found = multiverse.variance_shares(*factorial())
    assert found.loc["x"].to_dict() == {"a": 1, "b": 0, "together": 0}
    assert found.loc["y"].to_dict() == {"a": 0, "b": 1, "together": 0}
    assert found.loc["z"].to_dict() == pytest.approx({"a": 3 / 7, "b": 2 / 7, "together": 2 / 7})
    assert found.loc["same"].isna().all()
    choices, values = factorial()
    for of in (multiverse.moves, multiverse.variance_shares):
        with pytest.raises(ValueError, match="5 universes; all combinations would be 6"):
            of(choices[1:], values[1:])


def test_tau_is_that_of_scipy_with_ties_and_without_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    ranks = pd.DataFrame(rng.integers(1, 6, (20, 6)).astype(float), columns=list("abcdef"))
    ranks = ranks.mask(rng.random(ranks.shape) < 0.1)
    ranks.loc[20] = 3.5  # equal ranks have no tau
    paper = pd.Series([1, 2, 3, 4, 4, 6], index=list("fedcba"))
    for row, tau in multiverse.taus(ranks, paper).items():
        own = ranks.loc[row].dropna()
        expected = stats.kendalltau(own, paper[own.index]).statistic
        assert tau == pytest.approx(expected, nan_ok=True)


PAPER = published.table(3).set_index("hyperparameter")["rank"].astype(float)


def holding(ranks: pd.Series) -> pd.Series:
    row = ranks.to_frame().T
    return pd.Series({one.text: one.holds(row).item() for one in multiverse.findings(PAPER)})


def test_findings_hold_for_the_paper_s_ranking_and_not_for_its_opposite() -> None:
    assert holding(PAPER).all()
    assert not holding(12 - PAPER).any()
    assert holding(PAPER).index.is_unique
    ten = PAPER.drop("in_channel_num").rank().reindex(PAPER.index)
    assert holding(ten).all()  # without the rank of one the others count


@pytest.mark.parametrize(
    ("holds", "kind", "choice"),
    [
        ([1, 1, 1, 1, 1, 1], "survives every choice", "a"),
        ([0, 0, 0, 0, 0, 0], "never holds", "a"),
        ([1, 0, 0, 1, 0, 0], "made by one choice", "b"),
        ([1, 0, 1, 1, 1, 0], "depends on the choices", "b"),
    ],
)
def test_verdicts(holds: list[int], kind: str, choice: str) -> None:
    found = multiverse.judge(factorial()[0], pd.Series(holds, dtype=bool))
    assert (found.kind, found.choice, found.share) == (kind, choice, np.mean(holds))
    assert found.by_option.mean() == pytest.approx(np.mean(holds))


def spread(rng):
    return pd.DataFrame(rng.random((90, 3)) * [1, 100, 5], columns=list("abc"))


def tied(rng):
    """Few values: rows that are equal, and many at the same distance."""
    X = pd.DataFrame(rng.integers(3, size=(90, 3)), columns=list("abc"))
    return X.assign(d=rng.choice(["x", "y", "z"], 90))


@pytest.mark.parametrize("columns", [spread, tied])
@pytest.mark.parametrize(("metric", "scale"), [("euclidean", "none"), ("manhattan", "range")])
def test_one_profile_gives_the_weights_of_every_choice(columns, metric, scale):
    rng = np.random.default_rng(0)
    X = columns(rng)
    y = 0.3 * rng.random(90) + 0.1 * X["a"] / X["a"].max()
    most = len(X.drop_duplicates()) - 1
    found = Profile(X, y, most, metric, scale)
    names = ("n_neighbors", "sigma", "rank_base", "target_scale")
    for choice in product((1, 5, 30, most), (0.5, 100), (0, 1), ("none", "range")):
        options = dict(zip(names, choice, strict=True))
        expected = NRReliefF(**options, metric=metric, scale=scale).fit(X, y).weights_
        np.testing.assert_allclose(found.weights(*choice), expected, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=f"the profile has {most} neighbours"):
        found.weights(most + 1)


def test_the_profile_of_three_rows_by_hand():
    """At 0, 1 and 3: the nearest are 1, 1 and 2 of 3 away, the others 3, 2 and 3."""
    found = Profile(pd.DataFrame({"x": [0, 1, 3]}), [0.0, 0.2, 0.8], 2)
    np.testing.assert_allclose(found.theta[:, 0], [4 / 9, 8 / 9])
    np.testing.assert_allclose(found.p, [(0.2 + 0.2 + 0.6) / 3, (0.8 + 0.6 + 0.8) / 3])
    np.testing.assert_allclose(found.both[0, 0], (0.2 / 3 + 0.2 / 3 + 0.6 * 2 / 3) / 3)
    assert found.target_range == 0.8
