"""What of a study is in its storage: which trials count, which are lost, what is to be trained.

Optuna gives every trial that a worker asks for a number of its own, and the n-th CNN of a series is
that of trial n. So only two kinds of trial are queued: the first, which says what the storage is
for, and those that replace a lost one. Two rules do the rest:

- Of the trials of one CNN the first that has not failed counts. The others are failed, not trained,
  as is what the study does not ask for. So it does no harm that two coordinators queue the same.
- A running trial is failed, and its CNN queued again, when its process is gone from this machine,
  or when nothing of it has changed for `STALE_SECONDS` by the clock of this coordinator. Its worker
  changes it every `BEAT_SECONDS`. If it lives after all, Optuna refuses what it brings.
"""

import contextlib
import os
import socket
import time
import warnings
from functools import partial
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from hia import space, trials
from hia.study import plans, processes
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


def open_study(storage: Storage, series: Series, worker: int = 0) -> optuna.Study:
    """The Optuna study of a series, made if missing."""
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler()  # draws nothing
    if series.bohb:
        sampler = tpe(plans.seed(series.dataset, -1 - worker))
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


def params_of(row: Row) -> space.Config:
    """The hyperparameters in a row or job that a search draws."""
    return {name: row[name] for name in space.SAMPLED if row.get(name) is not None}


