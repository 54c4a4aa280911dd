"""What a page says of how it was made."""

import json
from pathlib import Path

import pandas as pd
import pytest

import colophon
from parameters import Parameter


def known(tmp_path: Path, **given: object) -> colophon.Facts:
    declared = [
        Parameter("folder", str(tmp_path), "of the tables", "str"),
        Parameter("n", 30, "how many", "int"),
        Parameter("scale", 0.001, "", "float"),
        Parameter("names", [], "", "list[str]"),
    ]
    return colophon.facts("page", declared, given, "load('cost')", 1.26)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    for name, rows in {"cost": 2, "trials": 1234}.items():
        pd.DataFrame({"x": range(rows)}).to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "cost.json").write_text(json.dumps({"finished": "2026-01-02T03:04:05+00:00"}))
    sessions = [{"started": "2026-03-04T05:06:07+00:00"}, {"started": "2026-02-01T05:06:07+00:00"}]
    (tmp_path / "provenance.json").write_text(json.dumps({"sessions": sessions}))
    return tmp_path


def test_a_folder_counts_for_the_tables_that_the_code_names(recorded: Path) -> None:
    found = known(recorded)["recordings"]
    assert [(Path(one["file"]).name, one["rows"], one["last"]) for one in found] == [
        ("cost.parquet", 2, "2026-01-02")
    ]


def test_recording_of_trials_is_in_its_provenance(recorded: Path) -> None:
    found = colophon.recording(recorded / "trials.parquet")
    assert (found["rows"], found["sessions"]) == (1234, 2)
    assert (found["first"], found["last"]) == ("2026-02-01", "2026-03-04")
    (recorded / "provenance.json").write_text('{"finished": "`{include} x`"}')
    assert colophon.recording(recorded / "trials.parquet")["last"] is None


def test_the_box_has_what_the_page_was_made_with(recorded: Path) -> None:
    facts = known(recorded, n=50)
    assert json.loads(json.dumps(facts)) == facts
    box = colophon.markdown(facts)
    assert 'make notebook NB=page P="n=50"' in box
    assert f"numpy {facts['versions']['numpy']}" in box
    assert "in 1 s" in box
    assert "2 rows, 2026-01-02" in box


def test_the_command_has_numbers_to_change(recorded: Path) -> None:
    assert colophon.command(known(recorded)) == 'make notebook NB=page P="n=30 scale=0.001"'
    text = colophon.facts("page", [Parameter("name", "a b", "", "str")], {}, "", 0.2)
    assert colophon.command(text) == "make notebook NB=page P=\"name='a b'\""
    plain = colophon.facts("page", [], {}, "", 0.2)
    assert colophon.command(plain) == "make notebook NB=page"
