"""Does a ranking pay? Searches that tune its first k hyperparameters, against tuning everything.

Tried on surrogates: for each data set a forest that predicts the accuracy of any configuration of
Table 1. The hyperparameters are ranked on the other nine data sets, the first k are tuned on the
surrogate of the one left out, and the rest stay at their defaults.

- The space: the thirteen hyperparameters that can be chosen (`NAMES`), without filters of layers
  that a configuration does not have. The ten of Table 3 among them are ranked (`RANKED`).
- The epochs (`EPOCHS`). Longer training is better with nearly any other choice, so tuning `epoch`
  is no fair match for Table 1's 2. In the arm "longest" all have the most that Table 1 allows.
- The rankings (`RANKINGS`) are of random search's trials: BOHB's are no independent draws.
  Surrogates learn from all, since BOHB's lie where searches end.
- The defaults (`DEFAULTS`) are the first trial of every search, tuned or not.
- TPE takes a thousand times longer than random search, so there is less of it (`jobs`).

Configurations are encoded as numbers, (n, 13), in the order of `NAMES`.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

from hia import space
from hia_book import recording
from hia_book.surfaces import Floats, values_at
from hia_book.truth import CONTENDERS, Row

Bools = NDArray[np.bool_]

NAMES = space.SAMPLED
PLACE = {name: place for place, name in enumerate(NAMES)}
USED = ["dataset", "source", *space.SPACE, "accuracy"]  # of the trials
RANKED = tuple(name for name in space.HYPERPARAMETERS if name in NAMES)
TOP = (1, 2, 3, 5)
COMPUTED = ("nrrelieff", "nrrelieff_growing", "fanova", "tunability")
# Key -> label.
RANKINGS = {
    **{name: CONTENDERS[name].label for name in COMPUTED},
    "paper": "the paper's Table 3",
    "random": "random order",
    "reversed": "N-RReliefF, reversed",
}
ALL = "all"  # in place of a ranking: every hyperparameter is tuned
LONGEST, TUNED = "longest", "tuned"
EPOCHS = (LONGEST, TUNED)
DEFAULTS = {"table1": "Table 1's default", "learned": "the learned default"}
SHORT = {"table1": "paper's", "learned": "learned"}
SEARCHES = ("random", "tpe")
# Numbers of trials at which a search is looked at.
_FEW = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64)
CHECKPOINTS = {"random": (*_FEW, 80, 100, 128, 160, 200), "tpe": _FEW}
REPETITIONS = {"random": 200, "tpe": 4}

# Of a surrogate. Leaves of one trial would repeat each trial's noise.
_TREES, _LEAF = 64, 2
# Configurations among which the learned default is looked for.
_CANDIDATES = 10_000
# Of `ceiling`: random configurations, the best of which are improved, and values tried of one
# hyperparameter at most.
_POINTS, _STARTS, _VALUES = 2048, 6, 41
_SINGLE = 1e-6  # accuracies in single precision differ by less from what they were


def encode(table: pd.DataFrame) -> Floats:
    """Configurations as numbers (n, 13): lr as its base-10 logarithm, the optimizer as its place
    among the choices, filters of layers that do not exist as 0."""
    return without_absent(_numbers(table))


def _numbers(table: pd.DataFrame) -> Floats:
    encoded = np.empty((len(table), len(NAMES)))
    for place, name in enumerate(NAMES):
        row = space.SPACE[name]
        if row.kind == "categorical":
            encoded[:, place] = pd.Index(row.choices or ()).get_indexer(pd.Index(table[name]))
        else:
            numbers = table[name].astype("float64").to_numpy(na_value=np.nan)
            encoded[:, place] = np.log10(numbers) if row.log else numbers
    return encoded


def without_absent(X: Floats) -> Floats:
    """X (n, 13) with 0 for the filters of layers that do not exist."""
    X = X.copy()
    layers = X[:, PLACE["num_conv_layers"]]
    for layer, name in enumerate(space.FILTERS, start=1):
        X[layers < layer, PLACE[name]] = 0.0
    return X


def draw(n: int, rng: np.random.Generator) -> Floats:
    """Random configurations (n, 13), encoded, with all numbers of filters."""
    drawn = {name: values_at(space.SPACE[name], rng.random(n)) for name in NAMES}
    return _numbers(pd.DataFrame(drawn))


def decode(x: Floats) -> dict[str, Any]:
    """A configuration (13,) as a reader writes it."""
    config: dict[str, Any] = {}
    for name, value in zip(NAMES, x, strict=True):
        row = space.SPACE[name]
        if row.kind == "categorical":
            config[name] = (row.choices or ())[int(value)]
        elif row.kind == "integer":
            config[name] = round(value)
        else:
            config[name] = float(10**value if row.log else value)
    return config


def table1_default() -> Floats:
    """Table 1's default (13,), encoded, with all numbers of filters."""
    defaults = {name: [space.SPACE[name].default] for name in NAMES}
    return np.asarray(_numbers(pd.DataFrame(defaults))[0])


