"""Importance methods behind one interface: a table of trials in, a `Ranking` out.

`METHODS` has the two methods of the paper, N-RReliefF and functional ANOVA, and those that they are
compared with: forward selection, PED-ANOVA, and the forests of Optuna and of the `fanova` package.
`rank` does the same for all of them:

- Rows without a value of the target are left out. Rows and columns are put in an order of their
  own, so that no result depends on the order they come in.
- A hyperparameter that a trial does not have (a missing value) cannot have had an effect there. It
  gets a value of other trials, drawn at random: so the trials fill the product space that all the
  methods suppose, with a function that does not depend on it in these places. (A default value
  would tell the methods which trials do not have it, and thereby what that depends on.)
- Numbers on a logarithmic scale are given to the methods as logarithms, or with that measure.
- A column with one value only has importance 0; no method is asked.
- Slow methods get a random part of the rows, of a stated size.
- Intervals are percentiles of the method on rows drawn with replacement, as many as there are,
  moved so that their median is what all rows give. Of N-RReliefF, for which copies of a row are not
  rows like others, see `NRReliefF.bootstrap`; in forward selection, copies are in the same fold.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hia.ranking import columns as describe
from hia.ranking import fanova_package, measures
from hia.ranking.columns import Column, ColumnError
from hia.ranking.measures import Floats, Measure, Trials

MISSING = ("draw", "drop")
# Fewer trials than this say nothing about anything.
MIN_TRIALS = 10


@dataclass(frozen=True)
class Method:
    """An importance method.

    label: its name for people. score: what its raw scores are. source: where it is from. measure,
    resample, p_values: see `hia.ranking.measures`; without `resample`, resamples are measured one
    by one.
    max_rows: used at most, drawn at random. max_bootstrap: resamples, at most. available: whether
    what it needs is installed.
    """

    label: str
    score: str
    source: str
    measure: Measure
    resample: Measure | None = None
    p_values: Measure | None = None
    max_rows: int | None = None
    max_bootstrap: int | None = None
    available: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Ranking:
    """What a method says about the hyperparameters of a table.

    table: one row per hyperparameter, in the order of the columns given; index `hyperparameter`;
    columns `score` (raw, see `Method.score`), `share` (score, if above 0, of the sum of these),
    `rank` (1 is the largest score; equal scores have the same rank; columns with one value only
    come after all others), the limits of their intervals `score_low`, `score_high`, `share_low`,
    `share_high`, `rank_low`, `rank_high` (NaN without resamples), `p_value` (NaN if there is none)
    and `note`.
    level: of the intervals. n_bootstrap: resamples they are from. n_rows: trials used. seconds: for
    the scores; bootstrap_seconds: for the intervals. notes: what was done to the table.
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


def rank(
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Column | str] | None = None,
    method: str = "nrrelieff",
    *,
    n_bootstrap: int = 100,
    n_permutations: int = 0,
    level: float = 0.95,
    random_state: int = 0,
    maximize: bool = True,
    missing: str = "draw",
    max_rows: int | None = None,
    **options: Any,
) -> Ranking:
    """How much each hyperparameter matters for the target, by one method.

    table: one row per trial. target: the column to explain, numbers. columns: the hyperparameters,
    as `Column` or as names, which are then inferred from the table; None infers which they are
    (`hia.ranking.columns.infer`). method: a key of `METHODS`.
    n_bootstrap: resamples of the intervals, 0 for none, at most the method's `max_bootstrap`.
    n_permutations: for p-values, where the method has them (`NRReliefF.permutation_test`).
    level: of the percentile intervals, between 0 and 1. maximize: whether large values of the
    target are good, which only PED-ANOVA asks. missing: "draw" a value for hyperparameters that a
    trial does not have (see the head of this module), or "drop" the trial. max_rows: instead of the
    method's own. options: of the method.

    Raises ColumnError for a table or columns that do not fit each other; ValueError for a wrong
    option, too few trials, a target that is the same in all of them, and what the method cannot do.
    """
    chosen = _method(method)
    _check_options(n_bootstrap, n_permutations, level, missing)
    described = _describe(table, target, columns)
    notes: list[str] = []
    trials = _read(table, target, described, missing, random_state, maximize, notes)
    limit = chosen.max_rows if max_rows is None else max_rows
    trials = _at_most(trials, limit, random_state, notes)
    names = [column.name for column in described]
    varying = trials.varying()
    if not varying.columns:
        raise ValueError(f"all of {', '.join(names)} have one value only: there is nothing to rank")

    started = time.perf_counter()
    scores = _measure(chosen, varying, random_state, options, notes)
    measured = time.perf_counter()
    count = min(n_bootstrap, chosen.max_bootstrap or n_bootstrap)
    resamples = _resample(chosen, varying, random_state, count, options)
    resampled = time.perf_counter()
    p_values = np.full(len(scores), np.nan)
    if n_permutations and chosen.p_values is not None:
        p_values = chosen.p_values(varying, random_state, n_permutations, **options)

    found = _tabulate(list(varying.columns), scores, resamples, level).assign(p_value=p_values)
    return Ranking(
        method=method,
        target=target,
        table=_with_constant(found, names),
        level=level,
        n_bootstrap=count,
        n_rows=len(trials.y),
        seconds=measured - started,
        bootstrap_seconds=resampled - measured,
        notes=tuple(notes),
    )


