"""Real studies under faults at random moments, for as long as it takes.

The seed of a run is printed; HIA_SEED repeats it, as far as other processes allow. HIA_KILLS sets
how often is killed.
"""

import contextlib
import os
import random
import time

import psutil
import pytest
import servers
from faults import Coordinator, Disturbed, fill_up, needs_mount, small_disk, until
from servers import needs_mariadb, needs_postgres

from hia.study import run as study
from hia.study.storage import StorageError, opened

KILLS = int(os.environ.get("HIA_KILLS", "50"))


@pytest.fixture
def rng():
    seed = int(os.environ.get("HIA_SEED", str(time.time_ns() % 10**6)))
    print(f"HIA_SEED={seed}")
    return random.Random(seed)


def finish(disturbed: Disturbed, start) -> None:
    process = start(disturbed)
    process.wait()
    assert "Traceback" not in disturbed.output()
    disturbed.assert_whole()


def kill_something(process: Coordinator, rng: random.Random) -> str:
    """A worker, most of the time; else the coordinator, or all at once."""
    what = rng.choices(("worker", "coordinator", "all"), (6, 2, 2))[0]
    found = process.workers()
    if what == "worker" and found:
        with contextlib.suppress(psutil.NoSuchProcess):
            rng.choice(found).kill()
    elif what == "all":
        process.kill_group()
    else:
        what = "coordinator"
        process.kill()
    return what


def until_more(disturbed: Disturbed, process: Coordinator) -> None:
    seen = len(disturbed.rows())
    until(lambda: len(disturbed.rows()) > seen or process.poll() is not None)


def disturb(disturbed: Disturbed, rng: random.Random, start, kills: int) -> None:
    """Kill so often; look at the storage after each; start again what was killed."""
    process: Coordinator | None = None
    done: dict[str, int] = {}
    while sum(done.values()) < kills:
        if process is None or process.poll() is not None:
            process = start(disturbed)
        if len(disturbed.rows()) == disturbed.models:
            process.wait()
            disturbed.grow(40)
            continue
        # Before, during and after the first trials of the processes that have just started.
        if rng.random() < 0.6:
            until_more(disturbed, process)
        time.sleep(rng.expovariate(3))
        if process.poll() is None:
            what = kill_something(process, rng)
            done[what] = done.get(what, 0) + 1
        disturbed.look()
    assert process is not None
    process.kill_group()
    print(f"killed: {done}; {len(disturbed.seen)} trials had finished")


@pytest.mark.parametrize(
    ("url", "models", "kills", "lasting"),
    [
        ("journal", 100, KILLS, False),
        ("journal", 100, KILLS // 2, True),
        pytest.param("postgresql", 150, KILLS // 2, True, marks=needs_postgres),
        pytest.param("mariadb", 60, KILLS // 4, False, marks=needs_mariadb),
    ],
    indirect=["url"],
)
def test_kills_at_random_moments(url, models, kills, lasting, tmp_path, rng, start):
    """lasting: beside another coordinator, which is not killed."""
    disturbed = Disturbed(tmp_path, models, url)
    other = start(disturbed) if lasting else None
    disturb(disturbed, rng, start, kills)
    if other is not None:
        other.wait()
    finish(disturbed, start)


@needs_mount
def test_a_disk_that_fills_and_gets_room_needs_no_person(tmp_path, rng, start):
    with small_disk(tmp_path / "disk", "16m"):
        disturbed = Disturbed(tmp_path / "disk", 150)
        filler = tmp_path / "disk" / "filler"
        process = start(disturbed)
        for _ in range(5):
            disturbed.wait(process)
            fill_up(filler, leave=rng.randrange(20_000))
            time.sleep(rng.uniform(1, 8))
            filler.unlink()
            disturbed.look()
        process.wait()
        disturbed.assert_whole()


def test_a_storage_cut_short_at_any_place_goes_on(tmp_path, rng, monkeypatch):
    """Never are there other rows than those that were recorded."""
    monkeypatch.setattr("hia.study.storage.PATIENCE", (0.1,))
    disturbed = Disturbed(tmp_path, 10)
    disturbed.run()
    disturbed.assert_whole()
    whole = disturbed.journal.read_bytes()
    before = disturbed.seen
    for number in range(30):
        disturbed.journal.write_bytes(whole[: rng.randrange(1, len(whole))])
        with contextlib.suppress(StorageError, RuntimeError):  # nothing has finished yet
            table = study.export(disturbed.plan, disturbed.url, tmp_path / str(number))
            assert all(
                row["accuracy"] == before[row["trial"]]["accuracy"]
                for row in table.to_dict("records")
            )
    disturbed.reader, disturbed.seen = None, {}
    disturbed.run()
    disturbed.assert_whole()
    same = {number: row["accuracy"] for number, row in before.items() if row["source"] == "random"}
    assert same.items() <= {n: row["accuracy"] for n, row in disturbed.seen.items()}.items()


@needs_postgres
def test_a_server_that_is_killed_and_started_again_needs_no_person(tmp_path, rng, start):
    with servers.postgres() as server:
        disturbed = Disturbed(tmp_path, 100, server.url)
        process = start(disturbed)
        for _ in range(3):
            disturbed.wait(process)
            server.stop("immediate")
            time.sleep(rng.uniform(0, 5))
            server.start()
            disturbed.look()
        process.wait()
        disturbed.assert_whole()


@needs_postgres
def test_connections_that_the_server_ends(tmp_path, rng, start):
    """Whatever they hold: locks too."""
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    with servers.postgres() as server:
        disturbed = Disturbed(tmp_path, 100, server.url)
        with opened(server.url) as storage:
            process = start(disturbed)
            for _ in range(10):
                disturbed.wait(process)
                time.sleep(rng.uniform(0, 1))
                with storage.engine.begin() as connection:
                    connection.exec_driver_sql(end)
                disturbed.look()
            process.wait()
        disturbed.assert_whole()
