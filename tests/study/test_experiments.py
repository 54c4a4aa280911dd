"""hia.study.experiments: what is trained, the journal, and recordings that are killed and go on."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from hia import datasets, space, trainer, trials
from hia.cli import main
from hia.study import experiments, plans, processes, records
from hia.study.experiments import Journal, chosen, jobs, record
from hia_book import screening

HIA = [sys.executable, "-c", "import sys; from hia.cli import main; sys.exit(main())"]
IMAGES, VAL_IMAGES = 160, 40  # a CNN takes some hundredths of a second


def trained(number: int) -> dict:
    """A row of random search on digits, trained here."""
    data = datasets.load("digits", max_images=IMAGES + VAL_IMAGES)
    config = space.validate(plans.random_config("digits", number))
    result = trainer.train(config, data, plans.seed("digits", number))
    return {
        **dict.fromkeys(space.FILTERS),
        **config,
        "dataset": "digits",
        "source": "random",
        "trial": number,
        "in_channel_num": 1,
        "accuracy": result.accuracy,
        "accuracy_per_epoch": result.accuracy_per_epoch,
        "loss": result.loss_per_epoch[-1],
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds,
        "parameters": result.parameters,
        "flops": result.flops,
        "images": IMAGES,
        "val_images": VAL_IMAGES,
        "seed": plans.seed("digits", number),
        "diverged": result.diverged,
        "precision": "float32",
        "lr_scale": "log",
        "processor": processes.describe_processor("cpu"),
    }


@pytest.fixture(scope="module")
def three() -> pd.DataFrame:
    """A table of three trials."""
    return trials.check(pd.DataFrame([trained(number) for number in (0, 3, 4)]))


def many(three: pd.DataFrame, **counts: int) -> pd.DataFrame:
    """So many random trials of each data set, with accuracies 0.00, 0.01, ... in mixed order, and
    as many of BOHB."""
    rng = np.random.default_rng(0)
    rows = []
    for name, count in counts.items():
        accuracies = rng.permutation(count) / 100
        for trial, accuracy in enumerate(np.concatenate([accuracies, accuracies])):
            row = three.iloc[trial % 3].to_dict() | {"dataset": name, "trial": trial}
            row |= {"source": "random" if trial < count else "bohb", "accuracy": accuracy}
            row["accuracy_per_epoch"] = [accuracy] * row["epoch"]
            rows.append(row)
    return trials.check(pd.DataFrame(rows))


def plain(table: pd.DataFrame, *without: str) -> list[dict]:
    """Rows that compare with ==, missing values and lists included."""
    return experiments._plain(table.drop(columns=list(without)))


# What is trained ------------------------------------------------------------------------------


def test_chosen_trials_go_from_the_worst_to_the_best_in_equal_steps(three):
    table = chosen(many(three, digits=60, usps=40), per_dataset=10)
    assert (table["source"] == "random").all()
    for name, step in (("digits", 0.06), ("usps", 0.04)):
        accuracies = table[table["dataset"] == name]["accuracy"]
        np.testing.assert_allclose(accuracies, step * (np.arange(10) + 0.5))


def test_the_choice_stays_when_the_study_grows(three):
    first = many(three, digits=experiments.FIRST)
    later = first[first["source"] == "random"].assign(accuracy=lambda rows: 1 - rows["accuracy"])
    later["trial"] += experiments.FIRST
    grown = pd.concat([first, later])
    assert plain(chosen(grown)) == plain(chosen(first))


def test_equal_accuracies_are_ordered_by_trial(three):
    table = many(three, digits=40).assign(accuracy=0.1)
    shuffled = table.sample(frac=1, random_state=0)
    assert list(chosen(shuffled, 4)["trial"]) == [5, 15, 25, 35]


def test_where_there_are_few_all_are_chosen(three):
    assert sorted(chosen(three)["trial"]) == [0, 3, 4]
    assert len(chosen(three.head(0))) == 0


def test_replicates_differ_from_their_trial_in_nothing_but_the_seed(three):
    found = jobs("replicates", three)
    assert len(found) == 3 * experiments.REPLICATES
    seeds = {job["seed"] for job in found}
    assert len(seeds) == len(found)
    assert not seeds & set(three["seed"])
    by_trial = {row["trial"]: row for row in plain(three)}
    for job in found:
        trial = by_trial[job["trial"]]
        assert job.items() - {("replicate", job["replicate"]), ("seed", job["seed"])} == {
            (name, trial[name]) for name in job if name not in ("replicate", "seed")
        }


def test_seeds_are_those_of_the_recorded_rows(three):
    """Pinned: rows recorded with other seeds would be trained again."""
    replicate = next(j for j in jobs("replicates", three) if (j["trial"], j["replicate"]) == (3, 1))
    assert replicate["seed"] == 4067155343
    run = next(j for j in jobs("screening", three) if (j["run"], j["replicate"]) == (5, 2))
    assert run["seed"] == 2923301160


def test_scaling_keeps_the_seed_and_the_validation_images(three):
    found = jobs("scaling", three)
    assert len(found) == 12
    for job in found:
        assert job["images"] == job["fraction"] * IMAGES
        assert job["val_images"] == VAL_IMAGES
        assert job["seed"] == plans.seed("digits", job["trial"])


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (1000, {0.25: 250, 0.5: 500, 1.0: 1000, 2.0: 1437}),  # of digits, 1437 can train
        (1437, {0.25: 359, 0.5: 718, 1.0: 1437}),
    ],
)
def test_scaling_takes_what_there_is(three, images, expected):
    found = jobs("scaling", three.head(1).assign(images=images))
    assert {job["fraction"]: job["images"] for job in found} == expected


def test_all_available_images_can_be_loaded(three):
    found = jobs("scaling", three.head(1).assign(images=1437, val_images=360))
    data = experiments._load(experiments._images(found[-1]), "cpu")
    assert (len(data.train_labels), len(data.val_labels)) == (1437, 360)


def test_screening_is_the_folded_design_on_the_images_of_the_trials(three):
    found = jobs("screening", three)
    assert len(found) == 24 * experiments.SCREENING_SEEDS
    assert len({job["seed"] for job in found}) == len(found)
    configs = screening.configs(screening.design(11))
    for job in found:
        config = {name: job[name] for name in space.SPACE if job[name] is not None}
        assert config == configs[job["run"]]
        assert (job["images"], job["val_images"], job["precision"]) == (160, 40, "float32")
    assert {job["in_channel_num"] for job in found} == {1, 3}


def test_screening_needs_one_number_of_images(three):
    table = three.assign(images=[160, 160, 320])
    message = r"digits: the trials differ in images, .* \(160, 40, 'float32'\) and \(320, 40, 'fl"
    with pytest.raises(ValueError, match=message):
        jobs("screening", table)


@pytest.mark.parametrize("name", experiments.NAMES)
def test_jobs_are_the_beginnings_of_rows(three, name):
    later = {
        "accuracy",
        "accuracy_per_epoch",
        "loss",
        "seconds",
        "cpu_seconds",
        "parameters",
        "flops",
    }
    later |= {"diverged", "processor"}
    for job in jobs(name, three):
        assert set(job) == set(records.TABLES[name].columns) - later
        assert job == json.loads(json.dumps(job))


@pytest.mark.parametrize("name", experiments.NAMES)
def test_jobs_on_the_same_images_follow_each_other(three, name):
    found = jobs(name, many(three, digits=20, usps=20) if name != "scaling" else three)
    groups = [images for images, _ in itertools.groupby(found, key=experiments._images)]
    assert len(groups) == len(set(groups))


def test_the_precision_is_that_of_the_trials_but_where_it_is_the_question(three):
    for name in experiments.NAMES:
        for job in jobs(name, three.assign(precision="bf16")):
            assert job["precision"] == "bf16"
        other = {job["precision"] for job in jobs(name, three)}
        assert other == ({"bf16"} if name == "precision" else {"float32"})


def test_precision_trains_the_chosen_trials_with_nothing_else_changed(three):
    found = jobs("precision", three)
    changed = three.assign(precision="bf16").sort_values("trial")
    for job, row in zip(sorted(found, key=lambda job: job["trial"]), plain(changed), strict=True):
        assert job == {name: row[name] for name in job}


def test_an_unknown_experiment_is_named(three):
    with pytest.raises(ValueError, match="unknown experiment 'noise'; known are replicates, sc"):
        jobs("noise", three)


# Images ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_val", [1, 2, 40, 359, 360])
def test_validation_images_are_those_of_the_study(n_val):
    """Whatever the number of training images, and of any number of images that gives so many."""
    whole = datasets.load("digits")
    some = min(40, 5 * n_val)
    if n_val < 10:  # too few for ten classes
        with pytest.raises(datasets.DatasetError):
            experiments._load(("digits", 1, some, n_val), "cpu")
        return
    data = experiments._load(("digits", 1, some, n_val), "cpu")
    assert len(data.val_labels) == n_val
    assert (data.val_labels == whole.val_labels[:n_val]).all()
    assert (data.train_labels == whole.train_labels[:some]).all()


def test_a_trial_s_images_are_loaded_as_the_study_does(three):
    study_s = datasets.load("digits", max_images=IMAGES + VAL_IMAGES)
    job = jobs("replicates", three)[0]
    data = experiments._load(experiments._images(job), "cpu")
    for part in ("train_images", "train_labels", "val_images", "val_labels"):
        assert (getattr(data, part) == getattr(study_s, part)).all()


# The journal ----------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "runs" / "journal.jsonl")


def test_what_is_appended_is_read(journal):
    assert journal.read("row") == []
    journal.append("session", {"started": "now"})
    journal.append("row", {"lr": 0.1 + 0.2, "loss": None, "name": "é\n"})
    journal.append("row", {"lr": 1e-320, "accuracy_per_epoch": [1 / 3, 0.5]})
    assert journal.read("row") == [
        {"lr": 0.1 + 0.2, "loss": None, "name": "é\n"},
        {"lr": 1e-320, "accuracy_per_epoch": [1 / 3, 0.5]},
    ]
    assert journal.read("session") == [{"started": "now"}]
    assert len(journal.path.read_bytes().splitlines()) == 3


def test_a_line_cut_short_anywhere_is_not_read_and_the_next_is(journal):
    journal.append("row", {"n": 1})
    before = journal.path.read_bytes()
    journal.append("row", {"n": 2, "name": "é"})
    both = journal.path.read_bytes()
    for length in range(len(before), len(both)):
        journal.path.write_bytes(both[:length])
        whole = length == len(both) - 1  # all but the end of the line
        assert journal.read("row")[1:] == [{"n": 2, "name": "é"}] * whole
        journal.append("row", {"n": 3})
        assert journal.read("row")[0] == {"n": 1}
        assert journal.read("row")[-1] == {"n": 3}
        assert len(journal.read("row")) == 2 + whole


def test_what_is_appended_is_on_the_disk(journal, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(os.fstat(file).st_size) or fsync(file)
    )
    journal.append("row", {"n": 1})
    assert synced == [journal.path.stat().st_size]


def test_infinite_numbers_do_not_get_into_the_journal(journal):
    with pytest.raises(ValueError, match="JSON"):
        journal.append("row", {"loss": float("nan")})
    assert journal.read("row") == []


# Recording ------------------------------------------------------------------------------------


def record_here(name: str, table: pd.DataFrame, folder: Path, **options) -> pd.DataFrame:
    options = {"workers": 2, "device": "cpu", "report_seconds": 0.5} | options
    return record(name, table, folder, folder / "journal.jsonl", **options)


@pytest.fixture(scope="module")
def recording(three, tmp_path_factory):
    """An experiment's name, folder and table, by its name; each is recorded once."""

    @functools.cache
    def one(name: str) -> tuple[str, Path, pd.DataFrame]:
        folder = tmp_path_factory.mktemp(name)
        return name, folder, record_here(name, three, folder)

    return one


