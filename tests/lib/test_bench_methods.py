"""The bench of the importance methods: its rows, one fit, a limit, and what it prints."""

from pathlib import Path

import bench_methods as bench
import numpy as np
import pandas as pd
import pytest
from peers import fit

ROOT = Path(__file__).parents[2]

CONTENDERS = {contender.method: contender for contender in bench.CONTENDERS}


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    return pd.read_parquet(ROOT / "data" / "trials.parquet").sample(100, random_state=0)


@pytest.fixture
def saved(recorded: pd.DataFrame, tmp_path: Path) -> Path:
    """Rows that are drawn and moved, for there are fewer recorded ones."""
    path, rows = tmp_path / "rows.npz", bench.table(recorded, 120, np.random.default_rng(0))
    assert ((rows["X"] >= 0) & (rows["high"] >= rows["X"])).all()
    whole = rows["X"][:, rows["kind"] != "float"]
    np.testing.assert_array_equal(whole, whole.round())
    assert ((rows["y"] >= 0) & (rows["y"] <= 1)).all()
    np.savez(path, **rows)
    return path


def test_every_contender_has_a_method_and_pins() -> None:
    for contender in bench.CONTENDERS:
        assert {contender.method, contender.ours} <= set(fit.METHODS)
        if contender.environment is not None:
            pins = (bench.PEERS / f"{contender.environment}.txt").read_text().lower()
            assert f"{contender.package}==" in pins


@pytest.mark.slow
def test_fits_of_a_method_and_the_row_of_the_table(saved: Path) -> None:
    outcome = bench.measure(CONTENDERS["hia_nrrelieff"], saved, limit=30, repeats=2)
    assert outcome["note"] == ""
    assert len(outcome["seconds"]) == 2
    assert len(outcome["scores"]) == 11
    ours = vars(CONTENDERS["hia_nrrelieff"]) | outcome
    row = bench.line(ours, ours)
    assert row["package"].startswith("hia ")
    assert row["runs"] == 2
    assert row["tau"] is None
    other = bench.line(vars(CONTENDERS["fanova_package"]) | outcome, ours)
    assert (other["x ours"], other["tau"]) == (1, pytest.approx(1))
    ended = bench.measure(CONTENDERS["hia_fanova"], saved, limit=0.001, repeats=1)
    assert (ended["seconds"], ended["note"]) == ([], "over 0.001 s")


def test_a_method_that_fails_says_why(tmp_path: Path) -> None:
    missing = tmp_path / "none.npz"
    outcome = bench.measure(CONTENDERS["hia_fanova"], missing, limit=30, repeats=1)
    assert outcome["seconds"] == []
    assert "No such file" in outcome["note"]
