"""Which trials are ranked, in which groups, and which of them are good."""

import re
from collections.abc import Iterator, Sequence
from operator import eq, ge, gt, le, lt, ne

import numpy as np
import pandas as pd

from hia.ranking import exports
from hia.ranking.columns import read_target

_COMPARISON = r"\s*(<=|>=|==|!=|=|<|>)\s*(.+)"
_SIGNS = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
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
    by: str | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """The trials that have a target and meet the conditions, and what is said of the others.

    where: such as "epochs >= 5", see `meets`. above, below: bounds of the target, not included.
    top: how many of the best of these, or which part, as "10%". by: a column, that they have; the
    best are those of each of its values.
    Raises ValueError for a condition that is none, a wrong column, and where no trial is left.
    """
    if by is not None and (by == target or by not in table):
        there = ", ".join(str(name) for name in table if name != target)
        raise ValueError(f"--by {by}: is not a column beside the target; there are {there}")
    conditions = [(text, meets(table, text)) for text in where]
    y = pd.Series(read_target(table, target), table.index)
    usable = pd.Series(np.isfinite(y), table.index, dtype=bool)
    notes = [] if usable.all() else [f"Trials left out: {(~usable).sum():,} without {target}"]
    if by is not None and table[by].isna().any():
        conditions.append((f"with {by}", table[by].notna()))
    conditions += [(f"{target} above {above:g}", y > above)] if above is not None else []
    conditions += [(f"{target} below {below:g}", y < below)] if below is not None else []
    for text, chosen in conditions:
        usable &= chosen
        notes.append(f"Only {text}: {usable.sum():,} trials")
    if top is not None:
        ranked = (y if maximize else -y)[usable]
        parts = [ranked] if by is None else [rows for _, rows in ranked.groupby(table[by])]
        best = [part.nlargest(_count(top, len(part)), keep="first").index for part in parts]
        usable &= usable.index.isin(np.concatenate([[], *best]))
        notes.append(f"Only the best {usable.sum():,} of them{f', by {by}' if by else ''}")
    if not usable.any():
        raise ValueError(f"no trial is left ({'; '.join(notes)})")
    return table[usable], notes


def meets(table: pd.DataFrame, condition: str) -> pd.Series:
    """Which trials meet a condition NAME OPERATOR VALUE, with = == != < <= > >=.

    A missing value meets none. Raises ValueError where it is no such condition.
    """
    names = "|".join(map(re.escape, sorted(map(str, table), key=len, reverse=True)))
    match = re.fullmatch(rf"(['\"]?)({names})\1{_COMPARISON}", condition.strip())
    if match is None:
        columns = ", ".join(map(str, table.columns))
        raise ValueError(
            f"--where {condition!r} is not COLUMN = VALUE, with = != < <= > >=; there are {columns}"
        )
    name, sign, value = match[2], match[3].replace("==", "="), match[4].strip("'\"")
    column = table[name]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        try:
            compared: pd.Series = _SIGNS[sign](column, float(value))
        except ValueError:
            raise ValueError(
                f"--where {condition!r}: {name} has numbers, and {value!r} is none; a second "
                "condition is an argument of its own"
            ) from None
    elif sign in ("=", "!="):
        compared = _SIGNS[sign](column.astype(str).str.lower(), value.lower())
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
        text = format(value, "g") if isinstance(value, float) else str(value)
        yield f"{by} = {' '.join(text.splitlines())}", rows


def _count(top: str, of: int) -> int:
    """So many of the best as are asked for: "20", or "10%"."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", top.strip())
    if number is None or float(number[1]) == 0 or (number[2] and float(number[1]) > 100):
        raise ValueError(f"--top {top!r} is no number of trials and no percentage, such as 10%")
    return int(np.ceil(float(number[1]) * of / 100)) if number[2] else int(float(number[1]))
