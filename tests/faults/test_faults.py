"""The quick half of the faults: each once. `tests/torture` goes on where this ends."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys

import pytest
from faults import (
    Disturbed,
    Forked,
    connect,
    ended,
    fill_up,
    gone,
    needs_mount,
    posix,
    small_disk,
    until,
    workers,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from hia import trials
from hia.study import plans
from hia.study import run as study
from hia.study.storage import StorageError

pytestmark = pytest.mark.slow


@pytest.fixture
def impatient(monkeypatch):
    """What fails is given up at once, not after a minute."""
    monkeypatch.setattr("hia.study.storage.PATIENCE", (0.1, 0.1))


@posix
def test_killed_workers_and_coordinators_lose_nothing(tmp_path):
    disturbed = Disturbed(tmp_path, 30)
    rng = random.Random(0)
    with ended(disturbed.start()) as process:
        for _ in range(3):
            disturbed.wait(process, more=2)
            until(lambda: bool(workers(process)))
            rng.choice(workers(process)).kill()
            disturbed.look()
        disturbed.wait(process)
        left = workers(process)
        process.kill()
        until(lambda: gone(left))
    assert "a worker was killed (SIGKILL), another takes its place" in disturbed.output()
    assert "Traceback" not in disturbed.output()
    disturbed.look()
    assert len(disturbed.seen) < disturbed.models
    disturbed.run()
    disturbed.assert_whole()


@posix
def test_a_worker_whose_coordinator_died_while_it_started_ends(tmp_path):
    disturbed = Disturbed(tmp_path, 3)
    study._queue(study._ledgers(disturbed.plan, connect(disturbed.url)))
    code = """
