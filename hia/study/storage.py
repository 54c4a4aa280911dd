"""The Optuna storage of a study: a journal file for one machine, a database server for many.

A journal file is an append-only log. PostgreSQL and MySQL lock the row of a trial that a worker
takes. SQLite cannot, and gives one trial to several workers. Past a few hundred workers, put
`optuna.storages.run_grpc_proxy_server` before the server.
"""

import contextlib
import errno
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Pauses after which the storage is tried again: a server restarts, a disk gets room.
PATIENCE = (1, 2, 4, 8, 15, 30)
ERRORS = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, OSError, json.JSONDecodeError)
Storage = optuna.storages.BaseStorage
T = TypeVar("T")


class StorageError(RuntimeError):
    """A storage that cannot be read or written."""


class FileLock:
    """Locks a journal file for one writer at a time, as `JournalFileBackend` asks for.

    The system releases it when its holder dies; Optuna's own locks wait half a minute for that. A
    line that a killed writer or a full disk cut short is removed before the next one is written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.inode: int | None = None
        self.size = 0

    def acquire(self) -> bool:
        with contextlib.ExitStack() as failing:
            file = failing.enter_context(Path(self.path).open("r+b"))
            fcntl.flock(file, fcntl.LOCK_EX)
            inode, size = os.stat(self.path).st_ino, file.seek(0, os.SEEK_END)
            if self.inode not in (None, inode) or size < self.size:
                raise FileNotFoundError(errno.ENOENT, "it was replaced while in use", self.path)
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    file.seek(0)
                    size = file.truncate(file.read().rfind(b"\n") + 1)
            self.inode, self.size = inode, size
            self.held = failing.pop_all()
        return True

    def release(self) -> None:
        self.held.close()


class Journal(JournalFileBackend):
    """A journal file that says where it is damaged. It may be cut before any line."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path, FileLock(path) if fcntl else JournalFileOpenLock(path))  # type: ignore[arg-type]

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        whole = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                if not (isinstance(log, dict) and "op_code" in log):
                    raise ValueError("it is no log of Optuna")
                whole += 1
                yield log
        except ValueError as error:
            raise StorageError(
                f"storage {self.path}: line {whole + 1} is damaged; `head -n {whole} "
                f"{shlex.quote(self.path)} > whole.journal` keeps what is before it, and the study "
                "goes on with --storage whole.journal, or from its last export in a new storage"
            ) from error


def connect(url: str, *, create: bool = True) -> Storage:
    """Open a storage: `NAME.journal`, a file, or the URL of a database.

    create: make what is missing; without, nothing is written, and SQLite can be read. Raises
    ValueError for what is no storage, and FileNotFoundError where there is none.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    missing = FileNotFoundError(errno.ENOENT, "there is no such storage", url)
    if url.endswith(".journal"):
        if not create and not Path(url).is_file():
            raise missing
        return optuna.storages.JournalStorage(Journal(url))
    try:
        parsed = sqlalchemy.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if create:
                raise ValueError(
                    "SQLite gives one trial to several workers; name a file that ends in .journal"
                )
            if not Path(parsed.database or "").is_file():
                raise missing
        # Optuna makes its tables, which fails where another process does it at the same time, where
        # the last of them is missing. No pool, so no connection stays open.
        once = {"poolclass": sqlalchemy.NullPool}
        engine = sqlalchemy.create_engine(url, **once)
        if create and not sqlalchemy.inspect(engine).has_table("alembic_version"):
            optuna.storages.RDBStorage(url, engine_kwargs=once)
        # A server may have been restarted since a connection was last used.
        options = {"pool_pre_ping": True}
        return optuna.storages.RDBStorage(url, engine_kwargs=options, skip_table_creation=True)
    except sqlalchemy.exc.ArgumentError:
        reason = "neither a file NAME.journal nor a database's URL"
        raise ValueError(f"storage {without_password(url)}: {reason}") from None
    except (ValueError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"storage {without_password(url)}: {reason}") from error


@contextlib.contextmanager
def opened(url: str, *, create: bool = True) -> Iterator[Storage]:
    """A storage, closed at the end; what fails in it gets its name, the reason and what to do."""
    with named(url):
        # Another process may be making the tables at this moment.
        storage = patiently(lambda: connect(url, create=create), 1)
        try:
            yield storage
        finally:
            if isinstance(storage, optuna.storages.RDBStorage):
                storage.engine.dispose()


@contextlib.contextmanager
def named(url: str) -> Iterator[None]:
    """Raise what fails in a storage as a StorageError with its name, the reason and what to do."""
    try:
        yield
    except ERRORS as error:
        reason, told = _reason(error)
        advice = "nothing in it is lost; once this is mended, the same command goes on"
        if isinstance(reason, FileNotFoundError):
            advice = "the study goes on from its last export, in a new storage"
        raise StorageError(f"storage {without_password(url)}: {told}; {advice}") from error


def _reason(error: BaseException) -> tuple[BaseException, str]:
    """The innermost of what a driver and SQLAlchemy have wrapped, and what it says in a line."""
    while inner := getattr(error, "orig", None) or error.__cause__:
        error = inner
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return error, text.splitlines()[0]


def without_password(url: str) -> str:
    """A storage's URL as it may be printed."""
    try:
        return sqlalchemy.make_url(url).render_as_string()
    except sqlalchemy.exc.ArgumentError:
        return url.rpartition("@")[2]


def patiently(action: Callable[[], T], tries: int | None = None) -> T:
    """The result of an action, tried again for about a minute while the storage fails.

    Who waits says so, once, and for what. tries: so often at most, and then once more.
    """
    for number, pause in enumerate(PATIENCE[:tries]):
        try:
            return action()
        except FileNotFoundError:  # waiting brings nothing back
            raise
        except ERRORS as error:
            if number == 1:
                _, told = _reason(error)
                print(
                    f"the storage fails ({told}) and is tried again for a minute", file=sys.stderr
                )
            time.sleep(pause)
    return action()
