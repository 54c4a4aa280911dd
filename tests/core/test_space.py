"""hia.space: Table 1 as data, random configurations and what is said about a wrong one."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution
from rows import CONFIG
from scipy import stats

from hia import space
from hia.space import FILTERS, HYPERPARAMETERS, SAMPLED, SPACE, Hyperparameter, validate
from hia_book import published

PUBLISHED = Path(__file__).parents[2] / "data" / "published"
# Written as a list of their values, the others as [low, high].
LISTED = {"optimizer", "padding", *(name for name in SPACE if SPACE[name].choices)}
DEEP = CONFIG | {"num_conv_layers": 3}


def test_names_are_those_of_tables_1_and_3():
    assert set(published.table(1, PUBLISHED)["hyperparameter"]) == set(SPACE)
    assert list(published.table(3, PUBLISHED)["hyperparameter"]) == list(HYPERPARAMETERS)
    assert tuple(SPACE) == HYPERPARAMETERS + FILTERS
    assert set(SPACE) - set(SAMPLED) == {"in_channel_num"}
    assert [name for name in SPACE if SPACE[name].log] == ["lr"]


@pytest.mark.parametrize("name", SPACE)
def test_space_is_table_1(name):
    row = published.table(1, PUBLISHED).set_index("hyperparameter").loc[name]
    hyperparameter = SPACE[name]
    assert hyperparameter.name == name
    assert hyperparameter.label == row["label"]
    assert hyperparameter.kind == row["type"]
    assert str(hyperparameter.default) == row["default"] or (
        hyperparameter.default == float(row["default"])
    )
    # Table 1 prints 0 input channels as the default, which is not one of its values.
    assert accepts(name, hyperparameter.default) == (name != "in_channel_num")
    listed = [part.strip() for part in row["space"].strip("[]").split(",")]
    if hyperparameter.kind == "categorical":
        assert hyperparameter.choices == tuple(listed)
        return
    numbers = [float(part) for part in listed]
    assert hyperparameter.bounds == (min(numbers), max(numbers))
    assert row["space"].startswith("[") == (name not in LISTED)
    if name in LISTED:  # two neighbours may also be kept as a range
        allowed = [n for n in range(int(min(numbers)), int(max(numbers)) + 1) if accepts(name, n)]
        assert allowed == numbers


def accepts(name: str, value: object) -> bool:
    try:
        SPACE[name].check(value)
    except ValueError:
        return False
    return True


@given(st.integers(0, 2**32 - 1))
def test_samples_are_valid_and_follow_from_the_seed(seed):
    drawn = space.sample(np.random.default_rng(seed))
    assert tuple(drawn) == SAMPLED
    assert drawn == space.sample(np.random.default_rng(seed))
    absent = FILTERS[drawn["num_conv_layers"] :]
    checked = validate(drawn)
    assert checked == {name: value for name, value in drawn.items() if name not in absent}
    assert all(type(checked[name]) is type(drawn[name]) for name in checked)


def test_values_are_drawn_equally_often_on_their_scale():
    rng = np.random.default_rng(0)
    drawn = pd.DataFrame([space.sample(rng) for _ in range(3000)])
    for name, transform in (("lr", np.log), ("dropout_rate", np.asarray)):
        low, high = transform(SPACE[name].bounds)
        uniform = stats.uniform(low, high - low).cdf
        assert stats.kstest(transform(drawn.pop(name)), uniform).pvalue > 1e-3
    for name, values in drawn.items():
        one = SPACE[name]
        allowed = one.choices or range(int(one.bounds[0]), int(one.bounds[1]) + 1)
        counts = values.value_counts().reindex(allowed)
        assert counts.sum() == len(values)
        assert stats.chisquare(counts).pvalue > 1e-3


def test_validate_returns_plain_python_values():
    given = dict(DEEP, lr=np.float64(3e-3), epoch=np.int64(3), stride=1.0, dropout_rate=0)
    checked = validate(given)
    assert checked == DEEP | {"dropout_rate": 0.0}
    assert {name: type(value) for name, value in checked.items()} == {
        name: str if name == "optimizer" else float if name in ("lr", "dropout_rate") else int
        for name in SAMPLED
    }


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_filters_of_absent_layers_are_dropped(layers):
    config = DEEP | {"num_conv_layers": layers, "in_channel_num": None}
    for value in ("not looked at", None):
        config |= dict.fromkeys(FILTERS[layers:], value)
        before = dict(config)
        checked = validate(config)
        assert [name for name in FILTERS if name in checked] == list(FILTERS[:layers])
        assert config == before
    assert "in_channel_num" not in checked
    assert validate(config | {"in_channel_num": 3})["in_channel_num"] == 3


@pytest.mark.parametrize("name", SAMPLED)
def test_a_missing_field_is_named(name):
    for without in ({key: DEEP[key] for key in DEEP if key != name}, DEEP | {name: None}):
        with pytest.raises(ValueError, match=f"^{name} is missing"):
            validate(without)


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match=r"'learning_rate'.*known are num_conv_layers, lr"):
        validate(DEEP | {"learning_rate": 0.1})


def wrong_values(one: Hyperparameter) -> list:
    if one.kind == "categorical":
        return ["adam", "", "RMSprop", 0, True, math.nan, ["Adam"]]
    low, high = one.bounds
    wrong = [True, np.True_, "3", [3], math.nan, math.inf, 2 + 0j]
    if one.choices:
        wrong.append(low + 1)
    if one.kind == "integer":
        return [*wrong, int(low) - 1, int(high) + 1, low + 0.5]
    return [*wrong, math.nextafter(low, -1), math.nextafter(high, math.inf)]


@pytest.mark.parametrize("name", SPACE)
def test_what_is_not_a_value_is_refused_alone_and_in_a_column(name):
    one = SPACE[name]
    for value in wrong_values(one):
        message = f"{name}: {value!r} is not a value it can have ({one.scale}: {one.possible})"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            validate(DEEP | {name: value})
    values = list(one.choices) if one.choices else np.linspace(one.bounds[0] - 1, 99, 201).tolist()
    values += ["none"] if one.kind == "categorical" else [*one.bounds, one.bounds[1] + 1]
    allowed = one.allows(pd.Series(values))
    assert allowed.tolist() == [accepts(name, value) for value in values]
    assert allowed.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "int", "low": 1, "high": 2}, "x: 'int' is no kind; there are integer, float, ca"),
        ({"kind": "integer"}, "x: numbers need low and high, or choices"),
        ({"kind": "categorical"}, "x: categories need choices"),
        ({"kind": "categorical", "choices": ("a",), "log": True}, "categories have no logarithm"),
        ({"kind": "float", "choices": (2, 1)}, r"choices \(2, 1\) are not different and ascending"),
        ({"kind": "float", "choices": (1, 1)}, r"choices \(1, 1\) are not different and ascending"),
        ({"kind": "float", "low": 0.0, "high": 1.0, "log": True}, "x has 0: a logarithm needs"),
        ({"kind": "float", "low": -1e308, "high": 1e308}, r"from -1e\+308 to 1e\+308, too far"),
    ],
)
def test_wrong_descriptions(arguments, message):
    with pytest.raises(ValueError, match=message):
        Hyperparameter("x", **arguments)


@pytest.mark.parametrize(
    "one",
    [
        Hyperparameter("x", "float", -1.0, 3.0),
        Hyperparameter("x", "float", 1e-6, 1e-1, log=True),
        Hyperparameter("x", "integer", 1, 100),
        Hyperparameter("x", "integer", 1, 1024, log=True),
        Hyperparameter("x", "categorical", choices=("Adam", None, 3)),
    ],
)
def test_to_optuna_and_back(one):
    written = space.to_distribution(one)
    assert space.from_distribution("x", written) == replace(one, origin="study")
    trial = optuna.create_study().ask()
    value = space.suggest(trial, one)
    assert trial.distributions == {"x": written}
    assert value in one.choices if one.choices else one.check(value) == value


def test_steps_and_choices_of_numbers_in_optuna():
    assert space.to_distribution(SPACE["batch_size"]) == CategoricalDistribution((32, 64, 128, 256))
    steps = space.from_distribution("x", IntDistribution(16, 64, step=16))
    assert (steps.kind, steps.choices) == ("integer", (16, 32, 48, 64))
    many = space.from_distribution("x", IntDistribution(0, 10**6, step=2))
    assert (many.choices, many.bounds) == (None, (0, 10**6))
