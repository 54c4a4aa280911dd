"""The importance methods, `METHODS`: functions from prepared trials to scores of hyperparameters.

`hia.ranking.methods` prepares the trials and makes a ranking of the scores. A method is called with
the trials, a seed and its own options, and returns scores (K,), large for what matters.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold, cross_val_score

from hia.inputs import Floats, in_unit
from hia.neighbours import Ints
from hia.ranking import fanova_package
from hia.ranking.coalitions import MAX_HYPERPARAMETERS
from hia.ranking.fanova import FAnova, measure_options
from hia.ranking.shapley import explain
from hia.relief import NRReliefF
from hia.space import Hyperparameter, to_distribution

Measure = Callable[..., Floats]

# Numbers with at most so many possible values are given as categories to a method without levels.
_FEW = 10


@dataclass(frozen=True)
class Trials:
    """Trials without missing values, in the form the methods take.

    X: (n, K), numbers as they are, categories as their positions in the choices. y: (n,), the
    target. columns: of X, by name, in its order. row: (n,), by which copies of a trial are known.
    maximize: whether a large y is good.
    """

    X: pd.DataFrame
    y: Floats
    columns: Mapping[str, Hyperparameter]
    row: Ints
    maximize: bool

    def take(self, rows: Ints) -> "Trials":
        """These rows, as often as they are named."""
        X = self.X.iloc[rows].reset_index(drop=True)
        return replace(self, X=X, y=self.y[rows], row=self.row[rows])

    def varying(self) -> "Trials":
        """Without the columns that have one value only."""
        several = (self.X.min() < self.X.max()).to_numpy()
        X = self.X.loc[:, several]
        return replace(self, X=X, columns={str(name): self.columns[str(name)] for name in X})

    def scaled(self) -> pd.DataFrame:
        """X with base-10 logarithms of the columns on a logarithmic scale."""
        log = {name: np.log10(self.X[name]) for name, column in self.columns.items() if column.log}
        return self.X.assign(**log)


@dataclass(frozen=True)
class Method:
    """An importance method.

    label: its name for people. score: what its raw scores are. source: where it is from. measure:
    (trials, seed, **options) -> scores (K,). resample: with a count as well, scores of so many
    resamples (count, K); without it, resamples are measured one by one. p_values: with a count as
    well, of so many permutations, (K,). max_rows: used at most, drawn at random. max_bootstrap:
    resamples, at most. max_columns: hyperparameters, at most. available: whether what it needs is
    installed.
    """

    label: str
    score: str
    source: str
    measure: Measure
    resample: Measure | None = None
    p_values: Measure | None = None
    max_rows: int | None = None
    max_bootstrap: int | None = None
    max_columns: int | None = None
    available: Callable[[], bool] = lambda: True


def _relief(trials: Trials, options: dict[str, Any]) -> NRReliefF:
    """The paper's options, but for a target that is no share of something."""
    inside = trials.y.min() >= 0 and trials.y.max() <= 1
    categorical = [name for name, one in trials.columns.items() if one.kind == "categorical"]
    defaults = {
        "n_neighbors": min(30, len(trials.y) - 1),
        "target_scale": "none" if inside else "range",
        "categorical": categorical,
    }
    return NRReliefF(**(defaults | options))


def _resample_relief(trials: Trials, seed: int, count: int, **options: Any) -> Floats:
    return _relief(trials, options).bootstrap(trials.scaled(), trials.y, count, seed)


def _test_relief(trials: Trials, seed: int, count: int, **options: Any) -> Floats:
    model = _relief(trials, options)
    tested = model.permutation_test(trials.scaled(), trials.y, count, random_state=seed)
    return tested["p_value"].to_numpy()


