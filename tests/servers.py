"""Database servers of one's own: in a folder, on a socket, for as long as they are needed.

    python tests/servers.py

starts a PostgreSQL, prints its storage URL and ends it with Ctrl-C.
"""

import contextlib
import getpass
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# Debian does not put all of their programs on everyone's PATH.
FOLDERS = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), "/usr/sbin"]
PATH = os.pathsep.join(map(str, [os.environ.get("PATH", os.defpath), *FOLDERS]))
# PostgreSQL does not run as root.
USER = "postgres" if os.geteuid() == 0 else getpass.getuser()


def program(name: str) -> str | None:
    return shutil.which(name, path=PATH)


needs_postgres = pytest.mark.skipif(
    not (program("initdb") and importlib.util.find_spec("psycopg"))
    or USER not in {one.pw_name for one in pwd.getpwall()},
    reason="needs PostgreSQL, psycopg and, for root, a user postgres",
)
needs_mariadb = pytest.mark.skipif(
    not (program("mariadb-install-db") and importlib.util.find_spec("pymysql")),
    reason="needs MariaDB and PyMySQL",
)
# For the fixture `url`.
POSTGRESQL = pytest.param("postgresql", marks=needs_postgres)
MARIADB = pytest.param("mariadb", marks=needs_mariadb)


class Postgres:
    """A running server. url: of its one database, as a storage."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder, self.durable = folder, durable
        self.url = f"postgresql+psycopg://hia@/postgres?host={folder}"
        shutil.chown(folder, USER)
        self._call("initdb", "-A", "trust", "-U", "hia", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        # On a socket in the folder only: nobody else's server is in the way.
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=200"
        options += "" if self.durable else " -c fsync=off"
        self._call("pg_ctl", "-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        self._call("pg_ctl", "-w", "-m", how, "stop")

    def _call(self, name: str, *arguments: str) -> None:
        command = [str(program(name)), "-D", str(self.folder / "data"), *arguments]
        user = USER if os.geteuid() == 0 else None
        # Not in a pipe, which the server would keep open.
        with (self.folder.parent / "output.txt").open("w") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, cwd="/", user=user, check=False
            )
        assert done.returncode == 0, Path(output.name).read_text()


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """With a short name: that of a socket in it may have some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="hia-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def postgres(*, durable: bool = True) -> Iterator[Postgres]:
    """A server that is removed at the end. durable: commits wait for the disk."""
    with short_folder() as folder:
        own = folder / "pg"
        own.mkdir()
        started = Postgres(own, durable=durable)
        try:
            yield started
        finally:
            started.stop("immediate")


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """The storage URL of a server, which does not wait for the disk and is removed at the end."""
    with short_folder() as folder:
        log, socket = folder / "log", folder / "socket"
        where = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
        install = ["--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(
            [str(program("mariadb-install-db")), *where, *install], check=True, capture_output=True
        )
        options = [f"--socket={socket}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
        create = ["mariadb", "--no-defaults", "--user=root", f"--socket={socket}"]
        create.append("--execute=create database hia")
        with (
            log.open("w") as output,
            subprocess.Popen(
                [str(program("mariadbd")), *where, *options], stdout=output, stderr=output
            ) as process,
        ):
            try:
                while subprocess.run(create, check=False, capture_output=True).returncode:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)  # it has not started yet
                yield f"mysql+pymysql://root@localhost/hia?unix_socket={socket}"
            finally:
                process.kill()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with postgres() as running:
        print(running.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
