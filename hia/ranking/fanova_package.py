"""Functional ANOVA with the `fanova` package of its authors (Hutter et al. 2014), Table 4's method.

The package is optional: its forest, pyrfr, has to be compiled. It was written for a NumPy that had
`np.float` and knows no logarithmic scale; `importances` deals with both.
"""

import importlib
import logging
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

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
    y: npt.ArrayLike,
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
    does not have are passed over, so that the defaults serve for any subset of columns. The forest
    cuts a number anywhere between two values, and shares out by the lengths of the pieces: the
    weight of a number with two or three values depends on luck, unless it is named `categorical`.

    Returns one row per column of X, in its order: index `hyperparameter`, columns `weight` (mean
    over the trees, in [0, 1]) and `std`. The weights sum to at most 1: the rest is interactions.
    Raises FanovaUnavailable without the package; ValueError where X or y has missing values, their
    lengths differ, y is constant or a `log` column has values of 0 or less.
    """
    target = np.asarray(y, dtype=np.float64)
    if target.shape != (len(X),):
        raise ValueError(
            f"y has shape {target.shape}, X has {len(X)} rows: one y per row is needed"
        )
    if not np.isfinite(target).all():
        raise ValueError("y has missing or infinite values")
    if np.ptp(target) == 0:
        raise ValueError(f"y is constant ({target[0]:g}): there is no variance to share out")
    columns = {
        name: _codes(X[name]) if name in categorical else _numbers(X[name], name in log)
        for name in X.columns
    }
    with _compatible() as (fanova, spaces):
        space = spaces.ConfigurationSpace()
        for name, values in columns.items():
            if name in categorical:
                choices = range(int(values.max()) + 1)
                space.add(spaces.CategoricalHyperparameter(name, list(choices)))
            else:
                margin = _MARGIN * (float(np.ptp(values)) or 1.0)
                bounds = (values.min() - margin, values.max() + margin)
                space.add(spaces.UniformFloatHyperparameter(name, *bounds))
        names = [hyperparameter.name for hyperparameter in space.values()]
        forest = fanova.fANOVA(
            np.column_stack([columns[name] for name in names]),
            target,
            config_space=space,
            n_trees=n_trees,
            min_samples_leaf=min_samples_leaf,
            seed=random_state,
        )
        shares = {
            name: forest.quantify_importance((position,))[(position,)]
            for position, name in enumerate(names)
        }
    return pd.DataFrame(
        {
            "weight": [shares[name]["individual importance"] for name in X.columns],
            "std": [shares[name]["individual std"] for name in X.columns],
        },
        index=pd.Index(X.columns, name="hyperparameter"),
    )


def _codes(column: pd.Series) -> npt.NDArray[np.float64]:
    if column.isna().any():
        raise ValueError(f"{column.name} has missing values")
    return pd.Categorical(column).codes.astype(np.float64)


def _numbers(column: pd.Series, log: bool) -> npt.NDArray[np.float64]:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except ValueError:
        raise ValueError(f"{column.name} is not numeric: name it in `categorical`") from None
    if not np.isfinite(values).all():
        raise ValueError(f"{column.name} has missing or infinite values")
    if log and values.min() <= 0:
        raise ValueError(f"{column.name} has {values.min():g}: a logarithm needs values above 0")
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
    """fanova and ConfigSpace, fanova with the NumPy it knows and without its log messages.

    NumPy itself and the root logger are left as they were.
    """
    fanova, spaces = _load()
    numpy = types.ModuleType("numpy")
    numpy.__dict__.update(np.__dict__, float=float)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    fanova.np, logging.root.handlers = numpy, handlers or [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ConfigSpace's about old names that fanova calls
            yield fanova, spaces
    finally:
        fanova.np, logging.root.handlers = np, handlers
        root.setLevel(level)
