"""What a study trains: plans, tables of configurations, and the jobs that follow from them.

A job is what is known of a CNN before it is trained: data set, configuration (but for BOHB, which
proposes one when it is trained), numbers of images, seed, precision. With `images_sha256` and
`kernels` it also says on what, so that equal jobs give equal rows on the same kind of processor.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hia import datasets, trials
from hia.space import (
    FILTERS,
    PRECISIONS,
    SAMPLED,
    SCALES,
    SPACE,
    Config,
    Hyperparameter,
    sample,
    validate,
)
from hia.study import records

Row = dict[str, Any]
Here = Mapping[str, Mapping[str, Any]]
Space = Mapping[str, Hyperparameter]

# What a plan can search by, and of every ten trials of a data set, how many are random search.
SEARCHES = {"both": 7, "random": 10}
TRAINED_ON = ("images_sha256", "kernels")  # of a job; a row does not have them
MAX_EPOCHS = int(SPACE["epoch"].bounds[1])
MAX_MODELS = 100_000  # of one data set; the paper has 1,500


class PlanError(ValueError):
    """A plan that cannot be run."""


@dataclass(frozen=True)
class Part:
    """What a plan asks of one data set: so many CNNs, on at most so many images (None: all)."""

    models: int
    max_images: int | None

    def split(self, dataset: str, available: int) -> tuple[int, int]:
        """Training and validation images, as `datasets.load` divides them.

        available: images of the data set. Raises PlanError where they are fewer than asked for.
        """
        total = self.max_images or available
        if total > available:
            raise PlanError(f"{dataset}: max_images = {total:,}, there are {available:,} images")
        val_images = -(-total // datasets.VALIDATION_EVERY)
        return total - val_images, val_images


@dataclass(frozen=True)
class Series:
    """CNNs of one data set that share an Optuna study.

    name: of the study. jobs: by the key under which a CNN is found again. key: the columns of a
    row that are its key.
    """

    name: str
    dataset: str
    jobs: dict[str, Row]
    key: tuple[str, ...]
    space: Space = field(default_factory=lambda: SPACE)

    @property
    def bohb(self) -> bool:
        return self.name.endswith("/bohb")

    def key_of(self, row: Mapping[Any, Any]) -> str:
        """What a CNN is found by: the values of its key columns, as text."""
        return "/".join(str(row[name]) for name in self.key)


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
    space: Space = field(default_factory=lambda: SPACE)
    table = "trials"  # the file of its export
    columns = tuple(trials.COLUMNS)

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

    def series(self, here: Here | None = None) -> list[Series]:
        """Random search and BOHB of each data set.

        here: by data set, what `processes.describe_images` says of its images; without, jobs do not
        name them. Raises PlanError where a data set has fewer images than are asked for.
        """
        result = []
        for name, part in self.parts.items():
            known = dict(here[name]) if here else {}
            available = known.pop("available", part.max_images)
            if available is not None:
                known |= zip(("images", "val_images"), part.split(name, available), strict=True)
            for kind in trials.SOURCES:
                jobs = {
                    str(trial): self._job(name, kind, trial) | known
                    for trial in range(part.models)
                    if self.source(trial) == kind
                }
                result.append(Series(f"{name}/{kind}", name, jobs, ("trial",), self.space))
        return result

    def _job(self, dataset: str, kind: str, trial: int) -> Row:
        config: Row = {}
        if kind == "random":
            config = dict.fromkeys(FILTERS) | validate(self.random_config(dataset, trial))
        return config | {
            "dataset": dataset,
            "source": kind,
            "trial": trial,
            "in_channel_num": datasets.FACTS[dataset].channels,
            "seed": seed(dataset, trial),
            "precision": self.precision,
            "lr_scale": self.lr_scale,
        }


@dataclass(frozen=True)
class Given:
    """A table of configurations to train, each with its data set, images, seed and precision."""

    name: str
    rows: pd.DataFrame
    text: str = ""

    @property
    def table(self) -> str:
        return self.name

    @property
    def models(self) -> int:
        return len(self.rows)

    @property
    def parts(self) -> list[str]:
        return list(self.rows["dataset"].unique())

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(records.columns(records.key_columns(self.rows)))

    def series(self, here: Here | None = None) -> list[Series]:
        """One series for each data set; see `Plan.series`."""
        key = records.key_columns(self.rows)
        result = []
        for name in self.parts:
            known = dict(here[name]) if here else {}
            known.pop("available", None)
            own = plain(self.rows[self.rows["dataset"] == name])
            # Those on the same images follow each other: a worker holds one data set at a time.
            own.sort(key=lambda row: (row["in_channel_num"], row["images"], row["val_images"]))
            one = Series(f"{self.name}/{name}", name, {}, key)
            jobs = {one.key_of(row): row | known for row in own}
            result.append(replace(one, jobs=jobs))
        return result


def load_plan(path: str | os.PathLike[str]) -> Plan | Given:
    """Read what a study is to train.

    A TOML file is a plan, with one table [datasets.NAME] per data set. Its keys are `models`, the
    number of CNNs, and, optionally, `max_images`, the number of images to use, a fifth of them for
    validation. Before the tables may stand `precision`, "float32" (the default) or "bf16", and
    `search`, "both" (the default: seven of ten trials by random search, three by BOHB) or "random".
    A table [space.NAME] with `log = false` draws a hyperparameter uniformly that Table 1 draws on
    its logarithm, `log = true` the reverse. A CSV file is a table of configurations, see
    `hia.study.records.read_given`.

    Raises PlanError naming the file and the key at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"{path}: there is no such plan")
    if path.suffix == ".csv":
        try:
            return Given(path.stem, records.read_given(path))
        except trials.TrialsError as error:
            raise PlanError(str(error)) from error
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
        raise PlanError(f"{path}: precision: {precision!r} is not one of {', '.join(PRECISIONS)}")
    parts = {name: _read_part(path, name, part) for name, part in content["datasets"].items()}
    scaled = _read_space(path, content.get("space", {}))
    return Plan(path.stem, parts, precision, text, search, scaled)


def _read_part(path: Path, name: str, part: object) -> Part:
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
    if part["models"] > MAX_MODELS:
        raise PlanError(f"{where}: models must be at most {MAX_MODELS:,}, not {part['models']:,}")
    return Part(part["models"], part.get("max_images"))


def _read_space(path: Path, content: object) -> dict[str, Hyperparameter]:
    """Table 1 with the scales that a plan states."""
    if not isinstance(content, dict):
        raise PlanError(f"{path}: space must hold tables [space.NAME], not {content!r}")
    scaled = dict(SPACE)
    for name, part in content.items():
        where = f"{path}: [space.{name}]"
        if name not in SAMPLED:
            raise PlanError(f"{where}: unknown hyperparameter; known are {', '.join(SAMPLED)}")
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


def random_config(dataset: str, trial: int, space: Space = SPACE) -> Config:
    """The configuration of a random-search trial."""
    return sample(np.random.default_rng(seed(dataset, trial)), space)


def plain(table: pd.DataFrame) -> list[Row]:
    """Rows of plain Python values, None where one is missing."""
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | list):
        return [float(one) for one in value]
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def difference(job: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first field that both have and that differs, as text; None where none does."""
    for name in job:
        ours, theirs = job[name], other.get(name)
        if name in other and ours != theirs:
            return f"{name} {theirs}, not {ours}"
    return None
