"""hia_book.mixed: trials that a search chose, and what they do to rankings."""

import pandas as pd
import pytest

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
    drawn = truth.draw(surface, 100, 1)
    rows = pd.DataFrame(mixed.measure(surface, drawn, TRUE["additive"], job))
    assert len(rows) == len(mixed.TABLES) * 2
    assert (rows["problem"] == "").all()
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
    drawn = truth.draw(MADE["additive"], 100, 0)
    rows = pd.DataFrame(mixed.measure(MADE["additive"], drawn, TRUE["additive"], job))
    refused = rows["method"] == "fanova"
    assert set(rows.loc[refused, "problem"]) == {"not these"}
    assert (rows.loc[refused, ["tau_main", "tau_total"]] == 0).all(axis=None)
    assert (rows.loc[~refused, "problem"] == "").all()
