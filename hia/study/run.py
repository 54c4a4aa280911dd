"""Runs a study: many CNNs on several data sets, by random search and BOHB (Section 4.1).

The trials live in one Optuna storage, with one Optuna study per data set and source. A coordinator
keeps trials queued there; its workers take them until none is left. A worker that dies leaves a
trial whose heartbeat stops; it is failed and its number queued again, and another worker takes its
place. So a study can be killed at any moment, and the same command goes on. The same command on
other machines that reach the storage joins in: trials are queued, taken and finished in
transactions, so that each is there once, however many coordinators and workers there are.

Random search draws configuration number `trial` of a data set from a stream of its own, so it does
not matter when, where and in which order trials run. BOHB (Falkner et al. 2018) is Optuna's
multivariate TPE under Hyperband with the number of epochs as budget: 1 to 10, eta 3. Its
configurations depend on the results so far, so on their order.
"""

import contextlib
import functools
import json
import math
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.exceptions import TrialPruned, UpdateFinishedTrialError
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import FrozenTrial, TrialState

from hia import datasets, space, trainer, trials
from hia.files import write_json
from hia.study import plans, processes
from hia.study.plans import Part, Plan, PlanError
from hia.study.storage import (
    ERRORS,
    FINISHED,
    NothingQueuedError,
    Storage,
    StorageError,
    connect,
    distribution,
    experimental,
    named,
    opened,
    patiently,
)

ETA = 3  # of Hyperband
# The coordinator pauses twenty times as long as reading the storage takes it, within these bounds.
POLL_SECONDS = (0.2, 5.0)
# Trials waiting in one Optuna study, or as many as there are running, if these are more. A worker
# reads all that wait to take one.
QUEUE = 16
# Trials of one Optuna study that a worker trains before it goes to the next: loading a data set has
# to pay, and both sources have to get on together.
TURN = {"random": 14, "bohb": 6}
DEATHS = 5  # workers killed with no trial finished in between, until the study is given up
TAKEN_AT_ONCE = 50  # exported rows that go into the storage in one transaction


def default_storage(plan: Plan) -> str:
    """The SQLite file of a plan, as an Optuna storage URL."""
    folder = Path("runs")
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / plan.name}.db"


def run(
    plan: Plan,
    storage_url: str,
    *,
    workers: int = 1,
    device: str = "auto",
    recorded: str | os.PathLike[str] | None = None,
    report_seconds: float = 10,
) -> None:
    """Train what is missing of a plan, with `workers` processes on this machine.

    recorded: the folder of an export. Its rows that the storage does not have are taken over first,
    if made with as many images, in the precision and with the scale of `lr` that the plan says, so
    that a study goes on from those files alone. Prints progress every `report_seconds`. The same
    plan may be run by several processes, on several machines, at the same time.

    Raises PlanError where the storage holds trials of other images or another precision, and
    StorageError or RuntimeError where the storage or a worker fails, with all finished trials kept.
    """
    if workers < 1:
        raise ValueError(f"workers: {workers} is not a positive number")
    device = trainer.resolve_device(device)
    trainer.check_precision(plan.precision, device)
    # Before anything starts: are all data there?
    totals = {name: _count_images(name, part) for name, part in plan.parts.items()}
    with opened(storage_url) as storage:
        for name, kind in _studies(plan):
            for row in storage.rows(_study(storage, name, kind)._study_id, limit=1):
                _check_row(plan, row, totals)
        if recorded is not None:
            _take_over(plan, storage, Path(recorded), totals)
        _fail_dead(plan, storage)
        who = processes.session(workers, device, list(plan.parts)) | {"plan": plan.name}
        storage.note(who, by=f"{socket.gethostname()}:{os.getpid()}")
        arguments = [(plan, storage_url, device, index) for index in range(workers)]
        try:
            with processes.spawned(_work, arguments) as crew:
                _watch(plan, storage, crew, arguments, report_seconds)
        finally:
            with contextlib.suppress(*ERRORS):  # the heartbeats' end will show it, too
                _fail_dead(plan, storage)