class Ledger:
    """What of a series is in the storage. Raises PlanError where it is another plan's.

    worker: its number, where this is a worker's. trials: those that count, by key. open: those that
    wait or run. total: how many there are.
    """

    def __init__(self, series: Series, storage: Storage, worker: int = 0) -> None:
        self.series = series
        self.study = open_study(storage, series, worker)
        self.keys = list(series.jobs)
        self.fields = ROW | set(series.key)
        self.is_checked = False
        self.settled = 0  # so many trials have finished, and are in `done`
        self.done: dict[str, FrozenTrial] = {}
        self.changes: dict[int, tuple[Any, float]] = {}  # by number: what was last seen, since when
        self.read()

    def read(self) -> None:
        """See what there is now. What has finished is looked at once."""
        trials = self.study.get_trials(deepcopy=False)
        if not self.is_checked:
            self._check_first(trials)
        while self.settled < len(trials) and trials[self.settled].state.is_finished():
            self._add_if_first(self.done, trials[self.settled])
            self.settled += 1
        self.total = len(trials)
        self.trials = dict(self.done)
        for trial in trials[self.settled :]:
            self._add_if_first(self.trials, trial)
        self.open = [one for one in trials[self.settled :] if not one.state.is_finished()]

    def _add_if_first(self, first: dict[str, FrozenTrial], trial: FrozenTrial) -> None:
        if trial.state == TrialState.FAIL or (trial.state in FINISHED and not self._has_row(trial)):
            return
        if (key := self._key(trial)) in self.series.jobs:
            first.setdefault(key, trial)

    def _key(self, trial: FrozenTrial | optuna.Trial) -> str:
        """What is trained: as the trial itself says, or by its number; empty past the end."""
        if "key" in trial.user_attrs:
            return str(trial.user_attrs["key"])
        if self._has_row(trial):
            return self.series.key_of(trial.user_attrs["row"])
        return self.keys[trial.number] if trial.number < len(self.keys) else ""

    def _has_row(self, trial: FrozenTrial | optuna.Trial) -> bool:
        row = trial.user_attrs.get("row")
        return isinstance(row, dict) and row.keys() >= self.fields

    def _check_first(self, trials: list[FrozenTrial]) -> None:
        """Whether the first trial, the same for all machines, is one that the series asks for."""
        for trial in trials:
            other = trial.user_attrs.get("job") or trial.user_attrs.get("row")
            if (key := self._key(trial)) in self.series.jobs and isinstance(other, dict):
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
        trials = [(key, self.trials[key]) for key in self.keys if key in self.trials]
        return {key: one.user_attrs["row"] for key, one in trials if one.state in FINISHED}

    @property
    def unfinished(self) -> int:
        """How many CNNs have no row yet."""
        return len(self.keys) - sum(one.state in FINISHED for one in self.trials.values())

    @property
    def lost(self) -> list[str]:
        """Keys whose trial has finished without a row that can be read; they are trained anew."""
        finished = self.study.get_trials(deepcopy=False, states=FINISHED)
        return sorted(
            {self._key(one) for one in finished} & self.series.jobs.keys() - self.rows.keys()
        )

    # The worker's ---------------------------------------------------------------------------------

    def take(self) -> tuple[optuna.Trial, Row] | None:
        """A trial that this process is to train, and its job; None where there is none now."""
        while True:
            patiently(self.read)
            if self.total >= len(self.keys) and not any(map(_waits, self.open)):
                return None
            trial = patiently(self.study.ask)
            patiently(partial(trial.set_user_attr, "worker", own_name()))
            if "key" in trial.user_attrs:  # queued, maybe twice
                patiently(self.read)
            key = self._key(trial)
            job = self.series.jobs.get(key)
            counts = self.trials.get(key, trial).number == trial.number
            if job is not None and counts and trial.user_attrs.get("job", job) == job:
                return trial, job
            patiently(partial(self._fail, trial.number))

    # The coordinator's ----------------------------------------------------------------------------

    def look(self, *, nameless: bool = False) -> None:
        """See what there is, fail what is dead, and queue what had failed before."""
        self.fail_dead(nameless=nameless)
        absent = [key for key in self.keys[: max(self.total, 1)] if key not in self.trials]
        for key in absent:
            self.queue(key)
        if absent:
            self.read()
        if not self.unfinished:
            self._fail_rest()

    def queue(self, key: str) -> None:
        """Have a CNN trained by the next worker that asks."""
        self._add(state=TrialState.WAITING, user_attrs={"key": key, "job": self.series.jobs[key]})

    def fail_dead(self, *, nameless: bool = False) -> None:
        """Fail the trials of workers that have died.

        nameless: also those whose worker has not said who it is. If it lives, it takes another.
        """
        self.read()
        now = time.monotonic()
        for trial in self.open:
            worker = trial.user_attrs.get("worker", "")
            seen = trial.state, worker, trial.user_attrs.get("alive")
            if self.changes.get(trial.number, (None, now))[0] != seen:
                self.changes[trial.number] = seen, now
            is_silent = now - self.changes[trial.number][1] > STALE_SECONDS
            host, _, process = worker.rpartition(":")
            is_gone = host == socket.gethostname() and not processes.runs(int(process))
            if not _waits(trial) and (is_gone or is_silent or (nameless and not worker)):
                self._fail(trial.number)

    def _fail_rest(self) -> None:
        """Fail what is left over where all CNNs have finished: second trials."""
        for trial in self.open:
            if self._key(trial) in self.series.jobs or "worker" not in trial.user_attrs:
                # Optuna fails what runs; to ask is to make what waits run, this one or another.
                self._fail(self.study.ask().number if _waits(trial) else trial.number)
        self.read()

    def _fail(self, number: int) -> None:
        with contextlib.suppress(UpdateFinishedTrialError):  # others look, too
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def add(self, row: Row) -> None:
        """Add an exported row as a finished trial."""
        key = self.series.key_of(row)
        is_stopped = self.series.bohb and row["epoch"] < plans.MAX_EPOCHS
        params = params_of(row) if self.series.bohb else {}  # from which BOHB learns
        params.pop("epoch", None)  # the budget, which is no parameter
        kinds = {name: space.to_distribution(self.series.space[name]) for name in params}
        self._add(
            state=TrialState.PRUNED if is_stopped else TrialState.COMPLETE,
            value=row["accuracy"],
            params=params,
            distributions=kinds,
            user_attrs={"key": key, "job": self.series.jobs[key], "row": row},
            intermediate_values=dict(enumerate(row["accuracy_per_epoch"], start=1)),
        )

    def _add(self, **fields: Any) -> None:
        self.study.add_trial(optuna.create_trial(**fields))


def _waits(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.WAITING
