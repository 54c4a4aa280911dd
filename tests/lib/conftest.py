"""Experiments of a smaller size."""

import dataclasses

import pytest

from hia_book import mixed, truth, tuning


@pytest.fixture
def few_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "REPETITIONS", {"random": 20, "tpe": 2})
    monkeypatch.setattr(tuning, "CHECKPOINTS", {"random": (1, 5, 20), "tpe": (1, 5, 12)})
    monkeypatch.setattr(tuning, "TOP", (1, 2))
    monkeypatch.setattr(tuning, "_POINTS", 64)
    monkeypatch.setattr(tuning, "_CANDIDATES", 200)
    tunability, few = truth.CONTENDERS["tunability"], {"n_trees": 2, "n_samples": 20}
    quick = dataclasses.replace(tunability, options=lambda trials: few)
    monkeypatch.setitem(truth.CONTENDERS, "tunability", quick)


@pytest.fixture
def short_mixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "RUN", 20)
    monkeypatch.setattr(mixed, "SIZES", {40: 2})
    monkeypatch.setattr(mixed, "METHODS", ("nrrelieff", "fanova"))
