"""What a study costs: counted before it runs, priced by short trainings, compared with the fact.

The work of random search is known in advance. A BOHB trial counts as a random one times the mean
ratio on the other recorded data sets, or 1 where nothing is recorded. The prices come from the
plan's configurations on random images, so no data set has to be there. On a processor its own time
counts, which other programs lengthen little.
"""

import math
import multiprocessing
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch
from sklearn.linear_model import LinearRegression

from hia import cnn, datasets, space, trainer
from hia.study import plans, processes

# The time of a training is the sum of these, each at a price. weights: steps x parameters. maps:
# numbers that the layers read and write in all passes. flops: of all passes.
TERMS = ["steps", "weights", "maps", "flops"]
COUNTS = [*TERMS, "epoch", "parameters"]
SLOT_SECONDS, SLOT_FLOPS = 0.25, 5 * 10**9  # of a short training; of an epoch forward

# float32 operations and bytes a second. RTX 3070 Ti (nvidia.com): 6,144 cores, each a
# multiplication and an addition per cycle at 1.77 GHz; 256 bits at 19 Gbit/s. H100: its data sheet.
GPUS = {"RTX 3070 Ti": (2 * 6144 * 1.77e9, 256 / 8 * 19e9), "H100 SXM": (67e12, 3.35e12)}
# Assumed, not measured: the share of these rates that small CNNs reach, how often a step reads or
# writes a parameter (Adam), and how long a process takes to launch the kernels of a step.
GPU_EFFICIENCY, GPU_TOUCHES, GPU_STEP_SECONDS = 0.25, 10, 0.5e-3


def terms(row: Mapping[Any, Any]) -> dict[str, float]:
    """`COUNTS` of one training, from its configuration, data set and numbers of images."""
    facts, channels, images = datasets.FACTS[row["dataset"]], row["in_channel_num"], row["images"]
    blocks = cnn.blocks(row, channels, facts.size)
    units, features = row["num_fc_units"], blocks[-1].channels_out * blocks[-1].size_out ** 2
    parameters = (features + 1) * units + (units + 1) * facts.classes
    maps = features + 2 * units + facts.classes
    for block in blocks:
        parameters += block.channels_out * (block.channels_in * row["kernel"] ** 2 + 1)
        maps += block.channels_in * block.size_in**2
        maps += block.channels_out * (2 * block.size_conv**2 + block.size_out**2)
    flops = cnn.flops(row, channels, facts.size, facts.classes)
    epochs, steps = row["epoch"], row["epoch"] * math.ceil(images / row["batch_size"])
    # Training images pass three times: forward, to the weights, to the maps.
    passes = epochs * (3 * images + row["val_images"])
    counts = (steps, steps * parameters, passes * maps, passes * flops, epochs, parameters)
    return dict(zip(COUNTS, counts, strict=True))


def here(plan: plans.Plan, *, complete: bool = False) -> plans.Here:
    """For `Plan.on`: the images of the files that are here, or of the complete data sets."""
    result = {name: {"available": datasets.FACTS[name].images} for name in plan.datasets}
    for name in () if complete else result:
        if (datasets.default_folder() / f"{name}.npz").is_file():
            result[name]["available"] = len(datasets.read(name).labels)
    return result


def count(plan: plans.Plan, ratios: pd.DataFrame) -> pd.DataFrame:
    """What every CNN of a plan takes, one row each: random search exactly, BOHB on average.

    plan: with images, from `Plan.on`. ratios: from `bohb_ratios`. Columns: what the jobs have;
    `config` (missing for BOHB), `COUNTS`, and `data_mib` of an epoch's images (2^20 bytes).
    """
    rows = []
    for job in plan.jobs:
        config = {key: job[key] for key in space.SAMPLED if job.get(key) is not None}
        size = 4 * job["in_channel_num"] * datasets.FACTS[job["dataset"]].size ** 2
        row = {"source": "given"} | job | ({"config": config} | terms(job) if config else {})
        rows.append(row | {"data_mib": (job["images"] + job["val_images"]) * size / 2**20})
    counted = pd.DataFrame(rows)
    for name, own in counted.groupby("dataset"):
        ratio = ratios.drop(index=name, errors="ignore").mean().fillna(1)
        counted.loc[own.index, COUNTS] = own[COUNTS].fillna(own[COUNTS].mean() * ratio)
    return counted


def bohb_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Mean `COUNTS` of BOHB's recorded trials over those of random search, by data set."""
    rows = [terms(row) for row in table.to_dict("records")]
    counted = pd.DataFrame(rows, columns=COUNTS, index=table.index, dtype=float)
    means = counted.groupby([table["source"], table["dataset"]]).mean()
    bohb, random = means.query("source == 'bohb'"), means.query("source == 'random'")
    return (bohb.droplevel("source") / random.droplevel("source")).dropna()


