"""Ctrl-C while the command is still importing: it ends at once, with one line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from faults import posix, until

ROOT = Path(__file__).parents[2]
LINE = "\nstopped before anything began\n"

pytestmark = [posix, pytest.mark.slow]


@pytest.fixture(autouse=True)
def heed_ctrl_c() -> Iterator[None]:
    """What is started inherits that Ctrl-C is ignored, which it is where tests run in the back."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(folder: Path, *options: str, **environment: str) -> "subprocess.Popen[str]":
    """`hia study` of a plan that is none: had it begun, that is what it would say."""
    (folder / "none.toml").write_text("nothing")
    command = [sys.executable, "-m", "hia", "study", "none.toml", *options]
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(process: "subprocess.Popen[str]") -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    with process:
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, errors


def fake(folder: Path, source: str) -> Path:
    """A package `torch` that is found first. Returns the file that it makes to say it is there."""
    package, here = folder / "torch", folder / "here"
    package.mkdir()
    text = f"from pathlib import Path\nPath({str(here)!r}).touch()\n{source}"
    (package / "__init__.py").write_text(text)
    return here


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import time; time.sleep(60)", id="waiting"),
        pytest.param(
            "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise ImportError",
            id="that makes another error of it",
        ),
    ],
)
def test_ctrl_c_in_an_import(tmp_path: Path, source: str) -> None:
    here = fake(tmp_path, source)
    process = start(tmp_path)
    until(here.exists, process)
    assert interrupted(process) == (130, LINE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into a running process")
def test_ctrl_c_in_the_import_of_pytorch(tmp_path: Path) -> None:
    """The real one, as soon as the first of its libraries is in memory."""
    process = start(tmp_path)
    of = psutil.Process(process.pid)
    until(lambda: any("libtorch" in one.path for one in of.memory_maps()), process)
    assert interrupted(process) == (130, LINE)


def test_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    """As for a command that a shell has put in the background."""
    here = fake(tmp_path, "import time; time.sleep(1); raise SystemExit('imported')")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    until(here.exists, process)
    assert interrupted(process) == (1, "imported\n")


def test_without_ctrl_c_the_command_runs(tmp_path: Path) -> None:
    process = start(tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.startswith("hia study: ")
    assert "none.toml" in errors
