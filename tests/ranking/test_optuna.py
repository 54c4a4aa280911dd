"""Evaluators and tables from Optuna's own studies."""

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import get_param_importances

from hia.ranking.optuna import Evaluator, read
from hia.space import Hyperparameter

RELIEF = Evaluator()


@pytest.fixture(autouse=True)
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def study_of(objective, n_trials: int = 150, **options) -> optuna.Study:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), **options)
    study.optimize(objective, n_trials=n_trials, catch=(ZeroDivisionError,))
    return study


def completed(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))


def train(trial: optuna.Trial) -> float:
    """Has every kind of parameter, and of trial."""
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd"])
    layers = trial.suggest_int("layers", 1, 3)
    trial.suggest_float("constant", 0.5, 0.5)
    if layers > 1:
        trial.suggest_int("units_2", 16, 64, step=16)
    if trial.number % 10 == 3:
        raise optuna.TrialPruned
    if trial.number % 10 == 5:
        return 1 / 0
    if trial.number % 10 == 7:
        return math.inf if trial.number % 20 == 7 else math.nan
    loss = (math.log10(lr) + 5) / 4 + (0.4 if optimizer == "sgd" else 0.0)
    trial.set_user_attr("minutes", float(layers))
    return 10 + loss


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    return study_of(train, 300)


@pytest.mark.parametrize("method", [{}, {"method": "fanova", "n_trees": 8}, {"method": "impurity"}])
def test_importances_of_a_study_with_everything_in_it(study, method) -> None:
    evaluator = Evaluator(**method)
    found = get_param_importances(study, evaluator=evaluator)
    assert set(found) == {"lr", "optimizer", "layers", "constant", "units_2"}
    assert next(iter(found)) == "lr"
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert sum(found.values()) == pytest.approx(1)
    assert found["constant"] == 0
    assert found["layers"] < 0.1
    assert found["units_2"] < 0.1
    assert {type(value) for value in found.values()} == {float}


def test_failed_and_pruned_trials_do_not_count(study) -> None:
    kept = optuna.create_study()
    kept.add_trials(trial for trial in completed(study) if math.isfinite(trial.value))
    assert len(kept.trials) == 210  # one in ten pruned, one failed, one NaN (failed) or infinite
    assert RELIEF.evaluate(kept) == RELIEF.evaluate(study)


def test_only_the_named_parameters_are_assessed(study) -> None:
    found = get_param_importances(study, evaluator=RELIEF, params=["optimizer", "layers"])
    assert set(found) == {"optimizer", "layers"}
    assert get_param_importances(study, evaluator=RELIEF, params=[]) == {}
    assert get_param_importances(study, evaluator=RELIEF, params=["constant"]) == {
        "constant": 1.0  # as Optuna normalises what has no importance
    }
    for params, error, message in (
        (["rl"], ValueError, "no completed trial has the parameter 'rl'; they have lr, optimizer"),
        ("lr", TypeError, "params='lr' is not a list of names"),
        ([1], TypeError, r"params=\[1\] is not a list of names"),
    ):
        with pytest.raises(error, match=message):
            get_param_importances(study, evaluator=RELIEF, params=params)


def test_several_objectives_need_a_target() -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        x, value = trial.suggest_float("x", 0, 1), trial.suggest_float("value", 0, 1)
        return x, value

    study = study_of(objective, 60, directions=["minimize", "maximize"])
    with pytest.raises(ValueError, match=r"2 objectives: say which one .* trial\.values\[0\]"):
        get_param_importances(study, evaluator=RELIEF)
    for number, name in enumerate(["x", "value"]):
        found = RELIEF.evaluate(study, target=lambda trial, number=number: trial.values[number])
        assert next(iter(found)) == name
        assert found[name] > 9 * sum(list(found.values())[1:])


def test_studies_that_say_nothing() -> None:
    assert get_param_importances(optuna.create_study(), evaluator=RELIEF) == {}
    with pytest.raises(ValueError, match="value is 1 in all trials"):
        RELIEF.evaluate(study_of(lambda trial: trial.suggest_float("x", 0, 1) * 0 + 1, 20))
    constant = study_of(lambda trial: trial.suggest_float("x", 2, 2) + trial.number, 20)
    assert RELIEF.evaluate(constant) == {"x": 0.0}


