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

from hia import datasets, space, trials

Row = dict[str, Any]
Here = Mapping[str, Mapping[str, Any]]
Space = Mapping[str, space.Hyperparameter]

# What a plan can search by, and of every ten trials of a data set, how many are random search.
SEARCHES = {"both": 7, "random": 10}
TRAINED_ON = ("images_sha256", "kernels")  # of a job; a row does not have them
PROPOSED = tuple(name for name in space.SAMPLED if name != "epoch")  # by BOHB
MAX_EPOCHS = int(space.SPACE["epoch"].bounds[1])
MAX_MODELS = 100_000  # of one data set; the paper has 1,500


class PlanError(ValueError):
    """A plan that cannot be run."""


@dataclass(frozen=True)
class Series:
    """CNNs of one data set that share an Optuna study of this name.

    jobs: by the values of their key columns, as text. space: what BOHB draws from.
    """

    name: str
    dataset: str
    jobs: dict[str, Row]
    key: tuple[str, ...]
    space: Space

    @property
    def bohb(self) -> bool:
        """Whether its CNNs are those of BOHB, which draws them as it goes."""
        return self.name.endswith("/bohb")

    def key_of(self, row: Row) -> str:
        """The key in `jobs` of a row or job."""
        return "/".join(str(row[name]) for name in self.key)


@dataclass(frozen=True)
class Plan:
    """All that a study trains. columns: of its export, called `table`. text: the file as read."""

    name: str
    series: list[Series]
    columns: list[str]
    table: str
    text: str = ""

    @property
    def jobs(self) -> list[Row]:
        """Of all series, in their order."""
        return [job for one in self.series for job in one.jobs.values()]

    @property
    def models(self) -> int:
        """How many CNNs it trains."""
        return len(self.jobs)

    @property
    def datasets(self) -> list[str]:
        """The names of the data sets, each once."""
        return list(dict.fromkeys(one.dataset for one in self.series))

    def on(self, here: Here) -> "Plan":
        """The plan on the images of this machine.

        here: by data set, what `processes.describe_images` says of them; jobs get all of it but
        `available`. A job of a plan without `max_images` is of all images.
        Raises PlanError where a data set has fewer images than are asked for.
        """
        return replace(self, series=[_on(one, **here[one.dataset]) for one in self.series])


