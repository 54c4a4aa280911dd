"""Our trainer beside the loops that people write, on one core, interleaved.

    python benchmarks/bench_trainer.py [configurations per shape, default 40] [sides, default all]

It takes some ten minutes. The same random Table 1 configurations, images and seeds for all; one
epoch and one thread each; the images have the data sets' shapes and show a blurred pattern per
class under noise. Every loop runs in a process of its own, because ours changes how the process
allocates memory. Printed per shape: the median time per training image; the ratios to ours (median
and quartiles over the configurations); `matrix rate`, the share of the float32 matrix-product rate
of the same core in the same run that our arithmetic reaches (three forward passes per training
image, all multiplications counted, also those that the compiled kernels leave out); `accuracy`, the
largest difference between our validation accuracy and that of the loop in memory (identical initial
weights and order of the images, no dropout); and our time in bf16, by PyTorch's autocast, relative
to ours in float32.
"""

import argparse
import functools
import multiprocessing
import time
import timeit
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from measure import describe, progress, show
from scipy.stats import gmean
from textbook import in_memory, with_loader

from hia import cnn, space, trainer
from hia.datasets import Dataset

# (side, channels): training images, fewer where they are large.
SHAPES = {(16, 1): 1024, (28, 1): 768, (32, 3): 512, (64, 3): 256, (96, 3): 128}
LOOPS = ("ours", "textbook", "in memory")
OTHERS = LOOPS[1:]
REPEATED = 8  # configurations whose accuracies are compared and that train in bf16
CLASSES = 10
MATRIX = 1024


@functools.cache
def images(size: int, channels: int) -> tuple[Dataset, np.ndarray]:
    n, rng = SHAPES[size, channels], np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, n)
    patterns = rng.normal(size=(CLASSES, size // 4, size // 4, channels))
    patterns = patterns.repeat(4, axis=1).repeat(4, axis=2)
    noisy = patterns[labels] + 2 * rng.normal(size=(n, size, size, channels))
    pixels = np.clip(128 + 32 * noisy, 0, 255).astype(np.uint8)
    train = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    few = max(1, n // 16)  # validation is not what is measured
    val = train[:few].contiguous(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels)
    shape = (CLASSES, channels, size)
    return Dataset("blurred", train, targets, val, targets[:few], *shape, sha256=""), pixels


def train(
    loop: str, shape: tuple[int, int], config: Any, seed: int, precision: str = "float32"
) -> tuple[float, float]:
    """The seconds that a training took, and its accuracy; in the process of its loop."""
    data, pixels = images(*shape)
    loops: dict[str, Callable[[], float]] = {
        "ours": lambda: trainer.train(config, data, seed, precision=precision).accuracy,
        "textbook": lambda: with_loader(config, data, pixels, seed),
        "in memory": lambda: in_memory(config, data, seed)[0][-1],
    }
    start = time.perf_counter()
    accuracy = loops[loop]()
    return time.perf_counter() - start, accuracy


def multiply() -> float:
    """The seconds of a matrix product, the fastest of five."""
    a = torch.randn(MATRIX, MATRIX)
    return min(timeit.repeat(lambda: a @ a, number=1, repeat=5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("configurations", type=int, nargs="?", default=40)
    parser.add_argument("sides", type=int, nargs="*", default=[side for side, _ in SHAPES])
    options = parser.parse_args()
    describe("torch")
    rng = np.random.default_rng(0)
    n_configs = options.configurations
    configs = [space.validate(space.sample(rng) | {"epoch": 1}) for _ in range(n_configs)]
    one_process = 1, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)
    pools = {loop: ProcessPoolExecutor(*one_process) for loop in LOOPS}

    def ask(loop: str, *job: Any) -> tuple[float, float]:
        return pools[loop].submit(train, loop, *job).result()

    rows, totals = [], []
    for shape, n in SHAPES.items():
        if shape[0] not in options.sides:
            continue
        row: dict[str, Any] = {"shape": f"{shape[0]}x{shape[0]}x{shape[1]}"}
        progress(row["shape"])
        for loop in LOOPS:
            ask(loop, shape, configs[0], 0)  # warm up
        matrix = []
        taken: dict[str, list[float]] = {loop: [] for loop in LOOPS}
        for seed, config in enumerate(configs):
            matrix.append(pools["ours"].submit(multiply).result())
            for loop in LOOPS:
                taken[loop].append(ask(loop, shape, config, seed)[0])
        row |= {f"{loop}, ms": 1e3 * np.median(taken[loop]) / n for loop in LOOPS}
        for loop in OTHERS:
            ratios = np.divide(taken[loop], taken["ours"])
            low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
            row[f"{loop} / ours"] = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        work = sum(3 * n * cnn.flops(config, shape[1], shape[0], CLASSES) for config in configs)
        row["matrix rate"] = work / sum(taken["ours"]) * np.median(matrix) / (2 * MATRIX**3)
        differences, halves = [], []
        for seed, config in enumerate(configs[:REPEATED]):
            job = (shape, config | {"dropout_rate": 0.0}, seed)
            differences.append(abs(ask("ours", *job)[1] - ask("in memory", *job)[1]))
            with suppress(ValueError):  # not on this processor
                halves.append(ask("ours", shape, config, seed, "bf16")[0] / taken["ours"][seed])
        row["accuracy"] = max(differences)
        row["bf16"] = np.median(halves) if halves else None
        rows.append(row)
        totals.append([sum(taken[loop]) / sum(taken["ours"]) for loop in OTHERS])
    show("ms per training image, one thread", rows)
    for loop, mean in zip(OTHERS, gmean(totals), strict=True):
        print(f"total time of {loop} / ours, geometric mean of the shapes: {mean:.2f}")


if __name__ == "__main__":
    main()
