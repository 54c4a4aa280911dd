"""The importance methods, `METHODS`: functions from prepared trials to scores of hyperparameters.

`hia.ranking.methods` prepares the trials, and makes a ranking of the scores and notes of warnings.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
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
from hia.inputs import Floats, Ints, in_unit
from hia.ranking import fanova_package
from hia.ranking.fanova import FAnova
from hia.ranking.shapley import MAX_HYPERPARAMETERS, Explanation, explain
from hia.relief import NRReliefF
from hia.space import Hyperparameter, to_distribution

# J of N-RReliefF: a twentieth of the configurations, and at least the paper's, with the ratio of
# sigma to it that the paper's has to RReliefF's default.
_PART, _NEIGHBORS, _SIGMA = 20, 30, 20
# So many pairs of neighbours are enough; and so many trials, where all are neighbours.
_PAIRS, _ALL_PAIRS = 1_000_000, 1_000
# Permutations, at most, each of which measures all.
_PERMUTATIONS = 99
# Neighbours that differ in a column this much less than any two do are too few to weigh it; and
# the share of neighbours with another category from which on N-RReliefF hardly sees it.
_HARDLY, _ALWAYS = 0.1, 0.99
# Numbers with at most so many possible values are given as categories to a method without levels.
_FEW = 10
# What games take of a configuration.
GIVEN = ("default", "configuration")

Options = dict[str, Any]


@dataclass(frozen=True)
class Trials:
    """Trials without missing values. X: (n, K), numbers as they are, categories as their positions
    in the choices. y: (n,), the target. columns: of X, by name, in its order. configuration: (n,),
    which of them have the same one. maximize: whether a large y is good."""

    X: pd.DataFrame
    y: Floats
    columns: Mapping[str, Hyperparameter]
    configuration: Ints
    maximize: bool

    def take(self, rows: Ints) -> "Trials":
        """These rows, as often as they are named."""
        X = self.X.iloc[rows].reset_index(drop=True)
        return replace(self, X=X, y=self.y[rows], configuration=self.configuration[rows])

    def varying(self) -> "Trials":
        """Without the columns that have one value only."""
        X = self.X.loc[:, (self.X.min() < self.X.max()).to_numpy()]
        return replace(self, X=X, columns={str(name): self.columns[str(name)] for name in X})

    def scaled(self) -> pd.DataFrame:
        """X with base-10 logarithms of the columns on a logarithmic scale."""
        log = {name: np.log10(self.X[name]) for name, column in self.columns.items() if column.log}
        return self.X.assign(**log)


# What all that follows gets, and the scores where they are known by then.
Settled = tuple[Trials, Options, Floats | None]


def _keep(trials: Trials, seed: int, options: Options) -> Settled:
    return trials, options, None


@dataclass(frozen=True)
class Method:
    """An importance method.

    label: its name for people. score: what its raw scores are. source: where it is from. measure:
    (trials, seed, **options) -> scores (K,), large for what matters. settle: (trials, seed,
    options) -> `Settled`. resample: as measure, but after the seed a count and whether to tell the
    progress: scores of so many resamples (count, K); without it, they are measured one by one.
    p_values: as resample, columns `p_value` and `p_adjusted` of K rows; null: against what. pairs:
    as measure, columns `first`, `second`, `weight`. most: a score can be. has_forest: whether it is
    only as good as a forest. asks_direction: whether it asks what is good. max_rows: used at most,
    drawn at random. max_bootstrap: resamples, max_columns: hyperparameters, at most. available:
    whether what it needs is installed.
    """

    label: str
    score: str
    source: str
    measure: Callable[..., Floats]
    settle: Callable[[Trials, int, Options], Settled] = _keep
    resample: Callable[..., Floats] | None = None
    p_values: Callable[..., pd.DataFrame] | None = None
    null: str = ""
    pairs: Callable[..., pd.DataFrame] | None = None
    most: float = 1.0
    has_forest: bool = False
    asks_direction: bool = False
    max_rows: int = 20_000
    max_bootstrap: int | None = None
    max_columns: int | None = None
    available: Callable[[], bool] = lambda: True


_OF_FOREST = partial(Method, has_forest=True, max_bootstrap=20)


def _note(text: str) -> None:
    warnings.warn(text, stacklevel=2)


def for_forest(trials: Trials) -> tuple[Floats, Floats]:
    """X (n, K) and y (n,), each column divided by a power of 2: no tree changes by it, and what
    scikit-learn takes in single precision, and squares, are numbers."""
    columns = [in_unit(trials.X[name].to_numpy(dtype=np.float64))[0] for name in trials.columns]
    return np.column_stack(columns), in_unit(trials.y)[0]


def _relief(trials: Trials, options: Options) -> tuple[NRReliefF, pd.DataFrame, Floats]:
    """The paper's options, but for a target that is no share of something; and its data."""
    inside = trials.y.min() >= 0 and trials.y.max() <= 1
    categorical = [name for name, one in trials.columns.items() if one.kind == "categorical"]
    own: Options = {"target_scale": "none" if inside else "range", "categorical": categorical}
    return NRReliefF(**own | options), trials.scaled(), trials.y


