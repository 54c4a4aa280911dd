"""What the chapters conclude from made-up results: each verdict where it is due, and its doubt."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, claims, numbers, page

from hia import trials
from run_notebooks import NotebookError

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def in_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder like the repository's root."""
    (tmp_path / "data").mkdir()
    for name in ("published", "samples.png"):
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    monkeypatch.chdir(tmp_path)


def study(per_source: int) -> pd.DataFrame:
    """The first recorded CNNs of each data set and source."""
    table = pd.read_parquet(ROOT / "data" / "trials.parquet")
    return table.groupby(["dataset", "source"]).head(per_source).reset_index(drop=True)


def write(table: pd.DataFrame) -> None:
    """Saves a table whose accuracies were changed."""
    changed = zip(table["accuracy_per_epoch"], table["accuracy"], strict=True)
    lists = [[*before[:-1], after] for before, after in changed]
    trials.save(table.assign(accuracy_per_epoch=lists), "data/trials.parquet")


def layered(per_filter: tuple[float, float, float], noise: float = 0.02) -> None:
    """A study whose accuracy depends on the numbers of filters, and on nothing else."""
    table = study(60)
    filters = table[["num_filters_1", "num_filters_2", "num_filters_3"]].astype(float).fillna(4)
    accuracy = 0.1 + (filters * list(per_filter)).sum(axis=1) / 100
    write(table.assign(accuracy=accuracy + noise * np.random.default_rng(0).random(len(table))))


def test_an_order_of_layers_that_is_clear() -> None:
    layered((1.1, 0.1, 0.0))
    page("filters", n_neighbors=10)
    assert not claims()["no difference between two layers is clear"]
    assert not claims()["the order of two layers is not the paper's"]
    assert 3.0 < float(str(numbers()["needed"])) < 3.1


def test_layers_without_influence_have_no_order() -> None:
    layered((0.0, 0.0, 0.0), noise=0.5)
    page("filters", n_neighbors=10, sources=["random"])
    assert claims()["no difference between two layers is clear"]
    assert not claims()["with all in the distance every layer's W is above 0"]


def test_lists_of_random_search_need_its_cnns() -> None:
    table = study(30)
    write(table[(table["source"] == "bohb") | (table.groupby("dataset").cumcount() < 10)])
    with pytest.raises(NotebookError, match="CNNs of random search are too few for two parts"):
        page("reliability", n_subsets=4, n_neighbors=10)


def test_pairs_have_an_interval_of_random_search_s_cnns_alone() -> None:
    write(study(30))
    options = {"n_neighbors": 10, "n_resamples": 20, "n_trees": 2}
    page("joint", **options)
    both = numbers()
    assert both["n_drawn"] == 300
    page("joint", **options, sources=["random"])
    assert numbers()["low"] == both["low"]
    page("joint", **options, sources=["bohb"])
    assert np.isnan(numbers()["low"])
