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
import hashlib
import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
import warnings
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
import pandas as pd
import psutil
import sqlalchemy
import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.exceptions import (
    ExperimentalWarning,
    StorageInternalError,
    TrialPruned,
    UpdateFinishedTrialError,
)
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

from hia import datasets, space, trainer, trials

MAX_EPOCHS = int(space.SPACE["epoch"].bounds[1])
ETA = 3
HEARTBEAT_SECONDS = 10
# The coordinator pauses twenty times as long as reading the storage takes it, within these bounds.
POLL_SECONDS = (0.2, 5.0)
# Trials waiting in one Optuna study, or as many as there are running, if these are more. A worker
# reads all that wait to take one.
QUEUE = 16
# Trials of one Optuna study that a worker trains before it goes to the next: loading a data set has
# to pay, and both sources have to get on together.
TURN = {"random": 14, "bohb": 6}
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
# Pauses after which the storage is tried again: a server restarts, a disk gets room.
PATIENCE = (1, 2, 4, 8, 15, 30)
DEATHS = 5  # workers killed with no trial finished in between, until the study is given up
TAKEN_AT_ONCE = 50  # exported rows that go into the storage in one transaction
STORAGE_ERRORS = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)
# Versions that decide what a training computes.
PACKAGES = ("torch", "numpy", "optuna", "scikit-learn")


@dataclass(frozen=True)
class Part:
    """What a plan asks of one data set: so many CNNs, on at most so many images (None: all)."""

    models: int
    max_images: int | None


@dataclass(frozen=True)
class Plan:
    """A study plan. parts: by data set. precision: of the arithmetic. text: the file as read."""

    name: str
    parts: dict[str, Part]
    precision: str
    text: str

    @property
    def models(self) -> int:
        return sum(part.models for part in self.parts.values())


class PlanError(ValueError):
    """A plan that cannot be run."""


class StorageError(RuntimeError):
    """A storage that cannot be read or written."""


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan: a TOML file with one table [datasets.NAME] per data set.

    Its keys are `models`, the number of CNNs, and, optionally, `max_images`, the number of images
    to use, a fifth of them for validation. Before the tables, `precision = "bf16"` may stand in
    place of "float32". Raises PlanError naming the file and the key at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"{path}: there is no such plan")
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from error
    unknown = set(content) - {"datasets", "precision"}
    if unknown or not isinstance(content.get("datasets"), dict) or not content["datasets"]:
        raise PlanError(
            f"{path}: must hold tables [datasets.NAME] and nothing else but `precision`"
        )
    precision = content.get("precision", "float32")
    if precision not in space.PRECISIONS:
        known = ", ".join(space.PRECISIONS)
        raise PlanError(f"{path}: precision: {precision!r} is not one of {known}")
    parts = {}
    for name, part in content["datasets"].items():
        where = f"{path}: [datasets.{name}]"
        if name not in datasets.FACTS:
            raise PlanError(f"{where}: unknown data set; known are {', '.join(datasets.FACTS)}")
        if not isinstance(part, dict) or set(part) - {"models", "max_images"}:
            raise PlanError(f"{where}: may hold `models` and `max_images` only")
        for key in ("models", "max_images"):
            value = part.get(key)
            if key == "max_images" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise PlanError(f"{where}: {key} must be a positive integer, not {value!r}")
        parts[name] = Part(part["models"], part.get("max_images"))
    return Plan(path.stem, parts, precision, text)


def source(trial: int) -> str:
    """Of every ten trials of a data set, seven are random search and three BOHB (Section 4.1)."""
    return "random" if trial % 10 < 7 else "bohb"


