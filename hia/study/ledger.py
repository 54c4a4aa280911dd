"""What of a study is in its storage: which CNNs are trained, by whom, and what is left.

A worker adds a running trial that names its CNN, its parameters and the worker: one write, so that
nothing is half begun. Two rules do the rest:

- Of the trials of one CNN the first that has not failed counts. So two workers may begin the same:
  the second sees it, fails its own and takes another.
- A running trial is failed, so that its CNN is free again, when its process is gone from this
  machine, or when nothing of it has changed for `STALE_SECONDS` by the clock of this coordinator.
  Its worker changes it every `BEAT_SECONDS`. If it lives after all, Optuna refuses what it brings.
"""

import contextlib
import itertools
import json
import os
import socket
import time
import warnings
from functools import partial
from typing import Any

import optuna
import psutil
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from hia import space, trials
from hia.study import plans
from hia.study.plans import PlanError, Row, Series
from hia.study.storage import Storage, patiently

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
ROW = set(trials.COLUMNS) - {"source", "trial", "lr_scale"}  # what every row has
ETA = 3  # of Hyperband
BEAT_SECONDS, STALE_SECONDS = 30.0, 150.0


def tpe(seed: int) -> optuna.samplers.TPESampler:
    """BOHB's sampler; Optuna marks its groups as experimental."""
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        return optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed)


def open_study(storage: Storage, name: str = "sessions", **options: Any) -> optuna.Study:
    """An Optuna study, made if missing; to read is not to write.

    That of the sessions has no trials, and their notes as attributes.
    """
    if name in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=name, storage=storage, **options)
    options |= {"direction": "maximize", "load_if_exists": True}
    return optuna.create_study(study_name=name, storage=storage, **options)


def own_name() -> str:
    """This process, among those of all machines."""
    return f"{socket.gethostname()}:{os.getpid()}"


