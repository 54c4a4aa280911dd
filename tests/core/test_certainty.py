"""hia.certainty: the bootstrap and the permutation tests of N-RReliefF."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from algorithm1 import continuous, frequency_weights, mixed_rows, on_grid
from tqdm import tqdm

from hia import certainty, neighbours
from hia.equations import Column, eq_10
from hia.relief import NRReliefF


@pytest.mark.parametrize("n_iterations", [None, 20])
def test_influences_are_derivatives_by_the_frequency_of_a_row(monkeypatch, n_iterations):
    monkeypatch.setattr(neighbours, "_CELL", 0)
    monkeypatch.setattr(neighbours, "_PAIRS", 100)  # in pieces
    X, y = continuous(31, n=40, k=3)
    model = NRReliefF(n_neighbors=6, n_iterations=n_iterations, random_state=0)
    trials = model.read(X, y)
    search = trials.search()
    means = search.means()
    order = np.array([np.flatnonzero(y == target)[0] for target in search.target])
    rows = np.sort(trials.rows)
    ones = np.ones(len(y))
    whole = frequency_weights(X, y, ones, 6, rows=rows)
    np.testing.assert_allclose(eq_10(*means), whole, rtol=1e-12)
    step = 1e-6
    slopes = [
        (frequency_weights(X, y, ones + step * (np.arange(40) == i), 6, rows=rows) - whole) / step
        for i in order
    ]
    influences = certainty.influences(search, *means, False)
    np.testing.assert_allclose(influences.T / len(y), slopes, rtol=0, atol=2e-7)
    np.testing.assert_allclose(influences.sum(axis=1), 0, atol=1e-10)


def test_a_resample_has_nearly_the_weights_of_the_rows_it_counts():
    X, y = continuous(42, n=80)
    model = NRReliefF(n_neighbors=20)
    resamples = model.bootstrap(X, y, 30, random_state=7)
    target = model.read(X, y).search().target  # in the order of the search, as the counts
    back = np.array([np.flatnonzero(target == p)[0] for p in y])
    random = np.random.RandomState(7)
    counts = [np.bincount(random.randint(80, size=80), minlength=80)[back] for _ in resamples]
    exact = np.array([frequency_weights(X, y, of_row, 20) for of_row in counts])
    spread = exact.std(axis=0)
    assert np.all(np.abs(resamples - exact) < 2 * spread)
    for k in range(4):
        assert np.corrcoef(resamples[:, k], exact[:, k])[0, 1] > 0.5


@pytest.mark.slow
def test_bootstrap_spreads_as_much_as_new_rows_do():
    def draw(rng, n=300):
        X = rng.uniform(size=(n, 4))
        return X, 0.5 * X[:, 0] + 0.3 * X[:, 1] + rng.uniform(0, 0.2, n)

    rng = np.random.default_rng(32)
    fresh = np.std([NRReliefF().fit(*draw(rng)).weights_ for _ in range(150)], axis=0)
    found = np.mean([NRReliefF().bootstrap(*draw(rng), 400, 0).std(axis=0) for _ in range(6)], 0)
    ratio = found / fresh
    assert np.all(ratio[:2] > 0.85)
    assert np.all(ratio[:2] < 1.35)
    # Without influence: too wide rather than too narrow.
    assert np.all(ratio[2:] > 0.95)
    assert np.all(ratio[2:] < 1.7)


def test_bootstrap_is_centred_on_the_weights():
    X, y = on_grid(33, n=80)
    model = NRReliefF(n_neighbors=8)
    resamples = model.bootstrap(X, y, random_state=1)
    assert resamples.shape == (1000, 3)
    assert not hasattr(model, "weights_")
    error = resamples.std(axis=0) / math.sqrt(1000)
    assert np.all(np.abs(resamples.mean(axis=0) - model.fit(X, y).weights_) < 5 * error)


@pytest.mark.parametrize("make", [continuous, on_grid])
@pytest.mark.parametrize("factor", [1, 2])
def test_weights_of_permuted_targets_are_those_of_a_fit(make, factor):
    X, y = make(35)
    y = factor * y  # differences above 1 count in full
    model = NRReliefF(n_neighbors=8)
    search = model.read(X, y).search()
    random = np.random.default_rng(0)
    copies = np.column_stack([random.permutation(y) for _ in range(4)]).astype(np.float32)
    found = certainty.of_targets(search, copies)
    np.testing.assert_allclose(found[0], model.fit(X, y).weights_, rtol=0, atol=1e-12)
    # Copies are in the order of the search.
    back = np.array([np.flatnonzero(search.target == p)[0] for p in y])
    for weights, permuted in zip(found[1:], copies.T, strict=True):
        expected = model.fit(X, permuted[back]).weights_
        np.testing.assert_allclose(weights, expected, rtol=0, atol=certainty.SINGLE)


def test_a_target_far_from_0_is_permuted_without_loss():
    X, y = continuous(44)
    y = np.round(y * 2**20) / 2**20  # so that nothing is lost in the data
    model = NRReliefF(n_neighbors=8)
    near, far = (
        certainty.permute(model.read(X, y + shift), 9, "target", np.random.RandomState(0), False)
        for shift in (0, 2**20)
    )
    np.testing.assert_allclose(far, near, rtol=0, atol=certainty.SINGLE)


def test_p_values_count_the_permutations_that_weigh_at_least_as_much(monkeypatch):
    columns = {
        "less": [0.5, 0.4, 0.3, 0.5 - 2e-6],
        "one is equal but for rounding": [0.5, 0.5 - 1e-7, 0.3, 0.2],
        "one more": [0.5, 0.6, 0.4, 0.2],
        "without a weight": [0.5, np.nan, 0.1, 0.1],
        "all": [-0.1, 0.6, 0.4, 0.2],
    }
    weights = np.array(list(columns.values())).T
    monkeypatch.setattr(certainty, "permute", lambda *_: weights)
    X, y = continuous(45, k=5)
    found = NRReliefF(n_neighbors=8).permutation_test(pd.DataFrame(X, columns=list(columns)), y, 3)
    assert found["p_value"].tolist() == [1 / 4, 2 / 4, 2 / 4, 2 / 4, 1]
    assert found["weight"].tolist() == [0.5, 0.5, 0.5, 0.5, -0.1]


def test_adjusted_p_values_are_by_the_largest_of_all_columns_in_units_of_their_spread():
    rng = np.random.default_rng(47)
    weights = rng.normal([0.01, 2, -30, 0.5], [0.001, 1, 20, 0], (40, 4))
    weights[0] += [0.0015, 1, 10, 0]
    weights[7, 1], weights[9, 2] = np.inf, np.nan  # undefined: not less than any
    columns = []
    for column in weights.T:
        finite = column[np.isfinite(column)]
        spread = finite.std() or np.inf
        columns.append([(w - finite.mean()) / spread if np.isfinite(w) else np.inf for w in column])
    largest = [max(row) for row in zip(*columns, strict=True)][1:]
    expected = [(1 + sum(one >= own[0] for one in largest)) / 40 for own in columns]
    assert 2 / 40 < min(expected) < max(expected) == 1
    assert certainty.adjusted_p_values(weights).tolist() == expected


def test_weight_of_a_column_by_the_neighbours_of_the_others():
    X, y = continuous(36, n=50)
    found = NRReliefF(n_neighbors=7).permutation_test(X, y, 1)
    for k, weight in enumerate(found["weight"]):
        others = [other for other in range(4) if other != k]
        expected = frequency_weights(X, y, np.ones(50), 7, by=others)[k]
        assert weight == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("differences", [1, 1 << 16])
def test_permuting_a_column_leaves_the_others_and_the_target(monkeypatch, differences):
    monkeypatch.setattr(certainty, "_DIFFERENCES", differences)
    rows, p = mixed_rows(seed=37)
    trials = NRReliefF(n_neighbors=5).read(pd.DataFrame(rows), p)
    for k in (0, 3):  # numbers, and three categories
        column, random = trials.columns[k], np.random.default_rng(5)
        assert column.scaled().max() == (2 if column.categorical else 1)
        search = trials.search(k)
        copies = np.column_stack([random.permutation(column.scaled()) for _ in range(3)])
        found = certainty.of_columns(search, copies.astype(np.float32))
        for weight, permuted in zip(found[1:, 0], copies.T, strict=True):
            span = column.range if column.categorical else 1.0
            in_its_place = [Column(permuted, span, column.categorical)]
            expected = eq_10(*replace(search, columns=in_its_place).means())[0]
            assert weight == pytest.approx(expected, abs=certainty.SINGLE)


def test_work_in_pieces_with_the_same_seed_is_the_same(monkeypatch):
    X, y = continuous(43)
    model = NRReliefF(n_neighbors=8)
    resamples = model.bootstrap(X, y, 5, random_state=3)
    tests = {null: model.permutation_test(X, y, 9, null, 3) for null in ("column", "target")}
    for counts, copies in ((1, 1), (1 << 22, 2 * len(y))):
        monkeypatch.setattr(certainty, "_COUNTS", counts)
        again = model.bootstrap(X, y, 5, random_state=3)
        np.testing.assert_allclose(again, resamples, rtol=0, atol=1e-14)
        monkeypatch.setattr(certainty, "_COPIES", copies)
        for null, expected in tests.items():
            pd.testing.assert_frame_equal(model.permutation_test(X, y, 9, null, 3), expected)
    assert not np.allclose(model.bootstrap(X, y, 5, random_state=4), resamples)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "repeats"), [(200, 1), (100, 2), (40, 5)])
def test_repeated_configurations_make_nothing_of_columns_without_influence(n, repeats):
    """Of configurations trained with several seeds, rows are not what is independent."""
    p_values, lows = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = np.repeat(rng.uniform(size=(n, 3)), repeats, axis=0)
        y = 0.7 * X[:, 0] + rng.uniform(0, 0.3, n * repeats)
        model = NRReliefF(n_neighbors=20)
        test = model.permutation_test(X, y, 59, random_state=seed)
        assert test["p_value"].iloc[0] == 1 / 60
        p_values.append(test["p_value"][1:])
        lows.append(np.quantile(model.bootstrap(X, y, 100, seed)[:, 1:], 0.025, axis=0))
    assert np.mean(np.array(p_values) <= 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 80)
    assert np.mean(np.array(lows) > 0) <= 0.05


@pytest.mark.slow
def test_a_table_in_which_nothing_matters_has_an_adjusted_p_value_of_05_in_one_of_twenty():
    smallest = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        model = NRReliefF(n_neighbors=10)
        test = model.permutation_test(
            rng.uniform(size=(60, 6)), rng.uniform(size=60), 59, "column", seed
        )
        assert (test["p_adjusted"] >= test["p_value"] - 1e-12).mean() > 0.9
        smallest.append(test["p_adjusted"].min())
    assert abs(np.mean(np.array(smallest) <= 0.05) - 0.05) < 3 * math.sqrt(0.05 * 0.95 / 80)


@pytest.mark.slow
def test_permuting_the_target_is_the_null_of_no_relation_at_all():
    def p_values(seed, effect):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(100, 3))
        y = 0.9 * effect * X[:, 0] + rng.uniform(0, 0.1, 100)
        model = NRReliefF(n_neighbors=10)
        return model.permutation_test(X, y, 19, null="target", random_state=seed)["p_value"]

    unrelated = np.mean([p_values(seed, 0) for seed in range(60)], axis=0)
    assert np.all(np.abs(unrelated - 0.525) < 4 * 0.037)
    related = np.mean([p_values(seed, 1) for seed in range(30)], axis=0)
    assert related[0] < 0.1
    assert np.all(related[1:] > 0.7)


def test_permutation_test_names_columns_in_their_order():
    rows, p = mixed_rows(seed=38)
    frame = pd.DataFrame(rows, columns=list("abcde"))
    before = frame.copy(deep=True)
    model = NRReliefF(n_neighbors=5)
    for null in ("column", "target"):
        found = model.permutation_test(frame, p, 9, null, random_state=2)
        assert list(found.index) == list("abcde")
        assert found.index.name == "hyperparameter"
        assert list(found.columns) == ["weight", "p_value", "p_adjusted"]
        assert found["p_value"].between(0.1, 1).all()
        pd.testing.assert_frame_equal(found, model.permutation_test(frame, p, 9, null, 2))
    pd.testing.assert_frame_equal(frame, before)
    assert not hasattr(model, "weights_")
    assert list(model.permutation_test(np.array(rows)[:, :2].astype(float), p, 1).index) == [
        "x0",
        "x1",
    ]


def test_a_single_column_is_tested_by_permuting_the_target():
    X, y = continuous(39, k=2)
    model = NRReliefF(n_neighbors=8)
    assert (model.permutation_test(X, y, 1, "target")["weight"] == model.fit(X, y).weights_).all()
    by_column = model.permutation_test(X[:, :1], y, 19, random_state=0)
    by_target = model.permutation_test(X[:, :1], y, 19, null="target", random_state=0)
    pd.testing.assert_frame_equal(by_column, by_target)
    assert by_column["weight"].iloc[0] == pytest.approx(model.fit(X[:, :1], y).weights_[0])


def test_how_long_it_takes_is_told_if_asked(monkeypatch, capsys):
    X, y = continuous(41)
    monkeypatch.setattr(tqdm, "monitor_interval", 0)  # no thread, which a fork would lose
    at_once = {"delay": 0, "mininterval": 0}
    monkeypatch.setattr(certainty, "tqdm", lambda *of, **how: tqdm(*of, **how | at_once))
    model = NRReliefF(n_neighbors=8)
    model.bootstrap(X, y, 2)
    model.permutation_test(X, y, 2)
    assert capsys.readouterr().err == ""
    model.bootstrap(X, y, 2, progress=True)
    model.permutation_test(X, y, 2, progress=True)
    told = capsys.readouterr().err
    assert "N-RReliefF: resamples: 100%" in told
    assert "N-RReliefF: permutations: 100%" in told
    assert told.endswith("\r")  # the line is taken away


def test_999_permutations_by_default():
    X, y = continuous(46, n=12, k=2)
    found = NRReliefF(n_neighbors=3).permutation_test(X, y, random_state=0)
    assert found["p_value"].round(3).tolist() == pytest.approx(found["p_value"], rel=1e-12)


def test_how_sure_refuses_wrong_options():
    X, y = continuous(40)
    model = NRReliefF(n_neighbors=8)
    with pytest.raises(ValueError, match="n_resamples=0 is not a whole number"):
        model.bootstrap(X, y, 0)
    with pytest.raises(ValueError, match=r"n_permutations=1\.5 is not a whole number"):
        model.permutation_test(X, y, 1.5)
    with pytest.raises(ValueError, match=r"null='both' is not one of \('column', 'target'\)"):
        model.permutation_test(X, y, 9, "both")
    with pytest.raises(ValueError, match="y has one value only"):
        model.bootstrap(X, np.ones(len(y)))
    with pytest.raises(ValueError, match="metric='cosine'"):
        NRReliefF(metric="cosine").permutation_test(X, y)


@pytest.mark.parametrize("null", ["column", "target"])
def test_how_sure_where_eq_10_is_undefined(null):
    X, y = [[1.0, 1.0], [2.0, 2.0]], [3.0, 4.0]
    model = NRReliefF(n_neighbors=1, target_scale="range")
    with pytest.raises(ValueError, match=r"or use more neighbours$"):
        model.bootstrap(X, y, 5)
    with pytest.raises(ValueError, match=r"or use more neighbours$"):
        model.permutation_test(X, y, 5, null)


@pytest.mark.parametrize("y", [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 0, 1]])
def test_a_permutation_that_leaves_eq_10_undefined_is_not_less_and_no_warning(y):
    """Three pairs of rows. Of three that succeed one may come into every pair, and all neighbours
    differ by 1; two may come into the same pair, and none differ."""
    X, y = [[0.0], [0.01], [1.0], [1.01], [2.2], [2.21]], np.array(y, dtype=float)
    model = NRReliefF(n_neighbors=1)
    copies = certainty.permute(model.read(X, y), 40, "target", np.random.RandomState(0), False)
    undefined = ~np.isfinite(copies[:, 0])
    assert 2 < undefined.sum() < 40
    at_least = undefined | (copies[:, 0] >= copies[0, 0] - certainty.SINGLE)
    found = model.permutation_test(X, y, 40, "target", random_state=0)
    assert found["p_value"].tolist() == [at_least.sum() / 41]