def mask(names: Sequence[str]) -> Bools:
    """(13,): which hyperparameters are tuned."""
    return np.isin(NAMES, list(names))


class Surrogate:
    """The accuracy of any configuration on one data set (rows: its trials), by extra-trees."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self._forest = _forest().fit(encode(rows), rows["accuracy"])

    def __call__(self, X: Floats) -> Floats:
        """Accuracies (n,) of encoded configurations (n, 13)."""
        # Tree by tree: what the forest does around that takes longer than a few rows do.
        rows = without_absent(X).astype(np.float32)
        trees = self._forest.estimators_
        return np.asarray(np.mean([tree.tree_.predict(rows)[:, 0] for tree in trees], axis=0))


def _forest() -> ExtraTreesRegressor:
    return ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, random_state=0)


def quality(rows: pd.DataFrame) -> dict[str, float]:
    """How well the surrogate of a data set predicts trials that it has not seen, cross-validated.

    `r2`, `random` (of random search's trials only: BOHB's are like each other), `spearman`, `top`
    (the same of the quarter that is predicted best, where searches go) and `error`, mean absolute.
    """
    y = rows["accuracy"].to_numpy()
    folds = KFold(5, shuffle=True, random_state=0)
    predicted = cross_val_predict(_forest(), encode(rows), y, cv=folds)
    top = predicted >= np.quantile(predicted, 0.75)
    drawn = (rows["source"] == "random").to_numpy()
    return {
        "r2": float(r2_score(y, predicted)),
        "random": float(r2_score(y[drawn], predicted[drawn])),
        "spearman": float(spearmanr(y, predicted).statistic),
        "top": float(spearmanr(y[top], predicted[top]).statistic),
        "error": float(np.abs(y - predicted).mean()),
    }


def tunable(epochs: str = LONGEST) -> tuple[str, ...]:
    """What can be tuned in an arm of `EPOCHS`: the thirteen, or those without `epoch`."""
    return tuple(name for name in NAMES if epochs == TUNED or name != "epoch")


def ranked(epochs: str = LONGEST) -> tuple[str, ...]:
    """What is ranked of it: all but the numbers of filters."""
    return tuple(name for name in tunable(epochs) if name in RANKED)


def everything(epochs: str = LONGEST, *, filters: bool = True) -> tuple[str, int]:
    """`ALL` and how many that are; without filters, the ranked ones."""
    return ALL, len(tunable(epochs) if filters else ranked(epochs))


def trained(X: Floats, epochs: str) -> Floats:
    """Configurations (..., 13) with the epochs of an arm: with the most, or as they are."""
    X = X.copy()
    if epochs == LONGEST:
        X[..., PLACE["epoch"]] = space.SPACE["epoch"].bounds[1]
    return X


def learned_defaults(
    surrogates: Mapping[str, Surrogate], epochs: str = LONGEST
) -> dict[str, Floats]:
    """For each data set the configuration (13,) that is best on the others.

    Of many random ones, that with the largest mean over the other surrogates of its place between
    the mean and the largest prediction, so that all data sets count the same.
    """
    X = trained(draw(_CANDIDATES, np.random.default_rng(0)), epochs)
    merits = {}
    for name, surrogate in surrogates.items():
        y = surrogate(X)
        merits[name] = (y - y.mean()) / (y.max() - y.mean())
    total = np.sum(list(merits.values()), axis=0)
    return {name: X[np.argmax(total - merit)] for name, merit in merits.items()}


def rankings(others: pd.DataFrame, paper: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Orders of the ten, the most important first, by the keys of `RANKINGS` but "random".

    others: trials of all data sets but one. paper: the paper's order, names that cannot be tuned
    among them. Raises ValueError where there are no trials of random search.
    """
    drawn = others[others["source"] == "random"]
    if drawn.empty:
        raise ValueError("source: no trials of random search to rank the hyperparameters on")
    orders: dict[str, tuple[str, ...]] = {}
    for method in COMPUTED:
        scores = CONTENDERS[method].rank(drawn, "accuracy", space.TABLE1, 0)
        order = scores.sort_values(ascending=False, kind="stable").index
        orders[method] = tuple(str(name) for name in order if name in RANKED)
    orders["paper"] = tuple(name for name in paper if name in RANKED)
    return orders | {"reversed": orders["nrrelieff"][::-1]}


