"""Weights of the hyperparameters: of all CNNs at once in several ways, and data set by data set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE, Hyperparameter
from hia.trials import TrialsError
from hia_book.claims import need

METHODS = {"nrrelieff": "N-RReliefF", "fanova": "functional ANOVA"}
SEARCHES = {"random": "random search", "bohb": "BOHB"}


def searched(sources: Sequence[str]) -> str:
    """Sources of trials in words; none named means all."""
    return " and ".join(word for name, word in SEARCHES.items() if name in (sources or SEARCHES))


def select(
    table: pd.DataFrame, datasets: Sequence[str] = (), sources: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of these data sets and sources; none named means all. Raises TrialsError naming a
    data set or source that the table does not have."""
    for column, chosen in (("dataset", datasets), ("source", sources)):
        if unknown := sorted(set(chosen) - set(table[column])):
            known = ", ".join(sorted(set(table[column])))
            raise TrialsError(f"no rows of {column} {unknown[0]!r}; there are: {known}")
        if chosen:
            table = table[table[column].isin(chosen)]
    return table


def drawn_space(table: pd.DataFrame) -> dict[str, Hyperparameter]:
    """Table 1's space, with `lr` on the scale on which these trials drew it (`lr_scale`). Where
    there are both scales, or no such column, it is the logarithm."""
    log = "lr_scale" not in table or "log" in set(table["lr_scale"])
    return SPACE | {"lr": replace(SPACE["lr"], log=log)}


def design(
    table: pd.DataFrame,
    columns: Sequence[str] = HYPERPARAMETERS,
    *,
    log: bool | None = None,
) -> pd.DataFrame:
    """The hyperparameters as an importance method takes them: (n, len(columns)).

    log: take the base-10 logarithm of the learning rate; None: where it was drawn on it.
    """
    result = table[list(columns)].copy()
    if "lr" in result and (drawn_space(table)["lr"].log if log is None else log):
        result["lr"] = np.log10(result["lr"])
    return result.astype(dict.fromkeys(result.select_dtypes("Int64"), "int64"))


def varying(table: pd.DataFrame, names: Sequence[str] = HYPERPARAMETERS) -> list[str]:
    """Those that have several values in a table of trials."""
    return [name for name in names if (table[name] != table[name].iloc[0]).any()]


def varied(*tables: pd.DataFrame) -> list[str]:
    """The hyperparameters that have several values on every data set of each table of trials."""
    own = [varying(rows) for table in tables for _, rows in table.groupby("dataset")]
    return [name for name in HYPERPARAMETERS if all(name in names for names in own)]


