"""hia.trials: what a table of trained CNNs has to be, and that files are whole or not there."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from hia import space, trials
from hia.trials import COLUMNS, TrialsError, check, design, load, save

ROW = 3  # the row that the tests spoil
INTEGERS = [name for name, (dtype, _) in COLUMNS.items() if dtype in ("int64", "Int64")]
OPTIONAL = ("loss", "cpu_seconds")
REQUIRED = [n for n, (dtype, _) in COLUMNS.items() if dtype != "Int64" and n not in OPTIONAL]


def row(dataset: str, trial: int, rng: np.random.Generator) -> dict:
    config = space.validate(space.sample(rng))
    accuracies = rng.uniform(0.1, 0.9, config["epoch"]).tolist()
    return {
        "dataset": dataset,
        "source": "random" if trial % 2 else "bohb",
        "trial": trial,
        **dict.fromkeys(space.FILTERS),
        **config,
        "in_channel_num": 1,
        "accuracy": accuracies[-1],
        "accuracy_per_epoch": accuracies,
        "loss": float(rng.uniform(0, 2)),
        "seconds": float(rng.uniform(0.1, 9)),
        "cpu_seconds": float(rng.uniform(0.1, 9)),
        "parameters": int(rng.integers(100, 10_000)),
        "flops": int(rng.integers(10_000, 1_000_000)),
        "images": 160,
        "val_images": 40,
        "seed": int(rng.integers(2**32)),
        "diverged": False,
        "precision": "float32",
        "lr_scale": "log",
        "processor": "a processor",
    }


def make_raw() -> pd.DataFrame:
    """A table as it is put together from rows: unsorted, with the types that pandas guesses."""
    rng = np.random.default_rng(0)
    rows = [row(name, trial, rng) for name in ("usps", "digits") for trial in (2, 0, 1, 3)]
    return pd.DataFrame(rows)[list(reversed(COLUMNS))]


RAW = make_raw()
CHECKED = check(RAW)


@pytest.fixture
def raw():
    return RAW.copy()


@pytest.fixture
def table():
    return CHECKED.copy()


def spoilt(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    table = table.astype({column: object})
    table.at[ROW, column] = value
    return table


def refuses(table: pd.DataFrame, column: str, value: object, right: str) -> None:
    """The value is refused in a message with column, row, the value and what would be right."""
    message = rf"^column '{column}', row {ROW}: .*{re.escape(repr(value))}.*{right}"
    with pytest.raises(TrialsError, match=message):
        check(spoilt(table, column, value))


# Types and order ------------------------------------------------------------------------------


def test_check_sets_types_and_order(raw):
    before = raw.copy()
    table = check(raw)
    assert table.dtypes.astype(str).to_dict() == {name: kind for name, (kind, _) in COLUMNS.items()}
    assert list(table["dataset"]) == ["digits"] * 4 + ["usps"] * 4
    assert list(table["trial"]) == [0, 1, 2, 3] * 2
    assert list(table.index) == list(range(8))
    pd.testing.assert_frame_equal(raw, before)
    pd.testing.assert_frame_equal(check(table), table)
    assert len(check(table.head(0))) == 0
    kept = table.set_index(["dataset", "trial"]).sort_index()
    given = raw[list(COLUMNS)].set_index(["dataset", "trial"]).sort_index()
    pd.testing.assert_frame_equal(kept, given, check_dtype=False)


def test_a_diverged_row_may_have_no_loss(table):
    table = spoilt(spoilt(table, "loss", None), "diverged", True)
    assert math.isnan(check(table)["loss"][ROW])


# Every check ----------------------------------------------------------------------------------


def test_a_missing_and_an_unknown_column_are_named(table):
    for name in COLUMNS:
        with pytest.raises(TrialsError, match=f"^column '{name}' is missing"):
            check(table.drop(columns=name))
    with pytest.raises(TrialsError, match=r"^unknown column 'lrate'; known are dataset, source"):
        check(table.assign(lrate=0.1))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_value_is_named(table, name):
    with pytest.raises(
        TrialsError,
        match=rf"^column '{name}', row {ROW}: .*must not be missing",
    ):
        check(spoilt(table, name, None))


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, "many") for name in [*INTEGERS, "lr", "dropout_rate", "accuracy", "loss", "seconds"]]
    + [(name, 8.5) for name in INTEGERS if name != "num_filters_3"]
    + [("parameters", 1e30), ("seed", True), ("lr", "0.01"), ("loss", True)]
    + [("diverged", "False"), ("diverged", 2), ("dataset", 7), ("processor", 3.0)],
)
def test_a_value_of_the_wrong_type_is_named(table, name, value):
    """A fraction is not cut to an integer, "False" is not taken for true."""
    table = table.assign(num_filters_1=8, num_filters_2=8, num_filters_3=8, num_conv_layers=3)
    refuses(table, name, value, "(must|is not)")


@pytest.mark.parametrize("name", ["dataset", "processor"])
@pytest.mark.parametrize(
    "text", ["<script>", "`a`\n```{include} /etc/hosts", "$\\frac$", "[a](b)", "a|b", "", "x" * 999]
)
def test_text_that_would_be_markup_somewhere_is_refused(table, name, text):
    refuses(table, name, text, "must be a name of letters, digits")


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
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
        ("accuracy", -0.1, "is not float: 0 to 1"),
        ("accuracy", 0.95, "must equal the last epoch's accuracy"),
        ("seconds", 0.0, "is not float: 1e-09 to"),
        *((name, 0, "is not integer: 1 to") for name in ("parameters", "images", "val_images")),
        ("flops", -5, "is not integer: 1 to"),
        ("trial", -1, "is not integer: 0 to"),
        ("seed", -1, "is not integer: 0 to"),
    ],
)
def test_a_wrong_value_is_named(table, name, value, right):
    refuses(table, name, value, right)


@pytest.mark.parametrize(("layers", "present"), [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)])
def test_filters_have_to_match_the_layers(table, layers, present):
    filters = [8 if layer <= present else None for layer in (1, 2, 3)]
    for name, count in zip(space.FILTERS, filters, strict=True):
        table = spoilt(table, name, count)
    wrong = space.FILTERS[min(layers, present)]
    with pytest.raises(
        TrialsError, match=f"^column '{wrong}', row {ROW}: .* must be there if its layer is"
    ):
        check(spoilt(table, "num_conv_layers", layers))


@pytest.mark.parametrize("epochs", [4, 6])
def test_there_is_one_accuracy_per_epoch(table, epochs):
    wrong = [float(table["accuracy"][ROW])] * epochs
    refuses(spoilt(table, "epoch", 5), "accuracy_per_epoch", wrong, "must have one value per epoch")


@pytest.mark.parametrize("first", [1.5, -0.1, math.nan, "0.5", None])
def test_every_accuracy_is_checked(table, first):
    accuracy = float(table["accuracy"][ROW])
    table = spoilt(table, "epoch", 2)
    refuses(table, "accuracy_per_epoch", [first, accuracy], r"must be numbers in \[0, 1\]")


def test_a_trial_occurs_once(raw):
    with pytest.raises(TrialsError, match=r"column 'trial', row 8: .* must occur once in its data"):
        check(pd.concat([raw, raw.iloc[[2]]], ignore_index=True))


# Files ----------------------------------------------------------------------------------------


def test_save_and_load_change_nothing(raw, tmp_path):
    path = tmp_path / "new" / "trials.parquet"
    save(raw, str(path))
    loaded, expected = load(path), check(raw)
    for frame in (loaded, expected):
        frame["accuracy_per_epoch"] = frame["accuracy_per_epoch"].map(list)
    pd.testing.assert_frame_equal(loaded, expected, check_exact=True)
    assert [file.name for file in path.parent.iterdir()] == ["trials.parquet"]


def test_no_file_a_damaged_one_and_a_wrong_one_are_named(table, tmp_path):
    path = tmp_path / "trials.parquet"
    name = re.escape(str(path))
    with pytest.raises(FileNotFoundError, match=rf"^{name}: .* `hia export`"):
        load(path)
    save(table, path)
    content = path.read_bytes()
    with pytest.raises(TrialsError, match="column 'lr'"):
        save(table.assign(lr=1.0), path)
    assert path.read_bytes() == content
    for part in (0, 4, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:part])
        with pytest.raises(TrialsError, match=rf"^{name}: not a readable Parquet file"):
            load(path)
    table.assign(epoch=11).to_parquet(path)
    with pytest.raises(TrialsError, match=rf"^{name}: column 'epoch', row 0: "):
        load(path)


# The design -----------------------------------------------------------------------------------


def test_design_is_the_eleven_with_lr_on_its_scale(table):
    result = design(table)
    assert list(result.columns) == list(space.HYPERPARAMETERS)
    np.testing.assert_array_equal(result["lr"], np.log10(table["lr"]))
    assert result["lr"].between(-6, -1).all()
    others = [name for name in space.HYPERPARAMETERS if name != "lr"]
    pd.testing.assert_frame_equal(result[others], table[others])
    pd.testing.assert_frame_equal(design(table, log=False), table[list(space.HYPERPARAMETERS)])
    uniform = table.assign(lr_scale="linear")
    pd.testing.assert_frame_equal(design(uniform), design(table, log=False))
    pd.testing.assert_frame_equal(design(uniform, log=True), result)
    assert trials.drawn_space(table) == space.SPACE == trials.drawn_space(table[["lr"]])
    assert not trials.drawn_space(uniform)["lr"].log


def test_design_of_filters_is_of_plain_integers(table):
    three = table[table["num_conv_layers"] == 3]
    assert len(three)
    result = design(three, space.FILTERS)
    assert (result.dtypes == "int64").all()
    assert result.to_numpy().tolist() == three[list(space.FILTERS)].to_numpy().tolist()


def test_select_takes_data_sets_and_sources(table):
    name = table["dataset"].iloc[0]
    chosen = trials.select(table, [name], ["bohb"])
    expected = table[(table["dataset"] == name) & (table["source"] == "bohb")]
    pd.testing.assert_frame_equal(chosen, expected)
    pd.testing.assert_frame_equal(trials.select(table), table)
    with pytest.raises(ValueError, match=r"no rows of dataset 'imagenet'; there are: "):
        trials.select(table, ["imagenet"])
