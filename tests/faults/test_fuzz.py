"""Whatever is in a plan, a data set's file or a table: a clear error, or a right answer."""

import io
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rows
from fuzz import examples, says
from hypothesis import example, given
from hypothesis import strategies as st

from hia import datasets, trials
from hia.ranking import sources
from hia.study import plans

quick = examples(60)

numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 2**63, 1e308, True, float("nan")])
)
anything = st.one_of(
    st.none(), numbers, st.text(max_size=8), st.binary(max_size=8), st.lists(numbers, max_size=3)
)


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        own = Path(name, "own")  # in one more, to see what lands beside it
        own.mkdir()
        yield own


# What to do with the bytes of a file, at some places of it: put some there, exchange some, or cut
# off what follows.
damages = st.lists(
    st.tuples(st.sampled_from(["put", "exchange", "cut"]), st.floats(0, 1), st.binary(max_size=20)),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, damage: list[tuple[str, float, bytes]]) -> bytes:
    for how, place, new in damage:
        at = int(place * len(content))
        rest = {"put": content[at:], "exchange": content[at + len(new) :], "cut": b""}
        content = content[:at] + new + rest[how]
    return content


def reading(path: Path, content: bytes, load: Callable[[Path], Any]) -> Any:
    """What is read from a file with this content; None for an error that names the file."""
    path.write_bytes(content)
    try:
        return load(path)
    except (ValueError, OSError) as error:
        says(error, path)
        return None


class Bomb:
    """What unpickles it ends the test."""

    def __reduce__(self):
        return (os.abort, ())


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


IMAGES = np.random.default_rng(0).integers(0, 256, (30, 16, 16), dtype=np.uint8)
ARRAYS = {"images": IMAGES, "labels": np.arange(30, dtype=np.int64) % 10}
TABLES = {
    name: trials.check(rows.raw(name), name).groupby("dataset").head(3).reset_index(drop=True)
    for name in ("trials", *trials.TABLES)
}
WHOLE = {"usps.npz": npz(**ARRAYS)}
WHOLE |= {f"{name}.parquet": table.to_parquet(index=False) for name, table in TABLES.items()}


def read_images(path: Path) -> datasets.Raw:
    raw = datasets.read("usps", folder=path.parent)
    assert raw.images.dtype == np.uint8
    assert raw.images.shape == (len(raw.labels), 16, 16)
    assert set(raw.labels) == set(range(10))
    return raw


def load_table(path: Path) -> pd.DataFrame:
    table = trials.load(path, path.stem)
    assert list(table) == list(TABLES[path.stem])
    assert table["accuracy"].between(0, 1).all()
    return table


def load_score(path: Path) -> sources.Source:
    return sources.load(str(path), ["score"])


LOADERS: dict[str, Callable[[Path], Any]] = {
    "plan.toml": plans.load_plan,
    "usps.npz": read_images,
    **{f"{name}.parquet": load_table for name in TABLES},
    **dict.fromkeys(["table.csv", "table.parquet", "table.txt", "table.npz"], load_score),
}


@examples(120)
@given(
    name=st.sampled_from(list(LOADERS)),
    content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)),
)
@example(name="usps.npz", content=pickle.dumps(Bomb()))
def test_any_bytes_are_what_they_should_be_or_an_error(folder, name, content):
    reading(folder / name, content, LOADERS[name])


@examples(160)
@given(name=st.sampled_from(list(WHOLE)), damage=damages)
def test_a_damaged_file_is_an_error(folder, name, damage):
    """Or right: an npz has bytes that nobody reads, and a page of Parquet no checksum here."""
    read = reading(folder / name, damaged(WHOLE[name], damage), LOADERS[name])
    if name == "usps.npz" and read is not None:
        assert np.array_equal(read.images, IMAGES)
        assert np.array_equal(read.labels, ARRAYS["labels"])


toml_values = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(lambda value: repr(value)),
    st.sampled_from(["true", '""', '"3"', "[]", "{}", "1979-05-27", "0x10", "1_000", "nan"]),
)


@quick
@given(
    name=st.sampled_from([*datasets.FACTS, "imagenet", '"../x"', "a.b"]),
    entries=st.dictionaries(
        st.sampled_from(["models", "max_images", "epochs", "precision"]), toml_values, max_size=3
    ),
    precision=st.one_of(st.none(), st.sampled_from(['"bf16"', '"float32"', '"half"', "16"])),
)
def test_any_entries_are_a_plan_or_an_error(folder, name, entries, precision):
    lines = [] if precision is None else [f"precision = {precision}"]
    lines += [f"[datasets.{name}]", *(f"{key} = {value}" for key, value in entries.items())]
    plan = reading(folder / "plan.toml", "\n".join(lines).encode(), plans.load_plan)
    if plan is not None:
        assert plan.models >= 1
        for job in plan.jobs:
            assert job["precision"] in ("float32", "bf16")
            assert job.get("images", 0) + job.get("val_images", 1) >= 1


@quick
@given(
    name=st.sampled_from(["images", "labels", "../images", "/tmp/labels", "images.npy"]),
    dtype=st.sampled_from(["u1", "i8", "i4", "f8", "U3", "O", "M8[s]", "c16", "?"]),
    shape=st.lists(st.integers(0, 17), max_size=4).map(tuple),
)
def test_arrays_of_any_kind_are_a_data_set_or_an_error(folder, name, dtype, shape):
    odd = np.full(shape, Bomb(), object) if dtype == "O" else np.zeros(shape, dtype)
    before = sorted(folder.parent.iterdir())
    raw = reading(folder / "usps.npz", npz(**(ARRAYS | {name: odd})), read_images)
    assert sorted(folder.parent.iterdir()) == before
    if raw is not None and name not in ARRAYS:
        assert np.array_equal(raw.images, IMAGES)


@examples(150)
@given(name=st.sampled_from(list(TABLES)), data=st.data(), value=anything)
def test_any_value_in_a_table_is_right_or_an_error(name, data, value):
    table = TABLES[name].astype(object)
    column = data.draw(st.sampled_from(list(table)))
    table.at[data.draw(st.integers(0, len(table) - 1)), column] = value
    try:
        checked = trials.check(table, name)
    except trials.TrialsError as error:
        says(error, "column")
        return
    values = checked[column].tolist()
    if value is None or (isinstance(value, float) and np.isnan(value)):
        assert any(pd.isna(one) for one in values)
    else:
        assert value in [one for one in values if one is not pd.NA]  # which cannot be compared


cells = st.one_of(
    st.floats(allow_subnormal=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["", " ", "a", "é", "NaN", "inf", "1e400", '"', "True", "0x1", "1,5", "\x00"]),
)


@quick
@given(
    header=st.lists(st.sampled_from(["score", "lr", "x", "é", ""]), min_size=1, max_size=4),
    data=st.data(),
)
def test_any_csv_is_a_table_or_an_error(folder, header, data):
    height = data.draw(st.integers(0, 5))
    lines = [data.draw(st.lists(cells, min_size=1, max_size=5)) for _ in range(height)]
    content = "\n".join(",".join(line) for line in [header, *lines]).encode()
    source = reading(folder / "table.csv", content, load_score)
    assert source is None or source.targets == {"score": None}
