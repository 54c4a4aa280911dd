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


def test_recordings_are_those_that_the_code_names(recorded: Path) -> None:
    (cost,) = known(recorded)["recordings"]
    assert (cost["file"], cost["rows"]) == (str(recorded / "cost.parquet"), 2)
    assert cost["last"] == "2026-01-02"
    study = colophon.recording(recorded / "trials.parquet")
    assert list(study.values())[1:] == [1234, 2, "2026-02-01", "2026-03-04"]
    (recorded / "provenance.json").write_text('{"finished": "`{include} x`"}')
    assert colophon.recording(recorded / "trials.parquet")["last"] is None


def test_the_box_has_what_the_page_was_made_with(recorded: Path) -> None:
    facts = known(recorded, n=50)
    assert json.loads(json.dumps(facts)) == facts
    box = colophon.markdown(facts)
    for text in ('P="n=50"', f"numpy {facts['versions']['numpy']}", "in 1 s", "2 rows, 2026-01-02"):
        assert text in box


def test_the_command_has_numbers_to_change(recorded: Path) -> None:
    assert colophon.command(known(recorded)) == 'make notebook NB=page P="n=30 scale=0.001"'
    for declared, given in (([], ""), ([Parameter("name", "a b", "", "str")], " P=\"name='a b'\"")):
        facts = colophon.facts("page", declared, {}, "", 0.2)
        assert colophon.command(facts) == f"make notebook NB=page{given}"
