"""Numbers, separators and letters as people and tools write them: read, or refused by name."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hia.ranking import tables
from hia.ranking.tables import read_csv


def read(folder: Path, text: str, encoding: str = "utf-8") -> pd.DataFrame:
    path = folder / "a.csv"
    path.write_bytes(text.encode(encoding))
    return read_csv(path)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        # The kinds of cells.
        ("x;y\n0,5;1\n0,0625;2\n", {"x": [0.5, 0.0625], "y": [1, 2]}),
        ("x;n\n0,5;1.024\n0,25;512\n", {"x": [0.5, 0.25], "n": [1024, 512]}),
        ("x;n\n0.5;1,500\n0.25;900\n", {"x": [0.5, 0.25], "n": [1500, 900]}),
        ("x;n\n0,5;1.024,5\n0,25;512\n", {"x": [0.5, 0.25], "n": [1024.5, 512]}),
        ('x,y\n"0,5",1\n"1e-3",2\n', {"x": [0.5, 0.001], "y": [1, 2]}),
        ('n,y\n"1,024",1\n"12,345,678",2\n512,3\n', {"n": [1024, 12345678, 512], "y": [1, 2, 3]}),
        ("n\ty\n1 024\t1\n1'024\t2\n1\u202f024\t3\n", {"n": [1024] * 3, "y": [1, 2, 3]}),
        ("x,y\n8.1%,1\n50 %,2\n,3\n", {"x": [0.081, 0.5, np.nan], "y": [1, 2, 3]}),
        ("x,y\n[0.1],1\n[0.25],2\n", {"x": [0.1, 0.25], "y": [1, 2]}),
        ("x,y\n['adam'],1\n['sgd'],2\n", {"x": ["adam", "sgd"], "y": [1, 2]}),
        ("x,y\n[np.float64(0.1)],1\n[np.float64(2.0)],2\n", {"x": [0.1, 2], "y": [1, 2]}),
        ("x,y\nnp.float64(0.1),1\nnp.int64(2),2\n", {"x": [0.1, 2], "y": [1, 2]}),
        ("x,y\ntensor(0.5),1\n\"tensor(2., device='cuda:0')\",2\n", {"x": [0.5, 2], "y": [1, 2]}),
        ("x  y\n0.5  1\n2  2\n", {"x": [0.5, 2], "y": [1, 2]}),
        ("x,y\nnp.tanh(x),1\nnp.exp(x),2\n", {"x": ["np.tanh(x)", "np.exp(x)"], "y": [1, 2]}),
        ("x,y\n\u22121.5,1\n2,2\n", {"x": [-1.5, 2], "y": [1, 2]}),
        ("x,y\nNone,1\n#N/A,2\n0.5,3\n", {"x": [np.nan, np.nan, 0.5], "y": [1, 2, 3]}),
        ("x,y\ntrue,1\nFalse,2\n", {"x": [True, False], "y": [1, 2]}),
        ("x,y\nNone,1\ncosine,2\n,3\n", {"x": ["None", "cosine", None], "y": [1, 2, 3]}),
        ("x,y\nauto,1\n0.1,2\n", {"x": ["auto", "0.1"], "y": [1, 2]}),
        ("x,y\n ReLU ,1\nReLU,2\n", {"x": ["ReLU", "ReLU"], "y": [1, 2]}),
        # Around them.
        (" x , y \n1,2\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
        ('"rate\nof it",y\n1,2\n3,4\n', {"rate of it": [1, 3], "y": [2, 4]}),
        ("sep=|\nx|y\n1|2\n3|4\n", {"x": [1, 3], "y": [2, 4]}),
        ('"a;b;c",y\n1,2\n3,4\n', {"a;b;c": [1, 3], "y": [2, 4]}),
        ('x,y\n"a,b",2\n"c;d",4\n', {"x": ["a,b", "c;d"], "y": [2, 4]}),
        ("# of May\n\nx,y\n1,2\n# again, here, on\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
        ("# May, 2\nx,y\n1,2\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
        ("# x,y\n1,2\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
        ("% of May\n%x,y\n1,a\n3,b\n", {"x": [1, 3], "y": ["a", "b"]}),
        (
            ",n,params,params\n,,lr,depth\n0,5,2,3\n1,4,5,6\n",
            {"Unnamed: 0": [0, 1], "n": [5, 4], "params_lr": [2, 5], "params_depth": [3, 6]},
        ),
        (
            "n,values,values,params\n,0,1,lr\n0,1,2,0.1\n1,3,4,0.2\n",
            {"n": [0, 1], "values_0": [1, 3], "values_1": [2, 4], "params_lr": [0.1, 0.2]},
        ),
        ("colour,y\n#ff0000,2\n#00ff00,4\n", {"colour": ["#ff0000", "#00ff00"], "y": [2, 4]}),
        ("x,y\r1,2\r3,4\r", {"x": [1, 3], "y": [2, 4]}),
        (",y\n1,2\n3,4\n", {"Unnamed: 0": [1, 3], "y": [2, 4]}),
        (
            "config,y\n\"{'lr': 0.1, 'opt': {'name': 'adam'}}\",1\n",
            {"config.lr": [0.1], "config.opt.name": ["adam"], "y": [1]},
        ),
    ],
)
def test_what_is_read(tmp_path, text, columns) -> None:
    expected = pd.DataFrame(columns)
    pd.testing.assert_frame_equal(read(tmp_path, text), expected, check_dtype=False)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_letters(tmp_path, encoding) -> None:
    assert read(tmp_path, "größe,y\nklein,1\ngroß,2\n", encoding).to_dict("list") == {
        "größe": ["klein", "groß"],
        "y": [1, 2],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2,3\n4,5,6\n", "a row has more fields than there are names of columns, 2"),
        ("a,b\n1,2\n4,5,6\n", "more fields than there are names .* in line 3, saw 3"),
        ("# note\na,b\n1,2\n4,5,6\n", "in line 4, saw 3"),
        ("a,b\n1,2\n\n4\n", "line 4 has 1 fields, and there are 2 names of columns"),
        ("a,b\n8%,1\n9,2\n", "column 'a' has '8%' and '9': with % or without"),
        ("a,b,a\n1,2,3\n", "two columns are called 'a'"),
        ("a, a\n1,2\n", "two columns are called 'a'"),
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("a,b\n\0\0,1\n", "it is no text"),
    ],
)
def test_what_is_refused(tmp_path, text, message) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_limits_are_said_before_anything_is_computed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "MAX_COLUMNS", 2)
    with pytest.raises(ValueError, match="3 columns, more than 2: --any-size reads it"):
        read(tmp_path, "a,b,c\n")
    assert len(read_csv(tmp_path / "a.csv", any_size=True).columns) == 3
    monkeypatch.setattr(tables, "MAX_BYTES", 1000)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"0" * 2000))
    with pytest.raises(ValueError, match="GiB of text: --any-size"):
        read_csv(tmp_path / "bomb.csv.gz")
    pd.DataFrame({"a": [1] * 63, "b": 1}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="126 cells, more than 125: --any-size"):
        tables.check_parquet(tmp_path / "a.parquet", False)
    tables.check_parquet(tmp_path / "a.parquet", True)
    (tmp_path / "a.json").write_text('[{"a": 1, "b": 2, "c": 3}]')
    with pytest.raises(ValueError, match="3 columns, more than 2"):
        tables.read_json(tmp_path / "a.json")
