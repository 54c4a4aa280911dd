"""Runs a study: many CNNs on several data sets, on an Optuna storage (Section 4.1).

Each data set and search is one Optuna study. Workers ask it for trials, train, and tell
(`hia.study.processes`); a coordinator has the trials of the dead retried (`hia.study.ledger`).
So a study can be killed at any moment, and the same command goes on; and any number of machines
that reach the storage may run it together.
"""

import contextlib
import json
import math
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

from hia import trainer, trials
from hia.files import write_json
from hia.study import plans, processes
from hia.study.ledger import Ledger, open_study, own_name
from hia.study.plans import Here, Plan, PlanError, Row
from hia.study.storage import ERRORS, Storage, opened, patiently, without_password

# The coordinator pauses twenty times as long as reading the storage takes it, within these bounds.
POLL_SECONDS = (0.2, 5.0)
# Of the accuracy of a CNN that another kind of processor trained; where it differs by more,
# rounding alone has to do as much here.
TOLERANCE = 0.1
DEATHS = 5  # workers killed with no trial finished in between, until the study is given up


def default_storage(plan: Plan) -> str:
    """The journal file of a plan."""
    return str(Path("runs", f"{plan.name}.journal"))


def run(
    plan: Plan,
    url: str,
    *,
    workers: int = 1,
    device: str = "auto",
    recorded: str | os.PathLike[str] | None = None,
    report_seconds: float = 10,
) -> None:
    """Train what is missing of a plan, with `workers` processes on this machine.

    url: of the storage. recorded: the folder of an export. Its rows that the storage does not have
    are taken over first, as far as they are what the plan asks for, so that a study goes on from
    those files alone. Prints progress every `report_seconds`. The same plan may be run by several
    processes, on several machines, at the same time.

    Raises PlanError where the storage or the export holds CNNs of other images, another precision
    or scale, or other kernels; and StorageError or RuntimeError where the storage or a worker
    fails, with all finished trials kept.
    """
    if workers < 1:
        raise ValueError(f"workers: {workers} is not a positive number")
    device = trainer.resolve_device(device)
    here = {name: processes.describe_images(name, device) for name in plan.datasets}
    plan = plan.on(here)
    for precision in {job["precision"] for job in plan.jobs}:
        trainer.check_precision(precision, device)
    if url == default_storage(plan):
        Path(url).parent.mkdir(exist_ok=True)
    with opened(url) as storage:
        # In one order for all plans: of two that begin at once, one gets all that both name.
        series = sorted(plan.series, key=lambda one: one.name)
        ledgers = [Ledger(one, storage) for one in series]
        if recorded is not None:
            _take_over(plan, ledgers, storage, Path(recorded), here)
        who = processes.session(workers, device, here) | {"plan": plan.name}
        name = f"{who['started']} {own_name()}"
        patiently(lambda: open_study(storage).set_user_attr(name, who))
        for ledger in ledgers:
            patiently(ledger.look)
        begin = partial(processes.start, series, url, device)
        crew: list[SpawnProcess] = []
        try:
            for index in range(min(workers, sum(ledger.unfinished for ledger in ledgers))):
                crew.append(begin(index))
            _watch(ledgers, crew, begin, report_seconds)
        finally:
            processes.end(crew)
            with contextlib.suppress(*ERRORS, PlanError):  # the next coordinator sees it, too
                for ledger in ledgers:
                    ledger.look()


def _watch(
    ledgers: Sequence[Ledger],
    crew: list[SpawnProcess],
    begin: Callable[[int], SpawnProcess],
    report_seconds: float,
) -> None:
    """Look after the trials and print progress until everything has finished.

    A worker that was killed, as where memory runs out, is replaced.
    """
    models = sum(len(ledger.series.jobs) for ledger in ledgers)
    at_start = before = sum(ledger.unfinished for ledger in ledgers)
    began, printed, deaths = time.monotonic(), -math.inf, 0
    while True:
        looking = time.monotonic()
        for ledger in ledgers:
            patiently(ledger.look)
        now = time.monotonic()
        unfinished = sum(ledger.unfinished for ledger in ledgers)
        if now - printed >= report_seconds or not unfinished:
            printed = now
            print(_progress(models, unfinished, at_start, now - began), flush=True)
        if not unfinished:
            return
        if unfinished < before:
            before, deaths = unfinished, 0
        for index, process in enumerate(crew):
            if process.exitcode is not None:
                deaths += 1
                if process.exitcode >= 0 or deaths > DEATHS:
                    raise RuntimeError(
                        f"a worker ended with exit code {process.exitcode} (its message, if any, "
                        "is above); all finished trials are kept, and the same command goes on"
                    )
                how = signal.strsignal(-process.exitcode)
                print(f"a worker died ({how}), another takes its place", flush=True)
                crew[index] = begin(index)
        pause = max(20 * (now - looking), POLL_SECONDS[0])
        time.sleep(min(pause, POLL_SECONDS[1], report_seconds))


