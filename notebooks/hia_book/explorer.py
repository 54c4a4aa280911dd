"""The page of the book on which all trials can be explored, packed for a browser.

`markup` gives one piece of HTML with the table in it, column by column, as base64 of the smallest
type that holds it, compressed, and `explorer.js`, which needs no library and asks nothing of a
network. A browser without JavaScript shows what `notebooks/explorer.py` has below it.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from hia.ranking.fanova import FAnova, measure_options
from hia.space import FILTERS, HYPERPARAMETERS, SPACE
from hia.trials import design
from hia_book.figures import look, shades

# In the order of the page's table. The first names a row, together with the second.
COLUMNS = (
    *("dataset", "trial", "source", "accuracy"),
    *HYPERPARAMETERS,
    *FILTERS,
    *("seconds", "parameters", "flops"),
)
# What the rows can be chosen by, and the heading of the choice; all but the first colour them.
CHOICES = {
    "dataset": "Data set",
    "num_conv_layers": "Convolutional layers",
    "optimizer": "Optimizer",
    "source": "Source",
}
_LOG = ("lr", "seconds", "parameters", "flops")
_INTEGERS = (("u8", np.uint8), ("u16", np.uint16), ("u32", np.uint32))


def pack(column: pd.Series) -> dict[str, Any]:
    """A column for `explorer.js`: `kind` of the numbers and `data`, their bytes in base64.

    Texts are numbers of `choices`. Whole numbers of 0 or more take as few bytes as hold the largest
    of them, all other numbers eight, so that nothing is rounded. A missing whole number is
    `missing`, a number that the column does not have; a missing fraction is NaN.
    """
    packed: dict[str, Any] = {"name": column.name}
    if not pd.api.types.is_numeric_dtype(column):
        choices = sorted(column.unique())
        packed["choices"] = choices
        column = column.map({choice: code for code, choice in enumerate(choices)}).astype("int64")
    if pd.api.types.is_integer_dtype(column):
        if column.isna().any():
            packed["missing"] = int(column.max()) + 1
            column = column.fillna(packed["missing"])
        for kind, dtype in _INTEGERS:
            if column.min() >= 0 and column.max() <= np.iinfo(dtype).max:
                return packed | {"kind": kind, "data": _base64(column.to_numpy(dtype=dtype))}
    return packed | {"kind": "f64", "data": _base64(column.to_numpy(dtype=np.float64))}


def marginals(
    rows: pd.DataFrame, n_trees: int = 16, min_samples_leaf: int = 5, random_state: int = 0
) -> dict[str, dict[str, list[Any]]]:
    """Mean accuracy over all other hyperparameters, by functional ANOVA (`hia.ranking.fanova`).

    rows: a table of trials. n_trees, min_samples_leaf, random_state: of the forest.
    Returns for each hyperparameter that has several values the lists `value`, `mean` and `std`,
    over the trees; values that are text are positions in their sorted list.
    """
    names = [name for name in HYPERPARAMETERS if (rows[name] != rows[name].iloc[0]).any()]
    model = FAnova(
        n_trees, min_samples_leaf, random_state=random_state, **measure_options(SPACE, names)
    )
    model.fit(design(rows, names, log=False), rows["accuracy"])
    curves = {}
    for name in names:
        curve = model.marginal(name)
        if SPACE[name].kind == "categorical":
            curve["value"] = curve["value"].map(sorted(rows[name].unique()).index)
            curve = curve.sort_values("value")
        digits = curve.assign(mean=curve["mean"].round(6), std=curve["std"].round(6))
        curves[name] = {key: digits[key].tolist() for key in ("value", "mean", "std")}
    return curves


def markup(rows: pd.DataFrame, curves: Mapping[str, Any], model: str) -> str:
    """HTML of the explorer: style, data and program, in one element.

    rows: a table of trials. curves: of `marginals`; the other numbers have none. model: what the
    curves are, for the legend.
    """
    given = {
        "columns": [_described(rows[name]) for name in COLUMNS],
        "filters": list(CHOICES),
        "colored": [name for name in CHOICES if name != "dataset"],
        "curved": [*HYPERPARAMETERS, *FILTERS],
        "curves": curves,
        "model": model,
    }
    packed = zlib.compress(json.dumps(given, separators=(",", ":"), allow_nan=False).encode(), 9)
    return (
        f'<div id="hia-explorer"><style>{_file("explorer.css")}</style>'
        "<noscript><p>The explorer is a program: it needs JavaScript. The figure and the table "
        "below do not.</p></noscript>"
        f"<template>{base64.b64encode(packed).decode()}</template>"
        f"<script>{_file('explorer.js')}</script></div>"
    )


def _described(column: pd.Series) -> dict[str, Any]:
    name = str(column.name)
    packed = pack(column)
    plotted = name != "trial" and "choices" not in packed
    packed |= {"plotted": plotted, "log": name in _LOG, "label": CHOICES.get(name, name)}
    if name in CHOICES and name != "dataset":
        packed["colors"] = _colors(name, column)
    return packed


def _colors(name: str, column: pd.Series) -> dict[int, str]:
    """Of each number in the packed column, the colour that it has in the book's figures."""
    values = sorted(column.unique())
    codes = values if pd.api.types.is_numeric_dtype(column) else range(len(values))
    colors = shades(name, len(values)) if name in SPACE else [look(one)["color"] for one in values]
    return dict(zip(map(int, codes), colors, strict=True))


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def _file(name: str) -> str:
    return resources.files("hia_book").joinpath(name).read_text(encoding="utf-8")
