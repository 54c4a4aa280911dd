"""Very small and very large numbers, numbers far from 0, copies of rows, many rows, other threads.

What an estimator finds does not depend on the unit of its numbers, nor on where they have their 0,
as far as float64 can hold them; and where it cannot, that is said. Overflow, a division by 0 or a
NaN on the way would be a warning, which is an error here.
"""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from hia.inputs import number_configurations
from hia.ranking import methods
from hia.ranking.columns import infer
from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF

N = 200
RNG = np.random.default_rng(11)
X = pd.DataFrame(
    {
        "lr": RNG.random(N),
        "epoch": RNG.integers(1, 11, N),
        "optimizer": RNG.choice(["Adam", "SGD"], N),
    }
)
# Multiples of 2^-20, from 0 to 1: float64 can hold them at 1e9 as well.
STEP = 2.0**-20
RAW = 0.6 * X["lr"] + 0.3 * (X["optimizer"] == "SGD") + 0.1 * RNG.random(N)
Y = (np.round((RAW - RAW.min()) / np.ptp(RAW) / STEP) * STEP).to_numpy()

# Powers of two: nothing is rounded by them.
SPREADS = [2.0**40, 2.0**-1000, 2.0**1000]
OFFSETS = [-(2.0**30), 1e9]


def weights(x: pd.DataFrame, y: np.ndarray, **options: object) -> np.ndarray:
    return NRReliefF(n_neighbors=20, target_scale="range", **options).fit(x, y).weights_


