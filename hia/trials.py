"""The table of trained CNNs: its columns, its checks, and what the analyses take from it.

One row per trained CNN. The table is a Parquet file (`data/trials.parquet`); every load checks it
against Table 1 of the paper and against itself.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hia import space
from hia.files import read_parquet, whole

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


class TrialsError(ValueError):
    """A table of trials that is not what it should be."""


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of trials, checked, one row per trained CNN, sorted by data set and trial.

    Raises FileNotFoundError, or TrialsError naming the file, the column and the first bad value.
    """
    return read(path, check, "table of trials", "hia export")


def save(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the table, checked and sorted, so that the file is whole or not there at all."""
    write(check(table), path)


def read(
    path: str | os.PathLike[str],
    checked: Callable[[pd.DataFrame], pd.DataFrame],
    what: str,
    command: str,
) -> pd.DataFrame:
    """A table in a Parquet file, as `checked` returns it.

    checked: raises TrialsError for a table that is not what it should be. what, command: for the
    error, what is missing and what writes it. Raises as `load`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no {what}; `{command}` writes one")
    try:
        table = read_parquet(path)
    except ValueError as error:
        raise TrialsError(str(error)) from error
    try:
        return checked(table)
    except TrialsError as error:
        raise TrialsError(f"{path}: {error}") from None


def write(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as it is, so that the file is whole or not there at all."""
    with whole(path) as partial:
        table.to_parquet(partial, index=False, compression="zstd")


def check(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns' types set, sorted by data set and trial, after all checks.

    Raises TrialsError naming the column, the first row at fault and what would be right.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise TrialsError(f"column {missing[0]!r} is missing")
    unknown = [name for name in table if name not in COLUMNS]
    if unknown:
        raise TrialsError(f"unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    if repeated := [str(name) for name in table.columns[table.columns.duplicated()]]:
        raise TrialsError(f"column {repeated[0]!r} occurs twice")
    table = table[list(COLUMNS)]
    for name, (dtype, _) in COLUMNS.items():
        if dtype != "Int64" and name not in ("loss", "cpu_seconds"):
            _refuse(table, name, table[name].map(_is_missing).astype(bool), "must not be missing")
        right, is_right = _TYPES[dtype]
        _refuse(table, name, ~table[name].map(is_right).astype(bool), f"must be {right}")
    table = table.astype({name: dtype for name, (dtype, _) in COLUMNS.items()})
    _refuse(table, "source", ~table["source"].isin(SOURCES), f"must be one of {SOURCES}")
    right = f"must be one of {space.PRECISIONS}"
    _refuse(table, "precision", ~table["precision"].isin(space.PRECISIONS), right)
    right = f"must be one of {space.SCALES}"
    _refuse(table, "lr_scale", ~table["lr_scale"].isin(space.SCALES), right)
    for name, hyperparameter in space.SPACE.items():
        values = table[name]
        if hyperparameter.choices is not None:
            bad = ~values.isin(hyperparameter.choices)
            right = f"must be one of {hyperparameter.choices}"
        else:
            low, high = hyperparameter.bounds
            bad = ~values.between(low, high)
            right = f"must lie in [{low:g}, {high:g}]"
        _refuse(table, name, bad.fillna(False).astype(bool), right)
    for layer, name in enumerate(space.FILTERS, start=1):
        exists = table["num_conv_layers"] >= layer
        _refuse(table, name, table[name].notna() != exists, "must be there if its layer is")
    _refuse(table, "accuracy", ~table["accuracy"].between(0, 1), "must lie in [0, 1]")
    lengths = table["accuracy_per_epoch"].map(len)
    _refuse(table, "accuracy_per_epoch", lengths != table["epoch"], "must have one value per epoch")
    outside = table["accuracy_per_epoch"].map(lambda values: not all(0 <= v <= 1 for v in values))
    _refuse(table, "accuracy_per_epoch", outside, "must be numbers in [0, 1]")
    last = table["accuracy_per_epoch"].map(lambda values: float(values[-1]))
    _refuse(table, "accuracy", last != table["accuracy"], "must equal the last epoch's accuracy")
    for name in ("seconds", "parameters", "flops", "images", "val_images"):
        _refuse(table, name, table[name] <= 0, "must be positive")
    _refuse(table, "cpu_seconds", table["cpu_seconds"] <= 0, "must be positive or missing")
    for name in ("trial", "seed"):
        _refuse(table, name, table[name] < 0, "must not be negative")
    twice = table.duplicated(["dataset", "trial"])
    _refuse(table, "trial", twice, "must occur once in its data set")
    return table.sort_values(["dataset", "trial"], ignore_index=True)


def select(
    table: pd.DataFrame, datasets: Sequence[str] = (), sources: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of these data sets and sources; none named means all.

    Raises ValueError naming a data set or source that the table does not have.
    """
    for column, chosen in (("dataset", datasets), ("source", sources)):
        if unknown := sorted(set(chosen) - set(table[column])):
            known = ", ".join(sorted(set(table[column])))
            raise ValueError(f"no rows of {column} {unknown[0]!r}; there are: {known}")
        if chosen:
            table = table[table[column].isin(chosen)]
    return table


def design(
    table: pd.DataFrame, columns: Sequence[str] = space.HYPERPARAMETERS, *, log: bool = True
) -> pd.DataFrame:
    """The hyperparameters as an importance method takes them: (n, len(columns)).

    log: take the base-10 logarithm of a hyperparameter that Table 1 draws on a logarithmic scale,
    the learning rate.
    """
    result = table[list(columns)].copy()
    for name in columns:
        if log and space.SPACE[name].log:
            result[name] = np.log10(result[name])
        if result[name].dtype == "Int64":
            result[name] = result[name].astype("int64")
    return result


def _is_missing(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _is_float(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and value is not True
    return _is_missing(value) or (number and value is not False)


def _is_integer(value: Any) -> bool:
    if _is_missing(value):
        return True
    return _is_float(value) and abs(value) < 2**63 and float(value).is_integer()


def _are_floats(values: Any) -> bool:
    is_list = isinstance(values, list | tuple | np.ndarray)
    return is_list and all(value is not None and _is_float(value) for value in values)


# dtype -> (what a value has to be, whether it is)
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool | np.bool_)),
    "int64": ("an integer", _is_integer),
    "Int64": ("an integer", _is_integer),
    "float64": ("a number", _is_float),
    "object": ("numbers in [0, 1]", _are_floats),
}


def _refuse(table: pd.DataFrame, column: str, bad: pd.Series, right: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = table[column].iloc[row]
        raise TrialsError(f"column {column!r}, row {row}: {value!r} {right}")
