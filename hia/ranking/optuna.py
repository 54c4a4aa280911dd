"""Importance of the parameters of an Optuna study, by this package's methods.

`NRReliefFEvaluator` and `FAnovaEvaluator` serve wherever Optuna takes an evaluator:

    import optuna
    from hia.ranking.optuna import FAnovaEvaluator

    optuna.importance.get_param_importances(study, evaluator=FAnovaEvaluator(seed=0))

Kinds, bounds, steps and logarithmic scales are those of the study's distributions. As in Optuna's
PED-ANOVA, parameters that only some trials have are assessed together with the others; how, is told
in `hia.ranking.methods`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from optuna import Study
from optuna.importance import BaseImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from hia.ranking.methods import rank
from hia.space import Hyperparameter, from_distribution

Target = Callable[[FrozenTrial], float]


class _Evaluator(BaseImportanceEvaluator):
    """What the evaluators share: `method` of `hia.ranking.methods`, with its options."""

    method: str

    def __init__(self, seed: int, **options: Any) -> None:
        self._seed = seed
        self._options = options

    def evaluate(
        self,
        study: Study,
        params: list[str] | None = None,
        *,
        target: Target | None = None,
    ) -> dict[str, float]:
        """Scores of the parameters, largest first, 0 where they are negative.

        study: its completed trials are used whose value is finite. params: names of those to
        assess, by which alone trials are compared; None means all that any completed trial has.
        target: what to explain, instead of the objective value. A parameter with one value only has
        importance 0.

        Raises ValueError for a study of several objectives without a target, for a parameter that
        no completed trial has, where there are fewer than ten trials or the target is the same in
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
            names = [column.name for column in parameters]
            for name in params:
                if name not in names:
                    known = ", ".join(names)
                    raise ValueError(
                        f"no completed trial has the parameter {name!r}; they have {known}"
                    )
            parameters = [parameters[names.index(name)] for name in params]
        if all(len(trials[column.name].dropna().unique()) <= 1 for column in parameters):
            return {column.name: 0.0 for column in parameters}
        options = {"n_bootstrap": 0, "random_state": self._seed, **self._options}
        scores = rank(trials, trials.columns[-1], parameters, self.method, **options).table["score"]
        scores = scores.clip(lower=0.0).sort_values(ascending=False, kind="stable")
        return {str(parameter): float(score) for parameter, score in scores.items()}


class NRReliefFEvaluator(_Evaluator):
    """Importance by N-RReliefF: max(W, 0) of Eq. 10 (Wang et al. 2024; see `hia.relief`).

    n_neighbors: J; None means as many as suit the number of trials (`hia.ranking.methods`). sigma:
    decay of a neighbour's influence with its rank; None means two thirds of J. metric: "euclidean"
    or "manhattan". seed: of all that is random, such as the values drawn for parameters that a
    trial does not have.
    """

    method = "nrrelieff"

    def __init__(
        self,
        *,
        n_neighbors: int | None = None,
        sigma: float | None = None,
        metric: str = "euclidean",
        seed: int = 0,
    ) -> None:
        given = {"n_neighbors": n_neighbors, "sigma": sigma}
        given = {option: value for option, value in given.items() if value is not None}
        super().__init__(seed, metric=metric, **given)


class FAnovaEvaluator(_Evaluator):
    """Importance by functional ANOVA: the share of the variance over the search space that the
    parameter explains alone (Hutter, Hoos and Leyton-Brown 2014; see `hia.ranking.fanova`).

    n_trees, min_samples_leaf: of the forest. seed: of the forest, and of the values drawn for
    parameters that a trial does not have.
    """

    method = "fanova"

    def __init__(self, *, n_trees: int = 16, min_samples_leaf: int = 1, seed: int = 0) -> None:
        super().__init__(seed, n_trees=n_trees, min_samples_leaf=min_samples_leaf)


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
            if column.kind == "categorical":
                column = replace(column, choices=_texts(column.choices or ()))
                value = (column.choices or ())[int(distribution.to_internal_repr(value))]
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


def _texts(choices: Sequence[Any]) -> tuple[str, ...]:
    """The choices as text; None, too, is a category. 1 and "1" are told apart."""
    texts = tuple(map(str, choices))
    return texts if len(set(texts)) == len(texts) else tuple(map(repr, choices))
