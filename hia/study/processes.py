"""Worker processes of a study: how they are started, what they train, and on what they run.

Random search draws configuration number `trial` of a data set from a stream of its own, so it does
not matter when, where and in which order trials run. BOHB (Falkner et al. 2018) is Optuna's
multivariate TPE under Hyperband with the number of epochs as budget: 1 to 10, eta 3. Its
configurations depend on the results so far, so on their order.
"""

import contextlib
import functools
import importlib.metadata
import multiprocessing
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.context import SpawnProcess
from operator import itemgetter
from pathlib import Path
from typing import Any

import optuna
import psutil
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from hia import datasets, space, trainer
from hia.cpu import kernels
from hia.study import plans
from hia.study.ledger import BEAT_SECONDS, Ledger, params_of
from hia.study.plans import Row
from hia.study.storage import ERRORS, connect, named, patiently

# Versions that decide what a training computes.
PACKAGES = ("torch", "numpy", "optuna", "scikit-learn")
END_SECONDS = 5.0  # for a worker that is asked to end
# Trials of one Optuna study that a worker trains before it goes to the next: loading a data set has
# to pay, and both searches have to get on together.
TURN, BOHB_TURN = 14, 6


def start(*arguments: Any) -> SpawnProcess:
    """A process that does `work`, and leaves Ctrl-C to this one."""
    # The workers' malloc asks for huge pages: 1.05 times as many trainings an hour.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=work, args=arguments, daemon=True)
    # Ctrl-C reaches the workers too. They inherit that it is not theirs to handle, which setting it
    # in themselves would not do while they start.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, previous)
    return process


def end(crew: Sequence[SpawnProcess]) -> None:
    """End these workers, by force where they do not within `END_SECONDS`."""
    for process in crew:
        process.terminate()
    for process in crew:
        process.join(END_SECONDS)
        process.kill()  # one that is stopped does not heed the polite signal
        process.join()


def orphaned() -> bool:
    """Whether the process that started this worker has ended, be it before the worker looked."""
    parent = multiprocessing.parent_process()
    return parent is None or os.getppid() != parent.pid


def set_up_worker(device: str, index: int) -> str:
    """One thread, and one of several GPUs by turns, for this worker. Returns what it trains on."""
    torch.set_num_threads(1)
    if device == "cuda":
        torch.cuda.set_device(index % trainer.count_devices(device))
    return describe_processor(device)


def work(series: Sequence[plans.Series], url: str, device: str, index: int) -> None:
    """A worker process; it ends with one line where the storage or memory fails."""
    try:
        with named(url):
            _train(series, url, device, index)
    except (RuntimeError, MemoryError, datasets.DatasetError, plans.PlanError) as error:
        sys.exit(f"worker {index}: {error}")


def _train(series: Sequence[plans.Series], url: str, device: str, index: int) -> None:
    """Train what is to be trained, series by series in turn, until the coordinator is gone."""
    processor = set_up_worker(device, index)
    storage = patiently(lambda: connect(url, create=False))
    ledgers = [patiently(functools.partial(Ledger, one, storage, index)) for one in series]
    held: dict[tuple[Any, ...], datasets.Dataset] = {}  # one at a time
    while not orphaned():
        idle = True
        for ledger in ledgers:
            for _ in range(BOHB_TURN if ledger.series.bohb else TURN):
                if orphaned():
                    return
                with contextlib.suppress(UpdateFinishedTrialError):  # it was taken for dead
                    if (taken := ledger.take()) is None:
                        break
                    idle = False
                    trial, job = taken
                    which = itemgetter("dataset", "in_channel_num", "images", "val_images")(job)
                    with _beating(trial):
                        if which not in held:
                            held.clear()  # before the next is loaded
                            held[which] = _load(job, device)
                        _train_one(ledger, trial, job, held[which], processor)
        if idle:
            time.sleep(1)


