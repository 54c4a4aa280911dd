"""hia_book.noise: variance components and rankings of trainings with other seeds or sizes."""

import numpy as np
import pandas as pd
import pytest

from hia_book import agreement
from hia_book.noise import (
    beside_full,
    beside_trial,
    between_columns,
    between_seeds,
    between_sizes,
    beyond_seed,
    components,
    seed_share,
    winner_loss,
    with_other_seeds,
)


def repeated(**accuracies: list[list[float]]) -> pd.DataFrame:
    """By data set, by configuration, the accuracies of its seeds."""
    return pd.DataFrame(
        [
            {"dataset": name, "trial": trial, "replicate": replicate, "accuracy": accuracy}
            for name, configurations in accuracies.items()
            for trial, seeds in enumerate(configurations)
            for replicate, accuracy in enumerate(seeds, start=1)
        ]
    )


def drawn(
    rng, configurations: int, seeds: int, deviation=0.05, spread=0.2, **means
) -> pd.DataFrame:
    """Normal accuracies around the means of the data sets."""
    return repeated(
        **{
            name: list(
                mean
                + rng.normal(0, spread, (configurations, 1))
                + np.broadcast_to(deviation, configurations)[:, None]
                * rng.normal(size=(configurations, seeds))
            )
            for name, mean in means.items()
        }
    )


# Variance components ---------------------------------------------------------------------------


def test_components_by_hand():
    found = components(repeated(a=[[0.2, 0.4], [0.6, 0.6]]))
    assert found.seed == pytest.approx((0.02 + 0) / 2)
    assert found.configuration == pytest.approx(0.045 - 0.01 / 2)
    assert found.dataset == 0
    assert found.share == pytest.approx(0.2)


def test_several_data_sets_weigh_the_same():
    one, other = [[0.2, 0.4], [0.6, 0.6]], [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9], [0.5, 0.5]]
    both = components(repeated(a=one, b=other))
    parts = [components(repeated(a=one)), components(repeated(a=other))]
    assert both.seed == pytest.approx(np.mean([part.seed for part in parts]))
    assert both.configuration == pytest.approx(np.mean([part.configuration for part in parts]))
    # Means 0.45 and 0.5, less the error of these means.
    error = (0.045 / 2 + np.var([0.1, 0.5, 0.9, 0.5], ddof=1) / 4) / 2 / 2
    assert both.dataset == pytest.approx(max(0.025**2 - error, 0))
    apart = components(repeated(a=one, b=[[a + 0.4, b + 0.4] for a, b in one]))
    assert apart.dataset == pytest.approx(0.2**2 - 0.045 / 2 / 2)


def test_share_is_what_the_intraclass_correlation_leaves():
    rng = np.random.default_rng(0)
    table = drawn(rng, 12, 5, a=0.5)
    forms = agreement.icc(table.pivot_table("accuracy", "replicate", "trial")).set_index("form")
    assert 1 - components(table).share == pytest.approx(forms.loc["ICC(1,1)", "icc"])


@pytest.mark.slow
def test_components_are_unbiased_with_few_seeds_of_unequal_numbers():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        table = drawn(rng, 10, 3, deviation=np.linspace(0, 0.2, 10), a=0.3, b=0.7)
        found.append(components(table[(table["replicate"] < 3) | (table["trial"] % 2 == 0)]))
    expected = {"seed": np.mean(np.linspace(0, 0.2, 10) ** 2), "configuration": 0.04}
    for name, value in expected.items():
        values = [getattr(one, name) for one in found]
        assert abs(np.mean(values) - value) < 4 * np.std(values) / np.sqrt(len(values))


def test_a_configuration_of_one_seed_counts_among_configurations():
    found = components(repeated(a=[[0.2, 0.4], [0.6]]))
    assert found.seed == pytest.approx(0.02)
    assert found.configuration == pytest.approx(0.045 - 0.02 * (1 / 2 + 1) / 2)


@pytest.mark.parametrize(
    ("accuracies", "message"),
    [
        ({}, "there are no trainings"),
        ({"a": [[0.1, 0.2]]}, "a: two configurations are needed"),
        ({"a": [[0.1, 0.2], [0.3]], "b": [[0.1], [0.2]]}, "b: .* one of them with two seeds"),
        ({"a": [[0.1, 0.1], [0.1, 0.1]]}, "the same: there is no variance"),
    ],
)
def test_what_has_no_components_is_said(accuracies, message):
    table = repeated(**accuracies)
    if table.empty:
        table = repeated(a=[[0.1]]).head(0)
    with pytest.raises(ValueError, match=message):
        components(table)


