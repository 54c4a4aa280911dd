"""Importance methods behind one interface: a table of trials in, a `Ranking` out.

`rank` does the same for all of `METHODS`:

- Rows without a value of the target are left out. Rows and columns are put in an order of their
  own, so that no result depends on the order they come in.
- A hyperparameter that a trial does not have (a missing value) cannot have had an effect there. It
  gets a value of other trials, drawn at random: so the trials fill the product space that all the
  methods suppose. (A default value would tell them which trials do not have it.)
- A column with one value only has importance 0; no method is asked.
- Slow methods get a random part of the rows, of a stated size.
- Intervals are percentiles of the method on rows drawn with replacement, as many as there are,
  moved so that their median is what all rows give. Of N-RReliefF, for which copies of a row are not
  rows like others, see `NRReliefF.bootstrap`; in forward selection, copies are in the same fold.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from hia.inputs import Floats
from hia.ranking import measures
from hia.ranking.columns import describe, read, read_target
from hia.ranking.fanova import FAnova, measure_options
from hia.ranking.measures import Method, Trials
from hia.relief import shares
from hia.space import Hyperparameter

METHODS = measures.METHODS
MISSING = ("draw", "drop")
# Fewer trials than this say nothing about anything.
MIN_TRIALS = 10
# Hyperparameters whose pairs are assessed, at most.
_PAIRED = 30


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

    table: one row per trial. target: the column to explain, numbers. columns: the hyperparameters,
    as `Hyperparameter` or as names, which are then inferred from the table; None infers which they
    are (`hia.ranking.columns.infer`). method: a key of `METHODS`. n_bootstrap: resamples of the
    intervals, at most the method's `max_bootstrap`. n_permutations: for p-values, where the method
    has them. level: of the intervals, between 0 and 1. maximize: whether large values of the target
    are good, which only PED-ANOVA and tunability ask. missing: "draw" a value for hyperparameters
    that a trial does not have, or "drop" the trial. max_rows: instead of the method's own.
    progress: tell on standard error how long resamples still take. options: of the method.

    Raises ValueError for a table or columns that do not fit each other, a wrong option, too few
    trials, a target that is the same in all of them, and what the method cannot do.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    chosen = METHODS[method]
    _check_options(n_bootstrap, n_permutations, level, missing)
    described = describe(table, target, columns).columns
    notes: list[str] = []
    trials = _read(table, target, described, missing, random_state, maximize, notes)
    trials = _at_most(trials, max_rows or chosen.max_rows, random_state, notes)
    names = [column.name for column in described]
    varying = trials.varying()
    if not varying.columns:
        raise ValueError(f"all of {', '.join(names)} have one value only: there is nothing to rank")

    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = chosen.measure(varying, random_state, **options)
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    measured = time.perf_counter()
    count = min(n_bootstrap, chosen.max_bootstrap or n_bootstrap)
    resamples = _resample(chosen, varying, random_state, count, options, progress)
    resampled = time.perf_counter()
    p_values = np.full(len(scores), np.nan)
    if n_permutations and chosen.p_values is not None:
        p_values = chosen.p_values(varying, random_state, n_permutations, **options)

    weighed = _tabulate(list(varying.columns), scores, resamples, level).assign(p_value=p_values)
    return Ranking(
        method=method,
        target=target,
        table=_with_constant(weighed, names),
        level=level,
        n_bootstrap=count,
        n_rows=len(trials.y),
        seconds=measured - started,
        bootstrap_seconds=resampled - measured,
        notes=tuple(notes),
    )


def _check_options(n_bootstrap: int, n_permutations: int, level: float, missing: str) -> None:
    for option, value in (("n_bootstrap", n_bootstrap), ("n_permutations", n_permutations)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(f"{option}={value!r} is not a whole number of at least 0")
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is not between 0 and 1")
    if missing not in MISSING:
        raise ValueError(f"missing={missing!r} is not one of {', '.join(MISSING)}")


def _read(
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Hyperparameter],
    missing: str,
    random_state: int,
    maximize: bool,
    notes: list[str],
) -> Trials:
    """The trials that count, in an order of their own."""
    by_name = {column.name: column for column in sorted(columns, key=lambda column: column.name)}
    X = read(table, sorted(columns, key=lambda column: column.name))
    y = read_target(table, target)
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
    for name, column in by_name.items():
        if column.kind == "categorical":  # as positions in the choices
            codes = {choice: float(code) for code, choice in enumerate(column.choices or ())}
            X[name] = X[name].map(codes).astype("float64")
    order = np.lexsort([*X.fillna(-np.inf).to_numpy().T, y])
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    return Trials(_drawn(X, random_state, notes), y, by_name, np.arange(len(y)), maximize)


def _drawn(X: pd.DataFrame, random_state: int, notes: list[str]) -> pd.DataFrame:
    """X with random ones of a column's own values where it has none."""
    random = np.random.default_rng(random_state)
    filled = {}
    for name, values in X.items():
        absent = values.isna()
        if absent.all():
            raise ValueError(f"column {name!r} has no value in any trial that is used")
        if absent.any():
            draws = random.choice(values[~absent].to_numpy(), len(values))
            values = values.where(~absent, draws)
            notes.append(
                f"{name} is missing in {absent.mean():.0%} of the trials: drawn at random there"
            )
        filled[name] = values
    return pd.DataFrame(filled)


