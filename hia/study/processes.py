"""Worker processes: how they are started and watched, on what they run, and with which versions."""

import contextlib
import importlib.metadata
import multiprocessing
import os
import platform
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import psutil
import torch

from hia import datasets, trainer
from hia.cpu import kernels

# Versions that decide what a training computes.
PACKAGES = ("torch", "numpy", "optuna", "scikit-learn")
END_SECONDS = 5.0  # for a worker that is asked to end


@contextlib.contextmanager
def spawned(
    target: Callable[..., None], arguments: Sequence[tuple[Any, ...]]
) -> Iterator[list[SpawnProcess]]:
    """Worker processes, one for each tuple of arguments; they are ended on the way out."""
    processes: list[SpawnProcess] = []
    try:
        for own in arguments:
            processes.append(start(target, own))
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(END_SECONDS)
            process.kill()  # one that is stopped does not heed the polite signal
            process.join()


def start(target: Callable[..., None], arguments: tuple[Any, ...]) -> SpawnProcess:
    """A worker process, which leaves Ctrl-C to this one."""
    # The workers' malloc asks for huge pages: 1.05 times as many trainings an hour.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=target, args=arguments, daemon=True)
    # Ctrl-C reaches the workers too. They inherit that it is not theirs to handle, which setting it
    # in themselves would not do while they start.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, previous)
    return process


def orphaned() -> bool:
    """Whether the process that started this worker has ended, be it before the worker looked."""
    parent = multiprocessing.parent_process()
    return parent is None or os.getppid() != parent.pid


def set_up_worker(device: str, index: int) -> str:
    """One thread, and one of several GPUs by turns, for this worker; what it trains on."""
    torch.set_num_threads(1)
    if device == "cuda":
        torch.cuda.set_device(index % trainer.count_devices(device))
    return describe_processor(device)


def runs(process: int) -> bool:
    """Whether a process of this number runs; the dead that nobody has asked for do not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def describe_processor(device: str) -> str:
    """What trains on `device`: the GPU's name, or the processor's with its vector instructions and,
    where they are not compiled, its kernels."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        fields = dict(
            [part.strip() for part in line.split(":", 1)]
            for line in cpuinfo.read_text().split("\n\n")[0].splitlines()
            if ":" in line
        )
        known = [fields.get(key) for key in ("model name", "cpu family", "model")]
        if all(known):
            name = f"{known[0]} family {known[1]} model {known[2]}"
    own = "" if kernels.describe() == "compiled" else ", PyTorch's kernels"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}{own}"


def describe_images(name: str, device: str) -> dict[str, Any]:
    """What decides the trainings on a data set here, beside configuration and seed.

    `available`: images; `images_sha256`; and, on a processor, `kernels.describe()`.
    Raises DatasetError where the images cannot be had.
    """
    raw = datasets.read(name)
    result = {"available": len(raw.labels), "images_sha256": raw.sha256}
    if device == "cpu":
        result["kernels"] = kernels.describe()
    return result


def session(workers: int, device: str, here: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Who trains now on these data sets, with which versions; for the provenance of what comes.

    here: by data set, from `describe_images`.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "workers": workers,
        "processor": describe_processor(device),
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": commit(),
        "data_sha256": {name: images["images_sha256"] for name, images in here.items()},
        "kernels": next((images.get("kernels") for images in here.values()), None),
    }


def commit() -> str | None:
    """The commit that the code is at, with `-dirty` where it was changed; None outside git."""
    folder = str(Path(__file__).parent)
    git = ["git", "-C", folder, "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
