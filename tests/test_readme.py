"""What the README says comes out, on the recorded data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from hia import audit, published, truth
from hia.agreement import rank_agreement
from hia.fanova import FAnova, measure_options
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.trials import design, load, select

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def said() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return " ".join(text[text.index("**What comes out.**") :].split("\n\n")[0].split())


def weights(sources: list[str]) -> pd.Series:
    rows = select(load(ROOT / "data/trials.parquet"), sources=sources)
    return pd.Series(NRReliefF().fit(design(rows), rows["accuracy"]).weights_, HYPERPARAMETERS)


def test_the_learning_rate_matters_most(said: str) -> None:
    assert "The learning rate matters most, not the number of layers." in said
    rows = select(load(ROOT / "data/trials.parquet"), sources=["random"])
    forest = FAnova(random_state=0, min_samples_leaf=3, **measure_options(SPACE, HYPERPARAMETERS))
    forest.fit(design(rows, log=False), rows["accuracy"])
    assert HYPERPARAMETERS[int(np.argmax(forest.importances_))] == "lr"
    assert weights(["random"]).idxmax() == weights(["random", "bohb"]).idxmax() == "lr"


def test_the_order_is_found_again_with_random_search(said: str) -> None:
    assert "found again with random search's CNNs, and blurred by BOHB's" in said
    paper = published.table(3, ROOT / "data/published").set_index("hyperparameter")["weight"]
    alone = rank_agreement(paper, weights(["random"]))
    assert alone.low > 0
    assert rank_agreement(paper, weights(["random", "bohb"])).tau < alone.tau


def test_most_labels_of_table_5_are_wrong(said: str) -> None:
    assert "Most labels of its Table 5 stand beside another pair's weight." in said
    paper = audit.load(ROOT / "data/published")
    assert audit.labels(paper.tables[5], paper.weights(3))["right"].mean() < 0.5


def test_more_trials_make_thirty_neighbours_worse(said: str) -> None:
    assert "With thirty neighbours, N-RReliefF gets worse with more trials." in said
    fits = truth.load(ROOT / "data")[0]
    each = truth.by_surface(fits, "tau_main")["nrrelieff"]
    means = each.groupby("trials").mean()
    best, most = (each.xs(n, level="trials") for n in (means.idxmax(), means.index.max()))
    falls = best - most
    assert (falls > 0).sum() > len(falls) / 2
    assert falls.mean() > t.isf(0.025, len(falls) - 1) * falls.sem()
