"""The quick half of the faults: each once. `tests/torture` goes on where this ends."""

import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path
from unittest.mock import Mock

import optuna
import pytest
from faults import Disturbed, fill_up, gone, needs_mount, small_disk, until
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from hia import trainer
from hia.study import ledger, processes
from hia.study.ledger import Ledger
from hia.study.storage import StorageError, connect, without_password

pytestmark = pytest.mark.slow


@pytest.fixture
def impatient(monkeypatch):
    """What fails is given up at once, not after a minute."""
    monkeypatch.setattr("hia.study.storage.PATIENCE", (0.1, 0.1))


# Workers, coordinators, machines ----------------------------------------------------------------


def test_killed_workers_and_coordinators_lose_nothing(tmp_path, start):
    disturbed = Disturbed(tmp_path, 30)
    rng = random.Random(0)
    process = start(disturbed)
    for _ in range(2):
        disturbed.wait(process, more=2)
        until(lambda: bool(process.workers()))
        rng.choice(process.workers()).kill()
        disturbed.look()
    until(lambda: "a worker died (Killed)" in disturbed.output(), process, disturbed.output)
    left = process.workers()
    process.kill()
    until(lambda: gone(left))
    assert "Traceback" not in disturbed.output()
    disturbed.look()
    assert len(disturbed.seen) < disturbed.models
    disturbed.run()
    disturbed.assert_whole()


def test_a_worker_that_is_stopped_does_not_keep_a_study_from_ending(tmp_path, start):
    disturbed = Disturbed(tmp_path, 30)
    process = start(disturbed)
    disturbed.wait(process)
    # One that waits for work, or its trial would be taken for lost only after minutes.
    until(lambda: len(disturbed.rows()) >= 29 or process.poll() is not None)
    stopped = process.workers()
    for one in stopped[:1]:
        one.suspend()
    until(lambda: process.poll() is not None or len(disturbed.rows()) < 30)
    process.wait() if len(disturbed.rows()) == 30 else process.kill_group()
    until(lambda: gone(stopped))
    disturbed.run()
    disturbed.assert_whole()


@pytest.mark.parametrize("code", [-signal.SIGKILL, 3])
def test_workers_that_end_again_and_again_end_the_study(tmp_path, monkeypatch, code):
    def work(*_: object) -> None:
        os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)

    monkeypatch.setattr(processes, "work", work)
    with pytest.raises(RuntimeError, match=f"a worker ended with exit code {code} .* are kept"):
        Disturbed(tmp_path, 3).run()


def test_a_worker_without_memory_says_so_in_one_line(tmp_path, monkeypatch):
    disturbed = Disturbed(tmp_path, 1)
    disturbed.ledgers()
    monkeypatch.setattr(processes, "orphaned", lambda: False)
    monkeypatch.setattr(trainer, "train", Mock(side_effect=MemoryError("not 8 GB")))
    with pytest.raises(SystemExit, match=r"^worker 3: not 8 GB$"):
        processes.work(disturbed.plan.series, disturbed.url, "cpu", 3)


def begin(book: Ledger, key: str, worker: str) -> FrozenTrial:
    """A trial as a worker begins it, whether or not another has."""
    says = {"key": key, "job": book.series.jobs[key], "worker": worker}
    book.study.add_trial(optuna.create_trial(state=TrialState.RUNNING, user_attrs=says))
    return book.study.get_trials()[-1]


def test_a_trial_of_a_machine_that_died_is_found_and_done(tmp_path, monkeypatch):
    """By the clock of this machine, whatever that one's said."""
    disturbed = Disturbed(tmp_path, 4)
    book, _ = disturbed.ledgers()
    begin(book, "0", "elsewhere:1")
    book.look()
    assert len(book.study.get_trials(states=(TrialState.RUNNING,))) == 1
    monkeypatch.setattr(ledger, "STALE_SECONDS", -1.0)
    book.look()
    assert [one.number for one in book.study.get_trials(states=(TrialState.FAIL,))] == [0]
    monkeypatch.undo()
    disturbed.run()
    disturbed.assert_whole()


