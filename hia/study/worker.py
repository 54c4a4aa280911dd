"""A worker process of a study: takes trials, trains them, and tells.

Random search draws configuration number `trial` of a data set from a stream of its own, so it does
not matter when, where and in which order trials run. BOHB (Falkner et al. 2018) is Optuna's
multivariate TPE under Hyperband with the number of epochs as budget: 1 to 10, eta 3. Its
configurations depend on the results so far, so on their order.
"""

import contextlib
import functools
import itertools
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from hia import datasets, space, trainer
from hia.study import plans, processes
from hia.study.ledger import BEAT_SECONDS, Ledger, params_of
from hia.study.plans import Row, Series
from hia.study.storage import ERRORS, connect, named, patiently

# Trials of one Optuna study that a worker trains before it goes to the next: loading a data set has
# to pay, and both searches have to get on together.
TURN, BOHB_TURN = 14, 6


def work(series: Sequence[Series], url: str, device: str, index: int) -> None:
    """A worker process; it ends with one line where the storage or memory fails."""
    try:
        with named(url):
            _train(series, url, device, index)
    except (RuntimeError, MemoryError, datasets.DatasetError, plans.PlanError) as error:
        sys.exit(f"worker {index}: {error}")


def _train(series: Sequence[Series], url: str, device: str, index: int) -> None:
    """Train what is to be trained, series by series in turn, until the coordinator is gone.

    One data set is in memory at a time.
    """
    processor = processes.set_up_worker(device, index)
    storage = patiently(lambda: connect(url, create=False))
    ledgers = [patiently(functools.partial(Ledger, one, storage, index)) for one in series]
    loaded: tuple[Any, ...] = ()
    data: datasets.Dataset | None = None
    while not processes.orphaned():
        idle = True
        for ledger in ledgers:
            for _ in range(BOHB_TURN if ledger.series.bohb else TURN):
                if processes.orphaned():
                    return
                with contextlib.suppress(UpdateFinishedTrialError):  # it was taken for dead
                    if (taken := ledger.take()) is None:
                        break
                    idle = False
                    trial, job = taken
                    with _beating(trial):
                        if _images(job) != loaded:
                            data = None  # before the next is loaded
                            data, loaded = _load(job, device), _images(job)
                        assert data is not None
                        _train_one(ledger, trial, job, data, processor)
        if idle:
            time.sleep(1)


@contextlib.contextmanager
def _beating(trial: optuna.Trial) -> Iterator[None]:
    """Change a trial from time to time, so that it is not taken for dead."""
    done = threading.Event()

    def beat() -> None:
        for number in itertools.count():
            if done.wait(BEAT_SECONDS):
                return
            with contextlib.suppress(*ERRORS, UpdateFinishedTrialError):
                trial.set_user_attr("alive", number)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _images(job: Row) -> tuple[Any, ...]:
    return job["dataset"], job["in_channel_num"], job["images"], job["val_images"]


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
    """The final accuracies of a row's CNN, its images one and two units in the last place brighter
    and darker."""
    data = _load(row, device)
    for units in (-2, -1, 1, 2):
        images = data.train_images * (1 + units * torch.finfo(torch.float32).eps)
        changed = replace(data, train_images=images)
        yield trainer.train(
            params_of(row), changed, row["seed"], precision=row["precision"]
        ).accuracy


def _train_one(
    ledger: Ledger,
    trial: optuna.Trial,
    job: Row,
    data: datasets.Dataset,
    processor: str,
) -> None:
    """Train the CNN of a trial, leave its row in the storage, and finish the trial."""
    bohb = ledger.series.bohb
    config = params_of(job)
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
        row = table1[name]
        if name in space.FILTERS[config.get("num_conv_layers", 0) :]:
            continue
        if row.choices is not None:
            config[name] = trial.suggest_categorical(name, row.choices)
        elif row.kind == "integer":
            config[name] = trial.suggest_int(name, *map(int, row.bounds))
        else:
            config[name] = trial.suggest_float(name, *row.bounds, log=row.log)
    return config