def shares(x: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    return FAnova(n_trees=4, random_state=0).fit(x, y).importances_


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("found", [weights, shares])
def test_the_spread_of_the_target_and_of_a_feature(found, spread):
    assert np.array_equal(found(X, Y * spread), found(X, Y))
    assert np.array_equal(found(X.assign(lr=X["lr"] * spread), Y), found(X, Y))


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("found", [weights, shares])
def test_a_target_and_a_feature_far_from_0(found, offset):
    assert np.array_equal((Y + offset) - offset, Y)  # nothing is lost in the data
    assert found(X, Y + offset) == pytest.approx(found(X, Y), rel=1e-12, abs=1e-15)
    lr = np.round(X["lr"] / STEP) * STEP
    assert found(X.assign(lr=lr + offset), Y) == pytest.approx(found(X.assign(lr=lr), Y), rel=1e-12)


def test_a_denormal_target():
    y = np.round(Y * 1000)  # so many steps of the smallest number there is
    assert np.ptp(y * 5e-324) > 0
    assert np.array_equal(weights(X, y * 5e-324), weights(X, y))
    assert shares(X, y * 5e-324) == pytest.approx(shares(X, y), rel=1e-12)


@pytest.mark.parametrize("method", ["fit", "bootstrap", "permutation_test"])
@pytest.mark.parametrize("spread", [1e-26, 1e-160, 1e-310])
def test_a_target_too_small_for_eq_10_is_an_error(method, spread):
    with pytest.raises(ValueError, match=r"y has a range of .*, too small for Eq\. 10: scale y"):
        getattr(NRReliefF(), method)(X, Y * spread)


@pytest.mark.parametrize("spread", [2.0**-40, 2.0**-80])
def test_eq_10_of_small_targets_tends_to_its_limit(spread):
    """W tends to N_both / N_p - N_theta, resampled and permuted as well."""
    unit = 2.0**-30
    model = NRReliefF(n_neighbors=20)
    assert model.fit(X, Y * spread).weights_ == pytest.approx(
        model.fit(X, Y * unit).weights_, rel=1e-6, abs=1e-9
    )
    resampled = [model.bootstrap(X, Y * s, 20, random_state=0) for s in (spread, unit)]
    assert resampled[0] == pytest.approx(resampled[1], rel=1e-6, abs=1e-8)
    for null in ("column", "target"):
        tests = [model.permutation_test(X, Y * s, 19, null, 0) for s in (spread, unit)]
        assert list(tests[0]["p_value"]) == list(tests[1]["p_value"])


def test_marginals_are_in_the_unit_of_the_target():
    def curve(y: np.ndarray) -> np.ndarray:
        return FAnova(n_trees=4, random_state=0).fit(X, y).marginal("lr")["mean"].to_numpy()

    assert np.array_equal(curve(Y * 2.0**1000), curve(Y) * 2.0**1000)
    assert curve(Y + 1e9) - 1e9 == pytest.approx(curve(Y), abs=1e-6)


@pytest.mark.parametrize("found", [weights, shares])
def test_whole_numbers_beyond_53_bits(found):
    """Far apart, as random seeds, or an error: float64 would make them equal."""
    seeds = RNG.integers(0, 2**63, N)
    assert np.isfinite(found(X.assign(lr=seeds), Y)).all()
    with pytest.raises(ValueError, match=r"'lr' of X has whole numbers .* differ by 9 at most"):
        found(X.assign(lr=2**60 + X["epoch"]), Y)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("spread", [1e-200, 1e200])
def test_raw_distances_of_what_they_cannot_take(metric, spread):
    model = NRReliefF(n_neighbors=20, metric=metric, scale="none")
    with pytest.raises(ValueError, match=r"column 'lr' of X has a range of .*scale='range'"):
        model.fit(X.assign(lr=X["lr"] * spread), Y)
    # Much larger than all the others, it alone decides.
    large = [model.fit(X.assign(lr=X["lr"] * s), Y).weights_ for s in (2.0**40, 2.0**80)]
    assert large[0] == pytest.approx(large[1], abs=1e-12)


def test_copies_of_a_configuration_are_one_at_their_mean():
    """A hundred thousand of one, each the neighbour of all others, would be 10^10 pairs."""
    rng = np.random.default_rng(3)
    others = rng.random((60, 2))
    rows = np.vstack([np.full((100_000, 2), 0.5), others])
    y = np.concatenate([np.tile([0.2, 0.4], 50_000), rng.random(60)])
    model = NRReliefF(n_neighbors=5)
    found = model.fit(rows, y).weights_
    expected = model.fit(np.vstack([[0.5, 0.5], others]), np.append(0.3, y[-60:])).weights_
    assert found == pytest.approx(expected, rel=1e-9)


def test_two_rows():
    two = pd.DataFrame({"a": [0.0, 1e-300], "b": [1e9, 1e9 + 1]})
    found = FAnova(n_trees=20, random_state=0).fit(two, [3.0, 3.0 + 1e-12])
    assert found.importances_.sum() == pytest.approx(1)  # a tree has one cut, in either column
    # Both differ wherever y does, and y by its range: nothing is left to compare with.
    with pytest.raises(ValueError, match="needs less than 1"):
        NRReliefF(n_neighbors=1, target_scale="range").fit(two, [0.0, 1e-12])


@pytest.mark.parametrize(
    ("values", "kind", "log"),
    [
        (np.linspace(1e307, 1.7e308, 100), "float", False),
        (np.geomspace(1e-300, 1e300, 100), "float", True),
        (np.tile([5e-324, 1e-323, 2e-323, 4e-323], 25), "float", False),
        (np.tile([2.0**52, 2.0**53], 50), "integer", False),
        (np.tile([2.0**54, 2.0**55], 50), "float", False),
        (np.random.default_rng(0).integers(0, 2**63, 100), "float", False),
    ],
)
@pytest.mark.parametrize("method", ["nrrelieff", "fanova", "ped_anova"])
def test_columns_of_extreme_numbers(values, kind, log, method):
    table = pd.DataFrame({"a": values, "b": RNG.random(100), "y": RNG.random(100)})
    (column, _), _ = infer(table, "y")
    assert (column.kind, column.log) == (kind, log)
    assert set(column.choices or ()) <= set(values)
    found = methods.rank(table, "y", method=method, n_bootstrap=2)
    assert np.isfinite(found.table["score"]).all()
    assert not [note for note in found.notes if "encountered" in note]


THREADS = """
import hashlib
import numpy as np
from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF

rng = np.random.default_rng(0)
n = 30_000  # so many leaves that BLAS shares them out
X = np.column_stack([rng.random((n, 2)), rng.integers(0, 3, n)])
y = rng.random(n) * 0.2 + X[:, 0] * 0.5
model = NRReliefF(n_neighbors=5)
forest = FAnova(n_trees=1, random_state=0).fit(X, y)
few = slice(400)
for found in (
    model.fit(X, y).weights_,
    model.bootstrap(X, y, 20, 0),
    model.permutation_test(X[few], y[few], 20, random_state=0).to_numpy(),
    forest.importances_,
    FAnova(n_trees=1, min_samples_leaf=20, random_state=0).fit(X, y).pair_importances()["weight"],
    forest.marginal(0).to_numpy(),
):
    print(hashlib.sha256(np.ascontiguousarray(found).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit():
    found = []
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        command = [sys.executable, "-c", THREADS]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.split())
    assert len(found[0]) == 6
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_million_rows():
    """Every row is there for the search; memory stays in proportion to the table."""
    n = 1_000_000
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.random((n, 2)), rng.integers(0, 4, n)])
    y = 0.5 * rows[:, 0] + 0.1 * rows[:, 2]  # without noise: among so many, near rows are alike
    table = rows.nbytes + y.nbytes
    tracemalloc.start()
    try:
        relief = NRReliefF(n_neighbors=10, n_iterations=2000, random_state=0).fit(rows, y)
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 12 * table
        tracemalloc.reset_peak()
        forest = FAnova(n_trees=1, min_samples_leaf=200, random_state=0).fit(rows, y)
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 12 * table
    finally:
        tracemalloc.stop()
    assert relief.weights_[0] > relief.weights_[1]
    # Variances of the terms, by hand: 0.5² / 12, and 0.1² (4² - 1) / 12, less the interval of the
    # whole numbers, which is not declared here: the measure of the inner two is twice that.
    of_levels = np.average((np.arange(4) - 1.5) ** 2, weights=[1, 2, 2, 1])
    variances = np.array([0.25 / 12, 0, 0.01 * of_levels])
    expected = variances / variances.sum()
    assert forest.importances_ == pytest.approx(expected, abs=0.02)


def test_the_largest_numbers_are_alike() -> None:
    largest = np.finfo(float).max
    assert list(number_configurations([np.array([largest, largest, 1.0])])) == [0, 0, 1]