def _progress(models: int, unfinished: int, at_start: int, elapsed: float) -> str:
    trained = at_start - unfinished
    line = f"{models - unfinished:,} of {models:,} CNNs"
    if trained and elapsed > 0:
        left = timedelta(seconds=round(unfinished * elapsed / trained))
        line += f", {trained / elapsed * 3600:,.0f} an hour, {left} left"
    return line


# --- to an export, and on from one ---------------------------------------------------------------


def export(plan: Plan, url: str, folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Write a plan's finished trials and their provenance into a folder.

    They are `trials.parquet` and `provenance.json`, or called like the table of configurations. An
    earlier export is replaced by one that has all of its CNNs, and by no other.
    Raises RuntimeError where none has finished, and, after the others are written, where some are
    damaged; PlanError where the storage holds trials of another plan, or of several images or
    kernels, and where an earlier export would be lost; and StorageError where it cannot be read.
    """
    with opened(url, create=False) as storage:
        names = optuna.get_all_study_names(storage)
        ledgers = [Ledger(one, storage) for one in plan.series if one.name in names]
        sessions = open_study(storage).user_attrs if "sessions" in names else {}
    for ledger in ledgers:
        ledger.check_images()
    damaged = [reason for ledger in ledgers for reason in ledger.lost]
    table = _checked(plan, [row for one in ledgers for row in one.rows], damaged)
    where = without_password(url)
    if not len(table):
        raise RuntimeError(f"{where}: no trial of plan {plan.name} has finished yet")
    path = Path(folder, f"{plan.table}.parquet")
    _check_kept(path, table)
    trials.write(table, path)
    taken = set()  # data sets, of an export
    for ledger in ledgers:
        if any("worker" not in trial.user_attrs for trial in ledger.trials.values()):
            taken.add(ledger.series.dataset)
    provenance = {
        "plan": plan.name,
        "plan_text": plan.text,
        "rows": len(table),
        "asked": plan.models,
        "training_hours": float(table["seconds"].sum() / 3600),
        "sessions": [_of_rows(key, sessions[key], taken) for key in sorted(sessions)],
    }
    for name in {"dataset", "source"} & {*table}:
        provenance[f"rows_per_{name}"] = table[name].value_counts().to_dict()
    write_json(provenance, notes_path(path))
    if damaged:
        raise RuntimeError(
            f"{where}: {len(damaged):,} finished trials are damaged ({damaged[0]}); the other "
            f"{len(table):,} are written, and `hia study` trains anew what has no row"
        )
    return table


def _check_kept(path: Path, table: pd.DataFrame) -> None:
    """Raise PlanError where a file has CNNs that the table has not."""
    if not path.is_file():
        return
    before = trials.load(path, None)
    names = ["dataset", *trials.key_columns(table), "images", "val_images", "precision", "lr_scale"]
    names = [name for name in names if name in table and name in before]
    lost = len(before) - len(before[names].merge(table[names]))
    if lost > 0:
        raise PlanError(
            f"{path}: has {lost:,} CNNs that would be lost; export to another folder, or remove it"
        )


def notes_path(path: Path) -> Path:
    """Where an export has the provenance of its table."""
    return path.with_name("provenance.json" if path.stem == "trials" else f"{path.stem}.json")


def _checked(plan: Plan, rows: Sequence[Row], damaged: list[str]) -> pd.DataFrame:
    """The table of these rows but for those that are wrong, which are added to `damaged`."""
    # Rows of a time when there was no other scale do not name it.
    frame = pd.DataFrame([{"lr_scale": "log"} | row for row in rows], columns=plan.columns)
    try:
        return trials.check(frame, None)
    except trials.TrialsError:
        right = []
        for number, row in enumerate(rows):
            try:
                trials.check(frame.iloc[[number]], None)
                right.append(number)
            except trials.TrialsError as error:
                damaged.append(f"{row['dataset']}: {error}")
        return trials.check(frame.iloc[right], None)


def _of_rows(key: str, session: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    """A session; one of an export with the images of those data sets alone that rows were taken
    of, for the others can be others here."""
    if "data_sha256" not in session or not key.split()[-1].isdecimal():  # see `_take_over`
        return session
    images = session["data_sha256"]
    return session | {"data_sha256": {name: images[name] for name in images if name in taken}}


def _take_over(
    plan: Plan, ledgers: Sequence[Ledger], storage: Storage, folder: Path, here: Here
) -> None:
    """Put exported rows into the storage: those that it has not, of jobs that the plan asks for."""
    path = folder / f"{plan.table}.parquet"
    if not path.is_file():
        return
    table = trials.load(path, None)
    sessions = read_sessions(notes_path(path))
    wanted: list[tuple[Ledger, Row]] = []
    others: list[str] = []
    for ledger in ledgers:
        name, jobs = ledger.series.dataset, ledger.series.jobs
        for row in plans.plain(table[table["dataset"] == name]):
            key = ledger.series.key_of(row)
            if key not in jobs or key in ledger.trials:
                continue
            if reason := plans.difference(jobs[key], row):
                others.append(f"{name} {key}: {reason}")
            else:
                wanted.append((ledger, row))
    if others:
        print(f"{path}: {len(others):,} rows are not what is asked for ({others[0]})", flush=True)
    if not wanted:
        return
    check_sessions(sessions, here, {row["dataset"] for _, row in wanted}, path)
    print(f"{path}: {len(wanted):,} rows are taken over", flush=True)
    known = open_study(storage).user_attrs.values()
    for number, session in enumerate(sessions):
        if session not in known:
            open_study(storage).set_user_attr(f"{session['started']} {number}", session)
    for ledger, row in wanted:
        patiently(partial(ledger.add, row))
        if not ledger.is_checked:  # whose the storage is
            patiently(ledger.read)


def read_sessions(path: Path) -> list[dict[str, Any]]:
    """The sessions in the provenance of an export, oldest first; none where there is no file."""
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return sorted(content["sessions"], key=lambda session: str(session["started"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the provenance of an export ({error!r})") from error


def check_sessions(
    sessions: Iterable[Mapping[str, Any]], here: Here, names: Iterable[str], what: Path
) -> None:
    """Raises PlanError where rows of these data sets were trained on other images or kernels."""
    for session in sessions:
        kernels = {"kernels": session["kernels"]} if session.get("kernels") else {}
        for name in sorted(names):
            images = session.get("data_sha256", {}).get(name)
            recorded = kernels | ({"images_sha256": images} if images else {})
            if reason := plans.difference(here[name], recorded):
                raise PlanError(
                    f"{what}: the rows of {name} were trained with {reason}, as here; let HIA_DATA "
                    "name those images, or install a C compiler for those kernels, or start "
                    "without these rows, with --recorded and a folder that has none"
                )


# --- trained again -------------------------------------------------------------------------------


def verify(
    table: pd.DataFrame,
    sample: int,
    *,
    device: str = "auto",
    workers: int = 1,
    random_state: int = 0,
    provenance: Path | None = None,
) -> pd.DataFrame:
    """Train a random sample of recorded rows again: a study of given configurations.

    provenance: of the export, whose images and kernels have to be those here.

    Returns one row per CNN: `dataset`, the columns of its key, `recorded` and `again`, the final
    accuracies, `difference`, `same_processor`, and `exact`: every epoch's accuracy is the same to
    the last bit, which is expected where the processor is the same. Other processors round
    otherwise, which an unstable training makes large: a row of theirs that is more than `TOLERANCE`
    apart is trained ten times more, from images changed by rounding alone. `lowest` and `highest`
    are the final accuracies that this processor gave it.
    """
    if sample < 1:
        raise ValueError(f"sample: {sample} is not a positive number")
    device = trainer.resolve_device(device)
    chosen = table.sample(min(sample, len(table)), random_state=random_state).sort_index()
    key = trials.key_columns(chosen)
    plan = plans.given("verify", chosen[trials.given_columns(key)])
    if provenance is not None:
        here = {name: processes.describe_images(name, device) for name in plan.datasets}
        check_sessions(read_sessions(provenance), here, plan.datasets, provenance)
    with tempfile.TemporaryDirectory() as folder:
        url = str(Path(folder, "verify.journal"))
        run(plan, url, workers=workers, device=device)
        again = export(plan, url, folder)
    names = ["dataset", *key]
    both = chosen.merge(again, on=names, suffixes=("", "_again"))
    epochs = zip(both["accuracy_per_epoch"], both["accuracy_per_epoch_again"], strict=True)
    result = both[names].assign(
        recorded=both["accuracy"],
        again=both["accuracy_again"],
        difference=(both["accuracy_again"] - both["accuracy"]).abs(),
        same_processor=both["processor"] == both["processor_again"],
        exact=[list(one) == list(other) for one, other in epochs],
        lowest=both["accuracy_again"],
        highest=both["accuracy_again"],
    )
    apart = ~result["same_processor"] & (result["difference"] > TOLERANCE)
    for index, row in zip(result.index[apart], plans.plain(both[apart]), strict=True):
        accuracies = [result.loc[index, "again"], *processes.train_rounded(row, device)]
        result.loc[index, ["lowest", "highest"]] = min(accuracies), max(accuracies)
    return result
