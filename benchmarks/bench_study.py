"""How much faster two workers finish a study than one, and what a worker's memory peaks at.

    python benchmarks/bench_study.py [CNNs, default 100]

The study trains random and BOHB configurations as the recorded study does, on 4,000 images of
MNIST's size (of noise, so that nothing is downloaded), in a storage of its own, once with one
worker and once with two; starting the workers counts. The memory is that of a process which trains
the most expensive configuration of Table 1 on images of each shape, as many as the recorded study
takes.
"""

import contextlib
import io
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from hia import space, trainer
from hia.datasets import Dataset
from hia.study import plans
from hia.study import run as study

LARGEST = space.validate(
    {"num_conv_layers": 1, "num_filters_1": 64, "stride": 1, "padding": 1, "kernel": 2}
    | {"num_fc_units": 256, "batch_size": 256, "dropout_rate": 0.5, "optimizer": "Adam"}
    | {"lr": 1e-4, "epoch": 1}
)
# (side, channels): images of the recorded study, a fifth of them for validation.
SHAPES = {(16, 1): 5000, (28, 1): 5000, (32, 3): 5000, (64, 3): 2500, (96, 3): 1250}


def peak(size: int, channels: int, n: int) -> float:
    """Highest memory of this process, GiB, after training the largest configuration."""
    images = torch.randn(n, channels, size, size).contiguous(memory_format=torch.channels_last)
    labels, train = torch.randint(10, (n,)), n * 4 // 5
    parts = images[:train], labels[:train], images[train:], labels[train:]
    data = Dataset("random", *parts, n_classes=10, channels=channels, size=size, sha256="")
    trainer.train(LARGEST, data, 0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        images = rng.integers(256, size=(5000, 28, 28), dtype=np.uint8)
        np.savez(Path(folder, "mnist.npz"), images=images, labels=rng.integers(10, size=5000))
        os.environ["HIA_DATA"] = folder
        path = Path(folder, "noise.toml")
        path.write_text(f"[datasets.mnist]\nmodels = {models}\n", encoding="utf-8")
        plan = plans.load_plan(path)
        for workers in (1, 2):
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                study.run(plan, f"{folder}/{workers}.journal", workers=workers, device="cpu")
            seconds.append(time.perf_counter() - start)
            print(f"{models} CNNs, {workers} workers: {seconds[-1]:.1f} s", flush=True)
    print(f"two workers are {seconds[0] / seconds[1]:.2f} times as fast as one")
    for (size, channels), n in SHAPES.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            memory = pool.apply(peak, (size, channels, n))
        print(f"{size}x{size}x{channels}: a worker's memory peaks at {memory:.2f} GiB")


if __name__ == "__main__":
    main()
