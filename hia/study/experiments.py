"""Trains the recorded experiments beside the study: replicates, scaling and screening.

An experiment is a list of jobs that follows from the table of trials. A job is the part of a row
that is known before the training: data set, configuration, numbers of images, seed. Worker
processes train one job after the other; the coordinator writes every finished row to a journal, a
text file with one JSON object per line, and waits until it is on the disk. So an experiment can be
killed at any moment, and the same command goes on; a line that was cut short is trained again. A
worker that is killed is replaced, and its job trained anew. The Parquet file is made from the
journal, whether all jobs are in it or not.

- replicates: `CONFIGURATIONS` of each data set, with `REPLICATES` other seeds each. They are among
  its first `FIRST` trials, so that the choice stays as it is when the study grows.
- scaling: the same configurations, with the trial's own seed, on a quarter, half, all and twice the
  trial's training images, as far as there are so many; the validation images stay the same.
- precision: the same configurations with the trial's own seed and images, in bfloat16.
- screening: the runs of the folded Plackett-Burman design (`hia_book.screening`) with
  `SCREENING_SEEDS` seeds each, on as many images as the trials of the data set.

All but `precision` with the precision of the trials.
"""

import contextlib
import functools
import json
import math
import multiprocessing
import multiprocessing.connection
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hia import cnn, datasets, space, trainer
from hia.files import write_json
from hia.study import plans, processes, records
from hia.study.recording import Journal, Row
from hia_book import screening

CONFIGURATIONS = 12  # of each data set, in replicates and scaling
FIRST = 100  # trials of a data set, among which these are chosen
REPLICATES = 5
SCREENING_SEEDS = 3
DEATHS = 5  # workers killed with no CNN finished in between, until the recording is given up

# What is known before a training, beside the configuration and whose it is.
_GIVEN = ("images", "val_images", "precision", "seed")

# --- what to train -------------------------------------------------------------------------------


def jobs(name: str, table: pd.DataFrame) -> list[Row]:
    """The jobs of an experiment, in the order in which they are trained.

    name: "replicates", "scaling" or "screening". table: as `hia.trials.load` returns it. Jobs on
    the same images follow each other, so that a worker holds one data set at a time.
    Raises ValueError for an unknown name, and where screening finds trials of a data set that
    differ in their number of images or precision.
    """
    if name not in _JOBS:
        raise ValueError(f"unknown experiment {name!r}; known are {', '.join(_JOBS)}")
    found = _JOBS[name](table)
    return sorted(found, key=_images)


def chosen(table: pd.DataFrame, per_dataset: int = CONFIGURATIONS) -> pd.DataFrame:
    """Rows of random search that go from the worst to the best accuracy of each data set.

    Of a data set's n random trials below number `FIRST`, sorted by accuracy (and number), those at
    the places
    (k + 1/2) n / per_dataset, rounded down, k = 0, 1, ...; all where there are fewer. Equal steps
    in rank, not in accuracy, make it a sample in which every kind of trial has its weight: a mean
    over the rows estimates the mean over the study.
    """
    picked = []
    eligible = table[(table["source"] == "random") & (table["trial"] < FIRST)]
    for _, rows in eligible.groupby("dataset", sort=False):
        ordered = rows.sort_values(["accuracy", "trial"])
        n = min(per_dataset, len(ordered))
        picked.append(ordered.iloc[((np.arange(n) + 0.5) * len(ordered) / n).astype(int)])
    return pd.concat(picked) if picked else table.head(0)


def _replicates(table: pd.DataFrame) -> Iterator[Row]:
    for row in _plain(chosen(table)):
        for replicate in range(1, REPLICATES + 1):
            seed = plans.seed(f"replicates/{row['dataset']}/{row['trial']}", replicate)
            yield _of_trial(row) | {"replicate": replicate, "seed": seed}