def seed(dataset: str, trial: int) -> int:
    """The seed of a trial, the same on every machine: 0 <= seed < 2**32."""
    digest = hashlib.sha256(f"{dataset}/{trial}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def random_config(dataset: str, trial: int) -> space.Config:
    """The configuration of a random-search trial."""
    return space.sample(np.random.default_rng(seed(dataset, trial)))


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
    if made with as many images and the precision that the plan says, so that a study goes on from
    those files alone. Prints progress every `report_seconds`. The same plan may be run by several
    processes, on several machines, at the same time.

    Raises PlanError where the storage holds trials of other images or another precision, and
    StorageError or RuntimeError where the storage or a worker fails, with all finished trials kept.
    """
    if workers < 1:
        raise ValueError(f"workers: {workers} is not a positive number")
    device = trainer.resolve_device(device)
    trainer.check_precision(plan.precision, device)
    # Before anything starts: are all data there?
    totals = {name: _count_images(name, part) for name, part in plan.parts.items()}
    with _opened(storage_url) as storage:
        for name, kind in _studies(plan):
            for row in storage.rows(_study(storage, name, kind)._study_id, limit=1):
                _check_row(plan, row, totals)
        if recorded is not None:
            _take_over(plan, storage, Path(recorded), totals)
        _fail_dead(plan, storage)
        who = session(workers, device, list(plan.parts)) | {"plan": plan.name}
        _note(storage, who, by=f"{socket.gethostname()}:{os.getpid()}")
        arguments = [(plan, storage_url, device, index) for index in range(workers)]
        try:
            with spawned(_work, arguments) as processes:
                _watch(plan, storage, processes, arguments, report_seconds)
        finally:
            with contextlib.suppress(*STORAGE_ERRORS):  # the heartbeats' end will show it, too
                _fail_dead(plan, storage)


def export(plan: Plan, storage_url: str, folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Write `trials.parquet` and `provenance.json` of a plan's finished trials into a folder.

    Raises RuntimeError where none has finished yet, PlanError where the storage holds trials of
    other images or another precision, and StorageError where it cannot be read.
    """
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    totals: dict[str, int] = {}
    with _opened(storage_url) as storage:
        for name, kind in _studies(plan):
            for row in storage.rows(_study(storage, name, kind)._study_id):
                if row["trial"] < plan.parts[name].models:  # the storage may hold a larger plan's
                    _check_row(plan, row, totals)
                    rows.setdefault((name, row["trial"]), row)
        sessions = _sessions(storage)
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
    partial = folder / "provenance.json.partial"
    partial.write_text(json.dumps(provenance, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(folder / "provenance.json")
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
    processor = describe_processor(device)
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


def describe_processor(device: str) -> str:
    """What trains on `device`: the GPU's name, or the processor's with its vector instructions."""
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
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


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


def outcome(result: trainer.Result) -> dict[str, Any]:
    """What a training gave, as a row of `hia.trials` has it; None where it is missing."""
    return {
        "accuracy": result.accuracy,
        "accuracy_per_epoch": result.accuracy_per_epoch,
        "loss": result.loss_per_epoch[-1] if not result.diverged else None,
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds if math.isfinite(result.cpu_seconds) else None,
        "parameters": result.parameters,
        "flops": result.flops,
        "diverged": result.diverged,
    }


def session(workers: int, device: str, names: Sequence[str]) -> dict[str, Any]:
    """Who trains now on these data sets, with which versions; for the provenance of what comes.

    Raises DatasetError where the images of one of them cannot be had.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "workers": workers,
        "processor": describe_processor(device),
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": _commit(),
        "data_sha256": {name: datasets.read(name).sha256 for name in names},
    }


# --- the storage ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _experimental() -> Iterator[None]:
    """Optuna marks heartbeats and grouped TPE as experimental; its version here is pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


class _NothingQueuedError(Exception):
    """Other workers were quicker: no trial is waiting."""


_TRIAL, _ATTRIBUTE = models.TrialModel.__table__, models.TrialUserAttributeModel.__table__


class _Storage(optuna.storages.RDBStorage):
    """Optuna's storage, in which each trial is queued, taken and finished once.

    Optuna locks what it is about to change with SELECT FOR UPDATE. SQLite has no such lock: two
    workers that ask at the same moment would be given the same trial. Here the first statement of a
    transaction is an UPDATE, which locks the row, or all of SQLite.
    """

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if state != TrialState.RUNNING:
            own = sqlalchemy.update(_TRIAL).where(_TRIAL.c.trial_id == trial_id)
            with _create_scoped_session(self.scoped_session) as session:
                session.execute(own.values(state=_TRIAL.c.state))
                # Optuna goes on in the thread's session, that is, in this transaction.
                return super().set_trial_state_values(trial_id, state, values)
        take = (
            sqlalchemy.update(_TRIAL)
            .where(_TRIAL.c.trial_id == trial_id, _TRIAL.c.state == TrialState.WAITING)
            .values(state=state, datetime_start=datetime.now(UTC).replace(tzinfo=None))
        )
        worker = json.dumps(f"{socket.gethostname()}:{os.getpid()}")
        with self.engine.begin() as connection:
            if connection.execute(take).rowcount == 0:
                return False
            # Optuna's first heartbeat comes after BOHB's proposal: a worker that is killed in
            # between would hold the trial for ever.
            connection.execute(
                sqlalchemy.insert(models.TrialHeartbeatModel.__table__).values(trial_id=trial_id)
            )
            connection.execute(
                sqlalchemy.insert(_ATTRIBUTE).values(
                    trial_id=trial_id, key="worker", value_json=worker
                )
            )
        return True

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(*STORAGE_ERRORS):  # the next may come through
            super().record_heartbeat(trial_id)

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        if template_trial is None:  # Optuna's answer to an empty queue
            raise _NothingQueuedError
        return super()._create_new_trial(study_id, template_trial)

    def set_params(self, trial_id: int, config: space.Config) -> None:
        """Note a configuration in one transaction; Optuna takes one per hyperparameter."""
        param = models.TrialParamModel.__table__
        rows = [
            {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": _distribution(name).to_internal_repr(value),
                "distribution_json": distribution_to_json(_distribution(name)),
            }
            for name, value in config.items()
        ]
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.delete(param).where(param.c.trial_id == trial_id))
            connection.execute(sqlalchemy.insert(param), rows)

    def add(self, study_id: int, wanted: Mapping[int, FrozenTrial], seen: int) -> None:
        """Add trials, by their numbers in the plan, that the study did not have.

        seen: Optuna's highest trial number at that time; what others added since is left out.
        """
        study = models.StudyModel.__table__
        lock = sqlalchemy.update(study).where(study.c.study_id == study_id)
        with _create_scoped_session(self.scoped_session) as session:
            session.execute(lock.values(study_name=study.c.study_name))
            there = {
                number
                for _, number, state in _states(session.connection(), study_id, seen)
                if state != TrialState.FAIL
            }
            for number, template in wanted.items():
                if number not in there:
                    self._get_prepared_new_trial(study_id, template, session)

    def states(
        self, study_id: int, above: int, among: Collection[int]
    ) -> list[tuple[int, int, TrialState]]:
        """Optuna's number, the number in the plan, and the state of its trials."""
        with self.engine.connect() as connection:
            return _states(connection, study_id, above, among)

    def rows(self, study_id: int, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a study's finished trials, oldest first."""
        query = (
            _with_attribute("row")
            .where(_TRIAL.c.study_id == study_id, _TRIAL.c.state.in_(FINISHED))
            .limit(limit)
        )
        with self.engine.connect() as connection:
            for _, row, _ in connection.execute(query.execution_options(yield_per=1000)):
                yield json.loads(row)


def _with_attribute(key: str) -> sqlalchemy.Select:
    """Optuna's numbers, this user attribute, and the states of the trials that have it."""
    has = (_ATTRIBUTE.c.trial_id == _TRIAL.c.trial_id) & (_ATTRIBUTE.c.key == key)
    return (
        sqlalchemy.select(_TRIAL.c.trial_id, _ATTRIBUTE.c.value_json, _TRIAL.c.state)
        .join_from(_TRIAL, _ATTRIBUTE, has)
        .order_by(_TRIAL.c.trial_id)
    )


def _states(
    connection: sqlalchemy.Connection, study_id: int, above: int, among: Collection[int] = ()
) -> list[tuple[int, int, TrialState]]:
    chosen = (_TRIAL.c.trial_id > above) | _TRIAL.c.trial_id.in_(list(among))
    query = _with_attribute("trial").where(_TRIAL.c.study_id == study_id, chosen)
    return [(own, int(number), state) for own, number, state in connection.execute(query)]


@_experimental()
def _storage(url: str) -> _Storage:
    """Open a storage; raises ValueError for a URL that cannot be one."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # an empty queue is no warning
    sqlite = url.startswith("sqlite")
    # A server may have been restarted since a connection was last used.
    engine = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}

    def connect() -> _Storage:
        try:
            return _Storage(url, engine_kwargs=dict(engine), heartbeat_interval=HEARTBEAT_SECONDS)
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            raise ValueError(f"storage {_shown(url)}: {str(error).splitlines()[0]}") from error

    try:
        storage = connect()
    except STORAGE_ERRORS:  # another process may be making the tables at this moment
        time.sleep(PATIENCE[0])
        storage = connect()
    if sqlite:
        sqlalchemy.event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # the connections made so far
    return storage


def _write_ahead(connection: Any, _: Any) -> None:
    """Commits do not wait for the disk; killing any process loses none."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


@contextlib.contextmanager
def _opened(url: str) -> Iterator[_Storage]:
    """A storage, closed at the end."""
    with _named(url):
        storage = _storage(url)
        try:
            yield storage
        finally:
            storage.engine.dispose()


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Give what fails in the storage its name, its reason and what to do."""
    try:
        yield
    except STORAGE_ERRORS as error:
        reason = _reason(error)
        damaged = isinstance(reason, sqlite3.DatabaseError) and not isinstance(
            reason, sqlite3.OperationalError
        )
        advice = (
            "the file is damaged; move it away, and the study goes on from its last export"
            if damaged
            else "finished trials are kept; once this is mended, the same command goes on"
        )
        first, *_ = str(reason).strip().splitlines() or [type(reason).__name__]
        raise StorageError(f"storage {_shown(url)}: {first}; {advice}") from error


def _reason(error: BaseException) -> BaseException:
    """What the database itself said."""
    while inner := getattr(error, "orig", None) or error.__cause__:
        error = inner
    return error


def _shown(url: str) -> str:
    """A storage's URL without the password."""
    try:
        return sqlalchemy.make_url(url).render_as_string()
    except sqlalchemy.exc.ArgumentError:
        return url.rpartition("@")[2]


T = TypeVar("T")


def _patiently(action: Callable[[], T]) -> T:
    """What an action gives, tried again while the storage fails, for about a minute."""
    for pause in PATIENCE:
        try:
            return action()
        except STORAGE_ERRORS:
            time.sleep(pause)
    return action()


def _studies(plan: Plan) -> Iterator[tuple[str, str]]:
    for name in plan.parts:
        for kind in trials.SOURCES:
            yield name, kind


@_experimental()
def _study(
    storage: optuna.storages.RDBStorage, name: str, kind: str, worker: int = 0
) -> optuna.Study:
    proposes = optuna.samplers.TPESampler(
        multivariate=True, group=True, seed=seed(name, -1 - worker)
    )
    study = optuna.create_study(
        storage=storage,
        study_name=f"{name}/{kind}",
        direction="maximize",
        load_if_exists=True,
        sampler=proposes if kind == "bohb" else optuna.samplers.RandomSampler(),  # all are queued
        pruner=optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=MAX_EPOCHS, reduction_factor=ETA
        ),
    )
    if kind == "random":
        study._storage = storage  # without Optuna's cache, which keeps every finished trial
    return study


def _distribution(name: str) -> BaseDistribution:
    """A hyperparameter of Table 1 as Optuna writes it."""
    row = space.SPACE[name]
    if row.choices is not None:
        return CategoricalDistribution(row.choices)
    low, high = row.bounds
    if row.kind == "integer":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=row.log)


class _Ledger:
    """Which trials of one Optuna study are unfinished, and which of these are in the storage.

    A finished trial stays finished, so that only new and open ones are read again.
    """

    def __init__(self, storage: _Storage, name: str, kind: str, models: int) -> None:
        self.storage, self.name, self.kind = storage, name, kind
        self.study_id = _study(storage, name, kind)._study_id
        self.unfinished = dict.fromkeys(n for n in range(models) if source(n) == kind)
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
        config = random_config(self.name, number) if self.kind == "random" else {}
        return optuna.create_trial(
            state=TrialState.WAITING,
            system_attrs={"fixed_params": config},
            user_attrs={"trial": number},
        )

    def add(self, wanted: Mapping[int, FrozenTrial]) -> None:
        self.storage.add(self.study_id, wanted, self.seen)


def _ledgers(plan: Plan, storage: _Storage) -> list[_Ledger]:
    return [_Ledger(storage, name, kind, plan.parts[name].models) for name, kind in _studies(plan)]


def _queue(ledgers: Sequence[_Ledger]) -> int:
    """Top up the storage's queue with trials that it has not; how many of the plan are unfinished.

    The queue is kept short because every worker reads all of it to take one trial.
    """
    for ledger in ledgers:
        ledger.read()
        ledger.fill()
    return sum(len(ledger.unfinished) for ledger in ledgers)


def _fail_dead(plan: Plan, storage: _Storage) -> None:
    """Fail what workers of this machine that no longer run had begun, so that it is queued again.

    The missing heartbeat would show these trials too, but only after a while.
    """
    for name, kind in _studies(plan):
        study_id = _study(storage, name, kind)._study_id
        for frozen in storage.get_all_trials(study_id, states=(TrialState.RUNNING,)):
            host, _, process = frozen.user_attrs.get("worker", "").rpartition(":")
            if host == socket.gethostname() and not _runs(int(process)):
                with contextlib.suppress(UpdateFinishedTrialError):  # others look, too
                    storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)


