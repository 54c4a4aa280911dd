"""hia_book.tuning: what is tuned varies, what is not stays, and what is reported was found."""

from __future__ import annotations

from pathlib import Path

import invented
import numpy as np
import pandas as pd
import pytest

from hia import space
from hia_book import regret, tuning
from hia_book.tuning import ALL, EPOCHS, LONGEST, NAMES, RANKED, TUNED, Job

PAPER = list(space.HYPERPARAMETERS)
RNG = np.random.default_rng
pytestmark = pytest.mark.usefixtures("quick_rankings")


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    return pd.concat(invented.trials(120, seed).assign(dataset=f"set{seed}") for seed in range(3))


@pytest.fixture(scope="module")
def experiment(trials: pd.DataFrame) -> tuning.Experiment:
    return tuning.Experiment(trials, PAPER)


@pytest.fixture(scope="module")
def surrogate() -> tuning.Surrogate:
    return tuning.Surrogate(invented.trials(200, 0))


class Flat:
    """A surrogate that knows what it was asked, and whose accuracy is a given column."""

    def __init__(self, name: str) -> None:
        self.place = NAMES.index(name)
        self.asked: list[np.ndarray] = []

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.asked.append(X)
        return X[:, self.place]


def test_filters_that_do_not_exist_are_0() -> None:
    rows = invented.trials(200, 0)
    X = tuning.encode(rows)
    assert X.shape == (200, 13)
    for layer, name in enumerate(space.FILTERS, start=1):
        exists = X[:, NAMES.index(name)] > 0
        assert (exists == (rows["num_conv_layers"] >= layer)).all()
    np.testing.assert_allclose(10 ** X[:, NAMES.index("lr")], rows["lr"])
    drawn = tuning.draw(300, RNG(0))
    assert (drawn[:, tuning.mask(space.FILTERS)] >= 4).all()
    assert (tuning.without_absent(drawn) == 0).sum() > 60
    for x in drawn:
        space.validate(decoded(x))


def decoded(x: np.ndarray) -> dict:
    """Without what rounding of the logarithm does."""
    config = tuning.decode(x)
    return {**config, "lr": min(max(config["lr"], 1e-6), 1e-1)}


def test_epoch_is_tuned_in_one_arm_only() -> None:
    assert tuning.tunable(TUNED) == NAMES
    assert tuning.ranked(TUNED) == RANKED
    assert set(NAMES) - set(tuning.tunable()) == set(RANKED) - set(tuning.ranked()) == {"epoch"}
    assert tuning.everything() == (ALL, 12)
    assert tuning.everything(TUNED, filters=False) == (ALL, 10)
    X = tuning.draw(50, RNG(0))
    longest = tuning.trained(X, LONGEST)
    place = NAMES.index("epoch")
    assert (longest[:, place] == space.SPACE["epoch"].high).all()
    np.testing.assert_array_equal(np.delete(longest, place, 1), np.delete(X, place, 1))
    np.testing.assert_array_equal(tuning.trained(X, TUNED), X)
    assert tuning.trained(X[0], LONGEST)[place] == space.SPACE["epoch"].high


def test_the_surrogate_predicts(surrogate: tuning.Surrogate) -> None:
    new = invented.trials(200, 1)
    X = tuning.encode(new)
    assert np.corrcoef(surrogate(X), new["accuracy"])[0, 1] > 0.9
    np.testing.assert_allclose(surrogate(X), surrogate._forest.predict(X))
    other = X.copy()
    other[X[:, NAMES.index("num_conv_layers")] < 3, NAMES.index("num_filters_3")] = 64
    np.testing.assert_array_equal(surrogate(other), surrogate(X))


def test_the_learned_default_is_that_of_the_others() -> None:
    """Two data sets want a large learning rate, one a small one: it learns from the others."""
    wanted = {"a": 1e-2, "b": 1e-2, "c": 1e-5}
    parts = {
        name: tuning.Surrogate(invented.trials(200, seed, lr))
        for seed, (name, lr) in enumerate(wanted.items())
    }
    found = tuning.learned_defaults(parts)
    assert tuning.decode(found["c"])["lr"] == pytest.approx(1e-2, rel=0.7)
    assert tuning.decode(found["c"])["optimizer"] == "Adam"
    assert tuning.decode(found["c"])["epoch"] == space.SPACE["epoch"].high


