"""Whatever lists, distances or responses are given: a clear error, or numbers that can be right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fuzz import clear, examples, finite, floats
from hypothesis import given
from hypothesis import strategies as st

from hia_book import agreement, screening


@st.composite
def lists(draw):
    shape = draw(st.tuples(st.integers(0, 5), st.integers(0, 5)))
    few = st.sampled_from([0.0, 1.0, draw(finite)])
    values = draw(st.sampled_from([few, st.one_of(floats, few)]))
    drawn = draw(st.lists(values, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    names = [f"h{number}" for number in range(shape[1])]
    return pd.DataFrame(np.array(drawn, dtype=float).reshape(shape), columns=names)


@st.composite
def distances(draw):
    table = np.zeros((4, 4))
    values = st.one_of(finite, st.floats(0, 1))
    table[np.triu_indices(4, 1)] = draw(st.lists(values, min_size=6, max_size=6))
    return table + table.T


@examples(50)
@given(weights=lists())
def test_agreement_of_any_lists(weights):
    with clear(ValueError):
        found = agreement.icc(weights)
        assert (found["icc"] <= 1 + 1e-9).all()  # of the mean list it can be -inf
    with clear(ValueError):
        assert -1e-9 <= agreement.kendalls_w(weights, 5).w <= 1 + 1e-9
    with clear(ValueError):
        found = agreement.friedman(weights)
        assert 0 <= found.p <= 1
    if len(weights) > 1:
        with clear(ValueError):
            one = agreement.rank_agreement(weights.iloc[0], weights.iloc[1])
            assert -1 <= one.low <= one.tau <= one.high <= 1


@examples(60)
@given(tables=st.one_of(st.tuples(lists(), lists()), st.tuples(distances(), distances())))
def test_mantel_of_any_tables(tables):
    with clear(ValueError):
        found = agreement.mantel(*tables, 3)
        assert -1 - 1e-9 <= found.correlation <= 1 + 1e-9
        assert 0.25 <= found.p <= 1


@examples(50)
@given(
    y=st.lists(floats, max_size=14),
    n_intervals=st.one_of(st.integers(-1, 20), st.floats(), st.booleans()),
    cap=st.integers(-1, 5),
)
def test_subsamples_of_any_accuracies(y, n_intervals, cap):
    with clear(ValueError):
        subsets = agreement.balanced_subsamples(y, 2, cap, n_intervals)
        assert len(subsets) == 2
        assert all(0 <= value <= 1 for value in y)
        counts = np.bincount(agreement.intervals(y, n_intervals)[subsets[0]])
        assert counts.max() <= cap


@examples(50)
@given(
    factors=st.integers(1, 6),
    fold_over=st.booleans(),
    data=st.data(),
    error=st.sampled_from([None, "replicates", "contrasts", "other"]),
)
def test_screening_of_any_responses(factors, fold_over, data, error):
    design = screening.design(factors, fold_over)
    replicates = data.draw(st.integers(0, 3))
    values = data.draw(
        st.sampled_from([floats, finite, st.floats(0, 1), st.sampled_from([0.0, 1])])
    )
    count = len(design) * replicates
    drawn = data.draw(st.lists(values, min_size=count, max_size=count))
    responses = np.array(drawn, dtype=float).reshape(len(design), replicates)
    with clear(ValueError):
        found = screening.effects(design, responses, error=error)
        assert found["share"].sum() == pytest.approx(1)
        assert found["variance"].sum() <= 1 + 1e-6
        assert found["p"].dropna().between(0, 1).all()
        assert sorted(found["rank"]) == sorted(found["rank"].dropna())
