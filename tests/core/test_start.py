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


def start(folder: Path, torch: str = "") -> "subprocess.Popen[str]":
    """`hia study`, which would train nothing without its device.

    torch: source of a package of that name that is found first and makes a file to say so.
    """
    (folder / "plan.toml").write_text("[datasets.digits]\nmodels = 1\n")
    if torch:
        (folder / "torch").mkdir()
        here = f"from pathlib import Path\nPath({str(folder / 'here')!r}).touch()\n"
        (folder / "torch" / "__init__.py").write_text(here + torch)
    return subprocess.Popen(
        [sys.executable, "-m", "hia", "study", "plan.toml", "--device", "none"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
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


@pytest.mark.parametrize("then", ["", "\nexcept KeyboardInterrupt: raise ImportError"])
def test_ctrl_c_in_an_import(tmp_path: Path, then: str) -> None:
    """Which may make another error of it."""
    source = (
        "import time\ntime.sleep(60)" if not then else f"import time\ntry: time.sleep(60){then}"
    )
    process = start(tmp_path, source)
    until((tmp_path / "here").exists, process)
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = start(tmp_path, "import time; time.sleep(1); raise SystemExit('imported')")
    until((tmp_path / "here").exists, process)
    assert interrupted(process) == (1, "imported\n")
