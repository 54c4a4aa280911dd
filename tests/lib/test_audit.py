"""hia_book.audit: every check finds what is wrong in the paper's tables, and would elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hia import datasets, relief, space
from hia_book import agreement, audit, published
from hia_book.audit import AGREES, DIFFERS, NOT_SAID, NOT_SHOWN, Check, Paper

FOLDER = Path(__file__).parents[2] / "data" / "published"
FACTS = datasets.table2()


@pytest.fixture(scope="module")
def paper() -> Paper:
    return audit.load(FOLDER)


@pytest.fixture(scope="module")
def found(paper: Paper) -> list[Check]:
    return audit.checks(paper, FACTS)


def altered(paper: Paper, tables: dict[int, pd.DataFrame] | None = None, **parts) -> list[Check]:
    """The checks of the paper with these tables and parts in the place of its own."""
    return audit.checks(replace(paper, tables={**paper.tables, **(tables or {})}, **parts), FACTS)


def one(checks: list[Check], about: str, where: str = "") -> Check:
    """The check whose subject contains these words."""
    (found,) = [c for c in checks if about in c.about and where in c.where]
    return found


def test_every_check_has_an_answer(found: list[Check]) -> None:
    assert len({(check.where, check.about) for check in found}) == len(found)
    assert all(check.printed and check.found for check in found)
    assert {check.status for check in found} == set(audit.STATUSES)
    assert {claim for check in found for claim in check.bears} == set(audit.CLAIMS)


@pytest.mark.parametrize(
    ("about", "where", "status", "words"),
    [
        ("a letter stands for one thing", "", DIFFERS, "two letters are needed"),
        ("defaults", "Table 1", DIFFERS, "space 1, 3"),
        ("numbers of images", "", DIFFERS, "EuroSAT 27,000"),
        ("numbers of classes", "", AGREES, "the same"),
        ("numbers of channels", "", DIFFERS, "SEMEION 1"),
        ("collections in colour", "", DIFFERS, "5 really"),
        ("varies within a data set", "", NOT_SHOWN, "0 of 10"),
        ("every structure", "", NOT_SAID, "16 a side"),
        ("number of CNNs", "Abstract", AGREES, "11,150"),
        ("more CNNs than stated", "", DIFFERS, "7 of 10"),
        ("whole number", "", AGREES, "10 of 10"),
        ("the ICC lies", "", DIFFERS, "0.75 to 0.9"),
        ("agreement about all ranks", "", NOT_SHOWN, "only the first 3 agree"),
        ("rank 6 can be told apart", "", NOT_SHOWN, "after rank 1, 2, 3"),
        ("ranks 1 to 3 can be told apart", "", AGREES, "are clear"),
        ("shares sum to 1", "Table 3", AGREES, "rounding of 11"),
        ("shares sum to 1", "Table 6", AGREES, "rounding of 2"),
        ("shares sum to 1", "Table 7", AGREES, "rounding of 3"),
        ("main effects", "Table 4", DIFFERS, "at most 1"),
        ("ranks follow", "Table 3", AGREES, "the same"),
        ("ranks follow", "Table 4", DIFFERS, "`num_fc_units` 9"),
        ("the same ranking", "", DIFFERS, "1 of 55"),
        ("those of Eq. 10", "", NOT_SAID, "any sum"),
        ("made by the distance", "", NOT_SHOWN, "% of the mean squared distance"),
        ("Eq. 11 on Table 3", "", AGREES, "10 are"),
        ("labels are those", "", DIFFERS, "9 of 10"),
        ("that Table 3 does not", "", NOT_SHOWN, "all 10 pairs"),
        ("the loops", "", DIFFERS, "121 instead of 55"),
        ("numbers in the text", "Table 7", AGREES, "0.627518"),
        ("layers 1 to 2 can be told apart", "Table 6", NOT_SHOWN, "above 0.034"),
        ("layers 1 to 3 can be told apart", "Table 7", AGREES, "above 0.034"),
    ],
)
def test_what_the_paper_prints(
    found: list[Check], about: str, where: str, status: str, words: str
) -> None:
    check = one(found, about, where)
    assert check.status == status
    assert words in check.found


def test_the_labels_of_table_5(paper: Paper) -> None:
    found = audit.labels(paper.tables[5], paper.weights(3))
    assert found["found_second"].tolist()[:2] == ["lr", "dropout_rate"]
    assert found.loc[found["right"], "second"].tolist() == ["kernel"]
    np.testing.assert_allclose(found["weight"], found["found_weight"].astype(float), atol=1e-6)


def test_right_labels_are_right(paper: Paper) -> None:
    weights = paper.weights(3)
    pairs = relief.joint_importance(weights).head(10)
    right = pairs.assign(weight=pairs["weight"].round(6), rank=range(1, 11), label="")
    other = altered(paper, {5: right})
    assert one(other, "labels are those").status == AGREES
    assert one(other, "Eq. 11 on Table 3").status == AGREES
    right.loc[3, "weight"] += 0.01
    assert one(altered(paper, {5: right}), "Eq. 11 on Table 3").status == DIFFERS
    found = audit.labels(right, weights)
    assert found["found_first"].isna().tolist() == [i == 3 for i in range(10)]
    assert found["right"].tolist() == [i != 3 for i in range(10)]


def test_a_table_4_that_is_one(paper: Paper) -> None:
    four = paper.tables[4].copy()
    weights = four["weight"].sort_values(ascending=False).to_numpy()
    other = altered(paper, {4: four.assign(weight=weights / 1.1)})
    for about in ("main effects", "the same ranking"):
        assert one(other, about).status == AGREES
    assert one(other, "ranks follow", "Table 4").status == AGREES
    other = altered(paper, {4: four.assign(weight=four["weight"].to_numpy()[::-1])})
    assert one(other, "ranks follow", "Table 4").status == DIFFERS


@pytest.mark.parametrize("number", [3, 6, 7])
def test_sums_that_are_not_1(paper: Paper, number: int) -> None:
    table = paper.tables[number].copy()
    table.loc[0, "weight"] += 8e-6
    other = altered(paper, {number: table})
    assert one(other, "shares sum to 1", f"Table {number}").status == DIFFERS
    if number == 3:
        assert one(other, "those of Eq. 10").status == AGREES
    else:
        assert one(other, "numbers in the text", f"Table {number}").status == DIFFERS


def test_other_data_sets(paper: Paper) -> None:
    two = paper.tables[2].copy()
    two.loc[two["dataset"] == "eurosat", "images"] = 27_000
    two.loc[two["dataset"] == "semeion", "channels"] = 1
    two.loc[two["dataset"] == "mnist", "classes"] = 11
    two.loc[two["dataset"] == "usps", "size"] = "28*28"
    other = altered(paper, {2: two})
    for about in ("numbers of images", "numbers of channels", "collections in colour"):
        assert one(other, about).status == AGREES
    assert one(other, "numbers of classes").printed == "MNIST 11"
    assert one(other, "sides of the images").found == "USPS 16"


def test_a_data_set_with_both_numbers_of_channels(paper: Paper) -> None:
    grey = paper.tables[2].query("dataset == 'cifar10'").assign(channels=1)
    other = altered(paper, {2: pd.concat([paper.tables[2], grey])})
    assert one(other, "varies within a data set").status == AGREES


def test_other_counts(paper: Paper) -> None:
    more = altered(paper, figure2=paper.figure2.assign(models=lambda f: f["models"] + 10))
    assert one(more, "more CNNs than stated").status == AGREES
    fewer = altered(paper, figure2=paper.figure2.assign(models=333))
    assert one(fewer, "number of CNNs", "Abstract").status == DIFFERS
    assert one(fewer, "whole number").status == DIFFERS
    gone = altered(paper, figure2=paper.figure2.tail(9))
    assert one(gone, "the same data sets").status == DIFFERS


def test_other_claims(paper: Paper) -> None:
    claims = {
        "top_five": "lr num_conv_layers dropout_rate optimizer epoch",
        "neighbors_symbol": "J",
        "pairs_listed": "9",
        "hyperparameters": "12",
        "icc_to": "1.0",
    }
    other = altered(paper, claims={**paper.claims, **claims})
    assert one(other, "named first and last").status == DIFFERS
    assert one(other, "a letter stands").status == AGREES
    assert one(other, "number of pairs").status == DIFFERS
    assert one(other, "are those ranked").status == DIFFERS
    assert one(other, "the ICC lies").status == AGREES


def test_weights_that_an_icc_tells_apart(paper: Paper) -> None:
    """Equal steps, and a nearly perfect ICC: nothing to object to."""
    even = np.arange(11, 0, -1) / 66
    clear = {3: paper.tables[3].assign(weight=even)}
    other = altered(paper, clear, numbers={**paper.numbers, "icc": 0.9999})
    assert one(other, "rank 6 can be told apart").status == AGREES
    assert one(other, "agreement about all ranks").status == AGREES
    low = altered(paper, numbers={**paper.numbers, "icc": 0.5})
    assert one(low, "the ICC lies").status == DIFFERS
    assert one(low, "ranks 1 to 3 can be told apart").status == NOT_SHOWN


def test_layers_in_another_order_are_not_told_apart(paper: Paper) -> None:
    """A gap that is wide, but the wrong way round; and one that is wide enough."""
    six, seven = (paper.tables[number].copy() for number in (6, 7))
    other = altered(paper, {6: six.assign(weight=[0.4, 0.6])})
    assert one(other, "can be told apart, each", "Table 6").status == NOT_SHOWN
    other = altered(paper, {6: six.assign(weight=[0.6, 0.4])})
    assert one(other, "can be told apart, each", "Table 6").status == AGREES
    other = altered(paper, {7: seven.assign(weight=[0.6, 0.21, 0.19])})
    found = one(other, "can be told apart, each", "Table 7")
    assert (found.status, found.printed) == (NOT_SHOWN, "smallest gap 0.020000")


def test_defaults_inside(paper: Paper) -> None:
    for before, after, printed in (
        ("0", "1", "all defaults"),
        ("Adam", "Lion", "`optimizer`: Lion"),
    ):
        changed = paper.tables[1].replace({"default": {before: after}})
        assert printed in one(altered(paper, {1: changed}), "defaults").printed


def test_icc_of_shuffled_lists() -> None:
    weights = pd.Series([0.4, 0.3, 0.2, 0.1], list("abcd"))
    assert audit.shuffled_icc(weights, 4) == pytest.approx(1)
    assert audit.shuffled_icc(weights, 0) == pytest.approx(0, abs=0.05)
    rng = np.random.default_rng(0)
    drawn = np.tile(weights.to_numpy(), (1, 10, 1))
    drawn[..., 2:] = rng.permuted(drawn[..., 2:], axis=-1)
    table = agreement.icc(pd.DataFrame(drawn[0]))["icc"]
    assert audit.shuffled_icc(weights, 2, repeats=1) == pytest.approx(table[agreement.REPORTED])


def test_implied_error_is_that_of_the_variances() -> None:
    """ICC = v / (v + e): of weights 0 and 1, v = 1/2, and an ICC of 0.9, e = 1/18."""
    assert audit.implied_sd(pd.Series([0.0, 1.0]), 0.9) == pytest.approx(np.sqrt(1 / 18))


def test_parts_of_the_raw_distance_by_drawing() -> None:
    rng = np.random.default_rng(0)
    names = [name for name in space.HYPERPARAMETERS if name != "in_channel_num"]
    drawn = pd.DataFrame([space.sample(rng) for _ in range(8000)])[names]
    drawn["optimizer"] = (drawn["optimizer"] == "Adam").astype(int)  # a category counts 1
    squared = 2 * drawn.var()
    parts = audit.raw_distance_parts(names)
    assert parts.is_monotonic_decreasing
    assert parts.sum() == pytest.approx(1)
    np.testing.assert_allclose(parts, (squared / squared.sum())[parts.index], rtol=0.1)


def test_networks_that_run_out_of_pixels() -> None:
    """On two pixels a side five can be built, all padded: kernel 2 with stride 1 and one to three
    layers, which leave one pixel each; kernel 2 with stride 2 and kernel 3 with stride 1, one."""
    table = audit.structures({"tiny": 2, "large": 96})
    assert table["structures"].tolist() == [24, 24]
    assert table["impossible"].tolist() == [24 - 5, 0]


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Tables 1 to 7, no Table 8"):
        published.table(8)
    with pytest.raises(FileNotFoundError, match=r"table3\.csv is missing"):
        published.table(3, tmp_path)
