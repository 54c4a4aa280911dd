"""Response surfaces whose importances are known, to tell how near a method comes to the truth.

A surface is a function on a space of hyperparameters, and a way to draw trials from it. True are
the Sobol' indices under the uniform measure of the space: `main`, the share of the variance that a
hyperparameter explains alone, Var E[f | x_i] / Var f, which functional ANOVA estimates; and
`total`, the share in which it takes part, E Var(f | all but x_i) / Var f, since Relief's weights
see interactions too. Where a hyperparameter exists in some trials only, the space is the product
nevertheless, in which it has no influence where it does not exist; as in `hia.ranking.methods`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from hia.ranking.fanova import FAnova
from hia.space import FILTERS, SPACE, TABLE1, Hyperparameter

Floats = NDArray[np.float64]
# A function of one hyperparameter, of its place in [0, 1].
Shape = Callable[[Floats], Floats]

TARGET = "y"
STUDY = "study"
# Points of a quadrature over an interval: exact for products of two polynomials of degree 31.
_POINTS = 32
# What is smaller, in parts of the variance, is rounding.
_DECIMALS = 12


@dataclass(frozen=True)
class Surface:
    """A response surface, and what is peculiar to the trials drawn from it.

    response: values (n,) of complete rows (n, K). noise: standard deviation of what is added to
    them. only_where: hyperparameter -> (another, its values where the first exists). copies:
    hyperparameter -> (another, share of the trials in which it has the same value).
    """

    name: str
    columns: tuple[Hyperparameter, ...]
    response: "Products | _Forest"
    noise: float = 0.0
    only_where: Mapping[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    copies: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    def draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """n random trials: the hyperparameters, missing where they do not exist, and `y`."""
        X = pd.DataFrame({c.name: values_at(c, rng.random(n)) for c in self.columns})
        return self.evaluate(X, rng)

    def evaluate(self, X: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """Complete rows (n, K) as trials, see `draw`."""
        X = X.copy()
        for name, (other, share) in self.copies.items():
            X[name] = X[name].where(rng.random(len(X)) >= share, X[other])
        y = self.response(X)
        if self.noise:
            y = y + rng.normal(0, self.noise, len(X))
        for name, (other, having) in self.only_where.items():
            X[name] = X[name].where(X[other].isin(having))
        return X.assign(**{TARGET: y})

    def truth(self) -> pd.DataFrame:
        """`main` and `total` by hyperparameter, and their standard errors, 0 where exact."""
        index = pd.Index([column.name for column in self.columns], name="hyperparameter")
        return self.response.indices().set_axis(index)


def values_at(column: Hyperparameter, places: Floats) -> pd.Series:
    """Values at places (n,) in [0, 1), uniform over the column's measure if the places are."""
    if (choices := _choices(column)) is not None:
        return pd.Series(pd.Index(choices).take((places * len(choices)).astype(np.intp)))
    low, high = column.bounds
    if column.log:
        values = np.exp(np.log(low) + places * np.log(high / low))
    else:
        values = low + places * (high - low)
    return pd.Series(np.clip(values, low, high))


def places_of(column: Hyperparameter, values: pd.Series) -> Floats:
    """Where values (n,) lie, 0 to 1, on the column's scale; choices are evenly spaced."""
    if (choices := _choices(column)) is not None:
        at = pd.Index(choices).get_indexer(pd.Index(values))
        return np.asarray(at / max(1, len(choices) - 1))
    low, high = column.bounds
    numbers = values.to_numpy(dtype=np.float64)
    if column.log:
        return np.asarray(np.log(numbers / low) / np.log(high / low))
    return np.asarray((numbers - low) / (high - low))


def _choices(column: Hyperparameter) -> Sequence[Any] | None:
    """All values, where they can be counted. They are equally likely."""
    if column.choices is not None or column.kind == "float":
        return column.choices
    if column.log:
        raise ValueError(f"{column.name}: whole numbers on a logarithmic scale are not drawn here")
    return range(int(column.bounds[0]), int(column.bounds[1]) + 1)


def _quadrature(column: Hyperparameter) -> tuple[Floats, Floats]:
    """Places and weights, which sum to 1, of the column's measure."""
    if (choices := _choices(column)) is not None:
        count = len(choices)
        return np.arange(count) / max(1, count - 1), np.full(count, 1 / count)
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    return (points + 1) / 2, weights / 2


