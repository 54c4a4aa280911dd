"""Runs a study: many CNNs on several data sets, by random search and BOHB (Section 4.1).

The trials live in one Optuna storage, with one Optuna study per data set and source. A coordinator
keeps trials queued there; workers, on this machine or on others that reach the storage, take them
until none is left. A worker that dies leaves a trial whose heartbeat stops; it is failed and its
number queued again. So a study can be killed at any moment, and the same command goes on.

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
import re
import signal
import socket
import subprocess
import time
import tomllib
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

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
)
from optuna.exceptions import ExperimentalWarning
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from hia import datasets, space, trainer, trials

MAX_EPOCHS = int(space.SPACE["epoch"].bounds[1])
ETA = 3
HEARTBEAT_SECONDS = 10
# Reading the whole storage costs the coordinator from milliseconds to some tenths of a second: it
# pauses twenty times as long as that, within these bounds.
POLL_SECONDS = (0.2, 5.0)
QUEUE = 16  # trials waiting or running in one Optuna study
# Trials of one Optuna study that a worker trains before it goes to the next: loading a data set has
# to pay, and both sources have to get on together.
TURN = {"random": 14, "bohb": 6}
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
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
    those files alone. Prints progress every `report_seconds`. Raises RuntimeError where a worker
    fails, with all finished trials kept.
    """
    if workers < 1:
        raise ValueError(f"workers: {workers} is not a positive number")
    device = trainer.resolve_device(device)
    trainer.check_precision(plan.precision, device)
    for name, part in plan.parts.items():  # before anything starts: are all data there?
        datasets.load(name, max_images=part.max_images)
    storage = _storage(storage_url)
    if recorded is not None:
        _take_over(plan, storage, Path(recorded))
    _fail_dead(plan, storage)
    _note_session(plan, storage, workers, device)
    arguments = [(plan, storage_url, device, index) for index in range(workers)]
    try:
        with spawned(_work, arguments) as processes:
            _watch(plan, storage, processes, report_seconds)
    finally:
        _fail_dead(plan, storage)