def test_seeds_and_options_reach_the_methods(study) -> None:
    # Var(lr's term) : Var(optimizer's term) = 1/12 : 0.2² = 0.68 : 0.32, on the logarithm of lr.
    found = Evaluator("fanova", seed=1).evaluate(study)
    assert [found["lr"], found["optimizer"]] == pytest.approx([0.68, 0.32], abs=0.05)
    assert RELIEF.evaluate(study) == RELIEF.evaluate(study) != Evaluator(seed=4).evaluate(study)
    weights = Evaluator(n_neighbors=30).evaluate(study)
    for options in ({"n_neighbors": 5}, {"sigma": 2.0}, {"metric": "manhattan"}):
        assert Evaluator(**{"n_neighbors": 30} | options).evaluate(study) != weights


VALUE = {"value": lambda trial: trial.value}


def test_table_of_a_study_and_its_distributions(study) -> None:
    trials, parameters = read(study, VALUE)
    assert parameters == [
        Hyperparameter("lr", "float", 1e-5, 1e-1, log=True, origin="study"),
        Hyperparameter("optimizer", "categorical", choices=("adam", "sgd"), origin="study"),
        Hyperparameter("layers", "integer", 1, 3, origin="study"),
        Hyperparameter("constant", "float", 0.5, 0.5, origin="study"),
        Hyperparameter("units_2", "integer", 16, 64, (16, 32, 48, 64), origin="study"),
    ]
    assert list(trials) == ["lr", "optimizer", "layers", "constant", "units_2", "value"]
    assert len(trials) == len(completed(study)) == 225
    assert trials["lr"].tolist() == [trial.params["lr"] for trial in completed(study)]
    assert trials["value"].tolist() == [trial.value for trial in completed(study)]
    assert (trials["units_2"].isna() == (trials["layers"] == 1)).all()
    minutes, _ = read(study, {"minutes": lambda trial: trial.user_attrs.get("minutes", 0.0)})
    assert minutes["minutes"].isin([0, 1, 2, 3]).all()
    assert list(read(study, {"lr": lambda trial: 0.0})[0])[-1] == "lr_"  # a parameter is called lr


def added(*trials: tuple[dict, dict]) -> optuna.Study:
    study = optuna.create_study()
    for value, (params, of) in enumerate(trials):
        study.add_trial(optuna.create_trial(params=params, distributions=of, value=float(value)))
    return study


def test_a_parameter_with_several_distributions_has_the_bounds_of_all() -> None:
    first = {"x": IntDistribution(1, 5), "y": FloatDistribution(0.1, 1, log=True)}
    then = {"x": IntDistribution(3, 9, step=2), "y": FloatDistribution(-1, 0.5)}
    study = added(({"x": 1, "y": 0.1}, first), ({"x": 9, "y": 0.0}, then))
    assert read(study, VALUE)[1] == [
        Hyperparameter("x", "integer", 1, 9, origin="study"),
        Hyperparameter("y", "float", -1, 1, origin="study"),
    ]


@pytest.mark.parametrize(
    ("choices", "texts"),
    [
        ((None, True, "a"), ["None", "True", "a"]),
        ((1, "1"), ["1", "'1'"]),
        ((2.5, 3), ["2.5", "3"]),
    ],
)
def test_categories_are_text(choices, texts) -> None:
    distribution = {"c": CategoricalDistribution(choices)}
    study = added(*(({"c": choice}, distribution) for choice in choices))
    trials, parameters = read(study, VALUE)
    assert trials["c"].tolist() == texts
    assert parameters[0].choices == tuple(texts)


def test_enqueued_values_outside_the_range_widen_it() -> None:
    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 2, 8, step=2)

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial({"x": 3.0, "n": 16})
    with pytest.warns(UserWarning, match="out of range"):
        study.optimize(objective, n_trials=20)
    widened = "study, widened to its values"
    assert read(study, VALUE)[1] == [
        Hyperparameter("x", "float", 0, 3, origin=widened),
        Hyperparameter("n", "integer", 2, 16, (2, 4, 6, 8, 16), origin=widened),
    ]
    assert Evaluator("fanova", n_trees=4).evaluate(study)["n"] > 0.5
