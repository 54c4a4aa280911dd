"""hia_book.surfaces: what is said to be true of a surface is."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hia import space
from hia.ranking import columns
from hia_book import surfaces
from hia_book.surfaces import Products, hump, jansen, places_of, values_at

MADE = surfaces.synthetic()


def unit_cube(k: int) -> tuple[space.Hyperparameter, ...]:
    return tuple(space.Hyperparameter(f"x{i + 1}", "float", 0.0, 1.0) for i in range(k))


def recorded(n: int, seed: int = 0) -> pd.DataFrame:
    """Trials of Table 1 with an invented accuracy."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({c.name: values_at(c, rng.random(n)) for c in space.TABLE1})
    table = table.sort_values("lr", ignore_index=True)
    spread = 0.2 * (table["optimizer"] == "Adam") * table["num_conv_layers"]
    return table.assign(accuracy=0.1 + spread + rng.uniform(0, 0.2, n) * table["dropout_rate"])


@pytest.mark.parametrize("column", space.SPACE.values(), ids=lambda column: column.name)
def test_places_and_values_belong_together(column: space.Hyperparameter) -> None:
    places = (np.arange(10_000) + 0.5) / 10_000
    values = values_at(column, places)
    columns.read(values.to_frame(column.name), [column])
    back = places_of(column, values)
    assert (np.diff(back) >= 0).all()
    if column.kind == "float":
        np.testing.assert_allclose(back, places, atol=1e-12)
    else:
        counts = pd.Series(values).value_counts()
        assert counts.max() - counts.min() <= 1
        assert (back[0], back[-1]) == (0, 1)


def test_ishigami_as_in_the_textbook() -> None:
    a, b = 7.0, 0.1

    def angle(u):
        return np.pi * (2 * u - 1)

    terms = (
        (1.0, {"x1": lambda u: np.sin(angle(u))}),
        (a, {"x2": lambda u: np.sin(angle(u)) ** 2}),
        (b, {"x1": lambda u: np.sin(angle(u)), "x3": lambda u: angle(u) ** 4}),
    )
    found = Products(unit_cube(3), terms).indices()
    alone = np.array([(1 + b * np.pi**4 / 5) ** 2 / 2, a**2 / 8, 0.0])
    pair = 8 * b**2 * np.pi**8 / 225
    variance = alone.sum() + pair
    np.testing.assert_allclose(found["main"], alone / variance, atol=1e-9)
    total = (alone + np.array([pair, 0, pair])) / variance
    np.testing.assert_allclose(found["total"], total, atol=1e-9)


def test_terms_that_overlap_are_not_counted_twice() -> None:
    """x1 + 2 x1 = 3 x1, and a constant has no variance."""
    terms = ((1.0, {"x1": lambda u: u}), (2.0, {"x1": lambda u: u}), (5.0, {}))
    found = Products(unit_cube(2), terms).indices()
    assert found[["main", "total"]].to_numpy().tolist() == [[1, 1], [0, 0]]


def test_levels_by_counting_them() -> None:
    """All Sobol' indices of a function of categories and whole numbers from its whole table."""
    made = (
        space.Hyperparameter("kind", "categorical", choices=("a", "b", "c")),
        space.Hyperparameter("layers", "integer", 1, 4),
        space.Hyperparameter("size", "integer", choices=(2, 8)),
    )
    terms = (
        (1.0, {"kind": surfaces.by_choice(3, 0, 1), "layers": hump(0.4)}),
        (0.7, {"layers": surfaces.saturating, "size": surfaces.rising}),
        (0.3, {"size": surfaces.rising}),
    )
    response = Products(made, terms)
    grid = list(itertools.product(("a", "b", "c"), range(1, 5), (2, 8)))
    y = response(pd.DataFrame(grid, columns=["kind", "layers", "size"])).reshape(3, 4, 2)
    found = surfaces.Surface("levels", made, response).truth()
    for k, name in enumerate(("kind", "layers", "size")):
        rest = tuple(axis for axis in range(3) if axis != k)
        assert found.loc[name, "main"] == pytest.approx(y.mean(axis=rest).var() / y.var())
        assert found.loc[name, "total"] == pytest.approx(y.var(axis=k).mean() / y.var())


@pytest.mark.parametrize("name", MADE)
def test_shares_are_those_of_random_points_and_trials_what_the_columns_say(name: str) -> None:
    surface = MADE[name]
    drawn = surface.draw(400, np.random.default_rng(0))
    columns.read(drawn, surface.columns)
    assert drawn["y"].notna().all()
    pd.testing.assert_frame_equal(drawn, surface.draw(400, np.random.default_rng(0)))
    assert not drawn.equals(surface.draw(400, np.random.default_rng(1)))
    true = surface.truth()
    assert list(true.index) == [column.name for column in surface.columns]
    assert (true["main"] >= 0).all()
    assert (true["total"] >= true["main"] - 1e-12).all()
    assert true["main"].sum() <= 1 + 1e-12
    assert (true[["main_error", "total_error"]] == 0).all(axis=None)
    variance, totals = jansen(surface.response, surface.columns, points=2048, replicates=2)
    assert variance.mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(totals.mean(axis=0), true["total"], atol=0.03)


def test_what_does_not_exist_is_missing_and_has_no_influence() -> None:
    surface = MADE["conditional"]
    X = surface.draw(300, np.random.default_rng(0)).drop(columns="y")
    assert (X["momentum"].notna() == (X["optimizer"] == "SGD")).all()
    for layer in (1, 2, 3):
        assert (X[f"num_filters_{layer}"].notna() == (X["num_conv_layers"] >= layer)).all()
    responses = [
        surface.response(X.fillna({"momentum": fill} | dict.fromkeys(space.FILTERS[1:], filters)))
        for fill, filters in ((0.1, 6), (0.8, 48))
    ]
    np.testing.assert_allclose(*responses, atol=1e-12)


@pytest.fixture(scope="module")
def study() -> surfaces.Surface:
    return surfaces.of_study(recorded(300), points=512, replicates=4)


def test_the_truth_of_the_forest(study: surfaces.Surface) -> None:
    """Against SciPy's estimator, which knows nothing of forests."""
    table = recorded(300)
    assert np.corrcoef(study.response(table), table["accuracy"])[0, 1] > 0.9
    found = study.truth()
    made = study.columns

    def response(places: np.ndarray) -> np.ndarray:
        inside = np.minimum(places, np.nextafter(1, 0))
        X = {c.name: values_at(c, row) for c, row in zip(made, inside, strict=True)}
        return study.response(pd.DataFrame(X))

    scipy = stats.sobol_indices(
        func=response, n=512, dists=[stats.uniform()] * len(made), rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(found["main"], scipy.first_order, atol=0.03)
    np.testing.assert_allclose(found["total"], scipy.total_order, atol=0.03)
    assert found["main"].nlargest(2).index.tolist() == ["optimizer", "num_conv_layers"]
    assert (found["total"] >= found["main"]).all()
    assert (found[["main_error", "total_error"]] < 0.02).all(axis=None)
