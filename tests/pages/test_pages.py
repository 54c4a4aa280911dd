"""Every notebook runs with other parameters on a part of the study, and without its recordings."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chapters import ROOT, page

from hia import trials
from hia.relief import NRReliefF
from hia.study.plans import plain
from run_notebooks import NotebookError

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))

QUICK = {
    "audit": {"deepest": 3},
    "card": {},
    "channels": {"n_divided": 200},
    "claims": {},
    "cluster": {"models": 1000, "cores": 2},
    "curves": {"epochs": 4, "early": [2], "datasets": ["usps"]},
    "data": {"bins": 10},
    "design": {"n_neighbors": 10, "n_trees": 2, "n_subsets": 3},
    "example": {"n_neighbors": 3, "sigma": 1.0},
    "explorer": {"datasets": ["mnist", "usps"], "n_trees": 2},
    "filters": {"n_neighbors": 5, "n_repeats": 2, "sources": ["random"]},
    "halves": {"n_neighbors": 10, "n_trees": 2, "n_repeats": 1},
    "importance": {"n_neighbors": 5, "n_trees": 2, "n_resamples": 4},
    "intro": {"best": 0.2},
    "items": {},
    "joint": {"n_neighbors": 5, "n_trees": 2, "n_resamples": 4, "top": 5},
    "live": {"n_models": 4},
    "methods": {"shown": [50]},
    "multiverse": {"n_resamples": 5},
    "noise": {
        "datasets": ["mnist", "svhn", "usps"],
        "n_neighbors": 2,
        "n_samples": 2,
        "originals": str(ROOT / "data" / "trials.parquet"),
    },
    "pays": {"shown": [20, 100], "compared": 2},
    "perdataset": {"n_neighbors": 10, "n_trees": 2},
    "reliability": {"n_subsets": 4, "n_neighbors": 5},
    "screening": {"n_trees": 2, "datasets": ["semeion", "svhn"]},
    "searches": {"shown": [20, 100], "compared": 2},
    "setup": {"num_conv_layers": 3, "n_configurations": 20},
    "weights": {
        "n_neighbors": 5,
        "n_trees": 2,
        "n_permutations": 19,
        "n_asked": 50,
        "planted": ["batch_size"],
    },
}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder like the repository's root, with 60 CNNs of each data set and search."""
    root = tmp_path_factory.mktemp("root")
    (root / "data").mkdir()
    for path in (ROOT / "data").iterdir():
        if path.name != "trials.parquet":
            (root / "data" / path.name).symlink_to(path)
    study = pd.read_parquet(ROOT / "data" / "trials.parquet")
    few = study.groupby(["dataset", "source"]).head(60).reset_index(drop=True)
    trials.save(few, root / "data" / "trials.parquet")
    (root / "book").mkdir()
    (root / "book" / "_toc.yml").symlink_to(ROOT / "book" / "_toc.yml")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(root)
        yield root


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)  # one that is not among QUICK fails
def test_a_page_of_other_parameters(name: str, tmp_path: Path) -> None:
    if name == "items":  # made from other pages
        page("example")
        Path("out.ipynb").rename("book/example.ipynb")
    shown = page(name, **QUICK[name])
    assert re.search("^:name: (fig|table)-|explorer", shown, re.MULTILINE)
    assert name == "explorer" or not re.search(r"\bnan\b", shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("items", "failed: there are no executed pages in book; `make book`"),
        ("methods", "failed: data/truth.parquet is missing; `python studies/record_truth"),
        ("multiverse", "failed: data/multiverse.parquet is missing; `python studies/record_mul"),
        ("noise", "replicates.parquet: there is no such table; `hia study studies/repl"),
        ("screening", "failed: data/screening.parquet: there is no .*`hia study studies/screening"),
        ("pays", "tuning.parquet is missing; `python studies/record_tuning"),
    ],
)
def test_a_page_without_a_recording_says_how_to_make_it(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotebookError, match=said):
        page(name)


@pytest.mark.slow
def test_no_weight_above_0_and_no_fanova_are_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every weight of N-RReliefF below 0, as chance can have it; and no fanova package."""
    fit = NRReliefF.fit

    def negative(self: NRReliefF, X: Any, y: Any) -> NRReliefF:
        fit(self, X, y)
        self.weights_ = -abs(self.weights_) - 1e-6
        return self

    monkeypatch.setattr(NRReliefF, "fit", negative)
    monkeypatch.setitem(sys.modules, "fanova.fanova", None)
    assert "ours by `hia.ranking.fanova`" in page("importance", **QUICK["importance"])
    with pytest.raises(NotebookError, match="failed: no weight of N-RReliefF is above 0"):
        page("joint", **QUICK["joint"])


@pytest.mark.slow
def test_the_card_s_csv_has_every_digit(folder: Path) -> None:
    page("card")
    again = pd.read_csv(folder / "book" / "_static" / "data" / "trials.csv")
    again["accuracy_per_epoch"] = again["accuracy_per_epoch"].map(json.loads)
    table = trials.load(folder / "data" / "trials.parquet")
    assert plain(trials.check(again)) == plain(table)


def test_equations_have_the_numbers_of_the_paper() -> None:
    label = re.compile(r":label: (\S+)|\$\$ \((\S+)\)")
    paths = [*ROOT.glob("notebooks/*.py"), *ROOT.glob("book/*.md")]
    labels = {path.stem: label.findall(path.read_text(encoding="utf-8")) for path in paths}
    assert [first for first, _ in labels.pop("method")] == [f"eq-{n}" for n in range(1, 15)]
    assert not any(labels.values()), "numbers go through the book: Eq. 10 would have another"
