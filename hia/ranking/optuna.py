"""Importance of the parameters of an Optuna study, by this package's methods.

`NRReliefFEvaluator` and `FAnovaEvaluator` serve wherever Optuna takes an evaluator:

    import optuna
    from hia.ranking.optuna import FAnovaEvaluator

    optuna.importance.get_param_importances(study, evaluator=FAnovaEvaluator(seed=0))

Kinds, bounds, steps and logarithmic scales are those of the study's distributions. As in Optuna's
PED-ANOVA, parameters that only some trials have are assessed together with the others; how, is told
in `hia.ranking.methods`. `table` and `columns` give any study to the other functions of this
package.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import BaseImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from hia.ranking.columns import Column
from hia.ranking.methods import rank

Target = Callable[[FrozenTrial], float]

# Steps of an integer, at most, that are levels of its own.
_STEPS = 1000


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

        study: its completed trials are used; failed and pruned ones are not, nor those whose value
        is not finite. params: names of those to assess, by which alone trials are compared; None
        means all that any completed trial has. target: what to explain, instead of the objective
        value. A parameter with one value only has importance 0.

        Raises ValueError for a study of several objectives without a target, for a parameter that
        no completed trial has, where there are fewer than ten trials or the target is the same in
        all of them; TypeError where params is no list of names.
        """
        described = columns(study, params)
        name = "value"
        while name in {column.name for column in columns(study)}:
            name += "_"
        trials = table(study, target, name)
        if all(len(trials[column.name].dropna().unique()) <= 1 for column in described):
            return {column.name: 0.0 for column in described}
        found = rank(
            trials,
            name,
            described,
            self.method,
            n_bootstrap=0,
            random_state=self._seed,
            **self._options,
        )
        scores = found.table["score"].clip(lower=0.0).sort_values(ascending=False, kind="stable")
        return {str(parameter): float(score) for parameter, score in scores.items()}


class NRReliefFEvaluator(_Evaluator):
    """Importance by N-RReliefF: max(W, 0) of Eq. 10 (Wang et al. 2024; see `hia.relief`).

    n_neighbors: J; None means 30, or all other trials where there are fewer. sigma: decay of a
    neighbour's influence with its rank. metric: "euclidean" or "manhattan". seed: of the values
    drawn for parameters that a trial does not have; nothing else is random.
    """

    method = "nrrelieff"

    def __init__(
        self,
        *,
        n_neighbors: int | None = None,
        sigma: float = 20.0,
        metric: str = "euclidean",
        seed: int = 0,
    ) -> None:
        given = {} if n_neighbors is None else {"n_neighbors": n_neighbors}
        super().__init__(seed, sigma=sigma, metric=metric, **given)


class FAnovaEvaluator(_Evaluator):
    """Importance by functional ANOVA: the share of the variance over the search space that the
    parameter explains alone (Hutter, Hoos and Leyton-Brown 2014; see `hia.ranking.fanova`).

    n_trees, min_samples_leaf: of the forest. seed: of the forest, and of the values drawn for
    parameters that a trial does not have.
    """

    method = "fanova"

    def __init__(self, *, n_trees: int = 16, min_samples_leaf: int = 1, seed: int = 0) -> None:
        super().__init__(seed, n_trees=n_trees, min_samples_leaf=min_samples_leaf)


def table(study: Study, target: Target | None = None, name: str = "value") -> pd.DataFrame:
    """The completed trials of a study, one row each: the parameters, missing where a trial does not
    have them, categories as text; and what is to be explained, in the column `name`.

    target: computes that from a trial; None means the objective value.
    Raises ValueError for a study of several objectives without a target, and where a parameter is
    called `name`.
    """
    if target is None and len(study.directions) > 1:
        raise ValueError(
            f"the study has {len(study.directions)} objectives: say which one to explain, as by "
            "target=lambda trial: trial.values[0]"
        )
    rows = []
    for trial in _completed(study):
        row = {
            parameter: _in_table(trial.distributions[parameter], value)
            for parameter, value in trial.params.items()
        }
        if name in row:
            raise ValueError(f"a parameter is called {name!r}: give the target another name")
        rows.append(row | {name: trial.value if target is None else target(trial)})
    names = [column.name for column in columns(study)]
    return pd.DataFrame(rows, columns=[*names, name])


def columns(study: Study, params: Sequence[str] | None = None) -> list[Column]:
    """The parameters of the completed trials of a study, in the order they first occur, as their
    distributions describe them. One that had several has the bounds of all.

    params: only these, in this order. Raises TypeError where it is no list of names; ValueError for
    one that no completed trial has.
    """
    found: dict[str, Column] = {}
    for trial in _completed(study):
        for name, distribution in trial.distributions.items():
            column = _column(name, distribution)
            known = found.get(name, column)
            found[name] = known if known == column else _union(known, column)
    if params is None:
        return list(found.values())
    if not isinstance(params, list | tuple) or not all(isinstance(name, str) for name in params):
        raise TypeError(f"params={params!r} is not a list of names")
    for name in params:
        if name not in found:
            raise ValueError(
                f"no completed trial has the parameter {name!r}; they have {', '.join(found)}"
            )
    return [found[name] for name in params]


def _completed(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _column(name: str, distribution: BaseDistribution) -> Column:
    if isinstance(distribution, CategoricalDistribution):
        return Column(name, "categorical", choices=_texts(distribution), origin="study")
    if isinstance(distribution, IntDistribution):
        steps = range(distribution.low, distribution.high + 1, distribution.step)
        stepped = distribution.step > 1 and len(steps) <= _STEPS
        choices = tuple(steps) if stepped else None
        return Column(name, "integer", steps[0], steps[-1], choices, distribution.log, "study")
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    return Column(name, "float", low, high, log=distribution.log, origin="study")


def _union(a: Column, b: Column) -> Column:
    """Two descriptions of a parameter of numbers; Optuna allows no others for one of categories."""
    low, high = min(a.bounds[0], b.bounds[0]), max(a.bounds[1], b.bounds[1])
    kind = "integer" if a.kind == b.kind == "integer" else "float"
    return Column(a.name, kind, low, high, log=a.log and b.log, origin="study")


def _in_table(distribution: BaseDistribution, value: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return _texts(distribution)[int(distribution.to_internal_repr(value))]
    return value


def _texts(distribution: CategoricalDistribution) -> tuple[str, ...]:
    """The choices as text; None, too, is a category. 1 and "1" are told apart."""
    texts = tuple(map(str, distribution.choices))
    return texts if len(set(texts)) == len(texts) else tuple(map(repr, distribution.choices))