def _method(name: str) -> Method:
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]


def _check_options(n_bootstrap: int, n_permutations: int, level: float, missing: str) -> None:
    for option, value in (("n_bootstrap", n_bootstrap), ("n_permutations", n_permutations)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(f"{option}={value!r} is not a whole number of at least 0")
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is not between 0 and 1")
    if missing not in MISSING:
        raise ValueError(f"missing={missing!r} is not one of {', '.join(MISSING)}")


def _describe(
    table: pd.DataFrame, target: str, columns: Sequence[Column | str] | None
) -> list[Column]:
    """The hyperparameters; those given as names are inferred."""
    if columns is None:
        return describe.infer(table, target).columns
    if isinstance(columns, str):
        raise ValueError(f"columns={columns!r} is not a list; [{columns!r}] is")
    described = []
    for column in columns:
        name = column.name if isinstance(column, Column) else column
        if name == target:
            raise ColumnError(f"{target!r} is the target and a hyperparameter")
        described.append(column if isinstance(column, Column) else describe.infer_one(table, name))
    return described


def _read(
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Column],
    missing: str,
    random_state: int,
    maximize: bool,
    notes: list[str],
) -> Trials:
    """The trials that count, in an order of their own."""
    if not columns:
        raise ColumnError("there is no hyperparameter to rank")
    X = describe.read(table, sorted(columns, key=lambda column: column.name))
    y = describe.read_target(table, target)
    usable = np.isfinite(y)
    if not usable.all():
        notes.append(f"{np.count_nonzero(~usable):,} trials without {target} are left out")
    if missing == "drop":
        complete = X.notna().all(axis=1).to_numpy()
        if not complete[usable].all():
            dropped = np.count_nonzero(usable & ~complete)
            notes.append(f"{dropped:,} trials that miss a hyperparameter are left out")
        usable &= complete
    X, y = X[usable].reset_index(drop=True), y[usable]
    if len(y) < MIN_TRIALS:
        raise ValueError(
            f"{len(y)} trials with {target} are too few; at least {MIN_TRIALS} are needed"
        )
    if (y == y[0]).all():
        raise ValueError(f"{target} is {y[0]:g} in all trials: nothing can explain it")
    by_name = {column.name: column for column in sorted(columns, key=lambda column: column.name)}
    for name, column in by_name.items():
        if column.kind == "categorical":
            X[name] = _codes(X[name], column)
    order = np.lexsort([*(X[name].fillna(-np.inf) for name in by_name), y])
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    return Trials(_drawn(X, random_state, notes), y, by_name, np.arange(len(y)), maximize)


def _codes(values: pd.Series, column: Column) -> pd.Series:
    """float64: position in the choices, NaN where missing."""
    codes = {choice: float(code) for code, choice in enumerate(column.choices or ())}
    return values.map(codes).astype("float64")


def _drawn(X: pd.DataFrame, random_state: int, notes: list[str]) -> pd.DataFrame:
    """X with random ones of a column's own values where it has none."""
    random = np.random.default_rng(random_state)
    filled = {}
    for name, values in X.items():
        absent = values.isna()
        if absent.all():
            raise ColumnError(f"column {name!r} has no value in any trial that is used")
        filled[name] = values
        if absent.any():
            draws = random.choice(values[~absent].to_numpy(), len(values))
            filled[name] = values.where(~absent, draws)
            notes.append(
                f"{name} is missing in {absent.mean():.0%} of the trials, where it can have no "
                "effect: drawn at random there"
            )
    return pd.DataFrame(filled)


def _at_most(trials: Trials, limit: int | None, random_state: int, notes: list[str]) -> Trials:
    n = len(trials.y)
    if limit is None or n <= limit:
        return trials
    chosen = np.random.default_rng(random_state).choice(n, limit, replace=False)
    notes.append(f"{limit:,} of {n:,} trials, drawn at random")
    return trials.take(np.sort(chosen))


