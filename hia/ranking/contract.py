"""What an importance method gets and gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hia.inputs import Floats
from hia.neighbours import Ints
from hia.space import Hyperparameter

Measure = Callable[..., Floats]
Options = dict[str, Any]


@dataclass(frozen=True)
class Trials:
    """Trials without missing values, in the form the methods take.

    X: (n, K), numbers as they are, categories as their positions in the choices. y: (n,), the
    target. columns: of X, by name, in its order. configuration: (n,), which of them have the same
    one. maximize: whether a large y is good.
    """

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
        several = (self.X.min() < self.X.max()).to_numpy()
        X = self.X.loc[:, several]
        return replace(self, X=X, columns={str(name): self.columns[str(name)] for name in X})

    def scaled(self) -> pd.DataFrame:
        """X with base-10 logarithms of the columns on a logarithmic scale."""
        log = {name: np.log10(self.X[name]) for name, column in self.columns.items() if column.log}
        return self.X.assign(**log)


# What all that follows gets, and the scores where they are known by then.
Settled = tuple[Trials, Options, Floats | None]
Settle = Callable[[Trials, int, Options], Settled]


def keep(trials: Trials, seed: int, options: Options) -> Settled:
    return trials, options, None


@dataclass(frozen=True)
class Method:
    """An importance method.

    label: its name for people. score: what its raw scores are. source: where it is from. measure:
    (trials, seed, **options) -> scores (K,). settle: (trials, seed, options) -> `Settled`.
    resample: with a count and whether to tell the progress as well, scores of so many resamples
    (count, K); without it, resamples are measured one by one. p_values: with both as well, columns
    `p_value` and `p_adjusted` of K rows; null: what they are against. pairs: what pairs do
    together, columns `first`, `second`, `weight`. most: a score can be. has_forest: whether it is
    only as good as a forest. asks_direction: whether it asks what is good. max_rows: used at most,
    drawn at random. max_bootstrap: resamples, at most. max_columns: hyperparameters, at most.
    available: whether what it needs is installed.
    """

    label: str
    score: str
    source: str
    measure: Measure
    settle: Settle = keep
    resample: Measure | None = None
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