@contextlib.contextmanager
def _beating(trial: optuna.Trial) -> Iterator[None]:
    """Change a trial from time to time, so that it is not taken for dead."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_SECONDS):
            with contextlib.suppress(*ERRORS, UpdateFinishedTrialError):
                trial.set_user_attr("alive", time.time())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _load(job: Row, device: str) -> datasets.Dataset:
    return datasets.load(
        job["dataset"],
        # The smallest number of which a fifth, rounded up, is `val_images`.
        max_images=datasets.VALIDATION_EVERY * (job["val_images"] - 1) + 1,
        n_train=job["images"],
        channels=job["in_channel_num"],
        device=device,
    )


def train_rounded(row: Row, device: str) -> Iterator[float]:
    """Ten final accuracies of a row's CNN, its images up to five units in the last place brighter
    and darker."""
    data = _load(row, device)
    for units in (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5):
        images = data.train_images * (1 + units * torch.finfo(torch.float32).eps)
        changed = replace(data, train_images=images)
        yield trainer.train(
            params_of(row), changed, row["seed"], precision=row["precision"]
        ).accuracy


def _train_one(
    ledger: Ledger, trial: optuna.Trial, job: Row, data: datasets.Dataset, processor: str
) -> None:
    """Train the CNN of a trial, leave its row in the storage, and finish the trial."""
    bohb, config = ledger.series.bohb, params_of(job)
    if bohb:
        config |= patiently(lambda: _propose(ledger.series.space, trial))

    def stop(epoch: int, accuracy: float) -> bool:
        if not bohb:
            return False
        patiently(lambda: trial.report(accuracy, epoch))
        return epoch < plans.MAX_EPOCHS and patiently(trial.should_prune)

    result = trainer.train(config, data, job["seed"], stop, precision=job["precision"])
    epochs = len(result.accuracy_per_epoch)
    row = dict.fromkeys(space.FILTERS) | job | config | {"epoch": epochs}
    row |= result.row() | {"processor": processor}
    row = {name: value for name, value in row.items() if name not in plans.TRAINED_ON}
    patiently(lambda: trial.set_user_attr("row", row))
    is_whole = epochs == config["epoch"]
    value, state = (result.accuracy, None) if is_whole else (None, TrialState.PRUNED)
    patiently(lambda: ledger.study.tell(trial, value, state, skip_if_finished=True))


def _propose(table1: plans.Space, trial: optuna.Trial) -> space.Config:
    """BOHB's configuration."""
    config: space.Config = {"epoch": plans.MAX_EPOCHS}
    for name in plans.PROPOSED:
        if name not in space.FILTERS[config.get("num_conv_layers", 0) :]:
            config[name] = space.suggest(trial, table1[name])
    return config


def describe_processor(device: str) -> str:
    """What trains on `device`: the GPU's name, or the processor's with its vector instructions and,
    where they are not compiled, its kernels."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        first = cpuinfo.read_text().split("\n\n")[0]
        fields = dict(re.findall(r"(.*?)\s*:[ \t]*(.*?)\s*$", first, re.MULTILINE))
        known = [fields.get(key) for key in ("model name", "cpu family", "model")]
        if all(known):
            name = f"{known[0]} family {known[1]} model {known[2]}"
    own = "" if kernels.describe() == "compiled" else ", PyTorch's kernels"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}{own}"


def describe_images(name: str, device: str) -> dict[str, Any]:
    """What decides the trainings on a data set here, beside configuration and seed.

    `available`: images; `images_sha256`; and, on a processor, `kernels`. Raises DatasetError where
    the images cannot be had.
    """
    raw = datasets.read(name)
    result = {"available": len(raw.labels), "images_sha256": raw.sha256}
    if device == "cpu":
        result["kernels"] = kernels.describe()
    return result


def session(workers: int, device: str, here: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Who trains now, with which versions, on what `describe_images` says of the data sets."""
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

    def git(*asked: str) -> str:
        # Without locks, which a study that is killed would leave in the repository.
        command = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent), *asked]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