def _at_most(trials: Trials, limit: int | None, random_state: int, notes: list[str]) -> Trials:
    n = len(trials.y)
    if limit is None or n <= limit:
        return trials
    rows = np.random.default_rng(random_state).choice(n, limit, replace=False)
    notes.append(f"{limit:,} of {n:,} trials, drawn at random")
    return trials.take(np.sort(rows))


def _resample(
    method: Method,
    trials: Trials,
    random_state: int,
    count: int,
    options: dict[str, Any],
    progress: bool,
) -> Floats:
    """Scores of resampled rows, (count, K)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the method warns of is a note already
        if method.resample is not None and count:
            return method.resample(trials, random_state, count, **options)
        random = np.random.default_rng(random_state)
        n, position = len(trials.y), {name: k for k, name in enumerate(trials.columns)}
        resamples = np.zeros((count, len(position)))
        for scores in tqdm(
            resamples, f"{method.label}: resamples", disable=not progress, delay=2, leave=False
        ):
            drawn = trials.take(np.sort(random.integers(n, size=n))).varying()
            seed = int(random.integers(2**31))
            if drawn.columns and np.ptp(drawn.y) > 0:
                where = [position[name] for name in drawn.columns]
                scores[where] = method.measure(drawn, seed, **options)
        return resamples


def _tabulate(names: list[str], scores: Floats, resamples: Floats, level: float) -> pd.DataFrame:
    """Scores (K,), shares and ranks, with intervals from those of resamples (count, K)."""
    table = pd.DataFrame(index=pd.Index(names, name="hyperparameter"))
    for what, of in (("score", np.asarray), ("share", shares), ("rank", _ranks)):
        table[what] = of(scores)
        low = high = np.full(len(names), np.nan)
        if len(resamples):
            limits = [(1 - level) / 2, (1 + level) / 2]
            low, high = np.quantile(of(resamples), limits, axis=0, method="inverted_cdf")
            if what != "rank":
                low, high = _centred(low, high, of(scores), of(resamples))
        table[f"{what}_low"], table[f"{what}_high"] = low, high
    return table


def _centred(low: Floats, high: Floats, value: Floats, resamples: Floats) -> tuple[Floats, Floats]:
    """The limits with the median of the resamples moved to the value of all rows, not below 0 where
    nothing is below 0.

    Resamples have fewer different rows than the table, from which a forest finds less of a small
    effect, and more noise.
    """
    shift = value - np.median(resamples, axis=0)
    least = np.minimum(np.minimum(resamples.min(axis=0), value), 0.0)
    return np.maximum(low + shift, least), high + shift


def _with_constant(weighed: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """With columns that have one value only, in the order of the names."""
    constant = [name for name in names if name not in weighed.index]
    last = len(weighed) + 1
    table = weighed.assign(note="").reindex(pd.Index(names, name="hyperparameter"))
    table.loc[constant, ["score", "share", "rank", "note"]] = 0.0, 0.0, last, "one value only"
    return table.astype({"rank": int})


def _ranks(scores: Floats) -> Floats:
    """(..., K): 1 + how many scores are larger."""
    return np.asarray(1.0 + (scores[..., None, :] > scores[..., :, None]).sum(axis=-1))


def pairs(
    table: pd.DataFrame,
    target: str,
    columns: Sequence[Hyperparameter | str] | None = None,
    *,
    random_state: int = 0,
    missing: str = "draw",
) -> pd.DataFrame:
    """The interactions of all pairs by functional ANOVA, see `FAnova.pair_importances`.

    Arguments, and errors, are those of `rank`. Raises ValueError for more than 30 hyperparameters.
    """
    described = describe(table, target, columns).columns
    if len(described) > _PAIRED:
        raise ValueError(
            f"interactions of {len(described):,} hyperparameters are too many pairs: "
            f"name at most {_PAIRED}"
        )
    trials = _read(table, target, described, missing, random_state, True, []).varying()
    options = measure_options(trials.columns, trials.columns)
    return FAnova(random_state=random_state, **options).fit(trials.X, trials.y).pair_importances()
