"""The importance methods, `METHODS`: functions from prepared trials to scores of hyperparameters.

`hia.ranking.methods` prepares the trials and makes a ranking of the scores. A method is called with
the trials, a seed and its own options, and returns scores (K,), large for what matters. What it
warns of becomes a note of the ranking.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna import importance
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold, cross_val_score

from hia.certainty import adjusted_p_values, bar, p_values
from hia.inputs import Floats, in_unit
from hia.ranking import fanova_package
from hia.ranking.coalitions import MAX_HYPERPARAMETERS
from hia.ranking.contract import Measure, Method, Options, Settle, Settled, Trials
from hia.ranking.fanova import FAnova
from hia.ranking.shapley import Explanation, explain
from hia.relief import NRReliefF
from hia.space import Hyperparameter, to_distribution

# J of N-RReliefF: a twentieth of the configurations, and at least the paper's, with the ratio of
# sigma to it that the paper's has to RReliefF's default.
_PART, _NEIGHBORS, _SIGMA = 20, 30, 20
# So many pairs of a configuration and its neighbour are enough: fewer configurations are sampled.
# And so many trials, where all are each other's neighbours.
_PAIRS, _ALL_PAIRS = 1_000_000, 1_000
# Permutations, at most, each of which measures all.
_PERMUTATIONS = 99
# Neighbours that differ in a column this much less than any two do are too few to weigh it.
_HARDLY = 0.1
# The share of neighbours with another category from which on N-RReliefF hardly sees it.
_ALWAYS = 0.99
# Trees of the forest whose out-of-bag R² is told, and trials it sees at most.
_TREES, _SEEN = 50, 2_000
# Numbers with at most so many possible values are given as categories to a method without levels.
_FEW = 10


def _for_forest(trials: Trials) -> tuple[Floats, Floats]:
    """X (n, K) and y (n,), each column divided by a power of 2: no tree changes by it, and what
    scikit-learn takes in single precision, and squares, are numbers."""
    columns = [in_unit(trials.X[name].to_numpy(dtype=np.float64))[0] for name in trials.columns]
    return np.column_stack(columns), in_unit(trials.y)[0]


def explained(trials: Trials, seed: int) -> float:
    """Out-of-bag R² of a forest, by configurations that none of the trees that predict them has
    seen: of each, the first trial has their mean."""
    rows = np.random.default_rng(seed).permutation(len(trials.y))[:_SEEN]
    trials = trials.take(rows)
    _, first, of = np.unique(trials.configuration, return_index=True, return_inverse=True)
    kept = np.sort(first)
    means = np.bincount(of, trials.y) / np.bincount(of)
    X, y = _for_forest(replace(trials, y=means[of]).take(kept))
    if np.ptp(y) == 0:  # by chance: of all trials it is not
        return 0.0
    forest = RandomForestRegressor(_TREES, random_state=seed % 2**32, oob_score=True)
    return float(forest.fit(X, y).oob_score_)


def _relief(trials: Trials, options: dict[str, Any]) -> NRReliefF:
    """The paper's options, but for a target that is no share of something."""
    inside = trials.y.min() >= 0 and trials.y.max() <= 1
    categorical = [name for name, one in trials.columns.items() if one.kind == "categorical"]
    target_scale = "none" if inside else "range"
    return NRReliefF(**({"target_scale": target_scale, "categorical": categorical} | options))