def _fit_relief(trials: Trials, options: Options) -> NRReliefF:
    model, X, y = _relief(trials, options)
    return model.fit(X, y)


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
    model = _fit_relief(trials, settled)
    usual = [column.mean_diff() for column in model.read(trials.scaled(), trials.y).columns]
    hardly = model.mean_diffs_ < _HARDLY * np.array(usual)
    if len(usual) == 1 or not hardly.any():
        sampled = settled.get("n_iterations")
        of = f"; of {sampled:,} of them, drawn at random" if sampled else ""
        count, sigma = settled["n_neighbors"], settled["sigma"]
        _note(f"{count:,} neighbours, sigma {sigma:.3g}, by the number of trials{of}")
        return trials, settled, _weights(model, trials)
    names = ", ".join(np.array(list(trials.columns))[hardly])
    drawn = np.random.default_rng(seed).permutation(len(trials.y))[:_ALL_PAIRS]
    of = f" ({len(drawn):,} trials, drawn at random)" if len(drawn) == _ALL_PAIRS else ""
    _note(
        f"all trials are neighbours, with the same influence{of}: the nearest hardly ever differ "
        f"in {names}"
    )
    trials = trials.take(np.sort(drawn)).varying()
    n = len(np.unique(trials.configuration))
    settled = own | {"n_neighbors": n - 1, "weighting": "uniform", "n_iterations": None} | options
    return trials, settled, None


def _weights(model: NRReliefF, trials: Trials) -> Floats:
    diffs = list(zip(trials.columns.values(), model.mean_diffs_, strict=True))
    if never := [column.name for column, diff in diffs if diff == 0]:
        _note(
            f"no neighbour differs in {', '.join(never)}: 0 by construction, whatever p is; more "
            "neighbours would tell"
        )
    if always := [c.name for c, diff in diffs if c.kind == "categorical" and diff > _ALWAYS]:
        _note(
            f"nearly all neighbours differ in {', '.join(always)}: the weight of a category with "
            "so many levels is too small by construction; fanova would tell"
        )
    return model.weights_


