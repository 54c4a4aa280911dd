"""Our trainer beside the loops that people write, on one core, interleaved in one process tree.

    python benchmarks/bench_trainer.py [configurations per shape, default 40] [sides, default all]

It takes some ten minutes. The same random Table 1 configurations, images and seeds for all; one
epoch and one thread each; the images have the data sets' shapes and show a blurred pattern per
class under noise. Every loop runs in a process of its own, because ours changes how the process
allocates memory. Printed per shape: the median time per training image, the ratios to ours (median
and quartiles over the configurations), the share of the float32 matrix-product rate of the same
core in the same run that our arithmetic (three forward passes per training image, all
multiplications counted, also those that the compiled kernels leave out) reaches, and the largest
difference between our validation accuracy and that of the loop in memory: identical initial weights
and order of the images, no dropout. Then our time in bf16, by PyTorch's autocast, relative to ours
in float32.
"""

import multiprocessing
import sys
import time
from multiprocessing.connection import Connection

import numpy as np
import torch
from textbook import in_memory, with_loader

from hia import cnn, space, trainer
from hia.datasets import Dataset

# (side, channels): training images, fewer where they are large.
SHAPES = {(16, 1): 1024, (28, 1): 768, (32, 3): 512, (64, 3): 256, (96, 3): 128}
LOOPS = ("ours", "textbook", "in memory")
REPEATED = 8  # configurations whose accuracies are compared and that train in bf16
CLASSES = 10
MATRIX = 1024


def images(size: int, channels: int, n: int) -> tuple[Dataset, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, n)
    patterns = rng.normal(size=(CLASSES, size // 4, size // 4, channels))
    patterns = patterns.repeat(4, axis=1).repeat(4, axis=2)
    noisy = patterns[labels] + 2 * rng.normal(size=(n, size, size, channels))
    pixels = np.clip(128 + 32 * noisy, 0, 255).astype(np.uint8)
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    few = max(1, n // 16)  # validation is not what is measured
    return (
        Dataset(
            name=f"{size}x{size}x{channels}",
            train_images=tensor,
            train_labels=torch.from_numpy(labels),
            val_images=tensor[:few].contiguous(memory_format=torch.channels_last),
            val_labels=torch.from_numpy(labels[:few]),
            n_classes=CLASSES,
            channels=channels,
            size=size,
            sha256="",
        ),
        pixels,
    )


def serve(loop: str, pipe: Connection) -> None:
    """Train what comes through the pipe; answer with the seconds it took and the accuracy."""
    torch.set_num_threads(1)
    loaded: dict[tuple[int, int], tuple[Dataset, np.ndarray]] = {}
    while (job := pipe.recv()) is not None:
        shape, config, seed, precision = job
        accuracy = 0.0
        if shape == "matrix":
            a = torch.randn(MATRIX, MATRIX)
            start = time.perf_counter()
            a @ a
        else:
            if shape not in loaded:
                loaded[shape] = images(*shape, SHAPES[shape])
            data, pixels = loaded[shape]
            start = time.perf_counter()
            if loop == "ours":
                accuracy = trainer.train(config, data, seed, precision=precision).accuracy
            elif loop == "textbook":
                accuracy = with_loader(config, data, pixels, seed)
            else:
                accuracy = in_memory(config, data, seed)
        pipe.send((time.perf_counter() - start, accuracy))


def main() -> None:
    n_configs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    sides = [int(side) for side in sys.argv[2:]] or [size for size, _ in SHAPES]
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for loop in LOOPS:
        pipes[loop], child = context.Pipe()
        context.Process(target=serve, args=(loop, child), daemon=True).start()

    def ask(loop: str, *job: object, precision: str = "float32") -> tuple[float, float]:
        pipes[loop].send((*job, precision))
        seconds, accuracy = pipes[loop].recv()
        return float(seconds), float(accuracy)

    rng = np.random.default_rng(0)
    configs = [space.validate(space.sample(rng) | {"epoch": 1}) for _ in range(n_configs)]
    try:
        trainer.check_precision("bf16", "cpu")
        bf16 = True
    except ValueError:
        bf16 = False
    print(f"{n_configs} configurations per shape; torch {torch.__version__}, one thread")
    print(f"{'':10}{'ms per training image':^32}{'time relative to ours':^44}{'share of':>10}")
    print(f"{'shape':10}" + "".join(f"{loop:>11}" for loop in LOOPS), end="")
    print("".join(f"{loop:>22}" for loop in LOOPS[1:]), end="")
    print(f"{'matrix rate':>12}{'accuracy':>10}{'bf16':>7}")
    overall: dict[str, list[float]] = {loop: [] for loop in LOOPS[1:]}
    for shape, n in SHAPES.items():
        if shape[0] not in sides:
            continue
        for loop in LOOPS:
            ask(loop, shape, configs[0], 0)  # warm up
        seconds: dict[str, list[float]] = {loop: [] for loop in LOOPS}
        matrix, rate = [], []
        for seed, config in enumerate(configs):
            matrix.append(min(ask("ours", "matrix", None, 0)[0] for _ in range(5)))
            for loop in LOOPS:
                seconds[loop].append(ask(loop, shape, config, seed)[0])
            size, channels = shape
            work = 3 * n * cnn.flops(config, channels, size, CLASSES)
            rate.append(work / seconds["ours"][-1])
        peak = 2 * MATRIX**3 / np.median(matrix)
        name = f"{shape[0]}x{shape[0]}x{shape[1]}"
        line = f"{name:10}"
        line += "".join(f"{1e3 * np.median(seconds[loop]) / n:11.3f}" for loop in LOOPS)
        for loop in LOOPS[1:]:
            ratios = np.divide(seconds[loop], seconds["ours"])
            low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
            overall[loop].append(float(np.sum(seconds[loop]) / np.sum(seconds["ours"])))
            line += f"{f'{middle:.2f} ({low:.2f} to {high:.2f})':>22}"
        total = sum(seconds["ours"])
        share = sum(r * s for r, s in zip(rate, seconds["ours"], strict=True)) / total / peak
        differences = []
        for seed, config in enumerate(configs[:REPEATED]):
            job = (shape, config | {"dropout_rate": 0.0}, seed)
            differences.append(abs(ask("ours", *job)[1] - ask("in memory", *job)[1]))
        line += f"{share:12.2f}{max(differences):10.4f}"
        if bf16:
            half = [
                ask("ours", shape, config, seed, precision="bf16")[0]
                for seed, config in enumerate(configs[:REPEATED])
            ]
            line += f"{np.median(np.divide(half, seconds['ours'][:REPEATED])):7.2f}"
        print(line, flush=True)
    for loop, ratios in overall.items():
        mean = float(np.exp(np.mean(np.log(ratios))))
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"total time of {loop} / ours, by shape: {each}; geometric mean {mean:.2f}")
    for pipe in pipes.values():
        pipe.send(None)


if __name__ == "__main__":
    main()