def samples(
    trials: pd.DataFrame, datasets: Sequence[str], sources: Sequence[str], beside: Sequence[str]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Trials to rank on each data set, by the names of their sources: of some and of others beside
    them, where no trial comes from these of the first again; and the hyperparameters that vary in
    both. Raises PageError for fewer than three data sets."""
    main = select(trials, datasets, sources)
    present = list(main["dataset"].unique())
    need(len(present) > 2, f"datasets={datasets}: agreement needs three data sets at least")
    others = [name for name in beside if (trials["source"] == name).any()] or sources
    both = {searched(sources): main, searched(others): select(trials, present, others)}
    return both, varied(*both.values())


def weigh(
    trials: pd.DataFrame,
    columns: list[str],
    method: str,
    *,
    n_neighbors: int = 30,
    sigma: float = 20.0,
    n_trees: int = 16,
    min_samples_leaf: int = 3,
    random_state: int = 0,
) -> pd.Series:
    """Weights of columns (K,), by name; 0 for a column that has one value only.

    method: a key of `METHODS`, or "nrrelieff_raw", with distances between values as they are. `lr`
    is on the scale on which it was drawn. n_neighbors: all other trials at most. Raises ValueError
    as `NRReliefF` and `FAnova` do.
    """
    several = varying(trials, columns)
    if method == "fanova":
        space = drawn_space(trials)
        forest = FAnova(n_trees, min_samples_leaf, random_state=random_state, space=space)
        weights = forest.fit(trials[several], trials["accuracy"]).importances_
    else:
        raw = method == "nrrelieff_raw"
        X = design(trials, several, log=False if raw else None)
        scale = "none" if raw else "range"
        relief = NRReliefF(min(n_neighbors, len(trials) - 1), sigma, scale=scale)
        weights = relief.fit(X, trials["accuracy"]).weights_
    return pd.Series(weights, several).reindex(columns, fill_value=0.0)


def take_best(trials: pd.DataFrame, part: float, by: str | list[str]) -> pd.DataFrame:
    """The trials of the highest accuracy: a part of each group, one at least."""
    place = trials.groupby(by)["accuracy"].rank(ascending=False)
    return trials[place <= (part * trials.groupby(by)["accuracy"].transform("size")).clip(lower=1)]


def by_dataset(
    trials: pd.DataFrame, columns: list[str], method: str, **options: Any
) -> pd.DataFrame:
    """`weigh` on each data set by itself: (data sets in the order of their names, columns)."""
    groups = trials.groupby("dataset")
    weights = {str(name): weigh(own, columns, method, **options) for name, own in groups}
    return pd.DataFrame(weights, columns).T


def by_sample(
    samples: Mapping[str, pd.DataFrame],
    columns: list[str],
    methods: Collection[str] = tuple(METHODS),
    **options: Any,
) -> dict[tuple[str, str], pd.DataFrame]:
    """`by_dataset` of each of some samples by each of some methods, by both."""
    return {
        (name, method): by_dataset(trials, columns, method, **options)
        for name, trials in samples.items()
        for method in methods
    }


def compare_halves(
    trials: pd.DataFrame,
    datasets: Sequence[str],
    columns: list[str],
    n_repeats: int = 1,
    *,
    random_state: int = 0,
    **options: Any,
) -> dict[str, NDArray[np.float64]]:
    """By method of `METHODS` Kendall's tau of the halves of each data set with its own other half,
    and the mean of those with halves of the others: (2, data sets), means over `n_repeats` random
    divisions into halves. options: of `weigh`."""
    rng = np.random.default_rng(random_state)
    agreement = {method: np.zeros((2, len(datasets))) for method in METHODS}
    options["random_state"] = random_state
    for _ in range(n_repeats):
        halves = []
        for name in datasets:
            own = trials[trials["dataset"] == name]
            parts = np.split(rng.permutation(len(own)), [len(own) // 2])
            halves.append([own.iloc[np.sort(part)] for part in parts])
        for method in METHODS:
            weights = [[weigh(half, columns, method, **options) for half in two] for two in halves]
            first, second = zip(*weights, strict=True)
            tau = np.array([[stats.kendalltau(a, b).statistic for b in second] for a in first])
            itself = np.diag(tau)
            others = (tau.sum(axis=0) + tau.sum(axis=1) - 2 * itself) / (2 * (len(datasets) - 1))
            agreement[method] += np.array([itself, others]) / n_repeats
    return agreement


def by_pair(table: pd.DataFrame) -> pd.Series:
    """The `weight` of pairs of hyperparameters, `first` and `second`, by frozenset."""
    pairs = map(frozenset, table[["first", "second"]].to_numpy())
    return pd.Series(dict(zip(pairs, table["weight"], strict=True)))


def square(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """A table of pairs (see `by_pair`) as a square (columns, columns), filled on both sides."""
    weights = by_pair(table)
    cells = [[weights.get(frozenset((row, column))) for column in columns] for row in columns]
    return pd.DataFrame(cells, columns, columns, dtype=float)


class Way(NamedTuple):
    """An estimator and what it gets."""

    relief: NRReliefF
    X: pd.DataFrame
    accuracy: pd.Series

    def weights(self) -> pd.Series:
        """W of Eq. 10, (K,), by name."""
        return pd.Series(self.relief.fit(self.X, self.accuracy).weights_, self.X.columns)


def ways(
    trials: pd.DataFrame, n_neighbors: int, sigma: float, log_lr: bool | None = None, **options: Any
) -> dict[str, Way]:
    """The ways of the page on importance, by name, all of the same columns.

    "Ours": all CNNs. "Random search": its own, or all where these are too few. "J = n/20": of these
    a twentieth as neighbours, at least `n_neighbors`, sigma in proportion. "Raw": all, on raw
    values. log_lr (see `design`) and options (of `NRReliefF`) are of all but "Raw".
    """
    drawn = trials[trials["source"] == "random"]
    if len(drawn) <= n_neighbors:
        drawn = trials
    columns = varying(drawn)
    many = min(max(n_neighbors, len(drawn) // 20), len(drawn) - 1)
    thirty = NRReliefF(n_neighbors, sigma=sigma, **options)
    growing = NRReliefF(many, sigma=sigma * many / n_neighbors, **options)
    raw = NRReliefF(n_neighbors, sigma=sigma, scale="none")
    X, X_drawn = design(trials, columns, log=log_lr), design(drawn, columns, log=log_lr)
    return {
        "Ours": Way(thirty, X, trials["accuracy"]),
        "Random search": Way(thirty, X_drawn, drawn["accuracy"]),
        "J = n/20": Way(growing, X_drawn, drawn["accuracy"]),
        "Raw": Way(raw, design(trials, columns, log=False), trials["accuracy"]),
    }
