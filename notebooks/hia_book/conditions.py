"""CNNs trained under several conditions: lr drawn uniformly or on its logarithm, some images or
all."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from hia_book import rankings
from hia_book.multiverse import findings

# The two peaks of accuracies that Fig. 3 shows lie below the one and above the other.
LOW, HIGH = 0.25, 0.7


def equal_counts(*tables: pd.DataFrame) -> list[pd.DataFrame]:
    """Of each data set the first CNNs of each table, as many as every table has."""
    of_each = [table["dataset"].value_counts() for table in tables]
    counts = pd.concat(of_each, axis=1).min(axis=1)
    return [
        pd.concat([own.head(int(counts[name])) for name, own in table.groupby("dataset")])
        for table in tables
    ]


def average(values: pd.DataFrame, random_state: int = 0) -> pd.DataFrame:
    """Mean of each column of values (data sets, columns) with the bootstrap's 95% percentiles:
    `mean`, `low`, `high` by column, the lowest mean first."""
    interval = stats.bootstrap(
        (values.to_numpy(),), np.mean, axis=0, method="percentile", rng=random_state
    ).confidence_interval
    table = {"mean": values.mean(), "low": interval.low, "high": interval.high}
    return pd.DataFrame(table).sort_values("mean", kind="stable")


def compare(
    weights: Mapping[tuple[str, str], pd.DataFrame], before: str, after: str, random_state: int = 0
) -> dict[str, pd.DataFrame]:
    """By method, what one sample adds to the mean ranks of another, with intervals as of `average`;
    below 0 a hyperparameter gains. weights: of `rankings.by_sample`."""
    added = {}
    for method in rankings.METHODS:
        one, other = (weights[x, method].rank(axis=1, ascending=False) for x in (before, after))
        added[method] = average(other - one, random_state)
    return added


def judge(ranks: pd.Series, published: pd.Series) -> dict[str, bool]:
    """Which of the paper's findings about its ranking another ranking repeats: the first three in
    "order", the first "three" and "five" and the "last" two as sets. Equal ranks count against the
    paper. ranks, published: by hyperparameter, 1 for the most important."""
    paper = published[ranks.index]
    ranks = ranks - 1e-9 * paper
    first = list(ranks.sort_values(kind="stable").index[:3])
    found = {one.key: one.holds(ranks.to_frame().T).item() for one in findings(paper) if one.key}
    return found | {"order": first == list(paper.nsmallest(3).index)}


def heaps(accuracies: pd.Series) -> pd.Series:
    """Shares of accuracies below `LOW`, from there to `HIGH`, and above."""
    below, above = (accuracies < LOW).mean(), (accuracies > HIGH).mean()
    return pd.Series({"below": below, "between": 1 - below - above, "above": above})


def respond(trials: pd.DataFrame, edges: np.ndarray) -> pd.DataFrame:
    """Mean accuracy by optimizer, number of convolutional layers and interval of `lr` between these
    edges; every data set counts the same. Columns `optimizer`, `num_conv_layers`, `lr` (the
    interval's geometric mean), `accuracy`, `cnns`."""
    middle = np.sqrt(edges[:-1] * edges[1:])
    cut = pd.cut(trials["lr"], edges.tolist(), labels=middle.tolist(), include_lowest=True)
    by = ["optimizer", "num_conv_layers", "lr"]
    groups = trials.assign(lr=cut.astype(float)).groupby([*by, "dataset"])["accuracy"]
    means = groups.agg(["mean", "size"]).groupby(by)
    return means.agg(accuracy=("mean", "mean"), cnns=("size", "sum")).reset_index()
