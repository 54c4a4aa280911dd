"""Trains one configuration on one data set (Wang et al. 2024, Sections 4.1 to 4.3).

Fast on a processor: the data set is one tensor there, a batch an index into it; one thread per
model; channels-last memory; convolution, pooling and ReLU as one compiled operation (see
`hia.cpu.kernels`); the optimizers' fused kernels; an allocator that keeps its pages. This is 2.4 to
4 times as fast as a textbook loop in memory (`benchmarks/NOTES.md`).

The optimizers have PyTorch's defaults: the paper gives no momentum, weight decay or schedule.
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

# Bytes of the first block's output, at most: larger batches go through the network in parts, whose
# gradients add up.
PART_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Result:
    """What one training gave; the columns of `hia.trials`.

    loss_per_epoch: nats, of the training images while they were trained on. seconds, cpu_seconds:
    wall and processor time of training and validation; the latter is NaN on a GPU.
    """

    accuracy_per_epoch: list[float]
    loss_per_epoch: list[float]
    seconds: float
    cpu_seconds: float
    parameters: int
    flops: int
    diverged: bool

    @property
    def accuracy(self) -> float:
        return self.accuracy_per_epoch[-1]

    def row(self) -> dict[str, Any]:
        """What a row of `hia.trials` has of it; None where it is missing."""
        loss = None if self.diverged else self.loss_per_epoch[-1]
        cpu_seconds = self.cpu_seconds if math.isfinite(self.cpu_seconds) else None
        row = vars(self) | {"accuracy": self.accuracy, "loss": loss, "cpu_seconds": cpu_seconds}
        del row["loss_per_epoch"]
        return row


def resolve_device(device: str) -> str:
    """ "cpu" or "cuda" for `auto|cpu|cuda`. Raises ValueError for another, and without a GPU."""
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device: {device!r} is not one of auto, cpu, cuda")
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ValueError("device: cuda was asked for, but PyTorch finds no GPU here; use cpu")
    return ("cuda" if has_gpu else "cpu") if device == "auto" else device


def count_devices(device: str) -> int:
    """How many of `device`, "cpu" or "cuda", there are; the processor counts as one."""
    return torch.cuda.device_count() if device == "cuda" else 1


def train(
    config: Mapping[str, Any],
    data: Dataset,
    seed: int,
    on_epoch: Callable[[int, float], bool] | None = None,
    *,
    precision: str = "float32",
) -> Result:
    """Train one CNN on the device that `data` is on.

    config: the names of `hia.space.SAMPLED`, all of them in their ranges; `in_channel_num`, where
    given, has to be the data's. seed: of the initial weights, the order of the images and dropout.
    on_epoch: called after every epoch, counted from 1, with the validation accuracy; training ends
    where it returns True. precision: "float32", or "bf16" for PyTorch's autocast to bfloat16, where
    the device has it.

    The same configuration, data, seed and kind of processor give the same result to the last bit.
    Raises ValueError for a configuration outside Table 1, naming the hyperparameter, and for a
    precision that the device does not have.
    """
    config = space.validate(config)
    if config.get("in_channel_num", data.channels) != data.channels:
        raise ValueError(
            f"in_channel_num: {config['in_channel_num']} was asked for, but the images of "
            f"{data.name} were loaded with {data.channels}"
        )
    device = data.train_images.device
    check_precision(precision, device.type)
    if device.type == "cpu":
        _keep_pages()
    start, cpu_start = time.perf_counter(), time.process_time()
    # Autocast's cache would keep the first step's weights as long as the context lasts.
    half = torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False
    )
    with _reproducible(device, seed), half:
        model = cnn.CNN(config, data.channels, data.size, data.n_classes)
        model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        order = torch.Generator().manual_seed(seed)
        step = _stepper(list(model.parameters()), config)
        accuracies: list[float] = []
        losses: list[float] = []
        for epoch in range(1, config["epoch"] + 1):
            losses.append(_train_epoch(model, step, data, config["batch_size"], order))
            accuracies.append(_accuracy(model, data))
            if on_epoch is not None and on_epoch(epoch, accuracies[-1]):
                break
    return Result(
        accuracy_per_epoch=accuracies,
        loss_per_epoch=losses,
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - cpu_start if device.type == "cpu" else math.nan,
        parameters=sum(weight.numel() for weight in model.parameters()),
        flops=cnn.flops(config, data.channels, data.size, data.n_classes),
        diverged=not all(math.isfinite(loss) for loss in losses),
    )


def check_precision(precision: str, device: str) -> None:
    """Raises ValueError for a precision that is unknown or that the device computes in software."""
    if precision not in space.PRECISIONS:
        raise ValueError(f"precision: {precision!r} is not one of {', '.join(space.PRECISIONS)}")
    if precision == "bf16" and not _has_bf16(device):
        raise ValueError(f"precision: this {device} has no instructions for bf16; use float32")


def _has_bf16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - there is no public way


def _stepper(weights: list[torch.Tensor], config: Mapping[str, Any]) -> Callable[[], None]:
    """A step of PyTorch's fused SGD or Adam, called directly. `torch.optim` gives the same bits,
    takes up to three times as long, a training on small images a tenth more, and imports PyTorch's
    compiler, 150 MB in every worker."""
    shared = {"lr": config["lr"], "weight_decay": 0.0, "maximize": False}
    if config["optimizer"] == "Adam":
        means, squares = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
        steps = [weight.new_zeros(()) for weight in weights]
        shared |= {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": False}
    else:
        shared |= {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "is_first_step": True}

    @torch.no_grad()
    def step() -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if config["optimizer"] == "Adam":
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(weights, gradients, means, squares, [], steps, **shared)
        else:
            torch._fused_sgd_(weights, gradients, [], **shared)

    return step


def _part(model: cnn.CNN) -> int:
    """How many images go through the network at once."""
    block = model.blocks[0]
    return max(1, PART_BYTES // (4 * block.channels_out * block.size_out**2))


def _train_epoch(
    model: cnn.CNN,
    step: Callable[[], None],
    data: Dataset,
    batch_size: int,
    order: torch.Generator,
) -> float:
    """One pass over the training images; the mean loss. Nothing in it waits for the device."""
    model.train()
    n, device = len(data.train_labels), data.train_labels.device
    permutation = torch.randperm(n, generator=order).to(device, non_blocking=True)
    total = torch.zeros((), device=device)
    part = _part(model)
    for batch in permutation.split(batch_size):
        model.zero_grad()
        for rows in batch.split(part):
            logits = model(data.train_images[rows])
            loss = F.cross_entropy(logits, data.train_labels[rows], reduction="sum")
            loss.backward(torch.full_like(loss, 1 / len(batch)))
            total += loss.detach()
        step()
    return float(total) / n


def _accuracy(model: cnn.CNN, data: Dataset) -> float:
    """Share of the validation images that are classified correctly."""
    model.eval()
    correct = torch.zeros((), dtype=torch.int64, device=data.val_labels.device)
    part = _part(model)
    batches = zip(data.val_images.split(part), data.val_labels.split(part), strict=True)
    with torch.inference_mode():
        for images, labels in batches:
            correct += (model(images).argmax(1) == labels).sum()
    return int(correct) / len(data.val_labels)


@contextmanager
def _reproducible(device: torch.device, seed: int) -> Iterator[None]:
    """Seeds all generators and restores them; one thread, and only deterministic kernels."""
    threads = torch.get_num_threads()
    exact = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(**exact),
    ):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@cache
def _keep_pages() -> None:
    """Tell glibc to keep freed memory, once per process: by default every large tensor is a fresh
    mapping, and clearing its pages takes as long as the arithmetic on it."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # from malloc.h
        mallopt(mmap_threshold, 32 * 2**20)
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(top_pad, 64 * 2**20)