def calibrate(counted: pd.DataFrame, seconds: float, workers: int, device: str) -> pd.DataFrame:
    """Short trainings of a plan's known configurations, in so many processes at once.

    One row each: `dataset`, `COUNTS`, `seconds` (on a processor, of its time), `wall_seconds`, and
    `mib`, the peak of its process so far, 2^20 bytes. Raises ValueError for wrong options.
    """
    if workers < 1 or not seconds > 0:
        raise ValueError(f"workers ({workers}) and seconds ({seconds}) must be positive numbers")
    known = counted.dropna(subset="config")
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(_time, known, seconds, device, index) for index in range(workers)]
        began = time.monotonic()
        while wait(running, timeout=5).not_done:
            print(f"calibrating: {time.monotonic() - began:.0f} of {seconds:g} s", file=sys.stderr)
        return pd.concat([future.result() for future in running], ignore_index=True)


def _time(known: pd.DataFrame, seconds: float, device: str, index: int) -> pd.DataFrame:
    processes.set_up_worker(device, index)
    largest = known.nlargest(1, "parameters")  # for the peak, and to load the kernels
    jobs = pd.concat([largest, known.sample(frac=1, random_state=index)])
    rows: list[dict[str, Any]] = []
    held: list[int] = []
    for job in jobs.to_dict("records"):
        config, channels = job["config"], int(job["in_channel_num"])
        facts = datasets.FACTS[job["dataset"]]
        flops = cnn.flops(config, channels, facts.size, facts.classes)
        images = min(job["images"], max(config["batch_size"], SLOT_FLOPS // flops))
        val = -(-images // (datasets.VALIDATION_EVERY - 1))
        pixels = torch.randn(images, channels, facts.size, facts.size, device=device)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        labels = torch.arange(images, device=device) % facts.classes
        shape = (facts.classes, channels, facts.size)
        data = datasets.Dataset("", pixels, labels, pixels[:val], labels[:val], *shape, "")

        def stop(*_: Any, end: float = time.perf_counter() + SLOT_SECONDS) -> bool:
            held.append(psutil.Process().memory_info().rss)
            return time.perf_counter() > end

        result = trainer.train(config, data, 0, stop, precision=job["precision"])
        own = {"images": images, "val_images": val, "epoch": len(result.loss_per_epoch)}
        row: dict[str, Any] = terms(job | config | own)
        row["seconds"] = result.cpu_seconds if device == "cpu" else result.seconds
        row["mib"] = (max(held) if device == "cpu" else torch.cuda.max_memory_reserved()) / 2**20
        rows.append(row | {"dataset": job["dataset"], "wall_seconds": result.seconds})
        if sum(row["wall_seconds"] for row in rows[1:]) > seconds:
            break
    return pd.DataFrame(rows[1:])


def prices(timings: pd.DataFrame) -> pd.Series:
    """Seconds per unit of each of `TERMS`, from a table of these and `seconds`; none negative."""
    scale = timings[TERMS].max()
    model = LinearRegression(positive=True, fit_intercept=False)
    model.fit(timings[TERMS] / scale, timings["seconds"], sample_weight=1 / timings["seconds"])
    fitted = pd.Series(model.coef_, TERMS) / scale
    return fitted * timings["seconds"].sum() / (timings[TERMS] @ fitted).sum()  # total unbiased


def hours(counted: pd.DataFrame, workers: int, device: str) -> pd.Series:
    """Hours here, and on `GPUS` by published rates: kept busy by several workers, and with one."""
    at_once = workers if device == "cuda" else min(workers, psutil.cpu_count() or 1)
    result = {f"{device}, --workers {workers}": counted["seconds"].sum() / at_once}
    moved = 4 * (counted["maps"] + GPU_TOUCHES * counted["weights"])  # bytes
    for name, (flops, bandwidth) in GPUS.items():
        busy = np.maximum(counted["flops"] / flops, moved / bandwidth).sum() / GPU_EFFICIENCY
        result[f"{name}, busy"] = busy
        result[f"{name}, one worker"] = busy + counted["steps"].sum() * GPU_STEP_SECONDS
    return pd.Series(result) / 3600


def summary(counted: pd.DataFrame) -> pd.DataFrame:
    """A plan's work by data set and source, and in total; tflops: 10^12 operations."""
    groups = counted.groupby(["dataset", "source"], sort=False)
    result = groups[["images", "val_images", "data_mib", "parameters"]].mean()
    result["models"] = groups.size()
    result[["epochs", "steps", "tflops"]] = groups[["epoch", "steps", "flops"]].sum() / [1, 1, 1e12]
    result.loc[("total", ""), "models":] = result.sum()
    return result


def compare(table: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    """Core-hours by data set, forecast and fact, of the recorded rows that are the plan's.

    forecast: from `count`, with `seconds`. The fact is processor time, else wall time.
    """
    key = ["dataset", "seed", "images", "val_images", "precision"]
    key += [name for name in ("lr_scale",) if name in forecast and name in table]
    fact = table[key].assign(fact=table["cpu_seconds"].fillna(table["seconds"]).astype(float))
    groups = forecast.merge(fact, on=key).groupby("dataset", sort=False)
    result = groups[["seconds", "fact"]].sum().rename(columns={"seconds": "forecast"}) / 3600
    result.insert(0, "models", groups.size())
    result.loc["total"] = result.sum()
    return result.assign(error=result["forecast"] / result["fact"] - 1)
