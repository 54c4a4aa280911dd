"""What of a study is in its storage: which trials count, which are lost, which are to be queued.

Optuna promises that a queued trial is taken once. Two rules do the rest:

- A trial of a key that an earlier trial has, unless that failed, or of a job that the study does
  not ask for, is failed, not trained. So it does no harm that two coordinators queue the same.
- A running trial is failed, and its key queued again, when its process is gone from this machine,
  or when nothing of it has changed for `STALE_SECONDS` by the clock of this coordinator. Its worker
  changes it every `BEAT_SECONDS`. If it lives after all, Optuna refuses what it brings.
"""

import contextlib
import os
import socket
import time
from itertools import islice
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from hia import space, trials
from hia.study import plans, processes
from hia.study.plans import PlanError, Row, Series
from hia.study.storage import Storage, experimental

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
ROW = set(trials.COLUMNS) - {"source", "trial", "lr_scale"}  # what every row has
ETA = 3  # of Hyperband
BEAT_SECONDS, STALE_SECONDS = 30.0, 150.0
# Trials waiting in one Optuna study, or as many as there are running, if these are more.
QUEUE = 16


@experimental()
def open_study(storage: Storage, series: Series, worker: int = 0) -> optuna.Study:
    """The Optuna study of a series, made if missing."""
    proposes = optuna.samplers.TPESampler(
        multivariate=True, group=True, seed=plans.seed(series.dataset, -1 - worker)
    )
    sampler = proposes if series.bohb else optuna.samplers.RandomSampler()  # all are queued
    pruner = optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=plans.MAX_EPOCHS, reduction_factor=ETA
    )
    return _open(storage, series.name, sampler=sampler, pruner=pruner)


def _open(storage: Storage, name: str, **options: Any) -> optuna.Study:
    options |= {"storage": storage, "study_name": name}
    if name in optuna.get_all_study_names(storage):  # to read is not to write
        return optuna.load_study(**options)
    return optuna.create_study(direction="maximize", load_if_exists=True, **options)


def notes(storage: Storage) -> optuna.Study:
    """An Optuna study without trials, whose attributes are the sessions."""
    return _open(storage, "sessions")


def own_name() -> str:
    """This process, among those of all machines."""
    return f"{socket.gethostname()}:{os.getpid()}"


def by_key(study: optuna.Study) -> dict[str, FrozenTrial]:
    """The trial that counts of each key: the first that has not failed and not lost its row."""
    first: dict[str, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if trial.state != TrialState.FAIL and not _is_lost(trial):
            first.setdefault(_key(trial), trial)
    return first


def _key(trial: FrozenTrial) -> str:
    attributes = trial.user_attrs  # `trial`: of storages that were made without keys
    return str(attributes.get("key", attributes.get("trial")))


def _is_lost(trial: FrozenTrial) -> bool:
    """Whether it has finished without a row that can be read."""
    row = trial.user_attrs.get("row")
    return trial.state in FINISHED and not (isinstance(row, dict) and row.keys() >= ROW)


def params_of(row: Row) -> space.Config:
    """The hyperparameters in a row or job that a search draws."""
    return {name: row[name] for name in space.SAMPLED if row.get(name) is not None}


class Ledger:
    """What of a series is in the storage. Raises PlanError where it is another plan's.

    keys: all that it asks for, in order. trials: those that count, by key.
    """

    def __init__(self, series: Series, storage: Storage) -> None:
        self.series = series
        self.study = open_study(storage, series)
        self.keys = dict.fromkeys(series.jobs)
        self.trials: dict[str, FrozenTrial] = {}
        self.changes: dict[int, tuple[Any, float]] = {}  # by number: what was last seen, since when
        self.is_checked = False
        self.read()

    def read(self) -> None:
        """See what there is now."""
        if not self.is_checked:
            self._check_first()
        counting = by_key(self.study)
        self.trials = {key: counting[key] for key in self.keys if key in counting}

    def _check_first(self) -> None:
        """Whether the first trial, the same for all machines, is one that the series asks for."""
        for trial in self.study.get_trials(deepcopy=False):
            other = trial.user_attrs.get("job") or trial.user_attrs.get("row")
            if (key := _key(trial)) in self.keys and isinstance(other, dict):
                if reason := plans.difference(self.series.jobs[key], other):
                    raise PlanError(
                        f"the storage holds CNNs of {self.series.dataset} with {reason}, as is "
                        "asked for; use a storage of its own"
                    )
                self.is_checked = True
                return

    @property
    def rows(self) -> dict[str, Row]:
        """Of the finished CNNs, by key, in the order of the plan."""
        return {
            key: trial.user_attrs["row"]
            for key, trial in self.trials.items()
            if trial.state in FINISHED
        }

    @property
    def unfinished(self) -> int:
        return len(self.keys) - sum(one.state in FINISHED for one in self.trials.values())

    @property
    def lost(self) -> list[str]:
        """Keys whose trial has finished without a row that can be read; they are trained anew."""
        finished = self.study.get_trials(deepcopy=False, states=FINISHED)
        return sorted({_key(one) for one in finished} & self.keys.keys() - self.rows.keys())

    def look(self) -> None:
        """See what there is, fail what is dead, and queue what is missing."""
        self.read()
        self.fail_dead()
        self._fill()

    def fail_dead(self) -> None:
        """Fail the trials of workers that have died, so that they are queued again."""
        now = time.monotonic()
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = trial.user_attrs.get("worker", "")
            seen = worker, trial.user_attrs.get("alive")
            before, since = self.changes.get(trial.number, (None, now))
            if before != seen:
                since = now
            self.changes[trial.number] = seen, since
            host, _, process = worker.rpartition(":")
            is_gone = host == socket.gethostname() and not processes.runs(int(process))
            if is_gone or now - since > STALE_SECONDS:
                with contextlib.suppress(UpdateFinishedTrialError):  # others look, too
                    self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _fill(self) -> None:
        """Queue what is not in the storage, as long as there is room."""
        states = [one.state for one in self.trials.values()]
        room = max(QUEUE, states.count(TrialState.RUNNING)) - states.count(TrialState.WAITING)
        absent = (key for key in self.keys if key not in self.trials)
        for key in islice(absent, max(room, 0)):
            job = self.series.jobs[key]
            params = {} if self.series.bohb else params_of(job)
            self._add(params, state=TrialState.WAITING, user_attrs={"key": key, "job": job})

    def add(self, row: Row) -> None:
        """Add an exported row as a finished trial."""
        key = self.series.key_of(row)
        params = params_of(row)
        is_stopped = self.series.bohb and row["epoch"] < plans.MAX_EPOCHS
        if self.series.bohb:
            del params["epoch"]  # the budget, which is no parameter
        self._add(
            params,
            state=TrialState.PRUNED if is_stopped else TrialState.COMPLETE,
            value=row["accuracy"],
            user_attrs={"key": key, "job": self.series.jobs[key], "row": row},
            intermediate_values=dict(enumerate(row["accuracy_per_epoch"], start=1)),
        )

    def _add(self, params: space.Config, **fields: Any) -> None:
        kinds = {name: space.to_distribution(self.series.space[name]) for name in params}
        self.study.add_trial(optuna.create_trial(params=params, distributions=kinds, **fields))
