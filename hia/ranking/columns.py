"""What the columns of a table of trials are: the kind and the scale of each hyperparameter.

Table 1 says so, the reader, or an Optuna study; else it is inferred from the values, by the rules
of `infer`. A column of numbers is never taken for categories because it has few values.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import cramervonmises_2samp, rankdata

from hia.inputs import Floats, check_digits
from hia.ranking import exports
from hia.space import HYPERPARAMETERS, TABLE1, Hyperparameter

# Numbers with at most so many different values, each there so many times on average, are levels.
_LEVELS, _PER_LEVEL = 10, 5
# A scale can be logarithmic from this ratio of the largest to the smallest value on.
_RATIO = 100.0
# Text with more different values is left out unless it is named; as is what is different in this
# part of the rows or more.
_CATEGORIES, _DIFFERENT = 500, 0.9
# Rank correlation from which on two columns say the same, from which on one may be a result, and
# from which on it is, if its name may be one.
_SAME, _DOUBT, _RESULT = 0.99, 0.75, 0.8
# From which on it may be one if a forest, on at most so many trials, explains so much of its
# variance by the other columns: of hyperparameters of random and Bayesian searches it was below 0.
_LITTLE, _SEEN, _TOLD = 0.3, 1_000, 0.1
# The p-value up to which a target is distributed otherwise where a column is blank.
_P = 0.01
# Numbers that are times: seconds from 2000 to 2040 since 1970, or parts of them.
_TIMES = np.array([946_684_800.0, 2_208_988_800.0])
# Days: with a year of four digits (64-32-16 are layers), or two after points or strokes, and with
# the name of a month.
_DATE = (
    r"((19|20)\d\d[-/.][01]?\d[-/.][0-3]?\d|[0-3]?\d[-/.][0-3]?\d[-/.](19|20)\d\d)(?!\d)"
    r"|[0-3]?\d([/.])[0-3]?\d\4\d\d(?!\d)|(?=.*\b(19|20)\d\d\b)(?i:.*\b"
    r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b)"
)
_WHOLE_DATE = r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{4}(\d\d)?)?"
# A number, and what begins with one; of a column that has few such ends, or is none but for its
# form. Then what is written in two numbers.
_NUMBER = r"[+-]?\d[\d.,]*(?:[eEdD][+-]?\d+)?"
_WITH_UNIT = rf"['$€£<>~≈]?\s*{_NUMBER}\s*(\D{{0,6}})"
_UNITS = 3
_OF_TWO = rf"{_NUMBER}\s*(?:[x×·*]\s*10\s*)?(?:\^|\*\*|/|±|\+/?-|[x×·*]|\()\s*{_NUMBER}\)?"
# Part of the cells of two crossed factors that have trials, at least.
_FULL = 0.8
# A hyperparameter that a trial does not have, where that is taken for a choice.
_BLANK = "(blank)"


class Inferred(NamedTuple):
    """The hyperparameters of a table, and the other columns with why they are none."""

    columns: list[Hyperparameter]
    left_out: dict[str, str]


def infer(table: pd.DataFrame, target: str | None = None) -> Inferred:
    """What the columns of a table of trials are, by their names and values where there is a target.

    - A table that has all eleven columns of Table 1, with values that it allows, is taken for one
      of this study: these columns are its hyperparameters.
    - Where a tool has marked the hyperparameters by a prefix, such as `params_`, they are these.
    - Else left out are the target, columns whose name is one of bookkeeping or of a result, and
      columns without values or of anything else than numbers, text and true/false; dates; text
      that is different in nine of ten rows or has more than 500 different values; numbers, nearly
      always different, that count the rows, grow or fall with them or are times since 1970; what
      may be a result by its name, as `best_val`, and goes with the target.
    - Text and true/false are categories, and numbers are numbers, integers where all are whole.
    - Numbers with at most 10 different values, each there 5 times on average, can have no others.
    - The scale is logarithmic where all values are above 0, the largest is at least 100 times the
      smallest, and the different values are spread more evenly over the logarithms than over the
      numbers (largest distance between their distribution and the uniform one).

    A column with one value only is a hyperparameter nevertheless. Raises ValueError for an infinite
    value, text among many numbers or numbers with units, and a name that is there twice or no text.
    """
    names = [name for name in table.columns if name != target]
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"column {name!r}: names of columns have to be text")
    if set(HYPERPARAMETERS) <= set(names):
        with contextlib.suppress(ValueError):  # another table that has columns of these names
            read(table, TABLE1)
            others = [name for name in names if name not in HYPERPARAMETERS]
            return Inferred(list(TABLE1), dict.fromkeys(others, "not in Table 1"))
    if target in table and not isinstance(table[target], pd.DataFrame):
        table = table[np.isfinite(pd.to_numeric(table[target], errors="coerce"))]
    marked = exports.hyperparameters(names)
    prefix, chosen = marked or ("", names)
    columns, left_out = [], dict.fromkeys(names, f"the hyperparameters are {prefix}...")
    for name in chosen:
        kind = _infer(name, _column(table, name), by_name=not marked)
        doubtful = not marked and exports.may_be_result(name) and target in table
        if doubtful and isinstance(kind, Hyperparameter) and kind.kind != "categorical":
            y = pd.to_numeric(_column(table, str(target)), errors="coerce")
            if _association(_finite(name, table[name]), y) >= _RESULT:
                kind = f"a result, by the name, that goes with {target}"
        if isinstance(kind, str):
            left_out[name] = kind
        else:
            columns.append(kind)
            del left_out[name]
    return Inferred(columns, left_out)


def describe(
    table: pd.DataFrame,
    target: str | None = None,
    names: Sequence[Hyperparameter | str] | None = None,
    *,
    declared: Sequence[Hyperparameter] = (),
    drop: Collection[str] = (),
    kinds: Mapping[str, str] | None = None,
    log: Collection[str] = (),
    linear: Collection[str] = (),
) -> Inferred:
    """The hyperparameters of a table, as they are declared, else as they are inferred.

    names: those that are wanted; None means all that are declared, or else all that `infer` finds.
    declared: what an Optuna study says of them. drop: columns that are none. kinds, log, linear:
    kinds and scales as the reader declares them, by name; what a changed kind can have is read from
    the table.
    Raises ValueError for an unknown column, one that can be no hyperparameter, is the target, or
    has values that are not of its kind or scale, and where no column is left.
    """
    if isinstance(names, str):
        raise ValueError(f"columns={names!r} is not a list; [{names!r}] is")
    for name in drop:
        _column(table, name)
    left_out = dict.fromkeys(drop, "dropped")
    known = {column.name: column for column in declared}
    if names is not None:
        columns = [
            name if isinstance(name, Hyperparameter) else known.get(name) or _one(table, name)
            for name in names
        ]
    elif known:
        columns = [column for column in declared if column.name not in drop]
    else:
        rest = table.drop(columns=[name for name in drop if name != target])
        columns, others = infer(rest, target)
        left_out = others | left_out
    chosen = [column.name for column in columns]
    if not columns:
        if target is not None:
            read_target(table, target)  # a target of text is the reason
        reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:10])
        raise ValueError(f"no column is left to rank ({reasons or 'none is named'})")
    if target in chosen:
        raise ValueError(f"{target!r} is the target and a hyperparameter")
    kinds = kinds or {}
    contrary = ((chosen, drop, "chosen and dropped"), (log, linear, "logarithmic and linear"))
    for one, other, what in contrary:
        if both := sorted({*one} & {*other}):
            raise ValueError(f"{both[0]!r} cannot be {what}")
    for name in (*kinds, *log, *linear):
        if name not in chosen:
            raise ValueError(f"{name!r} is none of the hyperparameters {', '.join(chosen)}")
        k = chosen.index(name)
        if kinds.get(name, columns[k].kind) != columns[k].kind:
            columns[k] = _of_kind(name, table[name].dropna(), kinds[name])
        scale = name in log if name in {*log, *linear} else columns[k].log
        columns[k] = replace(columns[k], log=scale, origin="declared")
    return Inferred(columns, left_out)


def read(table: pd.DataFrame, columns: Sequence[Hyperparameter]) -> pd.DataFrame:
    """The columns (n, K), checked against their description: numbers as float64, categories as
    they are, what is missing as NaN or None.

    Raises ValueError naming the column, the first value at fault and what would be right.
    """
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"column {twice!r} is there twice")
    values = {}
    for column in columns:
        given = _column(table, column.name)
        if column.kind == "categorical":
            numbers = given.astype(object).where(given.notna(), None)
        else:
            numbers = _finite(column.name, given)
        if (wrong := ~(column.allows(numbers) | numbers.isna())).any():
            bad, right = given[wrong].tolist()[0], f"{column.scale}: {column.possible}"
            raise ValueError(f"column {column.name!r} has {bad!r}, which is not {right}")
        values[column.name] = numbers
    return pd.DataFrame(values)


def read_target(table: pd.DataFrame, name: str) -> Floats:
    """The target (n,), NaN where it is missing. Raises ValueError where it is not numbers."""
    return _as_numbers(name, _column(table, name)).to_numpy()


def with_blanks(
    table: pd.DataFrame, columns: Sequence[Hyperparameter]
) -> tuple[pd.DataFrame, list[Hyperparameter]]:
    """Table and columns in which a missing value is a choice: one more category, and of numbers a
    hyperparameter of its own, whether they are there."""
    changed = []
    for column in columns:
        missing = table[column.name].isna()
        if not missing.any():
            changed.append(column)
        elif column.kind == "categorical":
            values = table[column.name].astype(object).where(~missing, _BLANK)
            table = table.assign(**{column.name: values})
            changed.append(replace(column, choices=(*(column.choices or ()), _BLANK)))
        else:
            name = f"{column.name} {_BLANK}"
            table = table.assign(**{name: missing})
            changed += [column, Hyperparameter(name, "categorical", choices=(False, True))]
    return table, changed


def doubts(
    table: pd.DataFrame, target: str, columns: Sequence[Hyperparameter], blanks: bool = True
) -> list[str]:
    """What of the columns may be something else than it is taken for, in sentences.

    A blank may be a choice where the target is distributed otherwise (blanks: whether to ask). What
    goes with the target may be a result; if it does so less, where a forest tells it from the other
    columns: a search draws its values independently.
    """
    y = pd.Series(read_target(table, target), table.index)
    numbers = {
        column.name: _as_numbers(column.name, table[column.name])
        for column in columns
        if column.kind != "categorical" and column.origin == "inferred"
    }
    goes = {name: _association(values, y) for name, values in numbers.items()}
    others = [column for column in columns if goes.get(column.name, 0) < _DOUBT]
    choice = "If a blank is a choice there, say --missing level."
    result = "If it is a result, --drop it."
    lines = []
    for name in (column.name for column in columns):
        values = table[name]
        missing, given = y[values.isna() & blanks].dropna(), y[values.notna()].dropna()
        different = values.nunique()
        if len(missing) and different == 1:
            part = len(missing) / y.count()
            lines.append(f"{name} has one value only, or none in {part:.0%}. {choice}")
        elif min(len(missing), len(given)) > 1 and cramervonmises_2samp(missing, given).pvalue < _P:
            medians = f"the median is {missing.median():g}, elsewhere {given.median():g}"
            otherwise = f"{target} is distributed otherwise ({medians})"
            lines.append(f"{name}: where it is blank, {otherwise}. {choice}")
        elif name in numbers and different > _LEVELS:
            if _counts_rows(numbers[name]):
                lines.append(f"{name} grows or falls with the rows. If it counts them, --drop it.")
            elif goes[name] >= _DOUBT:
                lines.append(f"{name} goes with {target}. {result}")
            elif goes[name] >= max(_LITTLE, 3 / np.sqrt(len(y))) and _follows(table, name, others):
                lines.append(f"{name} goes with {target} and with other columns. {result}")
    if (crossed := _crossed(table, columns)) is not None:
        lines.append(
            f"{crossed} has its values with the same configurations of the others: --by {crossed} "
            f"ranks them for each, --drop {crossed} takes them for repeats. As it is, p is too "
            "small."
        )
    return lines


def _crossed(table: pd.DataFrame, columns: Sequence[Hyperparameter]) -> str | None:
    """The one column that has nearly each of its values with each configuration of the others, as
    data sets or seeds have. Of a grid every column does."""
    n = len(table)
    codes = [pd.factorize(table[column.name])[0] for column in columns]
    counts = np.array([own.max() + 1 for own in codes])
    others = [np.delete(counts, k).max(initial=0) for k in range(len(counts))]
    few = [k for k, m in enumerate(counts) if m > 1 < others[k] and _FULL * m * others[k] <= n]
    if not few:
        return None
    hashes = [pd.util.hash_array(k * n + own) for k, own in enumerate(codes)]
    whole = np.sum(hashes, axis=0, dtype=np.uint64)
    cells = {k: counts[k] * len(np.unique(whole - hashes[k])) for k in few}
    crossed = [columns[k].name for k in few if _FULL * cells[k] <= len(np.unique(whole))]
    return crossed[0] if len(crossed) == 1 else None


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        names = ", ".join(map(str, table.columns))
        raise ValueError(f"there is no column {name!r}; there are {names}")
    values = table[name]
    if isinstance(values, pd.DataFrame):
        raise ValueError(f"column {name!r} is there twice")
    return values


def _one(table: pd.DataFrame, name: str) -> Hyperparameter:
    kind = _infer(name, _column(table, name), named=True)
    if isinstance(kind, str):
        raise ValueError(f"column {name!r} is no hyperparameter: {kind}")
    return kind


def _infer(
    name: str, values: pd.Series, *, named: bool = False, by_name: bool = False
) -> Hyperparameter | str:
    """The column, or why it is none. named: asked for. by_name: whether its name can say so."""
    values = values.dropna()
    if values.empty:
        return "no value in a complete trial"
    if by_name and exports.is_bookkeeping(name):
        return "bookkeeping, by the name"
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    values = values.infer_objects()
    if pd.api.types.is_bool_dtype(values):
        return _of_kind(name, values, "categorical", "inferred: true or false")
    is_text = pd.api.types.is_string_dtype(values)
    if not (is_text or pd.api.types.is_any_real_numeric_dtype(values)):
        return f"neither numbers nor text ({values.dtype})"
    is_result = by_name and exports.is_result(name)
    different = values.nunique()
    nearly_all = different >= max(_LEVELS, _DIFFERENT * len(values))
    if is_text:
        if values.str.match(_DATE).all():
            return "dates"
        numbers = pd.to_numeric(values, errors="coerce").notna()
        many = 0.5 < numbers.mean() < 1 and different > _LEVELS
        if many or 0 < values[~numbers].nunique() <= _LEVELS < values[numbers].nunique():
            raise ValueError(
                f"column {name!r} has {values[~numbers].iloc[0]!r} among its numbers: correct it, "
                "or leave the column out"
            )
        if nearly_all:
            texts = values.str.strip()
            units = texts.str.extract(rf"^{_WITH_UNIT}$")[0]
            has_units = units.notna().all() and units.nunique() <= _UNITS
            if not (has_units or texts.str.fullmatch(_OF_TWO).all()):
                return "text, different in nearly every row"
            if is_result:
                return "a result, by the name"
            raise ValueError(
                f"column {name!r} has {values.iloc[0]!r} where a number could be: write numbers "
                "alone, or leave the column out"
            )
        if different > _CATEGORIES and not named:
            return f"text with more than {_CATEGORIES} different values"
        return _of_kind(name, values, "categorical", "inferred: text")
    if is_result:
        return "a result, by the name"
    numbers = _finite(name, values)
    # Above 2^53 float64 has no other numbers than whole ones.
    whole = bool((numbers % 1 == 0).all()) and float(numbers.abs().max()) <= 2**53
    if not named:
        parts = [10.0**power for power in (0, 3, 6, 9)]
        if nearly_all and any(numbers.between(*(_TIMES * part)).all() for part in parts):
            return "times, counted from 1970"
        if whole and numbers.map("{:.0f}".format).str.fullmatch(_WHOLE_DATE).all():
            return "dates"
        if whole and nearly_all and different == len(values) == np.ptp(numbers) + 1:
            return "whole numbers that count the rows"
        if whole and nearly_all and len(values) >= _LEVELS and _counts_rows(numbers):
            return "whole numbers that grow or fall with the rows"
    return _of_kind(name, values, "integer" if whole else "float", "inferred")


def _of_kind(name: str, values: pd.Series, kind: str, origin: str = "declared") -> Hyperparameter:
    """A column of this kind that can have the values (without missing ones)."""
    if kind == "categorical":
        categories = sorted(values.unique().tolist(), key=lambda v: (str(type(v)), v))
        return Hyperparameter(name, kind, choices=tuple(categories), origin=origin)
    numbers = np.unique(_finite(name, values))
    if len(numbers) == 0:
        raise ValueError(f"column {name!r} has no values")
    if kind == "integer" and (numbers % 1 != 0).any():
        raise ValueError(f"column {name!r} has {numbers[numbers % 1 != 0][0]:g}: no integer")
    choices: tuple[Any, ...] | None = None
    if len(numbers) <= _LEVELS and len(values) >= _PER_LEVEL * len(numbers):
        choices = tuple(map(int, numbers) if kind == "integer" else numbers.tolist())
    log = _looks_logarithmic(numbers)
    return Hyperparameter(name, kind, numbers[0], numbers[-1], choices, log, origin=origin)


def _association(a: pd.Series, b: pd.Series) -> float:
    """The size of the rank correlation of two columns, in the rows that have both."""
    both = (a.notna() & b.notna()).to_numpy()
    places = [rankdata(x.to_numpy(float)[both]) for x in (a, b)]
    if any(len(x) == 0 or (x == x[0]).all() for x in places):
        return 0.0
    return float(abs(np.corrcoef(places)[0, 1]))


def _counts_rows(numbers: pd.Series) -> bool:
    """Whether numbers grow or fall with the rows."""
    return _association(numbers, pd.Series(range(len(numbers)), numbers.index)) >= _SAME


def _follows(table: pd.DataFrame, name: str, columns: Sequence[Hyperparameter]) -> bool:
    """Whether a forest tells the order of a column's values from different values of others."""
    from sklearn.ensemble import RandomForestRegressor

    table = table[table[name].notna()]
    table = table.sample(min(len(table), _SEEN), random_state=0)
    codes = {
        column.name: pd.factorize(table[column.name])[0]
        if column.kind == "categorical"
        else table[column.name].rank().fillna(0)
        for column in columns
    }
    y = codes.pop(name)
    X = pd.DataFrame(codes, table.index).drop_duplicates()
    if min(X.shape) == 0 or len(X) < 2 * _LEVELS:
        return False
    forest = RandomForestRegressor(30, min_samples_leaf=5, oob_score=True, random_state=0)
    return bool(forest.fit(X.to_numpy(), y[X.index]).oob_score_ >= _TOLD)


