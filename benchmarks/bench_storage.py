"""How many workers a storage keeps busy: its cost per trial, and how that grows with the study.

    python benchmarks/bench_storage.py [storage ...] [--to data/storage.json] [--workers N ...]

Without a storage: a journal file of its own. A PostgreSQL server to measure, on this machine, is
started by `python tests/servers.py`, which prints its URL; its database has to be empty.

Nothing is trained: a training takes no time, so that what is left is the storage. First in one
process, in storages that hold 0 to 10,000 finished trials of one data set: processor time of the
worker per trial and of the server, and how long the journal is locked, which one process at a time
can. Then the trials a second of several workers with their coordinator, in wall time. Last, without
any storage, what BOHB's proposal takes, which grows with the trials it learns from. Processor time
grows little where the machine has other work; wall time is worth measuring on an idle one only.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import sqlalchemy

from hia import datasets, space, trainer
from hia.study import plans, processes, storage
from hia.study import run as study
from hia.study.ledger import Ledger, tpe
from hia.study.storage import Storage, connect

GROWTH = (0, 1_000, 10_000)  # finished trials
TRIALS = 40  # measured at each
WORKERS = (1, 2, 4, 8)  # by default
TOGETHER = 400  # trials of the several workers
PROPOSALS = (100, 1_000, 3_000, 10_000)
PACKAGES = ("optuna", "sqlalchemy", "psycopg")
locked = {"since": 0.0, "seconds": 0.0}


def no_training(config: Any, *_: Any, **__: Any) -> trainer.Result:
    return trainer.Result([0.5] * config["epoch"], [1.0] * config["epoch"], 1.0, 1.0, 1, 1, False)


_work = processes.work


def work_without_training(*arguments: Any) -> None:
    trainer.train = no_training
    _work(*arguments)


class TimedLock(storage.FileLock):
    """Adds up the processor time for which a journal is locked."""

    def acquire(self) -> bool:
        super().acquire()
        locked["since"] = time.process_time()
        return True

    def release(self) -> None:
        locked["seconds"] += time.process_time() - locked["since"]
        super().release()


def plan(models: int) -> plans.Plan:
    """Random search with so many configurations of digits."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(f'search = "random"\n[datasets.digits]\nmodels = {models}\nmax_images = 100\n')
        file.flush()
        return plans.load_plan(file.name)


def ask(opened: Storage, query: str) -> int:
    """A number from a server; 0 without one."""
    if not isinstance(opened, optuna.storages.RDBStorage):
        return 0
    with opened.engine.connect() as connection:
        return int(connection.execute(sqlalchemy.text(f"select {query}")).scalar_one())


def server_seconds(opened: Storage) -> float:
    """Processor time of the server's processes on this machine; 0 without a server."""
    own = ask(opened, "pg_backend_pid()")
    server = psutil.Process(own).parent() if own else None
    family = [server, *server.children()] if server else []
    return sum(sum(process.cpu_times()[:2]) for process in family)


def size(url: str, opened: Storage) -> int:
    return ask(opened, "pg_database_size(current_database())") or Path(url).stat().st_size


