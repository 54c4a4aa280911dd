"""Trains one configuration on one data set (Wang et al. 2024, Sections 4.1 to 4.3).

What makes it fast on a processor: the whole data set lies on the device as one tensor and a batch
is an index into it; one thread per model, so that several models share the cores without a barrier;
channels-last memory; the optimizers' fused kernels; max-pooling before ReLU (see `hia.cnn`); an
allocator that keeps its pages; and batches cut into parts whose feature maps stay small, with the
gradients added up, which also bounds the memory.

The paper gives no momentum, weight decay or schedule: PyTorch's defaults are used, which are none
of the three for SGD and betas of 0.9 and 0.999 for Adam.
"""

import ctypes
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from hia import cnn, space
from hia.datasets import Dataset

# Bytes of the first convolution's output for one part of a batch. Measured on 96 x 96 x 3 images:
# a batch of 256 in one piece takes 1.4 times as long as in parts; its first maps take up to 0.6 GB.
PART_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Result:
    """What one training gave.

    accuracy_per_epoch: share of the validation images classified correctly after each epoch, in
    [0, 1]. loss_per_epoch: mean cross-entropy over the training images, in nats, while they were
    trained on. seconds: wall time of training and validation. parameters: trainable numbers.
    flops: of one image's forward pass. diverged: a loss was not finite.
    """

    accuracy_per_epoch: list[float]
    loss_per_epoch: list[float]
    seconds: float
    parameters: int
    flops: int
    diverged: bool

    @property
    def accuracy(self) -> float:
        return self.accuracy_per_epoch[-1]


def resolve_device(device: str) -> str:
    """ "cpu" or "cuda" for `auto|cpu|cuda`.

    Raises ValueError for another name, or where there is no such GPU.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device: {device!r} is not one of auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda was asked for, but PyTorch finds no GPU here; use cpu")
    return device


def train(
    config: Mapping[str, Any],
    data: Dataset,
    seed: int,
    on_epoch: Callable[[int, float], bool] | None = None,
) -> Result:
    """Train one CNN on the device that `data` is on.

    config: the names of `hia.space.SAMPLED`, all of them in their ranges; `in_channel_num`, where
    given, has to be the data's. seed: of the initial weights, the order of the images and dropout.
    on_epoch: called after every epoch, counted from 1, with the validation accuracy; training ends
    where it returns True.

    The same configuration, data, seed and kind of processor give the same result to the last bit.
    Raises ValueError for a configuration outside Table 1, naming the hyperparameter.
    """
    config = space.validate(config)
    if config.get("in_channel_num", data.channels) != data.channels:
        raise ValueError(
            f"in_channel_num: {config['in_channel_num']} was asked for, but the images of "
            f"{data.name} were loaded with {data.channels}"
        )
    device = data.train_images.device
    if device.type == "cpu":
        _keep_pages()
    start = time.perf_counter()
    with _reproducible(device, seed):
        model = cnn.CNN(config, data.channels, data.size, data.n_classes)
        model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        order = torch.Generator().manual_seed(seed)
        optimizer = _optimizer(model, config)
        part = _part(model)
        accuracies: list[float] = []
        losses: list[float] = []
        for epoch in range(1, config["epoch"] + 1):
            losses.append(_train_epoch(model, optimizer, data, config["batch_size"], part, order))
            accuracies.append(_accuracy(model, data, part))
            if on_epoch is not None and on_epoch(epoch, accuracies[-1]):
                break
    return Result(
        accuracy_per_epoch=accuracies,
        loss_per_epoch=losses,
        seconds=time.perf_counter() - start,
        parameters=sum(weight.numel() for weight in model.parameters()),
        flops=cnn.flops(config, data.channels, data.size, data.n_classes),
        diverged=not all(math.isfinite(loss) for loss in losses),
    )


def _optimizer(model: cnn.CNN, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    if config["optimizer"] == "Adam":
        return torch.optim.Adam(model.parameters(), lr=config["lr"], fused=True)
    return torch.optim.SGD(model.parameters(), lr=config["lr"], fused=True)


def _part(model: cnn.CNN) -> int:
    """How many images go through the network at once."""
    block = model.blocks[0]
    return max(1, PART_BYTES // (4 * block.channels_out * block.size_conv**2))


def _train_epoch(
    model: cnn.CNN,
    optimizer: torch.optim.Optimizer,
    data: Dataset,
    batch_size: int,
    part: int,
    order: torch.Generator,
) -> float:
    """One pass over the training images; the mean loss. Nothing in it waits for the device."""
    model.train()
    n = len(data.train_labels)
    device = data.train_labels.device
    permutation = torch.randperm(n, generator=order).to(device, non_blocking=True)
    total = torch.zeros((), device=device)
    for batch in permutation.split(batch_size):
        optimizer.zero_grad()
        for rows in batch.split(part):
            logits = model(data.train_images[rows])
            loss = F.cross_entropy(logits, data.train_labels[rows], reduction="sum")
            (loss / len(batch)).backward()
            total += loss.detach()
        optimizer.step()
    return float(total) / n


def _accuracy(model: cnn.CNN, data: Dataset, part: int) -> float:
    """Share of the validation images that are classified correctly."""
    model.eval()
    correct = torch.zeros((), dtype=torch.int64, device=data.val_labels.device)
    with torch.inference_mode():
        for images, labels in zip(
            data.val_images.split(part), data.val_labels.split(part), strict=True
        ):
            correct += (model(images).argmax(1) == labels).sum()
    return int(correct) / len(data.val_labels)


@contextmanager
def _reproducible(device: torch.device, seed: int) -> Iterator[None]:
    """Seeds all generators and restores them; one thread, and only deterministic kernels."""
    threads = torch.get_num_threads()
    cudnn = torch.backends.cudnn
    on_gpu = device.type == "cuda"
    with (
        torch.random.fork_rng(devices=[device] if on_gpu else []),
        cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@cache
def _keep_pages() -> None:
    """Tell glibc to keep freed memory, once per process.

    By default every large tensor is a fresh mapping, and the kernel's clearing of its pages takes
    as long as the arithmetic on it.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        trim_threshold, top_pad, mmap_max = -1, -2, -4  # from malloc.h
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(top_pad, 64 * 2**20)
