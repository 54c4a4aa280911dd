"""Eqs. 10 and 12 to 14 of N-RReliefF (Wang et al. 2024): sums over rows and their neighbours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hia import neighbours
from hia.inputs import Bools, Floats, Ints, number_configurations

Visit = Callable[[Ints, Ints, Floats], None]
# Eqs. 12 (a number), 13 and 14 (K,).
Means = tuple[float, Floats, Floats]

# An average |Δp| this near to 1 is 1.
_NEAR_1 = 1e-9
# Categories of more levels are no coordinates.
_LEVELS = 32


@dataclass(frozen=True)
class Column:
    """A hyperparameter: numbers counted from the smallest, or codes 0, 1, ... of categories.

    values: (n,) in [0, range].
    """

    values: Floats
    range: float
    categorical: bool

    def scaled(self) -> Floats:
        """(n,): numbers from 0 to 1, codes of categories as they are."""
        return self.values if self.categorical else self.values / self.range

    @property
    def has_many_levels(self) -> bool:
        """Whether it is categorical, with more levels than become coordinates."""
        return self.categorical and self.range >= _LEVELS

    def coordinates(self, metric: str, scale: str) -> Floats:
        """(n, D): columns in which the distance of two rows is what this column adds to it; none
        for categories of many levels."""
        if self.has_many_levels:
            return np.empty((len(self.values), 0))
        if not self.categorical:
            return (self.scaled() if scale == "range" else self.values)[:, None]
        if self.range == 1:  # two categories: their codes are 0 or 1 apart already
            return self.values[:, None]
        # One-hot vectors of two categories differ in two places: 1 apart after scaling.
        one_hot = np.eye(int(self.range) + 1)[self.values.astype(np.intp)]
        return np.asarray(one_hot * (0.5 if metric == "manhattan" else np.sqrt(0.5)))

    def mean_diff(self) -> float:
        """The mean diff of two rows at random."""
        n = len(self.values)
        if self.categorical:
            return 1 - float(np.square(np.unique(self.values, return_counts=True)[1] / n).sum())
        # Of n sorted numbers the i-th is larger than i of the others, and smaller than the rest.
        return float((2 * np.arange(n) + 1 - n) @ np.sort(self.scaled())) * 2 / n**2

    def diff(self, rows: Ints, others: Ints) -> Floats:
        """diff(θ_mk, θ_jk) of Section 3.1: rows (m,), others (m, J), result (m, J) in [0, 1]."""
        differences = self.values[others]
        differences -= self.values[rows, None]
        np.abs(differences, out=differences)
        if self.categorical:
            np.minimum(differences, 1.0, out=differences)
        else:
            differences /= self.range
        return differences


def average_repeats(columns: list[Column], target: Floats) -> tuple[list[Column], Floats]:
    """The different configurations, in the order they come, and the means of their targets (n,)."""
    number = number_configurations([column.values for column in columns])
    first, counts = np.unique(number, return_index=True, return_counts=True)[1:]
    parts = target / counts[number]  # whose sum is a number, as that of the targets may not be
    columns = [replace(column, values=column.values[first]) for column in columns]
    return columns, np.asarray(np.bincount(number, parts))


@dataclass(frozen=True)
class Trials:
    """Configurations and performance, and how neighbours are found.

    target: (n,). rows: (M,) those that are sampled. metric, scale: as those of `NRReliefF`.
    rank_influence: (J,), see `rank_influence`.
    """

    columns: list[Column]
    target: Floats
    rows: Ints
    metric: str
    scale: str
    rank_influence: Floats

    def search(self, of: int | None = None) -> "Search":
        """The neighbours by all columns, to weigh them all, or by all but one, to weigh this."""
        columns = self.columns if of is None else [self.columns[of]]
        near = [column for k, column in enumerate(self.columns) if k != of]
        coordinates = np.hstack([column.coordinates(self.metric, self.scale) for column in near])
        many = [column.values for column in near if column.has_many_levels]
        codes = np.column_stack([np.empty((len(coordinates), 0)), *many])
        order, cells = neighbours.layout(coordinates)
        return Search(
            [replace(column, values=column.values[order]) for column in columns],
            self.target[order],
            np.sort(np.argsort(order)[self.rows]),
            self.rank_influence,
            coordinates[order],
            codes[order],
            cells,
            self.metric,
        )


@dataclass(frozen=True)
class Search:
    """Columns to be weighed by neighbours, in the order of `neighbours.layout`, by which rows are
    numbered here."""

    columns: list[Column]
    target: Floats
    rows: Ints
    rank_influence: Floats
    coordinates: Floats
    codes: Floats
    cells: Ints
    metric: str

    def find_neighbours(self) -> Iterator[neighbours.Piece]:
        """Pieces of the sampled rows with their neighbours, see `neighbours.search`."""
        n_neighbors = len(self.rank_influence)
        return neighbours.search(
            self.coordinates, self.codes, self.cells, self.rows, self.metric, n_neighbors
        )

    def pairs(self) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Rows (m,), their neighbours (m, k) and the influence of these (m, k): beyond the first
        J only of those that tie with the J-th."""
        for rows, others, first in self.find_neighbours():
            by_rank = np.zeros(first.shape)
            by_rank[:, : len(self.rank_influence)] = self.rank_influence
            yield rows, others, share_ties(by_rank, first)

    def p_diff(self, rows: Ints, others: Ints) -> Floats:
        """`|Δp|` of rows (m,) and their neighbours (m, k)."""
        return np.asarray(np.abs(self.target[others] - self.target[rows, None]))

    def means(self, visit: Visit | None = None) -> Means:
        """Eqs. 12, 13 (K,) and 14 (K,). visit: called with every piece of the pairs as well."""
        n_p, n_theta, n_both = 0.0, np.zeros(len(self.columns)), np.zeros(len(self.columns))
        for rows, others, influence in self.pairs():
            p_influence = self.p_diff(rows, others) * influence
            n_p += float(p_influence.sum())
            for k, column in enumerate(self.columns):
                differences = column.diff(rows, others)
                n_theta[k] += np.einsum("mj,mj", influence, differences)
                n_both[k] += np.einsum("mj,mj", p_influence, differences)
            if visit is not None:
                visit(rows, others, influence)
        return n_p / len(self.rows), n_theta / len(self.rows), n_both / len(self.rows)