def measure(url: str, finished: int) -> dict[str, Any]:
    """One process: what a trial costs after so many."""
    opened = connect(url)
    one = dataclasses.replace(plan(finished + 1000).series[0], name=f"{finished}/random")
    before = size(url, opened)
    ledger = Ledger(one, opened)
    data = datasets.load("digits", max_images=100)
    config = no_training({"epoch": 1}).row() | {"processor": "none"}
    for job in list(one.jobs.values())[:finished]:
        ledger.add(job | config | {"accuracy_per_epoch": [0.5] * job["epoch"]})
    start = time.process_time()
    connect(url)
    Ledger(one, opened)
    first = time.process_time() - start
    of_worker = Ledger(one, opened)
    spent = polls = locked["seconds"] = 0.0
    served = server_seconds(opened)
    for _ in range(TRIALS):
        start = time.process_time()
        ledger.look()
        looked = time.process_time()
        taken = of_worker.take()
        assert taken is not None
        with processes._beating(taken[0]):
            processes._train_one(of_worker, *taken, data, "none")
        polls += looked - start
        spent += time.process_time() - looked
    served = server_seconds(opened) - served
    database = isinstance(opened, optuna.storages.RDBStorage)
    return {
        "storage": "postgresql" if database else "journal",
        "finished": finished,
        "worker_ms": 1e3 * spent / TRIALS,
        "server_ms": 1e3 * served / TRIALS if database else None,
        "writes_ms": 1e3 * locked["seconds"] / TRIALS,
        "poll_ms": 1e3 * polls / TRIALS,
        "first_poll_s": first,
        "kB": (size(url, opened) - before) / (finished + TRIALS) / 1e3,
    }


def together(url: str, workers: int) -> float:
    """Trials a second, from the first half to be finished on."""
    opened = connect(url)
    for name in ("digits/random", "digits/bohb"):
        if name in optuna.get_all_study_names(opened):
            optuna.delete_study(study_name=name, storage=opened)
    processes.work = work_without_training
    with contextlib.redirect_stdout(io.StringIO()):
        study.run(plan(TOGETHER), url, workers=workers, device="cpu")
    trials = optuna.load_study(study_name="digits/random", storage=connect(url)).get_trials()
    done = sorted(one.datetime_complete for one in trials if one.datetime_complete)
    # By the second half: until then, workers are still starting.
    half = done[len(done) // 2 :]
    return (len(half) - 1) / (half[-1] - half[0]).total_seconds()


def propose(finished: int) -> float:
    """Processor seconds of BOHB's proposal after so many finished trials, in memory."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    own = optuna.create_study(direction="maximize", sampler=tpe(seed=0))
    rng = np.random.default_rng(0)
    for _ in range(finished):
        params = space.sample(rng)
        del params["epoch"]
        kinds = {name: space.to_distribution(space.SPACE[name]) for name in params}
        trial = optuna.create_trial(value=rng.random(), params=params, distributions=kinds)
        own.add_trial(trial)
    processes._propose(space.SPACE, own.ask())
    start = time.process_time()
    for _ in range(3):
        processes._propose(space.SPACE, own.ask())
    return (time.process_time() - start) / 3


def show(row: dict[str, Any]) -> dict[str, Any]:
    parts = [f"{k} {v:,.4g}" if isinstance(v, int | float) else str(v) for k, v in row.items()]
    print(", ".join(parts), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="*", help="storages (default: a journal file)")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="0 for none")
    parser.add_argument("--to", type=Path, help="a JSON file for what was measured")
    options = parser.parse_args()
    trainer.train = no_training
    storage.FileLock = TimedLock  # type: ignore[misc]
    measured: dict[str, Any] = {"trial": [], "together": [], "proposal": []}
    with tempfile.TemporaryDirectory() as folder:
        for url in options.url or [f"{folder}/bench.journal"]:
            for finished in GROWTH:
                place = url.replace("bench.", f"{finished}.")  # a journal is read from its start
                measured["trial"].append(show(measure(place, finished)))
            kind = measured["trial"][-1]["storage"]
            for workers in filter(None, options.workers):
                place = url.replace("bench.", f"together{workers}.")
                row = {"storage": kind, "workers": workers, "per_second": together(place, workers)}
                measured["together"].append(show(row))
    for finished in PROPOSALS:
        row = {"finished": finished, "proposal_ms": 1e3 * propose(finished)}
        measured["proposal"].append(show(row))
    if options.to:
        about = {
            "processor": processes.describe_processor("cpu"),
            "cores": psutil.cpu_count(),
            "versions": {name: version(name) for name in PACKAGES},
        }
        options.to.write_text(json.dumps(about | measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
