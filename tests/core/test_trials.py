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


@pytest.fixture
def raw():
    """A table as it is put together from rows: unsorted, with the types that pandas guesses."""
    rng = np.random.default_rng(0)
    rows = [row(name, trial, rng) for name in ("usps", "digits") for trial in (2, 0, 1, 3)]
    return pd.DataFrame(rows)[list(reversed(COLUMNS))]


@pytest.fixture
def table(raw):
    return check(raw)


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


def test_columns_are_described_and_hold_the_space():
    assert set(space.SPACE) < set(COLUMNS)
    assert all(description for _, description in COLUMNS.values())
    assert {dtype for dtype, _ in COLUMNS.values()} == {
        "str",
        "int64",
        "Int64",
        "float64",
        "object",
        "bool",
    }


def test_check_sets_types_and_order(raw):
    before = raw.copy()
    table = check(raw)
    assert table.dtypes.astype(str).to_dict() == {name: kind for name, (kind, _) in COLUMNS.items()}
    assert list(table["dataset"]) == ["digits"] * 4 + ["usps"] * 4
    assert list(table["trial"]) == [0, 1, 2, 3] * 2
    assert list(table.index) == list(range(8))
    pd.testing.assert_frame_equal(raw, before)
    pd.testing.assert_frame_equal(check(table), table)


def test_check_keeps_every_value(raw):
    table = check(raw).set_index(["dataset", "trial"])
    for _, given in raw.iterrows():
        kept = table.loc[(given["dataset"], given["trial"])]
        for name in table:
            if name == "accuracy_per_epoch":
                assert list(kept[name]) == given[name]
            else:
                assert pd.isna(kept[name]) == pd.isna(given[name])
                assert pd.isna(kept[name]) or kept[name] == given[name]


def test_no_rows_are_a_table_too(table):
    assert len(check(table.head(0))) == 0


def test_a_diverged_row_may_have_no_loss(table):
    table = spoilt(spoilt(table, "loss", None), "diverged", True)
    assert math.isnan(check(table)["loss"][ROW])


# Every check ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_column_is_named(table, name):
    with pytest.raises(TrialsError, match=f"^column '{name}' is missing"):
        check(table.drop(columns=name))


def test_an_unknown_column_is_named(table):
    with pytest.raises(TrialsError, match=r"^unknown column 'lrate'; known are dataset, source"):
        check(table.assign(lrate=0.1))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_value_is_named(table, name):
    with pytest.raises(TrialsError, match=rf"^column '{name}', row {ROW}: .* must not be missing"):
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
    refuses(table, name, value, "must be")


@pytest.mark.parametrize(
    "name", [name for name, parameter in space.SPACE.items() if parameter.kind != "categorical"]
)
@pytest.mark.parametrize("end", [0, 1])
def test_a_hyperparameter_out_of_range_is_named(table, name, end):
    table = table.assign(num_filters_1=8, num_filters_2=8, num_filters_3=8, num_conv_layers=3)
    low, high = space.SPACE[name].bounds
    value = (low - 1, high + 1)[end]
    if space.SPACE[name].kind == "integer":
        value = int(value)
    with pytest.raises(TrialsError, match=rf"^column '{name}', row {ROW}: .* must (lie in|be one)"):
        check(spoilt(table, name, value))


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("source", "guess", r"must be one of \('random', 'bohb'\)"),
        ("optimizer", "adam", r"must be one of \('Adam', 'SGD'\)"),
        ("batch_size", 48, r"must be one of \(32, 64, 128, 256\)"),
        ("in_channel_num", 2, r"must be one of \(1, 3\)"),
        ("accuracy", 1.5, r"must lie in \[0, 1\]"),
        ("accuracy", -0.1, r"must lie in \[0, 1\]"),
        ("accuracy", 0.95, "must equal the last epoch's accuracy"),
        ("seconds", 0.0, "must be positive"),
        ("parameters", 0, "must be positive"),
        ("flops", -5, "must be positive"),
        ("images", 0, "must be positive"),
        ("val_images", 0, "must be positive"),
        ("trial", -1, "must not be negative"),
        ("seed", -1, "must not be negative"),
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


@pytest.mark.parametrize("change", [-1, 1])
def test_there_is_one_accuracy_per_epoch(table, change):
    table = table.assign(epoch=table["epoch"].clip(2, 9))
    table["accuracy_per_epoch"] = [
        [accuracy] * epoch
        for accuracy, epoch in zip(table["accuracy"], table["epoch"], strict=True)
    ]
    accuracy = float(table["accuracy"][ROW])
    wrong = [accuracy] * (int(table["epoch"][ROW]) + change)
    refuses(table, "accuracy_per_epoch", wrong, "must have one value per epoch")


