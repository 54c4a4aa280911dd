"""Whatever is in anyone's table, in the paper's tables or on the command line of a notebook: a
clear error, or what it says. Nothing of it is ever run."""

from __future__ import annotations

import ast
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import papermill.translators
import pytest
from fuzz import examples, says
from hypothesis import given
from hypothesis import strategies as st

import parameters
from hia.ranking import sources
from hia_book import published

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@examples(80)
@given(
    names=st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True),
    data=st.data(),
    ending=st.sampled_from(["csv", "parquet", "CSV", "csv.gz"]),
)
def test_what_is_written_is_read(folder, names, data, ending):
    """Unicode names, texts and numbers come back, or an error names the file."""
    height = data.draw(st.integers(1, 4))
    kinds = st.sampled_from([st.floats(allow_nan=False), st.integers(-(2**60), 2**60)])
    cells = [st.lists(data.draw(kinds), min_size=height, max_size=height) for _ in names]
    table = pd.DataFrame({n: data.draw(each) for n, each in zip(names, cells, strict=True)})
    path = folder / f"any.{ending}"
    try:
        if ending == "parquet":
            table.to_parquet(path)
        else:
            table.to_csv(path, index=False)
    except (UnicodeEncodeError, ValueError):  # half a character
        return
    try:
        source = sources.load(str(path), [names[-1]])
    except (ValueError, OSError) as error:
        says(error, path)
        return
    assert set(source.targets) <= set(source.table)
    if set(names) == set(source.table):
        for name in names:
            assert source.table[name].tolist() == table[name].tolist()


@examples(80)
@given(
    number=st.integers(-1, 9),
    place=st.floats(0, 1, exclude_max=True),
    new=st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b",", b'"', b"\xff", b"nan"])),
    cut=st.booleans(),
)
def test_a_damaged_table_of_the_paper(folder, number, place, new, cut):
    copy = folder / "published"
    shutil.copytree(ROOT / published.FOLDER, copy, dirs_exist_ok=True)
    path = copy / f"table{number}.csv"
    if path.is_file():
        content = bytearray(path.read_bytes())
        at = int(place * len(content))
        content[at : len(content) if cut else at + len(new)] = new
        path.write_bytes(content)
    try:
        table = published.table(number, copy)
    except ValueError as error:
        says(error, path, "Tables 1 to 7")
        return
    assert list(table) == list(published.table(number, ROOT / published.FOLDER))
    if "weight" in table:
        assert np.isfinite(table["weight"].to_numpy(dtype=float)).all()


marks = st.text(alphabet="ab\"'\\`$(){}[]!&*|<>:;,#%@~-+=. \n\t\0é😀019eE_", max_size=25)
KINDS = parameters.declared(
    "x = ''\ni = 1\nf = 1.0\nb = True\nl: list[int] = []\nw: list[str] = []"
)


def is_data(value: object) -> bool:
    if isinstance(value, list):
        return all(map(is_data, value))
    return value is None or type(value) in (bool, int, float, str)


def as_code(value: object) -> object:
    """What a notebook gets, by the way of the code that papermill writes into it."""
    code = papermill.translators.translate_parameters("python3", "python", {"x": value}, "")
    (assigned,) = ast.parse(code).body
    assert isinstance(assigned, ast.Assign)
    if "float(" in code:  # of nan and inf: nothing else is called
        calls = {ast.unparse(n) for n in ast.walk(assigned.value) if isinstance(n, ast.Call)}
        assert calls <= {"float('nan')", "float('inf')", "float('-inf')"}
        return value
    return ast.literal_eval(assigned.value)


@examples(300)
@given(name=st.sampled_from("xifblw"), text=st.one_of(st.text(max_size=20), marks))
def test_a_parameter_is_data_of_its_type_and_nothing_else(name, text):
    try:
        values = parameters.parse(f"{name}={text}", KINDS)
    except parameters.ParameterError as error:
        says(error, "=", "there are: x, i, f, b, l, w")
        return
    for value in values.values():
        assert is_data(value)
        assert repr(as_code(value)) == repr(value)
        json.dumps(value).encode()
