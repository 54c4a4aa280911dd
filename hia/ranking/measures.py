"""The importance methods on prepared trials: scores of their hyperparameters.

`hia.ranking.methods` prepares the trials and makes a ranking of the scores. A function here is
called with the trials, a seed and the method's own options, and returns scores (K,); one with a
count as well returns scores of so many resamples, (count, K), or p-values (K,).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.model_selection import GroupKFold, cross_val_score

from hia.inputs import in_unit
from hia.ranking import fanova_package
from hia.ranking.columns import Column
from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Measure = Callable[..., Floats]

# Whole numbers in wider ranges are as good as fractions.
_WIDE = 1000
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
    columns: Mapping[str, Column]
    row: Ints
    maximize: bool

    def take(self, rows: Ints) -> "Trials":
        """These rows, as often as they are named."""
        X = self.X.iloc[rows].reset_index(drop=True)
        return replace(self, X=X, y=self.y[rows], row=self.row[rows])

    def varying(self) -> "Trials":
        """Without the columns that have one value only."""
        columns = {
            name: column
            for name, column in self.columns.items()
            if self.X[name].min() < self.X[name].max()
        }
        return replace(self, X=self.X[list(columns)], columns=columns)

    def categorical(self) -> list[str]:
        """Names of the categorical columns."""
        return [name for name, column in self.columns.items() if column.kind == "categorical"]

    def scaled(self) -> pd.DataFrame:
        """X with base-10 logarithms of the columns on a logarithmic scale."""
        log = {name: np.log10(self.X[name]) for name, column in self.columns.items() if column.log}
        return self.X.assign(**log)


def _relief(trials: Trials, options: dict[str, Any]) -> NRReliefF:
    """The paper's options, but for a target that is no share of something."""
    inside = trials.y.min() >= 0 and trials.y.max() <= 1
    chosen = {
        "n_neighbors": min(30, len(trials.y) - 1),
        "target_scale": "none" if inside else "range",
        "categorical": trials.categorical(),
    }
    return NRReliefF(**(chosen | options))


def nrrelieff(trials: Trials, seed: int, **options: Any) -> Floats:
    """W of Eq. 10 (Wang et al. 2024). options: of `NRReliefF`."""
    return _relief(trials, options).fit(trials.scaled(), trials.y).weights_


def resample_nrrelieff(trials: Trials, seed: int, count: int, **options: Any) -> Floats:
    """W of resamples, by `NRReliefF.bootstrap`."""
    return _relief(trials, options).bootstrap(trials.scaled(), trials.y, count, seed)


def p_values_nrrelieff(trials: Trials, seed: int, count: int, **options: Any) -> Floats:
    """p-value of each column on its own, by `NRReliefF.permutation_test`."""
    model = _relief(trials, options)
    found = model.permutation_test(trials.scaled(), trials.y, count, random_state=seed)
    return found["p_value"].to_numpy()


def fanova(trials: Trials, seed: int, **options: Any) -> Floats:
    """Shares of variance (Hutter, Hoos and Leyton-Brown 2014). options: of `FAnova`."""
    declared = {name: _without_wide(column) for name, column in trials.columns.items()}
    chosen = {"random_state": seed, **measure_options(declared, declared)}
    return FAnova(**(chosen | options)).fit(trials.X, trials.y).importances_


def _without_wide(column: Column) -> Column:
    wide = column.kind == "integer" and column.choices is None
    wide = wide and column.bounds[1] - column.bounds[0] > _WIDE
    return replace(column, kind="float") if wide else column


def package(trials: Trials, seed: int, **options: Any) -> Floats:
    """The same by the `fanova` package. options: of `fanova_package.importances`."""
    if len(trials.columns) == 1:  # its forest cuts by 70 % of the columns, rounded down
        return np.ones(1)
    few = [name for name, column in trials.columns.items() if _is_few(column)]
    log = [name for name, column in trials.columns.items() if column.log and name not in few]
    chosen: dict[str, Any] = {"log": log, "categorical": few, "random_state": seed}
    found = fanova_package.importances(trials.X, trials.y, **(chosen | options))
    return found["weight"].to_numpy()


def _is_few(column: Column) -> bool:
    if column.kind == "categorical":
        return True
    low, high = column.bounds
    whole = column.kind == "integer" and high - low < _FEW
    return whole or (column.choices is not None and len(column.choices) <= _FEW)


class _Selector(SequentialFeatureSelector):  # type: ignore[misc]
    """scikit-learn's selector, which keeps the order of its selection and the scores to itself."""

    def fit(self, X: Any, y: Any = None, **params: Any) -> "_Selector":
        self.path_: list[tuple[int, float]] = []
        super().fit(X, y, **params)
        return self

    def _get_best_new_feature_score(self, *args: Any, **params: Any) -> tuple[int, float]:
        found: tuple[int, float] = super()._get_best_new_feature_score(*args, **params)
        self.path_.append(found)
        return found