def _looks_logarithmic(numbers: Floats) -> bool:
    """numbers: different ones, ascending. Whether their logarithms are spaced more evenly."""
    with np.errstate(over="ignore"):
        if len(numbers) < 3 or numbers[0] <= 0 or numbers[-1] < _RATIO * numbers[0]:
            return False
    places = [(x - x[0]) / (x[-1] - x[0]) for x in (np.log(numbers), numbers)]
    log, linear = np.abs(places - np.linspace(0, 1, len(numbers))).max(axis=1)
    return bool(log < linear)


def _finite(name: str, values: pd.Series) -> pd.Series:
    """float64, NaN where missing."""
    numbers = _as_numbers(name, values)
    if np.isinf(numbers).any():
        raise ValueError(f"column {name!r} has an infinite value: leave it out, or the row")
    return numbers


def _as_numbers(name: str, values: pd.Series) -> pd.Series:
    try:
        numbers = pd.to_numeric(values)
        floats = pd.Series(numbers.to_numpy("float64", na_value=np.nan), numbers.index)
    except (TypeError, ValueError):
        wrong = values.notna() & pd.to_numeric(values, errors="coerce").isna()
        bad = values[wrong].tolist()[0]
        raise ValueError(f"column {name!r} has {bad!r}, which is no number") from None
    check_digits(numbers, f"column {name!r}")
    return floats
