"""hia.recording: files that are whole; its journals are tested with the experiments, the rest with
the scripts that use it."""

from pathlib import Path

import pytest

from hia.recording import whole, write_json


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