# The share's interval --------------------------------------------------------------------------


def test_share_is_that_of_the_components_and_within_its_interval():
    table = drawn(np.random.default_rng(2), 12, 5, a=0.3, b=0.6)
    found = seed_share(table)
    assert found.mean == components(table).share
    assert 0 < found.low < found.mean < found.high < 1


def test_shares_of_0_and_1_have_no_width():
    assert seed_share(repeated(a=[[0.1, 0.1], [0.2, 0.2], [0.4, 0.4]])) == (0, 0, 0)
    assert seed_share(repeated(a=[[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])) == (1, 1, 1)


def test_a_share_that_one_configuration_decides_can_be_anything():
    found = seed_share(repeated(a=[[0.2, 0.4], [0.6, 0.6], [0.1, 0.3]]))  # without the second: 1
    assert found[1:] == (0, 1)
    assert 0 < found.mean < 1


@pytest.mark.slow
def test_the_interval_covers_where_seeds_matter_more_for_some_configurations():
    rng = np.random.default_rng(5)
    deviation = np.linspace(0.01, 0.09, 12)
    truth = np.mean(deviation**2) / (np.mean(deviation**2) + 0.04)
    covered = []
    for _ in range(200):
        found = seed_share(drawn(rng, 12, 5, deviation=rng.permutation(deviation), a=0.5))
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) > 0.9


# Rankings --------------------------------------------------------------------------------------


def test_seeds_that_agree_have_tau_1_and_the_interval_of_one_pair():
    found = between_seeds(repeated(a=[[0.1, 0.2, 0.1], [0.3, 0.4, 0.3], [0.5, 0.6, 0.7]]))
    ranking = pd.Series([1, 2, 3])
    assert found == {"a": agreement.rank_agreement(ranking, ranking)}


def test_tau_is_the_mean_over_pairs_of_seeds():
    found = between_seeds(repeated(a=[[0.1, 0.1, 0.3], [0.2, 0.2, 0.2], [0.3, 0.3, 0.1]]))
    assert found["a"].tau == pytest.approx((1 - 1 - 1) / 3)
    assert found["a"].items == 3


def test_only_configurations_with_all_seeds_are_ordered():
    table = repeated(a=[[0.1, 0.2], [0.9], [0.3, 0.4], [0.5, 0.6]])
    assert between_seeds(table)["a"].items == 3


