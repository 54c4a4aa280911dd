"""hia_book.mixed: trials that a search chose, and what they do to rankings."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scripts import load_script

from hia_book import mixed, surfaces, truth
from hia_book.surfaces import TARGET

MADE = surfaces.synthetic()
TRUE = {name: surface.truth() for name, surface in MADE.items()}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "RUN", 20)
    monkeypatch.setattr(mixed, "SIZES", {100: 2})
    monkeypatch.setattr(mixed, "METHODS", ("nrrelieff", "fanova"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["additive", "conditional", "copy"])
def test_a_search_chooses_what_does_well(name: str) -> None:
    surface = MADE[name]
    found = mixed.search(surface, 60, 0)
    drawn = truth.draw(surface, 60, 0)
    assert list(found) == list(drawn)
    assert len(found) == 60
    assert found[TARGET].mean() > drawn[TARGET].mean() + drawn[TARGET].std() / 2
    for column in surface.columns:
        values = found[column.name].dropna()
        if column.choices is not None:
            assert set(values) <= set(column.choices)
        else:
            assert values.between(*column.bounds).all()
    pd.testing.assert_frame_equal(found, mixed.search(surface, 60, 0))
    assert not found[TARGET].equals(mixed.search(surface, 60, 1)[TARGET])


@pytest.mark.usefixtures("short")
def test_a_search_is_of_runs_that_know_nothing_of_each_other() -> None:
    surface = MADE["additive"]
    found = mixed.search(surface, 50, 3)
    pd.testing.assert_frame_equal(found.head(40), mixed.search(surface, 40, 3))
    runs = [found[TARGET][start : start + 20] for start in (0, 20, 40)]
    assert [len(run) for run in runs] == [20, 20, 10]
    # TPE begins with ten trials at random, in each run.
    assert runs[1][:10].mean() < runs[0][10:].mean()


@pytest.mark.usefixtures("short")
def test_each_method_gets_the_three_tables() -> None:
    surface = MADE["additive"]
    job = mixed.Job("additive", 100, 1)
    rows = pd.DataFrame(mixed.measure(surface, TRUE["additive"], job))
    assert len(rows) == len(mixed.TABLES) * 2
    assert (rows["problem"] == "").all()
    drawn = truth.draw(surface, 100, 1)
    tables = {"random": drawn, "part": drawn.head(70)}
    tables["mixed"] = pd.concat([drawn.head(70), mixed.search(surface, 30, 1)], ignore_index=True)
    for row in rows.itertuples():
        contender = truth.CONTENDERS[row.method]
        found = contender.rank(tables[row.table], TARGET, surface.columns, 1).table["score"]
        for kind in ("main", "total"):
            expected = truth.agreement(found, TRUE["additive"][kind])
            assert getattr(row, f"tau_{kind}") == expected


@pytest.mark.usefixtures("short")
def test_a_method_that_refuses_agrees_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rank = truth.Contender.rank

    def refuse(self, *given, **options):
        if self.method == "fanova":
            raise ValueError("not these")
        return rank(self, *given, **options)

    monkeypatch.setattr(truth.Contender, "rank", refuse)
    job = mixed.Job("additive", 100, 0)
    rows = pd.DataFrame(mixed.measure(MADE["additive"], TRUE["additive"], job))
    refused = rows["method"] == "fanova"
    assert set(rows.loc[refused, "problem"]) == {"not these"}
    assert (rows.loc[refused, ["tau_main", "tau_total"]] == 0).all(axis=None)
    assert (rows.loc[~refused, "problem"] == "").all()


# --- the recording -------------------------------------------------------------------------------


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, short: None) -> ModuleType:
    made = {"additive": MADE["additive"], "noise": MADE["noise"]}
    monkeypatch.setattr(truth, "all_surfaces", lambda trials: made)
    script = load_script("record_truth")
    monkeypatch.setattr(script.trials, "load", lambda path: None)
    return script


@pytest.mark.slow
def test_recording_can_be_cut_short_and_goes_on(
    script: ModuleType, tmp_path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    given = ["mixed", "--to", str(tmp_path), "--journal", str(tmp_path / "journal.jsonl")]
    whole, calls = mixed.measure, []

    def cut_short(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(mixed, "measure", cut_short)
    assert script.main(given) == 130
    first = mixed.load(tmp_path)
    assert len(first) == 2 * 6
    (tmp_path / "mixed.parquet").unlink()  # a kill leaves the journal only
    monkeypatch.setattr(mixed, "measure", whole)
    assert script.main(given) == 0
    assert "2 of 4 are there" in capsys.readouterr().out
    found = mixed.load(tmp_path)
    assert len(found) == 4 * 6
    assert not found.duplicated(["surface", "trials", "repeat", "table", "method"]).any()
    key = ["surface", "trials", "repeat", "table", "method"]
    both = first.merge(found, on=key, suffixes=("", " later"))
    assert len(both) == len(first)
    np.testing.assert_array_equal(both["tau_main"], both["tau_main later"])
    (tmp_path / "journal.jsonl").unlink()  # from the table alone
    assert script.main(given) == 0
    assert "4 of 4 are there" in capsys.readouterr().out


def test_what_is_missing_is_said_with_the_command(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"record_truth\.py mixed"):
        mixed.load(tmp_path)
