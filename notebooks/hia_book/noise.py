"""What the seed and the number of training images do to accuracies, and to the order they give.

What differs between the seeds of one configuration no hyperparameter can explain. Its share of the
variance is 1 - ICC(1,1) (Shrout and Fleiss 1979), configurations being the targets. Components are
estimated by moments: seeds matter more for some configurations than for others, so the F intervals
of textbooks are too narrow. Tables are those of `hia.trials`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit
from sklearn.ensemble import RandomForestRegressor

from hia.space import FILTERS
from hia_book.agreement import Estimate, RankAgreement, rank_agreement, student, typical_agreement
from hia_book.claims import need
from hia_book.rankings import design, weigh

FRACTIONS = (0.25, 0.5, 1.0, 2.0)  # of a trial's training images, in the table `scaling`


@dataclass(frozen=True)
class Components:
    """Parts of the variance of accuracy, squared: between seeds of one configuration, between
    configurations of a data set (means over several), and between the means of the data sets, 0
    where there is one only."""

    seed: float
    configuration: float
    dataset: float

    @property
    def share(self) -> float:
        """Share of the seed in the variance within a data set, in [0, 1]."""
        return self.seed / (self.seed + self.configuration)


def components(replicates: pd.DataFrame) -> Components:
    """The variance components of trainings that were repeated with other seeds.

    replicates: columns `dataset`, `trial` (the configuration's) and `accuracy`; numbers of seeds
    may differ. What would be below 0 is 0. Raises ValueError where a data set has fewer than two
    configurations or none with two seeds, and where all accuracies are the same.
    """
    return _components(_by_dataset(replicates))


def seed_share(replicates: pd.DataFrame) -> Estimate:
    """The seed's share in the variance within data sets, with a 95% interval.

    A jackknife over configurations, stratified by data set, on the scale of log-odds: simulated, it
    covers 92 to 94%, where the F interval covers 86 to 90%. No width where the share is 0 or 1,
    and 0 to 1 where one configuration decides that. Raises ValueError as `components` does.
    """
    groups = _by_dataset(replicates)
    share = _components(groups).share
    if share in (0, 1):
        return Estimate(share, share, share)
    variance, freedom = 0.0, 0
    for name, group in groups.items():
        others = {other: own for other, own in groups.items() if other != name}
        n = group.shape[1]
        parts = [_components(others | {name: np.delete(group, k, axis=1)}) for k in range(n)]
        left_out = np.array([one.share for one in parts])
        if np.isin(left_out, (0, 1)).any():
            return Estimate(share, 0.0, 1.0)
        variance += (n - 1) * float(np.var(logit(left_out)))
        freedom += n - 1
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    low, high = (float(expit(logit(share) + step)) for step in (-half, half))
    return Estimate(share, low, high)


def complete(table: pd.DataFrame, rows_of_each: int) -> pd.DataFrame:
    """The rows of the configurations that have so many, on data sets with three of them or more: an
    experiment can be recorded in part."""
    key = ["dataset", "trial"]
    whole = table[table.groupby(key)["seed"].transform("size") >= rows_of_each]
    return whole[whole.groupby("dataset")["trial"].transform("nunique") > 2]


def explained(trials: pd.DataFrame, dataset: str, random_state: int = 0) -> float:
    """Share of the variance (R²) that a forest explains of the CNNs of a data set, each out of
    bag; NaN for fewer than 30."""
    own = trials[trials["dataset"] == dataset]
    if len(own) < 30:
        return float("nan")
    X = design(own).assign(**{layer: own[layer].astype(float).fillna(0) for layer in FILTERS})
    forest = RandomForestRegressor(100, oob_score=True, random_state=random_state)
    return float(forest.fit(pd.get_dummies(X, dtype=float).to_numpy(), own["accuracy"]).oob_score_)


def between_seeds(replicates: pd.DataFrame) -> dict[str, RankAgreement]:
    """How alike two seeds order the configurations of each data set, those that have all seeds: as
    `between_columns`."""
    return between_columns(_beside(replicates, "replicate"))


def beside_full(scaling: pd.DataFrame, fraction: float) -> pd.DataFrame:
    """Accuracies on `fraction` of the images and on as many as their trial had: columns `accuracy`
    and `full`, by `dataset` and `trial`, of the configurations that have both."""
    both = _beside(scaling, "fraction").reindex(columns=[fraction, 1.0])
    return both.set_axis(["accuracy", "full"], axis=1).dropna()


def _beside(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Accuracies by `dataset` and `trial`, a column for each value of this one."""
    return table.pivot_table("accuracy", ["dataset", "trial"], column)


def beside_trial(table: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Accuracies of trainings that repeat a trial, with its seed and images, and of the trial
    itself: columns `accuracy` and `trial_accuracy`, by `dataset` and `trial`."""
    key = ["dataset", "trial", "seed", "images", "val_images"]
    own = trials[[*key, "accuracy"]].rename(columns={"accuracy": "trial_accuracy"})
    both = table[[*key, "accuracy"]].merge(own, on=key).set_index(["dataset", "trial"])
    return both[["accuracy", "trial_accuracy"]]


def between_columns(lists: pd.DataFrame) -> dict[str, RankAgreement]:
    """How alike two columns of accuracies, by `dataset` and `trial`, order the configurations: the
    typical pair of those that a data set has. Data sets with fewer than three configurations, or
    all alike in one column, are left out."""
    taus = {}
    for name, own in lists.groupby("dataset"):
        own = own.dropna(axis=1, how="all").dropna()
        if own.shape[1] > 1 and _can_be_ordered(own):
            pairs = combinations(own, 2)
            taus[str(name)] = typical_agreement([rank_agreement(own[a], own[b]) for a, b in pairs])
    return taus


def with_other_seeds(lists: pd.DataFrame, replicates: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau of each column with the accuracies by other seeds, their mean, by data set.

    lists: of `beside_full` or `beside_trial`, all with the trial's seed. replicates: with other
    seeds. Configurations that have all these accuracies count; data sets as for `between_columns`.
    """
    taus = {}
    for name, own in lists.groupby("dataset"):
        others = _beside(replicates[replicates["dataset"] == name], "replicate")
        both = own.join(others, how="inner").dropna()
        if len(others.columns) and _can_be_ordered(both):
            taus[str(name)] = {
                column: np.mean([rank_agreement(both[column], both[k]).tau for k in others])
                for column in lists
            }
    return pd.DataFrame.from_dict(taus, orient="index", columns=list(lists))


def beyond_seed(taus: pd.DataFrame) -> Estimate:
    """What a change does to the order of configurations beyond what another seed does; below 0 it
    moves the order. Trainings that share the seed are alike for that alone, so both are held
    against the same third orders.

    taus: of `with_other_seeds`, two columns: with the change and without. Raises ValueError for
    fewer than two data sets.
    """
    if len(taus) < 2:
        raise ValueError(f"{len(taus)} data set(s): an interval needs two at least")
    return student(taus.iloc[:, 0] - taus.iloc[:, 1])


def winner_loss(scaling: pd.DataFrame, fraction: float) -> pd.Series:
    """What the best configuration on `fraction` of the images loses to the best on the trial's, by
    data set, in accuracy on the trial's number of images."""
    lists = beside_full(scaling, fraction)
    by_dataset = lists.groupby("dataset")
    winners = lists["full"].loc[by_dataset["accuracy"].idxmax().to_list()].droplevel("trial")
    return by_dataset["full"].max() - winners


def between_rankings(
    tables: Sequence[pd.DataFrame], columns: Sequence[str], n_neighbors: int
) -> RankAgreement:
    """How alike N-RReliefF ranks hyperparameters by two tables of CNNs, typically: by ranks of
    accuracy within the data sets, scaled to (0, 1]. Raises PageError where a table has too few CNNs
    for so many neighbours."""
    lists = []
    for table in tables:
        few = f"{len(table)} CNNs are few for {n_neighbors} neighbours"
        need(len(table) > 2 * n_neighbors, few)
        ranked = table.assign(accuracy=table.groupby("dataset")["accuracy"].rank(pct=True))
        lists.append(weigh(ranked, list(columns), "nrrelieff", n_neighbors=n_neighbors))
    return typical_agreement([rank_agreement(*pair) for pair in combinations(lists, 2)])


def shared(tables: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    """The rows of the configurations that all tables have, in the same order."""
    by_key = [table.set_index(["dataset", "trial"]) for table in tables]
    keys = sorted(set(by_key[0].index).intersection(*(table.index for table in by_key)))
    return [table.loc[keys].reset_index() for table in by_key]


def apart(
    trials: pd.DataFrame, counts: pd.Series, n_pairs: int, random_state: int
) -> Iterator[list[pd.DataFrame]]:
    """Pairs of random samples that share no trial, with so many of each data set (counts)."""
    rng = np.random.default_rng(random_state)
    of_each = {name: trials[trials["dataset"] == name] for name in counts.index}
    for _ in range(n_pairs):
        orders = {name: rng.permutation(len(own)) for name, own in of_each.items()}
        drawn = [own.iloc[orders[x][: 2 * counts[x]]] for x, own in of_each.items()]
        yield [pd.concat([own[part::2] for own in drawn]) for part in (0, 1)]


def _can_be_ordered(lists: pd.DataFrame) -> bool:
    return len(lists) > 2 and bool((np.ptp(lists.to_numpy(), axis=0) > 0).all())


def _by_dataset(replicates: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Means, variances (NaN of one seed) and numbers of seeds of the configurations, (3, n)."""
    return {
        str(name): rows.groupby("trial")["accuracy"].agg(["mean", "var", "size"]).to_numpy(float).T
        for name, rows in replicates.groupby("dataset")
    }


def _components(groups: Mapping[str, NDArray[np.float64]]) -> Components:
    if not groups:
        raise ValueError("there are no trainings")
    within, between, errors = [], [], []
    for name, (means, variances, seeds) in groups.items():
        if len(means) < 2 or np.isnan(variances).all():
            raise ValueError(
                f"{name}: two configurations are needed at least, and one of them with two seeds"
            )
        within.append(float(np.nanmean(variances)))
        spread = float(means.var(ddof=1))
        between.append(spread - within[-1] * float((1 / seeds).mean()))
        errors.append(spread / len(means))
    seed, configuration = float(np.mean(within)), max(float(np.mean(between)), 0.0)
    if seed + configuration == 0:
        raise ValueError("all accuracies of a data set are the same: there is no variance to share")
    # The data sets are given, not drawn: the variance of D of them divides by D.
    spread = float(np.var([means.mean() for means, *_ in groups.values()]))
    error = (1 - 1 / len(groups)) * float(np.mean(errors))
    return Components(seed, configuration, max(spread - error, 0.0))
