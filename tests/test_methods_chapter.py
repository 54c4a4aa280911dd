"""The chapter about the methods: with few recorded fits, and without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import names, page

from hia import columns, cost, screening, space, surfaces, truth

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
    table = {c.name: surfaces.values_at(c, rng.random(240)) for c in columns.of_space()}
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
    assert "python benchmarks/record_truth.py truth makes it" in shown
    assert "**Missing here:** data/cost.parquet" in shown
    assert not names(shown)


def test_with_a_part_of_the_recordings(folder: Path) -> None:
    made = surfaces.synthetic()
    study = surfaces.of_study(
        pd.DataFrame(
            {
                c.name: surfaces.values_at(c, np.random.default_rng(0).random(120))
                for c in columns.of_space()
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


def test_without_the_study_and_the_screen(folder: Path) -> None:
    write_truth(folder, {"additive": surfaces.synthetic()["additive"]})
    write_cost(folder, screen=False)
    shown = page("methods", shown=[50], hidden=["ped_anova"])
    assert "table-study-truth" not in names(shown)
    assert "table-hard" not in names(shown)
    assert "**Missing here:** the Plackett–Burman screen" in shown
