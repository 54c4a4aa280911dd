"""Shares of variance that are known beforehand, found by the `fanova` package."""

import logging
import sys

import numpy as np
import pandas as pd
import pytest

from hia.ranking import fanova_package
from hia.ranking.fanova_package import FanovaUnavailable, importances

compiled = pytest.mark.skipif(
    not fanova_package.available(), reason="the fanova package could not be compiled here"
)
RNG = np.random.default_rng(0)
N = 800
# A node tries 70% of the columns: with too few of them it may find none to cut and stay too large.
IDLE = pd.DataFrame(RNG.random((N, 6)), columns=list("tuvwxy"))


@compiled
def test_a_category_and_a_logarithmic_scale() -> None:
    # Uniform on the logarithm, the variance of its log10 over six decades is 36 / 12 = 3; that of
    # a fair coin times 2 sqrt(3) is 3 as well.
    X = pd.DataFrame(
        {"optimizer": RNG.choice(["Adam", "SGD"], N), "lr": 10 ** RNG.uniform(-6, 0, N)}
    ).join(IDLE)
    y = np.log10(X["lr"]) + np.sqrt(12) * (X["optimizer"] == "SGD")
    found = importances(X, y)
    assert found["weight"].tolist() == pytest.approx([0.5, 0.5, *[0.0] * 6], abs=0.05)
    assert 0.95 < found["weight"].sum() <= 1
    assert (found["std"] < 0.05).all()
    assert found.index.tolist() == X.columns.tolist()
    assert found.index.name == "hyperparameter"
    assert importances(X, y, log=())["weight"]["lr"] < 0.1


@compiled
def test_same_seed_same_shares_and_nothing_else_changed() -> None:
    X = pd.DataFrame(RNG.random((100, 2)), columns=["a", "b"])
    before = X.copy()
    handlers, level = logging.root.handlers[:], logging.root.level
    first, second = (importances(X, X["a"], random_state=4) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(X, before)
    assert (logging.root.handlers, logging.root.level) == (handlers, level)
    assert not hasattr(np, "float")
    assert sys.modules["fanova.fanova"].np is np


@pytest.mark.parametrize(
    ("changed", "y", "message"),
    [
        ({"a": [1.0, np.nan, 2.0]}, [1, 2, 3], "'a' of X has missing"),
        ({"a": ["x", "y", "z"]}, [1, 2, 3], "'a' of X .* is neither all numbers nor all"),
        ({"lr": [0.0, 0.1, 0.2]}, [1, 2, 3], "'lr' of X has 0: a logarithm"),
        ({"optimizer": ["SGD", None, "SGD"]}, [1, 2, 3], "'optimizer' of X has missing"),
        ({}, [1, 2], r"inconsistent numbers of samples: \[3, 2\]"),
        ({}, [1, np.nan, 2], "y contains NaN"),
        ({}, [2, 2, 2], "y has one value only"),
    ],
)
def test_what_cannot_be_shared_out(changed: dict, y: list, message: str) -> None:
    X = pd.DataFrame({"a": [0.1, 0.2, 0.3]}).assign(**changed)
    with pytest.raises(ValueError, match=message):
        importances(X, y)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fanova.fanova", None)
    assert not fanova_package.available()
    with pytest.raises(FanovaUnavailable, match=r"install a C\+\+ compiler, then `make clean`"):
        importances(pd.DataFrame({"a": [0.1, 0.2]}), [1, 2])
