"""What a study costs: counted and forecast before it runs, compared with the fact afterwards.

Random search is known in advance (`plans.random_config`), so its images, steps and FLOPs are
counted. BOHB's configurations depend on its results: it settles early on one stride and one depth,
and which is chance, so that its cost differs several-fold between data sets. Only the mean over
many can be forecast. A BOHB trial is taken to cost what a random one does times a ratio: the mean
of the ratios recorded on the other data sets, or 1 where nothing is recorded.

The time of a training is taken to be a sum of counted terms (`TERMS`), each at a price that is not
negative. The prices come from about a minute of short trainings of the plan's own configurations on
random images, with as many processes side by side as the study will have. The trainer is a black
box here, no data set has to be there, and no recorded time is used. On a processor, its time is
what counts, so that other programs disturb a calibration little; a study that shares the machine
with them takes as much longer as they take from it.
"""

import math
import multiprocessing
import os
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
import torch

from hia import cnn, datasets, space, trainer, trials
from hia.study import plans, processes

FLOAT = 4  # bytes
# A training pass goes forward, back to the weights and back to the maps; validation only forward.
TRAINING_PASSES = 3
# A step reads the parameters forward and back and writes their gradients; then the optimizer reads
# parameters and gradients and writes parameters, Adam its two moments too.
TOUCHES = {"SGD": 3 + 3, "Adam": 3 + 7}

# What the time of a training is a sum of: term -> what it counts.
TERMS = {
    "trainings": "1: building the network, the first use of its kernels",
    "steps": "steps of the optimizer",
    "updates": "steps x parameters x how often each is read or written",
    "passes": "passes of one image",
    "pixels": "passes x numbers in an image",
    "maps": "passes x numbers in the convolutions' outputs",
    "first_flops": "FLOPs of the first convolution",
    "later_flops": "FLOPs of the other convolutions",
    "linear_flops": "FLOPs of the fully connected layers",
}
# What is counted beside the terms.
COUNTS = ("epoch", "parameters", "flops", "moved")

SLOT_SECONDS = 0.25  # for one configuration in a calibration
RANDOM_BYTES = 64 * 2**20  # of the random images of one shape in a calibration


class Device(NamedTuple):
    """A GPU's published rates. flops: float32 operations a second. bandwidth: bytes a second."""

    name: str
    flops: float
    bandwidth: float


GPUS = (
    # nvidia.com, GeForce RTX 3070 Ti: 6,144 cores, each a multiplication and an addition per cycle,
    # boost clock 1.77 GHz; GDDR6X on 256 bits at 19 Gbit/s.
    Device("RTX 3070 Ti", 2 * 6144 * 1.77e9, 256 / 8 * 19e9),
    # NVIDIA H100 Tensor Core GPU data sheet, SXM: FP32 67 teraFLOPS, 3.35 TB/s.
    Device("H100 SXM", 67e12, 3.35e12),
)
# Assumed, not measured: the share of the published rates that such small CNNs reach, and what the
# some sixty kernels of a step cost a process that launches them one by one.
GPU_EFFICIENCY = 0.25
GPU_STEP_SECONDS = 0.5e-3


# Counting ------------------------------------------------------------------------------------


