"""hia_book.multiverse.Profile: one search gives the weights of every choice."""

import itertools

import numpy as np
import pandas as pd
import pytest

from hia.relief import NRReliefF
from hia_book.multiverse import Profile


def spread(rng):
    return pd.DataFrame(rng.random((90, 3)) * [1, 100, 5], columns=list("abc"))


def tied(rng):
    """Few values: rows that are equal, and many at the same distance."""
    X = pd.DataFrame(rng.integers(3, size=(90, 3)), columns=list("abc"))
    return X.assign(d=rng.choice(["x", "y", "z"], 90))


@pytest.mark.parametrize("columns", [spread, tied])
@pytest.mark.parametrize(
    ("metric", "scale"),
    [("euclidean", "none"), ("manhattan", "range")],
)
def test_one_profile_gives_the_weights_of_every_choice(columns, metric, scale):
    rng = np.random.default_rng(0)
    X = columns(rng)
    y = 0.3 * rng.random(90) + 0.1 * X["a"] / X["a"].max()
    most = len(X.drop_duplicates()) - 1
    found = Profile(X, y, most, metric, scale)
    names = ("n_neighbors", "sigma", "rank_base", "target_scale")
    for choice in itertools.product((1, 5, 30, most), (0.5, 100), (0, 1), ("none", "range")):
        options = dict(zip(names, choice, strict=True))
        expected = NRReliefF(**options, metric=metric, scale=scale).fit(X, y).weights_
        np.testing.assert_allclose(found.weights(*choice), expected, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=f"the profile has {most} neighbours"):
        found.weights(most + 1)


def test_the_profile_of_three_rows_by_hand():
    """At 0, 1 and 3: the nearest are 1, 1 and 2 of 3 away, the others 3, 2 and 3."""
    found = Profile(pd.DataFrame({"x": [0, 1, 3]}), [0.0, 0.2, 0.8], 2)
    np.testing.assert_allclose(found.theta[:, 0], [4 / 9, 8 / 9])
    np.testing.assert_allclose(found.p, [(0.2 + 0.2 + 0.6) / 3, (0.8 + 0.6 + 0.8) / 3])
    np.testing.assert_allclose(found.both[0, 0], (0.2 / 3 + 0.2 / 3 + 0.6 * 2 / 3) / 3)
    assert found.target_range == 0.8
