"""Tables of trained CNNs: their columns and their checks.

One row per trained CNN, in Parquet files: the trials (`data/trials.parquet`), and trainings with
given configurations: `studies/NAME.csv` says what is trained, `data/NAME.parquet` what came out,
with key columns in place of a trial's number. Every load checks a table against Table 1 of the
paper and against itself.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hia import space
from hia.files import read_parquet, whole
from hia.space import Hyperparameter

SOURCES = ("random", "bohb")

# Column -> (dtype, what it is). The hyperparameters' ranges are in `hia.space`.
COLUMNS: dict[str, tuple[str, str]] = {
    "dataset": ("str", "name of the data set, as in `hia.datasets`"),
    "source": ("str", "how the configuration was found: random search or BOHB"),
    "trial": ("int64", "number of the trial within its data set"),
    "num_conv_layers": ("int64", "number of convolutional layers"),
    "lr": ("float64", "learning rate"),
    "dropout_rate": ("float64", "share of the inputs of both fully connected layers set to zero"),
    "optimizer": ("str", "Adam or SGD"),
    "epoch": ("int64", "passes over the training images that were made"),
    "stride": ("int64", "stride of all convolutions, pixels"),
    "in_channel_num": ("int64", "colour channels of the images"),
    "padding": ("int64", "zeros around the maps of all convolutions, pixels"),
    "kernel": ("int64", "side of all convolution kernels, pixels"),
    "num_fc_units": ("int64", "units of the first fully connected layer"),
    "batch_size": ("int64", "images per step of the optimizer"),
    "num_filters_1": ("Int64", "filters of the first convolutional layer"),
    "num_filters_2": ("Int64", "filters of the second; missing where there is no such layer"),
    "num_filters_3": ("Int64", "filters of the third; missing where there is no such layer"),
    "accuracy": ("float64", "share of the validation images classified correctly at the end"),
    "accuracy_per_epoch": ("object", "the same after every epoch (list)"),
    "loss": ("float64", "mean training cross-entropy of the last epoch, nats"),
    "seconds": ("float64", "wall time of training and validation, seconds"),
    "cpu_seconds": ("float64", "processor time of the same; missing where not measured"),
    "parameters": ("int64", "trainable parameters"),
    "flops": ("int64", "floating-point operations of one image's forward pass"),
    "images": ("int64", "training images"),
    "val_images": ("int64", "validation images"),
    "seed": ("int64", "seed of the initial weights, the order of the images and dropout"),
    "diverged": ("bool", "a training loss was not finite"),
    "precision": ("str", "float32, or bf16 for autocast to bfloat16"),
    "processor": ("str", "what trained it"),
    "lr_scale": ("str", "how the learning rate was drawn: linear, or log, on its logarithm"),
}
# The same of the columns that tell the rows of a table with given configurations apart.
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
# Recorded table -> its key, beside `dataset`.
TABLES = {
    "replicates": ("trial", "replicate"),
    "scaling": ("trial", "fraction"),
    "precision": ("trial",),
    "screening": ("run", "replicate"),
}
# What a row has before it is trained.
_GIVEN = ("dataset", "source", *KEYS, *space.SPACE, "images", "val_images", "seed", "precision")


class TrialsError(ValueError):
    """A table of trials that is not what it should be."""


def load(path: str | os.PathLike[str], name: str | None = "trials") -> pd.DataFrame:
    """A table, checked, one row per trained CNN, sorted by data set and key.

    name: "trials", or one of `TABLES`; None: what it is by its columns.
    Raises FileNotFoundError, or TrialsError naming the file, the column and the first bad value.
    """
    if not Path(path).is_file():
        command = f"hia study studies/{name}.csv" if name in TABLES else "hia export"
        raise FileNotFoundError(f"{path}: there is no such table; `{command}` writes one")
    try:
        return check(read_parquet(path), name)
    except ValueError as error:  # that of `read_parquet` names the file
        where = f"{path}: " if isinstance(error, TrialsError) else ""
        raise TrialsError(f"{where}{error}") from error


def read_given(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The configurations to train in a CSV file, checked. Its columns are `given_columns`, with at
    least one of `KEYS`. Raises TrialsError naming the file, the column and the first bad value."""
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        key = key_columns(table)
        return _check(table, given_columns(key), key)
    except (ValueError, OSError) as error:
        reason = error if isinstance(error, TrialsError) else f"cannot be read as CSV ({error})"
        raise TrialsError(f"{path}: {reason}") from error


