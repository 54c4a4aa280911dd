"""The multiverse: every universe is what N-RReliefF finds, and the summaries are what they say."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hia import space
from hia.relief import NRReliefF
from hia.trials import design
from hia_book import multiverse, published
from hia_book.multiverse import CHOICES

ROOT = Path(__file__).parents[2]

FEW = {
    "neighbours": ("5", "200"),
    "sigma": ("20",),
    "rank_base": ("1",),
    "target": ("as it is",),
    "balance": ("nothing",),
}


def trials(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Random configurations on two data sets, a third of them by BOHB."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame([space.sample(rng) for _ in range(2 * n)])
    table["dataset"] = ["mnist"] * n + ["svhn"] * n
    table["in_channel_num"] = [1] * n + [3] * n
    table["source"] = (["random"] * 2 + ["bohb"]) * (2 * n // 3)
    table["accuracy"] = 0.2 + 0.5 * (table["optimizer"] == "Adam") + 0.1 * rng.random(2 * n)
    return table


# universes ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    return multiverse.universes(trials(), FEW)


def universe(table: pd.DataFrame, **options: str) -> pd.Series:
    chosen = pd.Series(True, table.index)
    for name, option in options.items():
        chosen &= table[name] == option
    (row,) = [row for _, row in table[chosen].iterrows()]
    return row


@pytest.mark.parametrize("distance", CHOICES["distance"].options)
@pytest.mark.parametrize("lr_scale", CHOICES["lr_scale"].options)
@pytest.mark.parametrize("source", CHOICES["source"].options)
def test_a_pooled_universe_is_a_fit_to_its_rows(
    made: pd.DataFrame, distance: str, lr_scale: str, source: str
) -> None:
    table = trials()
    rows = table if source == "both" else table[table["source"] == source.lower()]
    relief = NRReliefF(
        5,
        metric="manhattan" if distance == "Manhattan" else "euclidean",
        scale="none" if distance == "raw Euclidean" else "range",
    ).fit(design(rows, log=lr_scale == "log"), rows["accuracy"])
    options = {"distance": distance, "lr_scale": lr_scale, "source": source}
    row = universe(made, scope="pooled", neighbours="5", **options)
    np.testing.assert_allclose(
        row[list(space.HYPERPARAMETERS)].astype(float), relief.weights_, atol=1e-9
    )
    assert row["rows"] == len(rows)


def test_a_universe_of_data_sets_is_the_mean_of_their_fits(made: pd.DataFrame) -> None:
    table = trials()
    names = [name for name in space.HYPERPARAMETERS if name != "in_channel_num"]
    fits = [
        NRReliefF(len(own) - 1).fit(design(own, names), own["accuracy"]).weights_  # J is capped
        for _, own in table.groupby("dataset")
    ]
    row = universe(
        made,
        scope="each",
        distance="Euclidean",
        lr_scale="log",
        source="both",
        neighbours="200",
    )
    np.testing.assert_allclose(row[names].astype(float), np.mean(fits, axis=0), atol=1e-9)
    assert np.isnan(row["in_channel_num"])


def test_a_column_that_differs_on_one_data_set_only_is_weighed_there() -> None:
    table = trials()
    table.loc[table["dataset"] == "svhn", "stride"] = 1
    one = {name: options[:1] for name, options in FEW.items()}
    one |= {"distance": ("Euclidean",), "lr_scale": ("log",), "source": ("both",)}
    (row,) = multiverse.universes(table, one | {"scope": ("each",)}).to_dict("records")
    own = table[table["dataset"] == "mnist"]
    names = [name for name in space.HYPERPARAMETERS if name != "in_channel_num"]
    fit = NRReliefF(5).fit(design(own, names), own["accuracy"])
    assert row["stride"] == pytest.approx(fit.weights_[names.index("stride")])


def test_balance_takes_what_it_says() -> None:
    table = trials().drop(index=range(30))  # 30 of mnist, 60 of svhn
    options = FEW | {"distance": ("Euclidean",), "lr_scale": ("log",), "source": ("both",)}
    options |= {"balance": CHOICES["balance"].options, "neighbours": ("5",), "scope": ("pooled",)}
    pooled = multiverse.universes(table, options).set_index("balance")["rows"]
    assert pooled["nothing"] == 90
    assert pooled["data set"] == 60
    # 600 of 11,150 are 5 of 90; accuracies are in [0.2, 0.3) and [0.7, 0.8).
    assert pooled["accuracy"] == 10


def test_j_in_proportion_to_the_rows() -> None:
    table = trials(120)
    options = {name: some[:1] for name, some in FEW.items()}
    options |= {"distance": ("Euclidean",), "lr_scale": ("log",), "source": ("both",)}
    options |= {"scope": ("pooled",), "neighbours": ("n/20", "100")}
    made = multiverse.universes(table, options).set_index("neighbours")
    fit = NRReliefF(12).fit(design(table), table["accuracy"])  # 240 / 20
    found = made.loc["n/20", list(space.HYPERPARAMETERS)].astype(float)
    np.testing.assert_allclose(found, fit.weights_, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": ("euclidean",)}, "unknown choice 'metric'; known are distance"),
        ({"sigma": ("21",)}, "sigma: '21' is not one of 5, 20, 100"),
    ],
)
def test_options_are_checked(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        multiverse.universes(trials(), options)


def test_too_few_rows_are_named() -> None:
    table = trials()
    with pytest.raises(ValueError, match="balance=nothing, scope=pooled: fewer than 10"):
        multiverse.universes(table[table["source"] == "random"], FEW | {"source": ("BOHB",)})


# the recorded table ---------------------------------------------------------------------------


def test_a_saved_table_comes_back(made: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "multiverse.parquet"
    multiverse.pack(made).to_parquet(path)
    again = multiverse.load(path)
    names = list(space.HYPERPARAMETERS)
    pd.testing.assert_frame_equal(again.drop(columns=names), made.drop(columns=names))
    assert (again[names] - made[names]).abs().max(axis=None) <= 0.5e-5 + 1e-12
    assert again[names].isna().equals(made[names].isna())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="kernel"), "column 'kernel' is missing"),
        (lambda table: table.drop(columns="sigma"), "column 'sigma' is missing"),
        (lambda table: table.iloc[1:], "71 universes; all combinations would be 72"),
        (lambda table: pd.concat([table, table[:1]]), "a universe is there twice"),
        (lambda table: table.assign(scope="all"), "column 'scope': unknown option 'all'"),
    ],
)
def test_a_table_is_checked(change, message: str, made: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "multiverse.parquet"
    multiverse.pack(made).to_parquet(path)
    change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(ValueError, match=message) as error:
        multiverse.load(path)
    assert str(path) in str(error.value)


def test_the_fingerprint_is_that_of_what_is_used() -> None:
    table = trials()
    same = multiverse.fingerprint(table.assign(seconds=1.0).set_index(table.index + 5))
    assert multiverse.fingerprint(table) == same
    for change in ({"accuracy": 0.5}, {"source": "random"}, {"stride": 1}):
        assert multiverse.fingerprint(table.assign(**change)) != same


# what they say --------------------------------------------------------------------------------


def test_ranks_stretch_over_what_is_missing() -> None:
    weights = pd.DataFrame([[0.3, 0.1, 0.2], [0.3, np.nan, 0.2], [0.1, 0.1, -0.2]])
    assert ranks_of(weights) == [[1, 3, 2], [1, None, 3], [1.5, 1.5, 3]]


def ranks_of(weights: pd.DataFrame) -> list:
    found = multiverse.ranks(weights)
    return found.astype(object).where(found.notna(), None).to_numpy().tolist()


def test_the_size_of_a_weight_below_0_ranks_it_the_other_way(made: pd.DataFrame) -> None:
    choices, ranks = multiverse.ranked(made)
    assert len(choices) == len(ranks) == 2 * len(made)
    names = list(space.HYPERPARAMETERS)
    by_w, by_size = (ranks[choices["score"] == one] for one in CHOICES["score"].options)
    lowest = made[names].idxmin(axis=1)
    assert (by_w.to_numpy()[range(len(made)), [names.index(n) for n in lowest]] == 11).all()
    size = made[names].abs().idxmax(axis=1)
    assert (by_size.to_numpy()[range(len(made)), [names.index(n) for n in size]] == 1).all()


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


def test_moves_of_a_choice_of_one_option_and_with_missing_ranks() -> None:
    choices, values = factorial()
    found = multiverse.moves(choices.assign(c="0"), values.mask(choices["b"] == "2"))
    assert found.loc["y"].to_dict() == {"a": 0, "b": 1, "c": 0}
    found = multiverse.moves(choices, values.mask(choices["a"] == "1"))
    assert np.isnan(found.loc["y", "a"])
    assert found.loc["y", "b"] == pytest.approx(4 / 3)


def test_variance_shares_by_hand() -> None:
    """z is 0, 0, 0, 0, 2, 4: variance 7/3. Means by a: 0 and 2, variance 1; by b: 0, 1, 2, 2/3."""
    found = multiverse.variance_shares(*factorial())
    assert found.loc["x"].to_dict() == {"a": 1, "b": 0, "together": 0}
    assert found.loc["y"].to_dict() == {"a": 0, "b": 1, "together": 0}
    assert found.loc["z"].to_dict() == pytest.approx({"a": 3 / 7, "b": 2 / 7, "together": 2 / 7})
    assert found.loc["same"].isna().all()


def test_what_is_no_factorial_is_refused() -> None:
    choices, values = factorial()
    for of in (multiverse.moves, multiverse.variance_shares):
        with pytest.raises(ValueError, match="5 universes; all combinations would be 6"):
            of(choices[1:], values[1:])


def test_tau_is_that_of_scipy_with_ties_and_without_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    ranks = pd.DataFrame(rng.integers(1, 6, (20, 6)).astype(float), columns=list("abcdef"))
    ranks = ranks.mask(rng.random(ranks.shape) < 0.1)
    paper = pd.Series([1, 2, 3, 4, 4, 6], index=list("fedcba"))
    found = multiverse.taus(ranks, paper)
    for row, tau in found.items():
        own = ranks.loc[row].dropna()
        assert tau == pytest.approx(stats.kendalltau(own, paper[own.index]).statistic)


def test_equal_ranks_have_no_tau() -> None:
    ranks = pd.DataFrame([[1.5, 1.5], [1.0, 2.0]], columns=["a", "b"])
    found = multiverse.taus(ranks, pd.Series({"b": 2, "a": 1}))
    assert np.isnan(found[0])
    assert found[1] == 1


PAPER = published.table(3).set_index("hyperparameter")["rank"]


def holding(ranks: pd.DataFrame) -> pd.DataFrame:
    found = {one.text: one.holds(ranks) for one in multiverse.findings(PAPER)}
    return pd.DataFrame(found).T


def test_the_paper_s_own_ranking_has_all_of_its_findings() -> None:
    assert holding(PAPER.to_frame().T.astype(float)).all(axis=None)


def test_the_opposite_ranking_has_none() -> None:
    held = holding((12.0 - PAPER).to_frame().T)
    assert not held.any(axis=None)
    assert held.index.is_unique


def test_findings_are_about_the_hyperparameters_they_name() -> None:
    """With the first and the last exchanged."""
    other = PAPER.astype(float).replace({1: 11, 11: 1}).to_frame().T
    held = holding(other)["rank"]
    assert {text for text, holds in held.items() if not holds} == {
        text for text in held.index if "`num_conv_layers`" in text or "`batch_size`" in text
    }


def test_without_the_rank_of_one_the_others_count() -> None:
    ten = PAPER.astype(float).drop("in_channel_num").rank().reindex(PAPER.index)
    assert holding(ten.to_frame().T).all(axis=None)


@pytest.mark.parametrize(
    ("holds", "kind", "choice"),
    [
        ([1, 1, 1, 1, 1, 1], "every", "a"),
        ([0, 0, 0, 0, 0, 0], "none", "a"),
        ([0, 0, 0, 1, 1, 1], "one choice", "a"),
        ([1, 0, 0, 1, 0, 0], "one choice", "b"),
        ([1, 0, 1, 1, 1, 0], "mixed", "b"),
    ],
)
def test_verdicts(holds: list[int], kind: str, choice: str) -> None:
    choices = factorial()[0]
    found = multiverse.judge(choices, pd.Series(holds, dtype=bool))
    assert (found.kind, found.choice, found.share) == (kind, choice, np.mean(holds))
    assert found.by_option.mean() == pytest.approx(np.mean(holds))