@dataclass(frozen=True)
class Products:
    """A sum of products of functions of one hyperparameter: Σ_t c_t Π_i g_ti(x_i).

    terms: (c_t, {name of i: g_ti}); functions that are not named are 1. On an interval they are
    polynomials of a degree up to 31, or as smooth.
    """

    columns: tuple[Hyperparameter, ...]
    terms: Sequence[tuple[float, Mapping[str, Shape]]]

    def __call__(self, X: pd.DataFrame) -> Floats:
        places = {column.name: places_of(column, X[column.name]) for column in self.columns}
        total = np.zeros(len(X))
        for coefficient, shapes in self.terms:
            product = np.full(len(X), coefficient)
            for name, shape in shapes.items():
                product *= shape(places[name])
            total += product
        return total

    def indices(self) -> pd.DataFrame:
        """With m = E g_t E g_s and q = E g_t g_s of each hyperparameter and c = c_t c_s, summed
        over all pairs of terms: Var f = Σ c (Π q - Π m), its part of i alone is Σ c (q_i - m_i)
        Π_{j≠i} m_j, and the part in which i takes part Σ c (q_i - m_i) Π_{j≠i} q_j."""
        coefficients = [coefficient for coefficient, _ in self.terms]
        pairs = np.outer(coefficients, coefficients)
        m = np.empty((len(self.columns), *pairs.shape))
        q = np.empty_like(m)
        for k, column in enumerate(self.columns):
            places, weights = _quadrature(column)
            values = np.ones((len(self.terms), len(places)))
            for row, (_, shapes) in zip(values, self.terms, strict=True):
                if column.name in shapes:
                    row[:] = shapes[column.name](places)
            means = values @ weights
            m[k], q[k] = np.outer(means, means), (values * weights) @ values.T
        variance = (pairs * (q.prod(axis=0) - m.prod(axis=0))).sum()
        rows = []
        for k in range(len(self.columns)):
            own, others = pairs * (q[k] - m[k]), np.arange(len(m)) != k
            rows.append([(own * x[others].prod(axis=0)).sum() / variance for x in (m, q)])
        shares = pd.DataFrame(np.round(rows, _DECIMALS) + 0.0, columns=["main", "total"])
        return shares.assign(main_error=0.0, total_error=0.0)


def rising(u: Floats) -> Floats:
    """More is better."""
    return u


def saturating(u: Floats) -> Floats:
    """More is better, with less and less effect."""
    return u * (2 - u)


def hump(best: float) -> Shape:
    """Best at this place, and worse on both sides."""
    return lambda u: -((u - best) ** 2)


def by_choice(*values: float) -> Shape:
    """A value for each choice, in their order."""
    return lambda u: np.array(values)[np.rint(u * (len(values) - 1)).astype(np.intp)]


def standard(column: Hyperparameter, shape: Shape) -> Shape:
    """The function with mean 0 and variance 1."""
    places, weights = _quadrature(column)
    values = shape(places)
    mean = weights @ values
    deviation = np.sqrt(weights @ (values - mean) ** 2)
    return lambda u: (shape(u) - mean) / deviation