@pytest.fixture(params=experiments.NAMES)
def recorded(request, recording):
    if request.param == "precision" and not trainer._has_bf16("cpu"):
        pytest.skip("this processor has no instructions for bf16")
    return recording(request.param)


def assert_trained_directly(name: str, table: pd.DataFrame) -> None:
    """Every row is what the trainer gives, to the last bit."""
    for row in plain(table):
        data = datasets.load(
            "digits",
            max_images=5 * row["val_images"],
            n_train=row["images"],
            channels=row["in_channel_num"],
        )
        config = {key: row[key] for key in space.SPACE if row[key] is not None}
        result = trainer.train(config, data, row["seed"], precision=row["precision"])
        assert row["accuracy_per_epoch"] == result.accuracy_per_epoch
        assert row["loss"] == result.loss_per_epoch[-1]
        assert (row["parameters"], row["flops"]) == (result.parameters, result.flops)


@pytest.mark.slow
def test_every_job_is_trained_once(recorded, three):
    name, folder, table = recorded
    asked = jobs(name, three)
    assert len(table) == len(asked) == len(Journal(folder / "journal.jsonl").read("row"))
    assert plain(records.load(name, folder / f"{name}.parquet")) == plain(table)
    rows = {experiments._key(name, row): row for row in plain(table)}
    for job in asked:
        assert job.items() <= {k: v for k, v in rows[experiments._key(name, job)].items()
                               if not isinstance(v, list)}.items()  # fmt: skip
    assert set(table["processor"]) == {processes.describe_processor("cpu")}
    assert_trained_directly(name, table)


