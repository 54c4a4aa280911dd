"""hia.inputs: what the estimators take, and what they say where they do not."""

import numpy as np
import pandas as pd
import pytest

from hia import inputs


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2", None])
def test_a_count_is_a_whole_number_of_at_least_1(value) -> None:
    with pytest.raises(ValueError, match=r"n_trees=.* is not a whole number of at least 1"):
        inputs.check_count("n_trees", value)
    inputs.check_count("n_trees", 1)
    inputs.check_count("n_trees", np.int32(7))


def test_arrays_of_objects_get_the_dtypes_of_their_columns() -> None:
    frame = inputs.as_frame(np.array([[1.5, "a"], [2.5, "b"]], dtype=object))
    assert frame[0].dtype == np.float64
    assert [inputs.is_text(frame[column]) for column in frame] == [False, True]


def test_columns_by_name_and_by_position() -> None:
    names = ["lr", 7, "epoch"]
    assert inputs.positions("log", None, names) == set()
    assert inputs.positions("log", ["epoch", 0, np.int64(1)], names) == {0, 1, 2}
    for entry in ("momentum", 3, -1, 7, 1.0):
        with pytest.raises(ValueError, match=r"log: .* is not a column of X; there are 3 col"):
            inputs.positions("log", [entry], names)
    with pytest.raises(ValueError, match=r"log='lr' is not a list; \['lr'\] is"):
        inputs.positions("log", "lr", names)


def test_numbers_and_their_span() -> None:
    numbers = inputs.read_numbers(pd.Series([True, False, True]), "x")
    assert numbers.tolist() == [1.0, 0.0, 1.0]
    assert inputs.span_of(numbers, "x", "leave it out") == 1.0
    with pytest.raises(ValueError, match=r"x \(object\) is neither all numbers nor all text"):
        inputs.read_numbers(pd.Series([1, "a"], dtype=object), "x")
    with pytest.raises(ValueError, match="x has one value only: leave it out"):
        inputs.span_of(numbers[:1], "x", "leave it out")
    with pytest.raises(ValueError, match="x has a range too large for float64"):
        inputs.span_of(np.array([-1e308, 1e308]), "x", "leave it out")
    with pytest.raises(ValueError, match="x contains infinity or NaN"):
        inputs.span_of(np.array([0.0, np.inf]), "x", "leave it out")
