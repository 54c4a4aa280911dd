"""Experiments of a smaller size."""

from collections.abc import Iterator

import pytest

from hia_book import mixed, truth, tuning


@pytest.fixture(scope="module")
def quick_rankings() -> Iterator[None]:
    """Another method in the place of tunability, which takes seconds for each ranking."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(truth.CONTENDERS, "tunability", truth.CONTENDERS["ped_anova"])
        yield


@pytest.fixture
def few_searches(quick_rankings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "REPETITIONS", {"random": 20, "tpe": 2})
    monkeypatch.setattr(tuning, "CHECKPOINTS", {"random": (1, 5, 20), "tpe": (1, 5, 12)})
    monkeypatch.setattr(tuning, "TOP", (1, 2))
    monkeypatch.setattr(tuning, "_POINTS", 64)
    monkeypatch.setattr(tuning, "_STARTS", 2)
    monkeypatch.setattr(tuning, "_CANDIDATES", 200)
    monkeypatch.setattr(tuning, "_TREES", 8)


@pytest.fixture
def short_mixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "RUN", 15)
    monkeypatch.setattr(mixed, "SIZES", {20: 2})
    monkeypatch.setattr(mixed, "METHODS", ("nrrelieff", "fanova"))
