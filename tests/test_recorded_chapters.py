"""The chapters about the recorded tables: with the tables, without them, and in part."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, names, page

from hia import records, trials
from hia.notebooks import NotebookError

SETS = ("semeion", "usps")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the repository's root, with the study of two data sets."""
    shutil.copytree(ROOT / "data" / "published", tmp_path / "data" / "published")
    table = trials.load(ROOT / "data" / "trials.parquet")
    trials.save(table[table["dataset"].isin(SETS)], tmp_path / "data" / "trials.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, per_dataset: int = 6) -> None:
    """A table of an experiment, with accuracies made up around those of the study."""
    table = trials.load("data/trials.parquet")
    rng = np.random.default_rng(0)
    rows = []
    for _, own in table[table["source"] == "random"].groupby("dataset"):
        for _, trial in own.head(per_dataset).iterrows():
            for number in range(1 if name == "precision" else 3):
                row = trial.to_dict() | {"accuracy": float(rng.uniform(0.1, 0.2))}
                row["accuracy"] = trial["accuracy"] * 0.8 + row["accuracy"]
                row["accuracy_per_epoch"] = [row["accuracy"]] * row["epoch"]
                if name == "replicates":
                    row |= {"replicate": number + 1, "seed": int(rng.integers(2**32))}
                elif name == "precision":
                    row["precision"] = "bf16"
                else:
                    row["fraction"] = records.FRACTIONS[number]
                    row["images"] = int(row["images"] * row["fraction"])
                rows.append(row)
    columns = list(records.TABLES[name].columns)
    records.save(name, pd.DataFrame(rows)[columns], f"data/{name}.parquet")


def test_the_card_offers_every_table_as_a_csv_with_every_digit(folder: Path) -> None:
    write("scaling")
    shown = page("card")
    assert names(shown) >= {"table-card", "table-card-files", "table-card-columns"}
    assert all(f"`{column}`" in shown for column in trials.COLUMNS)
    assert "**Missing here:** `data/provenance.json`" in shown
    assert "Not recorded yet: `replicates.parquet`" in shown
    assert 'href="_static/data/trials.csv"' in shown
    served = Path("book/_static/data")
    assert sorted(path.name for path in served.iterdir()) == ["scaling.csv", "trials.csv"]
    again = pd.read_csv(served / "trials.csv")
    again["accuracy_per_epoch"] = again["accuracy_per_epoch"].map(json.loads)
    table = trials.load("data/trials.parquet")
    assert (
        trials.check(again)
        .drop(columns="accuracy_per_epoch")
        .equals(table.drop(columns="accuracy_per_epoch"))
    )
    assert [list(one) for one in again["accuracy_per_epoch"]] == [
        list(one) for one in table["accuracy_per_epoch"]
    ]


def test_the_card_of_another_table_leaves_the_book_s_files_alone(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    shutil.copy("data/trials.parquet", "elsewhere/trials.parquet")
    shutil.copy(ROOT / "data" / "provenance.json", "elsewhere/provenance.json")
    shown = page("card", trials="elsewhere/trials.parquet")
    assert "those of other folders" in shown
    assert {"table-card-sessions", "table-card-images"} < names(shown)
    assert not Path("book").exists()


def test_the_noise_page_without_tables_says_how_to_record_them(folder: Path) -> None:
    shown = page("noise")
    assert "**Missing here:** `data/replicates.parquet`. `hia record replicates`" in shown
    assert "**Missing here:** `data/scaling.parquet`. `hia record scaling`" in shown
    assert "**Missing here:** `data/precision.parquet`. `hia record precision`" in shown
    assert names(shown) == set()


def test_the_noise_page_with_all_tables(folder: Path) -> None:
    write("replicates")
    write("scaling")
    write("precision")
    shown = page("noise", n_neighbors=2, n_samples=2)
    assert "Missing" not in shown
    assert names(shown) == {
        "fig-seeds",
        "table-seeds",
        "table-sizes",
        "fig-sizes",
        "fig-sizes-tau",
        "table-sizes-tau",
        "table-sizes-importance",
        "table-precision",
    }
    assert "nan" not in shown
    assert "bfloat16 moves the order" in shown


def test_the_noise_page_with_part_of_one_table(folder: Path) -> None:
    """As after an experiment was interrupted: one configuration lacks a seed, one data set all."""
    write("replicates")
    table = records.load("replicates", "data/replicates.parquet")
    records.save("replicates", table.iloc[:17], "data/replicates.parquet")
    shown = page("noise")
    assert names(shown) == {"fig-seeds", "table-seeds", "fig-sizes-tau"}
    assert "SEMEION" in shown
    assert "USPS" not in shown
    assert "are too few to rank importance" in shown


def test_curves_of_one_data_set(folder: Path) -> None:
    shown = page("curves", datasets=["usps"], epochs=4, early=[2])
    assert names(shown) == {
        "fig-curves",
        "fig-curves-optimizer",
        "fig-curves-depth",
        "table-early",
    }
    assert "After epoch 2" in shown
    assert "SEMEION" not in shown


@pytest.mark.parametrize("parameters", [{"epochs": 11}, {"epochs": 3, "early": [3]}])
def test_curves_of_epochs_that_are_not_there(folder: Path, parameters: dict[str, object]) -> None:
    with pytest.raises(NotebookError, match=r"there must be CNNs with so many epochs"):
        page("curves", **parameters)