def _on(series: Series, available: int, **images: Any) -> Series:
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
    `hia.trials.read_given`. Raises PlanError naming the file and the key at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"{path}: there is no such plan")
    try:
        if path.suffix == ".csv":
            return given(path.stem, trials.read_given(path))
        text = path.read_text(encoding="utf-8")
        return _read_plan(path.stem, tomllib.loads(text), text)
    except trials.TrialsError as error:
        raise PlanError(str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from error
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None


def _read_plan(name: str, content: Row, text: str) -> Plan:
    parts = content.get("datasets")
    if content.keys() - {"datasets", "precision", "search", "space"} or not (
        isinstance(parts, dict) and parts
    ):
        raise PlanError(
            "must hold tables [datasets.NAME] and nothing else but `precision`, `search` and "
            "tables [space.NAME]"
        )
    for option, known in (("search", [*SEARCHES]), ("precision", space.PRECISIONS)):
        if content.setdefault(option, known[0]) not in known:
            raise PlanError(f"{option}: {content[option]!r} is not one of {', '.join(known)}")
    table1 = _read_space(content.get("space", {}))
    series = []
    for dataset, part in parts.items():
        _check_part(f"[datasets.{dataset}]", dataset, part)
        shared = {"dataset": dataset, "in_channel_num": datasets.FACTS[dataset].channels}
        shared["precision"] = content["precision"]
        shared["lr_scale"] = space.SCALES[table1["lr"].log]
        if "max_images" in part:
            shared |= _split(part["max_images"])
        jobs: dict[str, dict[str, Row]] = {kind: {} for kind in trials.SOURCES}
        for trial in range(part["models"]):
            kind = source(trial, content["search"])
            job = shared | {"source": kind, "trial": trial, "seed": seed(dataset, trial)}
            if kind == "random":
                config = space.validate(random_config(dataset, trial, table1))
                job |= dict.fromkeys(space.FILTERS) | config
            jobs[kind][str(trial)] = job
        series += [
            Series(f"{dataset}/{kind}", dataset, jobs[kind], ("trial",), table1) for kind in jobs
        ]
    return Plan(name, series, [*trials.COLUMNS], "trials", text)


def given(name: str, rows: pd.DataFrame) -> Plan:
    """The training of a table of configurations, each with its images, seed and precision."""
    key = trials.key_columns(rows)
    # Those on the same images follow each other: a worker holds one data set at a time.
    rows = rows.sort_values(["in_channel_num", "images", "val_images"], kind="stable")
    series = []
    for dataset, own in rows.groupby("dataset"):
        one = Series(f"{name}/{dataset}", str(dataset), {}, key, space.SPACE)
        one.jobs.update((one.key_of(job), job) for job in plain(own))
        series.append(one)
    return Plan(name, series, trials.columns(key), name)


def _check_part(where: str, name: str, part: Any) -> None:
    if name not in datasets.FACTS:
        raise PlanError(f"{where}: unknown data set; known are {', '.join(datasets.FACTS)}")
    if not isinstance(part, dict) or part.keys() - {"models", "max_images"}:
        raise PlanError(f"{where}: may hold `models` and `max_images` only")
    for key in ("models", *part):
        if type(part.get(key)) is not int or part[key] < 1:
            raise PlanError(f"{where}: {key} must be a positive integer, not {part.get(key)!r}")
    if part["models"] > MAX_MODELS:
        raise PlanError(f"{where}: models must be at most {MAX_MODELS:,}, not {part['models']:,}")


def _read_space(content: Any) -> dict[str, space.Hyperparameter]:
    """Table 1 with the scales that a plan states."""
    if not isinstance(content, dict):
        raise PlanError(f"space must hold tables [space.NAME], not {content!r}")
    table1 = dict(space.SPACE)
    for name, part in content.items():
        where = f"[space.{name}]"
        if name not in space.SAMPLED:
            known = ", ".join(space.SAMPLED)
            raise PlanError(f"{where}: unknown hyperparameter; known are {known}")
        if part not in ({"log": True}, {"log": False}) or type(part["log"]) is not bool:
            raise PlanError(f"{where}: must hold `log = true` or `log = false` and nothing else")
        if part["log"] and (table1[name].kind != "float" or table1[name].bounds[0] <= 0):
            raise PlanError(f"{where}: log = true needs a range of positive numbers")
        table1[name] = replace(table1[name], log=part["log"])
    return table1


def source(trial: int, search: str = "both") -> str:
    """Of every ten trials of a data set, seven are random search and three BOHB (Section 4.1)."""
    return "random" if trial % 10 < SEARCHES[search] else "bohb"


def seed(dataset: str, trial: int) -> int:
    """The seed of a trial, the same on every machine: 0 <= seed < 2**32."""
    return int(hashlib.sha256(f"{dataset}/{trial}".encode()).hexdigest()[:8], 16)


def random_config(dataset: str, trial: int, table1: Space = space.SPACE) -> space.Config:
    """The configuration of a random-search trial."""
    return space.sample(np.random.default_rng(seed(dataset, trial)), table1)


def plain(table: pd.DataFrame) -> list[Row]:
    """Rows of plain Python values, None where one is missing."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return [float(one) for one in value] if isinstance(value, np.ndarray | list) else value


def difference(job: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first field that both have and that differs, as text; None where none does."""
    for name in job:
        if name in other and job[name] != other[name]:
            return f"{name} {other[name]}, not {job[name]}"
    return None
