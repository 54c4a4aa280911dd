"""Shapley importance: HyperSHAP's games (Wever et al. 2026) on a random forest, exactly.

A coalition S of hyperparameters takes its values from a configuration, the others keep the default.
With f the forest, and the definitions of the authors' package (`hypershap` 0.0.6):

- ablation: v(S) = f(configuration on S, default elsewhere) - f(default).
- tunability: v(S) = the maximum of f(sample on S, default elsewhere) over samples - f(default).
- sensitivity: v(S) = the variance of f(sample on S, default elsewhere) over samples.

A hyperparameter's importance is its Shapley value. A pair's is its Shapley interaction index
(Grabisch and Roubens 1999): the pairs of both "SII" and "k-SII" of order 2 in the package, whose
default is another index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils import check_consistent_length

from hia.inputs import Floats, check_count, read_target, span_of
from hia.ranking.coalitions import game_values, shapley_interactions, shapley_values
from hia.ranking.columns import read
from hia.space import Hyperparameter


@dataclass(frozen=True)
class Explanation:
    """What a game says, in units of y (sensitivity: squared).

    table: index `hyperparameter`, columns `value`, `low`, `high`. pairs: columns `first`, `second`,
    `value`, `low`, `high`, the largest sizes first. total: v of all hyperparameters, the sum of the
    table's values. default: the values used; typical: the names of those that are the trials' own.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    total: float
    default: dict[str, Any]
    typical: list[str]


def explain(
    game: str,
    X: pd.DataFrame,
    y: ArrayLike,
    hyperparameters: Sequence[Hyperparameter],
    default: Mapping[str, Any] | None = None,
    configuration: Mapping[str, Any] | None = None,
    *,
    maximize: bool = True,
    n_trees: int = 100,
    n_samples: int = 1000,
    n_bootstrap: int = 100,
    level: float = 0.95,
    random_state: int = 0,
) -> Explanation:
    """Play a game, one of `coalitions.GAMES`, on a forest of full trees fitted to trials.

    X: one row per trial, no value missing. y: (n,). default: values by name; without one it is the
    hyperparameter's own (Table 1's) where it can have that value, else the lower median or the most
    frequent category of X. configuration: for ablation, all values by name. maximize: whether large
    y are good; if not, gains are decreases. n_samples: random configurations, uniform over the
    space, with the categories that occur in X or are given. n_bootstrap: resamples of the trees (0:
    none) for intervals of this level around the value, which tell the forest's randomness alone.

    Raises ValueError for a wrong option, a column or value that is missing, a value that its
    hyperparameter cannot have, constant y, and more than 16 hyperparameters.
    """
    if (game == "ablation") != (configuration is not None):
        raise ValueError("ablation needs a configuration, and no other game takes one")
    check_count("n_trees", n_trees)
    check_count("n_samples", n_samples)
    table, target = _read_all(X, hyperparameters), read_target(y)
    check_consistent_length(table, target)
    unit = span_of(target, "y", "nothing can explain it")  # forests take tiny variances for 0
    target = (1.0 if maximize else -1.0) * (target - target.min()) / unit
    given = {} if default is None else dict(default)
    columns = []
    for column in hyperparameters:
        also = [
            values[column.name] for values in (given, configuration or {}) if column.name in values
        ]
        columns.append(_prepare(column, table[column.name], target, also))
    names = [column.name for column in columns]

    if unknown := sorted({*given, *(configuration or given)} - {*names}):
        raise ValueError(f"{unknown[0]!r} is none of the hyperparameters {', '.join(names)}")
    usual = {column.name: _typical(column, table[column.name]) for column in columns}
    own = {column.name: column.default for column in columns if _can_be_default(column)}
    default = {**usual, **own, **given}
    rng = np.random.default_rng(random_state)
    if configuration is None:
        draws = {column.name: [column.sample(rng) for _ in range(n_samples)] for column in columns}
        samples = pd.DataFrame(draws)
    else:
        samples = _read_all(pd.DataFrame([configuration]), columns)

    codes = _codes(table, columns)
    rows = np.lexsort([target, *codes.T])  # no result depends on the order of the rows
    forest = RandomForestRegressor(n_trees, random_state=random_state)
    forest.fit(codes[rows], target[rows])
    resamples = rng.multinomial(n_trees, np.full(n_trees, 1 / n_trees), n_bootstrap)
    weights = np.vstack([np.ones(n_trees), resamples]) / n_trees
    start = _codes(_read_all(pd.DataFrame([default]), columns), columns)[0]
    values = game_values(game, forest, _codes(samples, columns), start, weights)
    values *= unit**2 if game == "sensitivity" else unit
    singles = _with_limits(shapley_values(values), level)
    pairs = pd.DataFrame(list(combinations(names, 2)), columns=["first", "second"])
    pairs = pairs.join(_with_limits(shapley_interactions(values), level))
    return Explanation(
        singles.set_axis(pd.Index(names, name="hyperparameter")),
        pairs.sort_values("value", key=abs, ascending=False, kind="stable", ignore_index=True),
        float(values[0, -1]),
        default,
        [name for name in names if name not in own and name not in given],
    )


