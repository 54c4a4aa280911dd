"""hia.study.records: what the tables of the experiments have to be, and that files are whole."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hia import space, trials
from hia.study.records import KEYS, TABLES, check, columns, load, load_any, read_given
from hia.trials import TrialsError
from hia_book import screening

ROW = 5  # the row that the tests spoil: not the first of its group in any of the tables


def trained(config: dict, rng: np.random.Generator) -> dict:
    """What a training adds to its configuration."""
    accuracies = rng.uniform(0.1, 0.9, config["epoch"]).tolist()
    return {
        **dict.fromkeys(space.FILTERS),
        "in_channel_num": 1,
        **config,
        "accuracy": accuracies[-1],
        "accuracy_per_epoch": accuracies,
        "loss": float(rng.uniform(0, 2)),
        "seconds": 1.5,
        "cpu_seconds": 1.25,
        "parameters": 1000,
        "flops": 10_000,
        "images": 160,
        "val_images": 40,
        "seed": int(rng.integers(2**32)),
        "diverged": False,
        "precision": "float32",
        "processor": "a processor",
    }


def rows(name: str) -> list[dict]:
    rng = np.random.default_rng(0)
    found = []
    for dataset in ("usps", "digits"):
        if name == "screening":
            for run, config in enumerate(screening.configs(screening.design(11))):
                key = {"dataset": dataset, "run": run}
                found += [key | {"replicate": one} | trained(config, rng) for one in (1, 2, 3)]
            continue
        for trial in (8, 2, 5) if name == "precision" else (8, 2):
            key = {"dataset": dataset, "source": "random", "trial": trial}
            config = space.validate(space.sample(rng))
            if name == "replicates":
                found += [key | {"replicate": one} | trained(config, rng) for one in (3, 1, 2)]
            elif name == "precision":
                found.append(key | trained(config, rng) | {"precision": "bf16"})
            else:
                found += [
                    key | {"fraction": one} | trained(config, rng) | {"images": n, "seed": 7}
                    for one, n in ((0.25, 40), (1.0, 160), (0.5, 80), (2.0, 250))
                ]
    return found


@pytest.fixture(params=TABLES)
def name(request):
    return request.param


@pytest.fixture
def raw(name):
    """As it is put together from rows: unsorted, with the types that pandas guesses."""
    return pd.DataFrame(rows(name))[list(reversed(columns(TABLES[name])))]


@pytest.fixture
def table(name, raw):
    return check(name, raw)


def spoilt(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    table = table.astype({column: object})
    table.at[ROW, column] = value
    return table


def equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    for frame in (one, other):
        frame["accuracy_per_epoch"] = frame["accuracy_per_epoch"].map(list)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


# Types and order ------------------------------------------------------------------------------


def test_columns_are_those_of_the_trials_as_far_as_they_apply(name):
    names = columns(TABLES[name])
    gone = {"lr_scale"} | ({"source", "trial"} if name == "screening" else set())
    assert set(names) == set(trials.COLUMNS) - gone | set(TABLES[name])
    shared = [column for column in names if column in trials.COLUMNS]
    assert shared == [column for column in trials.COLUMNS if column in names]


def test_check_sets_types_and_order(name, raw):
    before = raw.copy()
    table = check(name, raw)
    assert table.dtypes.astype(str).to_dict() == {
        column: ({**trials.COLUMNS, **KEYS})[column][0] for column in columns(TABLES[name])
    }
    keys = list(zip(*(table[column] for column in ("dataset", *TABLES[name])), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == len(raw)
    pd.testing.assert_frame_equal(raw, before)
    equal(check(name, table), table)


def test_check_keeps_every_row_together(name, raw):
    key = ["dataset", *TABLES[name]]
    table = check(name, raw).set_index(key)
    for _, given in raw.iterrows():
        kept = table.loc[tuple(given[key])]
        assert kept["accuracy"] == given["accuracy"]
        assert kept["seed"] == given["seed"]
        assert kept["lr"] == given["lr"]


# Every check ----------------------------------------------------------------------------------


def test_missing_and_unknown_columns_are_named(name, table):
    for column in columns(TABLES[name]):
        with pytest.raises(TrialsError, match=f"^column '{column}' is missing"):
            check(name, table.drop(columns=column))
    with pytest.raises(TrialsError, match=r"^unknown column 'lrate'; known are dataset"):
        check(name, table.assign(lrate=0.1))


@pytest.mark.parametrize("column", ["lr", "accuracy", "seed", "images", "processor"])
def test_what_is_shared_with_the_trials_is_checked_as_there(name, table, column):
    with pytest.raises(
        TrialsError, match=rf"^column '{column}', row {ROW}: .*(must not be missing|is not)"
    ):
        check(name, spoilt(table, column, None))


@pytest.mark.parametrize(
    ("name", "column"),
    [(name, column) for name, key in TABLES.items() for column in key],
)
@pytest.mark.parametrize("value", [-1, None, math.nan, "1", True, math.inf])
def test_wrong_keys_are_named(name, column, value):
    table = check(name, pd.DataFrame(rows(name)))
    with pytest.raises(
        TrialsError, match=rf"^column '{column}', row {ROW}: .*(must not be missing|is not)"
    ):
        check(name, spoilt(table, column, value))


def test_a_training_occurs_once(name, raw):
    last = list(TABLES[name])[-1]
    again = pd.concat([raw, raw.iloc[[2]]], ignore_index=True)
    with pytest.raises(TrialsError, match=f"column '{last}', row {len(raw)}: .* must occur once"):
        check(name, again)


# Files ---------------------------------------------------------------------------------------


def test_to_write_and_load_changes_nothing(name, raw, tmp_path):
    path = tmp_path / "new" / f"{name}.parquet"
    trials.write(check(name, raw), path)
    equal(load(name, str(path)), check(name, raw))


def test_no_file_is_an_error_that_says_what_to_do(name, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=rf"no\.parquet: .* `hia study studies/{name}.csv` writes one"
    ):
        load(name, tmp_path / "no.parquet")


def test_broken_files_are_named(name, table, tmp_path):
    path = tmp_path / "some.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(TrialsError, match=rf"^{re.escape(str(path))}: not a readable Parquet"):
        load(name, path)
    table.assign(seconds=-1.0).to_parquet(path)
    with pytest.raises(TrialsError, match=rf"^{re.escape(str(path))}: column 'seconds', row 0"):
        load(name, path)


def test_tables_of_today_can_be_read_where_they_are_recorded(name):
    """What is in data/ is what the code expects; a table that is not recorded yet is no failure."""
    path = Path(__file__).parents[2] / "data" / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{name} is not recorded")
    table = load(name, path)
    assert len(table)
    equal(load_any(path), table)
    # And is what `hia study` would train.
    given = read_given(path.parents[1] / "studies" / f"{name}.csv")
    pd.testing.assert_frame_equal(given, table[list(given)], check_exact=True)


WRONG = {
    "no key": (lambda table: table.drop(columns=["trial"]), "a key column is missing"),
    "no seed": (lambda table: table.drop(columns="seed"), "column 'seed' is missing"),
    "a column more": (lambda table: table.assign(momentum=0.9), "unknown column 'momentum'"),
    "a range": (lambda table: table.assign(lr=5.0), "column 'lr', row 0: .*5.0"),
    "epochs": (lambda table: table.assign(epoch="x"), "column 'epoch', row 0: .*'x'"),
    "twice": (lambda table: pd.concat([table, table]), "column 'trial', row 1: .* must occur once"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_configurations_are_named(tmp_path, change, message):
    table = read_given(Path(__file__).parents[2] / "studies" / "precision.csv").head(1)
    change(table).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(TrialsError, match=rf"mine\.csv: {message}"):
        read_given(tmp_path / "mine.csv")