def test_rankings_find_what_decides_in_trials_of_random_search(trials: pd.DataFrame) -> None:
    found = tuning.rankings(trials, PAPER)
    for method in tuning.COMPUTED:
        assert sorted(found[method]) == sorted(RANKED)
        assert found[method][0] == "lr"
        assert found[method].index("optimizer") < 4
    assert found["reversed"] == found["nrrelieff"][::-1]
    assert found["paper"] == tuple(name for name in PAPER if name != "in_channel_num")
    again = trials.assign(source="bohb", accuracy=RNG(0).permutation(trials["accuracy"]))
    assert tuning.rankings(pd.concat([trials, again]), PAPER) == found
    with pytest.raises(ValueError, match="source: no trials of random search"):
        tuning.rankings(again, PAPER)


def test_the_left_out_data_set_has_no_say(
    trials: pd.DataFrame, experiment: tuning.Experiment
) -> None:
    accuracy = trials["accuracy"].where(trials["dataset"] != "set0", 1 - trials["accuracy"])
    changed = tuning.Experiment(trials.assign(accuracy=accuracy), PAPER)
    assert changed.rankings["set0"] == experiment.rankings["set0"]
    for epochs in EPOCHS:
        learned = (one.defaults[epochs]["learned"]["set0"] for one in (changed, experiment))
        np.testing.assert_array_equal(*learned)


@pytest.mark.parametrize("search", [tuning.random_search, tuning.tpe])
def test_what_is_not_tuned_stays_at_the_default(search) -> None:
    flat, default = Flat("epoch"), tuning.table1_default()
    free = np.array([tuning.mask(["epoch", "lr"]), tuning.mask(["epoch", "num_filters_3"])])
    best = search(flat, free, default, 30, RNG(0))
    assert best.shape == (2, 30)
    assert (best[:, 0] == space.SPACE["epoch"].default).all()
    assert (np.diff(best, axis=1) >= 0).all()
    asked = np.concatenate(flat.asked)
    varied = {NAMES[place] for place in np.flatnonzero(np.ptp(asked, axis=0) > 0)}
    # The default has two layers: TPE does not ask for the filters of a third.
    assert varied - {"num_filters_3"} == {"epoch", "lr"}
    assert ("num_filters_3" in varied) == (search is tuning.random_search)
    np.testing.assert_array_equal(best, search(Flat("epoch"), free, default, 30, RNG(0)))
    assert not np.array_equal(best, search(Flat("epoch"), free, default, 30, RNG(1)))


def test_tpe_asks_for_filters_that_exist() -> None:
    flat = Flat("num_conv_layers")
    free = np.array([tuning.mask(NAMES)])
    tuning.tpe(flat, free, tuning.table1_default(), 40, RNG(0))
    asked = np.concatenate(flat.asked)
    deep = asked[:, NAMES.index("num_conv_layers")] == 3
    third = asked[:, NAMES.index("num_filters_3")]
    assert deep.any()
    assert (third[~deep] == space.SPACE["num_filters_3"].default).all()
    assert len(set(third[deep])) > 3
    for x in asked:
        space.validate(decoded(x))


def test_the_ceiling_of_a_known_function() -> None:
    default = tuning.table1_default()
    assert tuning.ceiling(Flat("epoch"), tuning.mask(["epoch"]), default, RNG(0)) == 10
    assert tuning.ceiling(Flat("epoch"), tuning.mask(["lr"]), default, RNG(0)) == 2
    assert tuning.ceiling(Flat("lr"), tuning.mask(NAMES), default, RNG(0)) == pytest.approx(-1)


