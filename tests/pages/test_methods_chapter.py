"""The chapter about the methods: with few recorded fits, and without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import names, page

from hia import space
from hia_book import cost, mixed, screening, surfaces, truth

FAST = ("nrrelieff", "nrrelieff_growing", "fanova", "ped_anova")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_truth(folder: Path, made: dict[str, surfaces.Surface]) -> None:
    """Fits of the fast methods to 50 and 100 trials, once each; the others are not there yet."""
    jobs = truth.jobs(made, FAST, {50: 1, 100: 1})
    rows = [
        truth.measure(made[job.surface], truth.draw(made[job.surface], job.trials, 0), job)
        for job in jobs
    ]
    found = {name: surface.truth() for name, surface in made.items()}
    truth.table(rows, found, truth.jobs(made)).to_parquet(folder / "truth.parquet")
    true = [table.reset_index().assign(surface=name) for name, table in found.items()]
    pd.concat(true).to_parquet(folder / "surfaces.parquet")


def write_cost(folder: Path, *, screen: bool) -> None:
    rng = np.random.default_rng(0)
    table = {c.name: surfaces.values_at(c, rng.random(240)) for c in space.TABLE1}
    trials = pd.DataFrame(table).assign(dataset=["mnist", "svhn"] * 120)
    trials["accuracy"] = 0.3 + 0.2 * (trials["optimizer"] == "Adam") + 0.1 * rng.random(240)
    parts = cost.scopes(trials)
    jobs = cost.jobs(trials, sizes=(30, 60), pooled_sizes=(60, 120), repeats=2)
    rows = [cost.measure(parts[job.scope], job) for job in jobs]
    if screen:
        runs = [
            {"dataset": name, "run": run, "replicate": replicate, **config}
            | {"accuracy": 0.3 + 0.2 * (config["optimizer"] == "Adam") + 0.01 * rng.random()}
            for name in ("mnist", "svhn")
            for run, config in enumerate(screening.configs(screening.design(11)))
            for replicate in (1, 2, 3)
        ]
        rows += cost.screens(pd.DataFrame(runs))
    cost.table(rows, trials).to_parquet(folder / "cost.parquet")


def test_without_recordings_it_names_the_commands(folder: Path) -> None:
    shown = page("methods")
    assert "**Missing here:** data/truth.parquet" in shown
    assert "python studies/record_truth.py truth makes it" in shown
    assert "python studies/record_truth.py mixed makes it" in shown
    assert "**Missing here:** data/cost.parquet" in shown
    assert not names(shown)


def test_with_a_part_of_the_recordings(folder: Path) -> None:
    made = surfaces.synthetic()
    study = surfaces.of_study(
        pd.DataFrame(
            {
                c.name: surfaces.values_at(c, np.random.default_rng(0).random(120))
                for c in space.TABLE1
            }
        ).assign(accuracy=np.random.default_rng(1).random(120)),
        points=64,
        replicates=2,
    )
    write_truth(folder, {**made, surfaces.STUDY: study})
    write_cost(folder, screen=True)
    shown = page("methods")
    expected = {"table-surfaces", "table-study-truth", "fig-truth-main", "fig-truth-total"}
    expected |= {"fig-when", "table-truth", "table-when", "table-hard", "fig-truth-seconds"}
    expected |= {"table-truth-seconds", "fig-cost", "table-cost"}
    assert names(shown) == expected
    assert "**Not complete:**" in shown
    assert "not measured" in shown
    assert "The screen's 24 trainings of one data set" in shown
    assert all(f"`{name}`" in shown for name in space.HYPERPARAMETERS)
    assert "the nearest is told apart from all others at" in shown
    # With 50 and 100 trials, and parts of 120, n/20 is the same as 30.
    (line,) = [x for x in shown.splitlines() if x.startswith("| N-RReliefF, J = n/20 |  |  |")]
    assert line.replace(" ", "") == "|N-RReliefF,J=n/20|||||"
    assert "Empty where a twentieth of the trainings is no more than 30 neighbours" in shown
    when = shown[shown.index(":name: table-when") :].partition("~~~")[0]
    assert "J = n/20" not in when
    assert "nan" not in when


def invented(folder: Path, taus: dict[str, dict[int, tuple[float, ...]]]) -> None:
    """Recorded fits with these agreements of each method and number of trials, one per surface."""
    surfaces_of = ("additive", "interactions", "product", "conditional")
    rows = [
        {"surface": surface, "method": method, "trials": n, "repeat": repeat, "seconds": 0.1}
        | dict.fromkeys(("tau_main", "tau_total"), tau)
        | dict.fromkeys(("top_main", "top_total"), 0.5)
        | {"scores": None, "problem": "", "state": truth.MEASURED}
        for method, by_trials in taus.items()
        for n, of_surfaces in by_trials.items()
        for surface, tau in zip(surfaces_of, of_surfaces, strict=True)
        for repeat in range(2)
    ]
    pd.DataFrame(rows).to_parquet(folder / "truth.parquet")
    found = {name: surfaces.synthetic()[name].truth() for name in surfaces_of}
    true = [table.reset_index().assign(surface=name) for name, table in found.items()]
    pd.concat(true).to_parquet(folder / "surfaces.parquet")


def test_differences_are_clear_or_not_by_their_error_over_the_surfaces(folder: Path) -> None:
    """By hand: fANOVA is 0.3, 0.4, 0.3, 0.4 above N-RReliefF with 10,000 trials, and 0.4, -0.3, 0.4
    and -0.3 above PED-ANOVA."""
    invented(
        folder,
        {
            "fanova": {1000: (0.6, 0.6, 0.6, 0.6), 10000: (0.8, 0.8, 0.8, 0.8)},
            "ped_anova": {1000: (0.2, 0.2, 0.2, 0.2), 10000: (0.4, 1.0, 0.4, 1.0)},
            "nrrelieff": {1000: (0.7, 0.7, 0.6, 0.6), 10000: (0.5, 0.4, 0.5, 0.4)},
            "nrrelieff_growing": {1000: (0.3, 0.3, 0.3, 0.3), 10000: (0.7, 0.5, 0.4, 0.6)},
        },
    )
    shown = page("methods", shown=[10000]).replace("\N{NO-BREAK SPACE}", " ")
    (line,) = [x for x in shown.splitlines() if x.startswith("| alone | 10,000 |")]
    assert line == (
        "| alone | 10,000 | 2 | fANOVA (0.80) | PED-ANOVA (Optuna) (0.10 ± 0.17) "
        "| N-RReliefF, J = n/20 (0.25 ± 0.06), N-RReliefF (0.35 ± 0.03) |"
    )
    assert "It falls on 4 of 4 surfaces (additive, interactions, product, conditional)" in shown
    assert "by 0.20 ± 0.04 on average: **on average it gets worse with more trials.**" in shown
    assert "a difference of 0.10 ± 0.07. That a growing number of neighbours is better is" in shown


def test_what_falls_on_some_surfaces_and_rises_on_others_is_not_clear(folder: Path) -> None:
    taus = {1000: (0.7, 0.7, 0.3, 0.7), 10000: (0.5, 0.5, 0.5, 0.6)}
    grown = {1000: (0.7, 0.7, 0.3, 0.7), 10000: (0.9, 0.8, 0.9, 0.9)}
    flat = dict.fromkeys((1000, 10000), (0.95, 0.95, 0.95, 0.95))
    invented(folder, {"nrrelieff": taus, "nrrelieff_growing": grown, "fanova": flat})
    shown = page("methods", shown=[1000, 10000])
    assert "It falls on 3 of 4 surfaces (additive, interactions, conditional)" in shown
    assert "that it gets worse with more trials is not clear" in shown
    assert "So 30 neighbours are no constant of nature" in shown
    assert "the nearest is told apart from all others at 1 of them" in shown


def test_without_the_study_and_the_screen(folder: Path) -> None:
    write_truth(folder, {"additive": surfaces.synthetic()["additive"]})
    write_cost(folder, screen=False)
    shown = page("methods", shown=[50], hidden=["ped_anova"])
    assert "table-study-truth" not in names(shown)
    assert "table-hard" not in names(shown)
    assert "**Missing here:** the Plackett–Burman screen" in shown


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        (
            {"nrrelieff": 0.3, "ped_anova": 0.3},
            "the chosen ones make the ranking worse by N-RReliefF and PED-ANOVA (Optuna); that is "
            "not clear by N-RReliefF, J = n/20 and fANOVA.",
        ),
        ({}, "the chosen ones make no ranking clearly worse."),
    ],
)
def test_what_chosen_trials_take(folder: Path, lost: dict[str, float], says: str) -> None:
    made = {name: surfaces.synthetic()[name] for name in ("additive", "noise")}
    write_truth(folder, made)
    rows = [
        {"surface": name, "trials": 1000, "repeat": repeat, "table": table, "method": method}
        | {"tau_main": 0.8 + 0.01 * k - (lost.get(method, 0.0) if table == "mixed" else 0.0)}
        for k, name in enumerate((*made, surfaces.STUDY))
        for repeat in range(2)
        for table in mixed.TABLES
        for method in mixed.METHODS
    ]
    pd.DataFrame(rows).assign(tau_total=0.5).to_parquet(folder / "mixed.parquet")
    shown = page("methods")
    assert says in shown
    assert f"from 0.82 to {0.82 - lost.get('nrrelieff', 0):.2f} by N-RReliefF" in shown