def terms(
    config: Mapping[str, Any], facts: datasets.Facts, images: int, val_images: int
) -> dict[str, float]:
    """What training one CNN takes: `TERMS` and `COUNTS`.

    config: as from `hia.space.validate`, with the epochs that are run. images, val_images: training
    and validation images. flops: of the whole training, three forward passes for every training
    image and one for every validation image. moved: bytes read and written by convolutions,
    pooling and fully connected layers (input and output of each, in every pass) and by the steps.
    """
    blocks = cnn.blocks(config, facts.channels, facts.size)
    kernel, units = config["kernel"], config["num_fc_units"]
    features = blocks[-1].channels_out * blocks[-1].size_out ** 2
    inputs = [block.channels_in * block.size_in**2 for block in blocks]
    maps = [block.channels_out * block.size_conv**2 for block in blocks]
    pooled = [block.channels_out * block.size_out**2 for block in blocks]
    convolutions = [
        2 * numbers * block.channels_in * kernel**2
        for numbers, block in zip(maps, blocks, strict=True)
    ]
    linear = 2 * features * units + 2 * units * facts.classes
    weights = sum(block.channels_out * (block.channels_in * kernel**2 + 1) for block in blocks)
    parameters = weights + (features + 1) * units + (units + 1) * facts.classes
    pooling = sum(
        before + after
        for block, before, after in zip(blocks, maps, pooled, strict=True)
        if block.pooled
    )
    traffic = sum(inputs) + sum(maps) + pooling + features + 2 * units + facts.classes
    steps = config["epoch"] * math.ceil(images / config["batch_size"])
    passes = config["epoch"] * (TRAINING_PASSES * images + val_images)
    updates = steps * parameters * TOUCHES[config["optimizer"]]
    return {
        "trainings": 1,
        "steps": steps,
        "updates": updates,
        "passes": passes,
        "pixels": passes * inputs[0],
        "maps": passes * sum(maps),
        "first_flops": passes * convolutions[0],
        "later_flops": passes * sum(convolutions[1:]),
        "linear_flops": passes * linear,
        "epoch": config["epoch"],
        "parameters": parameters,
        "flops": passes * (sum(convolutions) + linear),
        "moved": FLOAT * (passes * traffic + updates),
    }