def _scaling(table: pd.DataFrame) -> Iterator[Row]:
    for name, rows in chosen(table).groupby("dataset", sort=False):
        total = len(datasets.read(str(name)).labels)
        available = total - -(-total // datasets.VALIDATION_EVERY)
        for row in _plain(rows):
            before = 0
            for fraction in records.FRACTIONS:
                images = min(round(fraction * row["images"]), available)
                if images > before:
                    yield _of_trial(row) | {"fraction": fraction, "images": images}
                before = images


def _precision(table: pd.DataFrame) -> Iterator[Row]:
    for row in _plain(chosen(table)):
        yield _of_trial(row) | {"precision": "bf16"}


def _screening(table: pd.DataFrame) -> Iterator[Row]:
    configs = screening.configs(screening.design(len(space.HYPERPARAMETERS)))
    for name, rows in table.groupby("dataset", sort=False):
        alike = _plain(rows[["images", "val_images", "precision"]].drop_duplicates())
        if len(alike) > 1:
            raise ValueError(
                f"{name}: the trials differ in images, val_images or precision, "
                f"{' and '.join(str(tuple(one.values())) for one in alike)}; screening needs one"
            )
        for run, config in enumerate(configs):
            for replicate in range(1, SCREENING_SEEDS + 1):
                yield {
                    "dataset": str(name),
                    "run": run,
                    "replicate": replicate,
                    **dict.fromkeys(space.SPACE),
                    **config,
                    **alike[0],
                    "seed": plans.seed(f"screening/{name}/{run}", replicate),
                }


_JOBS: dict[str, Callable[[pd.DataFrame], Iterator[Row]]] = {
    "replicates": _replicates,
    "scaling": _scaling,
    "precision": _precision,
    "screening": _screening,
}
NAMES = tuple(_JOBS)


def _of_trial(row: Row) -> Row:
    return {name: row[name] for name in ("dataset", "source", "trial", *space.SPACE, *_GIVEN)}


def _plain(table: pd.DataFrame) -> list[Row]:
    """Rows of plain Python values, None where one is missing."""
    rows: list[Row] = []
    for row in table.astype(object).to_dict("records"):
        rows.append({})
        for name, value in row.items():
            if isinstance(value, np.ndarray | list):
                rows[-1][str(name)] = [float(one) for one in value]
            elif pd.isna(value):
                rows[-1][str(name)] = None
            else:
                rows[-1][str(name)] = value.item() if isinstance(value, np.generic) else value
    return rows


# --- one training --------------------------------------------------------------------------------


def _images(job: Row) -> tuple[str, int, int, int]:
    """What has to be loaded for a job; equal for jobs on the same images."""
    return job["dataset"], job["in_channel_num"], job["images"], job["val_images"]


def _load(images: tuple[str, int, int, int], device: str) -> datasets.Dataset:
    name, channels, n_train, n_val = images
    return datasets.load(
        name,
        # The smallest number of which a fifth, rounded up, is n_val.
        max_images=datasets.VALIDATION_EVERY * (n_val - 1) + 1,
        n_train=n_train,
        channels=channels,
        device=device,
    )


def _train(
    job: Row,
    data: datasets.Dataset,
    processor: str,
    on_epoch: Callable[[int, float], bool] | None = None,
) -> Row:
    """The whole row of a job."""
    config = {name: job[name] for name in space.SPACE if job[name] is not None}
    result = trainer.train(config, data, job["seed"], on_epoch, precision=job["precision"])
    return job | result.row() | {"processor": processor}


def _cost(job: Row) -> float:
    """Operations of a training's forward passes, to which its time is about proportional."""
    facts = datasets.FACTS[job["dataset"]]
    once = cnn.flops(job, job["in_channel_num"], facts.size, facts.classes)
    return float(once * job["images"] * job["epoch"])


def verify(
    name: str,
    table: pd.DataFrame,
    sample: int,
    *,
    device: str = "auto",
    random_state: int = 0,
) -> pd.DataFrame:
    """Train a random sample of the rows of an experiment again.

    Returns one row per training: `dataset`, the table's key, and what `hia.study.run.verify`
    returns: `recorded`, `again`, `difference`, `same_processor`, `exact`.
    """
    if sample < 1:
        raise ValueError(f"sample: {sample} is not a positive number")
    device = trainer.resolve_device(device)
    processor = processes.describe_processor(device)
    drawn = _plain(table.sample(min(sample, len(table)), random_state=random_state).sort_index())
    rows = []
    loaded = None
    for row in sorted(drawn, key=_images):
        if _images(row) != loaded:
            data = _load(loaded := _images(row), device)
        again = _train(row, data, processor)
        rows.append(
            {
                **{column: row[column] for column in ("dataset", *records.TABLES[name].key)},
                "recorded": row["accuracy"],
                "again": again["accuracy"],
                "difference": abs(again["accuracy"] - row["accuracy"]),
                "same_processor": row["processor"] == processor,
                "exact": again["accuracy_per_epoch"] == row["accuracy_per_epoch"],
            }
        )
    return pd.DataFrame(rows)


# --- an experiment -------------------------------------------------------------------------------


def record(
    name: str,
    table: pd.DataFrame,
    folder: str | os.PathLike[str],
    journal: str | os.PathLike[str],
    *,
    workers: int = 1,
    device: str = "auto",
    report_seconds: float = 10,
) -> pd.DataFrame:
    """Train what is missing of an experiment and write NAME.parquet and NAME.json into a folder.

    table: the trials. Rows that the journal or the folder's NAME.parquet has are not trained again,
    if they are those of a job of today: rows of trials that are no longer chosen are left out.
    workers: processes; 0 trains nothing and writes what there is. Both files are written also where
    an error, Ctrl-C included, ends the training. NAME.json says which versions, processor and data
    were used when. Returns the table. Raises RuntimeError where a worker fails or where there is
    nothing to write, with all finished rows kept.
    """
    if workers < 0:
        raise ValueError(f"workers: {workers} is negative")
    device = trainer.resolve_device(device)
    folder, book = Path(folder), Journal(journal)
    wanted = jobs(name, table)
    done = _known(name, wanted, folder, book)
    missing = [job for job in wanted if _key(name, job) not in done]
    print(f"{len(done):,} of {len(wanted):,} CNNs are there", flush=True)

    try:
        if missing and workers:
            names = sorted({job["dataset"] for job in missing})
            book.append("session", processes.session(workers, device, names))
            _run(missing, workers, device, functools.partial(book.append, "row"), report_seconds)
    finally:
        done = _known(name, wanted, folder, book)  # Ctrl-C may come right after a row is written
        if done:
            rows = pd.DataFrame(list(done.values()), columns=list(records.TABLES[name].columns))
            records.save(name, rows, folder / f"{name}.parquet")
            _write_provenance(name, rows, len(wanted), folder, book)
    if not done:
        raise RuntimeError(f"{book.path}: no CNN of {name} has been trained yet")
    return records.load(name, folder / f"{name}.parquet")


def _key(name: str, row: Row) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in ("dataset", *records.TABLES[name].key))


