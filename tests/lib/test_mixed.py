"""hia_book.mixed: trials that a search chose, and what they do to rankings."""

import pandas as pd
import pytest

from hia_book import mixed, surfaces, truth
from hia_book.surfaces import TARGET

SURFACE = surfaces.synthetic()["additive"]
pytestmark = pytest.mark.usefixtures("short_mixtures")


def test_a_search_is_of_runs_that_know_nothing_of_each_other() -> None:
    found = mixed.search(SURFACE, 50, 3)
    pd.testing.assert_frame_equal(found.head(40), mixed.search(SURFACE, 40, 3))
    runs = [found[TARGET][start : start + 20] for start in (0, 20, 40)]
    assert [len(run) for run in runs] == [20, 20, 10]
    # TPE begins with ten trials at random, in each run.
    assert runs[1][:10].mean() < runs[0][10:].mean()
    assert not found[TARGET][:20].equals(mixed.search(SURFACE, 20, 4)[TARGET])


def test_a_method_that_refuses_agrees_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = truth.Contender("nrrelieff", "none", lambda trials: {"n_neighbors": 0})
    monkeypatch.setitem(truth.CONTENDERS, "nrrelieff", refusing)
    drawn, job = truth.draw(SURFACE, 50, 1), mixed.Job("additive", 50, 1)
    rows = pd.DataFrame(mixed.measure(SURFACE, drawn, SURFACE.truth(), job))
    assert list(rows["table"]) == [name for name in mixed.TABLES for _ in mixed.METHODS]
    refused = rows[rows["method"] == "nrrelieff"]
    assert refused["problem"].str.contains("n_neighbors").all()
    assert (refused[["tau_main", "tau_total"]] == 0).all(axis=None)
    assert (rows.drop(refused.index)["problem"] == "").all()