import os, signal, sys
from hia.study import plans, processes, run as study
plan = plans.load_plan(sys.argv[1])
print(processes.start(study._work, (plan, sys.argv[2], "cpu", 0)).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", code, str(disturbed.path), disturbed.url]
    with ended(
        subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    ) as process:
        assert process.stdout is not None
        with process.stdout:
            worker = Forked(int(process.stdout.readline()))
        assert process.wait() == -signal.SIGKILL
        worker.wait()
    assert not disturbed.rows()


def test_a_worker_that_is_killed_again_and_again_ends_the_study(tmp_path, monkeypatch):
    disturbed = Disturbed(tmp_path, 3)
    monkeypatch.setattr(study, "_work", kill_self)
    with pytest.raises(RuntimeError, match="a worker ended with exit code -9"):
        disturbed.run()


def kill_self(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_trial_of_a_machine_that_died_is_found_and_done(tmp_path):
    """By its missing heartbeat alone: nobody here knows that machine's processes."""
    disturbed = Disturbed(tmp_path, 4)
    storage = connect(disturbed.url)
    study._queue(study._ledgers(disturbed.plan, storage))
    taken = study._study(storage, "digits", "random").get_trials()[1]
    storage.set_trial_state_values(taken._trial_id, TrialState.RUNNING)
    storage.set_trial_user_attr(taken._trial_id, "worker", "elsewhere:1")
    with contextlib.closing(sqlite3.connect(disturbed.database)) as connection, connection:
        connection.execute("update trial_heartbeats set heartbeat = datetime('now', '-1 minute')")
    disturbed.run()
    disturbed.assert_whole()
    assert storage.get_trial(taken._trial_id).state == TrialState.FAIL


def test_a_worker_that_was_taken_for_dead_does_no_harm(tmp_path):
    """It slept while another trained its trial: what it brings comes too late, and it goes on."""
    disturbed = Disturbed(tmp_path, 2)
    storage = connect(disturbed.url)
    ledgers = study._ledgers(disturbed.plan, storage)
    study._queue(ledgers)
    late = study._study(storage, "digits", "random")
    with pytest.warns(UserWarning, match="Heartbeat of storage"):
        slow = late.ask()
    storage.set_trial_state_values(slow._trial_id, TrialState.FAIL)
    disturbed.run()
    disturbed.look()
    for bring in (
        lambda: slow.set_user_attr("row", {"trial": 0}),
        lambda: storage.set_trial_state_values(slow._trial_id, TrialState.COMPLETE, [0.5]),
    ):
        with pytest.raises(UpdateFinishedTrialError):
            bring()
    disturbed.assert_whole()


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill_end_cleanly(tmp_path, how):
    """Ctrl-C goes to the whole group, a polite kill to the coordinator."""
    disturbed = Disturbed(tmp_path, 500)
    with ended(disturbed.start()) as process:
        disturbed.wait(process, more=3)
        left = workers(process)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        assert process.wait(timeout=60) == 130
        assert gone(left)
    printed = disturbed.output()
    assert "stopped; finished trials are kept, and the same command goes on" in printed
    assert "Traceback" not in printed
    disturbed.look()
    storage = connect(disturbed.url)
    for key in study._studies(disturbed.plan):
        assert not study._study(storage, *key).get_trials(states=(TrialState.RUNNING,))


@posix
def test_two_coordinators_do_no_harm(tmp_path):
    """Started at the same moment on a storage that neither has made yet."""
    disturbed = Disturbed(tmp_path, 30)
    both = [disturbed.start(workers=1) for _ in range(2)]
    with ended(both[0]), ended(both[1]):
        assert [process.wait(timeout=600) for process in both] == [0, 0], disturbed.output()
    assert "Traceback" not in disturbed.output()
    disturbed.assert_whole()
    hosts = {
        trial.user_attrs["worker"]
        for key in study._studies(disturbed.plan)
        for trial in study._study(connect(disturbed.url), *key).get_trials()
    }
    assert len(hosts) == 2  # both worked


def test_two_coordinators_do_not_queue_a_number_twice(tmp_path):
    """Each with its own, old view of what is there."""
    disturbed = Disturbed(tmp_path, 30)
    views = [study._ledgers(disturbed.plan, connect(disturbed.url)) for _ in range(2)]
    for ledgers in views:
        for ledger in ledgers:
            ledger.fill()  # without a look at what the other did
    for ledger in views[1]:
        ledger.read()
        numbers = [number for number, _ in ledger.open.values()]
        assert len(numbers) == len(set(numbers)) == min(study.QUEUE, len(ledger.unfinished))


def test_two_coordinators_take_the_same_export_over_once(tmp_path):
    before = Disturbed(tmp_path, 10)
    before.run()
    before.assert_whole()
    (tmp_path / "second").mkdir()
    after = Disturbed(tmp_path / "second", 10)
    views = [connect(after.url) for _ in range(2)]
    ledgers = study._ledgers(after.plan, views[0])
    table = trials.load(tmp_path / "export" / "trials.parquet")
    study._take_over(after.plan, views[1], tmp_path / "export", {"digits": 100})
    for ledger in ledgers:  # which has not looked since
        rows = table[table["source"] == ledger.kind].to_dict("records")
        ledger.add({row["trial"]: study._as_optuna(after.plan, row) for row in rows})
    after.assert_whole()
    assert after.seen == before.seen


def test_a_plan_does_not_go_on_with_other_images(tmp_path):
    disturbed = Disturbed(tmp_path, 3)
    disturbed.run()
    disturbed.path.write_text("[datasets.digits]\nmodels = 4\nmax_images = 150\n")
    other = plans.load_plan(disturbed.path)
    right = "plan plan: digits with 150 images in float32, but the storage holds .* 100 images"
    with pytest.raises(plans.PlanError, match=right):
        study.run(other, disturbed.url, device="cpu")
    with pytest.raises(plans.PlanError, match=right):
        study.export(other, disturbed.url, tmp_path / "other")
    disturbed.assert_whole()


# The disk ---------------------------------------------------------------------------------------


@needs_mount
def test_a_full_disk_ends_the_study_and_room_lets_it_go_on(tmp_path, impatient):
    with small_disk(tmp_path / "disk", "32m"):
        disturbed = Disturbed(tmp_path / "disk", 20)
        disturbed.run()  # makes the tables; what is asked for below comes on top
        disturbed.path.write_text(disturbed.path.read_text().replace("= 20", "= 30"))
        disturbed.models, disturbed.plan = 30, plans.load_plan(disturbed.path)
        # Room for SQLite's shared memory and a note of the session, but not for the queue.
        fill_up(tmp_path / "disk" / "filler", leave=60_000)
        with pytest.raises(
            StorageError, match=r"study\.db: database or disk is full; finished trials are"
        ):
            disturbed.run()
        disturbed.look()
        assert len(disturbed.seen) < 30
        (tmp_path / "disk" / "filler").unlink()
        disturbed.run()
        disturbed.assert_whole()


@needs_mount
def test_a_read_only_storage_is_said_and_left_as_it_is(tmp_path, impatient):
    with small_disk(tmp_path / "disk", "4m") as remount:
        disturbed = Disturbed(tmp_path / "disk", 6)
        disturbed.run()
        disturbed.look()
        disturbed.path.write_text(disturbed.path.read_text().replace("= 6", "= 10"))
        disturbed.models, disturbed.plan = 10, plans.load_plan(disturbed.path)
        before = disturbed.database.read_bytes()
        remount("ro")
        with pytest.raises(
            StorageError, match=r"study\.db: (attempt to write a readonly|unable to open)"
        ):
            disturbed.run()
        assert disturbed.database.read_bytes() == before
        remount("rw")
        disturbed.run()
        disturbed.assert_whole()


HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
connection.execute("update studies set study_name = study_name || '!'")
print("held", flush=True)
time.sleep(600)
"""


@posix
def test_a_lock_whose_holder_is_killed_is_gone_with_it(tmp_path):
    """With what the holder had begun to write."""
    disturbed = Disturbed(tmp_path, 10)
    study._queue(study._ledgers(disturbed.plan, connect(disturbed.url)))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, disturbed.database], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    with ended(disturbed.start(workers=1)) as process:
        assert holder.stdout.readline() == b"held\n"
        until(lambda: bool(disturbed.output()) or process.poll() is not None or locked(disturbed))
        assert disturbed.rows() == []
        holder.kill()
        holder.wait()
        holder.stdout.close()
        assert process.wait(timeout=600) == 0, disturbed.output()
    disturbed.assert_whole()


def locked(disturbed: Disturbed) -> bool:
    with contextlib.closing(sqlite3.connect(disturbed.database, timeout=0)) as connection:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
    return False


@pytest.mark.parametrize("left", [0.3, 0.9])
def test_a_storage_that_was_cut_short_is_said(tmp_path, impatient, left):
    """And the study goes on from its export, once the file is out of the way."""
    disturbed = Disturbed(tmp_path, 10)
    disturbed.run()
    disturbed.assert_whole()
    whole = disturbed.database.read_bytes()
    disturbed.database.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(StorageError, match=r"study\.db: .*malformed.*is damaged; move it away"):
        disturbed.run()
    disturbed.database.unlink()
    disturbed.run(recorded=tmp_path / "export")
    disturbed.assert_whole()


def test_an_export_that_was_cut_short_is_said_before_anything_is_taken_over(tmp_path):
    disturbed = Disturbed(tmp_path, 10)
    disturbed.run()
    disturbed.assert_whole()
    for name, error in (
        ("provenance.json", "provenance.json: not the provenance of an export"),
        ("trials.parquet", "trials.parquet: not a readable Parquet"),
    ):
        file = tmp_path / "export" / name
        whole = file.read_bytes()
        (tmp_path / name).mkdir()
        after = Disturbed(tmp_path / name, 10)
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=error):
            after.run(recorded=tmp_path / "export")
        assert after.rows() == []
        file.write_bytes(whole)
    after.run(recorded=tmp_path / "export")
    after.assert_whole()
    assert after.seen == disturbed.seen
