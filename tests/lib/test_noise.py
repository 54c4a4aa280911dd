"""hia_book.noise: variance components and rankings of trainings with other seeds or sizes."""

import numpy as np
import pandas as pd
import pytest
from invented import trials

from hia_book import agreement, noise
from hia_book.noise import components, seed_share


def repeated(**accuracies) -> pd.DataFrame:
    """By data set, by configuration, the accuracies of its seeds, numbered from 1 where they are a
    list."""
    rows = [
        (name, trial, *one)
        for name, configurations in accuracies.items()
        for trial, seeds in enumerate(configurations)
        for one in (seeds.items() if isinstance(seeds, dict) else enumerate(seeds, start=1))
    ]
    return pd.DataFrame(rows, columns=["dataset", "trial", "replicate", "accuracy"])


def drawn(rng, n: int, seeds: int, deviation=0.05, **means) -> pd.DataFrame:
    """Normal accuracies of n configurations around the means of the data sets."""
    deviations = np.broadcast_to(deviation, n)[:, None]
    return repeated(
        **{
            name: mean + rng.normal(0, 0.2, (n, 1)) + deviations * rng.normal(size=(n, seeds))
            for name, mean in means.items()
        }
    )


ONE, OTHER = [[0.2, 0.4], [0.6, 0.6]], [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9], [0.5, 0.5]]


def test_components_by_hand():
    found = components(repeated(a=ONE))
    assert found.seed == pytest.approx((0.02 + 0) / 2)
    assert found.configuration == pytest.approx(0.045 - 0.01 / 2)
    assert found.dataset == 0
    assert found.share == pytest.approx(0.2)
    one_seed = components(repeated(a=[[0.2, 0.4], [0.6]]))
    assert one_seed.configuration == pytest.approx(0.045 - 0.02 * (1 / 2 + 1) / 2)


def test_several_data_sets_weigh_the_same():
    both = components(repeated(a=ONE, b=OTHER))
    parts = [components(repeated(a=part)) for part in (ONE, OTHER)]
    assert both.seed == pytest.approx(np.mean([part.seed for part in parts]))
    assert both.configuration == pytest.approx(np.mean([part.configuration for part in parts]))
    # Means 0.45 and 0.5, less the error of these means.
    error = (0.045 / 2 + np.var([0.1, 0.5, 0.9, 0.5], ddof=1) / 4) / 2 / 2
    assert both.dataset == pytest.approx(max(0.025**2 - error, 0))
    apart = components(repeated(a=ONE, b=[[a + 0.4, b + 0.4] for a, b in ONE]))
    assert apart.dataset == pytest.approx(0.2**2 - 0.045 / 2 / 2)


def test_share_is_what_the_intraclass_correlation_leaves():
    table = drawn(np.random.default_rng(0), 12, 5, a=0.5)
    forms = agreement.icc(table.pivot_table("accuracy", "replicate", "trial"))
    assert 1 - components(table).share == pytest.approx(forms.loc["ICC(1,1)", "icc"])


@pytest.mark.parametrize(
    ("accuracies", "message"),
    [
        ({"a": [[0.1, 0.2]]}, "a: two configurations are needed"),
        ({"a": [[0.1, 0.2], [0.3]], "b": [[0.1], [0.2]]}, "b: .* one of them with two seeds"),
        ({"a": [[0.1, 0.1], [0.1, 0.1]]}, "the same: there is no variance"),
        ({"a": [[]]}, "there are no trainings"),
    ],
)
def test_what_has_no_components_is_said(accuracies, message):
    with pytest.raises(ValueError, match=message):
        components(repeated(**accuracies))


