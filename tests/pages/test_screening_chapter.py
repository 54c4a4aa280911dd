"""The chapter about the Plackett-Burman screen: with its table, in part, and without."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, names, page

from hia import space, trials
from hia.study import records
from hia_book import screening

SETS = ("semeion", "svhn")  # grey and colour
ALWAYS = {"table-pb-design", "table-pb-levels"}
RESULTS = {"fig-pb-effects", "table-pb-effects", "fig-pb-fold", "table-pb-errors"}
RESULTS |= {"table-pb-agreement", "fig-pb-forest", "fig-pb-curves", "table-pb-cost"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study of two data sets."""
    (tmp_path / "data").mkdir()
    table = trials.load(ROOT / "data" / "trials.parquet")
    own = table[table["dataset"].isin(SETS)].groupby("dataset").head(100)
    trials.save(own, tmp_path / "data" / "trials.parquet")
    monkeypatch.chdir(tmp_path)


def write(sets: tuple[str, ...] = SETS, drop: int = 0) -> None:
    """The trainings of the design, with accuracies that follow optimizer and epoch."""
    study = trials.load("data/trials.parquet")
    rng = np.random.default_rng(0)
    rows = []
    for name in sets:
        like = study[study["dataset"] == name].iloc[0].to_dict()
        for run_number, config in enumerate(screening.configs(screening.design(11))):
            for replicate in (1, 2, 3):
                good = 0.3 * (config["optimizer"] == "Adam") + 0.1 * (config["epoch"] == 8)
                accuracy = 0.2 + good + 0.02 * float(rng.random())
                row = like | dict.fromkeys(space.FILTERS) | config
                row |= {"run": run_number, "replicate": replicate, "accuracy": accuracy}
                row |= {"accuracy_per_epoch": [accuracy] * config["epoch"]}
                rows.append(row | {"seed": int(rng.integers(2**32))})
    columns = list(records.TABLES["screening"].columns)
    table = pd.DataFrame(rows)[columns]
    records.save("screening", table.iloc[: len(table) - drop], "data/screening.parquet")


def test_without_the_table_it_shows_the_design_and_names_the_command() -> None:
    shown = page("screening", n_trees=2)
    assert "**Missing here:** `data/screening.parquet`. `hia record screening` trains" in shown
    assert names(shown) == ALWAYS
    assert "contains 45 of the 55 interactions of two" in shown


def test_with_the_table() -> None:
    write()
    shown = page("screening", n_trees=2)
    assert names(shown) == ALWAYS | RESULTS
    assert "By the sum of ranks, `optimizer`, `epoch` and" in shown
    assert "`optimizer` lowers the accuracy by" in shown
    assert "nan" not in shown
    # A twentieth of 100 CNNs is no more than 30.
    assert "N-RReliefF, n/20" not in shown
    assert "30 neighbours. Last: two halves" in shown
    assert "screen and N-RReliefF with $J$ = 30 by" in shown
    assert "**Missing here" not in shown


def test_a_twentieth_of_many_cnns_is_another_method() -> None:
    """As if there were 700 of each data set."""
    table = trials.load("data/trials.parquet")
    copies = [
        table.assign(
            trial=table["trial"] + 1000 * k, lr=table["lr"] * (1 + 1e-4 * (k if k < 4 else -k))
        )
        for k in range(7)
    ]
    many = pd.concat(copies)
    trials.save(many.assign(lr=many["lr"].clip(1e-6, 1e-1)), "data/trials.parquet")
    write()
    shown = page("screening", n_trees=2)
    assert "| screen – N-RReliefF, n/20 |" in shown
    assert "| fANOVA – N-RReliefF, n/20 |" in shown
    assert "30 neighbours, and with a twentieth of the CNNs. Last: two halves" in shown
    assert "screen and N-RReliefF with $J$ = n/20 by" in shown


def test_of_one_data_set_and_where_another_is_not_complete() -> None:
    write(drop=1)
    shown = page("screening", n_trees=2)
    assert "**Not complete:** `svhn`, left out." in shown
    assert names(shown) == ALWAYS | RESULTS
    assert "By the size of the effect, `optimizer`, `epoch` and" in shown
    shutil.copy("data/screening.parquet", "data/other.parquet")
    again = page("screening", n_trees=2, datasets=["semeion"], screening="data/other.parquet")
    assert "**Not complete" not in again
    assert "nan" not in again


def test_a_data_set_that_the_study_does_not_have() -> None:
    write()
    table = trials.load("data/trials.parquet")
    trials.save(table[table["dataset"] == "semeion"], "data/trials.parquet")
    shown = page("screening", n_trees=2)
    assert "typically, and of the mean ranks" in shown.replace("\n", " ")
    assert "on one of 1 data set" in shown
