"""hia.trials: what tables of trained CNNs have to be, and that files are whole or not there."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
import rows

from hia import space, trials
from hia.trials import COLUMNS, KEYS, TABLES, TrialsError, check, load, read_given

ROOT = Path(__file__).parents[2]
ROW = 3  # the row that the tests spoil
RAW = {name: rows.raw(name) for name in ("trials", *TABLES)}
CHECKED = {name: check(table, name) for name, table in RAW.items()}
TRIALS = CHECKED["trials"]
OPTIONAL = ("loss", "cpu_seconds", *space.FILTERS)

each = pytest.mark.parametrize("name", RAW)


def key(name: str) -> list[str]:
    return ["dataset", *TABLES.get(name, ("trial",))]


def spoilt(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    table = table.astype({column: object})
    table.at[ROW, column] = value
    return table


def refuses(table: pd.DataFrame, column: str, value: object, right: str, name="trials") -> None:
    """The value is refused in a message with column, row, the value and what would be right."""
    message = rf"^column '{column}', row {ROW}: .*{re.escape(repr(value))}.*{right}"
    with pytest.raises(TrialsError, match=message):
        check(spoilt(table, column, value), name)


def equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    one, other = (
        table.assign(accuracy_per_epoch=table["accuracy_per_epoch"].map(list))
        for table in (one, other)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@each
def test_check_sets_types_and_order_and_keeps_rows_together(name):
    raw, before = RAW[name], RAW[name].copy()
    table = check(raw, name)
    pd.testing.assert_frame_equal(raw, before)
    types = {column: (KEYS | COLUMNS)[column][0] for column in table}
    assert table.dtypes.astype(str).to_dict() == types
    shared = [column for column in table if column in COLUMNS]
    assert shared == [column for column in COLUMNS if column in shared]
    assert set(COLUMNS) - set(shared) <= {"lr_scale", "source", "trial"}
    by_key = raw[list(table)].sort_values(key(name), ignore_index=True)
    pd.testing.assert_frame_equal(table, by_key, check_dtype=False)
    equal(check(table, name), table)
    equal(check(raw, None), table)
    assert len(check(table.head(0), name)) == 0


@each
def test_a_missing_and_an_unknown_column_are_named(name):
    table = CHECKED[name]
    for column in table:
        with pytest.raises(TrialsError, match=f"^column '{column}' is missing"):
            check(table.drop(columns=column), name)
    with pytest.raises(TrialsError, match=r"^unknown column 'lrate'; known are dataset"):
        check(table.assign(lrate=0.1), name)
    with pytest.raises(TrialsError, match="column"):
        check(pd.concat([table, table[["seed"]]], axis=1), name)
    with pytest.raises(TrialsError, match=r"^a key column is missing, one of trial"):
        check(table.drop(columns=[*key(name)[1:], "lr_scale"], errors="ignore"), None)


@each
def test_a_missing_value_is_named_and_a_diverged_row_may_have_no_loss(name):
    diverged = spoilt(spoilt(CHECKED[name], "loss", None), "diverged", True)
    assert math.isnan(check(diverged, name)["loss"][ROW])
    for column in set(CHECKED[name]) - {*OPTIONAL} if name == "trials" else key(name):
        message = rf"^column '{column}', row {ROW}: .*must not be missing"
        with pytest.raises(TrialsError, match=message):
            check(spoilt(CHECKED[name], column, None), name)


MARKUP = ["<script>", "`a`\n```{include} /etc/hosts", "$\\frac$", "[a](b)", "a|b", "", "x" * 999]


@pytest.mark.parametrize(
    ("column", "value", "right"),
    [
        # A fraction is not cut to an integer, "False" is not taken for true.
        *((one, "many", "") for one in ("epoch", "images", "num_filters_1", "lr", "accuracy")),
        *((one, 8.5, "") for one in ("epoch", "images", "num_filters_1", "batch_size")),
        *(("parameters", 1e30, ""), ("seed", True, ""), ("lr", "0.01", ""), ("loss", True, "")),
        *(("diverged", "False", ""), ("diverged", 2, ""), ("dataset", 7, "")),
        *(
            (one, text, "must be a name of letters, digits")
            for one in ("dataset", "processor")
            for text in (*MARKUP, 3.0)
        ),
        ("source", "guess", "is not categorical: random, bohb"),
        ("optimizer", "adam", "is not categorical: Adam, SGD"),
        ("batch_size", 48, "is not integer: 32, 64, 128, 256"),
        ("lr", 1.0, "is not float, log: 1e-06 to 0.1"),
        ("epoch", 11, "is not integer: 1 to 10"),
        ("num_filters_1", 3, "is not integer: 4 to 64"),
        ("accuracy_per_epoch", 0.5, r"must be numbers in \[0, 1\]"),
        ("precision", "fp8", "is not categorical"),
        ("lr_scale", "ln", "is not categorical"),
        ("accuracy", 1.5, "is not float: 0 to 1"),
        ("accuracy", 0.95, "must equal the last epoch's accuracy"),
        ("seconds", 0.0, "is not float: 1e-09 to"),
        *((one, 0, "is not integer: 1 to") for one in ("parameters", "flops", "val_images")),
        *((one, -1, "is not integer: 0 to") for one in ("trial", "seed")),
    ],
)
def test_a_wrong_value_is_named(column, value, right):
    table = TRIALS.assign(num_filters_1=8, num_filters_2=8, num_filters_3=8, num_conv_layers=3)
    refuses(table, column, value, right or "(must|is not)")


@pytest.mark.parametrize("value", [-1, "1", True, math.inf])
def test_wrong_keys_are_named(value):
    for name in TABLES:
        for column in TABLES[name]:
            refuses(CHECKED[name], column, value, "is not", name)


@pytest.mark.parametrize(("layers", "present"), [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)])
def test_filters_have_to_match_the_layers(layers, present):
    table, filters = TRIALS, [8 if layer <= present else None for layer in (1, 2, 3)]
    for name, count in zip(space.FILTERS, filters, strict=True):
        table = spoilt(table, name, count)
    wrong = space.FILTERS[min(layers, present)]
    message = f"^column '{wrong}', row {ROW}: .* must be there if its layer is"
    with pytest.raises(TrialsError, match=message):
        check(spoilt(table, "num_conv_layers", layers))


@pytest.mark.parametrize("first", [1.5, -0.1, math.nan, "0.5", None])
def test_there_is_one_accuracy_per_epoch_and_every_one_is_checked(first):
    accuracy = float(TRIALS["accuracy"][ROW])
    table = spoilt(TRIALS, "epoch", 2)
    refuses(table, "accuracy_per_epoch", [first, accuracy], r"must be numbers in \[0, 1\]")
    for epochs in (1, 3):
        refuses(table, "accuracy_per_epoch", [accuracy] * epochs, "must have one value per epoch")


@each
def test_a_training_occurs_once(name):
    raw = RAW[name]
    again = pd.concat([raw, raw.iloc[[2]]], ignore_index=True)
    column = key(name)[-1]
    with pytest.raises(TrialsError, match=f"column '{column}', row {len(raw)}: .* must occur once"):
        check(again, name)


@each
def test_to_write_and_load_changes_nothing(name, tmp_path):
    path = tmp_path / "new" / "some.parquet"
    trials.write(CHECKED[name], path)
    equal(load(str(path), name), CHECKED[name])
    equal(load(path, None), CHECKED[name])
    assert [file.name for file in path.parent.iterdir()] == ["some.parquet"]


def test_no_file_a_damaged_one_and_a_wrong_one_are_named(tmp_path):
    table, path = TRIALS, tmp_path / "trials.parquet"
    name = re.escape(str(path))
    with pytest.raises(FileNotFoundError, match=rf"^{name}: .* `hia export`"):
        load(path)
    with pytest.raises(FileNotFoundError, match=rf"^{name}: .* `hia study studies/scaling.csv`"):
        load(path, "scaling")
    trials.save(table, path)
    content = path.read_bytes()
    with pytest.raises(TrialsError, match="column 'lr'"):
        trials.save(table.assign(lr=1.0), path)
    assert path.read_bytes() == content
    for part in (0, 4, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:part])
        with pytest.raises(TrialsError, match=rf"^{name}: not a readable Parquet file"):
            load(path)
    table.assign(epoch=11).to_parquet(path)
    with pytest.raises(TrialsError, match=rf"^{name}: column 'epoch', row 0: "):
        load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="trial"), "a key column is missing"),
        (lambda table: table.drop(columns="seed"), "column 'seed' is missing"),
        (lambda table: table.assign(momentum=0.9), "unknown column 'momentum'"),
        (lambda table: table.assign(lr=5.0), "column 'lr', row 0: .*5.0"),
        (lambda table: table.assign(epoch="x"), "column 'epoch', row 0: .*'x'"),
        (lambda table: pd.concat([table, table]), "column 'trial', row 1: .* must occur once"),
    ],
)
def test_wrong_configurations_are_named(tmp_path, change, message):
    table = read_given(ROOT / "studies" / "precision.csv").head(1)
    change(table).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(TrialsError, match=rf"mine\.csv: {message}"):
        read_given(tmp_path / "mine.csv")
    with pytest.raises(TrialsError, match=r"none\.csv: cannot be read as CSV"):
        read_given(tmp_path / "none.csv")
