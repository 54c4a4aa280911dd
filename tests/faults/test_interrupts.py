"""Ctrl-C and a polite kill: while the command imports, while workers start, in a callback."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import until
from rows import digits_plan

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def study(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`hia study` of ten CNNs. A package `torch` in its folder comes before the real one."""
    digits_plan(tmp_path, 10)
    with subprocess.Popen(
        [sys.executable, "-m", "hia", "study", "plan.toml", "--workers", "2", "--device", "cpu"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def interrupted(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Ctrl-C goes to the whole group; the output ends when the last worker has."""
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heeded", "ignored"])
def ctrl_c(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether what is started heeds Ctrl-C; a shell's background jobs ignore it."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param == signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def torch(tmp_path: Path) -> Path:
    """A package whose import takes a second and swallows an interrupt."""
    (tmp_path / "torch").mkdir()
    begun = tmp_path / "begun"
    (tmp_path / "torch" / "__init__.py").write_text(
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
        "try: time.sleep(1)\nexcept KeyboardInterrupt: pass\nraise SystemExit('imported')"
    )
    return begun


def test_ctrl_c_in_an_import(ctrl_c: bool, torch: Path, study: "subprocess.Popen[str]") -> None:
    until(torch.exists, study)
    stopped = (130, "\nstopped before anything began\n")
    assert interrupted(study) == (stopped if ctrl_c else (1, "imported\n"))


def test_ctrl_c_ends_a_study_that_is_starting(study: "subprocess.Popen[str]") -> None:
    assert study.stdout.readline() == "0 of 10 CNNs\n"
    time.sleep(1)  # the workers import PyTorch
    stopped = "\nstopped; finished trials are kept, and the same command goes on\n"
    assert interrupted(study) == (130, stopped)


SCRIPT = """
import signal, time, weakref
from hia import cli
class Thing: pass
def drop(callback):
    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    return reference
def wait(_=None):
    print("waits")
    for _ in range(1000):
        time.sleep(0.02)
signal.signal(signal.SIGINT, signal.SIG_IGN)
cli.AGAIN_SECONDS = 1.0  # long enough to get into the second callback, on any machine
cli.heed()
try:
    {code}
    print("went on")
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize(
    ("code", "printed", "error"),
    [
        ("signal.raise_signal(signal.SIGINT)", "stopped", ""),
        # Python drops what a callback raises. It comes again until it gets through.
        ("drop(lambda _: signal.raise_signal(signal.SIGINT)); wait()", "waits stopped", ""),
        ("drop(lambda _: signal.raise_signal(15)); drop(wait); wait()", "waits waits stopped", ""),
        ("drop(lambda _: 1 / 0)", "went on", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_interrupt_gets_through(code: str, printed: str, error: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert " ".join(done.stdout.split()) == printed
    assert error in done.stderr
    assert bool(done.stderr) == bool(error)