def save(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the table of trials, checked and sorted, so that the file is whole or not there."""
    write(check(table), path)


def write(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as it is, so that the file is whole or not there at all."""
    with whole(path) as partial:
        table.to_parquet(partial, index=False, compression="zstd")


def key_columns(table: Iterable[Any]) -> tuple[str, ...]:
    """The key columns among the columns of a table. Raises TrialsError where there is none."""
    names = set(table)
    if not names & set(KEYS):
        raise TrialsError(f"a key column is missing, one of {', '.join(KEYS)}")
    return tuple(name for name in KEYS if name in names)


def columns(key: Sequence[str]) -> list[str]:
    """The columns of a table with such a key, in the order of the file."""
    first = ["dataset", *(["source"] if "trial" in key else []), *key]
    return first + [name for name in COLUMNS if name not in (*first, "source", "trial", "lr_scale")]


def given_columns(key: Sequence[str]) -> list[str]:
    """The columns of the configurations to train, with such a key."""
    return [name for name in columns(key) if name in _GIVEN]


def check(table: pd.DataFrame, name: str | None = "trials") -> pd.DataFrame:
    """The table with the columns' types set, sorted by data set and key, after all checks.

    name: as for `load`. Raises TrialsError naming the column, the first row at fault and what would
    be right.
    """
    if name == "trials" or (name is None and "lr_scale" in table):
        return _check(table, list(COLUMNS), ("trial",))
    key = key_columns(table) if name is None else TABLES[name]
    return _check(table, columns(key), key)


def _check(table: pd.DataFrame, names: list[str], key: Sequence[str]) -> pd.DataFrame:
    if missing := [name for name in names if name not in table]:
        raise TrialsError(f"column {missing[0]!r} is missing")
    if unknown := [name for name in table if name not in names]:
        raise TrialsError(f"unknown column {unknown[0]!r}; known are {', '.join(names)}")
    if repeated := [str(name) for name in table.columns[table.columns.duplicated()]]:
        raise TrialsError(f"column {repeated[0]!r} occurs twice")
    table = table[names]
    types = {name: (KEYS | COLUMNS)[name][0] for name in names}
    for name, dtype in types.items():
        absent = table[name].isna()
        if name not in ("loss", "cpu_seconds", *space.FILTERS):
            _refuse(table, name, absent, "must not be missing")
        right, allowed = _check_values(name, dtype, table[name])
        _refuse(table, name, ~(allowed | absent), right)
    table = table.astype(types)
    for layer, name in enumerate(space.FILTERS, start=1):
        exists = table["num_conv_layers"] >= layer
        _refuse(table, name, table[name].notna() != exists, "must be there if its layer is")
    if "accuracy" in names:
        values = table["accuracy_per_epoch"]
        wrong = values.map(len) != table["epoch"]
        _refuse(table, "accuracy_per_epoch", wrong, "must have one value per epoch")
        wrong = values.map(lambda epochs: float(epochs[-1])) != table["accuracy"]
        _refuse(table, "accuracy", wrong, "must equal the last epoch's accuracy")
    rows = ["dataset", *key]
    _refuse(table, key[-1], table.duplicated(rows), "must occur once in its data set")
    return table.sort_values(rows, ignore_index=True)


def _check_values(name: str, dtype: str, values: pd.Series) -> tuple[str, pd.Series]:
    """What the values of a column have to be, and which of them are."""
    if dtype == "object":
        return "must be numbers in [0, 1]", values.map(_are_shares).astype(bool)
    if dtype == "bool":
        types = values.map(type)
        return "must be true or false", types.isin([bool, np.bool_])
    if dtype == "str":
        values = values.where(values.map(_is_plain).astype(bool))
    elif not pd.api.types.is_any_real_numeric_dtype(values):
        values = values.where(values.map(_is_number).astype(bool))
    if name not in _DESCRIBED:
        return "must be a name of letters, digits, blanks and .,:;/@+()'-", values.notna()
    described = _DESCRIBED[name]
    values = values if dtype == "str" else values.astype("float64")
    return f"is not {described.scale}: {described.possible}", described.allows(values)


def _is_plain(value: object) -> bool:
    """Whether it is text that is no markup, wherever it is shown."""
    return isinstance(value, str) and re.fullmatch(r"[\w .,:;/@+()'-]{1,200}", value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _are_shares(values: Any) -> bool:
    is_list = isinstance(values, list | tuple | np.ndarray)
    return is_list and all(_is_number(value) and 0 <= value <= 1 for value in values)


def _describe(kind: str, *names: str, **values: Any) -> dict[str, Hyperparameter]:
    return {name: Hyperparameter(name, kind, **values) for name in names}


# What a value can be, where it is one number or one of some texts.
_DESCRIBED = {
    **space.SPACE,
    **_describe("categorical", "source", choices=SOURCES),
    **_describe("categorical", "precision", choices=space.PRECISIONS),
    **_describe("categorical", "lr_scale", choices=space.SCALES),
    **_describe("integer", "trial", "run", "seed", low=0, high=2**62),
    **_describe("integer", "parameters", "flops", "images", "val_images", low=1, high=2**62),
    **_describe("integer", "replicate", low=1, high=2**62),
    **_describe("float", "accuracy", low=0, high=1),
    **_describe("float", "loss", low=0, high=sys.float_info.max),
    **_describe("float", "seconds", "cpu_seconds", "fraction", low=1e-9, high=1e9),
}


def _refuse(table: pd.DataFrame, column: str, bad: pd.Series, right: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = table[column].iloc[row]
        raise TrialsError(f"column {column!r}, row {row}: {value!r} {right}")