# Shares of the variance, each of which belongs to all of its hyperparameters together and to no
# fewer. `in_channel_num` has no influence.
Parts = Sequence[tuple[float, Mapping[str, Shape]]]
_ADDITIVE: Parts = (
    (0.30, {"lr": hump(0.7)}),
    (0.22, {"num_conv_layers": saturating}),
    (0.16, {"dropout_rate": hump(0.2)}),
    (0.11, {"optimizer": by_choice(1, 0)}),
    (0.08, {"epoch": saturating}),
    (0.05, {"batch_size": hump(0)}),
    (0.035, {"num_fc_units": rising}),
    (0.025, {"kernel": rising}),
    (0.012, {"stride": rising}),
    (0.008, {"padding": rising}),
)
_INTERACTIONS: Parts = (
    (0.16, {"lr": hump(0.6)}),
    (0.11, {"num_conv_layers": rising}),
    (0.07, {"dropout_rate": hump(0.2)}),
    (0.04, {"epoch": saturating}),
    (0.035, {"optimizer": by_choice(1, 0)}),
    (0.02, {"num_fc_units": rising}),
    (0.01, {"batch_size": rising}),
    (0.005, {"padding": rising}),
    (0.18, {"lr": rising, "optimizer": by_choice(1, 0)}),
    (0.15, {"stride": rising, "kernel": rising}),
    (0.10, {"num_conv_layers": rising, "epoch": rising}),
    (0.07, {"lr": rising, "batch_size": rising}),
    (0.05, {"dropout_rate": rising, "num_fc_units": rising, "epoch": rising}),
)
_EVERYWHERE: Parts = (
    (0.24, {"lr": hump(0.6)}),
    (0.16, {"optimizer": by_choice(3, 2, 0, 1)}),
    (0.10, {"activation": by_choice(3, 1, 4, 0, 2.5)}),
    (0.08, {"num_conv_layers": saturating}),
    (0.05, {"dropout_rate": hump(0.2)}),
    (0.03, {"num_filters_1": saturating}),
    (0.01, {"batch_size": hump(0)}),
)
# Of the product, Π (1 + a_i g_i) with g_i of mean 0 and variance 1: its variance is
# Π (1 + a_i²) - 1.
_STRENGTHS: dict[str, tuple[float, Shape]] = {
    "lr": (1.0, hump(0.6)),
    "dropout_rate": (0.8, hump(0.1)),
    "num_conv_layers": (0.65, rising),
    "optimizer": (0.5, by_choice(1, 0)),
    "epoch": (0.4, saturating),
    "batch_size": (0.3, hump(0)),
    "kernel": (0.22, rising),
    "stride": (0.16, rising),
    "num_fc_units": (0.1, rising),
    "padding": (0.05, rising),
}


def _sum(columns: Sequence[Hyperparameter], parts: Parts) -> Products:
    """Of variance 1, made of parts."""
    by_name = {column.name: column for column in columns}
    terms = [
        (np.sqrt(share), {name: standard(by_name[name], shape) for name, shape in shapes.items()})
        for share, shapes in parts
    ]
    return Products(tuple(columns), terms)


def synthetic() -> dict[str, Surface]:
    """The surfaces that are made up, by name. Their variance is 1."""
    additive = _sum(TABLE1, _ADDITIVE)
    with_copy = (*TABLE1, replace(SPACE["lr"], name="lr_copy", origin="declared"))
    copy = Products(with_copy, additive.terms)
    surfaces = [
        Surface("additive", TABLE1, additive),
        Surface("interactions", TABLE1, _sum(TABLE1, _INTERACTIONS)),
        Surface("product", TABLE1, _product()),
        _conditional(),
        Surface("noise", TABLE1, additive, noise=1.0),
        Surface("copy", with_copy, copy, copies={"lr_copy": ("lr", 0.8)}),
    ]
    return {surface.name: surface for surface in surfaces}


def _product() -> Products:
    def factor(name: str, strength: float, shape: Shape) -> Shape:
        centred = standard(SPACE[name], shape)
        return lambda u: 1 + strength * centred(u)

    variance = np.prod([1 + a**2 for a, _ in _STRENGTHS.values()]) - 1
    shapes = {name: factor(name, *how) for name, how in _STRENGTHS.items()}
    return Products(TABLE1, [(1 / float(np.sqrt(variance)), shapes)])


def _conditional() -> Surface:
    """Filters of layers that may not be there, momentum for one optimizer, and categories."""
    optimizers = ("Adam", "RMSprop", "SGD", "Adagrad")
    activations = ("ReLU", "tanh", "GELU", "sigmoid", "ELU")
    columns = (
        *(SPACE[name] for name in ("num_conv_layers", *FILTERS)),
        Hyperparameter("optimizer", "categorical", choices=optimizers),
        Hyperparameter("momentum", "float", 0.0, 0.99),
        *(SPACE[name] for name in ("lr", "dropout_rate")),
        Hyperparameter("activation", "categorical", choices=activations),
        *(SPACE[name] for name in ("batch_size", "num_fc_units")),
    )
    only_where = {
        "momentum": ("optimizer", ("SGD",)),
        "num_filters_3": ("num_conv_layers", (3,)),
        "num_filters_2": ("num_conv_layers", (2, 3)),
    }
    by_name = {column.name: column for column in columns}
    terms = list(_sum(columns, _EVERYWHERE).terms)
    for share, name, shape in (
        (0.15, "momentum", hump(0.9)),
        (0.11, "num_filters_3", rising),
        (0.07, "num_filters_2", rising),
    ):
        other, having = only_where[name]
        inside = [float(choice in having) for choice in _choices(by_name[other]) or ()]
        shapes = {other: by_choice(*inside), name: standard(by_name[name], shape)}
        terms.append((np.sqrt(share / float(np.mean(inside))), shapes))
    return Surface("conditional", columns, Products(columns, terms), only_where=only_where)


