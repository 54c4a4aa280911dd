"""Kinds and scales of columns: inferred from values, declared, and checked."""

import numpy as np
import pandas as pd
import pytest

from hia import space
from hia.ranking.columns import describe, doubts, infer, read
from hia.space import TABLE1, Hyperparameter

RNG = np.random.default_rng(0)
N = 200


LAYERS = RNG.integers(1, 4, N)
TABLE = pd.DataFrame(  # trials of an invented search
    {
        "number": np.arange(N),
        "lr": 10 ** RNG.uniform(-5, -1, N),
        "decay": RNG.choice([1e-4, 1e-3, 1e-2, 1e-1], N),
        "momentum": RNG.uniform(0.001, 0.999, N),
        "units": RNG.integers(8, 257, N),
        "batch": RNG.choice([32, 64, 128], N),
        "layers": LAYERS,
        "units_2": np.where(LAYERS > 1, RNG.integers(8, 257, N), np.nan),
        "optimizer": RNG.choice(["adam", "sgd"], N),
        "warm_up": RNG.random(N) < 0.5,
        "label": [f"run {i}" for i in range(N)],
        "when": pd.date_range("2024-01-01", periods=N, freq="h"),
        "history": [[0.1, 0.2]] * N,
        **{"empty": np.full(N, np.nan), "constant": 7, "accuracy": RNG.uniform(size=N)},
    }
)
COLUMNS, LEFT_OUT = infer(TABLE, "accuracy")


def scales(columns: list[Hyperparameter]) -> dict[str, str]:
    return {column.name: column.scale for column in columns}


def test_kinds_scales_levels_and_bounds_follow_from_the_values() -> None:
    assert scales(COLUMNS) == {
        **{"lr": "float, log", "decay": "float, log", "momentum": "float", "units": "integer"},
        **{"batch": "integer", "layers": "integer", "units_2": "integer", "constant": "integer"},
        **{"optimizer": "categorical", "warm_up": "categorical"},
    }
    assert LEFT_OUT == {
        "number": "bookkeeping, by the name",
        "label": "text, different in nearly every row",
        "when": "neither numbers nor text (datetime64[us])",
        "history": "neither numbers nor text (object)",
        "empty": "no value in a complete trial",
    }
    by_name = {column.name: column for column in COLUMNS}
    assert by_name["batch"].choices == (32, 64, 128)
    assert by_name["decay"].choices == (1e-4, 1e-3, 1e-2, 1e-1)
    assert by_name["optimizer"].choices == ("adam", "sgd")
    assert by_name["warm_up"].choices == (False, True)
    for name in ("units", "units_2"):
        assert by_name[name].choices is None
        assert by_name[name].bounds == (TABLE[name].min(), TABLE[name].max())
    assert infer(TABLE[["batch"]][:12]).columns[0].choices is None  # in few rows


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
    (column,) = infer(pd.DataFrame({"x": np.repeat(values, 3)})).columns
    assert column.log == log


def test_a_table_of_this_study_is_recognized() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame([space.sample(rng) | {"in_channel_num": 3} for _ in range(30)])
    rows["accuracy"] = rng.random(30)
    columns, left_out = infer(rows, "accuracy")
    assert columns == list(TABLE1)
    assert left_out == dict.fromkeys(space.FILTERS, "not in Table 1")
    # Not so where values contradict Table 1, or a column is missing.
    for other in (rows.assign(epoch=100), rows.drop(columns="lr")):
        assert all(column.origin != "Table 1" for column in infer(other, "accuracy").columns)


def test_what_is_declared_is_visible_and_leaves_the_rest() -> None:
    kinds = {"layers": "categorical", "units": "float"}
    after = describe(TABLE, "accuracy", kinds=kinds, log=["units"], linear=["lr"]).columns
    changed = {a.name: a for a, b in zip(after, COLUMNS, strict=True) if a != b}
    after = {"lr": "float", "units": "float, log", "layers": "categorical"}
    assert scales(list(changed.values())) == after
    assert changed["layers"].choices == (1, 2, 3)
    assert {column.origin for column in changed.values()} == {"declared"}
    assert describe(TABLE, "accuracy") == (COLUMNS, LEFT_OUT)


