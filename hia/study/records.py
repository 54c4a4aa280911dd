"""Tables of trainings with given configurations: replicates, scaling, precision, screening.

`studies/NAME.csv` says what is trained, `data/NAME.parquet` what came out: one row per CNN, with
the columns of `hia.trials` as far as they apply, and key columns in place of a trial's number.
"""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from hia import space, trials
from hia.trials import TrialsError

FRACTIONS = (0.25, 0.5, 1.0, 2.0)
# Key column -> (dtype, what it is), as `hia.trials.COLUMNS`.
KEYS = {
    "trial": ("int64", "number of the configuration's trial in data/trials.parquet"),
    "run": ("int64", "row of the design, from 0; the second half is the fold-over"),
    "replicate": ("int64", "which of the trainings that differ in nothing but the seed, from 1"),
    "fraction": (
        "float64",
        "training images over those of the trial; 2 means all that the image file has where these "
        "are less than twice as many, and `images` says how many",
    ),
}
# What a row has before it is trained, beside `dataset`, `source` and its key.
GIVEN = (*space.SPACE, "images", "val_images", "seed", "precision")


# Recorded table -> its key: the columns that tell its rows apart, beside `dataset`.
TABLES = {
    "replicates": ("trial", "replicate"),
    "scaling": ("trial", "fraction"),
    "precision": ("trial",),
    "screening": ("run", "replicate"),
}


def key_columns(table: Iterable[Any]) -> tuple[str, ...]:
    """The key columns among the columns of a table. Raises TrialsError where there is none."""
    names = set(table)
    if not names & set(KEYS):
        raise TrialsError(f"a key column is missing, one of {', '.join(KEYS)}")
    return tuple(name for name in KEYS if name in names)


def columns(key: Sequence[str]) -> list[str]:
    """The columns of a table with such a key, in the order of the file."""
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
    return trials.read(path, check_any, "table of trials", "hia export")


def notes_path(path: Path) -> Path:
    """Where an export has the provenance of its table."""
    return path.with_name("provenance.json" if path.stem == "trials" else f"{path.stem}.json")


def check(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table by its name in `TABLES`, checked; see `hia.trials.check`."""
    return _check(table, TABLES[name], columns(TABLES[name]))


def check_any(table: pd.DataFrame) -> pd.DataFrame:
    """A table of trials, which says how `lr` was drawn, or one with any key, checked."""
    if "lr_scale" in table:
        return trials.check(table)
    key = key_columns(table)
    return _check(table, key, columns(key))


def read_given(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The configurations to train in a CSV file, checked.

    Its columns are `given_columns`, with at least one of `KEYS`. Raises TrialsError naming the
    file, the column and the first bad value.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        key = key_columns(table)
        return _check(table, key, given_columns(key))
    except TrialsError as error:
        raise TrialsError(f"{path}: {error}") from None
    except (ValueError, OSError) as error:
        raise TrialsError(f"{path}: cannot be read as CSV ({error})") from error


def _check(table: pd.DataFrame, key: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    described = {**trials.COLUMNS, **KEYS}
    return trials.check(table, {name: described[name] for name in names}, ("dataset", *key))
