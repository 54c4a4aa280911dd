"""Importance methods behind one interface: a table of trials in, a `Ranking` out.

`rank` does the same for all of `METHODS`. The order of rows and columns changes no result. A
missing value is one of other trials, drawn at random: a default would tell which trials lack it.
Trials of one configuration, with several seeds, are drawn, permuted and put into folds together.
Intervals are for what the method gives on other tables of so many trials, not for a truth: the
percentiles over configurations drawn with replacement, moved so that their median is what all give.
On known surfaces 95% intervals of N-RReliefF (see `NRReliefF.bootstrap`) hold 93 to 99 in 100,
those of fANOVA from 20 resamples 95 to 98; but of the surface's own shares only 36 to 89.
"""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from hia.certainty import bar
from hia.inputs import Floats, number_configurations
from hia.ranking import measures
from hia.ranking.columns import describe, read, read_target, with_blanks
from hia.ranking.measures import Method, Trials
from hia.relief import shares
from hia.space import Hyperparameter

METHODS = measures.METHODS
MISSING = ("draw", "drop", "level")
# Values of hyperparameters that are used at most, but of not fewer trials.
_CELLS, _TRIALS = 5_000_000, 1_000
# Fewer trials than this say nothing about anything.
MIN_TRIALS = 10
# Hyperparameters whose pairs are assessed, at most.
_PAIRED = 30
# Chance is what happens to so many tables in which nothing matters, and so many permutations tell.
_CHANCE, _PERMUTATIONS = 0.05, 19
CHANCE = "nothing is distinguishable from chance"
# Trees of the forest whose out-of-bag R² is told, and trials it sees at most.
_TREES, _SEEN = 50, 2_000
# Resamples that are measured one by one: as many as have so many rows in all, and not fewer.
_ROWS, _RESAMPLES = 100_000, 20


@dataclass(frozen=True)
class Ranking:
    """What a method says about the hyperparameters of a table.

    table: one row per hyperparameter, in the order of the columns given; index `hyperparameter`;
    columns `score` (raw, see `Method.score`), `share` (score, if above 0, of the sum of these),
    `rank` (1 is the largest score; equal scores have the same rank; columns with one value only
    come last), the limits of their intervals `score_low`, `score_high`, `share_low`, `share_high`,
    `rank_low`, `rank_high` (NaN without resamples), `p_value`, `p_adjusted` (see
    `NRReliefF.permutation_test`; NaN if there is none) and `note`. level: of the intervals.
    n_bootstrap: resamples they are from. n_rows: trials used. seconds: for the scores,
    bootstrap_seconds: for the intervals. notes: what was done to the table, first where nothing is
    distinguishable from chance: no adjusted p-value is at most .05, or r2 is not above 0. r2:
    out-of-bag R² of a forest, for methods that need one, else NaN.
    """

    method: str
    target: str
    table: pd.DataFrame
    level: float
    n_bootstrap: int
    n_rows: int
    seconds: float
    bootstrap_seconds: float
    notes: tuple[str, ...]
    r2: float = np.nan


