"""What the columns of a table of trials are: the kind and the scale of each hyperparameter.

They come from Table 1 (`of_space`), from the reader (`Column`, `override`), from an Optuna study
(`hia.ranking.optuna.columns`), or are inferred from the values (`infer`). Inference goes by rules
that are stated there, and every column says where its description comes from (`summary`). A column
of numbers is never taken for categories because it has few values.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hia import space
from hia.inputs import check_digits

KINDS = ("integer", "float", "categorical")
# Numbers with at most so many different values, each there so many times on average, are levels.
_LEVELS = 10
_PER_LEVEL = 5
# A scale can be logarithmic from this ratio of the largest to the smallest value on.
_RATIO = 100.0


class ColumnError(ValueError):
    """A column that is not what it is described as, or a wrong description."""


@dataclass(frozen=True)
class Column:
    """A hyperparameter: its kind, its scale and the values it can have.

    kind: "integer", "float" or "categorical". choices: the only possible values, ascending where
    they are numbers. Other numbers have bounds, `low` and `high`, both included. log: the scale of
    numbers is logarithmic. origin: where this is from, for the reader.
    Raises ColumnError for an unknown kind, categories with a logarithm or without choices, numbers
    without choices or bounds or with choices in another order, and a logarithmic scale that is not
    above 0.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    log: bool = False
    origin: str = "declared"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ColumnError(
                f"{self.name}: {self.kind!r} is no kind; there are {', '.join(KINDS)}"
            )
        if self.kind == "categorical":
            if self.log:
                raise ColumnError(f"{self.name}: categories have no logarithm")
            if not self.choices:
                raise ColumnError(f"{self.name}: categories need choices")
            return
        if not self.choices and (self.low is None or self.high is None):
            raise ColumnError(f"{self.name}: numbers need low and high, or choices")
        if list(self.choices or ()) != sorted(set(self.choices or ())):
            raise ColumnError(
                f"{self.name}: choices {self.choices} are not different and ascending"
            )
        if self.log and self.bounds[0] <= 0:
            raise ColumnError(
                f"{self.name} has {self.bounds[0]:g}: a logarithm needs values above 0"
            )
        low, high = self.bounds
        if not math.isfinite(high - low):
            raise ColumnError(
                f"{self.name} goes from {low:g} to {high:g}, too far for float64: rescale it"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest possible number. Raises ColumnError for categories."""
        if self.kind == "categorical":
            raise ColumnError(f"{self.name} is categorical: it has no bounds")
        if self.choices:
            return float(self.choices[0]), float(self.choices[-1])
        assert self.low is not None
        assert self.high is not None
        return float(self.low), float(self.high)

    @property
    def scale(self) -> str:
        """The kind and the scale in words."""
        return f"{self.kind}, log" if self.log else self.kind

    @property
    def possible(self) -> str:
        """The possible values in words."""
        if self.choices is None:
            low, high = self.bounds
            return f"{low:g} to {high:g}"
        shown = [f"{c:g}" if isinstance(c, float) else str(c) for c in self.choices]
        if len(shown) > 2 * _LEVELS:
            shown[_LEVELS:] = [f"... ({len(self.choices)} in all)"]
        return ", ".join(shown)


class Inferred(NamedTuple):
    """The hyperparameters of a table, and the other columns with why they are none."""

    columns: list[Column]
    left_out: dict[str, str]


def of_space(names: Iterable[str] = space.HYPERPARAMETERS) -> list[Column]:
    """Columns as Table 1 of the paper describes them. Raises ColumnError for an unknown name."""
    columns = []
    for name in names:
        if name not in space.SPACE:
            raise ColumnError(f"{name!r} is not in Table 1, which has {', '.join(space.SPACE)}")
        row = space.SPACE[name]
        columns.append(
            Column(name, row.kind, row.low, row.high, row.choices, row.log, origin="Table 1")
        )
    return columns


def infer(table: pd.DataFrame, target: str | None = None) -> Inferred:
    """What the columns of a table of trials are, by their values.

    - A table that has all eleven columns of Table 1, with values that it allows, is taken for one
      of this study: these columns are its hyperparameters.
    - Else text and true/false are categories, and numbers are numbers, integers where all of them
      are whole.
    - Numbers with at most 10 different values, each there 5 times on average, can have no others.
    - The scale is logarithmic where all values are above 0, the largest is at least 100 times the
      smallest, and the different values are spread more evenly over the logarithms than over the
      numbers (largest distance between their distribution and the uniform one).
    - Left out are the target, columns without values or of anything else than numbers, text and
      true/false, text that is different in every row, and whole numbers that count the rows.

    A column with one value only is a hyperparameter nevertheless. Infinite values raise
    ColumnError.
    """
    names = [name for name in table.columns if name != target]
    for name in names:
        if not isinstance(name, str):
            raise ColumnError(f"column {name!r}: names of columns have to be text")
    if set(space.HYPERPARAMETERS) <= set(names):
        columns = of_space()
        if all(_is_allowed(table[column.name], column) for column in columns):
            return Inferred(
                columns,
                {name: "not in Table 1" for name in names if name not in space.HYPERPARAMETERS},
            )
    columns, left_out = [], {}
    for name in names:
        found = _infer(name, _column(table, name))
        if isinstance(found, Column):
            columns.append(found)
        else:
            left_out[name] = found
    return Inferred(columns, left_out)


def infer_one(table: pd.DataFrame, name: str) -> Column:
    """What one column is, by its values. Raises ColumnError where it can be no hyperparameter."""
    found = _infer(name, _column(table, name))
    if isinstance(found, str):
        raise ColumnError(f"column {name!r} is no hyperparameter: {found}")
    return found


def override(
    columns: Sequence[Column],
    table: pd.DataFrame,
    kinds: Mapping[str, str] | None = None,
    log: Collection[str] = (),
    linear: Collection[str] = (),
) -> list[Column]:
    """The columns with kinds, logarithmic and linear scales as the reader declares them.

    What a changed kind can have is read from the table. Raises ColumnError for a name that is none
    of the columns, and where the values are not of this kind or scale.
    """
    kinds = kinds or {}
    known = [column.name for column in columns]
    for name in (*kinds, *log, *linear):
        if name not in known:
            raise ColumnError(f"{name!r} is none of the hyperparameters {', '.join(known)}")
    if both := sorted(set(log) & set(linear)):
        raise ColumnError(f"{both[0]!r} cannot be logarithmic and linear")
    changed = []
    for column in columns:
        name = column.name
        if kinds.get(name, column.kind) != column.kind:
            column = _of_kind(name, table[name].dropna(), kinds[name])
        if name in log or name in linear:
            column = replace(column, log=name in log)
        if name in kinds or name in log or name in linear:
            column = replace(column, origin="declared")
        changed.append(column)
    return changed


def summary(columns: Sequence[Column], table: pd.DataFrame) -> pd.DataFrame:
    """For people: one row per column, index `hyperparameter`, columns `kind`, `values`, `missing`
    (share of the rows) and `from`."""
    return pd.DataFrame(
        {
            "kind": [column.scale for column in columns],
            "values": [column.possible for column in columns],
            "missing": [
                f"{table[column.name].isna().mean():.0%}" if table[column.name].isna().any() else ""
                for column in columns
            ],
            "from": [column.origin for column in columns],
        },
        index=pd.Index([column.name for column in columns], name="hyperparameter"),
    )


def read(table: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The columns (n, K), checked against their description: numbers as float64, categories as
    they are, what is missing as NaN or None.

    Raises ColumnError naming the column, the first value at fault and what would be right.
    """
    names = [column.name for column in columns]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ColumnError(f"column {twice[0]!r} is there twice")
    return pd.DataFrame({column.name: _read(table, column) for column in columns})


def read_target(table: pd.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The target (n,), NaN where it is missing. Raises ColumnError where it is not numbers."""
    return _as_numbers(name, _column(table, name)).to_numpy()


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        raise ColumnError(
            f"there is no column {name!r}; there are {', '.join(map(str, table.columns))}"
        )
    values = table[name]
    if isinstance(values, pd.DataFrame):
        raise ColumnError(f"column {name!r} is there twice")
    return values


def _read(table: pd.DataFrame, column: Column) -> pd.Series:
    name = column.name
    values = _column(table, name)
    if column.kind == "categorical":
        allowed = values.isna() | values.isin(column.choices or ())
        read = values.astype(object).where(values.notna(), None)
    else:
        read = _numbers(name, values)
        low, high = column.bounds
        allowed = read.isna() | read.between(low, high)
        if column.choices:
            allowed &= read.isna() | read.isin(column.choices)
        if column.kind == "integer":
            allowed &= read.isna() | (read % 1 == 0)
    if not allowed.all():
        bad = values[~allowed].tolist()[0]
        raise ColumnError(
            f"column {name!r} has {bad!r}, which is not {column.scale}: {column.possible}"
        )
    return read


def _is_allowed(values: pd.Series, column: Column) -> bool:
    try:
        _read(values.to_frame(), column)
    except ColumnError:
        return False
    return True


def _infer(name: str, values: pd.Series) -> Column | str:
    """The column, or why it is none."""
    n_rows = len(values)
    values = values.dropna()
    if values.empty:
        return "no values"
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    values = values.infer_objects()
    if pd.api.types.is_bool_dtype(values):
        return _of_kind(name, values, "categorical", "inferred: true or false")
    if pd.api.types.is_string_dtype(values):
        if n_rows > 1 and values.nunique() == n_rows:
            return "text, different in every row"
        return _of_kind(name, values, "categorical", "inferred: text")
    if not pd.api.types.is_any_real_numeric_dtype(values):
        return f"neither numbers nor text ({values.dtype})"
    numbers = _numbers(name, values)
    # Above 2^53 float64 has no other numbers than whole ones.
    whole = bool((numbers % 1 == 0).all()) and float(numbers.abs().max()) <= 2**53
    if whole and n_rows > 1 and values.nunique() == n_rows == np.ptp(numbers) + 1:
        return "whole numbers that count the rows"
    return _of_kind(name, values, "integer" if whole else "float", "inferred")


def _of_kind(name: str, values: pd.Series, kind: str, origin: str = "declared") -> Column:
    """A column of this kind that can have the values (without missing ones)."""
    if kind == "categorical":
        categories = sorted(values.unique().tolist(), key=lambda v: (str(type(v)), v))
        return Column(name, kind, choices=tuple(categories), origin=origin)
    numbers = np.unique(_numbers(name, values))
    if len(numbers) == 0:
        raise ColumnError(f"column {name!r} has no values")
    if kind == "integer" and (numbers % 1 != 0).any():
        raise ColumnError(f"column {name!r} has {numbers[numbers % 1 != 0][0]:g}: no integer")
    choices: tuple[Any, ...] | None = None
    if len(numbers) <= _LEVELS and len(values) >= _PER_LEVEL * len(numbers):
        choices = tuple(map(int, numbers) if kind == "integer" else numbers.tolist())
    log = _looks_logarithmic(numbers)
    return Column(name, kind, numbers[0], numbers[-1], choices, log, origin)


def _looks_logarithmic(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """numbers: different ones, ascending."""
    with np.errstate(over="ignore"):
        if len(numbers) < 3 or numbers[0] <= 0 or numbers[-1] < _RATIO * numbers[0]:
            return False
    return _unevenness(np.log(numbers)) < _unevenness(numbers)


def _unevenness(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Largest distance of (m,) ascending numbers from evenly spaced ones, in parts of the range."""
    places = (numbers - numbers[0]) / (numbers[-1] - numbers[0])
    return float(np.abs(places - np.linspace(0, 1, len(numbers))).max())


def _numbers(name: str, values: pd.Series) -> pd.Series:
    """float64, NaN where missing."""
    numbers = _as_numbers(name, values)
    if np.isinf(numbers).any():
        raise ColumnError(f"column {name!r} has an infinite value: leave it out, or the row")
    return numbers


def _as_numbers(name: str, values: pd.Series) -> pd.Series:
    try:
        numbers = pd.to_numeric(values)
        floats = numbers.astype("Float64").astype("float64")
    except (TypeError, ValueError):
        bad = next(value for value in values.dropna() if not _is_number(value))
        raise ColumnError(f"column {name!r} has {bad!r}, which is no number") from None
    try:
        check_digits(numbers, f"column {name!r}")
    except ValueError as error:
        raise ColumnError(str(error)) from None
    return floats


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
