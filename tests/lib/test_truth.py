"""hia_book.truth and studies/record_truth.py: agreement with the truth, and the bench of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scripts import load_script

from hia_book import surfaces, truth
from hia_book.truth import CONTENDERS, Job, agreement, recall

ROOT = Path(__file__).parents[2]
MADE = surfaces.synthetic()


# --- how near ------------------------------------------------------------------------------------


def test_agreement_by_hand() -> None:
    true = [4, 3, 2, 1]
    assert agreement([9, 5, 2, 0], true) == 1
    assert agreement([0, 2, 5, 9], true) == -1
    assert agreement([1, 1, 1, 1], true) == 0
    assert agreement([3, 4, 2, 1], true) == pytest.approx((5 - 1) / 6)
    # A tie of the scores is neither right nor wrong.
    assert agreement([4, 2, 2, 1], true) == pytest.approx(5 / 6)


def test_agreement_passes_over_what_the_truth_does_not_order() -> None:
    assert agreement([9, 2, 1], [1, 0, 0]) == agreement([9, 1, 2], [1, 0, 0]) == 1
    with pytest.raises(ValueError, match="all true importances are equal"):
        agreement([1, 2], [0, 0])


def test_agreement_is_kendalls() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, true = rng.random(9), rng.integers(4, size=9)
        tau = stats.kendalltau(scores, true).statistic
        ordered = 1 - sum(n * (n - 1) / 72 for n in np.bincount(true))
        assert agreement(scores, true) == pytest.approx(tau / np.sqrt(ordered))


def test_recall_by_hand() -> None:
    true = [5, 4, 3, 2, 1]
    assert recall([9, 8, 7, 0, 0], true) == 1
    assert recall([0, 0, 7, 8, 9], true) == pytest.approx(1 / 3)
    assert recall([1, 1, 1, 1, 1], true) == pytest.approx(3 / 5)
    # Two of the three share the third place with a wrong one: each has one place of three.
    assert recall([9, 8, 1, 1, 1], true) == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert recall([1, 2, 3, 4, 5], true, top=5) == 1
    with pytest.raises(ValueError, match="does not say which 3"):
        recall([1, 2, 3, 4], [3, 2, 1, 1])


def test_lengths_have_to_match() -> None:
    with pytest.raises(ValueError, match=r"scores of shape \(2,\) for a truth of shape \(3,\)"):
        agreement([1, 2], [1, 2, 3])


# --- the fits ------------------------------------------------------------------------------------


def test_jobs_begin_with_few_trials() -> None:
    jobs = truth.jobs(["additive", "noise"], ["fanova", "nrrelieff"], {200: 1, 50: 2})
    assert [job.trials for job in jobs] == [50] * 8 + [200] * 4
    assert len(set(jobs)) == len(jobs) == 12
    assert jobs[:2] == [Job("additive", name, 50, 0) for name in ("fanova", "nrrelieff")]


def test_draws_differ_and_can_be_had_again() -> None:
    surface = MADE["additive"]
    first = truth.draw(surface, 60, 0)
    pd.testing.assert_frame_equal(first, truth.draw(surface, 60, 0))
    assert not first.equals(truth.draw(surface, 60, 1))
    assert not first.equals(truth.draw(surface, 61, 0).head(60))


def test_a_fit_finds_what_is_there() -> None:
    surface = MADE["additive"]
    for method in ("fanova", "nrrelieff", "nrrelieff_growing"):
        row = truth.measure(surface, truth.draw(surface, 300, 0), Job("additive", method, 300, 0))
        assert row["problem"] == ""
        assert row["seconds"] > 0
        assert agreement(row["scores"], surface.truth()["main"]) > 0.6


def test_a_refusal_is_kept() -> None:
    surface = MADE["additive"]
    drawn = truth.draw(surface, 20, 0).assign(y=1.0)
    row = truth.measure(surface, drawn, Job("additive", "fanova", 20, 0))
    assert row["scores"] is None
    assert "y is 1 in all trials" in row["problem"]
    found = truth.table([row], {"additive": surface.truth()}, [])
    assert found["tau_main"].item() == 0
    assert found["top_main"].item() == pytest.approx(3 / 11)


def test_neighbours_grow_with_the_trials() -> None:
    options = CONTENDERS["nrrelieff_growing"].options
    assert options(10_000) == {"n_neighbors": 500, "sigma": pytest.approx(1000 / 3)}
    assert options(600) == {"n_neighbors": 30, "sigma": 20}  # the paper's
    assert options(20) == {"n_neighbors": 19, "sigma": 20}
    assert CONTENDERS["nrrelieff"].options(10_000) == {}


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


# --- the table -----------------------------------------------------------------------------------


def test_the_table_says_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = truth.Contender("fanova_package", "absent")
    monkeypatch.setattr(truth.Contender, "available", lambda self: self is not absent)
    monkeypatch.setitem(CONTENDERS, "fanova_package", absent)
    wanted = truth.jobs(
        ["additive"], ["fanova", "nrrelieff", "fanova_package"], {50: 2, 100: 2, 200: 2}
    )
    rows = [fit("fanova", 50, 1.0), fit("fanova", 50, 1.0, 1), fit("fanova", 100, 3.0)]
    found = truth.table(rows, {"additive": MADE["additive"].truth()}, wanted, limit=2)
    states = found.groupby(["method", "trials"])["state"].first()
    assert states["fanova"].tolist() == [truth.MEASURED, truth.MEASURED, truth.OVER]
    assert set(states["nrrelieff"]) == {truth.MISSING}
    assert set(states["fanova_package"]) == {truth.ABSENT}
    assert len(found) == 3 + 1 + 3 + 3
    measured = found[found["state"] == truth.MEASURED]
    assert measured["tau_main"].notna().all()
    assert found.drop(measured.index)["tau_main"].isna().all()


def test_load_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="truth makes it"):
        truth.load(tmp_path)
    names = ["surface", "method", "trials", "seconds", "state"]
    fits = pd.DataFrame({name: ["a"] for name in names})
    fits.to_parquet(tmp_path / "truth.parquet")
    pd.DataFrame({"surface": ["b"]}).to_parquet(tmp_path / "surfaces.parquet")
    with pytest.raises(ValueError, match=r"surfaces.parquet: column 'hyperparameter' is missing"):
        truth.load(tmp_path)
    names = ["surface", "hyperparameter", "main", "total"]
    pd.DataFrame({name: ["b"] for name in names}).to_parquet(tmp_path / "surfaces.parquet")
    with pytest.raises(ValueError, match="has no surface 'a'"):
        truth.load(tmp_path)


# --- the recording -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("record_truth")


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two surfaces, of which the second stands for the study, and two data sets of trials."""
    trials = pd.read_parquet(ROOT / "data" / "trials.parquet")
    some = trials[trials["dataset"].isin(["mnist", "svhn"])].groupby("dataset").head(30)
    some.to_parquet(tmp_path / "trials.parquet")
    made = {"additive": MADE["additive"], "study": MADE["noise"]}
    monkeypatch.setattr(truth, "all_surfaces", lambda trials: made)
    monkeypatch.setattr(truth, "SIZES", {20: 2, 30: 1})