def rank(
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Hyperparameter | str] | None = None,
    method: str = "nrrelieff",
    *,
    n_bootstrap: int = 100,
    n_permutations: int = 0,
    level: float = 0.95,
    random_state: int = 0,
    maximize: bool = True,
    missing: str = "draw",
    max_rows: int | None = None,
    progress: bool = False,
    **options: Any,
) -> Ranking:
    """How much each hyperparameter matters for the target, by one method.

    table: one row per trial. target: the column to explain, numbers; rows without one are left out.
    columns: the hyperparameters, as `Hyperparameter` or as names, which are then inferred from the
    table; None infers which they are (`hia.ranking.columns.infer`). method: a key of `METHODS`.
    n_bootstrap: resamples of the intervals; slow methods take fewer. n_permutations: for p-values,
    where the method has them. level: of the intervals, between 0 and 1. maximize: whether large
    values of the target are good, which PED-ANOVA, tunability and ablation ask. missing: "draw" a
    value for hyperparameters that a trial does not have, "drop" the trial, or take the blank for a
    choice, a "level" (`hia.ranking.columns.with_blanks`). max_rows: instead of the method's own.
    progress: tell on standard error how long resamples and permutations still take. options: of the
    method; without n_neighbors, N-RReliefF takes as many as suit the number of trials.

    Raises ValueError for a table or columns that do not fit each other, a wrong option, too few
    trials, a target that is the same in all of them, and what the method cannot do.
    """
    for option, value in (("n_bootstrap", n_bootstrap), ("n_permutations", n_permutations)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(f"{option}={value!r} is not a whole number of at least 0")
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is not between 0 and 1")
    notes: list[str] = []
    given = (table, target, columns, missing, random_state, maximize, options)
    chosen, names, varying = _prepare(method, *given, notes, max_rows)
    if chosen.asks_direction:
        notes.append(f"what is good: a {'large' if maximize else 'small'} {target}")

    started = time.perf_counter()
    with _noted(notes):
        varying, options, scores = chosen.settle(varying, random_state, options)
        if scores is None:
            scores = chosen.measure(varying, random_state, **options)
    measured = time.perf_counter()
    count = min(n_bootstrap, chosen.max_bootstrap or n_bootstrap)
    if chosen.resample is None:
        count = min(count, max(_RESAMPLES, _ROWS // len(varying.y)))
    with _noted([]):  # what the method warns of is a note already
        resamples = _resample(chosen, varying, random_state, count, options, progress)
    resampled = time.perf_counter()
    weighed = _tabulate(chosen, list(varying.columns), scores, resamples, level)
    if n_permutations and chosen.p_values is not None:
        with _noted([]):
            p_values = chosen.p_values(varying, random_state, n_permutations, progress, **options)
        weighed[["p_value", "p_adjusted"]] = p_values[["p_value", "p_adjusted"]].to_numpy()
    r2 = _explain(varying, random_state) if chosen.has_forest else np.nan
    if n_permutations >= _PERMUTATIONS and (weighed["p_adjusted"] > _CHANCE).all():
        least = weighed["p_adjusted"].min()
        notes.insert(0, f"{CHANCE}: the smallest p, adjusted for their number, is {least:.2g}")
    elif r2 <= 0:
        why = (
            f"the out-of-bag R² of a forest is {r2:.2f}, not above 0, and the ranking means nothing"
        )
        notes.insert(0, f"{CHANCE}: {why}")
    elif r2 > 0:
        notes.append(f"the out-of-bag R² of a forest is {r2:.2f}")
    constant = [name for name in names if name not in weighed.index]
    last = len(weighed) + 1
    weighed = weighed.reindex(pd.Index(names, name="hyperparameter"))
    weighed.loc[constant, ["score", "share", "rank", "note"]] = 0.0, 0.0, last, "one value only"
    return Ranking(
        method=method,
        target=target,
        table=weighed.astype({"rank": int}),
        level=level,
        n_bootstrap=count,
        n_rows=len(varying.y),
        seconds=measured - started,
        bootstrap_seconds=resampled - measured,
        notes=tuple(notes),
        r2=r2,
    )


def _explain(trials: Trials, seed: int) -> float:
    """Out-of-bag R² of a forest, by configurations: of each, the first trial has their mean."""
    trials = trials.take(np.random.default_rng(seed).permutation(len(trials.y))[:_SEEN])
    _, first, of = np.unique(trials.configuration, return_index=True, return_inverse=True)
    means = np.bincount(of, trials.y) / np.bincount(of)
    X, y = measures.for_forest(replace(trials, y=means[of]).take(np.sort(first)))
    if np.ptp(y) == 0:  # by chance: of all trials it is not
        return 0.0
    forest = RandomForestRegressor(_TREES, random_state=seed % 2**32, oob_score=True)
    return float(forest.fit(X, y).oob_score_)


def pairs(
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Hyperparameter | str] | None = None,
    method: str = "fanova",
    *,
    random_state: int = 0,
    maximize: bool = True,
    missing: str = "draw",
    **options: Any,
) -> pd.DataFrame:
    """What pairs of hyperparameters do for the target together, by one method.

    The arguments are those of `rank`. Returns a row for each pair of hyperparameters that have
    several values, the largest sizes first: `first`, `second` and `weight`, which is by fanova the
    share of the variance beyond both alone, by nrrelieff Eq. 11, by the games of
    `hia.ranking.shapley` the Shapley interaction. Raises ValueError as `rank`, for a method that
    knows no pairs, and for fewer than 2 or more than 30 such hyperparameters.
    """
    if method in METHODS and METHODS[method].pairs is None:
        able = ", ".join(name for name, one in METHODS.items() if one.pairs is not None)
        raise ValueError(f"{method} knows no pairs; {able} do")
    given = (table, target, columns, missing, random_state, maximize, options)
    chosen, _, varying = _prepare(method, *given, [])
    assert chosen.pairs is not None
    if not 2 <= len(varying.columns) <= _PAIRED:
        several = "hyperparameters with several values"
        raise ValueError(f"pairs are of 2 to {_PAIRED} {several}, not of {len(varying.columns):,}")
    with _noted([]):
        varying, options, _ = chosen.settle(varying, random_state, options)
        return chosen.pairs(varying, random_state, **options)


def _prepare(
    name_of_method: str,
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Hyperparameter | str] | None,
    missing: str,
    random_state: int,
    maximize: bool,
    options: dict[str, Any],
    notes: list[str],
    max_rows: int | None = None,
) -> tuple[Method, list[str], Trials]:
    """The method, the names of the hyperparameters, and the trials that are used with those that
    vary, in an order of their own."""
    if name_of_method not in METHODS:
        raise ValueError(f"there is no method {name_of_method!r}; there are {', '.join(METHODS)}")
    method = METHODS[name_of_method]
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"table is a {type(table).__name__}, not a DataFrame")
    if missing not in MISSING:
        raise ValueError(f"missing={missing!r} is not one of {', '.join(MISSING)}")
    described = describe(table, target, columns).columns
    if missing == "level":
        table, described = with_blanks(table, described)
    names = [column.name for column in described]
    for given in measures.GIVEN:  # columns with one value only are among them
        if unknown := [name for name in options.get(given) or () if name not in names]:
            raise ValueError(f"{unknown[0]!r} is none of the hyperparameters {', '.join(names)}")
    by_name = {column.name: column for column in sorted(described, key=lambda column: column.name)}
    y = read_target(table, target)
    usable = np.isfinite(y)
    if not usable.all():
        notes.append(f"{np.count_nonzero(~usable):,} trials without {target} are left out")
    # Others may have values beyond what was inferred without them.
    X, y = read(table[usable], described)[sorted(names)], y[usable]
    if missing == "drop" and X.isna().any(axis=None):
        complete = X.notna().all(axis=1).to_numpy()
        notes.append(f"{(~complete).sum():,} trials that miss a hyperparameter are left out")
        X, y = X[complete], y[complete]
    X = X.reset_index(drop=True)
    if len(y) < MIN_TRIALS:
        raise ValueError(
            f"{len(y)} trials with {target} are too few; at least {MIN_TRIALS} are needed"
        )
    if (y == y[0]).all():
        raise ValueError(f"{target} is {y[0]:g} in all trials: nothing can explain it")
    for name, column in by_name.items():
        if column.kind == "categorical":  # as positions in the choices
            codes = {choice: float(code) for code, choice in enumerate(column.choices or ())}
            X[name] = X[name].map(codes).astype("float64")
    order = np.lexsort([*X.fillna(-np.inf).to_numpy().T, y])
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    configuration = number_configurations([X[name].to_numpy() for name in X])
    if repeats := len(y) - 1 - configuration.max():
        X = X.iloc[np.unique(configuration, return_index=True)[1][configuration]]  # to the last bit
        X = X.reset_index(drop=True)
        notes.append(
            f"{repeats:,} of {len(y):,} trials repeat a configuration: what is resampled and "
            "permuted are configurations"
        )
    random = np.random.default_rng(random_state)
    for name in X.columns[X.isna().any()]:  # a configuration gets one of the column's own values
        absent = X[name].isna()
        if absent.all():
            raise ValueError(f"column {name!r} has no value in any trial that is used")
        draws = random.choice(X[name][~absent].to_numpy(), 1 + configuration.max())
        X[name] = X[name].where(~absent, draws[configuration])
        part = f"{absent.mean():.0%} of the trials"
        notes.append(f"{name} is missing in {part}: drawn at random there")
    trials = Trials(X, y, by_name, configuration, maximize)
    limit = max_rows or min(method.max_rows, max(_TRIALS, _CELLS // len(names)))
    if limit < len(y):
        notes.append(f"{limit:,} of {len(y):,} trials, drawn at random")
        rows = np.random.default_rng(random_state).choice(len(y), limit, replace=False)
        trials = trials.take(np.sort(rows))
    trials = trials.varying()
    if not trials.columns:
        raise ValueError(f"all of {', '.join(names)} have one value only: there is nothing to rank")
    return method, names, trials


@contextmanager
def _noted(notes: list[str]) -> Iterator[None]:
    """Adds what is warned of to the notes, once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    notes += dict.fromkeys(str(warning.message) for warning in caught)


def _resample(
    method: Method, trials: Trials, seed: int, count: int, options: dict[str, Any], progress: bool
) -> Floats:
    """Scores of resampled configurations, (count, K)."""
    if method.resample is not None and count:
        return method.resample(trials, seed, count, progress, **options)
    random = np.random.default_rng(seed)
    position = {name: k for k, name in enumerate(trials.columns)}
    counts = np.unique(trials.configuration, return_counts=True)[1]
    members = np.split(np.argsort(trials.configuration, kind="stable"), np.cumsum(counts)[:-1])
    n = len(members)
    resamples = np.zeros((count, len(position)))
    for scores in bar(f"{method.label}: resamples", progress, resamples):
        chosen = np.sort(random.integers(n, size=n))
        drawn = trials.take(np.concatenate([members[one] for one in chosen])).varying()
        its_seed = int(random.integers(2**31))
        if drawn.columns and np.ptp(drawn.y) > 0:
            where = [position[name] for name in drawn.columns]
            scores[where] = method.measure(drawn, its_seed, **options)
    return resamples


def _tabulate(
    method: Method, names: list[str], scores: Floats, resamples: Floats, level: float
) -> pd.DataFrame:
    """Scores (K,), shares and ranks, with intervals from those of resamples (count, K)."""
    table = pd.DataFrame(index=pd.Index(names, name="hyperparameter"))
    if len(resamples):
        # Below 0 only what is below 0 in some resample.
        least = np.minimum(np.minimum(resamples.min(axis=0), scores), 0.0)
        moved = resamples + scores - np.median(resamples, axis=0)
        moved = np.clip(moved, least, method.most)
        sets = [moved] if method.resample else [moved, resamples]
    limits = [(1 - level) / 2, (1 + level) / 2]
    for what, of in (("score", np.asarray), ("share", shares), ("rank", _ranks)):
        table[what] = value = of(scores)
        low = high = np.full(len(names), np.nan)
        if len(resamples):
            scaled = np.array([of(one) for one in sets])
            low, high = np.quantile(scaled, limits, axis=1, method="inverted_cdf")
            low, high = np.minimum(low.min(axis=0), value), np.maximum(high.max(axis=0), value)
        table[f"{what}_low"], table[f"{what}_high"] = low, high
    return table.assign(p_value=np.nan, p_adjusted=np.nan, note="")


def _ranks(scores: Floats) -> Floats:
    """(..., K): 1 + how many scores are larger."""
    return np.asarray(1.0 + (scores[..., None, :] > scores[..., :, None]).sum(axis=-1))
