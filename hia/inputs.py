"""What the estimators take: X and y as scikit-learn's do, counts, and columns by name or position.

The errors name the option, the column or the value at fault. Nothing is guessed: a column is
categorical where its dtype says so, or its reader.
"""

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

# Of the 53 of a float64, so many are enough to tell numbers of a column apart.
_SPARE_BITS = 30


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Of scikit-learn, with columns of text and categories."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _names(self) -> Any:
        """Of the columns; x0, x1, ... where X had none."""
        unnamed = [f"x{k}" for k in range(self.n_features_in_)]
        return pd.Index(getattr(self, "feature_names_in_", unnamed))


def one_thread() -> threadpool_limits:
    """Of BLAS, in a `with`: more threads add up in another order, to other last digits."""
    return threadpool_limits(1, "blas")


def check_count(option: str, value: object) -> None:
    """Raises ValueError unless the value is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{option}={value!r} is not a whole number of at least 1")


def as_frame(X: ArrayLike | pd.DataFrame) -> pd.DataFrame:
    """X (n, K) as a DataFrame, arrays of objects with the dtypes of their columns. Raises
    ValueError without columns, where a column is there twice, and for other shapes."""
    check_unmasked("X", X)
    if not isinstance(X, pd.DataFrame):
        X = pd.DataFrame(check_array(X, dtype=None, ensure_all_finite=False, input_name="X"))
    if not X.columns.is_unique:
        raise ValueError(f"column {X.columns[X.columns.duplicated()][0]!r} of X is there twice")
    if X.shape[1] == 0:
        raise ValueError(f"X has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required")
    return X.infer_objects()


def read_target(y: ArrayLike) -> Floats:
    """Performance, (n,). Raises ValueError where y is missing, infinite or no column of numbers."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    check_unmasked("y", y)
    target = check_array(y, dtype=np.float64, ensure_2d=False, ensure_min_samples=0, input_name="y")
    return np.asarray(column_or_1d(target, warn=True))


def check_unmasked(name: str, values: object) -> None:
    """Raises ValueError for an array with masked values, which others would take as they are."""
    if np.ma.is_masked(values) or (isinstance(values, list) and any(map(np.ma.is_masked, values))):
        raise ValueError(f"{name} has masked values: fill them, or leave their rows out")


def number_configurations(columns: Sequence[Floats]) -> Ints:
    """Of rows of K columns (n,), which of the different ones each is, in the order they first come,
    (n,). What is missing is like what is missing, and numbers like those that rounding makes."""
    parts = [np.frexp(values) for values in columns]
    with np.errstate(over="ignore"):  # the largest numbers are alike at infinity
        frame = pd.DataFrame({k: np.ldexp(np.round(m, 14), e) for k, (m, e) in enumerate(parts)})
    if not frame.duplicated().any():
        return np.arange(len(frame))
    rows = frame.groupby(list(frame.columns), sort=False, dropna=False)
    return np.asarray(rows.ngroup(), dtype=np.intp)


def in_unit(values: Floats) -> tuple[Floats, int]:
    """Numbers (...,) divided by a power of 2, so that the largest size is between 1/2 and 1, and
    that power's exponent (0 where all are 0): no digit is lost, and squares do not overflow."""
    exponent = int(np.frexp(np.abs(values).max())[1])
    return np.asarray(np.ldexp(values, -exponent)), exponent


def is_text(values: pd.Series) -> bool:
    """Whether the dtype makes a column (n,) categorical."""
    return isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(values)


def read_numbers(values: pd.Series, label: str) -> Floats:
    """A column (n,) as float64. Raises ValueError where it is not of numbers or true and false."""
    dtype = values.dtype
    if not (pd.api.types.is_any_real_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
        raise ValueError(
            f"{label} ({dtype}) is neither all numbers nor all text; convert it, or name it in "
            "categorical"
        )
    check_digits(values, label)
    return values.to_numpy(dtype=np.float64)


def read_columns(frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """What errors call each column of X, and its values. Raises ValueError where one is missing."""
    for name, values in frame.items():
        label = f"column {name!r} of X"
        if values.isna().any():
            raise ValueError(f"{label} contains NaN (missing values)")
        yield label, values


def check_digits(values: pd.Series, label: str) -> None:
    """Raises ValueError where whole numbers (n,) above 2^53 differ by less than float64 can tell.
    Where they are far apart, as random seeds are, their last digits may be lost."""
    if not pd.api.types.is_integer_dtype(values) or not values.notna().any():
        return
    low, high = int(values.min()), int(values.max())
    largest = max(abs(low), abs(high))
    if largest > 2**53 and low < high < low + largest // 2**_SPARE_BITS:
        raise ValueError(
            f"{label} has whole numbers up to {largest:.3g} that differ by {high - low} at most, "
            "less than float64 can tell apart: subtract the smallest"
        )


def span_of(values: Floats, label: str, if_constant: str) -> float:
    """Largest less smallest. if_constant: what to do where all values are the same.
    Raises ValueError where the range is no positive number."""
    if not np.isfinite(values).all():
        raise ValueError(f"{label} contains infinity or NaN")
    with np.errstate(over="ignore"):
        span = float(np.ptp(values))
    if span == 0:
        raise ValueError(f"{label} has one value only: {if_constant}")
    if span == np.inf:
        raise ValueError(f"{label} has a range too large for float64")
    return span


def positions(option: str, entries: Sequence[str | int] | None, names: Sequence[Any]) -> set[int]:
    """`position` of each entry of a list, which may be None."""
    if isinstance(entries, str):
        raise ValueError(f"{option}={entries!r} is not a list; [{entries!r}] is")
    return {position(option, entry, names) for entry in entries or ()}


def position(option: str, entry: object, names: Sequence[Any]) -> int:
    """Position of a column given by its name, a string, or by its position. names: of the columns
    of X. Raises ValueError where there is no such column."""
    if isinstance(entry, str) and entry in names:
        return list(names).index(entry)
    if isinstance(entry, Integral) and 0 <= int(entry) < len(names):
        return int(entry)
    known = ", ".join(name for name in names if isinstance(name, str))
    raise ValueError(
        f"{option}: {entry!r} is not a column of X; there are {len(names)} columns"
        + (f": {known}" if known else "")
    )
