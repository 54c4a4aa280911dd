"""A MariaDB server, which speaks MySQL, of one's own: in a folder, on a socket, while needed."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def missing() -> str | None:
    """What a server and a client need and is not here; None where all is."""
    if program() is None or shutil.which("mariadb-install-db") is None:
        return "MariaDB is not installed"
    if importlib.util.find_spec("pymysql") is None:
        return "PyMySQL is not installed"
    return None


def program() -> str | None:
    """The server; Debian puts it on root's PATH only."""
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The storage URL of a server, which does not wait for the disk and is removed at the end."""
    daemon = program()
    assert daemon is not None
    # A short name: that of a socket may have some hundred characters.
    with tempfile.TemporaryDirectory(prefix="hia-") as folder:
        data, log, socket = (Path(folder, name) for name in ("data", "log", "socket"))
        where = [f"--datadir={data}", f"--user={getpass.getuser()}"]
        install = ["mariadb-install-db", "--no-defaults", *where, "--skip-test-db"]
        subprocess.run(
            [*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True
        )
        command = [daemon, "--no-defaults", *where, f"--socket={socket}", "--skip-networking"]
        with (
            log.open("w") as output,
            subprocess.Popen(
                [*command, "--innodb-flush-log-at-trx-commit=0"], stdout=output, stderr=output
            ) as process,
        ):
            try:
                _make_database(process, socket, log)
                yield f"mysql+pymysql://root@localhost/hia?unix_socket={socket}"
            finally:
                process.kill()


def _make_database(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    command = ["mariadb", "--no-defaults", "--user=root", f"--socket={socket}"]
    create = [*command, "--execute=create database hia"]
    while subprocess.run(create, check=False, capture_output=True).returncode:
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)  # it has not started yet