class _Forest(FAnova):
    """The mean of the trees of a fitted `FAnova` as a response."""

    points: int
    replicates: int

    def __call__(self, X: pd.DataFrame) -> Floats:
        names = zip(self._scales, self.feature_names_in_, strict=True)
        codes = np.column_stack([scale.codes(X[name]) for scale, name in names])
        return np.asarray(self._middle + self._spread * self._forest.predict(codes))

    def main_variances(self) -> Floats:
        """Variance of the mean over all columns but one, by column (K,), exact."""
        variances = np.empty(self.n_features_in_)
        for k in range(len(variances)):
            curves = [tree[k] for tree in self._curves]
            edges = np.unique(np.concatenate([cuts for cuts, _ in curves]))
            sides, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
            mean = np.mean(
                [means[np.searchsorted(cuts[1:-1], middles)] for cuts, means in curves], axis=0
            )
            variances[k] = sides @ (mean - sides @ mean) ** 2
        return np.asarray(self._spread**2 * variances)

    def indices(self) -> pd.DataFrame:
        variance, total = jansen(self, TABLE1, self.points, self.replicates)
        main = self.main_variances() / variance.mean()
        shares = pd.DataFrame({"main": main, "total": total.mean(axis=0)})
        error = main * _error(variance) / variance.mean()
        return shares.assign(main_error=error, total_error=_error(total))


def of_study(trials: pd.DataFrame, *, points: int = 4096, replicates: int = 16) -> Surface:
    """The recorded study as a surface: a forest of 64 trees fitted to the accuracies of trials.

    points, replicates: of the estimate of the totals, see `jansen`.
    """
    # Leaves of one trial would repeat each trial's noise.
    forest = _Forest(64, min_samples_leaf=5, space=SPACE, random_state=0)
    forest.points, forest.replicates = points, replicates
    forest.fit(trials[[column.name for column in TABLE1]], trials["accuracy"])
    return Surface(STUDY, TABLE1, forest)


def jansen(
    response: Callable[[pd.DataFrame], Floats],
    columns: Sequence[Hyperparameter],
    points: int,
    replicates: int,
) -> tuple[Floats, Floats]:
    """Variance (replicates,) and total shares (replicates, K) of a function, estimated (Jansen
    1999, Comput. Phys. Commun. 117, 35-43).

    points: a power of 2, of Sobol' points scrambled anew in each of the two sets of a replicate. A
    total is half of the mean square of what changes when one hyperparameter is taken from the other
    set.
    """
    variances, totals = np.empty(replicates), np.empty((replicates, len(columns)))
    for replicate, seed in enumerate(np.random.SeedSequence(0).spawn(replicates)):
        sampler = qmc.Sobol(2 * len(columns), rng=np.random.default_rng(seed))
        # A point at 1 is in no choice; scrambling in 64 bits never gives one, rounding may.
        unit = np.minimum(sampler.random(points), np.nextafter(1, 0)).reshape(points, 2, -1)
        A, B = (
            pd.DataFrame({c.name: values_at(c, one[:, k]) for k, c in enumerate(columns)})
            for one in (unit[:, 0], unit[:, 1])
        )
        base = response(A)
        changed = np.array([response(A.assign(**{c.name: B[c.name]})) for c in columns])
        variances[replicate] = np.var([base, *changed])
        totals[replicate] = ((changed - base) ** 2).mean(axis=1) / 2 / variances[replicate]
    return variances, totals


def _error(estimates: Floats) -> Any:
    """Standard error of the mean of replicates (R, ...)."""
    return estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