def _measure(
    method: Method, trials: Trials, seed: int, options: dict[str, Any], notes: list[str]
) -> Floats:
    """The scores (K,). What the method warns of becomes a note."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = method.measure(trials, seed, **options)
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    return scores


def _resample(
    method: Method, trials: Trials, random_state: int, count: int, options: dict[str, Any]
) -> Floats:
    """Scores of resampled rows, (count, K)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the method warns of is a note already
        if method.resample is not None and count:
            return method.resample(trials, random_state, count, **options)
        random = np.random.default_rng(random_state)
        n, position = len(trials.y), {name: k for k, name in enumerate(trials.columns)}
        resamples = np.zeros((count, len(position)))
        for scores in resamples:
            drawn = trials.take(np.sort(random.integers(n, size=n))).varying()
            seed = int(random.integers(2**31))
            if drawn.columns and np.ptp(drawn.y) > 0:
                where = [position[name] for name in drawn.columns]
                scores[where] = method.measure(drawn, seed, **options)
        return resamples


def _tabulate(names: list[str], scores: Floats, resamples: Floats, level: float) -> pd.DataFrame:
    """Scores (K,), shares and ranks, with intervals from those of resamples (count, K)."""
    found = pd.DataFrame(index=pd.Index(names, name="hyperparameter"))
    for what, of in (("score", np.asarray), ("share", _shares), ("rank", _ranks)):
        found[what] = of(scores)
        low = high = np.full(len(names), np.nan)
        if len(resamples):
            low, high = _limits(of(resamples), level)
            if what != "rank":
                low, high = _centred(low, high, of(scores), of(resamples))
        found[f"{what}_low"], found[f"{what}_high"] = low, high
    return found


def _limits(resamples: Floats, level: float) -> Floats:
    """(2, K): the percentiles between which this part of (count, K) resamples lies."""
    limits = [(1 - level) / 2, (1 + level) / 2]
    return np.asarray(np.quantile(resamples, limits, axis=0, method="inverted_cdf"))


def _centred(low: Floats, high: Floats, found: Floats, resamples: Floats) -> tuple[Floats, Floats]:
    """The limits with the median of the resamples moved to what was found, not below 0 where
    nothing is below 0.

    Resamples have fewer different rows than the table, from which a forest finds less of a small
    effect, and more noise.
    """
    shift = found - np.median(resamples, axis=0)
    least = np.minimum(np.minimum(resamples.min(axis=0), found), 0.0)
    return np.maximum(low + shift, least), high + shift


def _with_constant(found: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """With columns that have one value only, in the order of the names."""
    constant = [name for name in names if name not in found.index]
    last = len(found) + 1
    found = found.assign(note="").reindex(pd.Index(names, name="hyperparameter"))
    found.loc[constant, ["score", "share", "rank", "note"]] = 0.0, 0.0, last, "one value only"
    return found.astype({"rank": int})


def _shares(scores: Floats) -> Floats:
    """(..., K): max(score, 0) in parts of their sum; 0 where none is above 0."""
    positive = np.maximum(scores, 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(positive, total, out=np.zeros_like(positive), where=total > 0))


def _ranks(scores: Floats) -> Floats:
    """(..., K): 1 + how many scores are larger."""
    return np.asarray(1.0 + (scores[..., None, :] > scores[..., :, None]).sum(axis=-1))


METHODS: dict[str, Method] = {
    "nrrelieff": Method(
        "N-RReliefF",
        "W of Eq. 10; the target divided by its range if it is not within 0 and 1",
        "Wang et al. 2024; Sun et al. 2019; Robnik-Šikonja and Kononenko 2003",
        measures.nrrelieff,
        measures.resample_nrrelieff,
        measures.p_values_nrrelieff,
    ),
    "fanova": Method(
        "fANOVA",
        "share of the variance of a forest that the hyperparameter explains alone",
        "Hutter, Hoos and Leyton-Brown 2014",
        measures.fanova,
    ),
    "ped_anova": Method(
        "PED-ANOVA (Optuna)",
        "Pearson divergence of the best tenth of the trials from all, times 0.01",
        "Watanabe, Bansal and Hutter 2023",
        measures.ped_anova,
        measures.resample_ped_anova,
    ),
    "forward_selection": Method(
        "forward selection",
        "gain of cross-validated R² when a greedy selection takes the hyperparameter",
        "Hutter, Hoos and Leyton-Brown 2013",
        measures.forward_selection,
        max_rows=1000,
        max_bootstrap=20,
    ),
    "impurity": Method(
        "decrease of impurity (Optuna)",
        "share of the decrease of squared error by the cuts of a forest",
        "Breiman 2001; Louppe et al. 2013",
        measures.impurity,
        measures.resample_impurity,
        max_bootstrap=20,
    ),
    "optuna_fanova": Method(
        "fANOVA (Optuna)",
        "as fanova, by another forest",
        "Hutter, Hoos and Leyton-Brown 2014",
        measures.optuna_fanova,
        measures.resample_optuna_fanova,
        max_rows=500,
        max_bootstrap=20,
    ),
    "fanova_package": Method(
        "fANOVA (fanova)",
        "as fanova, by the package of its authors",
        "Hutter, Hoos and Leyton-Brown 2014",
        measures.package,
        max_rows=3000,
        max_bootstrap=20,
        available=fanova_package.available,
    ),
}
