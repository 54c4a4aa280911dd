"""Study plans, and what trial `n` of a data set is: its source, seed and configuration."""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hia import datasets
from hia.space import PRECISIONS, SAMPLED, SCALES, SPACE, Config, Hyperparameter, sample

# What a plan can search by, and of every ten trials of a data set, how many are random search.
SEARCHES = {"both": 7, "random": 10}
MAX_EPOCHS = int(SPACE["epoch"].bounds[1])


@dataclass(frozen=True)
class Part:
    """What a plan asks of one data set: so many CNNs, on at most so many images (None: all)."""

    models: int
    max_images: int | None


@dataclass(frozen=True)
class Plan:
    """A study plan.

    parts: by data set. precision: of the arithmetic. text: the file as read. search: one of
    `SEARCHES`. space: Table 1, with the scales that the plan states.
    """

    name: str
    parts: dict[str, Part]
    precision: str
    text: str
    search: str = "both"
    space: Mapping[str, Hyperparameter] = field(default_factory=lambda: SPACE)

    @property
    def models(self) -> int:
        return sum(part.models for part in self.parts.values())

    @property
    def lr_scale(self) -> str:
        """How the learning rate is drawn, one of `hia.space.SCALES`."""
        return SCALES[self.space["lr"].log]

    def source(self, trial: int) -> str:
        """How the configuration of a trial is found: "random" or "bohb"."""
        return source(trial, self.search)

    def random_config(self, dataset: str, trial: int) -> Config:
        """The configuration of a random-search trial."""
        return random_config(dataset, trial, self.space)


class PlanError(ValueError):
    """A plan that cannot be run."""


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan: a TOML file with one table [datasets.NAME] per data set.

    Its keys are `models`, the number of CNNs, and, optionally, `max_images`, the number of images
    to use, a fifth of them for validation. Before the tables may stand `precision`, "float32" (the
    default) or "bf16", and `search`, "both" (the default: seven of ten trials by random search,
    three by BOHB) or "random". A table [space.NAME] with `log = false` draws a
    hyperparameter uniformly that Table 1 draws on its logarithm, `log = true` the reverse.
    Raises PlanError naming the file and the key at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"{path}: there is no such plan")
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from error
    unknown = set(content) - {"datasets", "precision", "search", "space"}
    if unknown or not isinstance(content.get("datasets"), dict) or not content["datasets"]:
        raise PlanError(
            f"{path}: must hold tables [datasets.NAME] and nothing else but `precision`, `search` "
            "and tables [space.NAME]"
        )
    search = content.get("search", "both")
    if search not in SEARCHES:
        raise PlanError(f"{path}: search: {search!r} is not one of {', '.join(SEARCHES)}")
    precision = content.get("precision", "float32")
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise PlanError(f"{path}: precision: {precision!r} is not one of {known}")
    parts = {}
    for name, part in content["datasets"].items():
        where = f"{path}: [datasets.{name}]"
        if name not in datasets.FACTS:
            raise PlanError(f"{where}: unknown data set; known are {', '.join(datasets.FACTS)}")
        if not isinstance(part, dict) or set(part) - {"models", "max_images"}:
            raise PlanError(f"{where}: may hold `models` and `max_images` only")
        for key in ("models", "max_images"):
            value = part.get(key)
            if key == "max_images" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise PlanError(f"{where}: {key} must be a positive integer, not {value!r}")
        parts[name] = Part(part["models"], part.get("max_images"))
    scaled = _read_space(path, content.get("space", {}))
    return Plan(path.stem, parts, precision, text, search, scaled)


def _read_space(path: Path, content: object) -> dict[str, Hyperparameter]:
    """Table 1 with the scales that a plan states."""
    if not isinstance(content, dict):
        raise PlanError(f"{path}: space must hold tables [space.NAME], not {content!r}")
    scaled = dict(SPACE)
    for name, part in content.items():
        where = f"{path}: [space.{name}]"
        if name not in SAMPLED:
            known = ", ".join(SAMPLED)
            raise PlanError(f"{where}: unknown hyperparameter; known are {known}")
        if not isinstance(part, dict) or set(part) != {"log"} or not isinstance(part["log"], bool):
            raise PlanError(f"{where}: must hold `log = true` or `log = false` and nothing else")
        row = SPACE[name]
        if part["log"] and (row.kind != "float" or row.bounds[0] <= 0):
            raise PlanError(f"{where}: log = true needs a range of positive numbers")
        scaled[name] = replace(row, log=part["log"])
    return scaled


def source(trial: int, search: str = "both") -> str:
    """Of every ten trials of a data set, seven are random search and three BOHB (Section 4.1)."""
    return "random" if trial % 10 < SEARCHES[search] else "bohb"


def seed(dataset: str, trial: int) -> int:
    """The seed of a trial, the same on every machine: 0 <= seed < 2**32."""
    digest = hashlib.sha256(f"{dataset}/{trial}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def random_config(dataset: str, trial: int, space: Mapping[str, Hyperparameter] = SPACE) -> Config:
    """The configuration of a random-search trial."""
    return sample(np.random.default_rng(seed(dataset, trial)), space)
