"""What README and Makefile say can be typed, and that what is typed is data."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hia import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TEXTS = [
    "$(touch x)", "$(shell touch x)", "`touch x`", "a b; touch x", "'\" $$ $HOME #", "1\\2",
    "x=1 && touch made", "x=a|touch made", "x='a b' y=\"c d\"", "x=${HOME}", "x=#1", "x=*",
    "x=> made", "x=é😀", "-x", "--help", "$(error stop)", "x=$@ $<",
]  # fmt: skip


def test_commands_of_the_readme_and_of_the_page_on_many_machines_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert "book" in named
    assert named <= targets
    page = (ROOT / "notebooks" / "cluster.py").read_text(encoding="utf-8")
    for text, command, least in (
        (README, r"`\.venv/bin/hia ([^`]+)`", 3),
        (page, r"^(?:# )?(?:exec )?hia ((?:study|export) .*)$", 4),
    ):
        commands = re.findall(command, text, re.MULTILINE)
        assert len(commands) >= least
        for options in map(cli._parser().parse_args, map(str.split, commands)):
            if text is page:
                assert options.storage.startswith("postgresql://")
                assert (ROOT / options.plan).is_file()
    for plan in re.findall(r"studies/\w+\.toml", README + MAKEFILE):
        assert (ROOT / plan).is_file()


def test_the_readme_says_what_the_first_page_finds() -> None:
    """Whose claims are checked where they are computed."""
    page = (ROOT / "notebooks" / "intro.py").read_text(encoding="utf-8")
    bold = re.search(r"^# \*\*(.+?)\*\*$", page, re.MULTILINE | re.DOTALL)
    assert bold
    references = r" \{cite:p\}`[^`]+`| \{numref\}`[^`]+` [^.]+\."
    finding = re.sub(references, "", bold[1].replace("\n# ", " "))
    assert f"**{finding}**" in " ".join(README.split())


ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The Makefile in a folder with blanks and letters outside ASCII; nothing is set up."""
    folder = tmp_path / "a folder, größer"
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.lock", "requirements-fanova.lock", "pyproject.toml"):
        (folder / name).touch()
    return folder


def options(root: Path) -> dict[str, Any]:
    apart = {key: value for key, value in os.environ.items() if "MAKE" not in key}
    apart.pop("CONDA_DEFAULT_ENV", None)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return {"cwd": root, "env": apart, "start_new_session": True, **pipes}


def make(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", "-s", *arguments], **options(root))


def stub(code: str) -> str:
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n'


def set_up(root: Path, **programs: str) -> None:
    """As if it had been, with these programs, by name and text."""
    for name in (".ready", ".fanova"):
        (root / ".venv" / name).touch()
    for name, text in programs.items():
        write_program(root / ".venv" / "bin" / name.replace("_", "-"), text)


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_what_stands_after_a_name_is_data(root: Path) -> None:
    """Neither make nor the shell looks inside, and blanks do not break it."""
    set_up(root, python=stub(ECHO), hia=stub(ECHO))
    before = sorted(root.rglob("*"))
    for text in TEXTS:
        for target, names, expected in (
            ("study", ("PLAN", "WORKERS"), ["study", text, "--workers", text]),
            ("notebook", ("NB", "P"), ["rerun", text, text]),
        ):
            done = make(root, target, *(f"{name}={text}" for name in names))
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)[-len(expected) :] == expected
        assert f"PORT={text} is no port" in make(root, "serve", f"PORT={text}").stderr
    assert sorted(root.rglob("*")) == before


def test_an_interrupted_book_has_no_traceback(root: Path) -> None:
    (root / "_config.yml").touch()
    waiting = "import time; open('begun', 'w').close(); time.sleep(60)"
    set_up(root, python=stub("pass"), jupyter_book=stub(waiting))
    process = subprocess.Popen(["make", "-s", "book"], **options(root))
    while not (root / "begun").exists():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in told
    assert "KeyboardInterrupt" not in told
    assert not (root / "_build").exists()


def test_a_taken_port_is_said_in_one_line(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = make(root, "serve", f"PORT={port}").stderr.splitlines()
    assert said[0] == f"error: port {port} is taken; another one: make serve PORT=8001"
    assert len(said) == 2  # and make's own


# Python as far as a set-up needs it; where there is a file `stop`, pip says what it says and fails.
STUB = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  *sys.version\\)*) echo VERSION;;
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  *" install "*) if [ -e stop ]; then cat stop; exit 1; fi;;
esac
"""


def test_a_set_up_that_was_stopped_keeps_what_is_whole_and_is_done_once(root: Path) -> None:
    def venvs() -> list[str]:
        return re.findall(r"^-m venv *(.*)$", (root / "calls").read_text(), re.MULTILINE)

    write_program(root / "python", STUB)
    (root / "stop").touch()
    set_up = (".venv/.ready", "PYTHON=./python")
    assert make(root, *set_up).returncode != 0
    assert not (root / ".venv" / ".ready").exists()
    whole, half = (root / ".venv/lib/python3.12/site-packages" / f"{n}-1.dist-info" for n in "ab")
    for package in (whole, half):
        package.mkdir(parents=True)
        (package / "METADATA").touch()
    (whole / "INSTALLER").touch()  # what pip writes last
    (root / "stop").unlink()
    done = make(root, *set_up)
    assert (done.returncode, done.stderr) == (0, "")
    assert venvs() == ["--clear .venv", ".venv"]
    assert (whole.exists(), half.exists()) == (True, False)
    calls = (root / "calls").read_text()
    assert make(root, *set_up).returncode == 0  # offline, too: nothing is asked for
    assert (root / "calls").read_text() == calls
    for text, why in (("No matching distribution", "no package index"), ("g++", "is there a C++")):
        (root / "stop").write_text(text)
        told = make(root, "-B", "-o", ".venv/.ready", ".venv/.fanova").stdout
        assert f"fanova could not be installed ({why}" in told
    (root / "stop").unlink()
    (root / ".venv" / ".ready").unlink()
    (root / "python").write_text(STUB.replace("VERSION", "another"))
    assert make(root, *set_up).returncode == 0
    assert venvs()[2:] == ["--clear .venv"]
