"""How the j-th nearest neighbours differ: one search for N-RReliefF of many options."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hia.equations import rank_influence, share_ties, weights
from hia.relief import NRReliefF

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """How the j-th nearest neighbours differ, the mean over all rows.

    p: (J,) of |Δp|. theta: (J, K) of diff in each column. both: (J, K) of their product. Neighbours
    at the same distance share the mean of theirs. target_range: of p.
    """

    p: Floats
    theta: Floats
    both: Floats
    target_range: float

    def weights(
        self,
        n_neighbors: int = 30,
        sigma: float = 20.0,
        rank_base: int = 1,
        target_scale: str = "none",
    ) -> Floats:
        """W of Eq. 10, (K,), what `NRReliefF` of these options finds.

        Raises ValueError for more neighbours than the profile has, and where Eq. 10 is not defined.
        """
        if not 1 <= n_neighbors <= len(self.p):
            raise ValueError(f"n_neighbors={n_neighbors}: the profile has {len(self.p)} neighbours")
        influence = rank_influence(n_neighbors, sigma, rank_base, "exp_rank")
        unit = {"none": 1.0, "range": self.target_range}[target_scale]
        n_p = float(influence @ self.p[:n_neighbors]) / unit
        n_theta = influence @ self.theta[:n_neighbors]
        n_both = influence @ self.both[:n_neighbors] / unit
        return weights(n_p, n_theta, n_both)


def profile(
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    n_neighbors: int = 200,
    metric: str = "euclidean",
    scale: str = "range",
) -> Profile:
    """The profile of X (n, K) and performances y (n,); options and errors as of `NRReliefF`."""
    search = NRReliefF(n_neighbors, metric=metric, scale=scale).read(X, y).search()
    # Not in cells: few rows have so many neighbours in their own.
    search = replace(search, cells=search.cells[:0])
    p = np.zeros(n_neighbors)
    theta, both = np.zeros((2, n_neighbors, len(search.columns)))
    for rows, others, first in search.find_neighbours():
        p_diff = search.p_diff(rows, others)
        p += _by_rank(p_diff, first, n_neighbors)
        for k, column in enumerate(search.columns):
            differences = column.diff(rows, others)
            theta[:, k] += _by_rank(differences, first, n_neighbors)
            differences *= p_diff
            both[:, k] += _by_rank(differences, first, n_neighbors)
    n = len(search.target)
    return Profile(p / n, theta / n, both / n, float(np.ptp(search.target)))


def _by_rank(values: Floats, first: NDArray[np.bool_], n_neighbors: int) -> Floats:
    """(n_neighbors,): sums over the rows of values (m, k), the mean of each group of ties."""
    alone = first[:, : n_neighbors + 1].all(axis=1)
    total = values[alone, :n_neighbors].sum(axis=0)
    if not alone.all():
        total += share_ties(values[~alone], first[~alone])[:, :n_neighbors].sum(axis=0)
    return np.asarray(total)
