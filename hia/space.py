"""The configuration space of the paper as data (Wang et al. 2024, Table 1).

Eleven hyperparameters, and the number of filters of each convolutional layer. The space is a full
product: every combination is valid on every data set (see `hia.cnn` for feature maps that shrink to
nothing). `in_channel_num` belongs to the data set and is not drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Value = int | float | str
Config = dict[str, Any]


@dataclass(frozen=True)
class Hyperparameter:
    """One row of Table 1.

    kind: "integer", "float" or "categorical", the paper's data type. A numeric hyperparameter has
    either the bounds `low` and `high` (both included) or, where only a few values are allowed,
    `choices`. `log`: drawn uniformly on the logarithm. `default` is the paper's, printed as it is.
    """

    name: str
    label: str
    kind: str
    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] | None = None
    log: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value. Raises ValueError for a category."""
        if self.kind == "categorical":
            raise ValueError(f"{self.name} is categorical: it has no bounds")
        numbers = [float(choice) for choice in self.choices or ()]
        low = min(numbers) if self.low is None else self.low
        high = max(numbers) if self.high is None else self.high
        return low, high

    def sample(self, rng: np.random.Generator) -> Value:
        """One value, uniform over the choices or the range (on the logarithm where `log`)."""
        if self.choices is not None:
            return self.choices[int(rng.integers(len(self.choices)))]
        low, high = self.bounds
        if self.kind == "integer":
            return int(rng.integers(int(low), int(high), endpoint=True))
        if self.log:
            value = np.exp(rng.uniform(np.log(low), np.log(high)))
            return float(np.clip(value, low, high))  # rounding could leave the range
        return float(rng.uniform(low, high))

    def check(self, value: object) -> Value:
        """The value as a plain Python object of the right type.

        Raises ValueError, naming the hyperparameter, where the type is wrong or the value is not
        allowed.
        """
        if self.kind == "categorical":
            if value not in self.choices:  # type: ignore[operator]
                raise ValueError(f"{self.name}: {value!r} is not one of {self._allowed()}")
            return str(value)
        if isinstance(value, bool | np.bool_) or not isinstance(
            value, int | float | np.integer | np.floating
        ):
            raise ValueError(
                f"{self.name}: {value!r} is not a number; allowed is {self._allowed()}"
            )
        number = float(value)
        if self.kind == "integer" and not number.is_integer():
            raise ValueError(
                f"{self.name}: {value!r} is not an integer; allowed: {self._allowed()}"
            )
        low, high = self.bounds
        allowed = number in self.choices if self.choices is not None else low <= number <= high
        if not allowed:
            raise ValueError(f"{self.name}: {value!r} is not in {self._allowed()}")
        return int(number) if self.kind == "integer" else number

    def _allowed(self) -> str:
        if self.choices is not None:
            return "{" + ", ".join(str(choice) for choice in self.choices) + "}"
        return f"[{self.low:g}, {self.high:g}]"


def _integer(name: str, label: str, low: int, high: int, default: int) -> Hyperparameter:
    return Hyperparameter(name, label, "integer", default, low=low, high=high)


# In the order of Table 3, the paper's ranking. The defaults are Table 1's, the 0 for the number of
# input channels, which is outside its own range {1, 3}, included. They are drawn in this order, so
# that one more at the end changes nothing that is drawn before it.
_ROWS = (
    _integer("num_conv_layers", "num_conv_layers", 1, 3, 2),
    Hyperparameter("lr", "learning rate", "float", 1e-2, low=1e-6, high=1e-1, log=True),
    Hyperparameter("dropout_rate", "dropout rate", "float", 0.5, low=0.0, high=0.9),
    Hyperparameter("optimizer", "optimizer", "categorical", "Adam", choices=("Adam", "SGD")),
    _integer("epoch", "epoch", 1, 10, 2),
    _integer("stride", "stride", 1, 2, 1),
    Hyperparameter("in_channel_num", "the number of input channels", "integer", 0, choices=(1, 3)),
    _integer("padding", "padding", 0, 1, 0),
    _integer("kernel", "convolutional kernel size", 2, 3, 2),
    _integer("num_fc_units", "the number of filters in fully connected", 8, 256, 32),
    Hyperparameter("batch_size", "batch size", "integer", 32, choices=(32, 64, 128, 256)),
    _integer("num_filters_1", "the number of filters in cov layer 1", 4, 64, 16),
    _integer("num_filters_2", "the number of filters in cov layer 2", 4, 64, 16),
    _integer("num_filters_3", "the number of filters in cov layer 3", 4, 64, 16),
)

SPACE: dict[str, Hyperparameter] = {row.name: row for row in _ROWS}
FILTERS: tuple[str, ...] = ("num_filters_1", "num_filters_2", "num_filters_3")
HYPERPARAMETERS: tuple[str, ...] = tuple(name for name in SPACE if name not in FILTERS)
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
    unknown = sorted(set(config) - set(SPACE))
    if unknown:
        raise ValueError(f"unknown hyperparameter {unknown[0]!r}; known are {', '.join(SPACE)}")
    if config.get("num_conv_layers") is None:
        raise ValueError("num_conv_layers is missing")
    layers = int(SPACE["num_conv_layers"].check(config["num_conv_layers"]))
    absent = FILTERS[layers:]
    checked: Config = {}
    for name, hyperparameter in SPACE.items():
        value = config.get(name)
        if name in absent:
            continue
        if value is None:
            if name == "in_channel_num":
                continue
            raise ValueError(f"{name} is missing")
        checked[name] = hyperparameter.check(value)
    return checked
