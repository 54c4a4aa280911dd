"""hia.files: files that are whole or not there."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hia.files import read_parquet, whole, write_json


def test_a_file_is_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "note.json"
    write_json({"b": 1, "a": ["é"]}, path)
    assert [file.name for file in path.parent.iterdir()] == ["note.json"]
    before = path.read_text(encoding="utf-8")
    assert before.startswith('{\n "a": [')

    def fill_the_disk() -> None:
        with whole(path) as partial:
            partial.write_text("half of it")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fill_the_disk()
    assert path.read_text(encoding="utf-8") == before


NOT_UTF8 = pa.table({"a": pa.array([b"fine", b"\x80"]).view(pa.string())})
NOTED = json.dumps({"index_columns": [], "columns": [{"name": "a"}], "column_indexes": [{}]})


@pytest.mark.parametrize(
    "table", [NOT_UTF8, pa.table({"a": [1]}).replace_schema_metadata({"pandas": NOTED})]
)
def test_a_parquet_file_that_fails_deep_in_its_reader_is_named(tmp_path: Path, table) -> None:
    path = tmp_path / "trials.parquet"
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(ValueError, match=r"trials\.parquet: not a readable Parquet file \(\w+: "):
        read_parquet(path)
