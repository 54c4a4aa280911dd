"""A PostgreSQL server of one's own: in a folder, on a socket, for as long as it is needed.

    python tests/postgres.py

starts one, prints its storage URL and ends it with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian does not put them on the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


def missing() -> str | None:
    """What a server and a client need and is not here; None where all is."""
    if programs() is None:
        return "PostgreSQL is not installed"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    if os.geteuid() == 0 and _other_user() is None:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


def _other_user() -> str | None:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return None


class Server:
    """A running server. url: of its one database, as a storage."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder, self.durable = folder, durable
        self.user = _other_user() if os.geteuid() == 0 else None
        self.url = f"postgresql+psycopg://hia@/postgres?host={folder}"
        if self.user is not None:
            shutil.chown(folder, self.user)
        self._call("initdb", "-D", folder / "data", "-A", "trust", "-U", "hia", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        # On a socket in the folder only: nobody else's server is in the way.
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=200"
        if not self.durable:
            options += " -c fsync=off"
        log = self.folder / "log"
        self._call("pg_ctl", "-D", self.folder / "data", "-l", log, "-w", "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        self._call("pg_ctl", "-D", self.folder / "data", "-w", "-m", how, "stop")

    def _call(self, program: str, *arguments: str | Path) -> None:
        folder = programs()
        assert folder is not None
        command = [folder / program, *arguments]
        # Not in a pipe, which the server would keep open.
        with (self.folder.parent / f"{self.folder.name}.txt").open("w") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, cwd="/", user=self.user, check=False
            )
        assert done.returncode == 0, Path(output.name).read_text()


@contextlib.contextmanager
def server(*, durable: bool = True) -> Iterator[Server]:
    """A server in a folder of its own, removed at the end. durable: commits wait for the disk."""
    # A short name: that of a socket may have some hundred characters.
    with tempfile.TemporaryDirectory(prefix="hia-") as folder:
        Path(folder).chmod(0o755)
        own = Path(folder, "pg")
        own.mkdir()
        started = Server(own, durable=durable)
        try:
            yield started
        finally:
            started.stop("immediate")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server() as running:
        print(running.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