def export(plan: Plan, storage_url: str, folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Write `trials.parquet` and `provenance.json` of a plan's finished trials into a folder."""
    storage = _storage(storage_url)
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for name, kind in _studies(plan):
        for frozen in _study(storage, name, kind).get_trials(deepcopy=False, states=FINISHED):
            row = frozen.user_attrs["row"]
            if row["trial"] < plan.parts[name].models:  # the storage may hold a larger plan's
                rows.setdefault((name, row["trial"]), row)  # a trial that ran twice counts once
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
        "sessions": _sessions(storage),
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
    # The workers' malloc asks for huge pages: 1.05 times as many trainings an hour.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=own, daemon=True) for own in arguments]
    # Ctrl-C reaches the workers too. They inherit that it is not theirs to handle, which setting it
    # in themselves would not do while they start.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for process in processes:
            process.start()
    finally:
        signal.signal(signal.SIGINT, previous)
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


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


class _Storage(optuna.storages.RDBStorage):
    """Optuna's storage, in which a waiting trial is taken by one worker only, and not lost with it.

    Optuna reads a trial's state with SELECT FOR UPDATE and then writes it. SQLite has no such lock:
    two workers that ask at the same moment would be given the same trial. And its first heartbeat
    comes after BOHB's proposal: a worker that is killed in between would hold the trial for ever.
    """

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if state != TrialState.RUNNING:
            return super().set_trial_state_values(trial_id, state, values)
        trial, heartbeat, attribute = (
            model.__table__
            for model in (
                models.TrialModel,
                models.TrialHeartbeatModel,
                models.TrialUserAttributeModel,
            )
        )
        take = (
            sqlalchemy.update(trial)
            .where(trial.c.trial_id == trial_id, trial.c.state == TrialState.WAITING)
            .values(state=state, datetime_start=datetime.now(UTC).replace(tzinfo=None))
        )
        worker = {
            "key": "worker",
            "value_json": json.dumps(f"{socket.gethostname()}:{os.getpid()}"),
        }
        with self.engine.begin() as connection:
            if connection.execute(take).rowcount == 0:
                return False
            connection.execute(sqlalchemy.insert(heartbeat).values(trial_id=trial_id))
            connection.execute(sqlalchemy.insert(attribute).values(trial_id=trial_id, **worker))
        return True


@_experimental()
def _storage(url: str) -> optuna.storages.RDBStorage:
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # an empty queue is no warning
    sqlite = url.startswith("sqlite")
    try:
        storage = _Storage(
            url,
            engine_kwargs={"connect_args": {"timeout": 60}} if sqlite else None,
            heartbeat_interval=HEARTBEAT_SECONDS,
        )
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        shown = re.sub(r":[^:/@]+@", ":***@", url)  # without the password
        raise ValueError(f"storage {shown}: {str(error).splitlines()[0]}") from error
    if sqlite:
        sqlalchemy.event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # the connections made so far
    return storage


def _write_ahead(connection: Any, _: Any) -> None:
    """Some forty commits a trial do not wait for the disk; killing any process loses none."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _studies(plan: Plan) -> Iterator[tuple[str, str]]:
    for name in plan.parts:
        for kind in trials.SOURCES:
            yield name, kind


@_experimental()
def _study(
    storage: optuna.storages.RDBStorage, name: str, kind: str, worker: int = 0
) -> optuna.Study:
    return optuna.create_study(
        storage=storage,
        study_name=f"{name}/{kind}",
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(
            multivariate=True, group=True, seed=seed(name, -1 - worker)
        ),
        pruner=optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=MAX_EPOCHS, reduction_factor=ETA
        ),
    )


def _distribution(name: str) -> BaseDistribution:
    """A hyperparameter of Table 1 as Optuna writes it."""
    row = space.SPACE[name]
    if row.choices is not None:
        return CategoricalDistribution(row.choices)
    low, high = row.bounds
    if row.kind == "integer":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=row.log)


def _queue(plan: Plan, storage: optuna.storages.RDBStorage) -> int:
    """Top up the storage's queue with trials that it has not; how many of the plan are unfinished.

    The queue is kept short because every worker reads all of it to take one trial.
    """
    unfinished = 0
    for name, kind in _studies(plan):
        study = _study(storage, name, kind)
        done, open_ = set(), set()
        for frozen in study.get_trials(deepcopy=False):
            if frozen.state in FINISHED:
                done.add(frozen.user_attrs["trial"])
            elif frozen.state != TrialState.FAIL:
                open_.add(frozen.user_attrs.get("trial"))
        wanted = [n for n in range(plan.parts[name].models) if source(n) == kind and n not in done]
        unfinished += len(wanted)
        absent = [number for number in wanted if number not in open_]
        for number in absent[: max(0, QUEUE - len(open_))]:
            config = random_config(name, number) if kind == "random" else {}
            study.enqueue_trial(config, user_attrs={"trial": number})
    return unfinished


def _fail_dead(plan: Plan, storage: optuna.storages.RDBStorage) -> None:
    """Fail what workers of this machine that no longer run had begun, so that it is queued again.

    The missing heartbeat would show these trials too, but only after a while.
    """
    for name, kind in _studies(plan):
        study = _study(storage, name, kind)
        for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            host, _, process = frozen.user_attrs.get("worker", "").rpartition(":")
            if host == socket.gethostname() and not _runs(int(process)):
                storage.set_trial_state_values(frozen._trial_id, TrialState.FAIL)


def _runs(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _take_over(plan: Plan, storage: optuna.storages.RDBStorage, folder: Path) -> None:
    """Put exported rows into the storage: those that it has not, of as many images as planned."""
    if not (folder / "trials.parquet").is_file():
        return
    table = trials.load(folder / "trials.parquet")
    taken = False
    for name, kind in _studies(plan):
        study = _study(storage, name, kind)
        known = {
            frozen.user_attrs.get("trial")
            for frozen in study.get_trials(deepcopy=False)
            if frozen.state != TrialState.FAIL
        }
        images = plan.parts[name].max_images or len(datasets.read(name).labels)
        chosen = table[
            (table["dataset"] == name)
            & (table["source"] == kind)
            & (table["images"] + table["val_images"] == images)
            & (table["precision"] == plan.precision)
            & ~table["trial"].isin(known)
        ]
        for row in chosen.to_dict("records"):
            study.add_trial(_as_optuna(row))
            taken = True
    provenance = folder / "provenance.json"
    if taken and provenance.is_file():
        notes = _notes(storage)
        for session in json.loads(provenance.read_text(encoding="utf-8"))["sessions"]:
            notes.set_user_attr(session["started"], session)


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


def _notes(storage: optuna.storages.RDBStorage) -> optuna.Study:
    """An Optuna study without trials, whose attributes say who ran the study when."""
    return optuna.create_study(storage=storage, study_name="sessions", load_if_exists=True)


def _sessions(storage: optuna.storages.RDBStorage) -> list[dict[str, Any]]:
    notes = _notes(storage).user_attrs
    return [notes[started] for started in sorted(notes)]


def _note_session(
    plan: Plan, storage: optuna.storages.RDBStorage, workers: int, device: str
) -> None:
    noted = session(workers, device, list(plan.parts)) | {"plan": plan.name}
    _notes(storage).set_user_attr(noted["started"], noted)


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


class _NothingQueuedError(Exception):
    """Another worker was quicker: there is no queued trial left."""


@_experimental()
def _work(plan: Plan, storage_url: str, device: str, index: int) -> None:
    """Take trials from the queue, data set by data set in turn, until the coordinator is gone.

    One data set is in memory at a time. Several GPUs are shared out by turns.
    """
    torch.set_num_threads(1)
    if device == "cuda":
        torch.cuda.set_device(index % trainer.count_devices(device))
    coordinator = os.getppid()
    storage = _storage(storage_url)
    studies = {key: _study(storage, *key, worker=index) for key in _studies(plan)}
    data: datasets.Dataset | None = None
    processor = describe_processor(device)
    while os.getppid() == coordinator:
        idle = True
        for (name, kind), study in studies.items():
            optuna.storages.fail_stale_trials(study)
            for _ in range(TURN[kind]):
                if os.getppid() != coordinator:
                    return
                if not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                    break
                idle = False
                if data is None or data.name != name:
                    data = None  # before the next is loaded
                    images = plan.parts[name].max_images
                    data = datasets.load(name, max_images=images, device=device)
                objective = functools.partial(
                    _train_one, data=data, precision=plan.precision, processor=processor
                )
                with contextlib.suppress(_NothingQueuedError):
                    study.optimize(objective, n_trials=1)
        if idle:
            time.sleep(1)


def _train_one(
    trial: optuna.Trial, data: datasets.Dataset, precision: str, processor: str
) -> float:
    """Train the CNN of one trial and leave its row in the storage; its validation accuracy."""
    number = trial.user_attrs.get("trial")
    if number is None:
        raise _NothingQueuedError
    kind = source(number)
    config = _suggest(trial, kind)

    def stop(epoch: int, accuracy: float) -> bool:
        if kind == "random":
            return False
        trial.report(accuracy, epoch)
        return epoch < config["epoch"] and trial.should_prune()

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
        "accuracy": result.accuracy,
        "accuracy_per_epoch": result.accuracy_per_epoch,
        "loss": result.loss_per_epoch[-1] if not result.diverged else None,
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds if math.isfinite(result.cpu_seconds) else None,
        "parameters": result.parameters,
        "flops": result.flops,
        "images": len(data.train_labels),
        "val_images": len(data.val_labels),
        "seed": seed(data.name, number),
        "diverged": result.diverged,
        "precision": precision,
        "processor": processor,
    }
    trial.set_user_attr("row", row)
    if epochs < config["epoch"]:
        raise optuna.TrialPruned
    return result.accuracy


def _suggest(trial: optuna.Trial, kind: str) -> space.Config:
    """The trial's configuration: what was queued with it, or else what BOHB proposes."""
    config: space.Config = {}
    for name in space.SAMPLED:
        if name in space.FILTERS[config.get("num_conv_layers", 0) :]:
            continue
        if name == "epoch" and kind == "bohb":
            config[name] = MAX_EPOCHS
        else:
            config[name] = trial._suggest(name, _distribution(name))
    return config


# --- the coordinator -----------------------------------------------------------------------------


def _watch(
    plan: Plan,
    storage: optuna.storages.RDBStorage,
    processes: list[SpawnProcess],
    report_seconds: float,
) -> None:
    """Keep the queue filled and print progress until everything has finished."""
    began = time.monotonic()
    at_start: int | None = None
    printed = -math.inf
    while True:
        reading = time.monotonic()
        unfinished = _queue(plan, storage)
        if at_start is None:
            at_start = unfinished
        elapsed = time.monotonic() - began
        pause = 20 * (time.monotonic() - reading)
        if elapsed - printed >= report_seconds or not unfinished:
            printed = elapsed
            print(_progress(plan.models, unfinished, at_start, elapsed), flush=True)
        if not unfinished:
            return
        for process in processes:
            if process.exitcode is not None:
                raise RuntimeError(
                    f"a worker ended with exit code {process.exitcode} (its message is above); "
                    "all finished trials are kept, and the same command goes on"
                )
        time.sleep(min(max(pause, POLL_SECONDS[0]), POLL_SECONDS[1], report_seconds))


def _progress(models: int, unfinished: int, at_start: int, elapsed: float) -> str:
    trained = at_start - unfinished
    line = f"{models - unfinished:,} of {models:,} CNNs"
    if trained and elapsed > 0:
        left = timedelta(seconds=round(unfinished * elapsed / trained))
        line += f", {trained / elapsed * 3600:,.0f} an hour, {left} left"
    return line
