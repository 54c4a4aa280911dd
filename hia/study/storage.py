"""Where the trials of a study live: Optuna's storage, made safe for many workers.

Each trial is queued, taken and finished in one transaction, so that it is there once, however many
coordinators and workers there are. What fails is tried again for a while, and then named.
"""

import contextlib
import json
import os
import socket
import sqlite3
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

from hia import space

HEARTBEAT_SECONDS = 10
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
# Pauses after which the storage is tried again: a server restarts, a disk gets room.
PATIENCE = (1, 2, 4, 8, 15, 30)
ERRORS = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)


class StorageError(RuntimeError):
    """A storage that cannot be read or written."""


@contextlib.contextmanager
def experimental() -> Iterator[None]:
    """Optuna marks heartbeats and grouped TPE as experimental; its version here is pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


class NothingQueuedError(Exception):
    """Other workers were quicker: no trial is waiting."""


_TRIAL, _ATTRIBUTE = models.TrialModel.__table__, models.TrialUserAttributeModel.__table__


class Storage(optuna.storages.RDBStorage):
    """Optuna's storage, in which each trial is queued, taken and finished once.

    Optuna locks what it is about to change with SELECT FOR UPDATE. SQLite has no such lock: two
    workers that ask at the same moment would be given the same trial. Here the first statement of a
    transaction is an UPDATE, which locks the row, or all of SQLite.
    """

    def __init__(self, url: str, **options: Any) -> None:
        try:
            super().__init__(url, **options)
        except BaseException:
            if engine := getattr(self, "engine", None):
                engine.dispose()  # nobody else could close its connections
            raise

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
        with contextlib.suppress(*ERRORS):  # the next may come through
            super().record_heartbeat(trial_id)

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        if template_trial is None:  # Optuna's answer to an empty queue
            raise NothingQueuedError
        return super()._create_new_trial(study_id, template_trial)

    def set_params(
        self, trial_id: int, config: space.Config, table1: Mapping[str, space.Hyperparameter]
    ) -> None:
        """Note a configuration in one transaction; Optuna takes one per hyperparameter."""
        param = models.TrialParamModel.__table__
        rows = [
            {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": distribution(table1[name]).to_internal_repr(value),
                "distribution_json": distribution_to_json(distribution(table1[name])),
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

    def note(self, session: Mapping[str, Any], by: str) -> None:
        """Note who ran a study when: a session of `hia.study.processes`."""
        self._notes().set_user_attr(f"{session['started']} {by}", dict(session))

    def sessions(self) -> list[dict[str, Any]]:
        """What was noted, oldest first."""
        notes = self._notes().user_attrs
        return [notes[key] for key in sorted(notes)]

    def _notes(self) -> optuna.Study:
        """An Optuna study without trials, for its attributes."""
        return optuna.create_study(storage=self, study_name="sessions", load_if_exists=True)

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


@experimental()
def connect(url: str) -> Storage:
    """Open a storage; raises ValueError for a URL that cannot be one."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # an empty queue is no warning
    sqlite = url.startswith("sqlite")
    # A server may have been restarted since a connection was last used.
    engine = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}

    def attempt() -> Storage:
        try:
            return Storage(url, engine_kwargs=dict(engine), heartbeat_interval=HEARTBEAT_SECONDS)
        except (sqlalchemy.exc.ArgumentError, ImportError) as error:
            raise ValueError(f"storage {shown(url)}: {str(error).splitlines()[0]}") from error

    try:
        storage = attempt()
    except ERRORS:  # another process may be making the tables at this moment
        time.sleep(PATIENCE[0])
        storage = attempt()
    if sqlite:
        sqlalchemy.event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # the connections made so far
    return storage


def _write_ahead(connection: Any, _: Any) -> None:
    """Commits do not wait for the disk; killing any process loses none."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


@contextlib.contextmanager
def opened(url: str) -> Iterator[Storage]:
    """A storage, closed at the end."""
    with named(url):
        storage = connect(url)
        try:
            yield storage
        finally:
            storage.engine.dispose()


@contextlib.contextmanager
def named(url: str) -> Iterator[None]:
    """Give what fails in the storage its name, its reason and what to do."""
    try:
        yield
    except ERRORS as error:
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
        raise StorageError(f"storage {shown(url)}: {first}; {advice}") from error


def _reason(error: BaseException) -> BaseException:
    """What the database itself said."""
    while inner := getattr(error, "orig", None) or error.__cause__:
        error = inner
    return error


def shown(url: str) -> str:
    """A storage's URL without the password."""
    try:
        return sqlalchemy.make_url(url).render_as_string()
    except sqlalchemy.exc.ArgumentError:
        return url.rpartition("@")[2]


T = TypeVar("T")


def patiently(action: Callable[[], T]) -> T:
    """What an action gives, tried again while the storage fails, for about a minute."""
    for pause in PATIENCE:
        try:
            return action()
        except ERRORS:
            time.sleep(pause)
    return action()


def distribution(row: space.Hyperparameter) -> BaseDistribution:
    """A hyperparameter of Table 1 as Optuna writes it."""
    if row.choices is not None:
        return CategoricalDistribution(row.choices)
    low, high = row.bounds
    if row.kind == "integer":
        return IntDistribution(int(low), int(high))
    return FloatDistribution(low, high, log=row.log)