def test_a_worker_that_dies_as_it_begins_is_seen_at_once(tmp_path):
    """The write that begins a trial names its worker: nothing waits for a clock."""
    disturbed = Disturbed(tmp_path, 4)

    def begin_and_die() -> None:
        book, _ = disturbed.ledgers()
        add = book.study.add_trial
        book.study.add_trial = lambda trial: (add(trial), os.kill(os.getpid(), signal.SIGKILL))
        book.take()

    killed = multiprocessing.get_context("fork").Process(target=begin_and_die)
    killed.start()
    killed.join()
    book, _ = disturbed.ledgers()
    assert [one.user_attrs["key"] for one in book.open] == ["0"]
    book.look()
    assert book.open == []
    assert "0" not in book.trials


def test_a_worker_that_lives_is_not_taken_for_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "BEAT_SECONDS", 0.01)
    disturbed = Disturbed(tmp_path, 4)
    book, _ = disturbed.ledgers()
    trial, _ = book.take()
    seen = set()
    with processes._beating(trial):
        while len(seen) < 3:  # different looks, each of which starts the clock anew
            book.look()
            seen.add(book.changes[trial.number])
    assert len({what for what, _ in seen}) == 3


def test_a_worker_that_was_taken_for_dead_does_no_harm(tmp_path):
    """It slept while another trained its trial: what it brings comes too late."""
    disturbed = Disturbed(tmp_path, 2)
    random_search, _ = disturbed.ledgers()
    slow, _ = random_search.take()
    random_search.study.tell(slow.number, state=TrialState.FAIL)
    disturbed.run()
    with pytest.raises(UpdateFinishedTrialError):
        slow.set_user_attr("row", {"trial": 0})
    disturbed.assert_whole()


def test_of_two_workers_that_begin_the_same_one_trains_it(tmp_path, monkeypatch):
    disturbed = Disturbed(tmp_path, 4)
    first, second = (disturbed.ledgers()[0] for _ in range(2))
    begin(second, "0", "elsewhere:1")  # after this one had looked, and before it begins
    looks = iter([lambda: None])  # the first of which sees nothing new
    read = first.read
    monkeypatch.setattr(first, "read", lambda: next(looks, read)())
    trial, job = first.take()
    assert (trial.number, job["trial"]) == (2, 1)
    states = [one.state for one in second.study.get_trials()]
    assert states == [TrialState.RUNNING, TrialState.FAIL, TrialState.RUNNING]


def test_a_smaller_plan_trains_no_more_than_it_asks_for(tmp_path):
    Disturbed(tmp_path, 12).ledgers()[0].take()
    smaller = Disturbed(tmp_path, 8)
    for book in smaller.ledgers():
        for one in book.open:  # this process lives
            book.study.tell(one.number, state=TrialState.FAIL)
    smaller.run()
    assert sorted(row["trial"] for row in smaller.rows()) == list(range(8))
    larger = Disturbed(tmp_path, 12)
    larger.run(workers=2)
    larger.assert_whole()


def test_second_trials_end_with_the_study(tmp_path):
    """Begun by a machine that had not seen the first."""
    disturbed = Disturbed(tmp_path, 3)
    disturbed.run()
    book, _ = disturbed.ledgers()
    for _ in range(3):
        begin(book, "0", "elsewhere:1")
    disturbed.run()
    disturbed.assert_whole()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill_end_cleanly(tmp_path, start, how):
    """Ctrl-C goes to the whole group, a polite kill to the coordinator."""
    disturbed = Disturbed(tmp_path, 500)
    process = start(disturbed)
    disturbed.wait(process, more=3)
    left = process.workers()
    os.killpg(process.pid, how) if how == signal.SIGINT else os.kill(process.pid, how)
    process.wait()
    assert gone(left)
    printed = disturbed.output()
    assert "stopped; finished trials are kept, and the same command goes on" in printed
    assert "Traceback" not in printed
    disturbed.look()
    assert not [one for one in disturbed.trials() if one.state == TrialState.RUNNING]


def test_two_coordinators_do_no_harm(tmp_path, start):
    """Started at the same moment on a storage that is not there yet."""
    disturbed = Disturbed(tmp_path, 20)
    for process in [start(disturbed) for _ in range(2)]:
        process.wait()
    assert disturbed.output().count("20 of 20 CNNs") == 2, disturbed.output()
    assert "Traceback" not in disturbed.output()
    disturbed.assert_whole()