def _nrrelieff(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `NRReliefF`."""
    return _weights(_fit_relief(trials, options), trials)


def _resample_relief(
    trials: Trials, seed: int, count: int, progress: bool, **options: Any
) -> Floats:
    model, X, y = _relief(trials, options)
    return model.bootstrap(X, y, count, seed, progress)


def _test_relief(
    trials: Trials, seed: int, count: int, progress: bool, **options: Any
) -> pd.DataFrame:
    model, X, y = _relief(trials, options)
    return model.permutation_test(X, y, count, "column", seed, progress)


def _join_shares(trials: Trials, seed: int, **options: Any) -> pd.DataFrame:
    return _fit_relief(trials, options).joint_importances()


def _fanova(take: Callable[[FAnova], Any], trials: Trials, seed: int, **options: Any) -> Any:
    """options: of `FAnova`."""
    defaults: Options = {"random_state": seed, "space": trials.columns}
    return take(FAnova(**defaults | options).fit(trials.X, trials.y))


def _package(trials: Trials, seed: int, **options: Any) -> Floats:
    """options: of `fanova_package.importances`."""
    if len(trials.columns) == 1:  # its forest cuts by 70% of the columns, rounded down
        return np.ones(1)
    few, columns = [], trials.columns.items()
    for name, column in columns:
        levels = len(column.choices or ()) or np.inf
        if column.kind == "integer":
            levels = min(levels, column.bounds[1] - column.bounds[0] + 1)
        if levels <= _FEW or column.kind == "categorical":
            few.append(name)
    log = [name for name, column in columns if column.log and name not in few]
    defaults: Options = {"log": log, "categorical": few, "random_state": seed}
    table = fanova_package.importances(trials.X, trials.y, **defaults | options)
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
    X, y = for_forest(trials)
    forest = RandomForestRegressor(
        n_trees, min_samples_leaf=min_samples_leaf, random_state=seed % 2**32
    )
    n_splits = min(n_splits, len(np.unique(trials.configuration)))
    folds = GroupKFold(n_splits, shuffle=True, random_state=seed % 2**32)
    cv = list(folds.split(X, groups=trials.configuration))
    gains, before = np.zeros(X.shape[1]), 0.0
    taken: list[int] = []
    while rest := sorted({*range(X.shape[1])} - {*taken}):
        scores = {
            k: np.nan_to_num(cross_val_score(forest, X[:, sorted([*taken, k])], y, cv=cv)).mean()
            for k in rest
        }
        best = max(rest, key=scores.__getitem__)
        gains[best], before = scores[best] - before, scores[best]
        taken.append(best)
    return gains


class _Table(optuna.Study):
    """The trials as a study that is in no storage: to store them takes five times as long as to
    assess them. Evaluators ask for directions and trials only. Logarithms are taken here;
    categories and numbers with levels are the positions of these."""

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


def _through(evaluator: Callable[..., importance.BaseImportanceEvaluator]) -> Callable[..., Floats]:
    """What an evaluator of Optuna says, which takes a seed and the options."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        scores = evaluator(seed=seed, **options).evaluate(_Table(trials))
        return np.array([scores[name] for name in trials.columns])

    return measure


_PED_ANOVA = _through(lambda seed, **options: importance.PedAnovaImportanceEvaluator(**options))


def _test_ped_anova(
    trials: Trials, seed: int, count: int, progress: bool, **options: Any
) -> pd.DataFrame:
    """Against what configurations score whose targets are permuted."""
    random = np.random.default_rng(seed)
    first = np.unique(trials.configuration, return_index=True)[1]
    scores = [_PED_ANOVA(trials, seed, **options)]
    for _ in bar("permutations", progress, range(min(count, _PERMUTATIONS))):
        X = trials.X.iloc[random.permutation(first)[trials.configuration]].reset_index(drop=True)
        scores.append(_PED_ANOVA(replace(trials, X=X), seed, **options))
    weights = np.array(scores)
    return pd.DataFrame({"p_value": p_values(weights), "p_adjusted": adjusted_p_values(weights)})


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
    for given in GIVEN:
        for name, value in (options.get(given) or {}).items():
            column = trials.columns.get(name)
            known = column and column.kind == "categorical" and value in (column.choices or ())
            if known and value not in set(X[name]):
                raise ValueError(f"{given}: no trial has {name} = {value!r}")
    return trials, options, None


def _settle_ablation(trials: Trials, seed: int, options: Options) -> Settled:
    """What is not given of the configuration is the best trial's."""
    best = int(np.argmax(trials.y if trials.maximize else -trials.y))
    configuration = _with_choices(trials).iloc[best].to_dict()
    given = options.get("configuration") or {}
    if not set(configuration) <= set(given):
        _note("what is not given of the configuration is the best trial's")
    return _settle_game(trials, seed, options | {"configuration": configuration | given})


def _explain(game: str, trials: Trials, seed: int, **options: Any) -> Explanation:
    for given in GIVEN:
        if options.get(given) is not None:  # of columns that a resample has with several values
            values = options[given]
            options[given] = {name: values[name] for name in trials.columns if name in values}
    own = {"maximize": trials.maximize, "n_bootstrap": 0, "random_state": seed % 2**32}
    columns = list(trials.columns.values())
    explanation = explain(game, _with_choices(trials), trials.y, columns, **(own | options))
    if explanation.typical:
        _note(f"default of {', '.join(explanation.typical)}: median or most frequent value")
    return explanation


def _game(
    game: str, score: str, settle: Callable[..., Settled] = _settle_game, directed: bool = False
) -> Method:
    """Shapley values of a game of `hia.ranking.shapley`, and its pairs. options: of `explain`."""

    def measure(trials: Trials, seed: int, **options: Any) -> Floats:
        return _explain(game, trials, seed, **options).table["value"].to_numpy()

    def pairs(trials: Trials, seed: int, **options: Any) -> pd.DataFrame:
        table = _explain(game, trials, seed, **options).pairs
        return table[["first", "second", "value"]].rename(columns={"value": "weight"})

    return _OF_FOREST(
        f"{game} (HyperSHAP)",
        f"Shapley value of {score}, in a forest",
        "Wever et al. 2026",
        measure,
        settle,
        pairs=pairs,
        most=np.inf,
        asks_direction=directed,
        max_rows=3000,
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
        partial(_fanova, attrgetter("importances_")),
        has_forest=True,
        pairs=partial(_fanova, FAnova.pair_importances),
    ),
    "ped_anova": Method(
        "PED-ANOVA (Optuna)",
        "Pearson divergence of the best tenth of the trials from all, times 0.01",
        "Watanabe, Bansal and Hutter 2023",
        _PED_ANOVA,
        p_values=_test_ped_anova,
        null="against permuted targets",
        most=np.inf,
        asks_direction=True,
    ),
    "tunability": _game(
        "tunability", "what the best random configuration gains on the default", directed=True
    ),
    "sensitivity": _game("sensitivity", "the variance of random configurations"),
    "ablation": _game(
        "ablation", "what one configuration gains on the default", _settle_ablation, True
    ),
    "forward_selection": _OF_FOREST(
        "forward selection",
        "gain of cross-validated R² when a greedy selection takes the hyperparameter",
        "Hutter, Hoos and Leyton-Brown 2013",
        _forward_selection,
        max_rows=1000,
    ),
    "impurity": _OF_FOREST(
        "decrease of impurity (Optuna)",
        "share of the decrease of squared error by the cuts of a forest",
        "Breiman 2001; Louppe et al. 2013",
        _through(importance.MeanDecreaseImpurityImportanceEvaluator),
    ),
    "optuna_fanova": _OF_FOREST(
        "fANOVA (Optuna)",
        "as fanova, by another forest",
        "Hutter, Hoos and Leyton-Brown 2014",
        _through(partial(importance.FanovaImportanceEvaluator, n_trees=16)),
        max_rows=500,
    ),
    "fanova_package": _OF_FOREST(
        "fANOVA (fanova)",
        "as fanova, by the package of its authors",
        "Hutter, Hoos and Leyton-Brown 2014",
        _package,
        max_rows=3000,
        available=fanova_package.available,
    ),
}
