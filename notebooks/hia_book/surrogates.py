"""A forest for each data set of the study, that predicts the accuracy of any configuration.

Configurations are encoded as numbers, (n, 13), in the order of `NAMES`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

from hia import space
from hia_book.surfaces import values_at

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NAMES = space.SAMPLED
PLACE = {name: place for place, name in enumerate(NAMES)}
_FILTERS = [PLACE[name] for name in space.FILTERS]
# Of a surrogate. Leaves of one trial would repeat each trial's noise.
_TREES = 64
_LEAF = 2
_FOLDS = 5


def encode(table: pd.DataFrame) -> Floats:
    """Configurations as numbers (n, 13): lr as its base-10 logarithm, the optimizer as its place
    among the choices, filters of layers that do not exist as 0."""
    encoded = np.empty((len(table), len(NAMES)))
    for place, name in enumerate(NAMES):
        row = space.SPACE[name]
        if row.kind == "categorical":
            encoded[:, place] = pd.Index(row.choices or ()).get_indexer(pd.Index(table[name]))
        else:
            numbers = table[name].astype("float64").to_numpy(na_value=np.nan)
            encoded[:, place] = np.log10(numbers) if row.log else numbers
    return without_absent(encoded)


def without_absent(X: Floats) -> Floats:
    """X (n, 13) with 0 for the filters of layers that do not exist."""
    X = X.copy()
    layers = X[:, PLACE["num_conv_layers"]]
    for layer, place in enumerate(_FILTERS, start=1):
        X[layers < layer, place] = 0.0
    return X


def draw(n: int, rng: np.random.Generator) -> Floats:
    """Random configurations (n, 13), encoded, with all numbers of filters."""
    return _encode_whole({name: values_at(space.SPACE[name], rng.random(n)) for name in NAMES})


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
    return np.asarray(_encode_whole({name: [space.SPACE[name].default] for name in NAMES})[0])


def _encode_whole(values: Mapping[str, Any]) -> Floats:
    """As `encode`, with all numbers of filters. values: by hyperparameter, (n,) each."""
    table = pd.DataFrame(values)
    encoded = encode(table.assign(num_conv_layers=len(space.FILTERS)))
    encoded[:, PLACE["num_conv_layers"]] = table["num_conv_layers"]
    return encoded


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
        return np.asarray(
            np.mean([tree.tree_.predict(rows)[:, 0] for tree in self._forest.estimators_], axis=0)
        )


def quality(rows: pd.DataFrame) -> dict[str, float]:
    """How well the surrogate of a data set predicts trials that it has not seen, cross-validated.

    `r2`, `random` (of random search's trials only: BOHB's are like each other), `spearman`, `top`
    (the same of the quarter that is predicted best, where searches go) and `error`, mean absolute.
    """
    y = rows["accuracy"].to_numpy()
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
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


def _forest() -> ExtraTreesRegressor:
    return ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, random_state=0)
