"""The tables of the recorded experiments beside the study: their columns and checks.

- replicates: configurations of the study, each trained again with other seeds;
- scaling: configurations of the study, each trained on fewer and on more images;
- precision: configurations of the study, each trained again in bfloat16;
- screening: the runs of a Plackett-Burman design (`hia_book.screening`), each with several seeds.

One row per trained CNN, with the columns of `hia.trials` as far as they apply. The tables are
Parquet files, data/replicates.parquet and so on; every load checks them.
"""

import math
import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from hia import space, trials
from hia.trials import TrialsError

FRACTIONS = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Table:
    """How a table differs from that of the trials.

    key: the columns that tell its rows apart, beside `dataset`: column -> (dtype, what it is,
    smallest value). They replace `source` and `trial` where `trial` is not among them.
    of: the columns whose rows share one configuration, on one set of validation images.
    """

    key: dict[str, tuple[str, str, float]]
    of: tuple[str, ...]

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """Column -> (dtype, what it is), in the order of the file."""
        first = {"dataset": trials.COLUMNS["dataset"]}
        if "trial" in self.key:
            first["source"] = trials.COLUMNS["source"]
        first |= {name: (dtype, text) for name, (dtype, text, _) in self.key.items()}
        return first | {
            name: column
            for name, column in trials.COLUMNS.items()
            if name not in first and name not in ("source", "trial", "lr_scale")
        }


_TRIAL = ("int64", "number of the configuration's trial in data/trials.parquet", 0)
_REPLICATE = ("int64", "which of the trainings that differ in nothing but the seed, from 1", 1)

TABLES = {
    "replicates": Table({"trial": _TRIAL, "replicate": _REPLICATE}, ("dataset", "trial")),
    "scaling": Table(
        {
            "trial": _TRIAL,
            "fraction": (
                "float64",
                "training images over those of the trial; 2 means all that the image file has "
                "where these are less than twice as many, and `images` says how many",
                min(FRACTIONS),
            ),
        },
        ("dataset", "trial"),
    ),
    "precision": Table({"trial": _TRIAL}, ("dataset", "trial")),
    "screening": Table(
        {
            "run": ("int64", "row of the design, from 0; the second half is the fold-over", 0),
            "replicate": _REPLICATE,
        },
        ("dataset", "run"),
    ),
}


def load(name: str, path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table by its name in `TABLES`, checked and sorted.

    Raises FileNotFoundError, or TrialsError naming the file, the column and the first bad value.
    """
    return trials.read(path, partial(check, name), "such table", f"hia record {name}")


def save(name: str, table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table, checked and sorted, so that the file is whole or not there at all."""
    trials.write(check(name, table), path)


def check(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns' types set, sorted by data set and key, after all checks.

    Beside those of `hia.trials.check`: no training occurs twice; what is said to share a
    configuration does; replicates differ in their seeds; and more is more in the scaling.
    Raises TrialsError naming the column, the first row at fault and what would be right.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table {name!r}; known are {', '.join(TABLES)}")
    kind = TABLES[name]
    if missing := [column for column in kind.columns if column not in table]:
        raise TrialsError(f"column {missing[0]!r} is missing")
    if unknown := [column for column in table if column not in kind.columns]:
        raise TrialsError(f"unknown column {unknown[0]!r}; known are {', '.join(kind.columns)}")
    for column, (dtype, _, low) in kind.key.items():
        right = f"must be a {'whole ' if dtype == 'int64' else ''}number from {low:g}"
        _refuse(table, column, [not _is_number(v, dtype, low) for v in table[column]], right)
    # What the table shares with that of the trials is checked as there, with its own numbers.
    stand_in: dict[str, Any] = {"trial": np.arange(len(table)), "lr_scale": "log"}
    if "source" not in table:
        stand_in["source"] = "random"
    shared = table.assign(**stand_in)[list(trials.COLUMNS)].reset_index(drop=True)
    checked = trials.check(shared).sort_values("trial", ignore_index=True)
    for column, (dtype, _, _) in kind.key.items():
        checked[column] = table[column].to_numpy().astype(dtype)
    checked = checked[list(kind.columns)]
    _check_groups(name, checked)
    return checked.sort_values(["dataset", *kind.key], ignore_index=True)


def _check_groups(name: str, table: pd.DataFrame) -> None:
    kind = TABLES[name]
    last = list(kind.key)[-1]
    _refuse(table, last, table.duplicated(["dataset", *kind.key]), "must occur once")
    # For every row, the first row of its group.
    _, first, group = np.unique(
        table.groupby(list(kind.of)).ngroup(), return_index=True, return_inverse=True
    )
    right = f"must be the same in all rows of {' and '.join(kind.of)}"
    for column in [
        *space.SPACE,
        "val_images",
        "precision",
        "seed" if name == "scaling" else "images",
    ]:
        values = [None if pd.isna(value) else value for value in table[column]]
        there = zip(values, first[group], strict=True)
        _refuse(table, column, [value != values[row] for value, row in there], right)
    if name == "scaling":
        _refuse(table, "fraction", ~table["fraction"].isin(FRACTIONS), f"is none of {FRACTIONS}")
        ordered = table.sort_values(["dataset", "trial", "fraction"])
        fewer = ordered.groupby(["dataset", "trial"])["images"].diff() <= 0
        _refuse(table, "images", fewer.sort_index(), "must grow with the fraction")
    else:
        twice = table.duplicated([*kind.of, "seed"])
        _refuse(table, "seed", twice, "must occur once among the replicates")


def _is_number(value: Any, dtype: str, low: float) -> bool:
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        return False
    number = float(value)
    return math.isfinite(number) and number >= low and (dtype != "int64" or number.is_integer())


def _refuse(table: pd.DataFrame, column: str, bad: Any, right: str) -> None:
    rows = np.flatnonzero(np.asarray(bad, dtype=bool))
    if rows.size:
        value = table[column].iloc[int(rows[0])]
        raise TrialsError(f"column {column!r}, row {rows[0]}: {value!r} {right}")
