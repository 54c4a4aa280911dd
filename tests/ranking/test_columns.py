"""Kinds and scales of columns: of Table 1, inferred from values, declared, and checked."""

import numpy as np
import pandas as pd
import pytest

from hia import space
from hia.ranking import columns
from hia.ranking.columns import Column, ColumnError, infer, of_space, override, read, summary

RNG = np.random.default_rng(0)
N = 200


def table() -> pd.DataFrame:
    """Trials of an invented search."""
    layers = RNG.integers(1, 4, N)
    return pd.DataFrame(
        {
            "number": np.arange(N),
            "lr": 10 ** RNG.uniform(-5, -1, N),
            "decay": RNG.choice([1e-4, 1e-3, 1e-2, 1e-1], N),
            "momentum": RNG.uniform(0.001, 0.999, N),
            "units": RNG.integers(8, 257, N),
            "batch": RNG.choice([32, 64, 128], N),
            "layers": layers,
            "units_2": np.where(layers > 1, RNG.integers(8, 257, N), np.nan),
            "optimizer": RNG.choice(["adam", "sgd"], N),
            "warm_up": RNG.random(N) < 0.5,
            "comment": [f"run {i}" for i in range(N)],
            "when": pd.date_range("2024-01-01", periods=N, freq="h"),
            "history": [[0.1, 0.2]] * N,
            "empty": np.full(N, np.nan),
            "seed": 7,
            "accuracy": RNG.uniform(size=N),
        }
    )


TABLE = table()


def scales(found: list[Column]) -> dict[str, str]:
    return {column.name: column.scale for column in found}


# Inferred --------------------------------------------------------------------------------------


def test_kinds_and_scales_follow_from_the_values() -> None:
    assert scales(infer(TABLE, "accuracy").columns) == {
        "lr": "float, log",
        "decay": "float, log",
        "momentum": "float",
        "units": "integer",
        "batch": "integer",
        "layers": "integer",
        "units_2": "integer",
        "optimizer": "categorical",
        "warm_up": "categorical",
        "seed": "integer",
    }


def test_what_is_left_out_says_why() -> None:
    assert infer(TABLE, "accuracy").left_out == {
        "number": "whole numbers that count the rows",
        "comment": "text, different in every row",
        "when": "neither numbers nor text (datetime64[us])",
        "history": "neither numbers nor text (object)",
        "empty": "no values",
    }


def test_few_numbers_are_levels_and_many_have_bounds() -> None:
    found = {column.name: column for column in infer(TABLE, "accuracy").columns}
    assert found["batch"].choices == (32, 64, 128)
    assert found["decay"].choices == (1e-4, 1e-3, 1e-2, 1e-1)
    assert found["optimizer"].choices == ("adam", "sgd")
    assert found["warm_up"].choices == (False, True)
    assert found["units"].choices is None
    assert found["units"].bounds == (TABLE["units"].min(), TABLE["units"].max())
    assert found["units_2"].bounds == (TABLE["units_2"].min(), TABLE["units_2"].max())
    few_rows = infer(TABLE[["batch"]][:12]).columns[0]
    assert few_rows.choices is None


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (np.geomspace(1e-6, 1e-1, 50), True),
        (np.linspace(1e-6, 1e-1, 50), False),
        (np.array([8, 16, 64, 256, 1024]), True),
        (np.array([1, 200, 400, 600, 800, 1000]), False),
        (np.geomspace(1, 99, 50), False),
        (np.array([0.0, 1e-3, 1e-2, 1e-1]), False),
        (np.array([-1.0, 1e-3, 1e-2, 1e-1]), False),
        (np.array([1e-3, 1.0]), False),
    ],
)
def test_a_scale_is_logarithmic_where_values_are_even_on_it(values, log) -> None:
    column = columns.infer_one(pd.DataFrame({"x": np.repeat(values, 3)}), "x")
    assert column.log == log


