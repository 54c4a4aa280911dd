"""hia_book.truth and hia_book.mixed: agreement with the truth, and the tables of fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hia_book import mixed, surfaces, truth
from hia_book.truth import CONTENDERS, Job, agreement, recall

SURFACE = surfaces.synthetic()["additive"]
TRUE = SURFACE.truth()


def test_agreement_is_somers_d() -> None:
    """With ties on both sides."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        scores, true = rng.integers(5, size=9), rng.integers(4, size=9)
        expected = stats.somersd(true, scores).statistic
        assert agreement(scores, true) == pytest.approx(expected)
    assert agreement([4, 2, 2, 1], [4, 3, 2, 1]) == pytest.approx(5 / 6)
    with pytest.raises(ValueError, match="all true importances are equal"):
        agreement([1, 2], [0, 0])


def test_recall_by_hand() -> None:
    true = [5, 4, 3, 2, 1]
    assert recall([9, 8, 7, 0, 0], true) == 1
    assert recall([0, 0, 7, 8, 9], true) == pytest.approx(1 / 3)
    assert recall([1, 1, 1, 1, 1], true) == pytest.approx(3 / 5)
    # Two of the three share the third place with a wrong one: each has one place of three.
    assert recall([9, 8, 1, 1, 1], true) == pytest.approx((1 + 1 + 1 / 3) / 3)
    with pytest.raises(ValueError, match="does not say which 3"):
        recall([1, 2, 3, 4], [3, 2, 1, 1])


def test_a_refusal_is_kept() -> None:
    drawn = truth.draw(SURFACE, 20, 0).assign(y=1.0)
    row = truth.measure(SURFACE.columns, drawn, Job("additive", "fanova", 20, 0))
    assert row["scores"] is None
    assert "y is 1 in all trials" in row["problem"]
    found = truth.table([row], {"additive": TRUE}, [])
    assert found["tau_main"].item() == 0
    assert found["top_main"].item() == pytest.approx(3 / 11)


@pytest.mark.usefixtures("short_mixtures")
def test_a_refusal_among_mixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = truth.Contender("nrrelieff", "none", lambda trials: {"n_neighbors": 0})
    monkeypatch.setitem(truth.CONTENDERS, "nrrelieff", refusing)
    drawn, job = truth.draw(SURFACE, 50, 1), truth.Job("additive", "all", 50, 1)
    rows = pd.DataFrame(mixed.measure(SURFACE, drawn, SURFACE.truth(), job))
    assert list(rows["table"]) == [name for name in mixed.TABLES for _ in mixed.METHODS]
    refused = rows[rows["method"] == "nrrelieff"]
    assert refused["problem"].str.contains("n_neighbors").all()
    assert (refused[["tau_main", "tau_total"]] == 0).all(axis=None)
    assert (rows.drop(refused.index)["problem"] == "").all()


def test_neighbours_grow_with_the_trials() -> None:
    options = CONTENDERS["nrrelieff_growing"].options
    assert options(10_000) == {"n_neighbors": 500, "sigma": pytest.approx(1000 / 3)}
    assert options(600) == {"n_neighbors": 30, "sigma": 20}  # the paper's
    assert options(20) == {"n_neighbors": 19, "sigma": 20}
    assert CONTENDERS["nrrelieff"].options(10_000) == {"n_neighbors": 30, "sigma": 20}


def fit(method: str, trials: int, seconds: float, repeat: int = 0) -> dict:
    job = vars(Job("additive", method, trials, repeat))
    return {**job, "scores": list(range(11)), "seconds": seconds, "problem": ""}


def test_a_fit_above_the_limit_is_the_last() -> None:
    rows = [fit("fanova", 50, 1.0), fit("fanova", 100, 3.0), fit("nrrelieff", 50, 9.0)]
    assert not truth.over(rows, Job("additive", "fanova", 50, 1), limit=2)
    assert truth.over(rows, Job("additive", "fanova", 100, 1), limit=2)
    assert truth.over(rows, Job("additive", "fanova", 200, 0), limit=2)
    assert not truth.over(rows, Job("additive", "ped_anova", 200, 0), limit=2)
    assert not truth.over(rows, Job("noise", "fanova", 200, 0), limit=2)


