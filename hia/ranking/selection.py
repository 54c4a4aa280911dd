"""Which trials are ranked, in which groups, and which of them are good."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from hia.ranking import exports
from hia.ranking.columns import read_target

_COMPARISON = re.compile(r"\s*(<=|>=|==|!=|=|<|>)\s*(.+)")
# Values of a column by which trials are grouped, at most.
_GROUPS = 50


def direction(
    target: str, maximize: bool | None, minimize_asked: bool, maximize_asked: bool
) -> tuple[bool, str]:
    """Whether a large target is good, and who says so: the options, the study, or the name.

    maximize: what a study says; None where there is none.
    """
    if minimize_asked or maximize_asked:
        large, who = maximize_asked, "as asked"
    elif maximize is not None:
        large, who = maximize, "the study says so"
    else:
        large = not exports.is_loss(target)
        who = f"assumed by the name; {'--minimize' if large else '--maximize'} for the contrary"
    return large, f"Good is a {'large' if large else 'small'} {target} ({who})."


def select(
    table: pd.DataFrame,
    target: str,
    maximize: bool,
    where: Sequence[str] = (),
    above: float | None = None,
    below: float | None = None,
    top: str | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """The trials that have a target and meet the conditions, and what is said of the others.

    where: such as "epochs >= 5", see `meets`. above, below: bounds of the target, not included.
    top: how many of the best of these, or which part, as "10%".
    Raises ValueError for a condition that is none, and where no trial is left.
    """
    conditions = [(text, meets(table, text)) for text in where]
    y = pd.Series(read_target(table, target), table.index)
    notes = [f"Trials left out: {y.isna().sum():,} without {target}"] if y.isna().any() else []
    usable = y.notna()
    conditions += [(f"{target} above {above:g}", y > above)] if above is not None else []
    conditions += [(f"{target} below {below:g}", y < below)] if below is not None else []
    for text, chosen in conditions:
        usable &= chosen
        notes.append(f"Only {text}: {usable.sum():,} trials")
    if top is not None:
        count = _count(top, int(usable.sum()))
        best = (y if maximize else -y)[usable].nlargest(count, keep="first").index
        usable &= usable.index.isin(best)
        notes.append(f"Only the best {count:,} of them")
    if not usable.any():
        raise ValueError(f"no trial is left ({'; '.join(notes)})")
    return table[usable], notes


def meets(table: pd.DataFrame, condition: str) -> pd.Series:
    """Which trials meet a condition NAME OPERATOR VALUE, with = == != < <= > >=.

    A missing value meets none. Raises ValueError where it is no such condition.
    """
    text = condition.strip()
    names = sorted((n for n in map(str, table) if text.startswith(n)), key=len, reverse=True)
    said = next(((n, m) for n in names if (m := _COMPARISON.fullmatch(text, len(n)))), None)
    if said is None:
        columns = ", ".join(map(str, table.columns))
        raise ValueError(
            f"--where {condition!r} is not COLUMN = VALUE, with = != < <= > >=; there are {columns}"
        )
    name, match = said
    sign, value = match[1], match[2].strip("'\"")
    column = table[name]
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric:
        try:
            number = float(value)
        except ValueError:
            raise ValueError(
                f"--where {condition!r}: {name} has numbers, and {value!r} is none"
            ) from None
        compared = {
            "<": column < number, "<=": column <= number, ">": column > number,
            ">=": column >= number, "!=": column != number,
        }.get(sign, column == number)  # fmt: skip
    elif sign in ("=", "==", "!="):
        compared = (column.astype(str).str.lower() == value.lower()) != (sign == "!=")
    else:
        raise ValueError(f"--where {condition!r}: {name} has text, which is = or != to something")
    return compared.fillna(False).astype(bool) & column.notna()


def groups(table: pd.DataFrame, by: str | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """The trials of each value of a column, with what they have in common; or all trials."""
    if by is None:
        yield "", table
        return
    if table[by].nunique() > _GROUPS:
        raise ValueError(f"--by {by}: it has {table[by].nunique():,} values, more than {_GROUPS}")
    for value, rows in table.groupby(by, sort=True, observed=True):
        yield f"{by} = {value}", rows


def _count(top: str, of: int) -> int:
    """So many of the best as are asked for: "20", or "10%"."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", top.strip())
    if number is None or float(number[1]) == 0 or (number[2] and float(number[1]) > 100):
        raise ValueError(f"--top {top!r} is no number of trials and no percentage, such as 10%")
    return int(np.ceil(float(number[1]) * of / 100)) if number[2] else int(float(number[1]))
