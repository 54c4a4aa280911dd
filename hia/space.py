"""What a hyperparameter is, and the paper's configuration space (Wang et al. 2024, Table 1).

The space is a full product: every combination is valid on every data set (see `hia.cnn` for feature
maps that shrink to nothing). `in_channel_num` belongs to the data set and is not drawn.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Trial
    from optuna.distributions import BaseDistribution

Value = int | float | str
Config = dict[str, Any]

KINDS = ("integer", "float", "categorical")
# Choices that are listed for people, and steps of an integer of Optuna's that are choices, at most.
_LISTED, _STEPS = 20, 1000


@dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter: its kind, its scale and the values it can have.

    kind: one of `KINDS`. choices: the only possible values, ascending where they are numbers. Other
    numbers have bounds, `low` and `high`, both included. log: numbers are uniform on the logarithm.
    label, default: the paper's, printed as they are. origin: where the description is from.
    Raises ValueError for an unknown kind, categories on a logarithm or without choices, numbers
    without bounds or choices or with choices that do not ascend, a logarithm of 0 or less, and a
    range that float64 cannot hold.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    log: bool = False
    label: str = ""
    default: Value | None = None
    origin: str = "declared"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: {self.kind!r} is no kind; there are {', '.join(KINDS)}")
        if self.kind == "categorical":
            if self.log:
                raise ValueError(f"{self.name}: categories have no logarithm")
            if not self.choices:
                raise ValueError(f"{self.name}: categories need choices")
            return
        if not self.choices and (self.low is None or self.high is None):
            raise ValueError(f"{self.name}: numbers need low and high, or choices")
        if list(self.choices or ()) != sorted(set(self.choices or ())):
            raise ValueError(f"{self.name}: choices {self.choices} are not different and ascending")
        low, high = self.bounds
        if self.log and low <= 0:
            raise ValueError(f"{self.name} has {low:g}: a logarithm needs values above 0")
        if not math.isfinite(high - low):
            raise ValueError(
                f"{self.name} goes from {low:g} to {high:g}, too far for float64: rescale it"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value. Raises ValueError for categories."""
        if self.kind == "categorical":
            raise ValueError(f"{self.name} is categorical: it has no bounds")
        ends: Any = self.choices or (self.low, self.high)
        return float(ends[0]), float(ends[-1])

    @property
    def scale(self) -> str:
        """The kind and the scale in words."""
        return f"{self.kind}, log" if self.log else self.kind

    @property
    def possible(self) -> str:
        """The possible values in words."""
        if self.choices is None:
            low, high = self.bounds
            return f"{low:g} to {high:g}"
        listed = [f"{c:g}" if isinstance(c, float) else str(c) for c in self.choices]
        if len(listed) > _LISTED:
            listed[_LISTED // 2 :] = [f"... ({len(listed)} in all)"]
        return ", ".join(listed)

    def sample(self, rng: np.random.Generator) -> Value:
        """One value, uniform over the choices or the range (on the logarithm where `log`)."""
        if self.choices is not None:
            return self.choices[int(rng.integers(len(self.choices)))]  # type: ignore[no-any-return]
        low, high = self.bounds
        if self.kind == "integer":
            return int(rng.integers(int(low), int(high), endpoint=True))
        if self.log:
            value = np.exp(rng.uniform(np.log(low), np.log(high)))
            return float(np.clip(value, low, high))  # rounding could leave the range
        return float(rng.uniform(low, high))

    def allows(self, values: "pd.Series") -> "pd.Series":
        """Which of the values (n,) it can have: numbers as float64, categories as they are."""
        if self.choices:
            return values.isin(self.choices)
        allowed = values.between(*self.bounds)
        return allowed & (values % 1 == 0) if self.kind == "integer" else allowed

    def check(self, value: object) -> Value:
        """The value as a plain Python object of the right type. Raises ValueError, naming the
        hyperparameter, where the type is wrong or the value is not allowed."""
        if self.kind == "categorical":
            if value in (self.choices or ()):
                return str(value)
        elif isinstance(value, Real) and not isinstance(value, bool):
            number, (low, high) = float(value), self.bounds
            whole = self.kind != "integer" or number.is_integer()
            if whole and low <= number <= high and number in (self.choices or (number,)):
                return int(number) if self.kind == "integer" else number
        raise ValueError(
            f"{self.name}: {value!r} is not a value it can have ({self.scale}: {self.possible})"
        )


def to_distribution(hyperparameter: Hyperparameter) -> "BaseDistribution":
    """The hyperparameter as Optuna describes it; choices, of numbers too, are categories."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if hyperparameter.choices is not None:
        return CategoricalDistribution(hyperparameter.choices)
    low, high = hyperparameter.bounds
    if hyperparameter.kind == "integer":
        return IntDistribution(int(low), int(high), log=hyperparameter.log)
    return FloatDistribution(low, high, log=hyperparameter.log)


def suggest(trial: "Trial", hyperparameter: Hyperparameter) -> Any:
    """What a trial of Optuna proposes for it, drawn as `to_distribution` says."""
    if hyperparameter.choices is not None:
        return trial.suggest_categorical(hyperparameter.name, hyperparameter.choices)
    low, high = hyperparameter.bounds
    if hyperparameter.kind == "integer":
        return trial.suggest_int(hyperparameter.name, int(low), int(high), log=hyperparameter.log)
    return trial.suggest_float(hyperparameter.name, low, high, log=hyperparameter.log)


def from_distribution(name: str, distribution: "BaseDistribution") -> Hyperparameter:
    """A parameter of an Optuna study. Up to 1,000 steps of an integer are choices."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        choices = tuple(distribution.choices)
        return Hyperparameter(name, "categorical", choices=choices, origin="study")
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, log = distribution.low, distribution.high, distribution.log
    if isinstance(distribution, FloatDistribution):
        return Hyperparameter(name, "float", low, high, log=log, origin="study")
    steps = range(distribution.low, distribution.high + 1, distribution.step)
    levels = tuple(steps) if distribution.step > 1 and len(steps) <= _STEPS else None
    return Hyperparameter(name, "integer", low, high, levels, log, origin="study")


def _row(name: str, label: str, kind: str, default: Value, **values: Any) -> Hyperparameter:
    return Hyperparameter(name, kind, label=label, default=default, origin="Table 1", **values)


# In the order of Table 3, the paper's ranking. The defaults are Table 1's, the 0 for the number of
# input channels, which is outside its own range {1, 3}, included. They are drawn in this order, so
# that one more at the end changes nothing that is drawn before it.
_ROWS = (
    _row("num_conv_layers", "num_conv_layers", "integer", 2, low=1, high=3),
    _row("lr", "learning rate", "float", 1e-2, low=1e-6, high=1e-1, log=True),
    _row("dropout_rate", "dropout rate", "float", 0.5, low=0.0, high=0.9),
    _row("optimizer", "optimizer", "categorical", "Adam", choices=("Adam", "SGD")),
    _row("epoch", "epoch", "integer", 2, low=1, high=10),
    _row("stride", "stride", "integer", 1, low=1, high=2),
    _row("in_channel_num", "the number of input channels", "integer", 0, choices=(1, 3)),
    _row("padding", "padding", "integer", 0, low=0, high=1),
    _row("kernel", "convolutional kernel size", "integer", 2, low=2, high=3),
    _row(
        "num_fc_units", "the number of filters in fully connected", "integer", 32, low=8, high=256
    ),
    _row("batch_size", "batch size", "integer", 32, choices=(32, 64, 128, 256)),
    _row("num_filters_1", "the number of filters in cov layer 1", "integer", 16, low=4, high=64),
    _row("num_filters_2", "the number of filters in cov layer 2", "integer", 16, low=4, high=64),
    _row("num_filters_3", "the number of filters in cov layer 3", "integer", 16, low=4, high=64),
)

SPACE: dict[str, Hyperparameter] = {row.name: row for row in _ROWS}
FILTERS: tuple[str, ...] = ("num_filters_1", "num_filters_2", "num_filters_3")
HYPERPARAMETERS: tuple[str, ...] = tuple(name for name in SPACE if name not in FILTERS)
TABLE1: tuple[Hyperparameter, ...] = tuple(SPACE[name] for name in HYPERPARAMETERS)
SAMPLED: tuple[str, ...] = tuple(name for name in SPACE if name != "in_channel_num")

# How a range is drawn from: uniformly as it is, or on its logarithm.
SCALES: tuple[str, ...] = ("linear", "log")

# What a training computes in. Not a hyperparameter of the paper, whose CNNs are float32.
PRECISIONS: tuple[str, ...] = ("float32", "bf16")


def sample(rng: np.random.Generator, space: Mapping[str, Hyperparameter] = SPACE) -> Config:
    """One random configuration: the thirteen hyperparameters that do not belong to the data set.

    All three filter counts are drawn, whatever the number of layers, so that the stream of random
    numbers does not depend on what is drawn. Nor does it depend on a scale: the same stream gives
    the same configuration but for the hyperparameter that is drawn on another one.
    """
    return {name: space[name].sample(rng) for name in SAMPLED}


def validate(config: Mapping[str, object]) -> Config:
    """The configuration with plain Python values, checked against Table 1.

    config: the thirteen names of `SAMPLED`; filter counts of layers that do not exist may be
    missing or None, and are left out of the result. `in_channel_num` may be given.
    Raises ValueError naming the field that is missing, unknown or out of range.
    """
    if unknown := sorted(set(config) - set(SPACE)):
        raise ValueError(f"unknown hyperparameter {unknown[0]!r}; known are {', '.join(SPACE)}")
    checked: Config = {}
    for name, hyperparameter in SPACE.items():  # the number of layers is the first
        value = config.get(name)
        if name in FILTERS[checked.get("num_conv_layers") :]:
            continue
        if value is not None:
            checked[name] = hyperparameter.check(value)
        elif name in SAMPLED:
            raise ValueError(f"{name} is missing")
    return checked