def forward_selection(
    trials: Trials, seed: int, n_trees: int = 8, min_samples_leaf: int = 3, n_splits: int = 3
) -> Floats:
    """What each column adds to the cross-validated R² of a forest, when a greedy selection comes to
    take it (Hutter, Hoos and Leyton-Brown 2013, who take the error on validation data).

    n_trees, min_samples_leaf: of the forest. n_splits: folds; copies of a trial are in the same.
    With K columns it fits n_splits · K (K + 1) / 2 forests. Categories are in an arbitrary order,
    which trees cut as often as it takes.
    """
    X, (y, _) = trials.X.to_numpy(), in_unit(trials.y)  # squares of it are numbers
    forest = RandomForestRegressor(
        n_trees, min_samples_leaf=min_samples_leaf, random_state=seed % 2**32
    )
    folds = GroupKFold(n_splits, shuffle=True, random_state=seed % 2**32)
    cv = list(folds.split(X, groups=trials.row))
    path: list[tuple[int, float]] = []
    if X.shape[1] > 1:
        path = _Selector(forest, n_features_to_select=X.shape[1] - 1, cv=cv).fit(X, y).path_
    last = ({*range(X.shape[1])} - {feature for feature, _ in path}).pop()
    path = [*path, (last, float(cross_val_score(forest, X, y, cv=cv).mean()))]
    gains = np.empty(len(path))
    features = [feature for feature, _ in path]
    gains[features] = np.diff([0.0, *(score for _, score in path)])
    return gains


class _Table(optuna.Study):
    """A study of finished trials that is in no storage: to store them takes longer than to assess
    them."""

    def __init__(self, finished: Sequence[FrozenTrial], maximize: bool) -> None:
        self._finished = list(finished)
        self._direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE

    @property
    def directions(self) -> list[StudyDirection]:
        return [self._direction]

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        return self._finished


def _finished(trials: Trials) -> list[FrozenTrial]:
    """One per row. Logarithms are taken here; numbers with levels are the positions of these."""
    values: dict[str, list[Any]] = {}
    distributions: dict[str, BaseDistribution] = {}
    scaled = trials.scaled()
    for name, column in trials.columns.items():
        if column.kind == "categorical":
            distributions[name] = CategoricalDistribution(range(len(column.choices or ())))
            values[name] = scaled[name].astype(int).tolist()
        elif column.choices is not None:
            distributions[name] = IntDistribution(0, len(column.choices) - 1)
            values[name] = np.searchsorted(column.choices, trials.X[name]).tolist()
        elif column.kind == "integer" and not column.log:
            distributions[name] = IntDistribution(int(column.bounds[0]), int(column.bounds[1]))
            values[name] = scaled[name].astype(int).tolist()
        else:
            low, high = np.log10(column.bounds) if column.log else column.bounds
            distributions[name] = FloatDistribution(low, high)
            values[name] = scaled[name].clip(low, high).tolist()
    now = datetime.now()
    return [
        FrozenTrial(
            number=number,
            trial_id=number,
            state=TrialState.COMPLETE,
            value=float(value),
            datetime_start=now,
            datetime_complete=now,
            params=dict(zip(values, row, strict=True)),
            distributions=distributions,
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        for number, (value, *row) in enumerate(zip(trials.y, *values.values(), strict=True))
    ]


def _through(evaluator: Callable[..., BaseImportanceEvaluator]) -> tuple[Measure, Measure]:
    """Scores, and scores of resamples, of a study of the trials by an evaluator of Optuna, which is
    made from a seed and options."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        return assess(_finished(trials), trials, seed, options)

    def resample(trials: Trials, seed: int, count: int, **options: Any) -> Floats:
        random = np.random.default_rng(seed)
        finished = _finished(trials)
        n = len(finished)
        resamples = np.empty((count, trials.X.shape[1]))
        for scores in resamples:
            drawn = [finished[row] for row in np.sort(random.integers(n, size=n))]
            scores[:] = assess(drawn, trials, int(random.integers(2**31)), options)
        return resamples

    def assess(
        finished: Sequence[FrozenTrial], trials: Trials, seed: int, options: dict[str, Any]
    ) -> Floats:
        study = _Table(finished, trials.maximize)
        found = evaluator(seed, **options).evaluate(study)
        return np.array([found[name] for name in trials.columns])

    return measure, resample


def _ped_anova(seed: int, **options: Any) -> BaseImportanceEvaluator:
    """It has nothing random."""
    return PedAnovaImportanceEvaluator(**options)


def _optuna_fanova(seed: int, n_trees: int = 16, **options: Any) -> BaseImportanceEvaluator:
    return FanovaImportanceEvaluator(n_trees=n_trees, seed=seed, **options)


def _impurity(seed: int, **options: Any) -> BaseImportanceEvaluator:
    return MeanDecreaseImpurityImportanceEvaluator(seed=seed, **options)


ped_anova, resample_ped_anova = _through(_ped_anova)
optuna_fanova, resample_optuna_fanova = _through(_optuna_fanova)
impurity, resample_impurity = _through(_impurity)
