"""Study plans, and what trial `n` of a data set is: its source, seed and configuration."""

import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hia import datasets, space

MAX_EPOCHS = int(space.SPACE["epoch"].bounds[1])


@dataclass(frozen=True)
class Part:
    """What a plan asks of one data set: so many CNNs, on at most so many images (None: all)."""

    models: int
    max_images: int | None


@dataclass(frozen=True)
class Plan:
    """A study plan. parts: by data set. precision: of the arithmetic. text: the file as read."""

    name: str
    parts: dict[str, Part]
    precision: str
    text: str

    @property
    def models(self) -> int:
        return sum(part.models for part in self.parts.values())


class PlanError(ValueError):
    """A plan that cannot be run."""


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan: a TOML file with one table [datasets.NAME] per data set.

    Its keys are `models`, the number of CNNs, and, optionally, `max_images`, the number of images
    to use, a fifth of them for validation. Before the tables, `precision = "bf16"` may stand in
    place of "float32". Raises PlanError naming the file and the key at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"{path}: there is no such plan")
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from error
    unknown = set(content) - {"datasets", "precision"}
    if unknown or not isinstance(content.get("datasets"), dict) or not content["datasets"]:
        raise PlanError(
            f"{path}: must hold tables [datasets.NAME] and nothing else but `precision`"
        )
    precision = content.get("precision", "float32")
    if precision not in space.PRECISIONS:
        known = ", ".join(space.PRECISIONS)
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
    return Plan(path.stem, parts, precision, text)


def source(trial: int) -> str:
    """Of every ten trials of a data set, seven are random search and three BOHB (Section 4.1)."""
    return "random" if trial % 10 < 7 else "bohb"


def seed(dataset: str, trial: int) -> int:
    """The seed of a trial, the same on every machine: 0 <= seed < 2**32."""
    digest = hashlib.sha256(f"{dataset}/{trial}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def random_config(dataset: str, trial: int) -> space.Config:
    """The configuration of a random-search trial."""
    return space.sample(np.random.default_rng(seed(dataset, trial)))
