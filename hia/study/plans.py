"""What a study trains: plans, tables of configurations, and the jobs that follow from them.

A job is what is known of a CNN before it is trained: data set, configuration (but for BOHB, which
proposes one when it is trained), numbers of images, seed, precision. With `images_sha256` and
`kernels` it also says on what, so that equal jobs give equal rows on the same kind of processor.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
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

Row = dict[str, Any]
Here = Mapping[str, Mapping[str, Any]]
Space = Mapping[str, Hyperparameter]

# What a plan can search by, and of every ten trials of a data set, how many are random search.
SEARCHES = {"both": 7, "random": 10}
TRAINED_ON = ("images_sha256", "kernels")  # of a job; a row does not have them
PROPOSED = tuple(name for name in SAMPLED if name != "epoch")  # by BOHB; its budget are epochs
MAX_EPOCHS = int(SPACE["epoch"].bounds[1])
MAX_MODELS = 100_000  # of one data set; the paper has 1,500


class PlanError(ValueError):
    """A plan that cannot be run."""


@dataclass(frozen=True)
class Series:
    """CNNs of one data set that share an Optuna study.

    name: of the study. jobs: by the values of their key columns, as text. key: these columns.
    space: what BOHB draws from.
    """

    name: str
    dataset: str
    jobs: dict[str, Row]
    key: tuple[str, ...]
    space: Space

    @property
    def bohb(self) -> bool:
        return self.name.endswith("/bohb")

    def key_of(self, row: Mapping[Any, Any]) -> str:
        """What the CNN of a row is found by."""
        return "/".join(str(row[name]) for name in self.key)


@dataclass(frozen=True)
class Plan:
    """All that a study trains.

    text: of a plan, the file as read. table: the name of its export. columns: of that.
    """

    name: str
    series: list[Series]
    columns: tuple[str, ...]
    table: str
    text: str = ""

    @property
    def jobs(self) -> list[Row]:
        return [job for one in self.series for job in one.jobs.values()]

    @property
    def models(self) -> int:
        return sum(len(one.jobs) for one in self.series)

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(one.dataset for one in self.series))

    def on(self, here: Here) -> "Plan":
        """The plan on the images of this machine.

        here: by data set, what `processes.describe_images` says of them; jobs get all of it but
        `available`. A job of a plan without `max_images` is of all images.
        Raises PlanError where a data set has fewer images than are asked for.
        """
        return replace(self, series=[_on(one, dict(here[one.dataset])) for one in self.series])


def _on(series: Series, images: Row) -> Series:
    available = images.pop("available")
    jobs = {key: _split(available) | job | images for key, job in series.jobs.items()}
    most = max((job["images"] + job["val_images"] for job in jobs.values()), default=0)
    if most > available:
        raise PlanError(f"{series.dataset}: {most:,} images are asked for, there are {available:,}")
    return replace(series, jobs=jobs)


def _split(total: int) -> Row:
    """Training and validation images, as `datasets.load` divides them."""
    val_images = -(-total // datasets.VALIDATION_EVERY)
    return {"images": total - val_images, "val_images": val_images}


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read what a study is to train.

    A TOML file is a plan, with one table [datasets.NAME] per data set. Its keys are `models`, the
    number of CNNs, and, optionally, `max_images`, the number of images to use, a fifth of them for
    validation. Before the tables may stand `precision`, "float32" (the default) or "bf16", and
    `search`, "both" (the default: seven of ten trials by random search, three by BOHB) or "random".
    A table [space.NAME] with `log = false` draws a hyperparameter uniformly that Table 1 draws on
    its logarithm, `log = true` the reverse. A CSV file is a table of configurations, see
    `hia.trials.read_given`.

    Raises PlanError naming the file and the key at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"{path}: there is no such plan")
    if path.suffix == ".csv":
        try:
            return given(path.stem, trials.read_given(path))
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
    space = _read_space(path, content.get("space", {}))
    series = []
    for name, part in content["datasets"].items():
        _check_part(f"{path}: [datasets.{name}]", name, part)
        shared = {"dataset": name, "in_channel_num": datasets.FACTS[name].channels}
        shared |= {"precision": precision, "lr_scale": SCALES[space["lr"].log]}
        if "max_images" in part:
            shared |= _split(part["max_images"])
        jobs: dict[str, dict[str, Row]] = {kind: {} for kind in trials.SOURCES}
        for trial in range(part["models"]):
            kind = source(trial, search)
            job: Row = shared | {"source": kind, "trial": trial, "seed": seed(name, trial)}
            if kind == "random":
                job |= dict.fromkeys(FILTERS) | validate(random_config(name, trial, space))
            jobs[kind][str(trial)] = job
        series += [Series(f"{name}/{kind}", name, jobs[kind], ("trial",), space) for kind in jobs]
    return Plan(path.stem, series, tuple(trials.COLUMNS), "trials", text)


def given(name: str, rows: pd.DataFrame) -> Plan:
    """The training of a table of configurations, each with its images, seed and precision."""
    key = trials.key_columns(rows)
    # Those on the same images follow each other: a worker holds one data set at a time.
    jobs = sorted(
        plain(rows), key=lambda job: (job["in_channel_num"], job["images"], job["val_images"])
    )
    series = []
    for dataset in rows["dataset"].unique():
        one = Series(f"{name}/{dataset}", dataset, {}, key, SPACE)
        own = {one.key_of(job): job for job in jobs if job["dataset"] == dataset}
        series.append(replace(one, jobs=own))
    return Plan(name, series, tuple(trials.columns(key)), table=name)


def _check_part(where: str, name: str, part: object) -> None:
    if name not in datasets.FACTS:
        raise PlanError(f"{where}: unknown data set; known are {', '.join(datasets.FACTS)}")
    if not isinstance(part, dict) or set(part) - {"models", "max_images"}:
        raise PlanError(f"{where}: may hold `models` and `max_images` only")
    for key, value in ({"models": None} | part).items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise PlanError(f"{where}: {key} must be a positive integer, not {value!r}")
    if part["models"] > MAX_MODELS:
        raise PlanError(f"{where}: models must be at most {MAX_MODELS:,}, not {part['models']:,}")


def _read_space(path: Path, content: object) -> dict[str, Hyperparameter]:
    """Table 1 with the scales that a plan states."""
    if not isinstance(content, dict):
        raise PlanError(f"{path}: space must hold tables [space.NAME], not {content!r}")
    space = dict(SPACE)
    for name, part in content.items():
        where = f"{path}: [space.{name}]"
        if name not in SAMPLED:
            raise PlanError(f"{where}: unknown hyperparameter; known are {', '.join(SAMPLED)}")
        if not isinstance(part, dict) or set(part) != {"log"} or not isinstance(part["log"], bool):
            raise PlanError(f"{where}: must hold `log = true` or `log = false` and nothing else")
        row = SPACE[name]
        if part["log"] and (row.kind != "float" or row.bounds[0] <= 0):
            raise PlanError(f"{where}: log = true needs a range of positive numbers")
        space[name] = replace(row, log=part["log"])
    return space


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
