"""How many workers a storage keeps busy: its cost per trial, and how that grows with the study.

    python benchmarks/bench_storage.py [storage URL ...] [--to data/storage.json] [--workers N ...]

Without a URL: an SQLite file of its own. A PostgreSQL server to measure, on this machine, is
started by `python tests/postgres.py`, which prints its URL; its database is emptied.

Nothing is trained: a training takes no time, so that what is left is the storage. First in one
process, in storages that hold 0 to 50,000 finished trials of one data set: processor time of the
worker per trial and of the server, transactions, and how long transactions that write last, of
which SQLite takes one at a time. Then the trials a second of several workers with their
coordinator, in wall time. Last, without any storage, what BOHB's proposal takes, which grows with
the trials it learns from. Processor time grows little where the machine has other work; wall time
is worth measuring on an idle one only.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import sqlalchemy
from optuna.storages._rdb import models

from hia import datasets, space, trainer
from hia.study import plans, processes
from hia.study import run as study
from hia.study.storage import Storage, connect, distribution, experimental

GROWTH = (0, 1_000, 10_000, 50_000)  # finished trials
TRIALS = 40  # measured at each
WORKERS = (1, 2, 4, 8)  # by default
TOGETHER = 400  # trials of the several workers
PROPOSALS = (100, 1_000, 3_000, 10_000)
PACKAGES = ("optuna", "sqlalchemy", "psycopg")
WRITES = ("INSERT", "UPDATE", "DELETE")


def no_training(config: Any, *_: Any, **__: Any) -> trainer.Result:
    return trainer.Result([0.5] * config["epoch"], [1.0] * config["epoch"], 1.0, 1.0, 1, 1, False)


def work_without_training(*arguments: Any) -> None:
    trainer.train = no_training
    study._take_trials(*arguments)


class Locks:
    """Counts the transactions of an engine that write, and the processor time within them."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.transactions, self.seconds = 0, 0.0
        self.since: float | None = None
        sqlalchemy.event.listen(engine, "before_cursor_execute", self.execute)
        sqlalchemy.event.listen(engine, "commit", self.commit)

    def execute(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        if self.since is None and statement.lstrip().upper().startswith(WRITES):
            self.since = time.process_time()

    def commit(self, _: Any) -> None:
        if self.since is not None:
            self.transactions += 1
            self.seconds += time.process_time() - self.since
            self.since = None


def run_one(own: optuna.Study, data: datasets.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
        trial = own.ask()
    study._run_one(own, trial, data, "float32", "none")


def multiply(storage: Storage, study_id: int, n: int) -> None:
    """Copy the study's only trial, which has finished, so that there are n."""
    own = models.TrialModel.__table__
    numbers = sqlalchemy.select(sqlalchemy.literal(1).label("k")).cte(recursive=True)
    numbers = numbers.union_all(sqlalchemy.select(numbers.c.k + 1).where(numbers.c.k < n - 1))
    tables = [table for table in models.BaseModel.metadata.sorted_tables if "trial_id" in table.c]
    with storage.engine.begin() as connection:
        first = connection.execute(
            sqlalchemy.select(own.c.trial_id).where(own.c.study_id == study_id)
        ).scalar_one()
        for table in tables:
            key = next(iter(table.primary_key))
            values = {
                column.name: numbers.c.k + first if column.name == "trial_id" else column
                for column in table.c
                if column is not key or table is own
            }
            if "value_json" in values:
                is_number = table.c.key == "trial"
                number = sqlalchemy.cast(numbers.c.k, sqlalchemy.Text)
                values["value_json"] = sqlalchemy.case(
                    (is_number, number), else_=table.c.value_json
                )
            if "number" in values:
                values["number"] = numbers.c.k
            copies = sqlalchemy.select(*values.values()).where(table.c.trial_id == first)
            copies = copies.select_from(table.join(numbers, sqlalchemy.true()))
            connection.execute(sqlalchemy.insert(table).from_select(list(values), copies))
        if connection.dialect.name == "postgresql":
            last = "select setval('trials_trial_id_seq', (select max(trial_id) from trials))"
            connection.execute(sqlalchemy.text(last))
            connection.execute(sqlalchemy.text("analyze"))


def clear(storage: Storage) -> None:
    with storage.engine.begin() as connection:
        for table in reversed(models.BaseModel.metadata.sorted_tables):
            if table.name not in ("version_info", "alembic_version"):
                connection.execute(sqlalchemy.delete(table))


def size(storage: Storage) -> int:
    query = "select pg_database_size(current_database())"
    if storage.engine.dialect.name == "sqlite":
        query = "select page_count * page_size from pragma_page_count, pragma_page_size"
    with storage.engine.connect() as connection:
        return int(connection.execute(sqlalchemy.text(query)).scalar_one())


def server_seconds(storage: Storage) -> float | None:
    """Processor time of the server's processes on this machine; None without a server."""
    if storage.engine.dialect.name != "postgresql":
        return None
    with storage.engine.connect() as connection:
        own = connection.execute(sqlalchemy.text("select pg_backend_pid()")).scalar_one()
    server = psutil.Process(own).parent()
    assert server is not None
    return sum(sum(process.cpu_times()[:2]) for process in [server, *server.children()])


def measure(url: str, finished: int) -> dict[str, Any]:
    """One process: what a trial costs after so many."""
    plan = plans.Plan("bench", {"digits": plans.Part(2 * finished + 1000, 100)}, "float32", "")
    storage = connect(url)
    clear(storage)
    own = study._study(storage, "digits", "random")
    data = datasets.load("digits", max_images=100)
    ledger = study._Ledger(plan, storage, "digits", "random")
    if finished:
        ledger.add({0: ledger._queued(0)})
        run_one(own, data)
        multiply(storage, own._study_id, finished)
        ledger = study._Ledger(plan, storage, "digits", "random")
    start = time.process_time()
    ledger.read()
    first = time.process_time() - start
    spent = polls = 0.0
    locks = Locks(storage.engine)
    served = server_seconds(storage)
    for _ in range(TRIALS):
        start = time.process_time()
        ledger.read()
        ledger.fill()
        polls += time.process_time() - start
        start = time.process_time()
        run_one(own, data)
        spent += time.process_time() - start
    if served is not None:
        served = (server_seconds(storage) or 0) - served
    start = time.process_time()
    rows = sum(1 for _ in storage.rows(own._study_id))
    export = time.process_time() - start
    measured = {
        "storage": storage.engine.dialect.name,
        "finished": finished,
        "worker_ms": 1e3 * spent / TRIALS,
        "server_ms": None if served is None else 1e3 * served / TRIALS,
        "writes_ms": 1e3 * locks.seconds / TRIALS,
        "transactions": locks.transactions / TRIALS,
        "poll_ms": 1e3 * polls / TRIALS,
        "first_poll_s": first,
        "read_rows_s": export,
        "kB": size(storage) / rows / 1e3,
    }
    storage.engine.dispose()
    return measured


def together(url: str, workers: int) -> float:
    """Trials a second, from the first to be finished on."""
    clear(connect(url))
    plan = plans.Plan("bench", {"digits": plans.Part(TOGETHER, 100)}, "float32", "")
    study._work = work_without_training
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        study.run(plan, url, workers=workers, device="cpu")
    storage = connect(url)
    column = models.TrialModel.__table__.c.datetime_complete
    with storage.engine.connect() as connection:
        done = sorted(connection.execute(sqlalchemy.select(column)).scalars())
    # By the second half: until then, workers are still starting.
    half = done[len(done) // 2 :]
    return (len(half) - 1) / (half[-1] - half[0]).total_seconds()


def propose(finished: int) -> float:
    """Processor seconds of BOHB's proposal after so many finished trials, in memory."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with experimental():
        sampler = optuna.samplers.TPESampler(multivariate=True, group=True, seed=0)
    own = optuna.create_study(direction="maximize", sampler=sampler)
    rng = np.random.default_rng(0)
    for _ in range(finished):
        config = space.sample(rng)
        names = [name for name in config if name != "epoch"]
        own.add_trial(
            optuna.create_trial(
                value=rng.random(),
                params={name: config[name] for name in names},
                distributions={name: distribution(space.SPACE[name]) for name in names},
            )
        )
    study._propose(own.ask())
    start = time.process_time()
    for _ in range(3):
        study._propose(own.ask())
    return (time.process_time() - start) / 3


def show(row: dict[str, Any]) -> dict[str, Any]:
    parts = [f"{k} {v:,.4g}" if isinstance(v, int | float) else str(v) for k, v in row.items()]
    print(", ".join(parts), flush=True)
    return row


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="*", help="storage URLs (default: an SQLite file)")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="0 for none")
    parser.add_argument("--to", type=Path, help="a JSON file for what was measured")
    options = parser.parse_args()
    trainer.train = no_training
    measured: dict[str, Any] = {"trial": [], "together": [], "proposal": []}
    with tempfile.TemporaryDirectory() as folder:
        for url in options.url or [f"sqlite:///{folder}/bench.db"]:
            kind = url.partition(":")[0].partition("+")[0]
            for finished in GROWTH:
                measured["trial"].append(show(measure(url, finished)))
            for workers in filter(None, options.workers):
                row = {"storage": kind, "workers": workers, "per_second": together(url, workers)}
                measured["together"].append(show(row))
    for finished in PROPOSALS:
        row = {"finished": finished, "proposal_ms": 1e3 * propose(finished)}
        measured["proposal"].append(show(row))
    if options.to:
        about = {
            "processor": processes.describe_processor("cpu"),
            "cores": psutil.cpu_count(),
            "versions": versions(),
        }
        content = json.dumps(about | measured, indent=1) + "\n"
        options.to.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