def arguments(folder: Path, *more: str) -> list[str]:
    given = ["--to", str(folder), "--journal", str(folder / "journal.jsonl")]
    return [*more, "--data", str(folder), *given]


FAST = ("truth", "--methods", "nrrelieff", "ped_anova")


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_recording_can_be_cut_short_and_goes_on(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    whole = truth.measure
    calls = []

    def cut_short(*given):
        calls.append(given)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(truth, "measure", cut_short)
    assert script.main(arguments(tmp_path, *FAST)) == 130
    assert "the same command goes on" in capsys.readouterr().err
    first = pd.read_parquet(tmp_path / "truth.parquet")
    assert (first["state"] == truth.MEASURED).sum() == 4
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"row": {"surface": "addi')  # a line that a kill cut short
    monkeypatch.setattr(truth, "measure", whole)
    assert script.main(arguments(tmp_path, *FAST)) == 0
    assert "4 of 12 are there" in capsys.readouterr().out
    fits, true = truth.load(tmp_path)
    measured = fits[fits["state"] == truth.MEASURED]
    assert len(measured) == 12
    assert set(true["surface"]) == {"additive", "study"}
    before = first[first["state"] == truth.MEASURED].iloc[0]
    key = ["surface", "method", "trials", "repeat"]
    again = measured.set_index(key).loc[tuple(before[key])]
    assert list(again["scores"]) == list(before["scores"])
    assert json.loads((tmp_path / "truth.json").read_text())["fits"] == 12


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_recording_goes_on_from_the_table_alone(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert script.main(arguments(tmp_path, *FAST)) == 0
    (tmp_path / "journal.jsonl").unlink()
    whole = (tmp_path / "truth.parquet").read_bytes()
    assert script.main(arguments(tmp_path, *FAST)) == 0
    assert "12 of 12 are there" in capsys.readouterr().out
    assert (tmp_path / "truth.parquet").read_bytes() == whole
    assert script.main(arguments(tmp_path, *FAST, "--again", "--repeats", "1")) == 0
    assert "0 of 8 are there" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_fits_of_a_surface_that_has_changed_are_made_again(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    assert script.main(arguments(tmp_path, *FAST)) == 0
    made = {"additive": MADE["additive"], "study": MADE["product"]}
    monkeypatch.setattr(truth, "all_surfaces", lambda trials: made)
    assert script.main(arguments(tmp_path, *FAST)) == 0
    assert "6 of 12 are there" in capsys.readouterr().out
    _, true = truth.load(tmp_path)
    found = true[true["surface"] == "study"].set_index("hyperparameter")["total"]
    assert found.to_dict() == pytest.approx(MADE["product"].truth()["total"].to_dict())


@pytest.mark.usefixtures("few")
def test_nothing_is_fitted_above_the_limit(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert script.main(arguments(tmp_path, *FAST, "--limit", "1e-9")) == 0
    fits, _ = truth.load(tmp_path)
    measured = fits[fits["state"] == truth.MEASURED]
    assert len(measured) == 4  # the first of each method on each surface
    ran = fits["method"].isin(measured["method"])
    assert set(fits.loc[ran & (fits["trials"] == 30), "state"]) == {truth.OVER}


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_recording_the_cost(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(script.cost, "SIZES", ())
    monkeypatch.setattr(script.cost, "POOLED_SIZES", (20,))
    monkeypatch.setattr(script.cost, "SAMPLED", ("nrrelieff", "fanova", "ped_anova"))
    monkeypatch.setattr(script.cost, "REFERENCE", ("nrrelieff", "fanova"))
    given = arguments(tmp_path, "cost", "--repeats", "2")
    assert script.main(given) == 0
    assert "without the screen" in capsys.readouterr().out
    found = pd.read_parquet(tmp_path / "cost.parquet")
    assert len(found) == 3 * (2 + 1 + 2)
    assert (found.loc[found["whole"], "tau_own"] == 1).all()
    assert found["tau_reference"].notna().all()
    assert script.main(given) == 0
    assert "15 of 15 are there" in capsys.readouterr().out


def test_means_are_over_all_surfaces_or_none():
    """Of two surfaces: a method on both, with more draws on one, a method on one only."""
    fits = pd.DataFrame(
        [
            ("A", "nrrelieff", 100, 0.2, truth.MEASURED),
            ("A", "nrrelieff", 100, 0.4, truth.MEASURED),
            ("B", "nrrelieff", 100, 0.9, truth.MEASURED),
            ("A", "fanova", 100, 0.5, truth.MEASURED),
            ("B", "fanova", 100, np.nan, truth.OVER),
        ],
        columns=["surface", "method", "trials", "tau_main", "state"],
    )
    each = truth.by_surface(fits, "tau_main")
    assert each.loc[("A", 100), "nrrelieff"] == pytest.approx(0.3)
    assert each.loc[("A", 100), "fanova"] == 0.5
    found = truth.over_surfaces(fits, "tau_main")
    assert found.loc[100, "nrrelieff"] == pytest.approx(0.6)
    assert np.isnan(found.loc[100, "fanova"])
