"""Functional ANOVA with the `fanova` package of its authors (Hutter et al. 2014), Table 4's method.

It is optional: its forest, pyrfr, has to be compiled. It was written for a NumPy that had
`np.float`, and knows no logarithmic scale; `importances` deals with both.
"""

import importlib
import logging
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from hia.inputs import Floats, read_numbers, read_target, span_of

# ConfigSpace refuses values on a bound; this much of the range is added on either side.
_MARGIN = 1e-6


class FanovaUnavailable(ImportError):
    """The `fanova` package is not installed here."""


def available() -> bool:
    """Whether the `fanova` package can be used."""
    try:
        _load()
    except FanovaUnavailable:
        return False
    return True


def importances(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    n_trees: int = 16,
    min_samples_leaf: int = 3,
    log: Sequence[str] = ("lr",),
    categorical: Sequence[str] = ("optimizer",),
    random_state: int = 0,
) -> pd.DataFrame:
    """Share of the forest's variance that each hyperparameter explains alone.

    X: (n, K), one column per hyperparameter. y: (n,), the performance.
    min_samples_leaf: 3 rather than the package's 0, whose time grows with the square of n.
    log: columns to take on a logarithmic scale; categorical: columns of categories. Names that X
    does not have are passed over. The forest cuts a number anywhere between two values, and shares
    out by the lengths of the pieces: the weight of a number with two or three values depends on
    luck, unless it is named `categorical`.

    Returns one row per column of X, in its order: index `hyperparameter`, columns `weight` (mean
    over the trees, in [0, 1]) and `std`. The weights sum to at most 1: the rest is interactions.
    Raises FanovaUnavailable without the package; ValueError where X or y has missing values, their
    lengths differ, y is constant or a `log` column has values of 0 or less.
    """
    target = read_target(y)
    check_consistent_length(X, target)
    span_of(target, "y", "no column can explain it")
    columns = {name: _read(X[name], name in log, name in categorical) for name in X}
    with _compatible() as (fanova, spaces):
        space = spaces.ConfigurationSpace()
        for name, values in columns.items():
            if name in categorical:
                choices = list(range(int(values.max()) + 1))
                space.add(spaces.CategoricalHyperparameter(name, choices))
            else:
                margin = _MARGIN * (float(np.ptp(values)) or 1.0)
                bounds = (values.min() - margin, values.max() + margin)
                space.add(spaces.UniformFloatHyperparameter(name, *bounds))
        names = [hyperparameter.name for hyperparameter in space.values()]
        codes = np.column_stack([columns[name] for name in names])
        options = {"n_trees": n_trees, "min_samples_leaf": min_samples_leaf, "seed": random_state}
        forest = fanova.fANOVA(codes, target, config_space=space, **options)
        rows = [forest.quantify_importance((k,))[(k,)] for k in range(len(names))]
    table = pd.DataFrame(rows, pd.Index(names, name="hyperparameter"))
    columns_of = {"individual importance": "weight", "individual std": "std"}
    return table.rename(columns=columns_of).loc[list(X), list(columns_of.values())]


def _read(column: pd.Series, log: bool, categorical: bool) -> Floats:
    label = f"column {column.name!r} of X"
    if column.isna().any():
        raise ValueError(f"{label} has missing values")
    if categorical:
        return np.asarray(pd.Categorical(column).codes, dtype=np.float64)
    values = read_numbers(column, label)
    if not np.isfinite(values).all():
        raise ValueError(f"{label} has infinite values")
    if log and values.min() <= 0:
        raise ValueError(f"{label} has {values.min():g}: a logarithm needs values above 0")
    return np.log(values) if log else values


def _load() -> tuple[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("fanova.fanova"), importlib.import_module("ConfigSpace")
    except ImportError as error:
        raise FanovaUnavailable(
            f"the fanova package cannot be used here ({error}). It is compiled at set-up: install "
            "a C++ compiler, then `make clean` and the same command again"
        ) from error


@contextmanager
def _compatible() -> Iterator[tuple[Any, Any]]:
    """fanova and ConfigSpace, fanova with the NumPy it knows and without its log messages; NumPy
    itself and the root logger are left as they were."""
    fanova, spaces = _load()
    numpy = types.ModuleType("numpy")
    numpy.__dict__.update(np.__dict__, float=float)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    fanova.np, root.handlers = numpy, handlers or [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ConfigSpace's about old names that fanova calls
            yield fanova, spaces
    finally:
        fanova.np, root.handlers = np, handlers
        root.setLevel(level)
