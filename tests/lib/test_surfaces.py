"""hia_book.surfaces: what is said to be true of a surface is."""

from __future__ import annotations

import itertools
import math

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
    table = pd.DataFrame({c.name: values_at(c, rng.random(n)) for c in space.TABLE1}).sort_values(
        "lr", ignore_index=True
    )
    spread = 0.2 * (table["optimizer"] == "Adam") * table["num_conv_layers"]
    return table.assign(accuracy=0.1 + spread + rng.uniform(0, 0.2, n) * table["dropout_rate"])


# --- the measure ---------------------------------------------------------------------------------


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


# --- the truth of sums of products ---------------------------------------------------------------


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


def test_sobols_product_as_in_the_textbook() -> None:
    strengths = np.array([1.0, 0.5, 0.25])
    linear = [lambda u, c=c: 1 + c * math.sqrt(12) * (u - 0.5) for c in strengths]
    shapes = {f"x{i + 1}": shape for i, shape in enumerate(linear)}
    found = Products(unit_cube(3), ((2.0, shapes),)).indices()
    variance = np.prod(1 + strengths**2) - 1
    np.testing.assert_allclose(found["main"], strengths**2 / variance, atol=1e-12)
    others = np.prod(1 + strengths**2) / (1 + strengths**2)
    np.testing.assert_allclose(found["total"], strengths**2 * others / variance, atol=1e-12)


def test_terms_that_overlap_are_not_counted_twice() -> None:
    """x1 + 2 x1 = 3 x1, and a constant has no variance."""
    terms = ((1.0, {"x1": lambda u: u}), (2.0, {"x1": lambda u: u}), (5.0, {}))
    found = Products(unit_cube(2), terms).indices()
    assert found["main"].tolist() == [1, 0]
    assert found["total"].tolist() == [1, 0]


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
    found = response.indices()
    for k, name in enumerate(("kind", "layers", "size")):
        rest = tuple(axis for axis in range(3) if axis != k)
        assert found.loc[name, "main"] == pytest.approx(y.mean(axis=rest).var() / y.var())
        assert found.loc[name, "total"] == pytest.approx(y.var(axis=k).mean() / y.var())


@pytest.mark.parametrize("name", MADE)
def test_shares_are_shares(name: str) -> None:
    found = MADE[name].truth()
    assert list(found.index) == [column.name for column in MADE[name].columns]
    assert (found["main"] >= 0).all()
    assert (found["total"] >= found["main"] - 1e-12).all()
    assert found["main"].sum() <= 1 + 1e-12
    assert (found[["main_error", "total_error"]] == 0).all(axis=None)


@pytest.mark.parametrize("name", MADE)
def test_totals_against_random_points(name: str) -> None:
    surface = MADE[name]
    variance, totals = jansen(surface.response, surface.columns, points=2048, replicates=4)
    true = surface.truth()["total"]
    assert variance.mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(totals.mean(axis=0), true, atol=0.03)


def test_stated_shares() -> None:
    additive = MADE["additive"].truth()
    assert additive["main"].sum() == pytest.approx(1)
    assert additive["main"].to_dict() == pytest.approx(additive["total"].to_dict())
    assert additive.loc["lr", "main"] == pytest.approx(0.30)
    interactions = MADE["interactions"].truth()
    assert interactions.loc[["stride", "kernel"], "main"].tolist() == [0, 0]
    assert interactions.loc["stride", "total"] == pytest.approx(0.15)
    assert interactions.loc["lr", "total"] == pytest.approx(0.16 + 0.18 + 0.07)
    assert interactions["main"].sum() < 0.5
    conditional = MADE["conditional"].truth()
    # Where a fourth of the trials have it, a fourth of what it explains is there on average.
    assert conditional.loc["momentum", "main"] == pytest.approx(0.15 / 4)
    assert conditional.loc["momentum", "total"] == pytest.approx(0.15)
    assert MADE["copy"].truth().loc["lr_copy"].eq(0).all()


# --- trials --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
def test_trials_are_what_the_columns_say(name: str) -> None:
    surface = MADE[name]
    drawn = surface.draw(400, np.random.default_rng(0))
    columns.read(drawn, surface.columns)
    assert drawn["y"].notna().all()
    pd.testing.assert_frame_equal(drawn, surface.draw(400, np.random.default_rng(0)))
    assert not drawn.equals(surface.draw(400, np.random.default_rng(1)))


def test_hyperparameters_are_missing_where_they_do_not_exist() -> None:
    drawn = MADE["conditional"].draw(500, np.random.default_rng(0))
    assert (drawn["momentum"].notna() == (drawn["optimizer"] == "SGD")).all()
    assert (drawn["num_filters_2"].notna() == (drawn["num_conv_layers"] >= 2)).all()
    assert (drawn["num_filters_3"].notna() == (drawn["num_conv_layers"] == 3)).all()
    assert drawn["num_filters_1"].notna().all()


def test_what_is_missing_has_no_influence() -> None:
    surface = MADE["conditional"]
    X = surface.draw(300, np.random.default_rng(0))[[column.name for column in surface.columns]]
    found = []
    for fill in (0.1, 0.8):
        filled = X.assign(momentum=X["momentum"].fillna(fill))
        filled = filled.fillna({"num_filters_2": 60 * fill // 1, "num_filters_3": 60 * fill // 1})
        found.append(surface.response(filled))
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


# --- the study -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study() -> surfaces.Surface:
    return surfaces.of_study(recorded(300), points=512, replicates=4)


def test_the_forest_predicts_the_study(study: surfaces.Surface) -> None:
    table = recorded(300)
    predicted = study.response(table)
    assert np.corrcoef(predicted, table["accuracy"])[0, 1] > 0.9
    assert table["accuracy"].min() <= predicted.min() <= predicted.max() <= table["accuracy"].max()


def test_the_truth_of_the_forest(study: surfaces.Surface) -> None:
    """Against SciPy's estimator, which knows nothing of forests."""
    found = study.truth()
    made = study.columns

    def response(places: np.ndarray) -> np.ndarray:
        inside = np.minimum(places, np.nextafter(1, 0))
        X = {c.name: values_at(c, row) for c, row in zip(made, inside, strict=True)}
        return study.response(pd.DataFrame(X))

    scipy = stats.sobol_indices(
        func=response, n=1024, dists=[stats.uniform()] * len(made), rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(found["main"], scipy.first_order, atol=0.03)
    np.testing.assert_allclose(found["total"], scipy.total_order, atol=0.03)
    assert found["main"].nlargest(2).index.tolist() == ["optimizer", "num_conv_layers"]
    assert (found["total"] >= found["main"]).all()
    assert (found[["main_error", "total_error"]] < 0.02).all(axis=None)