def export(plan: Plan, storage_url: str, folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Write `trials.parquet` and `provenance.json` of a plan's finished trials into a folder.

    Raises RuntimeError where none has finished yet, PlanError where the storage holds trials of
    other images or another precision, and StorageError where it cannot be read.
    """
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    totals: dict[str, int] = {}
    with opened(storage_url) as storage:
        for name, kind in _studies(plan):
            for row in storage.rows(_study(storage, name, kind)._study_id):
                if row["trial"] < plan.parts[name].models:  # the storage may hold a larger plan's
                    _check_row(plan, row, totals)
                    rows.setdefault((name, row["trial"]), row)
        sessions = storage.sessions()
    if not rows:
        raise RuntimeError(f"{storage_url}: no trial of plan {plan.name} has finished yet")
    table = trials.check(pd.DataFrame(list(rows.values()), columns=list(trials.COLUMNS)))
    folder = Path(folder)
    trials.save(table, folder / "trials.parquet")
    provenance = {
        "plan": plan.name,
        "plan_text": plan.text,
        "rows": len(table),
        "rows_per_dataset": {k: int(v) for k, v in table["dataset"].value_counts().items()},
        "rows_per_source": {k: int(v) for k, v in table["source"].value_counts().items()},
        "training_hours": float(table["seconds"].sum() / 3600),
        "sessions": sessions,
    }
    write_json(provenance, folder / "provenance.json")
    return table


def verify(
    table: pd.DataFrame, sample: int, *, device: str = "auto", random_state: int = 0
) -> pd.DataFrame:
    """Train a random sample of recorded rows again.

    Returns one row per trial: `dataset`, `trial`, `recorded` and `again`, the final accuracies,
    `difference`, `same_processor`, and `exact`: every epoch's accuracy is the same to the last
    bit, which is expected where the processor is the same.
    """
    if sample < 1:
        raise ValueError(f"sample: {sample} is not a positive number")
    device = trainer.resolve_device(device)
    chosen = table.sample(min(sample, len(table)), random_state=random_state).sort_index()
    processor = processes.describe_processor(device)
    rows = []
    for name, group in chosen.groupby("dataset", sort=False):
        for images, same_size in group.groupby(group["images"] + group["val_images"]):
            data = datasets.load(str(name), max_images=int(str(images)), device=device)
            for row in same_size.to_dict("records"):
                config = {key: row[key] for key in space.SPACE if not pd.isna(row[key])}
                again = trainer.train(config, data, int(row["seed"]), precision=row["precision"])
                rows.append(
                    {
                        "dataset": name,
                        "trial": row["trial"],
                        "recorded": row["accuracy"],
                        "again": again.accuracy,
                        "difference": abs(again.accuracy - row["accuracy"]),
                        "same_processor": row["processor"] == processor,
                        "exact": again.accuracy_per_epoch == list(row["accuracy_per_epoch"]),
                    }
                )
    return pd.DataFrame(rows)


# --- the storage ---------------------------------------------------------------------------------


def _studies(plan: Plan) -> Iterator[tuple[str, str]]:
    for name in plan.parts:
        for kind in trials.SOURCES:
            yield name, kind


@experimental()
def _study(
    storage: optuna.storages.RDBStorage, name: str, kind: str, worker: int = 0
) -> optuna.Study:
    proposes = optuna.samplers.TPESampler(
        multivariate=True, group=True, seed=plans.seed(name, -1 - worker)
    )
    study = optuna.create_study(
        storage=storage,
        study_name=f"{name}/{kind}",
        direction="maximize",
        load_if_exists=True,
        sampler=proposes if kind == "bohb" else optuna.samplers.RandomSampler(),  # all are queued
        pruner=optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=plans.MAX_EPOCHS, reduction_factor=ETA
        ),
    )
    if kind == "random":
        study._storage = storage  # without Optuna's cache, which keeps every finished trial
    return study


class _Ledger:
    """Which trials of one Optuna study are unfinished, and which of these are in the storage.

    A finished trial stays finished, so that only new and open ones are read again.
    """

    def __init__(self, plan: Plan, storage: Storage, name: str, kind: str) -> None:
        models = plan.parts[name].models
        self.plan, self.storage, self.name, self.kind = plan, storage, name, kind
        self.study_id = _study(storage, name, kind)._study_id
        self.unfinished = dict.fromkeys(n for n in range(models) if plan.source(n) == kind)
        self.open: dict[int, tuple[int, TrialState]] = {}
        self.seen = -1
        self.seconds = 0.0  # that the last reading took

    def read(self) -> None:
        began = time.monotonic()
        for own, number, state in self.storage.states(self.study_id, self.seen, self.open):
            self.seen = max(self.seen, own)
            self.open.pop(own, None)
            if state in FINISHED:
                self.unfinished.pop(number, None)
            elif state != TrialState.FAIL:
                self.open[own] = (number, state)
        self.seconds = time.monotonic() - began

    def fill(self) -> None:
        """Queue unfinished trials that are not in the storage, as long as there is room."""
        waiting = sum(state == TrialState.WAITING for _, state in self.open.values())
        room = max(QUEUE, len(self.open) - waiting) - waiting
        there = {number for number, _ in self.open.values()}
        absent = list(islice((n for n in self.unfinished if n not in there), max(room, 0)))
        if absent:
            self.add({number: self._queued(number) for number in absent})

    def _queued(self, number: int) -> FrozenTrial:
        config = self.plan.random_config(self.name, number) if self.kind == "random" else {}
        return optuna.create_trial(
            state=TrialState.WAITING,
            system_attrs={"fixed_params": config},
            user_attrs={"trial": number},
        )

    def add(self, wanted: Mapping[int, FrozenTrial]) -> None:
        self.storage.add(self.study_id, wanted, self.seen)


def _ledgers(plan: Plan, storage: Storage) -> list[_Ledger]:
    return [_Ledger(plan, storage, name, kind) for name, kind in _studies(plan)]


def _queue(ledgers: Sequence[_Ledger]) -> int:
    """Top up the storage's queue with trials that it has not; how many of the plan are unfinished.

    The queue is kept short because every worker reads all of it to take one trial.
    """
    for ledger in ledgers:
        ledger.read()
        ledger.fill()
    return sum(len(ledger.unfinished) for ledger in ledgers)


def _fail_dead(plan: Plan, storage: Storage) -> None:
    """Fail what workers of this machine that no longer run had begun, so that it is queued again.

    The missing heartbeat would show these trials too, but only after a while.
    """
    for name, kind in _studies(plan):
        study_id = _study(storage, name, kind)._study_id
        for frozen in storage.get_all_trials(study_id, states=(TrialState.RUNNING,)):
            host, _, process = frozen.user_attrs.get("worker", "").rpartition(":")
            if host == socket.gethostname() and not processes.runs(int(process)):
                with contextlib.suppress(UpdateFinishedTrialError):  # others look, too
                    storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)


def _count_images(name: str, part: Part) -> int:
    """Training and validation images of a data set in a study."""
    data = datasets.load(name, max_images=part.max_images)
    return len(data.train_labels) + len(data.val_labels)


def _check_row(plan: Plan, row: dict[str, Any], totals: dict[str, int]) -> None:
    """Raises PlanError unless a row has the plan's number of images, precision and scale of `lr`.

    totals: images by data set; where neither it nor the plan has a number, it gets the row's.
    """
    name, images = row["dataset"], row["images"] + row["val_images"]
    planned = totals.setdefault(name, plan.parts[name].max_images or images)
    scale = row.setdefault("lr_scale", "log")  # rows of a time when there was no other
    if (images, row["precision"], scale) != (planned, plan.precision, plan.lr_scale):
        raise PlanError(
            f"plan {plan.name}: {name} with {planned} images in {plan.precision} and lr on a "
            f"{plan.lr_scale} scale, but the storage holds trials with {images} images in "
            f"{row['precision']} and a {scale} scale; use a storage of its own"
        )


def _take_over(plan: Plan, storage: Storage, folder: Path, totals: Mapping[str, int]) -> None:
    """Put exported rows into the storage: those that it has not, of as many images as planned."""
    if not (folder / "trials.parquet").is_file():
        return
    table = trials.load(folder / "trials.parquet")
    sessions = _recorded_sessions(folder / "provenance.json")
    taken = False
    for ledger in _ledgers(plan, storage):
        ledger.read()
        there = {number for number, _ in ledger.open.values()}
        chosen = table[
            (table["dataset"] == ledger.name)
            & (table["source"] == ledger.kind)
            & (table["images"] + table["val_images"] == totals[ledger.name])
            & (table["precision"] == plan.precision)
            & (table["lr_scale"] == plan.lr_scale)
            & table["trial"].isin(set(ledger.unfinished) - there)
        ]
        for first in range(0, len(chosen), TAKEN_AT_ONCE):
            some = chosen.iloc[first : first + TAKEN_AT_ONCE].to_dict("records")
            ledger.add({row["trial"]: _as_optuna(plan, row) for row in some})
            taken = True
    if taken:
        known = storage.sessions()
        for number, session in enumerate(sessions):
            if session not in known:
                storage.note(session, by=str(number))


def _recorded_sessions(path: Path) -> list[dict[str, Any]]:
    """The sessions of an export; none where there is no file."""
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return sorted(content["sessions"], key=lambda session: str(session["started"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the provenance of an export ({error!r})") from error


def _as_optuna(plan: Plan, row: dict[Hashable, Any]) -> FrozenTrial:
    """An exported row as a finished Optuna trial."""
    row = {name: None if _is_missing(value) else value for name, value in row.items()}
    row["accuracy_per_epoch"] = [float(value) for value in row["accuracy_per_epoch"]]
    names = [
        name
        for name in space.SAMPLED
        if row[name] is not None and not (name == "epoch" and row["source"] == "bohb")
    ]
    stopped = row["source"] == "bohb" and row["epoch"] < plans.MAX_EPOCHS
    return optuna.create_trial(
        state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
        value=row["accuracy"],
        params={name: row[name] for name in names},
        distributions={name: distribution(plan.space[name]) for name in names},
        user_attrs={"trial": row["trial"], "row": row},
        intermediate_values=dict(enumerate(row["accuracy_per_epoch"], start=1)),
    )


def _is_missing(value: Any) -> bool:
    return not isinstance(value, list | np.ndarray) and bool(pd.isna(value))


# --- the workers ---------------------------------------------------------------------------------


def _work(plan: Plan, storage_url: str, device: str, index: int) -> None:
    """A worker process; it ends with one line where the storage fails."""
    try:
        with named(storage_url):
            _take_trials(plan, storage_url, device, index)
    except StorageError as error:
        sys.exit(f"worker {index}: {error}")


@experimental()
def _take_trials(plan: Plan, storage_url: str, device: str, index: int) -> None:
    """Take trials from the queue, data set by data set in turn, until the coordinator is gone.

    One data set is in memory at a time.
    """
    # Optuna's advice for those who take trials without keeping up their heartbeat.
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
    processor = processes.set_up_worker(device, index)
    storage = patiently(lambda: connect(storage_url))
    studies = {
        key: patiently(functools.partial(_study, storage, *key, worker=index))
        for key in _studies(plan)
    }
    data: datasets.Dataset | None = None
    while not processes.orphaned():
        idle = True
        for (name, kind), study in studies.items():
            patiently(functools.partial(optuna.storages.fail_stale_trials, study))
            for _ in range(TURN[kind]):
                if processes.orphaned():
                    return
                try:
                    trial = patiently(study.ask)
                except NothingQueuedError:
                    break
                idle = False
                with get_heartbeat_thread(trial._trial_id, storage):
                    if data is None or data.name != name:
                        data = None  # before the next is loaded
                        images = plan.parts[name].max_images
                        data = datasets.load(name, max_images=images, device=device)
                    _run_one(plan, study, trial, data, processor)
        if idle:
            time.sleep(1)


def _run_one(
    plan: Plan, study: optuna.Study, trial: optuna.Trial, data: datasets.Dataset, processor: str
) -> None:
    """Train the CNN of a trial and finish the trial.

    As Optuna's `optimize` does, which loses sight of the reason where the storage fails.
    """
    # Else it was taken for dead, because it slept or could not reach the storage, and is lost.
    with contextlib.suppress(UpdateFinishedTrialError):
        value, state = None, None
        try:
            value = _train_one(plan, study, trial, data, processor)
        except TrialPruned:
            state = TrialState.PRUNED
        patiently(lambda: study.tell(trial, value, state, skip_if_finished=True))


def _train_one(
    plan: Plan, study: optuna.Study, trial: optuna.Trial, data: datasets.Dataset, processor: str
) -> float:
    """Train the CNN of one trial and leave its row in the storage; its validation accuracy."""
    number = trial.user_attrs["trial"]
    kind = plan.source(number)
    if kind == "random":
        config = space.validate(plan.random_config(data.name, number))
        storage = study._storage
        assert isinstance(storage, Storage)
        patiently(lambda: storage.set_params(trial._trial_id, config, plan.space))
    else:
        config = patiently(lambda: _propose(plan, trial))

    def stop(epoch: int, accuracy: float) -> bool:
        if kind == "random":
            return False
        patiently(lambda: trial.report(accuracy, epoch))
        return epoch < config["epoch"] and patiently(trial.should_prune)

    seed = plans.seed(data.name, number)
    result = trainer.train(config, data, seed, stop, precision=plan.precision)
    epochs = len(result.accuracy_per_epoch)
    row = {
        "dataset": data.name,
        "source": kind,
        "trial": number,
        **dict.fromkeys(space.FILTERS),
        **config,
        "epoch": epochs,
        "in_channel_num": data.channels,
        **result.row(),
        "images": len(data.train_labels),
        "val_images": len(data.val_labels),
        "seed": seed,
        "precision": plan.precision,
        "lr_scale": plan.lr_scale,
        "processor": processor,
    }
    patiently(lambda: trial.set_user_attr("row", row))
    if epochs < config["epoch"]:
        raise TrialPruned
    return result.accuracy


def _propose(plan: Plan, trial: optuna.Trial) -> space.Config:
    """BOHB's configuration."""
    config: space.Config = {}
    for name in space.SAMPLED:
        if name in space.FILTERS[config.get("num_conv_layers", 0) :]:
            continue
        config[name] = plans.MAX_EPOCHS
        if name != "epoch":
            config[name] = trial._suggest(name, distribution(plan.space[name]))
    return config


# --- the coordinator -----------------------------------------------------------------------------


def _watch(
    plan: Plan,
    storage: Storage,
    crew: list[SpawnProcess],
    arguments: Sequence[tuple[Any, ...]],
    report_seconds: float,
) -> None:
    """Keep the queue filled and print progress until everything has finished.

    A worker that was killed, as where memory runs out, is replaced.
    """
    ledgers = patiently(lambda: _ledgers(plan, storage))
    for ledger in ledgers:
        patiently(ledger.read)
    began = time.monotonic()
    at_start = before = sum(len(ledger.unfinished) for ledger in ledgers)
    printed = -math.inf
    deaths = 0
    while True:
        unfinished = patiently(lambda: _queue(ledgers))
        elapsed = time.monotonic() - began
        pause = 20 * sum(ledger.seconds for ledger in ledgers)
        if elapsed - printed >= report_seconds or not unfinished:
            printed = elapsed
            print(_progress(plan.models, unfinished, at_start, elapsed), flush=True)
        if not unfinished:
            return
        if unfinished < before:
            before, deaths = unfinished, 0
        for index, process in enumerate(crew):
            if process.exitcode is not None:
                deaths += 1
                if process.exitcode >= 0 or deaths > DEATHS:
                    raise RuntimeError(
                        f"a worker ended with exit code {process.exitcode} (its message, if any, "
                        "is above); all finished trials are kept, and the same command goes on"
                    )
                how = _signal(process.exitcode)
                print(f"a worker was killed ({how}), another takes its place", flush=True)
                patiently(lambda: _fail_dead(plan, storage))
                crew[index] = processes.start(_work, arguments[index])
        time.sleep(min(max(pause, POLL_SECONDS[0]), POLL_SECONDS[1], report_seconds))


def _signal(exitcode: int) -> str:
    try:
        return signal.Signals(-exitcode).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-exitcode}"


def _progress(models: int, unfinished: int, at_start: int, elapsed: float) -> str:
    trained = at_start - unfinished
    line = f"{models - unfinished:,} of {models:,} CNNs"
    if trained and elapsed > 0:
        left = timedelta(seconds=round(unfinished * elapsed / trained))
        line += f", {trained / elapsed * 3600:,.0f} an hour, {left} left"
    return line