@pytest.mark.slow
def test_the_full_size_is_the_trial_itself(recording, three):
    _, _, table = recording("scaling")
    full = table[table["fraction"] == 1]
    assert [list(one) for one in full["accuracy_per_epoch"]] == [
        list(one) for one in three["accuracy_per_epoch"]
    ]


@pytest.mark.slow
def test_a_recorded_screening_can_be_analysed(recording):
    _, _, table = recording("screening")
    screened = screening.screen(table)
    assert list(screened.index.unique("hyperparameter")) == list(space.HYPERPARAMETERS)
    assert screened["variance"].sum() <= 1


@pytest.mark.slow
def test_provenance_says_what_ran_where(recorded):
    name, folder, table = recorded
    provenance = json.loads((folder / f"{name}.json").read_text())
    assert provenance["rows"] == provenance["asked"] == len(table)
    assert provenance["rows_per_dataset"] == {"digits": len(table)}
    assert provenance["training_hours"] * 3600 == pytest.approx(table["seconds"].sum())
    (session,) = provenance["sessions"]
    assert session["workers"] == 2
    assert session["data_sha256"] == {"digits": datasets.read("digits").sha256}
    assert set(session["versions"]) == set(processes.PACKAGES)


@pytest.mark.slow
def test_what_is_recorded_is_not_trained_again(recorded, three, capsys, tmp_path):
    name, folder, table = recorded
    again = record_here(name, three, folder)
    assert capsys.readouterr().out == f"{len(table)} of {len(table)} CNNs are there\n"
    assert plain(again) == plain(table)  # the seconds too
    # From the Parquet file alone, whose provenance stays.
    (tmp_path / f"{name}.parquet").write_bytes((folder / f"{name}.parquet").read_bytes())
    (tmp_path / f"{name}.json").write_bytes((folder / f"{name}.json").read_bytes())
    assert plain(record_here(name, three, tmp_path)) == plain(table)
    assert (tmp_path / f"{name}.json").read_text() == (folder / f"{name}.json").read_text()


