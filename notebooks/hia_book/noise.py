"""What the seed and the number of training images do to accuracies, and to the order they give.

What differs between the seeds of one configuration no hyperparameter can explain. Its share of the
variance is the complement of the intraclass correlation ICC(1,1) of Shrout and Fleiss (1979), with
configurations as targets. The components are estimated by moments: seeds matter more for some
configurations than for others, so the F intervals of textbooks are too narrow.

Tables are those of `hia.trials`.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from hia_book.agreement import Estimate, RankAgreement, rank_agreement, student, typical_agreement


@dataclass(frozen=True)
class Components:
    """The parts of the variance of accuracy over the CNNs of one data set or of several.

    seed: between trainings of one configuration that differ in the seed only. configuration:
    between configurations of one data set. dataset: between the means of the data sets, 0 where
    there is one only. In squared accuracy; of several data sets the means, all weighing the same.
    """

    seed: float
    configuration: float
    dataset: float

    @property
    def share(self) -> float:
        """Share of the seed in the variance within a data set, in [0, 1]."""
        return self.seed / (self.seed + self.configuration)


def components(replicates: pd.DataFrame) -> Components:
    """The variance components of trainings that were repeated with other seeds.

    replicates: one row per training, columns `dataset`, `trial` (the configuration's) and
    `accuracy`; configurations may differ in their number of seeds. The seed's variance is the mean
    of the variances of the configurations with two seeds or more; the configurations' is that of
    their means, less what the seeds add to it; the data sets' likewise. What would be below 0 is 0.
    Raises ValueError where a data set has fewer than two configurations or none with two seeds, and
    where all accuracies of all data sets are the same.
    """
    return _components([_Group.of(name, rows) for name, rows in replicates.groupby("dataset")])


def seed_share(replicates: pd.DataFrame) -> Estimate:
    """The seed's share in the variance within data sets, with a 95 % interval.

    replicates: as for `components`. The interval leaves out one configuration at a time (jackknife,
    stratified by data set) on the scale of log-odds, with Student's t. It takes the configurations
    for a random sample, and the data sets as given. Simulated, it covers 92 to 94 %, where the F
    interval covers 86 to 90 %. It has no width where the share is 0 or 1, and is 0 to 1 where one
    configuration decides that.
    Raises ValueError as `components` does, and for a data set of two configurations.
    """
    groups = [_Group.of(name, rows) for name, rows in replicates.groupby("dataset")]
    share = _components(groups).share
    if share in (0, 1):
        return Estimate(share, share, share)
    variance = 0.0
    for index, group in enumerate(groups):
        others = groups[:index] + groups[index + 1 :]
        left_out = np.array([_components([*others, part]).share for part in group.parts()])
        if np.isin(left_out, (0, 1)).any():
            return Estimate(share, 0.0, 1.0)
        n = len(left_out)
        variance += (n - 1) * float(np.var(logit(left_out)))
    freedom = sum(len(group.means) for group in groups) - len(groups)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    low, high = (float(expit(logit(share) + step)) for step in (-half, half))
    return Estimate(share, low, high)


def between_seeds(replicates: pd.DataFrame) -> dict[str, RankAgreement]:
    """How alike two seeds order the configurations of each data set: the typical pair of seeds.

    Over the configurations that have all seeds of their data set. Data sets where these are fewer
    than three, or alike for a seed, are left out.
    """
    found = {}
    for name, own in replicates.groupby("dataset"):
        lists = own.pivot_table("accuracy", "trial", "replicate").dropna()
        pairs = [(lists[a], lists[b]) for a, b in combinations(lists, 2)]
        if pairs and _can_be_ordered(lists):
            found[str(name)] = typical_agreement([rank_agreement(*pair) for pair in pairs])
    return found


def beside_full(scaling: pd.DataFrame, fraction: float) -> pd.DataFrame:
    """Accuracies on `fraction` of the images and on as many as their trial had.

    Columns `accuracy` and `full`, indexed by `dataset` and `trial`: configurations that have both.
    """
    by_size = scaling.pivot_table("accuracy", ["dataset", "trial"], "fraction")
    if not {fraction, 1.0} <= set(by_size):
        return pd.DataFrame(columns=["accuracy", "full"], index=by_size.index[:0], dtype=float)
    return pd.DataFrame({"accuracy": by_size[fraction], "full": by_size[1.0]}).dropna()


def beside_trial(table: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Accuracies of trainings that repeat a trial, with its seed, and of the trial itself.

    Columns `accuracy` and `trial_accuracy`, indexed by `dataset` and `trial`. Trials that `trials`
    does not have, or has with another seed or other images, are left out.
    """
    key = ["dataset", "trial", "seed", "images", "val_images"]
    own = trials[[*key, "accuracy"]].rename(columns={"accuracy": "trial_accuracy"})
    both = table[[*key, "accuracy"]].merge(own, on=key).set_index(["dataset", "trial"])
    return both[["accuracy", "trial_accuracy"]]


def between_columns(lists: pd.DataFrame) -> dict[str, RankAgreement]:
    """How alike the two columns order the configurations of each data set.

    lists: two accuracies of each configuration, indexed by `dataset` and `trial`. Data sets with
    fewer than three configurations, or all alike in one column, are left out.
    """
    return {
        str(name): rank_agreement(own.iloc[:, 0], own.iloc[:, 1])
        for name, own in lists.groupby("dataset")
        if _can_be_ordered(own)
    }


def between_sizes(scaling: pd.DataFrame, fraction: float) -> dict[str, RankAgreement]:
    """How alike the configurations of each data set are ordered on `fraction` of the images and on
    as many as their trial had; as `between_columns`.
    """
    return between_columns(beside_full(scaling, fraction))


def with_other_seeds(lists: pd.DataFrame, replicates: pd.DataFrame) -> pd.DataFrame:
    """How alike each column, and the accuracies with other seeds, order the configurations.

    lists: accuracies of each configuration, all with the trial's seed, indexed by `dataset` and
    `trial` (as `beside_full` and `beside_trial` return them). replicates: with other seeds.
    Returns Kendall's tau, its mean over these seeds, by data set and column. Of each data set the
    configurations that have all these accuracies count; those with fewer than three, or all alike
    in a list, are left out.
    """
    found = {}
    for name, own in lists.groupby("dataset"):
        others = replicates[replicates["dataset"] == name].pivot_table(
            "accuracy", ["dataset", "trial"], "replicate"
        )
        both = own.join(others, how="inner").dropna()
        if len(others.columns) and _can_be_ordered(both):
            found[str(name)] = {
                column: np.mean([rank_agreement(both[column], both[k]).tau for k in others])
                for column in lists
            }
    return pd.DataFrame.from_dict(found, orient="index", columns=list(lists))


def beyond_seed(taus: pd.DataFrame) -> Estimate:
    """What a change does to the order of configurations beyond what another seed does.

    taus: as `with_other_seeds` returns them, of two columns: with the change, and without it.
    Below 0 the change moves the order.

    Two trainings that share the seed are alike for that alone. So tau between the order with the
    change and that without it must not be held against tau between two seeds. Here both are held
    against the same third orders, and what the seeds do is in both taus.
    Raises ValueError for fewer than two data sets.
    """
    if len(taus) < 2:
        raise ValueError(f"{len(taus)} data set(s): an interval needs two at least")
    return student(taus.iloc[:, 0] - taus.iloc[:, 1])


def winner_loss(scaling: pd.DataFrame, fraction: float) -> pd.Series:
    """What the best configuration on `fraction` of the images loses to the best on the trial's.

    By data set: difference of their accuracies on the trial's number of images, at least 0.
    """
    lists = beside_full(scaling, fraction)
    by_dataset = lists.groupby("dataset")
    winners = lists.loc[by_dataset["accuracy"].idxmax().to_list(), "full"].droplevel("trial")
    loss: pd.Series = by_dataset["full"].max() - winners
    return loss


def _can_be_ordered(lists: pd.DataFrame) -> bool:
    return len(lists) > 2 and bool((np.ptp(lists.to_numpy(), axis=0) > 0).all())


class _Group(NamedTuple):
    """The configurations of a data set: means, variances (NaN of one seed), numbers of seeds."""

    name: Hashable
    means: np.ndarray
    variances: np.ndarray
    seeds: np.ndarray

    @classmethod
    def of(cls, name: Hashable, rows: pd.DataFrame) -> "_Group":
        found = rows.groupby("trial")["accuracy"].agg(["mean", "var", "size"])
        return cls(name, *(found[column].to_numpy(dtype=float) for column in found))

    def parts(self) -> Iterator["_Group"]:
        """The group with one configuration left out, each in turn."""
        for out in range(len(self.means)):
            yield _Group(self.name, *(np.delete(values, out) for values in self[1:]))


def _components(groups: list[_Group]) -> Components:
    if not groups:
        raise ValueError("there are no trainings")
    seeds, configurations, errors = [], [], []
    for group in groups:
        if len(group.means) < 2 or np.isnan(group.variances).all():
            raise ValueError(
                f"{group.name}: two configurations are needed at least, and one of them with two "
                "seeds"
            )
        seeds.append(float(np.nanmean(group.variances)))
        between = float(group.means.var(ddof=1))
        configurations.append(between - seeds[-1] * float((1 / group.seeds).mean()))
        errors.append(between / len(group.means))
    seed, configuration = float(np.mean(seeds)), max(float(np.mean(configurations)), 0.0)
    if seed + configuration == 0:
        raise ValueError("all accuracies of a data set are the same: there is no variance to share")
    # The data sets are given, not drawn: the variance of D of them divides by D.
    spread = float(np.var([group.means.mean() for group in groups]))
    error = (1 - 1 / len(groups)) * float(np.mean(errors))
    return Components(seed, configuration, max(spread - error, 0.0))