def _runs(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _count_images(name: str, part: Part) -> int:
    """Training and validation images of a data set in a study."""
    data = datasets.load(name, max_images=part.max_images)
    return len(data.train_labels) + len(data.val_labels)


def _check_row(plan: Plan, row: Mapping[str, Any], totals: dict[str, int]) -> None:
    """Raises PlanError unless a row has the plan's number of images and precision.

    totals: images by data set; where neither it nor the plan has a number, it gets the row's.
    """
    name, images = row["dataset"], row["images"] + row["val_images"]
    planned = totals.setdefault(name, plan.parts[name].max_images or images)
    if (images, row["precision"]) != (planned, plan.precision):
        raise PlanError(
            f"plan {plan.name}: {name} with {planned} images in {plan.precision}, but the storage "
            f"holds trials with {images} images in {row['precision']}; use a storage of its own"
        )


def _take_over(plan: Plan, storage: _Storage, folder: Path, totals: Mapping[str, int]) -> None:
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
            & table["trial"].isin(set(ledger.unfinished) - there)
        ]
        for first in range(0, len(chosen), TAKEN_AT_ONCE):
            some = chosen.iloc[first : first + TAKEN_AT_ONCE].to_dict("records")
            ledger.add({row["trial"]: _as_optuna(row) for row in some})
            taken = True
    if taken:
        known = _sessions(storage)
        for number, session in enumerate(sessions):
            if session not in known:
                _note(storage, session, by=str(number))