@pytest.mark.slow
def test_every_row_can_be_trained_again(recorded):
    name, _, table = recorded
    again = experiments.verify(name, table, 3, device="cpu", random_state=1)
    assert len(again) == 3
    assert again["exact"].all()
    assert again["same_processor"].all()
    assert (again["difference"] == 0).all()
    key = ["dataset", *records.TABLES[name].key]
    assert again.set_index(key).index.isin(table.set_index(key).index).all()


@pytest.mark.slow
def test_a_changed_row_is_found(recorded):
    name, _, table = recorded
    changed = table.assign(seed=table["seed"] + 1, processor="another")
    again = experiments.verify(name, changed, len(table), device="cpu")
    assert not again["exact"].all()
    assert not again["same_processor"].any()


@pytest.mark.slow
def test_rows_of_other_jobs_are_left_out_and_trained_anew(recording, three, tmp_path):
    """As after the study was recorded again: a row counts only if its whole job is the same."""
    name, folder, table = recording("scaling")
    journal = Journal(tmp_path / "journal.jsonl")
    rows = Journal(folder / "journal.jsonl").read("row")
    for number, row in enumerate(rows):
        changes = [{"lr": row["lr"] / 2}, {"images": 123}, {"seed": 7}, {"dataset": "usps"}]
        journal.append("row", row | (changes[number] if number < len(changes) else {}))
    again = record_here(name, three, tmp_path)
    assert plain(again, "seconds", "cpu_seconds") == plain(table, "seconds", "cpu_seconds")
    assert len(journal.read("row")) == len(rows) + 4