def test_shares_of_0_and_1_have_no_width_and_one_that_hangs_on_a_configuration_is_anything():
    assert seed_share(repeated(a=[[0.1, 0.1], [0.2, 0.2], [0.4, 0.4]])) == (0, 0, 0)
    assert seed_share(repeated(a=[[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])) == (1, 1, 1)
    found = seed_share(repeated(a=[[0.2, 0.4], [0.6, 0.6], [0.1, 0.3]]))  # without the second: 1
    assert found[1:] == (0, 1)
    assert 0 < found.mean < 1


@pytest.mark.slow
def test_the_interval_covers_where_seeds_matter_more_for_some_configurations():
    """And the components are unbiased."""
    rng = np.random.default_rng(5)
    deviation = np.linspace(0.01, 0.09, 12)
    seed = np.mean(deviation**2)
    truth = seed / (seed + 0.04)
    found, parts = [], []
    for _ in range(100):
        table = drawn(rng, 12, 5, deviation=rng.permutation(deviation), a=0.5)
        found.append(seed_share(table))
        parts.append(components(table))
        assert found[-1].mean == parts[-1].share
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.9
    for name, value in {"seed": seed, "configuration": 0.04}.items():
        values = [getattr(one, name) for one in parts]
        assert abs(np.mean(values) - value) < 4 * np.std(values) / np.sqrt(100)


def test_tau_is_the_mean_over_pairs_of_seeds_with_the_interval_of_one():
    found = noise.between_seeds(repeated(a=[[0.1, 0.2, 0.1], [0.3, 0.4, 0.3], [0.5, 0.6, 0.7]]))
    ranking = pd.Series([1, 2, 3])
    assert found == {"a": agreement.rank_agreement(ranking, ranking)}
    # The second configuration lacks a seed.
    table = repeated(a=[[0.1, 0.1, 0.3], [0.9, 0.9], [0.2, 0.2, 0.2], [0.3, 0.3, 0.1]])
    assert noise.between_seeds(table)["a"].tau == pytest.approx((1 - 1 - 1) / 3)
    assert noise.between_seeds(table)["a"].items == 3


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
    assert list(noise.between_seeds(table)) == ["b"]


SIZED = repeated(
    a=[{0.5: 0.1, 1.0: 0.2}, {0.5: 0.3, 1.0: 0.4, 2.0: 0.5}, {0.5: 0.6, 1.0: 0.3}, {0.5: 0.9}],
    b=[{0.5: 0.1, 1.0: 0.9}, {0.5: 0.2, 1.0: 0.8}, {0.5: 0.3, 1.0: 0.7}],
).rename(columns={"replicate": "fraction"})


def test_sizes_are_compared_with_the_full_one():
    assert noise.beside_full(SIZED, 2.0).to_dict("index") == {
        ("a", 1): {"accuracy": 0.5, "full": 0.4}
    }
    assert list(noise.beside_full(SIZED, 0.25)) == ["accuracy", "full"]
    found = noise.between_columns(noise.beside_full(SIZED, 0.5))
    assert {name: one.tau for name, one in found.items()} == pytest.approx({"a": 1 / 3, "b": -1})
    assert found["a"].items == 3  # one has not been trained on all images
    assert dict(noise.winner_loss(SIZED, 0.5)) == pytest.approx({"a": 0.4 - 0.3, "b": 0.9 - 0.7})
    assert dict(noise.winner_loss(SIZED, 2.0)) == {"a": 0}
    assert noise.winner_loss(SIZED, 0.25).empty


def test_repeated_trials_stand_beside_their_own():
    trials = pd.DataFrame({"dataset": [*"aaba"], "trial": [0, 1, 0, 2], "seed": [5, 6, 7, 8]})
    trials = trials.assign(images=80, val_images=20, accuracy=[0.1, 0.2, 0.3, 0.4])
    again = trials.iloc[[2, 0, 3]].assign(accuracy=[0.31, 0.12, 0.45], seed=[7, 5, 9])
    assert noise.beside_trial(again, trials).to_dict("index") == {
        ("b", 0): {"accuracy": 0.31, "trial_accuracy": 0.3},
        ("a", 0): {"accuracy": 0.12, "trial_accuracy": 0.1},
    }
    assert len(noise.beside_trial(again.assign(images=40), trials)) == 0


def lists_of(**columns: list[float]) -> pd.DataFrame:
    """Two data sets, a and b, of four configurations each."""
    index = pd.MultiIndex.from_product([["a", "b"], range(4)], names=["dataset", "trial"])
    return pd.DataFrame(columns, index=index, dtype=float)


SEEDS = repeated(a=[[0.1, 0.2], [0.2, 0.1], [0.3, 0.3], [0.4, 0.4]], b=[[0.4], [0.3], [0.2], [0.1]])


def test_a_change_and_none_are_held_against_the_same_other_seeds():
    lists = lists_of(accuracy=[1, 2, 3, 4, 1, 2, 3, 4], full=[1, 2, 4, 3, 4, 3, 2, 1])
    taus = noise.with_other_seeds(lists, SEEDS)
    assert list(taus.index) == ["a", "b"]
    # One exchange of neighbours among six pairs costs 1/3; of a's two seeds the second has one.
    np.testing.assert_allclose(taus["accuracy"], [(1 + 2 / 3) / 2, -1])
    np.testing.assert_allclose(taus["full"], [(2 / 3 + 1 / 3) / 2, 1])
    half = 12.706 * (7 / 3) / 2  # Student's quantile of one degree of freedom
    mean = (1 / 3 - 2) / 2
    expected = (mean, mean - half, mean + half)
    assert noise.beyond_seed(taus) == pytest.approx(expected, rel=1e-3)
    with pytest.raises(ValueError, match=r"1 data set\(s\)"):
        noise.beyond_seed(taus.head(1))


def test_only_configurations_with_every_accuracy_are_held_against_others():
    lists = lists_of(accuracy=[1, 2, 3, 4] * 2, full=[1, 2, 3, np.nan, 1, 1, 1, 1])
    assert list(noise.with_other_seeds(lists, SEEDS).index) == ["a"]  # all of b are alike
    one_seed_less = SEEDS.drop(index=SEEDS.index[1])  # of a's first configuration
    taus = noise.with_other_seeds(lists_of(accuracy=[4, 2, 3, 1] * 2), one_seed_less)
    assert taus.loc["a", "accuracy"] == pytest.approx(-1 / 3)
    assert noise.with_other_seeds(lists.loc[["a"]].iloc[:2], SEEDS).empty
    assert list(noise.with_other_seeds(lists, SEEDS.head(0))) == ["accuracy", "full"]


def test_samples_that_share_no_trial() -> None:
    trials = pd.DataFrame({"dataset": [*"aaaaaabbbb"], "trial": range(10)})
    pairs = list(noise.apart(trials, pd.Series({"a": 3, "b": 2}), 4, 0))
    assert len({tuple(one["trial"]) for one, _ in pairs}) > 1
    for pair in pairs:
        assert sorted(pd.concat(pair)["trial"]) == list(range(10))
        assert [list(one["dataset"]) for one in pair] == [[*"aaabb"]] * 2


def test_configurations_that_all_tables_have() -> None:
    one = pd.DataFrame({"dataset": "a", "trial": [3, 1, 2], "accuracy": [0.3, 0.1, 0.2]})
    tables = noise.shared([one, one.tail(2).assign(accuracy=0.0)])
    assert [list(table["trial"]) for table in tables] == [[1, 2]] * 2
    assert list(tables[0]["accuracy"]) == [0.1, 0.2]


def test_what_is_complete():
    """Data sets with three configurations of two seeds; a fourth of one seed is left out."""
    two, one = [0.1, 0.2], [0.1]
    table = repeated(a=[two, two, two, one], b=[two, two, one]).assign(seed=0)
    found = noise.complete(table, rows_of_each=2)
    assert set(found["dataset"]) == {"a"}
    assert found["trial"].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_forest_explains_what_hyperparameters_do():
    table = trials(60).assign(dataset="mnist")
    by_epoch = table.assign(accuracy=table["epoch"] / 10)
    noisy = table.assign(accuracy=np.random.default_rng(0).uniform(size=60))
    assert noise.explained(by_epoch, "mnist") > 0.8 > noise.explained(noisy, "mnist")
    assert np.isnan(noise.explained(table.head(29), "mnist"))