def test_the_table_says_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = truth.Contender("fanova_package", "absent")
    monkeypatch.setattr(truth.Contender, "available", lambda self: self is not absent)
    monkeypatch.setitem(CONTENDERS, "fanova_package", absent)
    wanted = truth.jobs(
        ["additive"], ["fanova", "nrrelieff", "fanova_package"], {50: 2, 100: 2, 200: 2}
    )
    rows = [fit("fanova", 50, 1.0), fit("fanova", 50, 1.0, 1), fit("fanova", 100, 3.0)]
    found = truth.table(rows, {"additive": TRUE}, wanted, limit=2)
    states = found.groupby(["method", "trials"])["state"].first()
    assert states["fanova"].tolist() == [truth.MEASURED, truth.MEASURED, truth.OVER]
    assert set(states["nrrelieff"]) == {truth.MISSING}
    assert set(states["fanova_package"]) == {truth.ABSENT}
    assert len(found) == 3 + 1 + 3 + 3
    measured = found[found["state"] == truth.MEASURED]
    assert measured["tau_main"].notna().all()
    assert found.drop(measured.index)["tau_main"].isna().all()


def test_means_are_over_all_surfaces_or_none():
    """Of two surfaces: a method on both, with more draws on one, a method on one only."""
    rows = [("A", "nrrelieff", 0.2), ("A", "nrrelieff", 0.4), ("B", "nrrelieff", 0.9)]
    rows += [("A", "fanova", 0.5), ("B", "fanova", np.nan)]
    fits = pd.DataFrame(rows, columns=["surface", "method", "tau_main"]).assign(trials=100)
    fits["state"] = np.where(fits["tau_main"].notna(), truth.MEASURED, truth.OVER)
    each = truth.by_surface(fits, "tau_main")
    assert each.loc[("A", 100), "nrrelieff"] == pytest.approx(0.3)
    assert each.loc[("A", 100), "fanova"] == 0.5
    found = truth.over_surfaces(fits, "tau_main")
    assert found.loc[100, "nrrelieff"] == pytest.approx(0.6)
    assert np.isnan(found.loc[100, "fanova"])


def test_the_others_are_behind_the_nearest_on_the_draws_that_both_had():
    rows = [("A", 0, "x", 0.9), ("A", 1, "x", 0.7), ("B", 0, "x", 0.8), ("B", 0, "y", 0.9)]
    rows += [("A", 0, "y", 0.5), ("A", 0, "z", 0.6), ("B", 0, "z", 0.1)]
    fits = pd.DataFrame(rows, columns=["surface", "repeat", "method", "tau_main"])
    best, gaps = truth.behind(fits.assign(trials=100, state=truth.MEASURED), "tau_main", 100)
    assert best == "x"
    assert list(gaps) == ["y", "z"]
    assert gaps["y"].to_dict() == pytest.approx({"A": 0.4, "B": -0.1})


def test_seconds_in_words():
    rows = [("A", 1.0, truth.MEASURED), ("A", 3.0, truth.MEASURED), ("B", 8.0, truth.MEASURED)]
    fits = pd.DataFrame(rows, columns=["surface", "seconds", "state"])
    fits = fits.assign(method="fanova", trials=100)
    assert truth.write_seconds(fits, "fanova", 100) == "5"
    over = fits.assign(state=[truth.MEASURED, truth.MEASURED, truth.OVER])
    assert truth.write_seconds(over, "fanova", 100) == "2 (1 surface over the limit)"
    none = fits.assign(state=truth.ABSENT)
    assert truth.write_seconds(none, "fanova", 100) == truth.ABSENT
    assert truth.write_seconds(none, "nrrelieff", 100) == ""