def test_part_of_an_experiment_is_written_without_training(three, tmp_path, capsys):
    with pytest.raises(RuntimeError, match="no CNN of scaling has been trained yet"):
        record_here("scaling", three, tmp_path, workers=0)
    assert list(tmp_path.iterdir()) == []
    asked = jobs("scaling", three)
    data = experiments._load(experiments._images(asked[0]), "cpu")
    Journal(tmp_path / "journal.jsonl").append("row", experiments._train(asked[0], data, "a cpu"))
    capsys.readouterr()
    table = record_here("scaling", three, tmp_path, workers=0)
    assert capsys.readouterr().out == "1 of 12 CNNs are there\n"
    assert len(table) == 1
    assert table["processor"][0] == "a cpu"
    provenance = json.loads((tmp_path / "scaling.json").read_text())
    assert (provenance["rows"], provenance["asked"], provenance["sessions"]) == (1, 12, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "workers: -1 is negative"),
        ({"device": "gpu"}, "'gpu' is not one of auto, cpu, cuda"),
    ],
)
def test_wrong_options_are_named_before_anything_is_made(three, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        record_here("scaling", three, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_table_is_not_recorded_over(three, tmp_path):
    (tmp_path / "scaling.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(trials.TrialsError, match=r"scaling\.parquet: not a readable Parquet"):
        record_here("scaling", three, tmp_path)


@pytest.mark.slow
def test_what_a_worker_cannot_load_is_said(three, tmp_path):
    with pytest.raises(datasets.DatasetError, match="digits: n_train=5000 asked for"):
        record_here("replicates", three.assign(images=5000), tmp_path)


@pytest.mark.slow
def test_a_worker_that_breaks_ends_the_recording(three, tmp_path, capfd):
    """Whatever it breaks by; its own message is on standard error."""
    job = jobs("replicates", three)[0] | {"seed": None}
    kept: list[dict] = []
    with pytest.raises(RuntimeError, match=r"a worker ended while it trained on digits .* same co"):
        experiments._run([job], 1, "cpu", kept.append, 10)
    assert kept == []
    assert "Traceback" in capfd.readouterr().err


def test_progress_has_a_rate_and_a_time_left():
    assert experiments._progress(0, 60, 0.0, 5.0) == "0 of 60 missing CNNs"
    line = experiments._progress(20, 60, 0.5, 60.0)  # the cheap half has yet to come
    assert line == "20 of 60 missing CNNs, 1,200 an hour, 0:01:00 left"


def test_the_time_left_goes_by_the_arithmetic(three):
    """Twice the images or epochs cost twice as much."""
    job = jobs("scaling", three)[0]
    assert experiments._cost(job | {"images": 2 * job["images"]}) == 2 * experiments._cost(job)
    assert experiments._cost(job | {"epoch": 2 * job["epoch"]}) == 2 * experiments._cost(job)


# Killed and interrupted -----------------------------------------------------------------------


def start(folder: Path) -> subprocess.Popen:
    """`hia record screening` in a process group of its own."""
    command = [*HIA, "record", "screening", "--workers", "2", "--device", "cpu"]
    command += ["--trials", str(folder / "trials.parquet"), "--to", str(folder)]
    return subprocess.Popen(
        [*command, "--journal", str(folder / "journal.jsonl")],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(process: subprocess.Popen, journal: Journal, more_than: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        if len(journal.read("row")) > more_than:
            return
        time.sleep(0.02)
    raise AssertionError("the recording does not go on")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_killed_workers_are_replaced_and_nothing_is_lost_or_doubled(three, tmp_path):
    trials.save(three, tmp_path / "trials.parquet")
    journal = Journal(tmp_path / "journal.jsonl")
    process = start(tmp_path)
    killed = set()
    try:
        for number in range(4):
            wait_for(process, journal, more_than=8 * number)
            for worker in psutil.Process(process.pid).children():
                if worker.pid not in killed and "spawn_main" in " ".join(worker.cmdline()):
                    killed.add(worker.pid)
                    worker.kill()
                    break
        output, _ = process.communicate(timeout=300)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
    assert output.count("a worker was killed (exit code -9), another takes its place") == 4
    rows = journal.read("row")
    assert len({experiments._key("screening", row) for row in rows}) == len(rows) == 72
    assert_trained_directly("screening", records.load("screening", tmp_path / "screening.parquet"))


def kill_itself(connection, device: str, index: int) -> None:
    """In place of a worker, one that begins to answer."""
    connection.recv()
    os.write(connection.fileno(), b"\0\0\1\0and no more")  # of 256 bytes
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_workers_that_are_killed_again_and_again_end_the_recording(three, monkeypatch, capsys):
    monkeypatch.setattr(experiments, "_work", kill_itself)
    monkeypatch.setattr(experiments, "DEATHS", 2)
    kept: list[dict] = []
    with pytest.raises(RuntimeError, match=r"trained on digits with exit code -9 .* same command"):
        experiments._run(jobs("replicates", three)[:1], 2, "cpu", kept.append, 10)
    assert kept == []
    assert capsys.readouterr().out.count("another takes its place") == 2


def ended(workers: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(workers, timeout=60)[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_a_killed_and_an_interrupted_recording_go_on(three, tmp_path):
    trials.save(three, tmp_path / "trials.parquet")
    journal = Journal(tmp_path / "journal.jsonl")
    path = tmp_path / "screening.parquet"
    done: dict[tuple, dict] = {}
    for how in ("the coordinator is killed", "all are killed", "Ctrl-C"):
        process = start(tmp_path)
        try:
            wait_for(process, journal, more_than=len(done) + 2)
            workers = psutil.Process(process.pid).children(recursive=True)
            if how == "the coordinator is killed":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGINT if how == "Ctrl-C" else signal.SIGKILL)
            output, _ = process.communicate(timeout=60)
            assert ended(workers)  # also those that nobody killed
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert "Traceback" not in output
        kept = {experiments._key("screening", row): row for row in journal.read("row")}
        assert done.items() <= kept.items()
        assert len(done) < len(kept) < 72
        done = kept
        if how == "Ctrl-C":
            assert process.returncode == 130
            assert "stopped; finished trials are kept" in output
            assert len(records.load("screening", path)) == len(done)
        else:
            assert not path.exists()

    table = record_here("screening", three, tmp_path)
    assert len(table) == len(journal.read("row")) == 72  # none was trained twice
    rows = {experiments._key("screening", row): row for row in plain(table)}
    assert all(rows[key] == row for key, row in done.items())
    assert_trained_directly("screening", table)
    assert len(json.loads((tmp_path / "screening.json").read_text())["sessions"]) == 4


# The command ----------------------------------------------------------------------------------


@pytest.fixture
def handlers():
    """`hia record` sets handlers; the test run's own are put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
def test_the_command_records_and_verifies(three, tmp_path, monkeypatch, capsys, handlers):
    monkeypatch.chdir(tmp_path)
    trials.save(three, "data/trials.parquet")
    assert main(["record", "scaling", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^digits +12$", printed, re.MULTILINE)
    assert printed.endswith("12 rows written to data/scaling.parquet\n")
    assert sorted(str(path) for path in Path().rglob("scaling.*")) == [
        "data/scaling.json",
        "data/scaling.parquet",
        "runs/scaling.jsonl",
    ]
    assert main(["record", "scaling", "--verify", "3", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "3 of 3 rows reproduced to the last bit" in printed
    assert printed.endswith("\nverified\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scaling"], r"trials\.parquet: there is no table of trials"),
        (["scaling", "--verify", "3"], r"scaling\.parquet: there is no such table"),
    ],
)
def test_errors_are_one_line(tmp_path, monkeypatch, capsys, handlers, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["record", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(rf"hia record: .*{message}", line)


@pytest.mark.parametrize("arguments", [[], ["noise"], ["scaling", "--workers", "x"]])
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        main(["record", *arguments])
    assert end.value.code == 2
    assert "usage: hia record" in capsys.readouterr().err
