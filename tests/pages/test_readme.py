"""What the README says comes out, on the recorded data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.trials import design, load, select
from hia_book import audit, published, truth
from hia_book.agreement import rank_agreement

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def said() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return " ".join(text[text.index("**What comes out.**") :].split("\n\n")[0].split())


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return select(load(ROOT / "data/trials.parquet"), sources=["random"])


@pytest.fixture(scope="module")
def thirty(drawn: pd.DataFrame) -> pd.Series:
    weights = NRReliefF().fit(design(drawn), drawn["accuracy"]).weights_
    return pd.Series(weights, HYPERPARAMETERS)


@pytest.fixture(scope="module")
def forest(drawn: pd.DataFrame) -> pd.Series:
    options = measure_options(SPACE, HYPERPARAMETERS)
    fitted = FAnova(random_state=0, min_samples_leaf=3, **options)
    fitted.fit(design(drawn, log=False), drawn["accuracy"])
    return pd.Series(fitted.importances_, HYPERPARAMETERS)


def printed(number: int) -> pd.Series:
    return published.table(number, ROOT / "data/published").set_index("hyperparameter")["weight"]


def test_the_learning_rate_matters_most(said: str, thirty: pd.Series, forest: pd.Series) -> None:
    assert "The learning rate matters most, not the number of layers." in said
    rows = load(ROOT / "data/trials.parquet")
    both = NRReliefF().fit(design(rows), rows["accuracy"]).weights_
    assert thirty.idxmax() == forest.idxmax() == HYPERPARAMETERS[int(np.argmax(both))] == "lr"


def test_thirty_neighbours_see_nothing_else(
    said: str, drawn: pd.DataFrame, thirty: pd.Series
) -> None:
    assert "With the paper's thirty neighbours N-RReliefF sees nothing else in random" in said
    assert list(thirty[thirty > 0].index) == ["lr"]
    assert "hardly any neighbours differ in what has two values" in said
    two = [name for name in HYPERPARAMETERS if drawn[name].nunique() == 2]
    assert thirty[two].abs().max() < 1e-4  # where no neighbour differs, there is nothing to weigh


def test_more_neighbours_or_anova_come_nearer(
    said: str, drawn: pd.DataFrame, thirty: pd.Series, forest: pd.Series
) -> None:
    assert "With more neighbours, or by functional ANOVA, the order comes nearer" in said
    growing = truth.CONTENDERS["nrrelieff_growing"].options(len(drawn))
    wider = NRReliefF(**growing).fit(design(drawn), drawn["accuracy"])
    tau = rank_agreement(printed(3), thirty).tau
    assert rank_agreement(printed(3), pd.Series(wider.weights_, HYPERPARAMETERS)).tau > tau
    assert rank_agreement(printed(4), forest).tau > tau


def test_most_labels_of_table_5_are_wrong(said: str) -> None:
    assert "Most labels of its Table 5 stand beside another pair's weight." in said
    paper = audit.load(ROOT / "data/published")
    assert audit.labels(paper.tables[5], paper.weights(3))["right"].mean() < 0.5


def test_more_trials_make_thirty_neighbours_worse(said: str) -> None:
    assert "Where the truth is known, more trials make it worse." in said
    fits = truth.load(ROOT / "data")[0]
    each = truth.by_surface(fits, "tau_main")["nrrelieff"]
    means = each.groupby("trials").mean()
    best, most = (each.xs(n, level="trials") for n in (means.idxmax(), means.index.max()))
    falls = best - most
    assert (falls > 0).sum() > len(falls) / 2
    assert falls.mean() > t.isf(0.025, len(falls) - 1) * falls.sem()
