"""The chapters about the recorded tables: with the tables, without them, and in part."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, names, page

from hia import trials
from hia.study import records
from run_notebooks import NotebookError

SETS = ("semeion", "usps")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the repository's root, with the study of two data sets."""
    shutil.copytree(ROOT / "data" / "published", tmp_path / "data" / "published")
    table = trials.load(ROOT / "data" / "trials.parquet")
    trials.save(table[table["dataset"].isin(SETS)], tmp_path / "data" / "trials.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, per_dataset: int = 6, turned: tuple[int, ...] | None = None) -> None:
    """A table of an experiment, with accuracies made up around those of the study.

    turned: instead of that all trainings of a number order the configurations alike, but those of
    these numbers the other way round.
    """
    table = trials.load("data/trials.parquet")
    rng = np.random.default_rng(0)
    rows = []
    for _, own in table[table["source"] == "random"].groupby("dataset"):
        for place, (_, trial) in enumerate(own.head(per_dataset).iterrows()):
            for number in range(1 if name == "precision" else 3):
                row = trial.to_dict() | {"accuracy": float(rng.uniform(0.1, 0.2))}
                row["accuracy"] = trial["accuracy"] * 0.8 + row["accuracy"]
                if turned is not None:
                    row["accuracy"] = 0.5 + 0.05 * place * (-1 if number in turned else 1)
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
        "table-sizes-winner",
        "table-sizes-importance",
        "table-precision",
    }
    assert "nan" not in shown
    assert "**Do they move?** With another seed, and nothing else," in shown
    assert "- the order on half of the images has" in shown
    assert "Held against the orders of other seeds, the order in bfloat16 has" in shown
    assert "that this moves the order beyond the seed is not clear" in shown
    assert "cannot be said as long as there are no trainings with other seeds" not in shown


@pytest.mark.parametrize(
    ("turned", "quarter", "half"),
    [
        ((0,), "**this moves the order beyond the seed**", "that this moves the order beyond"),
        ((1, 2), "this order is the nearer one to theirs", "that this moves the order beyond"),
    ],
)
def test_a_size_moves_the_order_beyond_the_seed_or_not(
    folder: Path, turned: tuple[int, ...], quarter: str, half: str
) -> None:
    write("replicates", turned=())
    write("scaling", turned=turned)
    shown = page("noise", n_samples=2)
    by_size = {line.split()[4]: line for line in shown.splitlines() if line.startswith("- the o")}
    assert quarter in by_size["a"]
    assert f" {half}" in by_size["half"]
    assert "**" not in by_size["half"]


def test_sizes_and_precision_without_other_seeds(folder: Path) -> None:
    write("scaling")
    write("precision")
    shown = page("noise", n_neighbors=2, n_samples=2)
    assert "**Do they move?** How much of what the sizes do is the seed cannot be said" in shown
    assert "Whether that moves the order of configurations beyond the seed cannot be" in shown
    assert "fig-sizes-tau" not in names(shown)
    assert {"table-sizes-tau", "table-sizes-winner", "table-precision"} < names(shown)
    assert "nan" not in shown


def test_the_noise_page_with_part_of_one_table(folder: Path) -> None:
    """As after an experiment was interrupted: one configuration lacks a seed, one data set all."""
    write("replicates")
    table = records.load("replicates", "data/replicates.parquet")
    records.save("replicates", table.iloc[:17], "data/replicates.parquet")
    shown = page("noise")
    assert names(shown) == {"fig-seeds", "table-seeds"}
    assert "**Do they move?** With another seed, and nothing else," in shown
    assert "Held against" not in shown
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
