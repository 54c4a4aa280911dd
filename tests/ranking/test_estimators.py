"""What NRReliefF and FAnova have in common: scikit-learn's contract, what they read and refuse."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF
from hia.space import Hyperparameter

RELIEF, FOREST = NRReliefF(n_neighbors=2), FAnova(n_trees=3, random_state=0)
# Their targets are classes far apart, so all neighbours of a row have its class.
SAME_FOR_ALL_NEIGHBOURS = dict.fromkeys(
    ["check_pipeline_consistency", "check_estimators_pickle"], "Eq. 10 is undefined, as reported"
)

both = pytest.mark.parametrize("model", [RELIEF, FOREST], ids=["relief", "fanova"])


def scores(model, X, y):
    fitted = clone(model).fit(X, y)
    return fitted.weights_ if isinstance(fitted, NRReliefF) else fitted.importances_


@parametrize_with_checks(
    [NRReliefF(n_neighbors=3, target_scale="range"), FAnova(n_trees=3)],
    expected_failed_checks=lambda one: (
        SAME_FOR_ALL_NEIGHBOURS if isinstance(one, NRReliefF) else {}
    ),
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@both
def test_dataframe_array_clone_and_pickle_agree(model):
    rng = np.random.default_rng(8)
    X = rng.random((60, 3))
    y = 0.9 * X[:, 0] + 0.1 * rng.random(60)
    frame = pd.DataFrame(X, columns=["lr", "dropout_rate", "epoch"])
    X.setflags(write=False)
    before = frame.copy(deep=True)
    expected = scores(model, frame, pd.Series(y, index=range(100, 160)))
    pd.testing.assert_frame_equal(frame, before)
    np.testing.assert_array_equal(scores(model, X.tolist(), y.tolist()), expected)
    fitted = clone(model).fit(frame, y)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.importances_, fitted.importances_)
    assert list(copy.feature_names_in_) == list(frame.columns)
    assert copy.n_features_in_ == 3
    # A second fit, on other columns, leaves nothing of the first.
    assert fitted.fit(X[:, :2], y).n_features_in_ == 2
    assert not hasattr(fitted, "feature_names_in_")


@both
def test_all_ways_to_give_a_categorical_column_agree(model):
    rng = np.random.default_rng(9)
    codes = rng.integers(0, 4, 80)
    names = np.array(["tanh", "gelu", "relu", "elu"])[codes]
    lr = rng.random(80)
    y = 0.3 * (codes == 1) + 0.2 * (codes == 3) + 0.5 * lr

    def declared(where):
        if isinstance(model, NRReliefF):
            return NRReliefF(n_neighbors=40, categorical=where and [where[0]])
        act = Hyperparameter("act", "categorical", choices=(0, 1, 2, 3))
        return FAnova(3, space=where and {where[0]: act}, random_state=0)

    found = [
        scores(declared(where), X, y)
        for X, where in [
            (pd.DataFrame({"act": names, "lr": lr}), None),
            (pd.DataFrame({"act": names.astype(object), "lr": lr}), None),
            (pd.DataFrame({"act": pd.Categorical(names), "lr": lr}), ("act",)),
            (pd.DataFrame({"act": codes, "lr": lr}), ("act",)),
            (pd.DataFrame({"act": codes, "lr": lr}), (0,)),
            (np.column_stack([-100 * codes, lr]), (np.int64(0),)),
            (np.array([names, lr], dtype=object).T, None),
        ]
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    as_number = scores(declared(None), np.column_stack([codes, lr]), y)
    assert not np.allclose(as_number, found[0])


WRONG_COLUMNS = [
    ([1.0, 2.0, np.nan, 4.0], "column 'lr' of X contains NaN"),
    ([1.0, 2.0, np.inf, 4.0], "column 'lr' of X contains infinity"),
    ([-1e308, 2.0, 3.0, 1e308], "column 'lr' of X has a range too large"),
    ([0.1, 0.1, 0.1, 0.1], "column 'lr' of X has one value only: leave it out"),
    (["a", "a", "a", "a"], "column 'lr' of X has one value only: leave it out"),
    (["a", None, "b", "a"], "column 'lr' of X contains NaN"),
    (pd.array([1, 2, None, 4], dtype="Int64"), "column 'lr' of X contains NaN"),
    (["a", 1, "b", 2], r"column 'lr' of X \(object\) is neither all numbers nor all text"),
    ([1j, 2.0, 3.0, 4.0], r"column 'lr' of X \(complex128\) is neither"),
    (pd.date_range("2024", periods=4), r"column 'lr' of X \(datetime64.* is neither"),
]
WRONG_TARGETS = [
    ([0.5, 0.5, 0.5, 0.5], "y has one value only: no column can explain it$"),
    ([0.5, np.nan, 0.5, 0.1], "y contains NaN"),
    ([0.5, np.inf, 0.5, 0.1], "y contains inf"),
    ([-1e308, 0.0, 0.0, 1e308], "y has a range too large"),
    ([0.1, 0.2, 0.3], r"inconsistent numbers of samples: \[4, 3\]"),
    ([[0.1, 0.2]] * 4, "1d array"),
    (["a", "b", "c", "d"], "could not convert"),
    (None, "y is None"),
    (np.ma.masked_greater([0.1, 0.2, 0.3, 9.0], 1), "y has masked values: fill them, or"),
]
WRONG_SHAPES = [
    ([1.0, 2.0, 3.0], "2D array"),
    (pd.DataFrame(index=range(3)), "0 feature"),
    (np.empty((3, 0)), "0 feature"),
    (pd.DataFrame([[1.0, 2.0]] * 3, columns=["lr", "lr"]), "'lr' of X is there twice"),
    ([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], "column 1 of X has one value only"),
    (np.ma.masked_greater([[1.0], [2.0], [9.0]], 8), "X has masked values"),
    ([*np.ma.masked_greater([[1.0], [2.0], [9.0]], 8)], "X has masked values"),
]
Y = [0.1, 0.2, 0.3, 0.4]


@both
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        *((pd.DataFrame({"epoch": range(4), "lr": x}), Y, told) for x, told in WRONG_COLUMNS),
        *(([[1.0], [2.0], [3.0], [4.0]], y, told) for y, told in WRONG_TARGETS),
        *((X, Y[:3], told) for X, told in WRONG_SHAPES),
    ],
)
def test_what_is_refused(model, X, y, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
