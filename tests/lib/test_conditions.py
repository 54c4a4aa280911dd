"""hia_book.conditions: means over data sets, what the paper found, and accuracy against lr."""

import numpy as np
import pandas as pd
import pytest

from hia_book import conditions, rankings


def test_an_interval_of_a_mean_over_data_sets():
    values = pd.DataFrame({"same": [2.0] * 10, "apart": np.arange(10.0)})
    table = conditions.average(values)
    assert list(table.index) == ["same", "apart"]
    assert table.loc["same"].tolist() == [2, 2, 2]
    # The mean of ten resampled values of 0 to 9 has a standard deviation of sqrt(8.25 / 10).
    assert table.loc["apart", "mean"] == 4.5
    assert table.loc["apart", "high"] - 4.5 == pytest.approx(1.96 * np.sqrt(0.825), rel=0.05)


@pytest.mark.parametrize(
    ("renamed", "kept"),
    [
        ({}, {"order", "three", "five", "last"}),
        ({"a": "b", "b": "a", "i": "j", "j": "i"}, {"three", "five", "last"}),
        ({"e": "f", "f": "e", "i": "h", "h": "i"}, {"order", "three"}),
    ],
)
def test_the_papers_findings(renamed, kept):
    paper = pd.Series(range(1, 11), index=[*"abcdefghij"])
    found = conditions.judge(paper.rename(renamed), paper)
    assert {name for name, holds in found.items() if holds} == kept
    assert conditions.judge(paper.drop("e"), paper)["five"]


def test_what_a_condition_adds_to_mean_ranks():
    before = pd.DataFrame({"a": [0.9, 0.8], "b": [0.5, 0.4], "c": [0.1, 0.2]})
    weights = {("one", method): before for method in rankings.METHODS}
    weights |= {
        ("other", method): before[["b", "a", "c"]].set_axis([*"abc"], axis=1)
        for method in rankings.METHODS
    }
    for table in conditions.compare(weights, "one", "other").values():
        assert table["mean"].to_dict() == {"b": -1, "c": 0, "a": 1}


def test_equal_counts_take_the_first_of_each_data_set():
    tables = [
        pd.DataFrame({"dataset": [*names], "trial": range(5)}) for names in ("aabbb", "aaabb")
    ]
    one, other = conditions.equal_counts(*tables)
    assert one["trial"].tolist() == [0, 1, 2, 3]
    assert other["trial"].tolist() == [0, 1, 3, 4]


def test_heaps():
    shares = conditions.heaps(pd.Series([0.1, 0.24, 0.25, 0.7, 0.71]))
    assert shares.tolist() == pytest.approx([0.4, 0.4, 0.2])


def test_every_data_set_counts_the_same_in_a_response():
    trials = pd.DataFrame({"dataset": [*"aaab"], "optimizer": "SGD", "num_conv_layers": 1})
    trials = trials.assign(lr=[0.001, 0.002, 0.01, 0.05], accuracy=[0.2, 0.4, 0.6, 0.9])
    response = conditions.respond(trials, np.array([1e-4, 1e-2, 1]))
    assert response["lr"].tolist() == pytest.approx([1e-3, 1e-1])
    assert response["accuracy"].tolist() == pytest.approx([0.4, 0.9])
    assert response["cnns"].tolist() == [3, 1]
