"""What follows from the paper's space of configurations (Table 1), as `hia.space` reads it."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from hia import space


def allowed(name: str) -> str:
    """The values of a hyperparameter, in words."""
    row = space.SPACE[name]
    return row.possible + (", log scale" if row.log else "")


def raw_distance_parts(names: Sequence[str] = space.HYPERPARAMETERS) -> pd.Series:
    """Parts of the mean squared distance of Section 3.1 between two random configurations.

    Euclidean over values as they are, of configurations uniform over Table 1; two different
    categories count 1. The share of each hyperparameter, largest first.
    """
    parts = pd.Series({name: _mean_square(space.SPACE[name]) for name in names})
    return (parts / parts.sum()).sort_values(ascending=False)


def _mean_square(row: space.Hyperparameter) -> float:
    """Of the difference between two random values."""
    if row.kind == "categorical":
        return 1 - 1 / len(row.choices or ())
    low, high = row.bounds
    if row.choices is not None or row.kind == "integer":
        return 2 * float(
            np.var([float(one) for one in row.choices or range(int(low), int(high) + 1)])
        )
    if row.log:
        width = math.log(high / low)
        mean, square = (high - low) / width, (high**2 - low**2) / (2 * width)
        return 2 * (square - mean**2)
    return (high - low) ** 2 / 6


def structures(sizes: Mapping[str, int]) -> pd.DataFrame:
    """How many of Table 1's structures run out of pixels, by data set. sizes: sides of the images.

    Columns `dataset`, `size`, `structures` (combinations of layers, kernel, stride and padding) and
    `impossible`: by `hia.cnn.shrinks`, whose pooling window is the usual one; the paper's is not
    given.
    """
    from hia import cnn  # PyTorch takes seconds

    names = ("num_conv_layers", "kernel", "stride", "padding")
    bounds = [space.SPACE[name].bounds for name in names]
    ranges = [range(int(low), int(high) + 1) for low, high in bounds]
    filters = dict.fromkeys(space.FILTERS, 1)
    every = [filters | dict(zip(names, one, strict=True)) for one in product(*ranges)]
    rows = [
        (name, size, len(every), sum(cnn.shrinks(one, 1, size) for one in every))
        for name, size in sizes.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "size", "structures", "impossible"])