def eq_10(n_p: float | Floats, n_theta: Floats, n_both: Floats) -> Floats:
    """W of Eq. 10 from Eqs. 12, 13 and 14. NaN or infinite, without a warning, where the
    performances of all neighbours are equal or 1 apart."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(n_both / n_p - (n_theta - n_both) / (1 - n_p))


def weights(n_p: float, n_theta: Floats, n_both: Floats) -> Floats:
    """W of Eq. 10, (K,). Raises ValueError where it is not defined."""
    if n_p == 0:
        raise ValueError("y is the same for all neighbours, which leaves Eq. 10 undefined")
    if n_p > 1 - _NEAR_1:
        raise ValueError(
            f"y of neighbours differs by {n_p:.3g} on average, and Eq. 10 needs less than 1: "
            "scale y, as target_scale='range' does, or use more neighbours"
        )
    return eq_10(n_p, n_theta, n_both)


def rank_influence(n_neighbors: int, sigma: float, rank_base: int, weighting: str) -> Floats:
    """(J,) influence of the j-th neighbour, summing to 1 (Section 3.1)."""
    if weighting == "uniform":
        return np.full(n_neighbors, 1.0 / n_neighbors)
    ranks = np.arange(rank_base, rank_base + n_neighbors, dtype=np.float64)
    # Relative to the first, so that a small sigma cannot make all of them 0.
    with np.errstate(over="ignore"):
        influence = np.exp((rank_base**2 - ranks**2) / sigma / sigma)
    return np.asarray(influence / influence.sum())


def share_ties(values: Floats, first: Bools) -> Floats:
    """Values (m, k) of neighbours, those at the same distance sharing theirs equally.

    first: (m, k), whether a neighbour is further than the one before.
    """
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=first.size)
    means = np.add.reduceat(values.ravel(), starts) / counts
    return np.asarray(np.repeat(means, counts).reshape(values.shape))