def test_a_table_of_this_study_is_recognized() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame([space.sample(rng) | {"in_channel_num": 3} for _ in range(30)])
    rows["accuracy"] = rng.random(30)
    found = infer(rows, "accuracy")
    assert found.columns == of_space()
    assert found.left_out == dict.fromkeys(space.FILTERS, "not in Table 1")
    # Not so where values contradict Table 1, or a column is missing.
    other = infer(rows.assign(epoch=100), "accuracy")
    assert {column.origin for column in other.columns} == {"inferred", "inferred: text"}
    assert all(column.origin != "Table 1" for column in infer(rows.drop(columns="lr")).columns)


def test_table_1() -> None:
    found = of_space(["lr", "batch_size", "optimizer", "num_filters_3"])
    assert [column.scale for column in found] == ["float, log", "integer", "categorical", "integer"]
    assert found[0].bounds == (1e-6, 1e-1)
    assert found[1].choices == (32, 64, 128, 256)
    assert [column.name for column in of_space()] == list(space.HYPERPARAMETERS)
    with pytest.raises(ColumnError, match="'learning_rate' is not in Table 1, which has num_conv"):
        of_space(["learning_rate"])


def test_a_column_named_that_is_no_hyperparameter() -> None:
    with pytest.raises(ColumnError, match="'history' is no hyperparameter: neither numbers nor"):
        columns.infer_one(TABLE, "history")
    with pytest.raises(ColumnError, match="there is no column 'nope'; there are number, lr"):
        columns.infer_one(TABLE, "nope")


def test_names_have_to_be_text_and_there_once() -> None:
    with pytest.raises(ColumnError, match="column 0: names of columns have to be text"):
        infer(pd.DataFrame([[1, 2]]))
    with pytest.raises(ColumnError, match="column 'x' is there twice"):
        infer(pd.DataFrame([[1, 2]], columns=["x", "x"]))


def test_an_infinite_value_is_named() -> None:
    with pytest.raises(ColumnError, match="'lr' has an infinite value: leave it out"):
        infer(pd.DataFrame({"lr": [1.0, np.inf]}))


# Declared --------------------------------------------------------------------------------------


def test_overrides_are_visible_and_leave_the_rest() -> None:
    before = infer(TABLE, "accuracy").columns
    after = override(before, TABLE, {"layers": "categorical", "units": "float"}, ["units"], ["lr"])
    changed = {a.name: a for a, b in zip(after, before, strict=True) if a != b}
    assert scales(list(changed.values())) == {
        "lr": "float",
        "units": "float, log",
        "layers": "categorical",
    }
    assert changed["layers"].choices == (1, 2, 3)
    assert {column.origin for column in changed.values()} == {"declared"}
    assert override(before, TABLE) == before


@pytest.mark.parametrize(
    ("kinds", "log", "linear", "message"),
    [
        ({"nope": "float"}, (), (), "'nope' is none of the hyperparameters lr, decay"),
        ({}, ("nope",), (), "'nope' is none"),
        ({"lr": "ordinal"}, (), (), "'ordinal' is no kind; there are integer, float, categorical"),
        ({"lr": "integer"}, (), (), "'lr' has .*: no integer"),
        ({"optimizer": "float"}, (), (), "'optimizer' has '(adam|sgd)', which is no number"),
        ({}, ("optimizer",), (), "optimizer: categories have no logarithm"),
        ({}, ("lr",), ("lr",), "'lr' cannot be logarithmic and linear"),
    ],
)
def test_wrong_overrides(kinds, log, linear, message) -> None:
    with pytest.raises(ColumnError, match=message):
        override(infer(TABLE, "accuracy").columns, TABLE, kinds, log, linear)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "int", "low": 1, "high": 2}, "'int' is no kind"),
        ({"kind": "integer"}, "numbers need low and high, or choices"),
        ({"kind": "categorical"}, "categories need choices"),
        ({"kind": "float", "choices": (2, 1)}, r"choices \(2, 1\) are not different and ascending"),
        ({"kind": "float", "low": 0.0, "high": 1.0, "log": True}, "x has 0: a logarithm needs"),
    ],
)
def test_wrong_descriptions(arguments, message) -> None:
    with pytest.raises(ColumnError, match=message):
        Column("x", **arguments)