def test_what_a_job_tunes(experiment: tuning.Experiment) -> None:
    def tuned(ranking: str, k: int, repetition: int = 0, epochs: str = TUNED) -> tuple[str, ...]:
        return experiment.tuned(Job("set0", epochs, "table1", "random", ranking, k), repetition)

    assert tuned(ALL, 13) == NAMES
    assert set(tuned(ALL, 10)) == set(RANKED)
    assert set(NAMES) - set(tuned(ALL, 12, epochs=LONGEST)) == {"epoch"}
    assert set(RANKED) - set(tuned(ALL, 9, epochs=LONGEST)) == {"epoch"}
    order = experiment.rankings["set0"]["nrrelieff"]
    place = order.index("epoch")
    assert set(tuned("nrrelieff", place)) == set(order[:place])
    assert "epoch" in tuned("nrrelieff", place + 1)
    without = tuned("nrrelieff", place + 1, epochs=LONGEST)
    assert set(without) == {*order[:place], *order[place + 1 : place + 2]}
    drawn = tuned("random", 9, epochs=LONGEST)
    assert len(drawn) == 9
    assert "epoch" not in drawn
    assert set(tuned("paper", 2)) == {"num_conv_layers", "lr"}
    assert not set(tuned("nrrelieff", 5)) & set(tuned("reversed", 5))
    assert tuned("random", 3) != tuned("random", 3, 1)
    assert set(tuned("random", 2)) < set(tuned("random", 3))


@pytest.mark.slow
@pytest.mark.usefixtures("few_searches")
def test_measuring(experiment: tuning.Experiment) -> None:
    def measure(job: Job) -> dict:
        return experiment.row(job, tuning.search(*experiment.arguments(job)))

    asked = [job for job in tuning.jobs(["set0"]) if job.default == "table1"]
    found = tuning.table([measure(job) for job in asked])
    assert (found["best"] >= found[["found", "ceiling"]].max(axis=1)).all()
    single = found[found["ranking"] != "random"]
    assert (single["ceiling"] >= single["found"] - 1e-12).all()
    for epochs, own in found.groupby("epochs"):
        default = tuning.trained(tuning.table1_default(), str(epochs))
        start = experiment.surrogates["set0"](default[None])[0]
        assert [mean[0] for mean in own["mean"]] == pytest.approx([start] * len(own))
        assert len(set(own["best"])) == 1
    assert len(set(found["best"])) == 2
    # What matters is lr: with it alone nearly everything can be had, without it little.
    right = regret.regrets(found, "table1", "random", "nrrelieff", 1).at(20)[0]
    wrong = regret.regrets(found, "table1", "random", "reversed", 1).at(20)[0]
    assert wrong > 2 * right
    lost = regret.losses(found, "table1", "random", "reversed", 2)
    assert lost.at(20)[1] > 0
    assert regret.wins_from(lost) is not None
    assert regret.unreachable(found, "table1", "reversed", 1)[0] > 0.05


def searches(ranking: str, k: int, regret: dict[str, list[float]], error: float = 0.0):
    """Rows of a table whose checkpoints are 1, 2 and 4."""
    arm = {"epochs": LONGEST, "default": "table1", "search": "random", "ranking": ranking, "k": k}
    return [
        {"dataset": name, **arm}
        | {"mean": [0.9 - r for r in values], "error": [error] * 3, "trials": [1, 2, 4]}
        | {"best": 0.9, "ceiling": 0.9 - values[-1] / 2, "found": 0.8, "tuned": []}
        for name, values in regret.items()
    ]


@pytest.fixture
def few() -> pd.DataFrame:
    rows = searches("paper", 1, {"a": [0.3, 0.2, 0.2], "b": [0.5, 0.3, 0.3]})
    return pd.DataFrame(rows + searches(ALL, 12, {"b": [0.5, 0.4, 0.1], "a": [0.3, 0.2, 0.1]}))


