"""hia.study: seeds, the queue, and studies run, killed, resumed and verified."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import psutil
import pytest
import torch
from faults import connect
from optuna.trial import TrialState

from hia import datasets, space, trainer, trials
from hia.study import plans, processes
from hia.study import run as study
from hia.study.storage import FINISHED, distribution

IMAGES = 200  # 160 for training: a CNN takes some hundredths of a second
STUDIES = Path(__file__).parents[2] / "studies"
HIA = [sys.executable, "-c", "import sys; from hia.cli import main; sys.exit(main())"]
RUNGS = {1, 3, 9, 10}  # Hyperband's budgets for 1 to 10 epochs and eta 3, and all 10


def write_plan(folder: Path, models: int, name: str = "plan") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f"[datasets.digits]\nmodels = {models}\nmax_images = {IMAGES}\n")
    return path


def a_plan(folder: Path, models: int) -> plans.Plan:
    return plans.load_plan(write_plan(folder, models))


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def finished(plan: plans.Plan, storage_url: str) -> list:
    storage = connect(storage_url)
    return [
        trial
        for key in study._studies(plan)
        for trial in study._study(storage, *key).get_trials(states=FINISHED)
    ]


TIMES = ("seconds", "cpu_seconds")


def plain(table: pd.DataFrame, *without: str) -> list[dict]:
    """Rows that compare with ==, missing values and lists included."""
    rows = table.drop(columns=list(without)).to_dict("records")
    return [
        {
            name: list(value)
            if isinstance(value, list | np.ndarray)
            else None
            if pd.isna(value)
            else value
            for name, value in row.items()
        }
        for row in rows
    ]


# Plans ----------------------------------------------------------------------------------------


def test_a_plan_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    text = "[datasets.digits]\nmodels = 3\n[datasets.usps]\nmodels = 7\nmax_images = 500\n"
    path.write_text(text)
    plan = plans.load_plan(str(path))
    assert plan.name == "mine"
    assert plan.parts == {"digits": plans.Part(3, None), "usps": plans.Part(7, 500)}
    assert plan.models == 10
    assert plan.text == text


def test_a_plan_states_the_scale_and_the_search(tmp_path):
    path = tmp_path / "linear.toml"
    path.write_text('search = "random"\n[space.lr]\nlog = false\n[datasets.digits]\nmodels = 20\n')
    plan = plans.load_plan(path)
    assert {plan.source(trial) for trial in range(20)} == {"random"}
    assert plan.lr_scale == "linear"
    low, high = space.SPACE["lr"].bounds
    for trial in range(20):
        ours = plan.random_config("digits", trial)
        theirs = plans.random_config("digits", trial)
        place = np.log(theirs.pop("lr") / low) / np.log(high / low)  # of 1, in its range
        assert ours.pop("lr") == pytest.approx(low + place * (high - low))
        assert ours == theirs
    assert a_plan(tmp_path, 3).lr_scale == "log"


@pytest.mark.slow
def test_a_study_with_another_scale_says_so_and_needs_a_storage_of_its_own(tmp_path):
    text = f"[datasets.digits]\nmodels = 10\nmax_images = {IMAGES}\n"
    plain_path, path = tmp_path / "log.toml", tmp_path / "linear.toml"
    plain_path.write_text(text)
    path.write_text("[space.lr]\nlog = false\n" + text)
    plan, storage = plans.load_plan(path), url(tmp_path / "linear.db")
    study.run(plan, storage, workers=2)
    table = study.export(plan, storage, tmp_path)
    assert set(table["lr_scale"]) == {"linear"}
    assert list(table["source"]) == [plans.source(trial) for trial in range(10)]
    for row in table[table["source"] == "random"].to_dict("records"):
        assert row["lr"] == plan.random_config("digits", row["trial"])["lr"]
    assert (table["lr"] > 1e-3).sum() >= 8  # of a logarithm's, two in five would be
    other = plans.load_plan(plain_path)
    for refused in (study.run, study.export):
        arguments = (tmp_path,) if refused is study.export else ()
        with pytest.raises(plans.PlanError, match=r"lr on a log scale, but .* a linear scale"):
            refused(other, storage, *arguments)
    # Nor are the rows of another scale taken over.
    study.run(
        replace(other, parts={"digits": plans.Part(1, IMAGES)}),
        url(tmp_path / "log.db"),
        recorded=tmp_path,
    )
    taken = study.export(
        replace(other, parts={"digits": plans.Part(1, IMAGES)}),
        url(tmp_path / "log.db"),
        tmp_path / "log",
    )
    assert set(taken["lr_scale"]) == {"log"}


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_plans_of_the_repository_can_be_read(path):
    plan = plans.load_plan(path)
    assert plan.models > 0
    if path.stem in ("first", "paper"):
        assert set(plan.parts) == set(datasets.NAMES)


BAD_PLANS = {
    "not toml": ("models 3", "not valid TOML"),
    "empty": ("", r"must hold tables \[datasets.NAME\] and nothing else"),
    "no data set": ("[datasets]\n", "must hold tables"),
    "datasets is no table": ("datasets = 3\n", "must hold tables"),
    "more than data sets": ("epochs = 3\n[datasets.digits]\nmodels = 3\n", "and nothing else"),
    "unknown data set": ("[datasets.imagenet]\nmodels = 3\n", "imagenet.*unknown.*known are cifar"),
    "data set is no table": ("[datasets]\ndigits = 3\n", r"\[datasets.digits\]: may hold"),
    "unknown key": ("[datasets.digits]\nmodels = 3\nimages = 2\n", r"digits\]: may hold `models`"),
    "no models": ("[datasets.digits]\nmax_images = 3\n", "models must be a positive integer"),
    "zero": ("[datasets.digits]\nmodels = 0\n", "models must be a positive integer, not 0"),
    "true": ("[datasets.digits]\nmodels = true\n", "positive integer, not True"),
    "text": ('[datasets.digits]\nmodels = "3"\n', "positive integer, not '3'"),
    "fraction": ("[datasets.digits]\nmodels = 1.5\n", "positive integer, not 1.5"),
    "images": ("[datasets.digits]\nmodels = 3\nmax_images = -1\n", "max_images must be a positive"),
    "search": ('search = "grid"\n[datasets.digits]\nmodels = 3\n', "search: 'grid' is not one of"),
    "space is no table": ("space = 3\n[datasets.digits]\nmodels = 3\n", "space must hold tables"),
    "unknown hyperparameter": (
        "[space.momentum]\nlog = true\n[datasets.digits]\nmodels = 3\n",
        r"\[space.momentum\]: unknown hyperparameter; known are num_conv_layers, lr",
    ),
    "a range": (
        "[space.lr]\nlow = 0.1\n[datasets.digits]\nmodels = 3\n",
        r"\[space.lr\]: must hold `log = true` or `log = false`",
    ),
    "log is no bool": (
        "[space.lr]\nlog = 1\n[datasets.digits]\nmodels = 3\n",
        r"\[space.lr\]: must hold `log = true` or",
    ),
    "log from 0": (
        "[space.dropout_rate]\nlog = true\n[datasets.digits]\nmodels = 3\n",
        r"\[space.dropout_rate\]: log = true needs a range of positive",
    ),
    "not text": (b"# \xff\xfe\n[datasets.digits]\nmodels = 3\n", "not valid TOML"),
}


@pytest.mark.parametrize(("content", "message"), BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_wrong_plan_is_named_with_its_key(tmp_path, content, message):
    path = tmp_path / "wrong.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(plans.PlanError, match=rf"wrong\.toml: .*{message}"):
        plans.load_plan(path)


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(plans.PlanError, match=r"absent\.toml: there is no such plan"):
        plans.load_plan(tmp_path / "absent.toml")


# What a trial is ------------------------------------------------------------------------------


def test_seven_of_ten_trials_are_random_search():
    kinds = Counter(plans.source(trial) for trial in range(1000))
    assert kinds == {"random": 700, "bohb": 300}
    assert Counter(map(plans.source, range(10))) == {"random": 7, "bohb": 3}
    assert set(kinds) == set(trials.SOURCES)


def test_seeds_are_those_of_the_recorded_rows():
    """Pinned: rows recorded with other seeds could not be trained again."""
    pinned = {
        ("digits", 0): 705152717,
        ("digits", 1): 483300590,
        ("mnist", 0): 1454069473,
        ("usps", 1114): 4024859923,
    }
    assert {key: plans.seed(*key) for key in pinned} == pinned


def test_seeds_differ():
    seeds = [plans.seed(name, trial) for name in datasets.FACTS for trial in range(500)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_random_configurations_are_those_of_the_recorded_rows():
    drawn = plans.random_config("mnist", 3)
    assert drawn.pop("lr") == pytest.approx(0.0036216619126960775, rel=1e-12)
    assert drawn == {
        "num_conv_layers": 3,
        "dropout_rate": 0.3334205309500298,
        "optimizer": "Adam",
        "epoch": 10,
        "stride": 2,
        "padding": 1,
        "kernel": 3,
        "num_fc_units": 116,
        "batch_size": 32,
        "num_filters_1": 54,
        "num_filters_2": 25,
        "num_filters_3": 26,
    }


def test_optuna_knows_the_same_space():
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(50)]
    for name in space.SAMPLED:
        written = distribution(space.SPACE[name])
        assert all(written._contains(written.to_internal_repr(c[name])) for c in drawn)
        if space.SPACE[name].choices is not None:
            assert written.choices == space.SPACE[name].choices
        else:
            assert (written.low, written.high) == space.SPACE[name].bounds
            assert written.log == space.SPACE[name].log


def test_the_processor_is_described_with_its_instructions():
    described = processes.describe_processor("cpu")
    assert described == processes.describe_processor("cpu")
    assert described.endswith(torch.backends.cpu.get_cpu_capability())
    assert "\n" not in described


def test_progress_has_a_rate_and_a_time_left():
    assert study._progress(1000, 1000, 1000, 5.0) == "0 of 1,000 CNNs"
    line = study._progress(1000, 700, 800, 60.0)  # 100 in a minute, 700 to go
    assert line == "300 of 1,000 CNNs, 6,000 an hour, 0:07:00 left"
    assert study._progress(10, 0, 0, 0.1) == "10 of 10 CNNs"


# The queue ------------------------------------------------------------------------------------


def fail_stale_trials(started: optuna.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(started)


@pytest.fixture
def queue(tmp_path):
    """A plan of 40 CNNs and its storage, in which nothing has happened."""
    plan = a_plan(tmp_path, 40)
    return SimpleNamespace(plan=plan, storage=connect(url(tmp_path / "queue.db")))


def fill(queue) -> int:
    """As a coordinator that has just started does."""
    return study._queue(study._ledgers(queue.plan, queue.storage))


def numbers(queue, kind: str, *states: TrialState) -> list[int]:
    found = study._study(queue.storage, "digits", kind).get_trials(states=states or None)
    return [trial.user_attrs["trial"] for trial in found]


def test_the_queue_is_filled_once(queue):
    for _ in range(3):
        assert fill(queue) == 40
        assert numbers(queue, "random") == [n for n in range(40) if n % 10 < 7][: study.QUEUE]
        assert numbers(queue, "bohb") == [n for n in range(40) if n % 10 >= 7][: study.QUEUE]


def test_queued_random_trials_carry_their_configuration(queue):
    fill(queue)
    for trial in study._study(queue.storage, "digits", "random").get_trials():
        fixed = trial.system_attrs["fixed_params"]
        assert fixed == plans.random_config("digits", trial.user_attrs["trial"])


def begin(queue, kind: str, worker: str | None = None) -> int:
    """Take a trial as a worker does; its number."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
        trial = study._study(queue.storage, "digits", kind).ask()
    if worker is not None:
        trial.set_user_attr("worker", worker)
    return trial.user_attrs["trial"]