def _read_all(table: pd.DataFrame, columns: Sequence[Hyperparameter]) -> pd.DataFrame:
    values = read(table, columns)
    if values.isna().any(axis=None):
        raise ValueError(f"column {values.columns[values.isna().any()][0]!r} has missing values")
    return values


def _prepare(
    column: Hyperparameter, values: pd.Series, target: Floats, also: Sequence[Any]
) -> Hyperparameter:
    """As it is drawn and coded: categories that occur, or are given `also`, by their mean target,
    and integers on a logarithm as fractions, both as in `hia.ranking.fanova`."""
    if column.kind != "categorical":
        return replace(column, kind="float") if column.log else column
    means = pd.Series(target).groupby(values.to_numpy()).mean().to_dict()
    means |= {
        c: float(target.mean()) for c in also if c in (column.choices or ()) and c not in means
    }
    order = sorted(means, key=lambda choice: (means[choice], str(choice)))
    return replace(column, choices=tuple(order))


def _typical(column: Hyperparameter, values: pd.Series) -> Any:
    if column.kind == "categorical":
        counts = values.value_counts().to_dict()
        return max(counts, key=lambda choice: (counts[choice], str(choice)))
    return values.quantile(interpolation="lower")


def _can_be_default(column: Hyperparameter) -> bool:
    try:
        column.check(column.default)
    except ValueError:
        return False
    return True


def _codes(table: pd.DataFrame, columns: Sequence[Hyperparameter]) -> Floats:
    """(n, K): positions of categories, and numbers or their logarithms in [0, 1]."""
    codes = []
    for column in columns:
        values = table[column.name]
        if column.kind == "categorical":
            places = {choice: place for place, choice in enumerate(column.choices or ())}
            codes.append(values.map(places).to_numpy())
        else:
            numbers = np.array([*column.bounds, *values])
            low, high, *rest = np.log(numbers) if column.log else numbers
            codes.append((np.array(rest) - low) / (high - low or 1.0))
    return np.column_stack(codes).astype(np.float64)


def _with_limits(effects: Floats, level: float) -> pd.DataFrame:
    """effects: (1 + resamples, m), the first of all trees. The limits are percentiles, moved so
    that the median of the resamples is the value: a maximum or a variance is larger in them."""
    value, resamples = effects[0], effects[1:]
    low = high = np.full(len(value), np.nan)
    if len(resamples):
        limits = [(1 - level) / 2, 0.5, (1 + level) / 2]
        lower, middle, upper = np.quantile(resamples, limits, axis=0)
        low, high = value + lower - middle, value + upper - middle
    return pd.DataFrame({"value": value, "low": low, "high": high})
