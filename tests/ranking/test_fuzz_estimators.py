"""Whatever an estimator is given: a clear error, or numbers that can be right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fuzz import TIMES, clear, examples, finite, floats
from hypothesis import given
from hypothesis import strategies as st

from hia.ranking import methods
from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF
from hia.space import Hyperparameter

# --- tables of any kind --------------------------------------------------------------------------

KINDS = {
    "floats": floats,
    "finite": finite,
    "unit": st.floats(0, 1),
    "levels": st.sampled_from([1, 2, 4]),
    "same": st.just(0.5),
    "integers": st.integers(-(2**63), 2**63 - 1),
    "large": st.integers(-(2**80), 2**80),
    "truths": st.booleans(),
    "text": st.text(max_size=3),
    "missing": st.one_of(st.none(), st.floats(0, 1)),
    "mixed": st.one_of(st.none(), st.integers(0, 3), st.text(max_size=1), st.booleans()),
    "lists": st.lists(st.integers(0, 2), max_size=1),
    "complex": st.complex_numbers(max_magnitude=2),
    "dates": st.datetimes().map(pd.Timestamp),
}
NAMES = st.one_of(st.sampled_from(["lr", "x", "é\n", "", "y"]), st.integers(0, 2))


@st.composite
def tables(draw, kinds=tuple(KINDS), heights=(0, 12), widths=(0, 4)):
    """Of columns of any kind, under any names."""
    height = draw(st.integers(*heights))
    parts = []
    for _ in range(draw(st.integers(*widths))):
        values = KINDS[draw(st.sampled_from(kinds))]
        column = draw(st.lists(values, min_size=height, max_size=height))
        try:
            series = pd.Series(column)
        except (OverflowError, ValueError):  # of pandas, for what no table can have
            series = pd.Series(column, dtype=object)
        if draw(st.booleans()):
            series = series.astype(object)
        parts.append(series.rename(draw(NAMES)))
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=range(height))


@st.composite
def good_tables(draw, heights=(6, 12)):
    """Of columns as they should be, with a few numbers that are very large or small."""
    height = draw(st.integers(*heights))
    table = {}
    for name in draw(st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True)):
        kind = draw(st.sampled_from(["unit"] * 4 + ["finite", "levels", "truths", "text"]))
        table[f"h{name}"] = draw(st.lists(KINDS[kind], min_size=height, max_size=height))
    return pd.DataFrame(table)


@st.composite
def targets(draw, height: int):
    length = draw(st.sampled_from([height] * 14 + [height + 1, 0]))
    kinds = ["unit"] * 14 + ["floats", "finite", "finite", "same", "mixed"]
    kind = KINDS[draw(st.sampled_from(kinds))]
    return draw(st.lists(kind, min_size=length, max_size=length))


reached = []  # what was not an error


@examples(60)
@given(
    X=st.one_of(tables(), good_tables(), good_tables(), good_tables()),
    data=st.data(),
    n_neighbors=st.integers(0, 5),
    options=st.fixed_dictionaries(
        {
            "metric": st.sampled_from(["euclidean", "manhattan"]),
            "scale": st.sampled_from(["range", "none"]),
            "target_scale": st.sampled_from(["none", "range", "range"]),
            "sigma": st.sampled_from([20.0] * 12 + [1e-300, 1e300, -1.0, float("nan")]),
        }
    ),
)
def fit_relief(X, data, n_neighbors, options):
    y = data.draw(targets(len(X)))
    model = NRReliefF(n_neighbors=n_neighbors, **options)
    with clear(ValueError, TypeError):
        weights = model.fit(X, y).weights_
        reached.append("relief")
        assert np.isfinite(weights).all()
        assert (np.abs(weights) <= 1 + 1e-9).all()
        resampled = model.bootstrap(X, y, 3, random_state=0)
        assert np.isfinite(resampled).all()
        tested = model.permutation_test(X, y, 3, random_state=0)
        assert tested["p_value"].between(0.25, 1).all()


@examples(60)
@given(
    X=st.one_of(tables(), good_tables(), good_tables(), good_tables()),
    data=st.data(),
    min_samples_leaf=st.sampled_from([1, 2, 3, 1, 2, 0]),
    bounds=st.one_of(st.none(), st.none(), st.none(), st.tuples(floats, floats)),
    log=st.booleans(),
)
def fit_fanova(X, data, min_samples_leaf, bounds, log):
    y = data.draw(targets(len(X)))
    with clear(ValueError, TypeError):
        known = bounds and {0: Hyperparameter("x", "float", *bounds, log=log)}
        model = FAnova(2, min_samples_leaf=min_samples_leaf, space=known, random_state=0)
        model.fit(X, y)
        reached.append("fanova")
        shares = [*model.importances_, *model.pair_importances()["weight"]]
        assert all(0 <= share <= 1 for share in shares)
        assert sum(shares) <= 1 + 1e-9
        marginal = model.marginal(0)
        rounding = max(map(abs, y)) * 1e-9
        assert (marginal["mean"] >= min(y) - rounding).all()
        assert (marginal["mean"] <= max(y) + rounding).all()


def get_through(fuzz, times):
    """Fuzz that never gets through tests the errors alone; by chance it may not the first time."""
    reached.clear()
    for _ in range(5):
        fuzz()
        if len(reached) >= times:
            return
    pytest.fail("no table was a good one")


@pytest.mark.parametrize("fuzz", [fit_relief, fit_fanova])
def test_fits(fuzz):
    get_through(fuzz, TIMES)


@pytest.mark.parametrize(
    ("method", "count"),
    [("nrrelieff", 25), ("fanova", 25), ("ped_anova", 25), ("forward_selection", 10)],
)
def test_methods(method, count):
    @examples(count)
    @given(
        X=st.one_of(tables(heights=(8, 16)), good_tables((10, 16)), good_tables((10, 16))),
        data=st.data(),
        missing=st.sampled_from(methods.MISSING),
        maximize=st.booleans(),
    )
    def run(X, data, missing, maximize):
        kind = data.draw(st.sampled_from(["floats", "finite", "unit", "unit", "mixed"]))
        values = st.lists(KINDS[kind], min_size=len(X), max_size=len(X))
        X = X.drop(columns=[name for name in X if name == "y"])
        table = pd.concat([X, pd.Series(data.draw(values), name="y")], axis=1)
        with clear(ValueError):
            options = {"missing": missing, "maximize": maximize}
            ranking = methods.rank(table, "y", method=method, n_bootstrap=1, **options)
            reached.append(method)
            found = ranking.table
            assert np.isfinite(found[["score", "share", "rank"]]).all(axis=None)
            shares = found[["share", "share_low", "share_high"]]
            assert (shares.isna() | ((shares >= 0) & (shares <= 1))).all(axis=None)
            assert not [note for note in ranking.notes if "encountered" in note], ranking.notes

    get_through(run, 1)
