"""The bench of the importance methods: its rows, one fit, a limit, and what it prints."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scripts import load_script

from hia import space, trials

ROOT = Path(__file__).parents[2]


bench = load_script("bench_methods")
fit = load_script("peers/fit")


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    return trials.load(ROOT / "data" / "trials.parquet").sample(400, random_state=0)


@pytest.fixture
def saved(recorded: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "rows.npz"
    np.savez(path, **bench.table(recorded, 120, np.random.default_rng(0)))
    return path


def test_rows_are_recorded_ones_or_made_from_them(recorded: pd.DataFrame) -> None:
    names = list(space.HYPERPARAMETERS)
    for n in (100, 400, 1000):
        rows = bench.table(recorded, n, np.random.default_rng(1))
        X = pd.DataFrame(rows["X"], columns=names)
        assert X.shape == (n, 11)
        assert ((rows["low"] <= X) & (rows["high"] >= X)).all(axis=None)
        assert set(X["batch_size"]) <= {0, 1, 2, 3}
        assert set(X["optimizer"]) == {0, 1}
        assert ((rows["y"] >= 0) & (rows["y"] <= 1)).all()
        known = set(np.log10(recorded["lr"]).round(9))
        assert (set(X["lr"].round(9)) <= known) == (n <= 400)


def test_every_contender_has_a_method_and_pins() -> None:
    for contender in bench.CONTENDERS:
        assert contender.method in fit.METHODS
        assert contender.ours in fit.METHODS
        if contender.environment is not None:
            pins = (bench.PEERS / f"{contender.environment}.txt").read_text().lower()
            assert f"{contender.package}==" in pins


@pytest.mark.slow
def test_fits_of_a_method_and_the_row_of_the_table(saved: Path) -> None:
    (ours,) = (one for one in bench.CONTENDERS if one.method == "hia_nrrelieff")
    found = bench.measure(ours, saved, limit=30, repeats=2)
    assert found.note == ""
    assert len(found.seconds) == 2
    assert len(found.scores) == 11
    shown = bench.line(ours, found, found)
    assert shown.startswith("N-RReliefF, the paper's options hia ")
    other = next(one for one in bench.CONTENDERS if one.method == "fanova_package")
    assert "1.00" in bench.line(other, found, found)  # the same ranking


@pytest.mark.slow
def test_a_fit_over_the_limit_is_ended_and_marked(saved: Path) -> None:
    (ours,) = (one for one in bench.CONTENDERS if one.method == "hia_fanova")
    found = bench.measure(ours, saved, limit=0.001, repeats=1)
    assert found == bench.Outcome(note="over 0.001 s")
    assert bench.line(ours, found, None).endswith(" 0 over 0.001 s")


def test_a_method_that_fails_says_why(tmp_path: Path) -> None:
    (ours,) = (one for one in bench.CONTENDERS if one.method == "hia_fanova")
    found = bench.measure(ours, tmp_path / "none.npz", limit=30, repeats=1)
    assert found.seconds == ()
    assert "No such file" in found.note
