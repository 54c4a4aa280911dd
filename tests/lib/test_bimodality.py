"""One mode or two: samples whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from hia_book.bimodality import UNIFORM, end_over_middle, modes, sarle

QUANTILES = (np.arange(20_000) + 0.5) / 20_000
NORMAL = stats.norm.ppf(QUANTILES)


def test_sarle_of_known_distributions() -> None:
    assert sarle(3 - 7 * QUANTILES) == pytest.approx(UNIFORM, abs=1e-3)
    assert sarle(NORMAL) == pytest.approx(1 / 3, abs=2e-3)
    assert sarle([0] * 9000 + [1] * 1000) == pytest.approx(1, abs=1e-3)


def test_sarle_by_hand() -> None:
    # n = 4, from the definitions of the unbiased skewness and excess kurtosis.
    sample = np.array([0.0, 0.0, 0.0, 6.0])
    deviations = sample - sample.mean()
    variance = (deviations**2).sum() / 3
    g = 4 / (3 * 2) * (deviations**3).sum() / variance**1.5
    k = 4 * 5 / (3 * 2 * 1) * (deviations**4).sum() / variance**2 - 3 * 9 / (2 * 1)
    assert sarle(sample) == pytest.approx((g**2 + 1) / (k + 3 * 9 / (2 * 1)))
    assert np.isnan([sarle([0.1, 0.2, 0.3]), sarle([0.5] * 10)]).all()


def test_modes_of_one_and_of_two_heaps() -> None:
    heap = 0.03 * stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    assert modes(0.3 + heap) == [pytest.approx(0.3, abs=0.005)]
    two = modes(np.concatenate([0.2 + heap, 0.8 + heap]))
    assert two == [pytest.approx(0.2, abs=0.01), pytest.approx(0.8, abs=0.01)]
    assert modes([0.4, 0.4]) == [0.4]
    assert modes([]) == []
    low, high = modes(np.concatenate([np.linspace(0, 0.05, 50), np.linspace(0.95, 1, 50)]))
    assert low < 0.1
    assert high > 0.9


def test_ends_are_held_against_the_middle_with_an_interval() -> None:
    _, low, high = end_over_middle([0.1, 0.9] * 100)
    assert 0 < low < 0.5 < high
    _, low, high = end_over_middle([0.5] * 20)
    assert high < 0
    few = [0.1] * 3 + [0.5] * 3 + [0.9] * 4
    assert end_over_middle(few) == pytest.approx((0, -0.48, 0.48), abs=0.005)