def test_regrets_and_losses(few: pd.DataFrame) -> None:
    curve = regret.regrets(few, "table1", "random", "paper", 1)
    np.testing.assert_allclose(curve.mean, [0.4, 0.25, 0.25])
    assert curve.at(4) == pytest.approx((0.25, 0.2, 0.3))
    loss = regret.losses(few, "table1", "random", "paper", 1)
    np.testing.assert_allclose(loss.mean, [0, -0.05, 0.15])
    assert loss.at(4) == pytest.approx((0.15, 0.1, 0.2))
    itself = regret.losses(few, "table1", "random", "paper", 1, against=("paper", 1))
    np.testing.assert_allclose(itself.mean, 0, atol=1e-12)
    other = pd.concat([few, few.query("k == 1").assign(epochs=TUNED, best=1.0)])
    assert regret.regrets(other, "table1", "random", "paper", 1, TUNED).at(4)[0] == pytest.approx(
        0.35
    )
    assert regret.unreachable(few, "table1", "paper", 1) == pytest.approx((0.125, 0.1, 0.15))
    with pytest.raises(ValueError, match=r"trials=3 is none of 1, 2, 4"):
        curve.at(3)
    with pytest.raises(ValueError, match="the table has no searches with"):
        regret.regrets(few, "table1", "tpe", "paper", 1)


def test_what_of_a_loss_is_training(few: pd.DataFrame) -> None:
    rows = searches("paper", 1, {"a": [0.3, 0.3, 0.3], "b": [0.5, 0.5, 0.5]}, error=0.01)
    rows += searches(ALL, 13, {"a": [0.3, 0.1, 0.0], "b": [0.5, 0.4, 0.4]})
    both = pd.concat([few, pd.DataFrame(rows).assign(epochs=TUNED)])
    found = regret.by_training(both, "table1", "random", "paper", 1)
    free = regret.losses(both, "table1", "random", "paper", 1, TUNED)
    fixed = regret.losses(both, "table1", "random", "paper", 1)
    np.testing.assert_allclose(found.mean, [0, 0.2, 0.05], atol=1e-12)
    np.testing.assert_allclose(found.mean, free.mean - fixed.mean, atol=1e-12)
    # By data set 0.2 and 0.2: the width is that of the repetitions only.
    assert found.high[1] - found.low[1] == pytest.approx(2 * 1.96 * 0.01 / np.sqrt(2), rel=0.1)


def test_from_when_on_everything_wins() -> None:
    def curve(mean: list[float], width: float = 0.05) -> regret.Curve:
        values = np.array(mean)
        return regret.Curve(np.array([1, 2, 4, 8]), values, values - width, values + width)

    assert regret.wins_from(curve([-1, 1, -1, 1])) == 8
    assert regret.wins_from(curve([-1, 0.01, 1, 1])) == 2
    assert regret.wins_from(curve([-1, 0.01, 1, 1]), surely=True) == 4
    assert regret.wins_from(curve([1, 1, 1, -1])) is None
    assert regret.wins_from(curve([0.01] * 4), surely=True) is None


def test_only_complete_data_sets_count() -> None:
    rows = [vars(job) for job in tuning.jobs(["a", "b"])]
    whole = pd.DataFrame(rows)
    assert len(tuning.complete(whole)) == len(whole)
    part = tuning.complete(whole.drop(index=whole.index[-1]))
    assert set(part.loc[part["search"] == "tpe", "dataset"]) == {"a"}
    assert set(part.loc[part["search"] == "random", "dataset"]) == {"a", "b"}


def test_load_says_what_is_wrong(tmp_path: Path, few: pd.DataFrame) -> None:
    path = tmp_path / "tuning.parquet"
    with pytest.raises(FileNotFoundError, match=r"record_tuning\.py` makes it"):
        tuning.load(path)
    few.to_parquet(path)
    assert len(tuning.load(path)) == 4
    for wrong, message in (
        (few.drop(columns="best"), "column 'best' is missing"),
        (few.assign(best=0.5), "row 0 is better on average than `best`"),
        (few.assign(error=[[0.0]] * 4), "row 0 has means of other numbers"),
    ):
        wrong.to_parquet(path)
        with pytest.raises(ValueError, match=message):
            tuning.load(path)