def _known(
    name: str, wanted: Iterable[Row], folder: Path, journal: Journal
) -> dict[tuple[Any, ...], Row]:
    """Finished rows of today's jobs by their key."""
    asked = {_key(name, job): job for job in wanted}
    path = folder / f"{name}.parquet"
    rows = _plain(records.load(name, path)) if path.is_file() else []
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows + journal.read("row"):
        job = asked.get(_key(name, row))
        if job is not None and all(row.get(column) == job[column] for column in job):
            found.setdefault(_key(name, row), row)
    return found


def _write_provenance(
    name: str, rows: pd.DataFrame, asked: int, folder: Path, journal: Journal
) -> None:
    path = folder / f"{name}.json"
    sessions = {one["started"]: one for one in journal.read("session")}
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))["sessions"]
        sessions = {one["started"]: one for one in before} | sessions
    provenance = {
        "rows": len(rows),
        "asked": asked,
        "rows_per_dataset": {k: int(v) for k, v in rows["dataset"].value_counts().items()},
        "training_hours": float(rows["seconds"].sum() / 3600),
        "sessions": [sessions[started] for started in sorted(sessions)],
    }
    write_json(provenance, path)


def _run(
    missing: list[Row],
    workers: int,
    device: str,
    keep: Callable[[Row], None],
    report_seconds: float,
) -> None:
    """Train all jobs with worker processes; `keep` gets every row as soon as it is there."""
    left = iter(missing)
    costs = sum(map(_cost, missing))
    trained, cost, deaths = 0, 0.0, 0
    began = printed = time.monotonic()
    with processes.spawned(_work, []) as crew:
        busy: dict[Connection, tuple[int, Row]] = {}

        def hire(index: int, job: Row) -> None:
            here, there = multiprocessing.Pipe()
            crew[index : index + 1] = [processes.start(_work, (there, device, index))]
            there.close()  # so that the end of either process closes the connection
            give(here, index, job)

        def give(connection: Connection, index: int, job: Row) -> None:
            busy[connection] = index, job
            with contextlib.suppress(OSError):  # it has ended, which shows when it is waited for
                connection.send(job)

        for index, job in enumerate(islice(left, workers)):
            hire(index, job)
        while busy:
            for ready in multiprocessing.connection.wait(list(busy), timeout=report_seconds):
                assert isinstance(ready, Connection)
                index, job = busy.pop(ready)
                if (row := _received(ready)) is None:
                    deaths += 1
                    _check_killed(crew[index], job, deaths)
                    hire(index, job)
                    continue
                keep(row)
                trained, cost, deaths = trained + 1, cost + _cost(job), 0
                if (following := next(left, None)) is not None:
                    give(ready, index, following)
            now = time.monotonic()
            if now - printed >= report_seconds or not busy:
                printed = now
                print(_progress(trained, len(missing), cost / costs, now - began), flush=True)