def _nrrelieff(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `NRReliefF`."""
    return _relief(trials, options).fit(trials.scaled(), trials.y).weights_


def _fanova(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `FAnova`."""
    defaults = {"random_state": seed, **measure_options(trials.columns, trials.columns)}
    return FAnova(**(defaults | options)).fit(trials.X, trials.y).importances_


def _is_few(column: Hyperparameter) -> bool:
    few = column.choices is not None and len(column.choices) <= _FEW
    if few or column.kind != "integer":
        return few or column.kind == "categorical"
    return column.bounds[1] - column.bounds[0] < _FEW


def _package(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `fanova_package.importances`."""
    if len(trials.columns) == 1:  # its forest cuts by 70 % of the columns, rounded down
        return np.ones(1)
    few = [name for name, column in trials.columns.items() if _is_few(column)]
    log = [name for name, column in trials.columns.items() if column.log and name not in few]
    defaults: dict[str, Any] = {"log": log, "categorical": few, "random_state": seed}
    table = fanova_package.importances(trials.X, trials.y, **(defaults | options))
    return table["weight"].to_numpy()


def _forward_selection(
    trials: Trials, seed: int, n_trees: int = 8, min_samples_leaf: int = 3, n_splits: int = 3
) -> Floats:
    """n_trees, min_samples_leaf: of the forest. n_splits: folds; copies of a trial are in the same.

    With K columns it fits n_splits · K (K + 1) / 2 forests. The authors take the error on
    validation data. Categories are in an arbitrary order, which trees cut as often as it takes.
    """
    X, (y, _) = trials.X.to_numpy(), in_unit(trials.y)  # squares of it are numbers
    forest = RandomForestRegressor(
        n_trees, min_samples_leaf=min_samples_leaf, random_state=seed % 2**32
    )
    folds = GroupKFold(n_splits, shuffle=True, random_state=seed % 2**32)
    cv = list(folds.split(X, groups=trials.row))
    gains, before = np.zeros(X.shape[1]), 0.0
    taken: list[int] = []
    while len(taken) < X.shape[1]:
        scores = {
            k: float(cross_val_score(forest, X[:, np.sort([*taken, k])], y, cv=cv).mean())
            for k in range(X.shape[1])
            if k not in taken
        }
        best = max(scores, key=lambda k: scores[k])
        gains[best], before = scores[best] - before, scores[best]
        taken.append(best)
    return gains


class _Table(optuna.Study):
    """The trials as a study that is in no storage: to store them takes five times as long as to
    assess them. What an evaluator asks of a study is its directions and its trials.

    Logarithms are taken here; categories and numbers with levels are the positions of these.
    """

    def __init__(self, trials: Trials) -> None:
        self._direction = StudyDirection.MAXIMIZE if trials.maximize else StudyDirection.MINIMIZE
        values, distributions, scaled = {}, {}, trials.scaled()
        for name, column in trials.columns.items():
            numbers = scaled[name]
            if column.kind == "categorical":
                column = replace(column, choices=tuple(range(len(column.choices or ()))))
            elif column.choices is not None:
                numbers = pd.Series(np.searchsorted(column.choices, trials.X[name]))
                column = Hyperparameter(name, "integer", 0, len(column.choices) - 1)
            elif column.kind == "float" or column.log:
                low, high = np.log10(column.bounds) if column.log else column.bounds
                numbers = numbers.clip(low, high)
                column = Hyperparameter(name, "float", low, high)
            values[name] = numbers.astype(float if column.kind == "float" else int).tolist()
            distributions[name] = to_distribution(column)
        state, now = TrialState.COMPLETE, datetime.now()
        rows = enumerate(zip(trials.y.tolist(), *values.values(), strict=True))
        self._finished = [
            FrozenTrial(
                number, state, value, now, now, dict(zip(values, row, strict=True)), distributions,
                user_attrs={}, system_attrs={}, intermediate_values={}, trial_id=number,
            )
            for number, (value, *row) in rows
        ]  # fmt: skip

    @property
    def directions(self) -> list[StudyDirection]:
        return [self._direction]

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        return self._finished


def _through(evaluator: Callable[..., BaseImportanceEvaluator]) -> Measure:
    """What an evaluator of Optuna says, which takes a seed and the options."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        scores = evaluator(seed=seed, **options).evaluate(_Table(trials))
        return np.array([scores[name] for name in trials.columns])

    return measure


def _play(game: str) -> Measure:
    """Shapley values of a game of `hia.ranking.shapley`. options: of `explain`."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        categories = {
            name: trials.X[name].map(dict(enumerate(column.choices or ())))
            for name, column in trials.columns.items()
            if column.kind == "categorical"
        }
        X, columns = trials.X.assign(**categories), list(trials.columns.values())
        defaults = {
            "maximize": trials.maximize,
            "n_bootstrap": 0,
            "random_state": seed % 2**32,
        }
        explanation = explain(game, X, trials.y, columns, **(defaults | options))
        if explanation.typical:
            typical = ", ".join(explanation.typical)
            warnings.warn(f"default of {typical}: median or most frequent value", stacklevel=2)
        return explanation.table["value"].to_numpy()

    return measure


METHODS: dict[str, Method] = {
    "nrrelieff": Method(
        "N-RReliefF",
        "W of Eq. 10; the target divided by its range if it is not within 0 and 1",
        "Wang et al. 2024; Sun et al. 2019; Robnik-Šikonja and Kononenko 2003",
        _nrrelieff,
        _resample_relief,
        _test_relief,
    ),
    "fanova": Method(
        "fANOVA",
        "share of the variance of a forest that the hyperparameter explains alone",
        "Hutter, Hoos and Leyton-Brown 2014",
        _fanova,
    ),
    "ped_anova": Method(
        "PED-ANOVA (Optuna)",
        "Pearson divergence of the best tenth of the trials from all, times 0.01",
        "Watanabe, Bansal and Hutter 2023",
        _through(lambda seed, **options: PedAnovaImportanceEvaluator(**options)),
    ),
    "tunability": Method(
        "tunability (HyperSHAP)",
        "Shapley value of what the best random configuration gains on the default, in a forest",
        "Wever et al. 2026",
        _play("tunability"),
        max_rows=3000,
        max_bootstrap=20,
        max_columns=MAX_HYPERPARAMETERS,
    ),
    "sensitivity": Method(
        "sensitivity (HyperSHAP)",
        "Shapley value of the variance of random configurations, in a forest",
        "Wever et al. 2026",
        _play("sensitivity"),
        max_rows=3000,
        max_bootstrap=20,
        max_columns=MAX_HYPERPARAMETERS,
    ),
    "forward_selection": Method(
        "forward selection",
        "gain of cross-validated R² when a greedy selection takes the hyperparameter",
        "Hutter, Hoos and Leyton-Brown 2013",
        _forward_selection,
        max_rows=1000,
        max_bootstrap=20,
    ),
    "impurity": Method(
        "decrease of impurity (Optuna)",
        "share of the decrease of squared error by the cuts of a forest",
        "Breiman 2001; Louppe et al. 2013",
        _through(MeanDecreaseImpurityImportanceEvaluator),
        max_bootstrap=20,
    ),
    "optuna_fanova": Method(
        "fANOVA (Optuna)",
        "as fanova, by another forest",
        "Hutter, Hoos and Leyton-Brown 2014",
        _through(partial(FanovaImportanceEvaluator, n_trees=16)),
        max_rows=500,
        max_bootstrap=20,
    ),
    "fanova_package": Method(
        "fANOVA (fanova)",
        "as fanova, by the package of its authors",
        "Hutter, Hoos and Leyton-Brown 2014",
        _package,
        max_rows=3000,
        max_bootstrap=20,
        available=fanova_package.available,
    ),
}
