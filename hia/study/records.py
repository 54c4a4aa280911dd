"""Tables of trainings with given configurations: replicates, scaling, precision, screening.

`studies/NAME.csv` says what is trained, `data/NAME.parquet` what came out: one row per CNN, with
the columns of `hia.trials` as far as they apply, and key columns in place of a trial's number.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from hia import space, trials
from hia.trials import TrialsError

FRACTIONS = (0.25, 0.5, 1.0, 2.0)
# Key column -> (dtype, what it is, smallest value).
KEYS = {
    "trial": ("int64", "number of the configuration's trial in data/trials.parquet", 0),
    "run": ("int64", "row of the design, from 0; the second half is the fold-over", 0),
    "replicate": (
        "int64",
        "which of the trainings that differ in nothing but the seed, from 1",
        1,
    ),
    "fraction": (
        "float64",
        "training images over those of the trial; 2 means all that the image file has where these "
        "are less than twice as many, and `images` says how many",
        0,
    ),
}
# What a row has before it is trained, beside `dataset`, `source` and its key.
GIVEN = (*space.SPACE, "images", "val_images", "seed", "precision")


@dataclass(frozen=True)
class Table:
    """A recorded table. key: the columns that tell its rows apart, beside `dataset`."""

    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(columns(self.key))


TABLES = {
    "replicates": Table(("trial", "replicate")),
    "scaling": Table(("trial", "fraction")),
    "precision": Table(("trial",)),
    "screening": Table(("run", "replicate")),
}


def key_columns(table: Iterable[Any]) -> tuple[str, ...]:
    """The key columns among the columns of a table. Raises TrialsError where there is none."""
    names = set(table)
    if not names & set(KEYS):
        raise TrialsError(f"a key column is missing, one of {', '.join(KEYS)}")
    return tuple(name for name in KEYS if name in names)


def columns(key: Sequence[str]) -> list[str]:
    """The columns of a table with such a key."""
    first = ["dataset", *(["source"] if "trial" in key else []), *key]
    return first + [
        name for name in trials.COLUMNS if name not in (*first, "source", "trial", "lr_scale")
    ]


def given_columns(key: Sequence[str]) -> list[str]:
    """The columns of the configurations to train, with such a key."""
    given = {"dataset", "source", *KEYS, *GIVEN}
    return [name for name in columns(key) if name in given]


def load(name: str, path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table by its name in `TABLES`, checked and sorted.

    Raises FileNotFoundError, or TrialsError naming the file, the column and the first bad value.
    """
    command = f"hia study studies/{name}.csv"
    return trials.read(path, partial(check, name), "such table", command)


def load_any(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table of trials, or one with any key. Raises as `load`."""

    def checked(table: pd.DataFrame) -> pd.DataFrame:
        return trials.check(table) if "lr_scale" in table else check_key(table, key_columns(table))

    return trials.read(path, checked, "table of trials", "hia export")


def save(name: str, table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table, checked and sorted, so that the file is whole or not there at all."""
    trials.write(check(name, table), path)


def check(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table by its name in `TABLES`, see `check_key`."""
    return check_key(table, TABLES[name].key)


def check_key(table: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """The table with the columns' types set, sorted by data set and key, after all checks.

    What it shares with the table of trials is checked as there; and no training occurs twice.
    Raises TrialsError naming the column, the first row at fault and what would be right.
    """
    names = columns(key)
    if missing := [column for column in names if column not in table]:
        raise TrialsError(f"column {missing[0]!r} is missing")
    if unknown := [column for column in table if column not in names]:
        raise TrialsError(f"unknown column {unknown[0]!r}; known are {', '.join(names)}")
    for column in key:
        dtype, _, low = KEYS[column]
        right = f"must be a {'whole ' if dtype == 'int64' else ''}number from {low}"
        _refuse(table, column, [not _is_number(v, dtype, low) for v in table[column]], right)
    stand_in: dict[str, Any] = {"trial": np.arange(len(table)), "lr_scale": "log"}
    if "source" not in table:
        stand_in["source"] = "random"
    shared = table.assign(**stand_in)[list(trials.COLUMNS)].reset_index(drop=True)
    checked = trials.check(shared).sort_values("trial", ignore_index=True)
    for column in key:
        checked[column] = table[column].to_numpy().astype(KEYS[column][0])
    _refuse(checked, key[-1], checked.duplicated(["dataset", *key]), "must occur once")
    return checked[names].sort_values(["dataset", *key], ignore_index=True)


def read_given(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The configurations to train in a CSV file, checked.

    Its columns are `given_columns`, with at least one of `KEYS`. Raises TrialsError naming the
    file, the column and the first bad value.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:
        raise TrialsError(f"{path}: cannot be read as CSV ({error})") from error
    try:
        key = key_columns(table)
        names = given_columns(key)
        if missing := [name for name in names if name not in table]:
            raise TrialsError(f"column {missing[0]!r} is missing")
        # A stand-in for what a training adds lets `check` look at the rest.
        epochs = [[1.0] * int(n) if _is_number(n, "int64", 1) else [] for n in table["epoch"]]
        ones = ("accuracy", "loss", "seconds", "cpu_seconds", "parameters", "flops")
        results = dict.fromkeys(ones, 1)
        trained = table.assign(**results, diverged=False, processor="none")
        trained["accuracy_per_epoch"] = pd.Series(epochs, table.index, dtype=object)
        return check_key(trained, key)[names]
    except TrialsError as error:
        raise TrialsError(f"{path}: {error}") from None


def _is_number(value: Any, dtype: str, low: float) -> bool:
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        return False
    number = float(value)
    return np.isfinite(number) and number >= low and (dtype != "int64" or number.is_integer())


def _refuse(table: pd.DataFrame, column: str, bad: Any, right: str) -> None:
    rows = np.flatnonzero(np.asarray(bad, dtype=bool))
    if rows.size:
        value = table[column].iloc[int(rows[0])]
        raise TrialsError(f"column {column!r}, row {rows[0]}: {value!r} {right}")