@pytest.mark.parametrize("first", [1.5, -0.1, math.nan, "0.5", None])
def test_every_accuracy_is_checked(table, first):
    accuracy = float(table["accuracy"][ROW])
    table = spoilt(table, "epoch", 2)
    refuses(table, "accuracy_per_epoch", [first, accuracy], r"must be numbers in \[0, 1\]")


@pytest.mark.parametrize("value", [0.5, "0.5"])
def test_accuracies_have_to_be_a_list(table, value):
    refuses(table, "accuracy_per_epoch", value, r"must be numbers in \[0, 1\]")


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


def test_no_file_is_an_error_that_says_what_to_do(tmp_path):
    path = tmp_path / "trials.parquet"
    with pytest.raises(FileNotFoundError, match=rf"^{re.escape(str(path))}: .* `hia export`"):
        load(path)


@pytest.mark.parametrize("keep", [0, 4, 0.5, 0.99])
def test_a_truncated_file_is_refused(table, tmp_path, keep):
    path = tmp_path / "trials.parquet"
    save(table, path)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(TrialsError, match=rf"^{re.escape(str(path))}: not a readable Parquet file"):
        load(path)


def test_a_changed_file_is_refused_with_its_name(table, tmp_path):
    path = tmp_path / "trials.parquet"
    table.assign(epoch=11).to_parquet(path)
    with pytest.raises(TrialsError, match=rf"^{re.escape(str(path))}: column 'epoch', row 0: "):
        load(path)


def test_a_bad_table_is_not_written(table, tmp_path):
    path = tmp_path / "trials.parquet"
    save(table, path)
    content = path.read_bytes()
    with pytest.raises(TrialsError, match="column 'lr'"):
        save(table.assign(lr=1.0), path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("existed", [False, True])
def test_a_file_that_could_not_be_finished_is_never_the_target(
    monkeypatch, table, tmp_path, existed
):
    path = tmp_path / "trials.parquet"
    if existed:
        save(table.head(2), path)
    content = path.read_bytes() if existed else None

    def half(self, target, **options):
        target.write_bytes(b"PAR1 half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(OSError, match="no space"):
        save(table, path)
    assert path.exists() == existed
    assert not existed or path.read_bytes() == content
    monkeypatch.undo()
    save(table, path)  # a leftover is no obstacle
    assert len(load(path)) == len(table)
    assert list(tmp_path.iterdir()) == [path]


# The design -----------------------------------------------------------------------------------


def test_design_is_the_eleven_with_lr_on_its_scale(table):
    result = design(table)
    assert list(result.columns) == list(space.HYPERPARAMETERS)
    np.testing.assert_array_equal(result["lr"], np.log10(table["lr"]))
    assert result["lr"].between(-6, -1).all()
    others = [name for name in space.HYPERPARAMETERS if name != "lr"]
    pd.testing.assert_frame_equal(result[others], table[others])


def test_design_without_logarithm_is_the_values(table):
    before = table.copy()
    pd.testing.assert_frame_equal(design(table, log=False), table[list(space.HYPERPARAMETERS)])
    pd.testing.assert_frame_equal(table, before)


def test_design_of_filters_is_of_plain_integers(table):
    three = table[table["num_conv_layers"] == 3]
    assert len(three)
    result = design(three, space.FILTERS)
    assert (result.dtypes == "int64").all()
    assert result.to_numpy().tolist() == three[list(space.FILTERS)].to_numpy().tolist()


def test_design_of_filters_that_are_not_there_is_an_error(table):
    with pytest.raises(ValueError, match="NA"):
        design(table[table["num_conv_layers"] < 3], space.FILTERS)


def test_sources_are_the_two_of_section_4_1():
    assert trials.SOURCES == ("random", "bohb")


def test_select_takes_data_sets_and_sources(table):
    name = table["dataset"].iloc[0]
    chosen = trials.select(table, [name], ["bohb"])
    expected = table[(table["dataset"] == name) & (table["source"] == "bohb")]
    pd.testing.assert_frame_equal(chosen, expected)
    pd.testing.assert_frame_equal(trials.select(table), table)


def test_select_names_what_is_not_there(table):
    with pytest.raises(ValueError, match=r"no rows of dataset 'imagenet'; there are: "):
        trials.select(table, ["imagenet"])