def count(
    plan: plans.Plan, table: pd.DataFrame | None = None, *, complete: bool = False
) -> pd.DataFrame:
    """What every CNN of a plan takes: one row per trial, random search exactly, BOHB on average.

    table: recorded trials, of whatever plan, for BOHB's ratios (see `bohb_ratios`). complete: where
    the plan says all images, count on the complete data set, not on what the file here holds.

    Columns: `dataset`, `source`, `trial`, `config` (None for BOHB), `images` and `val_images` (per
    epoch), and those of `terms`. Raises PlanError where a file has fewer images than are asked for.
    """
    ratios = bohb_ratios(table) if table is not None else _measures([])
    parts = []
    for name, part in plan.parts.items():
        images, val_images = split(name, part, complete=complete)
        drawn, proposed = (
            [number for number in range(part.models) if plan.source(number) == source]
            for source in trials.SOURCES
        )
        configs = [space.validate(plan.random_config(name, number)) for number in drawn]
        random = _measures(
            terms(config, datasets.FACTS[name], images, val_images) for config in configs
        )
        bohb = _measures([random.mean() * _mean_of_others(ratios, name)] * len(proposed))
        for source, numbers, of, rows in (
            ("random", drawn, configs, random),
            ("bohb", proposed, [None] * len(proposed), bohb),
        ):
            own = {"dataset": name, "source": source, "trial": numbers, "config": of}
            size = {"images": images, "val_images": val_images}
            parts.append(pd.DataFrame(own | size, index=rows.index).join(rows))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def split(name: str, part: plans.Part, *, complete: bool = False) -> tuple[int, int]:
    """Training and validation images of a data set, as `datasets.load` divides them.

    Without a file here, or where `complete`, of the complete data set. Raises PlanError where there
    are fewer images than the plan asks for.
    """
    available = datasets.FACTS[name].images if complete else available_images(name)
    total = part.max_images or available
    if total > available:
        raise plans.PlanError(
            f"{name}: max_images = {total:,} asked for, there are {available:,} images"
        )
    val_images = -(-total // datasets.VALIDATION_EVERY)
    return total - val_images, val_images


def available_images(name: str) -> int:
    """How many images the file of a data set holds; the complete data set's, where none is here.

    Raises DatasetError for a damaged file.
    """
    path = datasets.default_folder() / f"{name}.npz"
    if name == "digits" or not path.is_file():
        return datasets.FACTS[name].images
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return len(archive["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise datasets.DatasetError(f"{path}: cannot be read, damaged? ({error})") from error


def data_bytes(name: str, images: int) -> int:
    """Memory of so many images with their labels, ready for the trainer."""
    facts = datasets.FACTS[name]
    return images * (FLOAT * facts.channels * facts.size**2 + 8)


def bohb_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """What a BOHB trial took on average, divided by what a random one did, on every data set.

    table: recorded trials. Only configurations, epochs and images are used, no time and no
    accuracy. One row per data set that has both sources, with the columns of `terms`.
    """
    bohb, random = _means(table)
    return bohb / random.where(random > 0)  # a term that no random trial has gives no ratio


def _means(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean terms of the BOHB and of the random trials, by data set, where there are both."""
    taken = _measures(map(_taken, table.to_dict("records")))
    means = taken.groupby([table["source"].to_numpy(), table["dataset"].to_numpy()]).mean()
    bohb, random = (
        means[means.index.get_level_values(0) == source].droplevel(0)
        for source in ("bohb", "random")
    )
    both = bohb.index.intersection(random.index)
    return bohb.loc[both], random.loc[both]


def _taken(row: Mapping[Any, Any]) -> dict[str, float]:
    config = space.validate({name: row[name] for name in space.SAMPLED if not pd.isna(row[name])})
    return terms(config, datasets.FACTS[row["dataset"]], row["images"], row["val_images"])


def _measures(rows: Iterable[Mapping[Any, float] | pd.Series]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=[*TERMS, *COUNTS]).reset_index(drop=True)


def _mean_of_others(ratios: pd.DataFrame, name: str) -> pd.Series:
    """A data set's own outcome is no part of its forecast."""
    result: pd.Series = ratios.drop(index=name, errors="ignore").mean().fillna(1.0)
    return result


# Time ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """What a minute of trainings on this machine gave.

    prices: seconds per unit of each term. error: root mean square, over the shapes of image, of the
    relative difference between forecast and measured time. timings: how many it is from. share: of
    a processor that each worker had, 1 on a quiet machine. peak: bytes of a worker that trains the
    largest networks, without the images.
    """

    prices: pd.Series
    error: float
    timings: int
    workers: int
    device: str
    share: float
    peak: int

    def seconds(self, counted: pd.DataFrame) -> pd.Series:
        """Expected training time of each row of a table with the columns of `TERMS`."""
        result: pd.Series = counted[list(TERMS)].astype(float) @ self.prices
        return result

    def hours(self, counted: pd.DataFrame) -> float:
        """Expected hours of all, with the workers of the calibration."""
        side_by_side = self.workers
        if self.device == "cpu":
            side_by_side = min(self.workers, _cores())
        return float(self.seconds(counted).sum()) / 3600 / side_by_side


class _Job(NamedTuple):
    """One configuration to time, on images like those of a data set."""

    dataset: str
    config: space.Config
    images: int


class _Timed(NamedTuple):
    """What one process measured; `share` and `peak` as in `Calibration`."""

    rows: list[dict[str, Any]]
    share: float
    peak: int


def calibrate(
    counted: pd.DataFrame,
    *,
    seconds: float = 60,
    workers: int = 1,
    device: str = "auto",
    precision: str = "float32",
) -> Calibration:
    """Time short trainings of a plan's random configurations on this machine.

    counted: from `count`. seconds: how long. workers: as many processes train side by side, since
    they share caches and memory. Raises ValueError for wrong options and RuntimeError where a
    process fails.
    """
    if workers < 1:
        raise ValueError(f"workers: {workers} is not a positive number")
    if not seconds > 0:
        raise ValueError(f"calibrate: {seconds} is not a positive number of seconds")
    device = trainer.resolve_device(device)
    trainer.check_precision(precision, device)
    largest, jobs = _jobs(counted)
    given = _side_by_side(largest, jobs, seconds, workers, device, precision)
    measured = pd.DataFrame([row for timed in given for row in timed.rows])
    prices = _prices(measured[list(TERMS)].to_numpy(float), measured["seconds"].to_numpy())
    expected = measured[list(TERMS)] @ prices
    sums = measured.assign(expected=expected).groupby("shape")[["expected", "seconds"]].sum()
    error = float(np.sqrt(np.mean((sums["expected"] / sums["seconds"] - 1) ** 2)))
    share = float(np.mean([timed.share for timed in given]))
    peak = max(timed.peak for timed in given)
    return Calibration(prices, error, len(measured), workers, device, share, peak)


def _jobs(counted: pd.DataFrame) -> tuple[list[_Job], list[_Job]]:
    """The largest networks of a plan; and all of random search, so that any beginning spans it.

    The costly are likelier to come early: drawn without replacement, weighted by the square root of
    FLOPs. The shapes of image take turns.
    """
    random = counted[counted["source"] == "random"]
    batch = random["config"].map(lambda config: config["batch_size"])
    maps = (random["maps"] / random["passes"] * batch).astype(float)
    largest = random.loc[[random["parameters"].astype(float).idxmax(), maps.idxmax()]]
    rng = np.random.default_rng(0)
    turns = []
    for _, rows in random.groupby(random["dataset"].map(_shape), sort=False):
        weights = np.sqrt(rows["flops"].to_numpy(float))
        order = rng.choice(len(rows), len(rows), replace=False, p=weights / weights.sum())
        turns.append(rows.iloc[order].assign(turn=range(len(rows))))
    mixed = pd.concat(turns).sort_values("turn", kind="stable")
    return _as_jobs(largest), _as_jobs(mixed)


def _as_jobs(rows: pd.DataFrame) -> list[_Job]:
    return [_Job(*row) for row in rows[["dataset", "config", "images"]].itertuples(index=False)]


def _shape(name: str) -> tuple[int, int]:
    return datasets.FACTS[name].channels, datasets.FACTS[name].size


def _prices(x: np.ndarray, seconds: np.ndarray) -> pd.Series:
    """Non-negative least squares of the relative errors.

    x: (n, len(TERMS)). seconds: (n,). Relative to the fitted times, in the second and third round:
    relative to the measured ones, slow outliers would count little and the sum come out too low.
    """
    from scipy.optimize import nnls  # here: the timed processes carry what a worker does, no more

    scale = x.max(axis=0)
    scale[scale == 0] = 1
    expected = seconds
    for _ in range(3):
        prices = nnls(x / scale / expected[:, None], seconds / expected)[0] / scale
        expected = np.maximum(x @ prices, seconds.min())
    return pd.Series(prices, index=list(TERMS))


def _side_by_side(
    largest: Sequence[_Job],
    jobs: Sequence[_Job],
    seconds: float,
    workers: int,
    device: str,
    precision: str,
) -> list[_Timed]:
    """What `_time_jobs` gives in each of so many processes at the same time."""
    together = multiprocessing.get_context("spawn").Barrier(workers)
    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(workers)]
    arguments = [
        (theirs, together, largest, jobs[index::workers] or jobs, seconds, device, precision)
        for index, (_, theirs) in enumerate(pipes)
    ]
    with processes.spawned(_time_jobs, arguments):
        for _, theirs in pipes:
            theirs.close()  # so that a process that dies is an end of file
        given: list[_Timed] = []
        waiting = [ours for ours, _ in pipes]
        try:
            while waiting:
                ready = wait(waiting)  # not one after the other: the first may wait for a dead one
                given.extend(ours.recv() for ours in waiting if ours in ready)
                waiting = [ours for ours in waiting if ours not in ready]
        except EOFError:
            raise RuntimeError("a calibration process failed (its message is above)") from None
    return given


def _time_jobs(
    pipe: Connection,
    together: Barrier,
    largest: Sequence[_Job],
    jobs: Sequence[_Job],
    seconds: float,
    device: str,
    precision: str,
) -> None:
    """Time jobs until the time is up, at least one of every shape; send a `_Timed`."""
    torch.set_num_threads(1)
    pools = {shape: _pool(shape, device) for shape in sorted({_shape(job.dataset) for job in jobs})}
    for job in largest:  # untimed: this warms up, and shows the peak
        _epochs(job, _like(job, job.config["batch_size"], pools[_shape(job.dataset)]), 0, precision)
    together.wait()
    start, own = time.perf_counter(), time.process_time()
    rows: list[dict[str, Any]] = []
    for done, job in enumerate(jobs):
        if done >= len(pools) and time.perf_counter() - start > seconds:
            break
        rows.extend(_time_job(job, pools[_shape(job.dataset)], precision))
    share = (time.process_time() - own) / (time.perf_counter() - start)
    held = sum(pool.nbytes for pool in pools.values())
    peak = torch.cuda.max_memory_reserved() if device == "cuda" else _peak_bytes()
    pipe.send(_Timed(rows, share, peak - held))


def _time_job(job: _Job, pool: torch.Tensor, precision: str) -> list[dict[str, Any]]:
    """Two rows of terms and seconds: a first epoch, and a later one.

    The first training, of one step an epoch, also shows how many images there is time for.
    """
    images = job.config["batch_size"]
    first, *later = _epochs(job, _like(job, images, pool), SLOT_SECONDS, precision)
    rows = [_timed(job, images, first, is_first=True)]
    room = min(SLOT_SECONDS / 3 / float(np.mean(later)), min(job.images, len(pool)) / images)
    if room >= 2:
        images = int(images * room)
        _, *later = _epochs(job, _like(job, images, pool), SLOT_SECONDS, precision)
    rows.append(_timed(job, images, float(np.mean(later)), is_first=False))
    return rows


def _timed(job: _Job, images: int, seconds: float, *, is_first: bool) -> dict[str, Any]:
    taken = terms(job.config | {"epoch": 1}, datasets.FACTS[job.dataset], images, _quarter(images))
    taken["trainings"] = int(is_first)
    return {"shape": _shape(job.dataset), **taken, "seconds": seconds}


def _epochs(job: _Job, data: datasets.Dataset, slot: float, precision: str) -> list[float]:
    """Seconds of each epoch of a training that ends after `slot` seconds and at least two."""
    clock = time.process_time if data.train_images.device.type == "cpu" else time.perf_counter
    stamps = [clock()]

    def enough(epoch: int, _: float) -> bool:
        stamps.append(clock())
        return epoch >= 2 and stamps[-1] - stamps[0] >= slot

    config = job.config | {"epoch": plans.MAX_EPOCHS}
    trainer.train(config, data, 0, enough, precision=precision)
    return [float(epoch) for epoch in np.diff(stamps)]


def _quarter(images: int) -> int:
    """Validation images to so many training images: 8:2."""
    return max(1, images // (datasets.VALIDATION_EVERY - 1))


def _like(job: _Job, images: int, pool: torch.Tensor) -> datasets.Dataset:
    """So many random images, with labels, in place of a data set's."""
    facts = datasets.FACTS[job.dataset]
    labels = torch.arange(images, device=pool.device) % facts.classes
    val = _quarter(images)
    return datasets.Dataset(
        name=job.dataset,
        train_images=pool[:images],
        train_labels=labels,
        val_images=pool[:val],
        val_labels=labels[:val],
        n_classes=facts.classes,
        channels=facts.channels,
        size=facts.size,
        sha256="",
    )


def _pool(shape: tuple[int, int], device: str) -> torch.Tensor:
    """Random images of one shape, as many as a fixed memory holds, and a batch at least."""
    channels, size = shape
    most = max(space.SPACE["batch_size"].bounds[1], RANDOM_BYTES // (FLOAT * channels * size**2))
    shape_of_all = (int(most), channels, size, size)
    images = torch.empty(shape_of_all, device=device, memory_format=torch.channels_last)
    return images.normal_()


def _cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _peak_bytes() -> int:
    """The largest memory that this process has had."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    return int(psutil.Process().memory_info().rss)


# Forecast and fact ---------------------------------------------------------------------------


def summary(counted: pd.DataFrame) -> pd.DataFrame:
    """A plan's work by data set and source, in the plan's order, and in total.

    counted: from `count`, with `seconds` where the time is known. Columns: `models`; `images` and
    `val_images` of each; `epochs`, `steps`, `tflops` (10^12 operations) and `hours` (core-hours),
    summed; `parameters`, the mean. Index: (data set, source), and ("total", "").
    """
    groups = counted.groupby(["dataset", "source"], sort=False)
    result = groups.agg(
        models=("trial", "size"),
        images=("images", "first"),
        val_images=("val_images", "first"),
        epochs=("epoch", "sum"),
        steps=("steps", "sum"),
        tflops=("flops", "sum"),
        parameters=("parameters", "mean"),
    )
    result["tflops"] /= 1e12
    if "seconds" in counted:
        result["hours"] = groups["seconds"].sum() / 3600
    total = result.sum()
    total[["images", "val_images"]] = np.nan
    total["parameters"] = counted["parameters"].mean()
    result.loc[("total", ""), :] = total
    return result


def per_trial(counted: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """A forecast to keep: `dataset`, `source`, `trial`, `images`, `val_images` and `seconds`."""
    columns = ["dataset", "source", "trial", "images", "val_images"]
    return counted[columns].assign(seconds=calibration.seconds(counted))


def spread(counted: pd.DataFrame, calibration: Calibration, table: pd.DataFrame | None) -> float:
    """Twice the relative standard error of a forecast's total.

    Of two parts: the calibration's error, as if it were the same on all data sets; and BOHB's
    ratio, which deviates on every data set by itself, and whose mean is that of few. Its standard
    deviation is that of the recorded ratios or, where there are not two, as large as the ratio.
    """
    seconds = calibration.seconds(counted)
    bohb = seconds[counted["source"] == "bohb"].groupby(counted["dataset"]).sum()
    deviation, known = 1.0, 1
    if table is not None:
        taken, random = map(calibration.seconds, _means(table))
        ratios = taken / random
        if len(ratios) > 1:
            deviation, known = float(ratios.std() / ratios.mean()), len(ratios)
    squares = float((bohb**2).sum() + bohb.sum() ** 2 / known) / float(seconds.sum()) ** 2
    return 2 * math.sqrt(calibration.error**2 + deviation**2 * squares)


def gpu_hours(counted: pd.DataFrame, gpu: Device) -> tuple[float, float]:
    """Hours on a GPU by its published rates at `GPU_EFFICIENCY`: kept busy, and with one worker.

    Every training is bound by arithmetic or by memory, whichever takes longer; one worker that
    launches the kernels waits `GPU_STEP_SECONDS` a step on top.
    """
    arithmetic = counted["flops"] / (gpu.flops * GPU_EFFICIENCY)
    memory = counted["moved"] / (gpu.bandwidth * GPU_EFFICIENCY)
    busy = float(np.maximum(arithmetic, memory).sum())
    alone = busy + float(counted["steps"].sum()) * GPU_STEP_SECONDS
    return busy / 3600, alone / 3600


def compare(table: pd.DataFrame, forecast: pd.DataFrame, workers: int = 1) -> pd.DataFrame:
    """Forecast and fact by data set, in the forecast's order, and in total.

    table: recorded trials. forecast: one row per trial of the plan, with `dataset`, `trial`,
    `images`, `val_images` and `seconds`. Only what was recorded is compared, so a study may be
    under way: the trials of the plan, on as many images. The fact is processor time where that is
    recorded, the forecast being for a quiet machine; else wall time. workers: how many trained side
    by side.

    Returns columns `models`, `forecast_hours` and `hours` (core-hours), `forecast_wall_hours` and
    `wall_hours` (core-hours / workers), and `error`, forecast / fact - 1; the index is the data
    set, the last row "total". No rows where no trial of the plan is recorded.
    """
    measured = table[table["cpu_seconds"].notna()]
    if len(measured):
        table = measured.assign(seconds=measured["cpu_seconds"])
    key = ["dataset", "trial", "images", "val_images"]
    both = forecast[[*key, "seconds"]].merge(table[[*key, "seconds"]], on=key)
    groups = both.groupby("dataset", sort=False)
    result = groups.agg(
        models=("trial", "size"), forecast_hours=("seconds_x", "sum"), hours=("seconds_y", "sum")
    )
    if len(result):
        result.loc["total"] = result.sum()
    result["models"] = result["models"].astype("int64")
    result[["forecast_hours", "hours"]] /= 3600
    result["forecast_wall_hours"] = result["forecast_hours"] / workers
    result["wall_hours"] = result["hours"] / workers
    result["error"] = result["forecast_hours"] / result["hours"] - 1
    return result


# What `hia plan` prints ----------------------------------------------------------------------


def describe_counts(counted: pd.DataFrame, table: pd.DataFrame | None) -> str:
    """Models, images, steps, FLOPs and bytes, as text."""
    work = _as_text(summary(counted.drop(columns="seconds", errors="ignore")).reset_index())
    memory = []
    for name, images in _images(counted).items():
        complete = datasets.FACTS[name].images
        mib = _mib(data_bytes(name, images))
        memory.append({"dataset": name, "images": images, "complete": complete, "in memory": mib})
    largest = float(counted.loc[counted["source"] == "random", "parameters"].max())
    return "\n".join(
        [
            work,
            "",
            "random: counted. bohb: expected, " + _how_bohb(counted, table),
            "images, val_images: of each CNN; parameters: mean; tflops: 10^12 operations",
            "",
            _as_text(pd.DataFrame(memory)),
            "",
            f"parameters of the largest CNN: {largest:,.0f}, {_mib(FLOAT * largest)}; with "
            f"gradients and the moments of Adam {_mib(4 * FLOAT * largest)}",
        ]
    )


def _how_bohb(counted: pd.DataFrame, table: pd.DataFrame | None) -> str:
    ratios = bohb_ratios(table) if table is not None else _measures([])
    used = [_mean_of_others(ratios, name)["flops"] for name in _images(counted)]
    if not len(ratios):
        return "assumed to cost what random search does; no recorded trials say otherwise"
    return (
        f"FLOPs of a random trial x {min(used):.2f} to {max(used):.2f}, the means of the other "
        f"recorded data sets, which are at {ratios['flops'].min():.2f} to "
        f"{ratios['flops'].max():.2f}"
    )


def describe_time(
    counted: pd.DataFrame, calibration: Calibration, table: pd.DataFrame | None
) -> str:
    """Hours here and on the GPUs, and a worker's memory, as text."""
    priced = counted.assign(seconds=calibration.seconds(counted))
    by_source = summary(priced)["hours"].drop("total").reset_index()
    by_source = by_source.pivot_table("hours", "dataset", "source", "sum", sort=False)
    by_source["both"] = by_source.sum(axis=1)
    by_source.loc["total"] = by_source.sum()
    hours = calibration.hours(counted)
    share = spread(counted, calibration, table)
    workers = calibration.workers
    data = max(data_bytes(name, images) for name, images in _images(counted).items())
    lines = [
        "core-hours of training and validation, without Optuna's share:",
        _as_text(by_source.reset_index()),
        "",
        f"{calibration.device}, {_plural(workers, 'worker')}: {_time(hours)}, range "
        f"{_time(hours * max(0, 1 - share))} to {_time(hours * (1 + share))} (two standard errors: "
        f"of BOHB's ratio, and of the calibration: {_plural(calibration.timings, 'timing')}, off "
        f"by {calibration.error:.0%} between the shapes of image)",
        f"each worker had {calibration.share:.0%} of a core meanwhile; the hours are those of a "
        "quiet machine",
        f"{'GPU ' * (calibration.device == 'cuda')}memory of a worker at its peak: "
        f"{_mib(calibration.peak + data)}, of which the largest data set {_mib(data)}",
        f"GPUs, not measured: published float32 rate and bandwidth, {GPU_EFFICIENCY:.0%} of them "
        f"assumed to be reached, and {GPU_STEP_SECONDS * 1e3} ms a step to launch its kernels",
    ]
    for gpu in GPUS:
        busy, alone = gpu_hours(counted, gpu)
        lines.append(
            f"  {gpu.name} ({gpu.flops / 1e12:.1f} TFLOP/s, {gpu.bandwidth / 1e9:,.0f} GB/s): "
            f"{_time(busy)} kept busy by several workers, {_time(alone)} with one"
        )
    return "\n".join(lines)


def describe_fact(table: pd.DataFrame, forecast: pd.DataFrame, workers: int) -> str:
    """`compare`, as text; or that nothing of the plan is recorded."""
    comparison = compare(table, forecast, workers)
    if not len(comparison):
        return "no CNN of this plan is recorded yet"
    shown = comparison.assign(error=comparison["error"].map("{:+.0%}".format))
    return "\n".join(
        [
            f"forecast and fact, core-hours and hours with {_plural(workers, 'worker')}:",
            _as_text(shown.reset_index()),
            "trained on: " + "; ".join(sorted(set(table["processor"]))),
        ]
    )


def _images(counted: pd.DataFrame) -> dict[str, int]:
    """Images of each data set, training and validation."""
    first = counted.groupby("dataset", sort=False)[["images", "val_images"]].first()
    return {str(name): int(images) for name, images in first.sum(axis=1).items()}


def _as_text(table: pd.DataFrame) -> str:
    shown = table.copy()
    for name in map(str, table.select_dtypes("number")):
        exact = name in ("tflops", *trials.SOURCES, "both") or name.endswith("hours")
        shown[name] = table[name].map(_three_decimals if exact else _whole)
    return shown.to_string(index=False, na_rep="")


def _whole(number: float) -> str:
    return "" if math.isnan(number) else f"{number:,.0f}"


def _three_decimals(number: float) -> str:
    return "" if math.isnan(number) else f"{number:,.3f}"


def _time(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:,.1f} minutes"


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _mib(number: float) -> str:
    return f"{number / 2**20:,.0f} MiB"