def test_a_waiting_trial_is_taken_once(queue, tmp_path):
    """Also by workers that ask for it at the same moment, on SQLite."""
    fill(queue)
    waiting = [
        trial._trial_id
        for kind in trials.SOURCES
        for trial in study._study(queue.storage, "digits", kind).get_trials()
    ]
    taken: Counter[int] = Counter()
    together = threading.Barrier(2, timeout=60)

    def take_all() -> None:
        storage = connect(url(tmp_path / "queue.db"))
        for number in waiting:
            together.wait()
            if storage.set_trial_state_values(number, TrialState.RUNNING):
                taken[number] += 1

    threads = [threading.Thread(target=take_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == dict.fromkeys(waiting, 1)
    for kind in trials.SOURCES:
        for trial in study._study(queue.storage, "digits", kind).get_trials():
            assert trial.state == TrialState.RUNNING
            age = datetime.now() - trial.datetime_start
            assert timedelta(0) <= age < timedelta(hours=1)  # in local time, as Optuna has it


@pytest.fixture(params=["gone", "zombie"])
def dead(request):
    """The number of a process that has ended; nobody has asked how, where it is a zombie."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # until it has ended, or is about to
    if request.param == "zombie":
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
    else:
        process.wait()
    yield process.pid
    process.wait()
    process.stdout.close()


def test_what_a_dead_worker_had_begun_is_queued_again(queue, dead):
    fill(queue)
    here = socket.gethostname()
    lost = begin(queue, "random", f"{here}:{dead}")
    kept = {begin(queue, "random", f"{here}:{os.getpid()}"), begin(queue, "random", f"else:{dead}")}
    kept.add(begin(queue, "random"))  # taken by this process
    study._fail_dead(queue.plan, queue.storage)
    assert numbers(queue, "random", TrialState.FAIL) == [lost]
    assert set(numbers(queue, "random", TrialState.RUNNING)) == kept
    fill(queue)
    assert numbers(queue, "random", TrialState.WAITING).count(lost) == 1
    assert not kept & set(numbers(queue, "random", TrialState.WAITING))


@pytest.mark.parametrize("kind", trials.SOURCES)
def test_a_trial_has_its_worker_and_a_heartbeat_from_the_start(monkeypatch, queue, kind):
    """Killed while BOHB still proposes a configuration, a worker must not hold the trial."""
    fill(queue)
    taken = begin(queue, kind)
    started = study._study(queue.storage, "digits", kind)
    (running,) = started.get_trials(states=(TrialState.RUNNING,))
    assert running.user_attrs == {"trial": taken, "worker": f"{socket.gethostname()}:{os.getpid()}"}
    fail_stale_trials(started)
    assert numbers(queue, kind, TrialState.RUNNING) == [taken]
    monkeypatch.setattr(queue.storage, "grace_period", -1)
    fail_stale_trials(started)
    assert numbers(queue, kind, TrialState.FAIL) == [taken]
    fill(queue)
    assert numbers(queue, kind, TrialState.WAITING).count(taken) == 1


def test_a_worker_that_fails_ends_the_study(queue):
    processes = [SimpleNamespace(exitcode=None), SimpleNamespace(exitcode=3)]
    with pytest.raises(RuntimeError, match=r"exit code 3 .* finished trials are kept"):
        study._watch(queue.plan, queue.storage, processes, [], 0)


def test_outside_git_there_is_no_commit(monkeypatch):
    assert processes.commit() is None or len(processes.commit().removesuffix("-dirty")) == 40
    monkeypatch.setenv("PATH", "")
    assert processes.commit() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: 0 is not a positive number"),
        ({"device": "gpu"}, "'gpu' is not one of auto, cpu, cuda"),
    ],
)
def test_wrong_options_are_named_before_anything_is_made(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        study.run(a_plan(tmp_path, 2), url(tmp_path / "study.db"), **options)
    assert not (tmp_path / "study.db").exists()


def test_more_images_than_there_are_is_an_error_before_anything_is_made(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("[datasets.digits]\nmodels = 3\nmax_images = 2000\n")
    with pytest.raises(datasets.DatasetError, match="max_images=2000"):
        study.run(plans.load_plan(path), url(tmp_path / "study.db"))
    assert not (tmp_path / "study.db").exists()


def test_nothing_finished_is_nothing_to_export(queue, tmp_path):
    with pytest.raises(RuntimeError, match="no trial of plan plan has finished yet"):
        study.export(queue.plan, url(tmp_path / "queue.db"), tmp_path / "export")
    assert not (tmp_path / "export").exists()


# A study, from beginning to end ---------------------------------------------------------------


def run_and_export(
    folder: Path, models: int, workers: int, recorded: Path | None = None
) -> SimpleNamespace:
    plan = a_plan(folder, models)
    storage = url(folder / "study.db")
    study.run(plan, storage, workers=workers, device="cpu", recorded=recorded, report_seconds=0.5)
    table = study.export(plan, storage, folder / "export")
    return SimpleNamespace(plan=plan, url=storage, export=folder / "export", table=table)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Ten CNNs, exported."""
    return run_and_export(tmp_path_factory.mktemp("first"), 10, workers=2)


@pytest.fixture(scope="module")
def extended(first, tmp_path_factory):
    """The same study on another machine: from the two files alone, and now of twenty CNNs."""
    folder = tmp_path_factory.mktemp("extended")
    return run_and_export(folder, 20, workers=1, recorded=first.export)


def assert_trained_directly(table: pd.DataFrame) -> None:
    """Random search's rows are what the trainer gives, to the last bit."""
    data = datasets.load("digits", max_images=IMAGES)
    chosen = table[table["source"] == "random"]
    assert len(chosen)
    for row in chosen.to_dict("records"):
        config = plans.random_config("digits", row["trial"])
        result = trainer.train(config, data, plans.seed("digits", row["trial"]))
        for name, value in space.validate(config).items():
            assert row[name] == value
        assert list(row["accuracy_per_epoch"]) == result.accuracy_per_epoch
        assert row["loss"] == result.loss_per_epoch[-1]
        assert (row["parameters"], row["flops"]) == (result.parameters, result.flops)
        assert row["seed"] == plans.seed("digits", row["trial"])


@pytest.mark.slow
def test_a_study_trains_every_cnn_of_its_plan_once(first):
    table = first.table
    assert list(table["trial"]) == list(range(10))
    assert [plans.source(trial) for trial in range(10)] == list(table["source"])
    assert set(table["dataset"]) == {"digits"}
    assert set(table["images"] + table["val_images"]) == {IMAGES}
    assert set(table["processor"]) == {processes.describe_processor("cpu")}
    assert plain(trials.load(first.export / "trials.parquet")) == plain(table)
    assert len(finished(first.plan, first.url)) == 10
    assert sorted(file.name for file in first.export.iterdir()) == [
        "provenance.json",
        "trials.parquet",
    ]


@pytest.mark.slow
def test_export_leaves_a_larger_plan_s_trials_out(first, extended, tmp_path):
    assert len(extended.table) > first.plan.models
    table = study.export(first.plan, extended.url, tmp_path)
    assert list(table["trial"]) == list(range(first.plan.models))


@pytest.mark.slow
def test_random_search_is_the_trainer_on_the_seeded_stream(first):
    assert_trained_directly(first.table)


@pytest.mark.slow
def test_bohb_stops_at_hyperband_s_rungs(extended):
    bohb = extended.table[extended.table["source"] == "bohb"]
    assert len(bohb) == 6
    assert set(bohb["epoch"]) <= RUNGS
    for trial in finished(extended.plan, extended.url):
        row = trial.user_attrs["row"]
        if row["source"] == "bohb":
            assert (trial.state == TrialState.PRUNED) == (row["epoch"] < 10)
            assert list(trial.intermediate_values.values()) == row["accuracy_per_epoch"]
        else:
            assert trial.state == TrialState.COMPLETE


@pytest.mark.slow
def test_provenance_says_what_ran_where(first):
    provenance = json.loads((first.export / "provenance.json").read_text())
    assert provenance["plan"] == "plan"
    assert provenance["plan_text"] == first.plan.text
    assert provenance["rows"] == 10
    assert provenance["rows_per_dataset"] == {"digits": 10}
    assert provenance["rows_per_source"] == {"random": 7, "bohb": 3}
    assert provenance["training_hours"] * 3600 == pytest.approx(first.table["seconds"].sum())
    (session,) = provenance["sessions"]
    assert session["plan"] == "plan"
    assert session["workers"] == 2
    assert session["processor"] == processes.describe_processor("cpu")
    assert session["python"] == platform.python_version()
    assert session["versions"]["torch"] == importlib.metadata.version("torch")
    assert session["data_sha256"] == {"digits": datasets.read("digits").sha256}
    assert session["commit"] == processes.commit()


@pytest.mark.slow
def test_a_finished_study_is_not_trained_again(first, capsys):
    study.run(first.plan, first.url, workers=1, device="cpu")
    assert capsys.readouterr().out == "10 of 10 CNNs\n"
    assert plain(study.export(first.plan, first.url, first.export)) == plain(first.table)


@pytest.mark.slow
def test_a_study_goes_on_from_its_export_alone(first, extended):
    table = extended.table
    assert list(table["trial"]) == list(range(20))
    assert plain(table.head(10)) == plain(first.table)  # the seconds too: nothing ran again
    trained = [
        trial.user_attrs["trial"]
        for trial in finished(extended.plan, extended.url)
        if "worker" in trial.user_attrs
    ]
    assert sorted(trained) == list(range(10, 20))
    assert_trained_directly(table.tail(10))


@pytest.mark.slow
def test_what_was_taken_over_looks_as_if_it_ran_here(first, extended):
    """BOHB learns from it: the same parameters, values and states in Optuna's eyes."""

    def seen(study_) -> dict[int, tuple]:
        return {
            trial.user_attrs["trial"]: (
                trial.state,
                trial.value,
                trial.params,
                trial.distributions,
                trial.intermediate_values if plans.source(trial.user_attrs["trial"]) else None,
            )
            for trial in finished(study_.plan, study_.url)
            if trial.user_attrs["trial"] < 10
        }

    there, here = seen(first), seen(extended)
    for number in range(10):
        values = list(here[number])
        if plans.source(number) == "random":  # reports nothing while it runs
            assert list(values[4].values()) == list(first.table["accuracy_per_epoch"][number])
            assert there[number][4] == {}
            values[4] = {}
        else:  # the epoch is the budget, which is no parameter
            assert "epoch" not in values[2]
        assert tuple(values) == there[number]


@pytest.mark.slow
def test_provenance_keeps_the_sessions_of_before(first, extended):
    (before,) = json.loads((first.export / "provenance.json").read_text())["sessions"][:1]
    sessions = json.loads((extended.export / "provenance.json").read_text())["sessions"]
    assert sessions[0] == before
    assert len(sessions) > 1


def taken_over(plan: plans.Plan, path: Path, recorded: Path) -> list[int]:
    storage = connect(url(path))
    study._take_over(plan, storage, recorded, {"digits": plan.parts["digits"].max_images})
    return sorted(trial.user_attrs["trial"] for trial in finished(plan, url(path)))


@pytest.mark.slow
def test_taking_over_can_be_killed_too(first, monkeypatch, tmp_path):
    """Rows are taken over one by one; what is missing is taken over the next time."""
    convert = study._as_optuna
    left = iter(range(4))

    def killed(plan, row):
        next(left)
        return convert(plan, row)

    monkeypatch.setattr(study, "_as_optuna", killed)
    with pytest.raises(StopIteration):
        taken_over(first.plan, tmp_path / "study.db", first.export)
    monkeypatch.setattr(study, "_as_optuna", convert)
    for _ in range(2):
        assert taken_over(first.plan, tmp_path / "study.db", first.export) == list(range(10))


@pytest.mark.slow
def test_rows_of_other_images_are_not_taken_over(first, tmp_path):
    path = tmp_path / "more.toml"
    path.write_text(f"[datasets.digits]\nmodels = 10\nmax_images = {IMAGES + 50}\n")
    assert taken_over(plans.load_plan(path), tmp_path / "study.db", first.export) == []


# Killed and interrupted -----------------------------------------------------------------------


def start(plan: Path, database: Path) -> subprocess.Popen:
    """`hia study` in a process group of its own."""
    command = [*HIA, "study", str(plan), "--workers", "2", "--device", "cpu"]
    command += ["--storage", url(database), "--recorded", str(plan.parent / "nothing")]
    return subprocess.Popen(
        command,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(process: subprocess.Popen, database: Path, more_than: int) -> None:
    """Until more trials have finished in the storage than so many."""
    query = "select count(*) from trials where state in ('COMPLETE', 'PRUNED')"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with (
            contextlib.suppress(sqlite3.OperationalError),  # not there yet, or locked
            contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection,
        ):
            if connection.execute(query).fetchone()[0] > more_than:
                return
        time.sleep(0.02)
    raise AssertionError("the study does not go on")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_a_killed_and_an_interrupted_study_go_on(extended, tmp_path):
    models = 20
    path, database = write_plan(tmp_path, models), tmp_path / "study.db"
    plan, storage = plans.load_plan(path), url(database)
    done: dict[int, dict] = {}

    for how in (signal.SIGKILL, signal.SIGINT):
        process = start(path, database)
        try:
            wait_for(process, database, more_than=len(done) + 2)
            os.killpg(process.pid, how)
            output, _ = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert "Traceback" not in output
        if how == signal.SIGINT:
            assert process.returncode == 130
            assert "stopped; finished trials are kept" in output
        kept = {t.user_attrs["trial"]: t.user_attrs["row"] for t in finished(plan, storage)}
        assert done.items() <= kept.items()
        assert len(done) < len(kept) < models
        done = kept

    study.run(plan, storage, workers=2, device="cpu", report_seconds=0.5)
    count = Counter(trial.user_attrs["trial"] for trial in finished(plan, storage))
    assert count == dict.fromkeys(range(models), 1)
    table = study.export(plan, storage, tmp_path / "export")
    rows = dict(zip(table["trial"], plain(table), strict=True))
    for number, row in done.items():
        assert rows[number] == row
    undisturbed = extended.table[extended.table["source"] == "random"]
    same = table[table["trial"].isin(undisturbed["trial"])]
    assert plain(same, *TIMES) == plain(undisturbed, *TIMES)
    assert_trained_directly(table)


# Verification ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_verify_reproduces_every_row(extended):
    again = study.verify(extended.table, 20, device="cpu")
    assert list(again["trial"]) == list(range(20))
    assert again["exact"].all()
    assert again["same_processor"].all()
    assert (again["difference"] == 0).all()
    assert list(again["again"]) == list(extended.table["accuracy"])


@pytest.mark.slow
def test_verify_samples_by_its_seed(extended):
    chosen = [
        list(study.verify(extended.table, 3, device="cpu", random_state=seed)["trial"])
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    assert all(len(set(numbers)) == 3 for numbers in chosen)


@pytest.mark.slow
def test_verify_finds_a_changed_accuracy(extended):
    table = extended.table.copy()
    changed = [*table["accuracy_per_epoch"][4][:-1], table["accuracy"][4] + 1 / 40]
    table.at[4, "accuracy_per_epoch"] = changed
    table.loc[4, "accuracy"] = changed[-1]
    again = study.verify(trials.check(table), 20, device="cpu").set_index("trial")
    assert list(again.index[~again["exact"]]) == [4]
    assert again["difference"][4] == pytest.approx(1 / 40)
    assert again["same_processor"].all()


@pytest.mark.slow
def test_verify_finds_a_changed_epoch_in_between(extended):
    table = extended.table.copy()
    number = int(table.index[table["epoch"] > 1][0])
    changed = [0.5123, *table["accuracy_per_epoch"][number][1:]]
    table.at[number, "accuracy_per_epoch"] = changed
    again = study.verify(trials.check(table), 20, device="cpu").set_index("trial")
    assert list(again.index[~again["exact"]]) == [number]
    assert again["difference"][number] == 0


@pytest.mark.slow
@pytest.mark.parametrize("sample", [0, -1])
def test_verify_needs_rows(extended, sample):
    with pytest.raises(ValueError, match=f"sample: {sample} is not a positive number"):
        study.verify(extended.table, sample, device="cpu")