def test_two_coordinators_take_the_same_export_over_once(tmp_path):
    before = Disturbed(tmp_path, 10)
    before.run()
    before.assert_whole()
    (tmp_path / "second").mkdir()
    after = Disturbed(tmp_path / "second", 10)
    late = after.ledgers()
    after.run(recorded=tmp_path / "export")
    for book in late:  # which has not looked since
        for row in before.rows():
            if row["source"] == ("bohb" if book.series.bohb else "random"):
                book.add(row)
    table = Ledger(after.plan.series[0], connect(after.url)).rows
    assert len(table) == 7
    assert {row["trial"]: row for row in table}.items() <= before.seen.items()


# The storage ------------------------------------------------------------------------------------


@needs_mount
def test_a_full_disk_ends_the_study_and_room_lets_it_go_on(tmp_path, impatient, capfd):
    with small_disk(tmp_path / "disk", "4m"):
        disturbed = Disturbed(tmp_path / "disk", 10)
        disturbed.run()
        disturbed.grow(10)
        fill_up(tmp_path / "disk" / "filler", leave=500)  # so that a line is cut short
        with pytest.raises(RuntimeError, match=r"are kept|is lost") as error:
            disturbed.run()
        # It is a worker that wants to write, or the coordinator.
        said = capfd.readouterr().err + str(error.value)
        assert "study.journal: No space left on device; nothing in it is lost" in said
        assert "the storage fails (No space left on device) and is tried again" in said
        disturbed.look()
        (tmp_path / "disk" / "filler").unlink()
        disturbed.run()
        disturbed.assert_whole()


@needs_mount
def test_a_read_only_storage_is_said_and_left_as_it_is(tmp_path, impatient):
    with small_disk(tmp_path / "disk", "4m") as remount:
        disturbed = Disturbed(tmp_path / "disk", 6)
        disturbed.run()
        disturbed.look()
        disturbed.grow(4)
        before = disturbed.journal.read_bytes()
        remount("ro")
        with pytest.raises(StorageError, match=r"study\.journal: Read-only file system"):
            disturbed.run()
        assert disturbed.journal.read_bytes() == before
        remount("rw")
        disturbed.run()
        disturbed.assert_whole()


def test_a_storage_that_is_removed_ends_the_study(tmp_path, start):
    disturbed = Disturbed(tmp_path, 500)
    process = start(disturbed)
    disturbed.wait(process, more=3)
    disturbed.journal.unlink()
    process.wait()
    said = disturbed.output()
    assert "; the study goes on from its last export" in said
    assert "500 of 500" not in said
    # A worker that opens it at that very moment makes an empty one, which the others refuse.
    assert not disturbed.journal.exists() or "it was replaced while in use" in said


def test_a_storage_that_is_replaced_or_emptied_in_use_is_refused(tmp_path):
    for change in (Path.touch, Path.unlink):
        path = tmp_path / f"{change.__name__}.journal"
        storage = connect(str(path))
        for _ in range(2):
            optuna.create_study(storage=storage)
        change(path)
        path.write_bytes(b"")
        with pytest.raises(FileNotFoundError, match="replaced while in use"):
            optuna.create_study(storage=storage)
        assert path.read_bytes() == b""


def test_a_damaged_storage_is_said_and_what_is_before_the_damage_is_kept(tmp_path):
    disturbed = Disturbed(tmp_path, 10)
    disturbed.run()
    lines = disturbed.journal.read_bytes().splitlines(keepends=True)
    for damage in (b"{", b"\xff\xfe", b"[1]", b"{}"):
        disturbed.journal.write_bytes(b"".join([*lines[:50], damage + b"\n", *lines[51:]]))
        with pytest.raises(StorageError, match=r"journal: line 51 is damaged; `head -n 50 /"):
            disturbed.run()
    disturbed.journal.write_bytes(b"".join(lines[:50]) + lines[50][:9])  # as on a full disk
    disturbed.look()
    assert disturbed.seen
    disturbed.run()
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


def test_a_url_is_shown_without_its_password():
    for url, shown in (
        ("postgresql://me:secret@host/hia", "postgresql://me:***@host/hia"),
        ("runs/first.journal", "runs/first.journal"),
        ("me:secret@host", "host"),
    ):
        assert without_password(url) == shown