def _received(connection: Connection) -> Row | None:
    """The row of a job; None where the worker ended before it had sent all of it."""
    try:
        answer = connection.recv()
    except (EOFError, OSError):
        connection.close()
        return None
    if isinstance(answer, Exception):
        raise answer
    row: Row = answer
    return row


def _check_killed(process: SpawnProcess, job: Row, deaths: int) -> None:
    """Raises RuntimeError unless the worker was killed, as where memory runs out, and not often."""
    process.join()
    code = process.exitcode
    if code is None or code >= 0 or deaths > DEATHS:
        raise RuntimeError(
            f"a worker ended while it trained on {job['dataset']} with exit code {code} (its "
            "message, if any, is above); all finished rows are kept, and the same command goes on"
        )
    print(f"a worker was killed (exit code {code}), another takes its place", flush=True)


def _progress(trained: int, asked: int, share: float, elapsed: float) -> str:
    """share: of the arithmetic that is done, a better measure of time than the number of CNNs."""
    line = f"{trained:,} of {asked:,} missing CNNs"
    if trained and elapsed > 0:
        left = timedelta(seconds=math.ceil(elapsed * (1 - share) / share))
        line += f", {trained / elapsed * 3600:,.0f} an hour, {left} left"
    return line


def _work(connection: Connection, device: str, index: int) -> None:
    """Train the jobs that come, until the coordinator is gone."""
    processor = processes.set_up_worker(device, index)
    loaded, data = None, None
    while True:
        try:
            job = connection.recv()
        except (EOFError, ConnectionError):
            return
        answer: Row | ValueError
        try:
            if data is None or _images(job) != loaded:
                data = None  # not two data sets in memory
                loaded = _images(job)
                data = _load(loaded, device)
            answer = _train(job, data, processor, lambda *_: processes.orphaned())
        except ValueError as error:
            answer = error
        if processes.orphaned():
            return  # the training was cut short
        with contextlib.suppress(ConnectionError):
            connection.send(answer)