def _recorded_sessions(path: Path) -> list[dict[str, Any]]:
    """The sessions of an export; none where there is no file."""
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return sorted(content["sessions"], key=lambda session: str(session["started"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the provenance of an export ({error!r})") from error


def _as_optuna(row: dict[Hashable, Any]) -> FrozenTrial:
    """An exported row as a finished Optuna trial."""
    row = {name: None if _is_missing(value) else value for name, value in row.items()}
    row["accuracy_per_epoch"] = [float(value) for value in row["accuracy_per_epoch"]]
    names = [
        name
        for name in space.SAMPLED
        if row[name] is not None and not (name == "epoch" and row["source"] == "bohb")
    ]
    stopped = row["source"] == "bohb" and row["epoch"] < MAX_EPOCHS
    return optuna.create_trial(
        state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
        value=row["accuracy"],
        params={name: row[name] for name in names},
        distributions={name: _distribution(name) for name in names},
        user_attrs={"trial": row["trial"], "row": row},
        intermediate_values=dict(enumerate(row["accuracy_per_epoch"], start=1)),
    )


def _is_missing(value: Any) -> bool:
    return not isinstance(value, list | np.ndarray) and bool(pd.isna(value))


def _notes(storage: _Storage) -> optuna.Study:
    """An Optuna study without trials, whose attributes say who ran the study when."""
    return optuna.create_study(storage=storage, study_name="sessions", load_if_exists=True)


def _note(storage: _Storage, session: dict[str, Any], by: str) -> None:
    _notes(storage).set_user_attr(f"{session['started']} {by}", session)


def _sessions(storage: _Storage) -> list[dict[str, Any]]:
    notes = _notes(storage).user_attrs
    return [notes[key] for key in sorted(notes)]


def _commit() -> str | None:
    """The commit that the code is at, with `-dirty` where it was changed; None outside git."""
    git = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
    ]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


# --- the workers ---------------------------------------------------------------------------------


def _work(plan: Plan, storage_url: str, device: str, index: int) -> None:
    """A worker process; it ends with one line where the storage fails."""
    try:
        with _named(storage_url):
            _take_trials(plan, storage_url, device, index)
    except StorageError as error:
        sys.exit(f"worker {index}: {error}")


@_experimental()
def _take_trials(plan: Plan, storage_url: str, device: str, index: int) -> None:
    """Take trials from the queue, data set by data set in turn, until the coordinator is gone.

    One data set is in memory at a time.
    """
    # Optuna's advice for those who take trials without keeping up their heartbeat.
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
    processor = set_up_worker(device, index)
    storage = _patiently(lambda: _storage(storage_url))
    studies = {
        key: _patiently(functools.partial(_study, storage, *key, worker=index))
        for key in _studies(plan)
    }
    data: datasets.Dataset | None = None
    while not orphaned():
        idle = True
        for (name, kind), study in studies.items():
            _patiently(functools.partial(optuna.storages.fail_stale_trials, study))
            for _ in range(TURN[kind]):
                if orphaned():
                    return
                try:
                    trial = _patiently(study.ask)
                except _NothingQueuedError:
                    break
                idle = False
                with get_heartbeat_thread(trial._trial_id, storage):
                    if data is None or data.name != name:
                        data = None  # before the next is loaded
                        images = plan.parts[name].max_images
                        data = datasets.load(name, max_images=images, device=device)
                    _run_one(study, trial, data, plan.precision, processor)
        if idle:
            time.sleep(1)


def _run_one(
    study: optuna.Study, trial: optuna.Trial, data: datasets.Dataset, precision: str, processor: str
) -> None:
    """Train the CNN of a trial and finish the trial.

    As Optuna's `optimize` does, which loses sight of the reason where the storage fails.
    """
    # Else it was taken for dead, because it slept or could not reach the storage, and is lost.
    with contextlib.suppress(UpdateFinishedTrialError):
        value, state = None, None
        try:
            value = _train_one(study, trial, data, precision, processor)
        except TrialPruned:
            state = TrialState.PRUNED
        _patiently(lambda: study.tell(trial, value, state, skip_if_finished=True))


def _train_one(
    study: optuna.Study, trial: optuna.Trial, data: datasets.Dataset, precision: str, processor: str
) -> float:
    """Train the CNN of one trial and leave its row in the storage; its validation accuracy."""
    number = trial.user_attrs["trial"]
    kind = source(number)
    if kind == "random":
        config = space.validate(random_config(data.name, number))
        storage = study._storage
        assert isinstance(storage, _Storage)
        _patiently(lambda: storage.set_params(trial._trial_id, config))
    else:
        config = _patiently(lambda: _propose(trial))

    def stop(epoch: int, accuracy: float) -> bool:
        if kind == "random":
            return False
        _patiently(lambda: trial.report(accuracy, epoch))
        return epoch < config["epoch"] and _patiently(trial.should_prune)

    result = trainer.train(config, data, seed(data.name, number), stop, precision=precision)
    epochs = len(result.accuracy_per_epoch)
    row = {
        "dataset": data.name,
        "source": kind,
        "trial": number,
        **dict.fromkeys(space.FILTERS),
        **config,
        "epoch": epochs,
        "in_channel_num": data.channels,
        **outcome(result),
        "images": len(data.train_labels),
        "val_images": len(data.val_labels),
        "seed": seed(data.name, number),
        "precision": precision,
        "processor": processor,
    }
    _patiently(lambda: trial.set_user_attr("row", row))
    if epochs < config["epoch"]:
        raise TrialPruned
    return result.accuracy


def _propose(trial: optuna.Trial) -> space.Config:
    """BOHB's configuration."""
    config: space.Config = {}
    for name in space.SAMPLED:
        if name in space.FILTERS[config.get("num_conv_layers", 0) :]:
            continue
        config[name] = MAX_EPOCHS
        if name != "epoch":
            config[name] = trial._suggest(name, _distribution(name))
    return config


# --- the coordinator -----------------------------------------------------------------------------


def _watch(
    plan: Plan,
    storage: _Storage,
    processes: list[SpawnProcess],
    arguments: Sequence[tuple[Any, ...]],
    report_seconds: float,
) -> None:
    """Keep the queue filled and print progress until everything has finished.

    A worker that was killed, as where memory runs out, is replaced.
    """
    ledgers = _patiently(lambda: _ledgers(plan, storage))
    for ledger in ledgers:
        _patiently(ledger.read)
    began = time.monotonic()
    at_start = before = sum(len(ledger.unfinished) for ledger in ledgers)
    printed = -math.inf
    deaths = 0
    while True:
        unfinished = _patiently(lambda: _queue(ledgers))
        elapsed = time.monotonic() - began
        pause = 20 * sum(ledger.seconds for ledger in ledgers)
        if elapsed - printed >= report_seconds or not unfinished:
            printed = elapsed
            print(_progress(plan.models, unfinished, at_start, elapsed), flush=True)
        if not unfinished:
            return
        if unfinished < before:
            before, deaths = unfinished, 0
        for index, process in enumerate(processes):
            if process.exitcode is not None:
                deaths += 1
                if process.exitcode >= 0 or deaths > DEATHS:
                    raise RuntimeError(
                        f"a worker ended with exit code {process.exitcode} (its message, if any, "
                        "is above); all finished trials are kept, and the same command goes on"
                    )
                how = _signal(process.exitcode)
                print(f"a worker was killed ({how}), another takes its place", flush=True)
                _patiently(lambda: _fail_dead(plan, storage))
                processes[index] = start(_work, arguments[index])
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
