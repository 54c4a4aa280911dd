"""Experiments of a smaller size."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hia_book import mixed, truth, tuning


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """Tunability of a small forest: ten seconds less for each ranking."""
    options = {"n_trees": 2, "n_samples": 20}
    quick = replace(truth.CONTENDERS["tunability"], options=lambda trials: options)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(truth.CONTENDERS, "tunability", quick)
        yield


@pytest.fixture
def few_searches(few_trees: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "REPETITIONS", {"random": 20, "tpe": 2})
    monkeypatch.setattr(tuning, "CHECKPOINTS", {"random": (1, 5, 20), "tpe": (1, 5, 12)})
    monkeypatch.setattr(tuning, "TOP", (1, 2))
    monkeypatch.setattr(tuning, "_POINTS", 64)
    monkeypatch.setattr(tuning, "_CANDIDATES", 200)


@pytest.fixture
def short_mixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "RUN", 20)
    monkeypatch.setattr(mixed, "SIZES", {40: 2})
    monkeypatch.setattr(mixed, "METHODS", ("nrrelieff", "fanova"))