@pytest.mark.parametrize(
    "accuracies",
    [
        [[0.1, 0.2], [0.3, 0.4]],  # too few
        [[0.1, 0.2], [0.1, 0.4], [0.1, 0.5]],  # all alike for a seed
        [[0.1], [0.2], [0.3]],  # one seed
    ],
)
def test_what_has_no_order_is_left_out(accuracies):
    table = repeated(a=accuracies, b=[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    assert list(between_seeds(table)) == ["b"]


def sized(**accuracies: list[dict[float, float]]) -> pd.DataFrame:
    """By data set, by configuration, accuracies by fraction."""
    return pd.DataFrame(
        [
            {"dataset": name, "trial": trial, "fraction": fraction, "accuracy": accuracy}
            for name, configurations in accuracies.items()
            for trial, by_fraction in enumerate(configurations)
            for fraction, accuracy in by_fraction.items()
        ]
    )


TWO_SETS = sized(
    a=[{0.5: 0.1, 1.0: 0.2}, {0.5: 0.3, 1.0: 0.4, 2.0: 0.5}, {0.5: 0.6, 1.0: 0.3}, {0.5: 0.9}],
    b=[{0.5: 0.1, 1.0: 0.9}, {0.5: 0.2, 1.0: 0.8}, {0.5: 0.3, 1.0: 0.7}],
)


def test_accuracies_stand_beside_those_on_all_images():
    found = beside_full(TWO_SETS, 2.0)
    assert found.to_dict("index") == {("a", 1): {"accuracy": 0.5, "full": 0.4}}
    assert len(beside_full(TWO_SETS, 0.5)) == 6
    assert list(beside_full(TWO_SETS, 0.25)) == ["accuracy", "full"]


def test_sizes_are_compared_with_the_full_one():
    found = between_sizes(TWO_SETS, 0.5)
    assert {name: one.tau for name, one in found.items()} == pytest.approx({"a": 1 / 3, "b": -1})
    assert found["a"].items == 3  # one has not been trained on all images


def test_repeated_trials_stand_beside_their_own():
    trials = pd.DataFrame(
        {
            "dataset": ["a", "a", "b", "a"],
            "trial": [0, 1, 0, 2],
            "seed": [5, 6, 7, 8],
            "images": 80,
            "val_images": 20,
            "accuracy": [0.1, 0.2, 0.3, 0.4],
        }
    )
    again = trials.iloc[[2, 0, 3]].assign(accuracy=[0.31, 0.12, 0.45], seed=[7, 5, 9])
    found = beside_trial(again, trials)
    assert found.to_dict("index") == {
        ("b", 0): {"accuracy": 0.31, "trial_accuracy": 0.3},
        ("a", 0): {"accuracy": 0.12, "trial_accuracy": 0.1},
    }
    assert len(beside_trial(again.assign(images=40), trials)) == 0


def lists_of(**columns: list[float]) -> pd.DataFrame:
    """Two data sets, a and b, of four configurations each."""
    index = pd.MultiIndex.from_product([["a", "b"], range(4)], names=["dataset", "trial"])
    return pd.DataFrame(columns, index=index, dtype=float)


SEEDS = repeated(a=[[0.1, 0.2], [0.2, 0.1], [0.3, 0.3], [0.4, 0.4]], b=[[0.4], [0.3], [0.2], [0.1]])


def test_a_change_and_none_are_held_against_the_same_other_seeds():
    lists = lists_of(accuracy=[1, 2, 3, 4, 1, 2, 3, 4], full=[1, 2, 4, 3, 4, 3, 2, 1])
    taus = with_other_seeds(lists, SEEDS)
    assert list(taus.index) == ["a", "b"]
    # One exchange of neighbours among six pairs costs 1/3; of a's two seeds the second has one.
    np.testing.assert_allclose(taus["accuracy"], [(1 + 2 / 3) / 2, -1])
    np.testing.assert_allclose(taus["full"], [(2 / 3 + 1 / 3) / 2, 1])
    found = beyond_seed(taus)
    assert found.mean == pytest.approx((1 / 3 - 2) / 2)
    half = 12.706 * (7 / 3) / 2  # Student's quantile of one degree of freedom
    assert found.high - found.mean == pytest.approx(half, rel=1e-3)
    assert found.mean - found.low == pytest.approx(half, rel=1e-3)


@pytest.mark.slow
def test_what_only_shares_the_seed_is_no_nearer_to_other_seeds():
    """The trial's seed moves every order alike: between sizes that looks like agreement."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 12, 1))
    seed = rng.normal(size=(40, 12, 1))
    index = pd.MultiIndex.from_product([range(40), range(12)], names=["dataset", "trial"])
    values = (truth + seed + 0.05 * rng.normal(size=(40, 12, 2))).reshape(480, 2)
    lists = pd.DataFrame(values, index=index, columns=["accuracy", "full"])
    again = (truth + rng.normal(size=(40, 12, 5))).reshape(480, 5)
    replicates = (
        pd.DataFrame(again, index=index)
        .reset_index()
        .melt(["dataset", "trial"], var_name="replicate", value_name="accuracy")
    )
    shared = np.mean([one.tau for one in between_columns(lists).values()])
    seeds = np.mean([one.tau for one in between_seeds(replicates).values()])
    assert shared > seeds + 0.3
    found = beyond_seed(with_other_seeds(lists, replicates))
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.1


def test_only_configurations_with_every_accuracy_are_held_against_others():
    lists = lists_of(accuracy=[1, 2, 3, 4] * 2, full=[1, 2, 3, np.nan, 1, 1, 1, 1])
    assert list(with_other_seeds(lists, SEEDS).index) == ["a"]  # all of b are alike
    one_seed_less = SEEDS.drop(index=SEEDS.index[1])  # of a's first configuration
    taus = with_other_seeds(lists_of(accuracy=[4, 2, 3, 1] * 2), one_seed_less)
    assert taus.loc["a", "accuracy"] == pytest.approx(-1 / 3)
    assert with_other_seeds(lists.loc[["a"]].iloc[:2], SEEDS).empty
    assert with_other_seeds(lists, SEEDS.head(0)).empty
    assert list(with_other_seeds(lists, SEEDS.head(0))) == ["accuracy", "full"]


def test_what_the_winner_of_a_size_loses():
    found = winner_loss(TWO_SETS, 0.5)
    assert dict(found) == pytest.approx({"a": 0.4 - 0.3, "b": 0.9 - 0.7})
    assert dict(winner_loss(TWO_SETS, 2.0)) == {"a": 0}
    assert winner_loss(TWO_SETS, 0.25).empty
