"""The table of trained CNNs: its columns, its checks, and what the analyses take from it.

One row per trained CNN. The table is a Parquet file (`data/trials.parquet`); every load checks it
against Table 1 of the paper and against itself.
"""

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hia import space
from hia.files import read_parquet, whole

SOURCES = ("random", "bohb")

_Rule = tuple[str, Callable[[Any], bool]]

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
    """A table in a Parquet file, as `checked` returns it, which raises TrialsError for a wrong one.

    what, command: for the error, what is missing and what writes it. Raises as `load`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no {what}; `{command}` writes one")
    try:
        return checked(read_parquet(path))
    except TrialsError as error:
        raise TrialsError(f"{path}: {error}") from None
    except ValueError as error:
        raise TrialsError(str(error)) from error


def write(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as it is, so that the file is whole or not there at all."""
    with whole(path) as partial:
        table.to_parquet(partial, index=False, compression="zstd")


def check(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns' types set, sorted by data set and trial, after all checks.

    Raises TrialsError naming the column, the first row at fault and what would be right.
    """
    if missing := [name for name in COLUMNS if name not in table]:
        raise TrialsError(f"column {missing[0]!r} is missing")
    if unknown := [name for name in table if name not in COLUMNS]:
        raise TrialsError(f"unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    if repeated := [str(name) for name in table.columns[table.columns.duplicated()]]:
        raise TrialsError(f"column {repeated[0]!r} occurs twice")
    table = table[list(COLUMNS)]
    for name, (right, fits) in _RULES.items():
        missing_here = table[name].map(_is_missing).astype(bool)
        if name not in ("loss", "cpu_seconds"):
            _refuse(table, name, missing_here, "must not be missing")
        _refuse(table, name, ~(table[name].map(fits).astype(bool) | missing_here), right)
    for name, hyperparameter in space.SPACE.items():
        for row, value in enumerate(table[name]):
            if name in space.FILTERS and _is_missing(value):
                continue
            try:
                hyperparameter.check(value)
            except ValueError as error:
                raise TrialsError(f"column {name!r}, row {row}: {error}") from None
    table = table.astype({name: dtype for name, (dtype, _) in COLUMNS.items()})
    for layer, name in enumerate(space.FILTERS, start=1):
        exists = table["num_conv_layers"] >= layer
        _refuse(table, name, table[name].notna() != exists, "must be there if its layer is")
    accuracies = table["accuracy_per_epoch"]
    wrong = accuracies.map(len) != table["epoch"]
    _refuse(table, "accuracy_per_epoch", wrong, "must have one value per epoch")
    last = accuracies.map(lambda values: float(values[-1]))
    _refuse(table, "accuracy", last != table["accuracy"], "must equal the last epoch's accuracy")
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


def _is_number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and low <= float(value) <= high


def _is_integer(value: Any, low: int) -> bool:
    return _is_number(value, low, 2**63 - 1) and float(value).is_integer()


def _are_shares(values: Any) -> bool:
    is_list = isinstance(values, list | tuple | np.ndarray)
    return is_list and all(_is_number(value, 0, 1) for value in values)


def _one_of(choices: Sequence[str]) -> _Rule:
    return f"must be one of {choices}", lambda value: isinstance(value, str) and value in choices


# Column that is no hyperparameter -> what a value has to be, and whether it is.
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("dataset", "processor"), ("must be text", lambda v: isinstance(v, str))),
    **dict.fromkeys(("trial", "seed"), ("must be an integer from 0", partial(_is_integer, low=0))),
    **dict.fromkeys(
        ("parameters", "flops", "images", "val_images"),
        ("must be a positive integer", partial(_is_integer, low=1)),
    ),
    **dict.fromkeys(
        ("seconds", "cpu_seconds"),
        ("must be a positive number", lambda v: _is_number(v) and v > 0),
    ),
    "source": _one_of(SOURCES),
    "precision": _one_of(space.PRECISIONS),
    "lr_scale": _one_of(space.SCALES),
    "accuracy": ("must lie in [0, 1]", partial(_is_number, low=0, high=1)),
    "accuracy_per_epoch": ("must be numbers in [0, 1]", _are_shares),
    "loss": ("must be a number", _is_number),
    "diverged": ("must be true or false", lambda v: isinstance(v, bool | np.bool_)),
}


def _refuse(table: pd.DataFrame, column: str, bad: pd.Series, right: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = table[column].iloc[row]
        raise TrialsError(f"column {column!r}, row {row}: {value!r} {right}")
