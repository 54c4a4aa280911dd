"""An interrupt that Python drops comes again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults import posix

ROOT = Path(__file__).parents[2]
BEGINNING = """
import os, signal, sys, time, weakref
from hia.study import stopping
class Thing: pass
def drop(callback):
    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    return reference
def wait():
    for _ in range(1000):
        time.sleep(0.02)
"""


def outcome(source: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + source],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, done.stderr


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_in_a_callback_is_not_lost(name):
    source = f"""
stopping.heed()
try:
    drop(lambda _: (signal.raise_signal(signal.{name}), print("not here")))
    wait()
    print("went on")
except KeyboardInterrupt:
    print("stopped")
"""
    assert outcome(source) == ("stopped\n", "")


@posix
def test_it_comes_until_it_gets_through():
    source = """
stopping.AGAIN_SECONDS = 1.0  # long enough to get into the second callback, on any machine
stopping.heed()
def busy(_):
    print("dropped")
    signal.raise_signal(signal.SIGTERM)
def dull(_):
    print("waits")
    wait()
try:
    drop(busy)
    drop(dull)  # in which the second attempt comes to nothing
    wait()
    print("went on")
except KeyboardInterrupt:
    print("stopped")
"""
    assert outcome(source) == ("dropped\nwaits\nstopped\n", "")


def test_other_errors_in_callbacks_are_shown():
    printed, errors = outcome("stopping.heed()\ndrop(lambda _: 1 / 0)\nprint('went on')")
    assert printed == "went on\n"
    assert "ZeroDivisionError" in errors


@posix
def test_ctrl_c_is_heeded_where_it_was_ignored():
    source = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
stopping.heed()
try:
    signal.raise_signal(signal.SIGINT)
    print("went on")
except KeyboardInterrupt:
    print("stopped")
"""
    assert outcome(source) == ("stopped\n", "")