def runs(process: int) -> bool:
    """Whether a process of this number runs; the dead that nobody has asked for do not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def params_of(row: Row) -> space.Config:
    """The hyperparameters in a row or job."""
    return {name: row[name] for name in space.SPACE if row.get(name) is not None}


class Ledger:
    """What of a series is in the storage. Raises PlanError where it is another plan's.

    worker: its number, where this is a worker's. trials: those that count, by key. open: those that
    run. damaged: what is wrong with finished trials, by key.
    """

    def __init__(self, series: Series, storage: Storage, worker: int = 0) -> None:
        self.series = series
        self.storage = storage
        self.worker = worker
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler()  # draws nothing
        if series.bohb:
            sampler = tpe(plans.seed(series.dataset, -1 - worker))
        pruner = optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=plans.MAX_EPOCHS, reduction_factor=ETA
        )
        self.study = open_study(storage, series.name, sampler=sampler, pruner=pruner)
        self.is_checked = False  # whose the storage is
        self.settled = 0  # so many trials have ended, and are in `done`
        self.done: dict[str, FrozenTrial] = {}
        self.damaged: dict[str, str] = {}
        self.changes: dict[int, tuple[Any, float]] = {}  # by number: what was last seen, since when
        self.read()

    def read(self) -> None:
        """See what there is now. What has ended is looked at once."""
        trials = self._trials()
        while self.settled < len(trials) and trials[self.settled].state != TrialState.RUNNING:
            self._count(trials[self.settled], self.done)
            self.settled += 1
        self.trials = dict(self.done)
        for trial in trials[self.settled :]:
            self._count(trial, self.trials)
        self.open = [one for one in trials[self.settled :] if one.state == TrialState.RUNNING]

    def _trials(self) -> list[FrozenTrial]:
        """All there are. One that a database has without its JSON counts as failed."""
        with contextlib.suppress(json.JSONDecodeError):
            return self.study.get_trials(deepcopy=False)
        trials: list[FrozenTrial] = []
        with contextlib.suppress(KeyError):  # there is none of this number
            for number in itertools.count():
                try:
                    trials.append(self.storage.get_trial(self._id(number)))
                except json.JSONDecodeError as error:
                    self.damaged[f"trial {number}"] = f"cannot be decoded ({error})"
                    trials.append(optuna.create_trial(state=TrialState.FAIL))
        return trials

    def _id(self, number: int) -> int:
        study = self.storage.get_study_id_from_name(self.series.name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)

    def _count(self, trial: FrozenTrial, counted: dict[str, FrozenTrial]) -> None:
        """Add a trial that is of this plan and the first of its CNN.

        The first in the storage, the same for all machines, says whose the storage is.
        """
        job, row = trial.user_attrs.get("job") or {}, trial.user_attrs.get("row")
        if not (isinstance(row, dict) and row.keys() >= ROW | {*self.series.key}):
            row = {}
        key = trial.user_attrs.get("key") or (self.series.key_of(row) if row else None)
        if key not in self.series.jobs:
            return
        asked = self.series.jobs[key]
        reason = plans.difference(asked, (job | trial.params) or row)
        if reason and not self.is_checked:
            raise PlanError(
                f"the storage holds CNNs of {self.series.dataset} with {reason}, as is asked for; "
                "use a storage of its own"
            )
        self.is_checked = True
        reason = reason or plans.difference(asked, row)
        if trial.state in FINISHED and (reason or not row):
            self.damaged[key] = reason or "no row"
        elif trial.state in (*FINISHED, TrialState.RUNNING) and not reason:
            counted.setdefault(key, trial)

    @property
    def rows(self) -> list[Row]:
        """Of the finished CNNs, in the order of the plan."""
        trials = [self.trials[key] for key in self.series.jobs if key in self.trials]
        return [one.user_attrs["row"] for one in trials if one.state in FINISHED]

    @property
    def unfinished(self) -> int:
        """How many CNNs have no row yet."""
        finished = sum(one.state in FINISHED for one in self.trials.values())
        return len(self.series.jobs) - finished

    @property
    def lost(self) -> list[str]:
        """CNNs that have nothing but damaged trials, with the reason; they are trained anew."""
        lost = self.damaged.keys() - self.trials.keys() if self.unfinished else ()
        return [f"{self.series.name} {key}: {self.damaged[key]}" for key in sorted(lost)]

    def check_images(self) -> None:
        """Raise PlanError where not all CNNs are of the same images and kernels."""
        jobs = [one.user_attrs.get("job") or {} for one in self.trials.values()]
        trained_on = [{n: job[n] for n in plans.TRAINED_ON if n in job} for job in jobs]
        for one in trained_on:
            if reason := plans.difference(trained_on[0], one):
                raise PlanError(f"the storage holds CNNs of {self.series.dataset} with {reason}")

    def take(self) -> tuple[optuna.Trial, Row] | None:
        """A worker begins a CNN that nobody trains: its trial as an objective gets it, and its job;
        None where there is none now.
        """
        patiently(self.read)
        while free := [key for key in self.series.jobs if key not in self.trials]:
            key = free[min(self.worker, len(free) - 1)]  # rarely another worker's choice
            patiently(partial(self._add, key, TrialState.RUNNING, {"worker": own_name()}))
            patiently(self.read)
            first = self.trials[key].number if key in self.trials else None
            mine = [one.number for one in self.open if one.user_attrs.get("worker") == own_name()]
            for number in mine:
                if number != first:
                    patiently(partial(self._fail, number))
            if first in mine:  # `Study.ask` gives only trials that it makes
                return patiently(partial(self._live, first)), self.series.jobs[key]
        return None

    def _live(self, number: int) -> optuna.Trial:
        return optuna.trial.Trial(self.study, self._id(number))

    def look(self) -> None:
        """A coordinator sees what there is; it fails the trials of workers that have died, which
        are then retried, and, at the end, what is left over."""
        self.read()
        now = time.monotonic()
        for trial in self.open:
            worker = trial.user_attrs.get("worker", "")
            seen = worker, trial.user_attrs.get("alive")
            if self.changes.get(trial.number, (None, now))[0] != seen:
                self.changes[trial.number] = seen, now
            is_silent = now - self.changes[trial.number][1] > STALE_SECONDS
            host, _, process = worker.rpartition(":")
            is_gone = host == socket.gethostname() and not runs(int(process))
            is_left_over = not self.unfinished and trial.user_attrs.get("key") in self.series.jobs
            if is_silent or is_gone or is_left_over:
                self._fail(trial.number)
        self.read()

    def _fail(self, number: int) -> None:
        with contextlib.suppress(UpdateFinishedTrialError):  # others look, too
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def add(self, row: Row) -> None:
        """Add an exported row as a finished trial."""
        is_stopped = self.series.bohb and row["epoch"] < plans.MAX_EPOCHS
        self._add(
            self.series.key_of(row),
            TrialState.PRUNED if is_stopped else TrialState.COMPLETE,
            {"row": row},
            value=row["accuracy"],
            intermediate_values=dict(enumerate(row["accuracy_per_epoch"], start=1)),
        )

    def _add(self, key: str, state: TrialState, says: Row, **fields: Any) -> None:
        job = self.series.jobs[key]
        params = params_of(says.get("row", job))
        if self.series.bohb:  # what it draws; the epochs are its budget
            params = {name: params[name] for name in plans.PROPOSED if name in params}
        rest = {name: value for name, value in job.items() if name not in params}
        kinds = {name: space.to_distribution(self.series.space[name]) for name in params}
        attributes = {"key": key, "job": rest} | says
        self.study.add_trial(
            optuna.create_trial(
                state=state, params=params, distributions=kinds, user_attrs=attributes, **fields
            )
        )