def _settle_relief(trials: Trials, seed: int, options: Options) -> Settled:
    """Neighbours by the number of configurations, unless n_neighbors is given, and sigma with them.

    Where the nearest hardly ever differ in a hyperparameter, such as a switch on which others
    depend, all are neighbours: W is then the covariance of |Δp| and diff over all pairs.
    """
    n = len(np.unique(trials.configuration))
    neighbors = options.get("n_neighbors", max(_NEIGHBORS, n // _PART))
    own = {"n_neighbors": min(neighbors, n - 1), "random_state": seed % 2**32}
    own["sigma"] = neighbors * _SIGMA / _NEIGHBORS
    if "n_neighbors" in options:
        return trials, own | options, None
    if n * neighbors > _PAIRS:
        own["n_iterations"] = _PAIRS // neighbors
    settled = own | options
    model = _relief(trials, settled).fit(trials.scaled(), trials.y)
    columns = model.read(trials.scaled(), trials.y).columns
    usual = np.array([column.mean_diff() for column in columns])
    hardly = model.mean_diffs_ < _HARDLY * usual
    if len(columns) == 1 or not hardly.any():
        told = f"{settled['n_neighbors']:,} neighbours, sigma {settled['sigma']:.3g}, by the number"
        sampled = settled.get("n_iterations")
        of = f"; of {sampled:,} of them, drawn at random" if sampled else ""
        warnings.warn(f"{told} of trials{of}", stacklevel=2)
        return trials, settled, _weights(model, trials)
    names = np.array(list(trials.columns))
    drawn = np.random.default_rng(seed).permutation(len(trials.y))[:_ALL_PAIRS]
    trials = trials.take(np.sort(drawn)).varying()
    of = f" ({len(drawn):,} trials, drawn at random)" if len(drawn) == _ALL_PAIRS else ""
    warnings.warn(
        f"all trials are neighbours, with the same influence{of}: the nearest hardly ever differ "
        f"in {', '.join(names[hardly])}",
        stacklevel=2,
    )
    n = len(np.unique(trials.configuration))
    settled = own | {"n_neighbors": n - 1, "weighting": "uniform", "n_iterations": None} | options
    return trials, settled, None


def _resample_relief(
    trials: Trials, seed: int, count: int, progress: bool, **options: Any
) -> Floats:
    model = _relief(trials, options)
    return model.bootstrap(trials.scaled(), trials.y, count, seed, progress)


def _test_by_target(
    measure: Measure, trials: Trials, seed: int, count: int, progress: bool, **options: Any
) -> pd.DataFrame:
    """Against what configurations score whose targets are permuted."""
    random = np.random.default_rng(seed)
    first = np.unique(trials.configuration, return_index=True)[1]
    scores = [measure(trials, seed, **options)]
    for _ in bar("permutations", progress, range(min(count, _PERMUTATIONS))):
        X = trials.X.iloc[random.permutation(first)[trials.configuration]].reset_index(drop=True)
        scores.append(measure(replace(trials, X=X), seed, **options))
    weights = np.array(scores)
    return pd.DataFrame({"p_value": p_values(weights), "p_adjusted": adjusted_p_values(weights)})


def _test_relief(
    trials: Trials, seed: int, count: int, progress: bool, **options: Any
) -> pd.DataFrame:
    model = _relief(trials, options)
    return model.permutation_test(
        trials.scaled(), trials.y, count, random_state=seed, progress=progress
    )


def _nrrelieff(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `NRReliefF`."""
    return _weights(_relief(trials, options).fit(trials.scaled(), trials.y), trials)


def _weights(model: NRReliefF, trials: Trials) -> Floats:
    if never := [n for n, d in zip(trials.columns, model.mean_diffs_, strict=True) if d == 0]:
        warnings.warn(
            f"no neighbour differs in {', '.join(never)}: 0 by construction, whatever p is; "
            "more neighbours would tell",
            stacklevel=2,
        )
    diffs = zip(trials.columns.values(), model.mean_diffs_, strict=True)
    if always := [c.name for c, d in diffs if c.kind == "categorical" and d > _ALWAYS]:
        warnings.warn(
            f"nearly all neighbours differ in {', '.join(always)}: the weight of a category with "
            "so many levels is too small by construction; fanova would tell",
            stacklevel=2,
        )
    return model.weights_


def _join_shares(trials: Trials, seed: int, **options: Any) -> pd.DataFrame:
    return _relief(trials, options).fit(trials.scaled(), trials.y).joint_importances()


def _fit_fanova(trials: Trials, seed: int, **options: Any) -> FAnova:
    defaults: Options = {"random_state": seed, "space": trials.columns}
    return FAnova(**(defaults | options)).fit(trials.X, trials.y)


def _fanova(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `FAnova`."""
    return _fit_fanova(trials, seed, **options).importances_


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
    """n_trees, min_samples_leaf: of the forest. n_splits: folds, at most; trials of a configuration
    are in the same.

    A fold of one trial has no R² and counts as 0. With K columns it fits n_splits · K (K + 1) / 2
    forests. The authors take the error on validation data. Categories are in an arbitrary order,
    which trees cut as often as it takes.
    """
    X, y = _for_forest(trials)
    forest = RandomForestRegressor(
        n_trees, min_samples_leaf=min_samples_leaf, random_state=seed % 2**32
    )
    n_splits = min(n_splits, len(np.unique(trials.configuration)))
    folds = GroupKFold(n_splits, shuffle=True, random_state=seed % 2**32)
    cv = list(folds.split(X, groups=trials.configuration))
    gains, before = np.zeros(X.shape[1]), 0.0
    taken: list[int] = []
    while len(taken) < X.shape[1]:
        scores = {
            k: float(
                np.nan_to_num(cross_val_score(forest, X[:, np.sort([*taken, k])], y, cv=cv)).mean()
            )
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


def _through(evaluator: Callable[..., importance.BaseImportanceEvaluator]) -> Measure:
    """What an evaluator of Optuna says, which takes a seed and the options."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        scores = evaluator(seed=seed, **options).evaluate(_Table(trials))
        return np.array([scores[name] for name in trials.columns])

    return measure


_PED_ANOVA = _through(lambda seed, **options: importance.PedAnovaImportanceEvaluator(**options))


def _with_choices(trials: Trials) -> pd.DataFrame:
    """X with the categories themselves."""
    categories = {
        name: trials.X[name].map(dict(enumerate(column.choices or ())))
        for name, column in trials.columns.items()
        if column.kind == "categorical"
    }
    return trials.X.assign(**categories)


def _settle_game(trials: Trials, seed: int, options: Options) -> Settled:
    """Raises ValueError for a category that no trial has: a resample may lack it, the table not."""
    X = _with_choices(trials)
    for given in ("default", "configuration"):
        for name, value in (options.get(given) or {}).items():
            column = trials.columns.get(name)
            if column is None or column.kind != "categorical":
                continue
            if value in (column.choices or ()) and value not in set(X[name]):
                raise ValueError(f"{given}: no trial has {name} = {value!r}")
    return trials, options, None


def _settle_ablation(trials: Trials, seed: int, options: Options) -> Settled:
    """What is not given of the configuration is the best trial's."""
    best = int(np.argmax(trials.y if trials.maximize else -trials.y))
    configuration = _with_choices(trials).iloc[best].to_dict()
    given = options.get("configuration") or {}
    if not set(configuration) <= set(given):
        warnings.warn("what is not given of the configuration is the best trial's", stacklevel=2)
    return _settle_game(trials, seed, options | {"configuration": configuration | given})


def _explain(game: str, trials: Trials, seed: int, **options: Any) -> Explanation:
    for given in ("default", "configuration"):
        if options.get(given) is not None:  # of columns that a resample has with several values
            values = options[given]
            options[given] = {name: values[name] for name in trials.columns if name in values}
    own = {"maximize": trials.maximize, "n_bootstrap": 0, "random_state": seed % 2**32}
    columns = list(trials.columns.values())
    explanation = explain(game, _with_choices(trials), trials.y, columns, **(own | options))
    if explanation.typical:
        typical = ", ".join(explanation.typical)
        warnings.warn(f"default of {typical}: median or most frequent value", stacklevel=2)
    return explanation


def _game(
    game: str, score: str, settle: Settle = _settle_game, asks_direction: bool = False
) -> Method:
    """Shapley values of a game of `hia.ranking.shapley`, and its pairs. options: of `explain`."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        return _explain(game, trials, seed, **options).table["value"].to_numpy()

    def pairs(trials: Trials, seed: int, **options: Any) -> pd.DataFrame:
        table = _explain(game, trials, seed, **options).pairs
        return table[["first", "second", "value"]].rename(columns={"value": "weight"})

    return Method(
        f"{game} (HyperSHAP)",
        f"Shapley value of {score}, in a forest",
        "Wever et al. 2026",
        measure,
        settle,
        pairs=pairs,
        most=np.inf,
        has_forest=True,
        asks_direction=asks_direction,
        max_rows=3000,
        max_bootstrap=20,
        max_columns=MAX_HYPERPARAMETERS,
    )


METHODS: dict[str, Method] = {
    "nrrelieff": Method(
        "N-RReliefF",
        "W of Eq. 10; the target divided by its range if it is not within 0 and 1",
        "Wang et al. 2024; Sun et al. 2019; Robnik-Šikonja and Kononenko 2003",
        _nrrelieff,
        _settle_relief,
        _resample_relief,
        _test_relief,
        "of a hyperparameter without influence, by neighbours in the others; wrong where its "
        "values followed from results or from other hyperparameters",
        _join_shares,
        max_rows=10_000,
    ),
    "fanova": Method(
        "fANOVA",
        "share of the variance of a forest that the hyperparameter explains alone",
        "Hutter, Hoos and Leyton-Brown 2014",
        _fanova,
        has_forest=True,
        pairs=lambda *args, **options: _fit_fanova(*args, **options).pair_importances(),
    ),
    "ped_anova": Method(
        "PED-ANOVA (Optuna)",
        "Pearson divergence of the best tenth of the trials from all, times 0.01",
        "Watanabe, Bansal and Hutter 2023",
        _PED_ANOVA,
        p_values=partial(_test_by_target, _PED_ANOVA),
        null="against permuted targets",
        most=np.inf,
        asks_direction=True,
    ),
    "tunability": _game(
        "tunability",
        "what the best random configuration gains on the default",
        asks_direction=True,
    ),
    "sensitivity": _game("sensitivity", "the variance of random configurations"),
    "ablation": _game(
        "ablation", "what one configuration gains on the default", _settle_ablation, True
    ),
    "forward_selection": Method(
        "forward selection",
        "gain of cross-validated R² when a greedy selection takes the hyperparameter",
        "Hutter, Hoos and Leyton-Brown 2013",
        _forward_selection,
        has_forest=True,
        max_rows=1000,
        max_bootstrap=20,
    ),
    "impurity": Method(
        "decrease of impurity (Optuna)",
        "share of the decrease of squared error by the cuts of a forest",
        "Breiman 2001; Louppe et al. 2013",
        _through(importance.MeanDecreaseImpurityImportanceEvaluator),
        has_forest=True,
        max_bootstrap=20,
    ),
    "optuna_fanova": Method(
        "fANOVA (Optuna)",
        "as fanova, by another forest",
        "Hutter, Hoos and Leyton-Brown 2014",
        _through(partial(importance.FanovaImportanceEvaluator, n_trees=16)),
        has_forest=True,
        max_rows=500,
        max_bootstrap=20,
    ),
    "fanova_package": Method(
        "fANOVA (fanova)",
        "as fanova, by the package of its authors",
        "Hutter, Hoos and Leyton-Brown 2014",
        _package,
        has_forest=True,
        max_rows=3000,
        max_bootstrap=20,
        available=fanova_package.available,
    ),
}