def test_categories_have_no_bounds() -> None:
    with pytest.raises(ColumnError, match="x is categorical: it has no bounds"):
        _ = Column("x", "categorical", choices=("a", "b")).bounds


# For people ------------------------------------------------------------------------------------


def test_summary_says_what_is_there_and_from_where() -> None:
    found = summary(infer(TABLE, "accuracy").columns, TABLE)
    assert found.loc["decay", ["kind", "values", "missing", "from"]].tolist() == [
        "float, log",
        "0.0001, 0.001, 0.01, 0.1",
        "",
        "inferred",
    ]
    assert found.loc["optimizer", "values"] == "adam, sgd"
    assert found.loc["units_2", "missing"] == f"{TABLE['units_2'].isna().mean():.0%}"
    many = Column("x", "categorical", choices=tuple(f"c{i}" for i in range(50)))
    assert many.possible.endswith("c9, ... (50 in all)")


# Read ------------------------------------------------------------------------------------------


def test_read_gives_numbers_and_categories() -> None:
    before = TABLE.copy(deep=True)
    described = infer(TABLE, "accuracy").columns
    found = read(TABLE, described)
    assert list(found) == [column.name for column in described]
    np.testing.assert_array_equal(found["lr"], TABLE["lr"])
    np.testing.assert_array_equal(found["units_2"], TABLE["units_2"])
    assert found["units_2"].dtype == "float64"
    assert found["optimizer"].tolist() == TABLE["optimizer"].tolist()
    pd.testing.assert_frame_equal(TABLE, before)


def test_read_takes_nullable_and_text_columns() -> None:
    given = pd.DataFrame(
        {
            "a": pd.array([1, None, 3], dtype="Int64"),
            "b": ["1", "2", "3"],
            "c": pd.Categorical(["x", None, "y"]),
            "d": [True, None, False],
        }
    )
    described = [columns.infer_one(given, name) for name in "acd"]
    assert scales(described) == {"a": "integer", "c": "categorical", "d": "categorical"}
    found = read(given, [*described, Column("b", "integer", 1, 3)])
    np.testing.assert_array_equal(found["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(found["b"], [1, 2, 3])
    assert found["c"].tolist() == ["x", None, "y"]
    assert found["d"].tolist() == [True, None, False]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Column("x", "integer", 1, 2), r"'x' has 2\.5, which is not integer: 1 to 2"),
        (Column("x", "integer", 1, 9), r"'x' has 2\.5, which is not integer: 1 to 9"),
        (Column("x", "float", choices=(1.0, 2.0)), r"'x' has 2\.5, which is not float: 1, 2"),
        (Column("y", "float", 0, 1), "'y' has 'a', which is no number"),
        (Column("y", "categorical", choices=("a",)), "'y' has 'b', which is not categorical: a"),
        (Column("z", "float", 0, 1), "there is no column 'z'; there are x, y"),
    ],
)
def test_read_refuses_what_does_not_fit(column, message) -> None:
    with pytest.raises(ColumnError, match=message):
        read(pd.DataFrame({"x": [1, 2.5], "y": ["a", "b"]}), [column])


def test_read_refuses_a_name_twice() -> None:
    column = Column("x", "float", 0, 1)
    with pytest.raises(ColumnError, match="column 'x' is there twice"):
        read(pd.DataFrame([[0, 1]], columns=["x", "x"]), [column])
    with pytest.raises(ColumnError, match="column 'x' is there twice"):
        read(pd.DataFrame({"x": [0, 1]}), [column, column])
