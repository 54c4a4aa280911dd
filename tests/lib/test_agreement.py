"""Agreement of lists of weights: values worked out by hand, and what must hold of any lists."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hia_book.agreement import (
    REPORTED,
    RankAgreement,
    balanced_subsamples,
    friedman,
    icc,
    intervals,
    kendalls_w,
    mantel,
    mean_agreement,
    rank_agreement,
    typical_agreement,
)


def test_an_interval_with_too_many_rows_is_cut_to_the_cap_and_the_others_are_whole() -> None:
    y = np.array([0.05] * 50 + [0.15] * 3 + [0.95] * 20)
    subsets = balanced_subsamples(y, n_subsets=4, max_per_interval=10)
    assert len({tuple(rows) for rows in subsets}) == 4
    for rows in subsets:
        assert (np.diff(rows) > 0).all()
        assert [(rows < 50).sum(), (rows >= 53).sum()] == [10, 10]
        assert {50, 51, 52} <= set(rows)


def test_an_edge_belongs_to_the_interval_above_it_and_1_to_the_last() -> None:
    assert intervals([0.0, 0.49, 0.5, 0.99, 1.0], 2).tolist() == [0, 0, 1, 1, 1]
    # Accuracies on 1,000 images, as decimal fractions: none falls on the wrong side by rounding.
    assert intervals(np.arange(1001) / 1000).tolist() == [*np.repeat(np.arange(10), 100), 9]


def test_every_row_of_an_interval_is_equally_likely() -> None:
    subsets = balanced_subsamples(np.full(20, 0.3), n_subsets=500, max_per_interval=5)
    counts = np.bincount(np.concatenate(subsets), minlength=20)
    assert counts.sum() == 500 * 5
    assert np.abs(counts - 125).max() < 5 * 9.7  # binomial(500, 1/4): standard deviation 9.7


# Shrout and Fleiss (1979), Table 2, six targets rated by four judges; and their Table 4.
JUDGES = pd.DataFrame(
    [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
)
SHROUT_FLEISS = {
    **{"ICC(1,1)": 0.17, "ICC(A,1)": 0.29, "ICC(C,1)": 0.71},
    **{"ICC(1,k)": 0.44, "ICC(A,k)": 0.62, "ICC(C,k)": 0.91},
}


def test_the_example_of_shrout_and_fleiss() -> None:
    table = icc(JUDGES)
    assert table["icc"].round(2).to_dict() == SHROUT_FLEISS
    assert REPORTED in SHROUT_FLEISS
    assert (table["low"] < table["icc"]).all()
    assert (table["icc"] < table["high"]).all()
    assert (table["low"] != table["low"].round(2)).all()  # all digits


def test_equal_lists_agree_fully() -> None:
    table = icc(pd.DataFrame([[0.1, 0.2, 0.7]] * 3))
    assert (table[["icc", "low", "high"]] == 1).all(axis=None)


ELEVEN = pd.Series(np.arange(11.0), index=list("abcdefghijk"))


def test_taus_and_limits_by_hand() -> None:
    """v = 2 (2 · 11 + 5) / (9 · 11 · 10) = 3/55, c = z² v; at tau = 1 the roots are
    (1 - c) / (1 + c) and 1."""
    c = 1.959963984540054**2 * 3 / 55
    same, opposite = rank_agreement(ELEVEN, 5 * ELEVEN), rank_agreement(ELEVEN, -ELEVEN)
    assert same == pytest.approx((1, (1 - c) / (1 + c), 1, 11))
    assert opposite == pytest.approx((-1, -1, -(1 - c) / (1 + c), 11))
    # One of the 55 pairs is the other way round: tau = (54 - 1) / 55.
    other = ELEVEN.rename({"a": "b", "b": "a"}).sample(frac=1, random_state=0)
    assert rank_agreement(ELEVEN, other).tau == pytest.approx(53 / 55)
    # (1, 1, 2) and (1, 2, 3): 2 concordant pairs, one tied in the first: 2 / sqrt(2 · 3).
    a, b = (pd.Series(values, index=list("xyz")) for values in ([1, 1, 2], [1, 2, 3]))
    assert rank_agreement(a, b).tau == pytest.approx(2 / np.sqrt(6))
    assert rank_agreement(a, b) == rank_agreement(b, a)


def test_the_mean_of_many_taus_has_the_interval_of_their_variance() -> None:
    """Of m pairs with n items each, v of one pair becomes v / m."""
    found = mean_agreement([RankAgreement(tau, -1, 1, 11) for tau in (0.4, 0.6, 0.6, 0.4)])
    c = 1.959964**2 * 3 / 55 / 4
    half = np.sqrt(c * (1 + c - 0.5**2))
    assert found == pytest.approx((0.5, (0.5 - half) / (1 + c), (0.5 + half) / (1 + c), 44))


def test_the_typical_pair_is_no_surer_for_there_being_many() -> None:
    pairs = [RankAgreement(0.2, -0.3, 0.6, 11), RankAgreement(0.6, 0.1, 0.8, 11)] * 50
    assert typical_agreement(pairs) == pytest.approx((0.4, -0.1, 0.7, 11))


# Three lists of four items, ranks (1, 2, 3, 4), (2, 1, 3, 4), (1, 3, 2, 4).
THREE = pd.DataFrame([[4.0, 3, 2, 1], [3, 4, 2, 1], [4, 2, 3, 1]], columns=list("abcd"))


def test_w_by_hand() -> None:
    """Rank sums 4, 6, 8, 12, whose squared deviations from 7.5 sum to 35; W = 12 · 35 / 9 · 60.
    Spearman: 0.8, 0.8 and, between the last two, 1 - 6 · 6 / 60 = 0.4."""
    found = kendalls_w(THREE)
    assert found.w == pytest.approx(12 * 35 / (9 * 60))
    assert found.correlation == pytest.approx((0.8 + 0.8 + 0.4) / 3)
    assert found[4:] == (3, 4)
    assert found.low <= found.w <= found.high
    same = kendalls_w(pd.DataFrame([[1, 2, 3], [1, 5, 9], [0.1, 0.2, 0.3]]))
    assert same[:4] == pytest.approx((1, 1, 1, 1))
    # With ties, ranks (1.5, 1.5, 3), (1, 2, 3), (1.5, 1.5, 3): rank sums 4, 5, 9, squared
    # deviations 14; Kendall's correction: 12 · 14 / (9 · 24 - 3 (6 + 0 + 6)).
    tied = kendalls_w(pd.DataFrame([[2, 2, 1], [3, 2, 1], [5, 5, 0]]))
    assert tied.w == pytest.approx(12 * 14 / (9 * 24 - 3 * 12))


@pytest.mark.slow
def test_the_interval_of_w_covers() -> None:
    rng = np.random.default_rng(0)

    def draw(lists: int) -> pd.DataFrame:
        return pd.DataFrame(np.arange(10) / 2 + 2 * rng.standard_normal((lists, 10)))

    truth = (1 + 9 * kendalls_w(draw(2000), 1).correlation) / 10
    found = [kendalls_w(draw(10), 200, seed) for seed in range(100)]
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.8


# The example of Demšar (2006, Section 3.2): AUC of four variants of C4.5 on fourteen data sets. In
# the last row but one he prints 0.975 twice and gives ranks 2 and 3: the fourth digit is ours.
DEMSAR = (
    "0.763 0.768 0.771 0.798  0.599 0.591 0.59 0.569  0.954 0.971 0.968 0.967 "
    "0.628 0.661 0.654 0.657  0.882 0.888 0.886 0.898  0.936 0.931 0.916 0.931 "
    "0.661 0.668 0.609 0.685  0.583 0.583 0.563 0.625  0.775 0.838 0.866 0.875 "
    "1 1 1 1  0.94 0.962 0.965 0.962  0.619 0.666 0.614 0.669 "
    "0.972 0.981 0.9751 0.975  0.957 0.978 0.946 0.97"
)


def test_the_example_of_demsar() -> None:
    """His mean ranks, chi² and critical differences. His chi² is not corrected for ties: one of
    four and three of two, 60 + 3 · 6 of 14 · 60."""
    auc = np.array(DEMSAR.split(), dtype=float).reshape(14, 4)
    table = pd.DataFrame(auc, columns=["C4.5", "+m", "+cf", "+m+cf"])
    found = friedman(table)
    assert found.chi2 * (1 - 78 / 840) == pytest.approx(9.28, abs=0.005)
    assert (found.chi2, found.p) == pytest.approx(stats.friedmanchisquare(*auc.T))
    ranks = {"+m+cf": 1.964, "+m": 2.0, "+cf": 2.893, "C4.5": 3.143}
    assert found.mean_ranks.round(3).to_dict() == ranks
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert friedman(table, 0.10).critical_difference == pytest.approx(1.12, abs=0.005)


def test_groups_are_the_longest_runs() -> None:
    """Nine lists of the same order of five: 2.03 is the critical difference, so that items two
    ranks apart are not told apart."""
    found = friedman(pd.DataFrame([[5, 4, 3, 2, 1]] * 9, columns=list("abcde")))
    assert found.groups == [list("abc"), list("bcd"), list("cde")]


def distances(values: np.ndarray) -> np.ndarray:
    return np.abs(np.subtract.outer(values, values))


def test_the_same_distances_correlate_fully() -> None:
    values = np.array([0.0, 1, 3, 7, 8, 20])
    found = mantel(distances(values), 2 * distances(values) + 1)
    assert found.correlation == pytest.approx(1)
    assert found.p == pytest.approx(1 / 720, abs=0.004)  # only the order they are in, of 6!


def test_of_two_kinds_all_assignments_count() -> None:
    """Objects of two kinds, a and b, 2 of each: of the 24 orders 8 keep who is of one kind."""
    kind = distances(np.array([0, 0, 1, 1]))
    assert mantel(kind, kind, 1999).p == pytest.approx(1 / 3, abs=0.05)


RNG = np.random.default_rng(11)
LISTS = pd.DataFrame(RNG.random((6, 8)) + 2 * RNG.random(8)).round(6)
POINTS = RNG.random((9, 2))
DISTANCES = np.hypot(*(POINTS[:, None] - POINTS[None]).transpose(2, 0, 1))


@pytest.mark.parametrize("spread", [2.0**40, 2.0**-600, 2.0**600])  # nothing is rounded by them
def test_agreement_has_no_unit(spread: float) -> None:
    lists = LISTS * spread
    pd.testing.assert_frame_equal(icc(lists), icc(LISTS), check_exact=True)
    assert kendalls_w(lists, 50) == kendalls_w(LISTS, 50)
    assert friedman(lists).chi2 == friedman(LISTS).chi2
    one, other = LISTS.iloc[0], LISTS.iloc[1]
    assert rank_agreement(lists.iloc[0], other) == rank_agreement(one, other)
    found = mantel(DISTANCES, DISTANCES**2, 99)
    assert found == mantel(DISTANCES * spread, DISTANCES**2, 99)
    assert found == mantel(DISTANCES, DISTANCES**2 * spread, 99)


AB = list("ab")


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (balanced_subsamples, ([0.1, 55.0],), r"row 1: 55.0 is not an accuracy"),
        (balanced_subsamples, ([[0.1]],), r"shape \(1, 1\)"),
        (icc, (pd.DataFrame([[0.2, 0.8]]),), r"1 list\(s\) of 2"),
        (icc, (pd.DataFrame([[0.5, 0.5], [0.5, 0.5]]),), "all weights are 0.5"),
        (icc, (pd.DataFrame([[0.5, 0.5], [np.nan, 0.5]], columns=AB),), "list 1, 'a': nan"),
        (rank_agreement, (ELEVEN, ELEVEN.drop("c")), "second list has no weight for 'c'"),
        (rank_agreement, (ELEVEN, ELEVEN.rename({"a": "b"})), "'b' twice"),
        (rank_agreement, (ELEVEN, 0 * ELEVEN), "all weights of the second list are equal"),
        (kendalls_w, (THREE[:2],), r"2 list\(s\) of 4"),
        (kendalls_w, (THREE.replace({4: 1, 3: 1, 2: 1}),), "list 0 are equal"),
        (friedman, (THREE, 1.0), "alpha=1.0"),
        (friedman, (THREE[AB],), "three items at least, not 2"),
        (friedman, (0 * THREE,), "ranks all items equal"),
        (mantel, (np.eye(4), np.eye(5)), r"\(4, 4\) and \(5, 5\)"),
        (mantel, (np.ones((4, 3)), np.ones((4, 3))), r"both must be \(n, n\)"),
        (mantel, (np.eye(3), np.eye(3)), "3 objects"),
        (mantel, (distances(np.arange(4)), np.eye(4)), "second table are .* all the same"),
        (mantel, (np.full((4, 4), np.nan), np.eye(4)), "first table are missing"),
    ],
)
def test_what_cannot_be_compared_is_named(function, given: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*given)
