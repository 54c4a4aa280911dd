"""The chapters about choices and about single data sets: with their recordings, and without."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, names, page

from hia import multiverse, records, screening, trials
from hia.notebooks import NotebookError
from hia.space import HYPERPARAMETERS

SETS = ("cifar10", "mnist", "svhn", "usps")
ALWAYS = {"table-multiverse-planted", "table-multiverse-units"}
FEW = {
    "neighbours": ("30", "10"),
    "sigma": ("20",),
    "rank_base": ("1", "0"),
    "target": ("as it is",),
    "balance": ("nothing",),
    "lr_scale": ("log",),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the repository's root, with a part of the study."""
    table = trials.load(ROOT / "data" / "trials.parquet")
    table = table[table["dataset"].isin(SETS) & (table["trial"] < 100)]
    trials.save(table, tmp_path / "data" / "trials.parquet")
    (tmp_path / "data" / "published").symlink_to(ROOT / "data" / "published")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_universes() -> None:
    table = trials.load("data/trials.parquet")
    multiverse.save(multiverse.universes(table, FEW), "data/multiverse.parquet")
    note = {"trials": len(table), "fingerprint": multiverse.fingerprint(table)}
    Path("data/multiverse.json").write_text(json.dumps(note))


def write_screen() -> None:
    """Runs whose accuracy falls by 0.1 with three channels, on mnist only."""
    row = trials.load("data/trials.parquet").iloc[0].to_dict()
    del row["source"], row["trial"]
    rng = np.random.default_rng(0)
    rows = []
    for name in SETS:
        for number, config in enumerate(screening.configs(screening.design(len(HYPERPARAMETERS)))):
            for replicate in (1, 2):
                made = row | dict.fromkeys(("num_filters_2", "num_filters_3")) | config
                made |= {"dataset": name, "run": number, "replicate": replicate}
                less = 0.1 * (name == "mnist") * (config["in_channel_num"] == 3)
                made["accuracy"] = 0.5 - less + 0.01 * rng.random()
                made["accuracy_per_epoch"] = [made["accuracy"]] * config["epoch"]
                made["seed"] = len(rows)
                rows.append(made)
    table = pd.DataFrame(rows)[list(records.TABLES["screening"].columns)]
    records.save("screening", table, "data/screening.parquet")


def test_without_universes_it_names_the_command_and_makes_the_tests(folder: Path) -> None:
    shown = page("multiverse", planted=["num_fc_units"], n_resamples=5)
    assert "**Missing here:** data/multiverse.parquet" in shown
    assert "python benchmarks/record_multiverse.py makes it" in shown
    assert names(shown) == ALWAYS
    assert "**The answer.**" in shown


def test_with_some_of_the_universes(folder: Path) -> None:
    write_universes()
    shown = page("multiverse", n_resamples=20)
    assert "Missing" not in shown
    assert "Not of the same CNNs" not in shown
    assert names(shown) == ALWAYS | {
        "fig-multiverse",
        "table-multiverse-choices",
        "table-multiverse-findings",
    }
    assert "There are 144 universes here" in shown  # 3 distances, 2 J, 2 bases, 2, 3 and 2
    assert "| scale of lr |" not in shown
    assert "nan" not in shown
    # What half of the performance is, normalised distances rank first.
    for name in ("num_fc_units", "batch_size"):
        (row,) = [
            line.split("|")
            for line in shown.splitlines()
            if line.startswith(f"| `{name}` | planted |") and "normalised" in line
        ]
        assert row[6].strip() == "1"


def test_universes_of_other_cnns_are_shown_with_a_warning(folder: Path) -> None:
    write_universes()
    table = trials.load("data/trials.parquet")
    trials.save(table[table["trial"] != 7], "data/trials.parquet")
    shown = page("multiverse", planted=["batch_size"], n_resamples=5)
    assert f"were recorded from {len(table):,} CNNs" in shown
    assert "python benchmarks/record_multiverse.py` records them again" in shown
    assert "fig-multiverse" in names(shown)


def test_data_sets_without_the_screen(folder: Path) -> None:
    shown = page("perdataset", n_trees=2, n_repeats=1, n_splits=2, n_neighbors=10)
    assert "**Missing here:** data/screening.parquet" in shown
    assert "`hia record screening` writes one" in shown
    assert "Left out, because they have one value on a data set: `in_channel_num`" in shown
    assert names(shown) == {
        "fig-perdataset",
        "table-perdataset-agreement",
        "fig-critical-difference",
        "table-perdataset-halves",
        "table-perdataset-properties",
    }
    assert "**Arbitrary divisions.**" in shown
    assert "nan" not in shown


def test_data_sets_with_the_screen(folder: Path) -> None:
    write_screen()
    options = {"n_trees": 2, "n_repeats": 1, "n_splits": 2, "n_neighbors": 10}
    shown = page("perdataset", datasets=["cifar10", "mnist", "svhn"], **options)
    assert "Missing here:** data" not in shown
    assert "fig-channels" in names(shown)
    assert "**Missing here:** for the properties of data sets four" in shown
    # The control finds what colour cannot be.
    assert "The largest effect is on MNIST (-0.1" in shown
    assert "less than channels without information do elsewhere" in shown
    assert "USPS" not in shown


def test_two_data_sets_are_too_few(folder: Path) -> None:
    with pytest.raises(NotebookError, match="three data sets at least"):
        page("perdataset", datasets=["cifar10", "mnist"])
