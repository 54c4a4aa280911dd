"""The page on which all trials can be explored, packed for a browser: compressed JSON and
`explorer.js`, which needs no library and no network."""

import base64
import json
import zlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd

from hia.ranking.fanova import FAnova
from hia.space import FILTERS, HYPERPARAMETERS, SPACE
from hia_book.figures import look, shades
from hia_book.rankings import design, drawn_space, varying

# In the order of the page's table. The first names a row, together with the second.
COLUMNS = (
    *("dataset", "trial", "source", "accuracy"),
    *HYPERPARAMETERS,
    *FILTERS,
    *("seconds", "parameters", "flops"),
)
# What the rows can be chosen by, and the heading of the choice.
CHOICES = {
    "dataset": "Data set",
    "num_conv_layers": "Convolutional layers",
    "optimizer": "Optimizer",
    "source": "Source",
}
COLORED = ("num_conv_layers", "optimizer", "source")
_LOG = ("lr", "seconds", "parameters", "flops")


def describe(column: pd.Series) -> dict[str, Any]:
    """A column for `explorer.js`: its `values` (texts as positions in `choices`, None where
    missing), and how they are shown; `colors` of each value that rows are coloured by."""
    name, levels = str(column.name), sorted(column.dropna().unique())
    shown: dict[str, Any] = {"name": name, "label": CHOICES.get(name, name), "log": name in _LOG}
    is_text = not pd.api.types.is_numeric_dtype(column)
    shown["plotted"] = name != "trial" and not is_text
    if is_text:
        shown["choices"] = levels
        column = column.map(levels.index, na_action="ignore")
    if name in COLORED:
        colors = [look(x)["color"] for x in levels] if is_text else shades(name, len(levels))
        codes = range(len(levels)) if is_text else map(int, levels)
        shown["colors"] = dict(zip(codes, colors, strict=True))
    return shown | {"values": column.astype(object).where(column.notna(), None).tolist()}


def marginals(
    rows: pd.DataFrame, n_trees: int = 16, min_samples_leaf: int = 5, random_state: int = 0
) -> dict[str, dict[str, list[Any]]]:
    """Mean accuracy over all other hyperparameters, by functional ANOVA, of a table of trials: for
    each hyperparameter that varies the lists `value` (positions among the sorted texts), `mean` and
    `std`, over the trees."""
    names, space = varying(rows), drawn_space(rows)
    model = FAnova(n_trees, min_samples_leaf, random_state=random_state, space=space)
    model.fit(design(rows, names, log=False), rows["accuracy"])
    curves = {}
    for name in names:
        curve = model.marginal(name)
        if SPACE[name].kind == "categorical":
            curve["value"] = curve["value"].map(sorted(rows[name].unique()).index)
            curve = curve.sort_values("value")
        digits = curve.round({"mean": 6, "std": 6})
        curves[name] = {key: digits[key].tolist() for key in ("value", "mean", "std")}
    return curves


def markup(rows: pd.DataFrame, curves: Mapping[str, Any], model: str) -> str:
    """HTML of the explorer of a table of trials: style, data and program, in one element. curves:
    of `marginals`. model: what these are, for the legend."""
    given = {
        "columns": [describe(rows[name]) for name in COLUMNS],
        "filters": list(CHOICES),
        "colored": COLORED,
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


def _file(name: str) -> str:
    return resources.files("hia_book").joinpath(name).read_text(encoding="utf-8")
