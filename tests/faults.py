"""Studies on `digits` that are disturbed, for tests: started, watched, killed and checked."""

from __future__ import annotations

import contextlib
import errno
import functools
import multiprocessing
import multiprocessing.context
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import psutil
import pytest
import sqlalchemy
from rows import digits_plan, row

from hia import cli, datasets, space, trainer
from hia.study import plans, processes
from hia.study import run as study
from hia.study.ledger import FINISHED, Ledger, runs
from hia.study.storage import ERRORS, connect

IMAGES = 100  # 80 for training: a CNN takes some hundredths of a second
TIMES = ("seconds", "cpu_seconds")

needs_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small disk"
)

_work = processes.work


def forked_work(*arguments: Any) -> None:
    """A worker's work in a process that is forked."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as in a fresh Python
    _work(*arguments)


def fork_workers() -> None:
    """From now on workers are forked, where `hia` starts a fresh Python for each, in seconds."""
    fork = multiprocessing.get_context("fork")
    processes.multiprocessing = SimpleNamespace(  # type: ignore[attr-defined]
        get_context=lambda _: fork, parent_process=multiprocessing.parent_process
    )
    processes.work = forked_work


# Imported once, before any `Coordinator` is forked.
multiprocessing.set_forkserver_preload(["hia.commands", "rows", "pytest"])


class Coordinator(multiprocessing.context.ForkServerProcess):
    """`hia study` with two workers, in a process group of its own.

    It starts at once: it is forked from a process that has imported all it needs, and so are its
    workers.
    """

    def __init__(self, disturbed: Disturbed) -> None:
        output = str(disturbed.folder / "output.txt")
        super().__init__(target=run_command, args=(disturbed.arguments(), output))
        self.start()
        until(lambda: not self.is_alive() or os.getpgid(self.pid) == self.pid)

    def poll(self) -> int | None:
        return None if self.is_alive() else 0

    def wait(self) -> None:
        until(lambda: not self.is_alive())

    def workers(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.pid).children())
        return []

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def run_command(arguments: list[str], output: str) -> None:
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(file, stream)
    fork_workers()
    cli.main(arguments)


class Disturbed:
    """A study of so many CNNs in a folder, and what is known of it.

    url: of its storage; by default a journal file in the folder.
    """

    def __init__(self, folder: Path, models: int, url: str | None = None) -> None:
        self.folder, self.models = folder, models
        self.plan = digits_plan(folder, models, images=IMAGES)
        self.journal = folder / "study.journal"
        self.url = url or str(self.journal)
        self.seen: dict[int, dict] = {}
        self.reader: Any = None

    def arguments(self) -> list[str]:
        command = ["study", str(self.folder / "plan.toml"), "--workers", "2", "--device", "cpu"]
        return [*command, "--storage", self.url, "--recorded", str(self.folder / "nothing")]

    def output(self) -> str:
        file = self.folder / "output.txt"
        return file.read_text() if file.is_file() else ""

    def run(self, workers: int = 1, **options: Any) -> None:
        study.run(self.plan, self.url, workers=workers, device="cpu", report_seconds=1, **options)

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Of all Optuna studies of the plan, as far as they are there."""
        try:  # once, as to check its tables takes long; no pool, so no connection stays open
            if self.reader is None and self.url == str(self.journal):
                self.reader = connect(self.url, create=False)
            elif self.reader is None:
                options = {"poolclass": sqlalchemy.NullPool}
                self.reader = optuna.storages.RDBStorage(self.url, engine_kwargs=options)
        except ERRORS:  # there is none yet, or the study is making the tables at this moment
            return []
        names = set(optuna.get_all_study_names(self.reader)) - {"sessions"}
        studies = [optuna.load_study(study_name=one, storage=self.reader) for one in sorted(names)]
        return [trial for one in studies for trial in one.get_trials()]

    def rows(self) -> list[dict]:
        """The finished trials' rows, as they are in the storage."""
        return [trial.user_attrs["row"] for trial in self.trials() if trial.state in FINISHED]

    def wait(self, process: Coordinator, more: int = 1) -> None:
        """Until so many more trials have finished than were seen at the last `look`."""
        until(lambda: len(self.rows()) >= len(self.seen) + more, process, self.output)

    def look(self) -> None:
        """Every finished trial is there once, and all that were seen before as they were."""
        rows = self.rows()
        now = {row["trial"]: row for row in rows}
        assert len(now) == len(rows)
        assert self.seen.items() <= now.items()
        self.seen = now

    def grow(self, models: int) -> None:
        """Ask for so many more CNNs in the same storage."""
        self.models += models
        self.plan = digits_plan(self.folder, self.models, images=IMAGES)

    def ledgers(self) -> list[Ledger]:
        return [Ledger(series, connect(self.url)) for series in self.plan.series]

    def assert_whole(self) -> None:
        """All CNNs of the plan are there, nothing is left over, and the export has them."""
        self.look()
        assert sorted(self.seen) == list(range(self.models))
        assert all(trial.state.is_finished() for trial in self.trials())
        table = study.export(self.plan, self.url, self.folder / "export")
        assert list(table["trial"]) == list(range(self.models))
        random = {n: row for n, row in self.seen.items() if row["source"] == "random"}
        assert all(without_times(row) == undisturbed(n) for n, row in random.items())


def trained(number: int, images: int = IMAGES) -> dict:
    """The row of a random trial on so many images, trained here and by itself."""
    data = datasets.load("digits", max_images=images)
    config = space.validate(plans.random_config("digits", number))
    seed = plans.seed("digits", number)
    known = {"trial": number, "seed": seed, "processor": processes.describe_processor("cpu")}
    known |= {"images": len(data.train_labels), "val_images": len(data.val_labels)}
    known |= trainer.train(config, data, seed).row()
    return row(np.random.default_rng(0), config, **known)  # which gives the rest


@functools.cache
def undisturbed(number: int, images: int = IMAGES) -> dict:
    """`trained` but for what was measured with a clock."""
    return without_times(trained(number, images))


def without_times(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in TIMES}


def until(
    done: Callable[[], bool],
    process: subprocess.Popen | Coordinator | None = None,
    told: Callable[[], str] = str,
) -> None:
    """Wait for what a process brings about, which must not end before."""
    deadline = time.monotonic() + 600
    while True:
        looked = time.monotonic()
        if done():
            return
        assert process is None or process.poll() is None or done(), told()
        assert time.monotonic() < deadline, told()
        # To look costs a part of the cores that what is waited for needs.
        time.sleep(0.02 + 3 * (time.monotonic() - looked))


def gone(watched: list[psutil.Process]) -> bool:
    """None of them runs; the dead of a dead parent may wait long for somebody to ask."""
    return not any(runs(process.pid) for process in watched)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A disk of so many bytes at a folder; gives what mounts it again with other options."""

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False
    )
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield remount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(path: Path, leave: int) -> None:
    """Fill the disk that a file is on, but for so many bytes."""
    room = os.statvfs(path.parent)
    try:
        path.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - leave)))
    except OSError as error:  # the study, which writes too, was quicker: the disk is full
        if error.errno != errno.ENOSPC:
            raise