def random_order(dataset: str, repetition: int) -> tuple[str, ...]:
    """A random order of the ten, another one in every repetition."""
    return tuple(_rng("order", dataset, repetition).permutation(RANKED).tolist())


def random_search(
    surrogate: Surrogate, free: Bools, default: Floats, trials: int, rng: np.random.Generator
) -> Floats:
    """Best accuracy after each trial (R, trials) of R random searches.

    free: (R, 13), what each tunes. default: (13,), the first trial, and what the rest stays at.
    """
    drawn = draw(len(free) * trials, rng).reshape(len(free), trials, -1)
    X = np.where(free[:, None], drawn, default)
    X[:, 0] = default
    y = surrogate(X.reshape(-1, len(default))).reshape(len(free), trials)
    return np.asarray(np.maximum.accumulate(y, axis=1))


def tpe(
    surrogate: Surrogate, free: Bools, default: Floats, trials: int, rng: np.random.Generator
) -> Floats:
    """As `random_search`, by Optuna's TPE with its own options; the searches go in step."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    config, studies = decode(default), []
    for tuned in free:
        sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)))
        studies.append(optuna.create_study(direction="maximize", sampler=sampler))
        studies[-1].enqueue_trial({name: config[name] for name in np.array(NAMES)[tuned]})
    y = np.empty((len(free), trials))
    for step in range(trials):
        asked = [study.ask() for study in studies]
        X = [_suggest(trial, tuned, default) for trial, tuned in zip(asked, free, strict=True)]
        y[:, step] = surrogate(np.array(X))
        for study, trial, value in zip(studies, asked, y[:, step], strict=True):
            study.tell(trial, float(value))
    return np.asarray(np.maximum.accumulate(y, axis=1))


def _suggest(trial: optuna.Trial, tuned: Bools, default: Floats) -> Floats:
    """A configuration (13,): what is tuned is asked for, as far as it exists."""
    x = default.copy()
    for place, name in enumerate(NAMES):  # num_conv_layers comes before the filters
        row = space.SPACE[name]
        layer = space.FILTERS.index(name) + 1 if name in space.FILTERS else 0
        if not tuned[place] or layer > x[PLACE["num_conv_layers"]]:
            continue
        value = space.suggest(trial, row)
        if row.kind == "categorical":
            value = (row.choices or ()).index(value)
        x[place] = np.log10(value) if row.log else value
    return x


def ceiling(surrogate: Surrogate, tuned: Bools, default: Floats, rng: np.random.Generator) -> float:
    """The best accuracy that tuning these (13,) can reach, the rest at the default: a lower bound.

    The best of many random configurations, improved one hyperparameter at a time until that does
    not help.
    """
    X = np.where(tuned, draw(_POINTS, rng), default)
    X[0] = default
    y = surrogate(X)
    best = np.argsort(-y, kind="stable")[:_STARTS]
    X, y = X[best], y[best]
    while True:
        before = y.max()
        for place in np.flatnonzero(tuned):
            grid = _grid(NAMES[place])
            tried = np.repeat(X[:, None], len(grid), axis=1)
            tried[:, :, place] = grid
            values = surrogate(tried.reshape(-1, len(default))).reshape(len(X), -1)
            better = values.max(axis=1) > y
            X[better, place] = grid[values.argmax(axis=1)[better]]
            y = np.maximum(y, values.max(axis=1))
        if y.max() <= before:
            return float(y.max())


@cache
def _grid(name: str) -> Floats:
    """Values of a hyperparameter, encoded: all, or some that are evenly spaced."""
    row = space.SPACE[name]
    if row.choices is not None:
        categories = row.kind == "categorical"
        return np.array(range(len(row.choices)) if categories else row.choices, dtype=float)
    low, high = np.log10(row.bounds) if row.log else row.bounds
    values = np.linspace(low, high, _VALUES)
    return np.unique(np.rint(values) if row.kind == "integer" else values)


@dataclass(frozen=True)
class Job:
    """Searches on the surrogate of a data set that tune the first k of a ranking (of `RANKINGS`, or
    `everything`). epochs: one of `EPOCHS`."""

    dataset: str
    epochs: str
    default: str
    search: str
    ranking: str
    k: int


def jobs(datasets: Sequence[str], searches: Sequence[str] = SEARCHES) -> list[Job]:
    """All jobs, random search first."""
    first = [(ranking, k) for ranking in RANKINGS for k in TOP]
    return [
        Job(dataset, epochs, default, search, ranking, k)
        for search in searches
        for epochs in EPOCHS
        for default in DEFAULTS
        for dataset in datasets
        for ranking, k in (*first, everything(epochs, filters=False), everything(epochs))
        if search == "random" or ((epochs, default) == (LONGEST, "table1") and ranking != "random")
    ]


class Experiment:
    """The recorded study, and searches on its surrogates.

    trials: of two data sets at least. paper: see `rankings`. Attributes: `surrogates`, `defaults`
    (epochs -> default -> data set -> configuration (13,)) and `rankings` (data set -> ranking ->
    names, `epoch` among them).
    """

    def __init__(self, trials: pd.DataFrame, paper: Sequence[str]) -> None:
        parts = {str(name): rows for name, rows in trials.groupby("dataset")}
        if len(parts) < 2:
            raise ValueError(f"trials of {len(parts)} data set(s): one is left out of two at least")
        self.surrogates = {name: Surrogate(rows) for name, rows in parts.items()}
        self.defaults = {
            epochs: {
                "table1": dict.fromkeys(parts, trained(table1_default(), epochs)),
                "learned": learned_defaults(self.surrogates, epochs),
            }
            for epochs in EPOCHS
        }
        self.rankings = {name: rankings(trials[trials["dataset"] != name], paper) for name in parts}
        self._keys = {name: joblib.hash(rows) for name, rows in parts.items()}

    def tuned(self, job: Job, repetition: int = 0) -> tuple[str, ...]:
        """What a job tunes, in the order of `NAMES`. A random order depends on the repetition."""
        names = tunable(job.epochs)
        if job.ranking == ALL:
            return names if job.k == len(names) else ranked(job.epochs)
        if job.ranking == "random":
            order = random_order(job.dataset, repetition)
        else:
            order = self.rankings[job.dataset][job.ranking]
        chosen = [name for name in order if name in names][: job.k]
        return tuple(name for name in names if name in chosen)

    def arguments(self, job: Job) -> tuple[Any, ...]:
        """What `search` needs to do a job."""
        return (
            self.surrogates[job.dataset],
            self._keys[job.dataset],
            self.defaults[job.epochs][job.default][job.dataset],
            (job.dataset, job.epochs, job.default, job.search),
            [self.tuned(job, repetition) for repetition in range(REPETITIONS[job.search])],
            CHECKPOINTS[job.search],
        )

    def row(self, job: Job, result: Row) -> Row:
        """A finished job, of `result`, what `search` returned."""
        tuned = [] if job.ranking == "random" else list(self.tuned(job))
        return {**vars(job), "tuned": tuned, **result}


def search(
    surrogate: Surrogate,
    key: str,
    default: Floats,
    arm: tuple[str, str, str, str],
    tuned: Sequence[tuple[str, ...]],
    checkpoints: Sequence[int],
) -> Row:
    """Searches that each tune some names and leave the rest at the default.

    key: a hash of what the surrogate learned from, which stands for it in a cache. arm: `dataset`,
    `epochs`, `default` and `search` of the job, which with `tuned` seed the searches. Returns over
    the searches the mean best accuracy at the checkpoints (`mean`), its standard error (`error`),
    the best of all (`found`), and what tuning these can reach at all (`ceiling`; of random orders
    the first five).
    """
    points = np.array(checkpoints)
    searches = {"random": random_search, "tpe": tpe}[arm[-1]]
    different = list(dict.fromkeys(tuned))
    rng = _rng(*arm, *different)
    best = searches(surrogate, np.array(list(map(mask, tuned))), default, int(points.max()), rng)
    reached = [ceiling(surrogate, mask(names), default, rng) for names in different[:5]]
    if len(different) == 1:
        reached[0] = max(reached[0], float(best.max()))
    at_points = best[:, points - 1]
    return {
        "mean": at_points.mean(axis=0).tolist(),
        "error": (at_points.std(axis=0, ddof=1) / np.sqrt(len(at_points))).tolist(),
        "found": float(best.max()),
        "ceiling": float(np.mean(reached)),
    }


def _rng(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """One row per finished job: the columns of `Experiment.row`, `trials`, the checkpoints, and
    `best`, the best accuracy of anything on that surrogate with these epochs."""
    jobs = pd.DataFrame(rows)
    reached = jobs[["found", "ceiling"]].max(axis=1)
    jobs["best"] = reached.groupby([jobs["dataset"], jobs["epochs"]]).transform("max")
    jobs["trials"] = jobs["search"].map({name: list(at) for name, at in CHECKPOINTS.items()})
    for name in ("mean", "error"):  # half the file
        jobs[name] = jobs[name].map(np.float32)
    order = ["search", "epochs", "default", "dataset", "ranking", "k"]
    return jobs.sort_values(order, ignore_index=True)


def load(path: str | Path) -> pd.DataFrame:
    """The recorded searches. Raises as `hia_book.recording.read`, and ValueError naming the first
    row at fault."""
    expected = ["dataset", "epochs", "default", "search", "ranking", "k", "tuned", "trials"]
    expected += ["mean", "error", "found", "ceiling", "best"]
    table = recording.read(path, expected, "record_tuning.py")
    for number, row in enumerate(table.to_dict("records")):
        if not len(row["trials"]) == len(row["mean"]) == len(row["error"]):
            raise ValueError(f"{path}: row {number} has means of other numbers than its trials")
        if max(row["mean"]) > row["best"] + _SINGLE:
            raise ValueError(f"{path}: row {number} is better on average than `best`")
    return table


def complete(searches: pd.DataFrame) -> pd.DataFrame:
    """The searches on those data sets for which all jobs of the kind of search are there."""
    wanted = searches["search"].map({name: len(jobs(["one"], [name])) for name in SEARCHES})
    counts = searches.groupby(["search", "dataset"])["k"].transform("size")
    return searches[counts == wanted]
