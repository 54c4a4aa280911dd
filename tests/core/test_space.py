"""hia.space: Table 1 as data, random configurations and what is said about a wrong one."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hia import space, trials
from hia.space import FILTERS, HYPERPARAMETERS, SAMPLED, SPACE, Hyperparameter, sample, validate
from hia.study import plans
from hia_book import published

PUBLISHED = Path(__file__).parents[2] / "data" / "published"
NUMERIC = [name for name in SPACE if SPACE[name].kind != "categorical"]
# Written as [low, high], the others as a list of their values.
RANGES = [name for name in NUMERIC if SPACE[name].choices is None and name != "padding"]


@pytest.fixture
def config():
    return {
        "num_conv_layers": 3,
        "lr": 1e-3,
        "dropout_rate": 0.25,
        "optimizer": "Adam",
        "epoch": 5,
        "stride": 1,
        "padding": 0,
        "kernel": 2,
        "num_fc_units": 32,
        "batch_size": 64,
        "num_filters_1": 8,
        "num_filters_2": 16,
        "num_filters_3": 64,
    }


def samples(n: int, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [sample(rng) for _ in range(n)]


# Table 1 --------------------------------------------------------------------------------------


def test_names_are_those_of_tables_1_and_3():
    assert set(published.table(1, PUBLISHED)["hyperparameter"]) == set(SPACE)
    assert list(published.table(3, PUBLISHED)["hyperparameter"]) == list(HYPERPARAMETERS)
    assert tuple(SPACE) == HYPERPARAMETERS + FILTERS
    assert set(SPACE) - set(SAMPLED) == {"in_channel_num"}


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
    listed = [part.strip() for part in row["space"].strip("[]").split(",")]
    if hyperparameter.kind == "categorical":
        assert hyperparameter.choices == tuple(listed)
        return
    numbers = [float(part) for part in listed]
    assert hyperparameter.bounds == (min(numbers), max(numbers))
    assert row["space"].startswith("[") == (name in RANGES)
    if name not in RANGES:  # all values are listed; two neighbours may also be kept as a range
        allowed = [n for n in range(int(min(numbers)), int(max(numbers)) + 1) if accepts(name, n)]
        assert allowed == numbers


def accepts(name: str, value: object) -> bool:
    try:
        SPACE[name].check(value)
    except ValueError:
        return False
    return True


def test_only_lr_is_logarithmic():
    assert [name for name in SPACE if SPACE[name].log] == ["lr"]


def test_a_category_has_no_bounds():
    with pytest.raises(ValueError, match="optimizer is categorical"):
        _ = SPACE["optimizer"].bounds


@pytest.mark.parametrize("name", SPACE)
def test_defaults_are_in_the_space_but_for_the_paper_s_slip(name):
    # Table 1 prints 0 input channels as the default, which is not one of its values.
    assert accepts(name, SPACE[name].default) == (name != "in_channel_num")


# Random configurations ------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_samples_are_valid_and_follow_from_the_seed(seed):
    drawn = sample(np.random.default_rng(seed))
    assert tuple(drawn) == SAMPLED
    assert drawn == sample(np.random.default_rng(seed))
    expected = {
        name: value
        for name, value in drawn.items()
        if name not in FILTERS[drawn["num_conv_layers"] :]
    }
    checked = validate(drawn)
    assert checked == expected
    assert all(type(checked[name]) is type(drawn[name]) for name in checked)


@pytest.mark.parametrize("name", [name for name in SAMPLED if name not in ("lr", "dropout_rate")])
def test_every_discrete_value_is_drawn_equally_often(name):
    values = [drawn[name] for drawn in samples(6000)]
    hyperparameter = SPACE[name]
    if hyperparameter.choices is not None:
        allowed = list(hyperparameter.choices)
    else:
        low, high = hyperparameter.bounds
        allowed = list(range(int(low), int(high) + 1))
    counts = [values.count(value) for value in allowed]
    assert sum(counts) == len(values)
    assert min(counts) > 0
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(("name", "transform"), [("lr", np.log), ("dropout_rate", np.asarray)])
def test_continuous_values_are_uniform_on_their_scale(name, transform):
    low, high = transform(SPACE[name].bounds)
    values = transform([drawn[name] for drawn in samples(3000)])
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_what_is_drawn_does_not_shift_the_stream():
    ends = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sample(rng)
        again = np.random.default_rng(seed)
        for name in SAMPLED:
            SPACE[name].sample(again)
        assert rng.bit_generator.state == again.bit_generator.state
        ends.add(sample(rng)["lr"])
    assert len(ends) == 20


def test_a_hyperparameter_more_changes_nothing_that_was_drawn(monkeypatch):
    more = Hyperparameter("momentum", "momentum", "float", 0.9, low=0.0, high=0.99)
    before = samples(1)[0]
    monkeypatch.setitem(SPACE, "momentum", more)
    monkeypatch.setattr(space, "SAMPLED", (*SAMPLED, "momentum"))
    after = samples(1)[0]
    assert 0 <= after.pop("momentum") <= 0.99
    assert after == before


def test_recorded_configurations_of_random_search_are_drawn_again():
    table = trials.load(PUBLISHED.parent / "trials.parquet")
    for row in table[table["source"] == "random"].groupby("dataset").head(20).to_dict("records"):
        drawn = validate(plans.random_config(row["dataset"], row["trial"]))
        assert drawn == {name: row[name] for name in drawn}


# Validation -----------------------------------------------------------------------------------


def test_validate_returns_plain_python_values(config):
    given = dict(config, lr=np.float64(1e-3), epoch=np.int64(5), stride=1.0, dropout_rate=0)
    checked = validate(given)
    assert checked == config | {"dropout_rate": 0.0}
    assert {name: type(value) for name, value in checked.items()} == {
        name: str if name == "optimizer" else float if name in ("lr", "dropout_rate") else int
        for name in SAMPLED
    }


@pytest.mark.parametrize("channels", [1, 3])
def test_validate_keeps_the_channels_where_given(config, channels):
    assert validate(config | {"in_channel_num": channels})["in_channel_num"] == channels
    assert "in_channel_num" not in validate(config | {"in_channel_num": None})


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_filters_of_absent_layers_are_dropped(config, layers):
    config["num_conv_layers"] = layers
    for name in FILTERS[layers:]:
        config[name] = "not looked at"
    there = [name for name in FILTERS if name in validate(config)]
    assert there == list(FILTERS[:layers])
    for name in FILTERS[layers:]:
        config[name] = None
        assert name not in validate(config)
        del config[name]
        assert name not in validate(config)


def test_validate_does_not_change_its_argument(config):
    config["num_conv_layers"] = 1
    before = dict(config)
    validate(config)
    assert config == before


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("how", ["absent", "None"])
def test_a_missing_field_is_named(config, name, how):
    if how == "absent":
        del config[name]
    else:
        config[name] = None
    with pytest.raises(ValueError, match=f"^{name} is missing"):
        validate(config)


def test_an_unknown_field_is_named(config):
    with pytest.raises(ValueError, match=r"'learning_rate'.*known are num_conv_layers, lr"):
        validate(config | {"learning_rate": 0.1})


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("step", [-1, 1])
def test_a_value_out_of_range_is_named(config, name, step):
    low, high = SPACE[name].bounds
    outside = math.nextafter(low, -1) if step < 0 else math.nextafter(high, math.inf)
    if SPACE[name].kind == "integer":
        outside = int(low if step < 0 else high) + step
    with pytest.raises(ValueError, match=rf"^{name}: {re.escape(repr(outside))} is not in [\[{{]"):
        validate(config | {name: outside})


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("value", [True, np.True_, "3", [3], math.nan, math.inf, 2 + 0j])
def test_a_wrong_type_or_no_number_is_named(config, name, value):
    with pytest.raises(ValueError, match=f"^{name}: {re.escape(repr(value))} is not "):
        validate(config | {name: value})


@pytest.mark.parametrize("name", [name for name in NUMERIC if SPACE[name].kind == "integer"])
def test_a_fraction_is_not_an_integer(config, name):
    value = SPACE[name].bounds[0] + 0.5
    with pytest.raises(ValueError, match=rf"^{name}: {value} is not an integer; allowed"):
        validate(config | {name: value})


@pytest.mark.parametrize("name", ["batch_size", "in_channel_num"])
def test_a_value_between_the_choices_is_named(config, name):
    between = int(SPACE[name].choices[0]) + 1
    with pytest.raises(ValueError, match=rf"^{name}: {between} is not in \{{.*\}}"):
        validate(config | {name: between})


@pytest.mark.parametrize("value", ["adam", "", "RMSprop", 0, True, math.nan, ["Adam"]])
def test_an_unknown_optimizer_is_named(config, value):
    with pytest.raises(ValueError, match=r"^optimizer: .* is not one of \{Adam, SGD\}"):
        validate(config | {"optimizer": value})