def test_columns_are_named_dropped_or_those_of_a_study() -> None:
    units = Hyperparameter("units", "integer", 8, 256, origin="study")
    named = scales(describe(TABLE, names=["units", "lr"]).columns)
    assert named == {"units": "integer", "lr": "float, log"}
    assert describe(TABLE, names=["lr", "units"], declared=[units]).columns[1] is units
    assert describe(TABLE, declared=[units, COLUMNS[0]], drop=["lr"]).columns == [units]
    columns, left_out = describe(TABLE, "accuracy", drop=["units", "when"])
    assert "units" not in scales(columns)
    assert left_out == {**LEFT_OUT, "units": "dropped", "when": "dropped"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["history"]}, "'history' is no hyperparameter: neither numbers nor text"),
        ({"names": ["nope"]}, "there is no column 'nope'; there are number, lr"),
        ({"drop": ["nope"]}, "there is no column 'nope'"),
        ({"names": ["lr"], "drop": ["lr"]}, "'lr' cannot be chosen and dropped"),
        ({"names": ["lr", "accuracy"]}, "'accuracy' is the target and a hyperparameter"),
        ({"names": []}, "no column is left to rank"),
        ({"kinds": {"nope": "float"}}, "'nope' is none of the hyperparameters lr, decay"),
        ({"kinds": {"lr": "ordinal"}}, "'ordinal' is no kind; there are integer, float, categ"),
        ({"kinds": {"lr": "integer"}}, "'lr' has .*: no integer"),
        ({"kinds": {"optimizer": "float"}}, "'optimizer' has '(adam|sgd)', which is no number"),
        ({"log": ["optimizer"]}, "optimizer: categories have no logarithm"),
        ({"log": ["lr"], "linear": ["lr"]}, "'lr' cannot be logarithmic and linear"),
    ],
)
def test_wrong_declarations(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        describe(TABLE, "accuracy", **options)


def test_read_takes_nullable_and_text_columns() -> None:
    given = pd.DataFrame(
        {
            "a": pd.array([1, None, 3], dtype="Int64"),
            "b": ["1", "2", "3"],
            "c": pd.Categorical(["x", None, "y"]),
            "d": [True, None, False],
        }
    )
    columns = describe(given, names=["a", Hyperparameter("b", "integer", 1, 3), "c", "d"]).columns
    assert [column.kind for column in columns] == ["integer"] * 2 + ["categorical"] * 2
    before = given.copy(deep=True)
    X = read(given, columns)
    pd.testing.assert_frame_equal(given, before)
    with pytest.raises(ValueError, match="column 'b' is there twice"):
        read(given, [columns[1], columns[1]])
    np.testing.assert_array_equal(X["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(X["b"], [1, 2, 3])
    assert X["c"].tolist() == ["x", None, "y"]
    assert X["d"].tolist() == [True, None, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "integer", 1, 2), r"'x' has 2\.5, which is not integer: 1 to 2"),
        (("x", "float", None, None, (1.0, 2.0)), r"'x' has 2\.5, which is not float: 1, 2"),
        (("y", "float", 0, 1), "'y' has 'a', which is no number"),
        (("y", "categorical", None, None, ("a",)), "'y' has 'b', which is not categorical: a"),
        (("z", "float", 0, 1), "there is no column 'z'; there are x, y"),
    ],
)
def test_read_refuses_what_does_not_fit(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        read(pd.DataFrame({"x": [1, 2.5], "y": ["a", "b"]}), [Hyperparameter(*arguments)])


BY_NAME, RESULT = "bookkeeping, by the name", "a result, by the name"
ROW = np.arange(40)


@pytest.mark.parametrize(
    ("names", "values", "reason"),
    [
        ("hostname,Source Type,GPU Type,git_commit,jobKey,run_name", ["a", "b"] * 20, BY_NAME),
        ("generation_node,worker_pid,best_epoch,exit_code,data_seed", ROW % 7, BY_NAME),
        ("rung,trial_nr", ROW % 7, BY_NAME),
        ("Relative Time (Wall),trainer/global_step,max_mem_mb", RNG.random(40), BY_NAME),
        ("createdAt", RNG.random(40), BY_NAME),
        ("label", [f"try {k}" if k != 3 else None for k in ROW], "text, different in nearly every"),
        ("code", [f"v{k}" for k in RNG.integers(0, 600, 40)], "text, different in nearly every"),
        ("when", [f"{1 + k % 9}.12.2026 10:00" for k in ROW], "dates"),
        ("when", ["2026-01-02T10:00:00Z"] * 40, "dates"),
        ("when", ["1.12.26", "28.2.26"] * 20, "dates"),
        ("when", ["Mar 3, 2026", "8 May 2026"] * 20, "dates"),
        ("when", 20260101 + ROW % 7, "dates"),
        ("began", 1_700_000_000 + 37 * ROW, "times, counted from 1970"),
        ("began", RNG.permutation(1.7e12 + 37.5 * ROW), "times, counted from 1970"),
        ("job", 70_000 + 37 * ROW + RNG.integers(0, 9, 40), "whole numbers that grow or fall"),
        ("job", RNG.permutation(ROW), "whole numbers that count the rows"),
        ("loss_train,UserAttribute s,loss_epoch,mAP50,auc_roc,F1Score", RNG.random(40), RESULT),
        ("val_loss,epoch_time_s,GPU hours,acc_sem,n_params", RNG.random(40), RESULT),
        ("train_time", [f"{k / 7:.2f} s" for k in ROW], RESULT),
        ("best_val", (ROW + 0.5) ** 2, f"{RESULT}, that goes with acc"),
        ("precision", -ROW / 40, f"{RESULT}, that goes with acc"),
        ("fitness", ROW / 40, f"{RESULT}, that goes with acc"),
        ("precision", [16, 32] * 20, None),
        ("learning_rate", RNG.random(40), None),
        ("lora_rank,$(units)", ROW % 5, None),
        ("n_train,state_dim,time_steps", RNG.integers(10, 99, 40), None),
        ("loss,early_stopping", ["hinge", "log"] * 20, None),
        ("layers", ["64-32-16", "16-16-16"] * 20, None),
    ],
)
def test_bookkeeping_and_results_are_no_hyperparameters(names, values, reason) -> None:
    for name in names.split(","):
        table = pd.DataFrame({"lr": RNG.random(40), name: values, "acc": ROW / 40})
        columns, left_out = infer(table, "acc")
        assert [column.name for column in columns] == ["lr", name][: 1 + (reason is None)]
        assert reason is None or left_out[name].startswith(reason)
        if reason and not isinstance(values[0], str):
            assert len(describe(table, "acc", ["lr", name]).columns) == 2


def test_what_may_be_a_result_is_doubted() -> None:
    """By a rank correlation of .75 with the target, or of less where a forest tells it from other
    columns; of what a search drew, nothing is told, though lr has a correlation of .67."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"lr": 10 ** rng.uniform(-5, -1, 150), "decay": rng.random(150)})
    table["opt"] = rng.choice(["adam", "sgd"], 150)
    table["acc"] = np.log10(table["lr"]) + 2 * (table["opt"] == "sgd") + 3 * table["decay"] ** 2

    def told() -> list[str]:
        return doubts(table, "acc", infer(table, "acc").columns)

    assert told() == []
    table["plasticity"] = table["acc"] + 0.1 * rng.random(150)
    assert told() == ["plasticity goes with acc. If it is a result, --drop it."]
    noisy = table["acc"] + rng.normal(0, 2, 150)
    for values in (noisy, (2 * noisy).round()):
        table["plasticity"] = values
        (line,) = [line for line in told() if line.startswith("plasticity")]
        assert line.startswith("plasticity goes with acc and with other columns. If it is a result")
    table["plasticity"] = np.cumsum(rng.random(150))
    assert told() == ["plasticity grows or falls with the rows. If it counts them, --drop it."]
    table = pd.concat([table.drop(columns="plasticity").head(30)] * 5, ignore_index=True)
    assert told() == []
    study = [Hyperparameter("lr", "float", 0, 99, origin="study")]
    assert doubts(table, "acc", study) == []


def test_a_blank_with_another_distribution_of_the_target_is_doubted() -> None:
    table = pd.DataFrame({"x": ["a", None, "b"] * 20, "acc": [0.1, 0.5, 0.9] * 20})
    (line,) = doubts(table, "acc", infer(table, "acc").columns)
    assert line.startswith("x: where it is blank, acc is distributed otherwise (the median is 0.5,")
    table["plasticity"] = table["acc"].where(table["x"].notna()) + np.arange(60) / 1000
    (line,) = doubts(table, "acc", infer(table, "acc").columns, blanks=False)
    assert line.startswith("plasticity goes with acc")


def test_a_column_that_is_crossed_with_all_others_is_doubted() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(np.repeat(rng.random((8, 2)), 5, axis=0), columns=["lr", "decay"])
    table = table.assign(init=ROW % 5, acc=rng.random(40))
    columns = infer(table, "acc").columns
    (line,) = doubts(table, "acc", columns)
    assert line.startswith("init has its values with the same configurations of the others")
    grid = table.assign(lr=ROW % 2, decay=ROW // 2 % 4, init=ROW // 8)
    for other in (grid, table.assign(lr=rng.random(40)), table[["init", "acc"]]):
        assert doubts(other, "acc", infer(other, "acc").columns) == []


@pytest.mark.parametrize(
    ("names", "target", "columns"),
    [
        ("params_lr value weight number", "value", "params_lr weight"),
        ("params_lr params_x value odd", "value", "params_lr params_x"),
        ("Parameters/lr Parameters/x value odd", "value", "Parameters/lr Parameters/x"),
        ("hyperparams.lr hyperparams.x value odd", "value", "hyperparams.lr hyperparams.x"),
        ("args/lr args/x value odd", "value", "args/lr args/x"),
        ("param_C params.C mean_test_score std_fit_time", "mean_test_score", "param_C"),
        ("param_size lr acc duration", "acc", "param_size lr"),
    ],
)
def test_a_prefix_marks_hyperparameters_but_not_by_chance(names, target, columns) -> None:
    table = pd.DataFrame(np.random.default_rng(0).random((40, 4)), columns=names.split())
    assert [column.name for column in infer(table, target).columns] == columns.split()


def test_a_hyperparameter_that_only_a_failed_trial_has() -> None:
    table = pd.DataFrame({"lr": np.linspace(0, 1, 40), "old": [np.nan] * 39 + [3]})
    for result in (np.nan, np.inf):
        table["acc"] = [*np.linspace(0, 1, 39), result]
        assert infer(table, "acc").left_out == {"old": "no value in a complete trial"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame([[1, 2]]), "column 0: names of columns have to be text"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "column 'x' is there twice"),
        (pd.DataFrame({"lr": [1.0, np.inf]}), "'lr' has an infinite value: leave it out"),
        ([str(k / 7) for k in range(39)] + ["1.5 GB"], "'1.5 GB' among its numbers: correct it"),
        ([f"{k} px" for k in range(40)], "'0 px' where a number could be: write numbers alone"),
        ([f"${k}.50" for k in range(40)], r"'\$0.50' where a number could be"),
        ([f"{k}.5D-03" for k in range(40)], "'0.5D-03' where a number could be"),
        ([str(k) for k in range(40)], "'0' where a number could be"),
        ([f"10^-{k / 7:.2f}" for k in range(40)], r"'10\^-0.00' where a number could be"),
        ([f"{k} ± 0.5" for k in range(40)], "'0 ± 0.5' where a number could be"),
        ([f"{k}/97" for k in range(40)], "'0/97' where a number could be"),
        (["auto"] * 25 + [f"{k / 7}" for k in range(15)], "'auto' among its numbers"),
    ],
)
def test_wrong_tables_and_numbers(given, message) -> None:
    if isinstance(given, list):
        given, message = pd.DataFrame({"x": given}), f"column 'x' has {message}"
    with pytest.raises(ValueError, match=message):
        infer(given)


def test_many_categories_are_left_out() -> None:
    table = pd.DataFrame({"x": [f"v{k % 501}" for k in range(1002)]})
    assert infer(table).left_out == {"x": "text with more than 500 different values"}
    assert len(describe(table, names=["x"]).columns[0].choices or ()) == 501
