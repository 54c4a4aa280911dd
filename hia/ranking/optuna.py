"""Importance of the parameters of an Optuna study, by this package's methods, wherever Optuna takes
an evaluator: `optuna.importance.get_param_importances(study, evaluator=Evaluator("fanova"))`.

Kinds, bounds, steps and logarithmic scales are those of the study's distributions. As in Optuna's
PED-ANOVA, parameters that only some trials have are assessed together with the others, as told in
`hia.ranking.methods`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from optuna import Study
from optuna.importance import BaseImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from hia.ranking.methods import rank
from hia.space import Hyperparameter, from_distribution

Target = Callable[[FrozenTrial], float]


class Evaluator(BaseImportanceEvaluator):
    """Importance by one of the methods of `hia.ranking.methods`, 0 where its score is negative.

    method: a key of `METHODS`. seed: of all that is random, such as the values drawn for parameters
    that a trial does not have. options: of `hia.ranking.methods.rank` and of the method, such as
    n_neighbors, sigma and metric of "nrrelieff", n_trees and min_samples_leaf of "fanova".
    """

    def __init__(self, method: str = "nrrelieff", *, seed: int = 0, **options: Any) -> None:
        self._method = method
        self._options = {"n_bootstrap": 0, "random_state": seed, **options}

    def evaluate(
        self, study: Study, params: list[str] | None = None, *, target: Target | None = None
    ) -> dict[str, float]:
        """Scores of the parameters, largest first.

        study: its completed trials are used whose value is finite. params: names of those to
        assess, by which alone trials are compared; None means all that any completed trial has.
        target: what to explain, instead of the objective value. A parameter with one value only has
        importance 0. Raises ValueError for several objectives without a target, for a parameter
        that no completed trial has, for fewer than ten trials and where the target is the same in
        all of them; TypeError where params is no list of names.
        """
        if target is None and len(study.directions) > 1:
            raise ValueError(
                f"the study has {len(study.directions)} objectives: say which one to explain, as "
                "by target=lambda trial: trial.values[0]"
            )
        trials, parameters = read(study, {"value": target or _value})
        if params is not None:
            if not isinstance(params, list | tuple) or not all(isinstance(p, str) for p in params):
                raise TypeError(f"params={params!r} is not a list of names")
            known = {column.name: column for column in parameters}
            if unknown := [name for name in params if name not in known]:
                have = f"{unknown[0]!r}; they have {', '.join(known)}"
                raise ValueError(f"no completed trial has the parameter {have}")
            parameters = [known[name] for name in params]
        if trials[[column.name for column in parameters]].nunique().le(1).all():
            return {column.name: 0.0 for column in parameters}
        ranking = rank(trials, trials.columns[-1], parameters, self._method, **self._options)
        scores = ranking.table["score"].clip(lower=0.0).sort_values(ascending=False, kind="stable")
        return {str(parameter): float(score) for parameter, score in scores.items()}


def read(study: Study, targets: Mapping[str, Target]) -> tuple[pd.DataFrame, list[Hyperparameter]]:
    """The completed trials of a study, and its parameters in the order they first occur.

    The table has one row per trial: the parameters, missing where a trial does not have them,
    categories as text; last what is to be explained, with a _ more in the name where a parameter is
    called so. A parameter that had several distributions has the bounds of all, and of values that
    were enqueued outside them.
    targets: compute from a trial what is to be explained, by name.
    """
    rows: list[dict[str, Any]] = []
    columns: dict[str, Hyperparameter] = {}
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for trial in complete:
        row = {}
        for parameter, value in trial.params.items():
            distribution = trial.distributions[parameter]
            column = from_distribution(parameter, distribution)
            if column.choices is not None and column.kind == "categorical":
                texts = tuple(map(str, column.choices))  # None, too, is one
                if len(set(texts)) < len(texts):  # 1 and "1"
                    texts = tuple(map(repr, column.choices))
                column = replace(column, choices=texts)
                value = texts[int(distribution.to_internal_repr(value))]
            else:
                column = _widened(column, value)
            row[parameter] = value
            columns[parameter] = _union(columns.get(parameter, column), column)
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(columns))
    for name, target in targets.items():
        while name in columns:
            name += "_"
        table[name] = [target(trial) for trial in complete]
    return table, list(columns.values())


def _value(trial: FrozenTrial) -> float:
    return float("nan") if trial.value is None else trial.value


def _widened(column: Hyperparameter, value: float) -> Hyperparameter:
    """With bounds, and choices where there are some, that have the value in them."""
    low, high = min(column.bounds[0], value), max(column.bounds[1], value)
    choices = column.choices and tuple(sorted({*column.choices, value}))
    if (low, high) == column.bounds and choices == column.choices:
        return column
    origin, log = "study, widened to its values", column.log and low > 0
    return replace(column, low=low, high=high, choices=choices, log=log, origin=origin)


def _union(a: Hyperparameter, b: Hyperparameter) -> Hyperparameter:
    """Two descriptions of a parameter; Optuna allows no others for one of categories."""
    if a == b:
        return a
    low, high = min(a.bounds[0], b.bounds[0]), max(a.bounds[1], b.bounds[1])
    kind = "integer" if a.kind == b.kind == "integer" else "float"
    origin = max(a.origin, b.origin, key=len)
    choices = tuple(sorted({*a.choices, *b.choices})) if a.choices and b.choices else None
    return Hyperparameter(a.name, kind, low, high, choices, a.log and b.log, origin=origin)
