"""hia.study: studies run, resumed, taken over, exported and verified."""

import contextlib
import dataclasses
import importlib.metadata
import json
import platform
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from faults import undisturbed, without_times
from optuna.trial import TrialState
from rows import digits_plan

from hia import datasets, space, trainer, trials
from hia.cli import main
from hia.study import plans, processes
from hia.study import run as study
from hia.study.ledger import FINISHED, Ledger
from hia.study.storage import StorageError, connect

IMAGES = 200  # 160 for training: a CNN takes some hundredths of a second
RUNGS = {1, 3, 9, 10}  # Hyperband's budgets for 1 to 10 epochs and eta 3, and all 10


def finished(url: str) -> list[optuna.trial.FrozenTrial]:
    storage = connect(url)
    studies = [
        optuna.load_study(study_name=name, storage=storage)
        for name in ("digits/random", "digits/bohb")
    ]
    return [trial for one in studies for trial in one.get_trials(states=FINISHED)]


def number_of(trial: optuna.trial.FrozenTrial) -> int:
    return int(trial.user_attrs["row"]["trial"])


def provenance(one: SimpleNamespace) -> dict:
    return json.loads((one.export / "provenance.json").read_text())


def run_and_export(
    folder: Path, models: int, workers: int = 2, recorded: Path | None = None
) -> SimpleNamespace:
    plan = digits_plan(folder, models)
    url = str(folder / "study.journal")
    study.run(plan, url, workers=workers, device="cpu", recorded=recorded, report_seconds=0.5)
    table = study.export(plan, url, folder / "export")
    return SimpleNamespace(plan=plan, url=url, export=folder / "export", table=table)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Ten CNNs, exported."""
    return run_and_export(tmp_path_factory.mktemp("first"), 10)


@pytest.fixture(scope="module")
def extended(first, tmp_path_factory):
    """The same study on another machine: from the two files alone, and now of twenty CNNs."""
    return run_and_export(tmp_path_factory.mktemp("extended"), 20, recorded=first.export)


def assert_trained_directly(table: pd.DataFrame) -> None:
    """Random search's rows are what the trainer gives, to the last bit."""
    chosen = table[table["source"] == "random"]
    assert len(chosen)
    for row in plans.plain(chosen):
        assert without_times(row) == undisturbed(row["trial"], IMAGES)


# From beginning to end ------------------------------------------------------------------------


def test_a_study_trains_every_cnn_of_its_plan_once(first):
    table = first.table
    assert list(table["trial"]) == list(range(10))
    assert list(table["source"]) == 7 * ["random"] + 3 * ["bohb"]
    assert set(table["images"] + table["val_images"]) == {IMAGES}
    assert set(table["processor"]) == {processes.describe_processor("cpu")}
    assert plans.plain(trials.load(first.export / "trials.parquet")) == plans.plain(table)
    assert sorted(map(number_of, finished(first.url))) == list(range(10))
    files = sorted(file.name for file in first.export.iterdir())
    assert files == ["provenance.json", "trials.parquet"]
    assert_trained_directly(table)


def test_bohb_stops_at_hyperband_s_rungs(extended):
    bohb = extended.table[extended.table["source"] == "bohb"]
    assert len(bohb) == 6
    assert set(bohb["epoch"]) <= RUNGS
    for trial in finished(extended.url):
        row = trial.user_attrs["row"]
        if row["source"] == "bohb":
            assert (trial.state == TrialState.PRUNED) == (row["epoch"] < 10)
            assert list(trial.intermediate_values.values()) == row["accuracy_per_epoch"]
            assert "epoch" not in trial.params
        else:
            assert trial.state == TrialState.COMPLETE


def test_provenance_says_what_ran_where(first):
    notes = provenance(first)
    assert (notes["plan"], notes["plan_text"]) == ("plan", first.plan.text)
    assert (notes["rows"], notes["asked"]) == (10, 10)
    assert notes["rows_per_dataset"] == {"digits": 10}
    assert notes["rows_per_source"] == {"random": 7, "bohb": 3}
    assert notes["training_hours"] * 3600 == pytest.approx(first.table["seconds"].sum())
    (session,) = notes["sessions"]
    assert session["workers"] == 2
    assert session["processor"] == processes.describe_processor("cpu")
    assert session["python"] == platform.python_version()
    assert session["versions"]["torch"] == importlib.metadata.version("torch")
    assert session["data_sha256"] == {"digits": datasets.read("digits").sha256}
    assert session["kernels"] in ("compiled", "pytorch")
    assert session["commit"] == processes.commit()


def test_outside_git_there_is_no_commit(monkeypatch):
    assert processes.commit() is None or len(processes.commit().removesuffix("-dirty")) == 40
    monkeypatch.setenv("PATH", "")
    assert processes.commit() is None


def test_a_finished_study_is_not_trained_again(first, capsys, monkeypatch):
    monkeypatch.setattr(processes, "start", lambda *_: pytest.fail("a worker is started"))
    study.run(first.plan, first.url, workers=1, device="cpu")
    assert capsys.readouterr().out == "10 of 10 CNNs\n"
    assert len(finished(first.url)) == 10


def test_a_study_goes_on_from_its_export_alone(first, extended):
    table = extended.table
    assert list(table["trial"]) == list(range(20))
    # The seconds too: nothing ran again.
    assert plans.plain(table.head(10)) == plans.plain(first.table)
    trained = [number_of(one) for one in finished(extended.url) if "worker" in one.user_attrs]
    assert sorted(trained) == list(range(10, 20))
    assert_trained_directly(table.tail(10))
    before, after = (provenance(one)["sessions"] for one in (first, extended))
    assert before == after[:1]
    assert len(after) == 2


def test_what_was_taken_over_looks_as_if_it_ran_here(first, extended):
    """BOHB learns from it: the same parameters, values and states in Optuna's eyes."""

    def seen(url: str) -> dict[int, tuple]:
        return {
            number_of(one): (
                *(one.state, one.value, one.params, one.distributions),
                one.intermediate_values if plans.source(number_of(one)) == "bohb" else None,
            )
            for one in finished(url)
        }

    there, here = seen(first.url), seen(extended.url)
    assert there == {number: here[number] for number in range(10)}


def test_a_study_is_ranked_in_its_own_storage_as_in_its_export(extended, tmp_path, monkeypatch):
    """Trials of random search have their parameters, so other tools of Optuna's see them, too."""
    monkeypatch.chdir(tmp_path)
    table = extended.table
    table[table["source"] == "random"].to_parquet("random.parquet")
    options = ["--method", "nrrelieff", "--out"]
    of_storage = ["rank", extended.url, "--study", "digits/random", *options, "storage"]
    of_table = ["rank", "random.parquet", "--target", "accuracy", *options, "table"]
    assert main(of_storage) == main(of_table) == 0
    columns = ["hyperparameter", "score", "share", "rank", "trials"]
    storage, exported = (pd.read_csv(f"{name}.csv")[columns] for name in ("storage", "table"))
    pd.testing.assert_frame_equal(storage, exported)


def test_an_export_of_a_storage_writes_nothing_into_it(first, extended, tmp_path):
    before = Path(extended.url).read_bytes()
    table = study.export(first.plan, extended.url, tmp_path)
    assert list(table["trial"]) == list(range(first.plan.models))  # not the larger plan's
    assert Path(extended.url).read_bytes() == before
    with pytest.raises(StorageError, match="there is no such storage"):
        study.export(first.plan, str(tmp_path / "none.journal"), tmp_path)
    assert not (tmp_path / "none.journal").exists()


def test_an_export_replaces_no_export_that_has_more(first, extended, tmp_path):
    file = tmp_path / "trials.parquet"
    file.write_bytes((extended.export / "trials.parquet").read_bytes())
    with pytest.raises(plans.PlanError, match=r"trials\.parquet: has 10 CNNs that would be lost"):
        study.export(first.plan, first.url, tmp_path)
    assert len(trials.load(file)) == 20
    other = extended.table.head(1).assign(images=80)
    trials.save(other, file)
    with pytest.raises(plans.PlanError, match="has 1 CNNs that would be lost"):
        study.export(first.plan, first.url, tmp_path)
    trials.save(extended.table.head(4), file)
    study.export(first.plan, first.url, tmp_path)
    assert len(trials.load(file)) == 10


def test_a_plan_with_a_scale_and_random_search_alone(tmp_path):
    plan = digits_plan(tmp_path, 3, 'search = "random"\n[space.lr]\nlog = false\n')
    study.run(plan, str(tmp_path / "linear.journal"))
    table = study.export(plan, str(tmp_path / "linear.journal"), tmp_path)
    for row in table.to_dict("records"):
        assert (row["lr_scale"], row["source"]) == ("linear", "random")
        assert row["lr"] == plan.series[0].jobs[str(row["trial"])]["lr"]


def test_a_storage_of_sqlite_can_be_exported_and_is_not_trained_on(first, tmp_path):
    """As earlier versions left it: with the numbers of trials in place of keys."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    old = optuna.create_study(storage=url, study_name="digits/random", direction="maximize")
    for row in plans.plain(first.table):
        if row["source"] == "random":
            del row["lr_scale"]
            attributes = {"trial": row["trial"], "row": row}
            old.add_trial(optuna.create_trial(value=row["accuracy"], user_attrs=attributes))
    table = study.export(first.plan, url, tmp_path / "out")
    expected = first.table[first.table["source"] == "random"]
    assert plans.plain(table) == plans.plain(expected)
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as damaged, damaged:
        damaged.execute("update trial_user_attributes set value_json = '{' where trial_id = 3")
    with pytest.raises(RuntimeError, match=r"1 finished trials are damaged .*random trial 2: cann"):
        study.export(first.plan, url, tmp_path / "rest")
    assert len(trials.load(tmp_path / "rest" / "trials.parquet")) == len(expected) - 1
    with pytest.raises(ValueError, match=r"SQLite gives one trial to several workers; name a file"):
        study.run(first.plan, url)


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "images", "message"),
    [
        ("", 150, r"images 160, not 120"),
        ('precision = "bf16"\n', IMAGES, r"precision float32, not bf16"),
        ("[space.lr]\nlog = false\n", IMAGES, r"lr_scale log, not linear"),
    ],
)
def test_another_plan_s_storage_is_refused_with_both_values(
    first, tmp_path, monkeypatch, text, images, message
):
    monkeypatch.setattr(trainer, "check_precision", lambda *_: None)
    other = digits_plan(tmp_path, 10, text, images)
    before = Path(first.url).read_bytes()
    for use in (
        lambda: study.run(other, first.url),
        lambda: study.export(other, first.url, tmp_path),
    ):
        with pytest.raises(plans.PlanError, match=f"holds CNNs of digits with .*{message}"):
            use()
    assert Path(first.url).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("images_sha256", "0" * 64, "images_sha256 [0-9a-f]{64}, not 0{64}"),
        ("kernels", "other", "kernels (compiled|pytorch), not other"),
    ],
)
def test_other_images_and_kernels_are_refused(first, tmp_path, monkeypatch, name, value, message):
    """By the storage, by what is taken over, verified and exported."""
    describe = processes.describe_images
    monkeypatch.setattr(
        processes, "describe_images", lambda *arguments: describe(*arguments) | {name: value}
    )
    with pytest.raises(plans.PlanError, match=f"storage holds CNNs of digits with {message}"):
        study.run(first.plan, first.url, device="cpu")
    new, notes = str(tmp_path / "new.journal"), first.export / "provenance.json"
    for use in (
        lambda: study.run(first.plan, new, device="cpu", recorded=first.export),
        lambda: study.verify(first.table, 2, device="cpu", provenance=notes),
    ):
        with pytest.raises(plans.PlanError, match=f"rows of digits were trained with {message}"):
            use()
    text = Path(first.url).read_text()
    (begins,) = (line for line in text.splitlines() if '"key":"6"' in line)
    ours = json.loads(begins)["user_attrs"]["job"][name]
    (tmp_path / "mixed.journal").write_text(text.replace(begins, begins.replace(ours, value)))
    with pytest.raises(plans.PlanError, match=f"holds CNNs of digits with {name} {value}, not"):
        study.export(first.plan, str(tmp_path / "mixed.journal"), tmp_path)


def test_rows_of_other_images_are_not_taken_over(first, tmp_path, capsys):
    plan = digits_plan(tmp_path, 1, images=IMAGES + 50)
    study.run(plan, str(tmp_path / "study.journal"), device="cpu", recorded=first.export)
    printed = capsys.readouterr().out
    assert "1 rows are not what is asked for (digits 0: images 160, not 200)" in printed
    assert "taken over" not in printed


def test_only_the_images_of_rows_taken_over_are_noted(first, tmp_path):
    """Those of another data set of that recording can be others here."""
    folder = tmp_path / "recorded"
    shutil.copytree(first.export, folder)
    notes = provenance(first)
    notes["sessions"][0]["data_sha256"]["mnist"] = "0"
    (folder / "provenance.json").write_text(json.dumps(notes))
    again = run_and_export(tmp_path, 10, recorded=folder)
    assert list(provenance(again)["sessions"][0]["data_sha256"]) == ["digits"]


def test_two_plans_at_once_do_not_mix(tmp_path):
    """The first to begin a trial has the storage; the other sees it before it trains."""
    url = str(tmp_path / "study.journal")
    plan, other = digits_plan(tmp_path, 5), digits_plan(tmp_path, 5, images=150)
    ours, theirs = (Ledger(one.series[0], connect(url)) for one in (plan, other))
    assert ours.take() is not None
    with pytest.raises(plans.PlanError, match="images 160, not 120"):
        theirs.take()
    # One that had looked before there was anything begins as well.
    says = {"key": "1", "job": theirs.series.jobs["1"], "worker": "elsewhere:1"}
    theirs.study.add_trial(optuna.create_trial(state=TrialState.RUNNING, user_attrs=says))
    ours.study.tell(0, state=TrialState.FAIL)
    study.run(plan, url, device="cpu")
    assert set(study.export(plan, url, tmp_path)["images"]) == {160}
    assert len(finished(url)) == 5


def test_all_plans_begin_with_the_same_data_set(tmp_path, monkeypatch):
    """So that of two that begin at once, in whatever order they name them, one has all of them."""
    monkeypatch.setenv("HIA_DATA", str(tmp_path))
    images = np.random.default_rng(0).integers(0, 256, (50, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "usps.npz", images=images, labels=np.arange(50) % 10)
    text = "search = 'random'\n[datasets.usps]\nmodels = 1\n"
    plan, url = digits_plan(tmp_path, 1, text, 50), str(tmp_path / "study.journal")
    assert plan.datasets == ["usps", "digits"]
    study.run(plan, url, device="cpu")
    ours = [optuna.load_study(study_name=one.name, storage=connect(url)) for one in plan.series]
    usps, digits = (one.trials[0].datetime_start for one in ours if one.trials)
    assert digits < usps


# What is damaged ------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [None, {"accuracy": 0.5}])
def test_a_trial_without_a_row_is_said_and_trained_anew(first, tmp_path, row):
    url = str(tmp_path / "study.journal")
    logs = [json.loads(line) for line in Path(first.url).read_text().splitlines()]
    (log,) = (log for log in logs if log.get("user_attr", {}).get("row", {}).get("trial") == 5)
    log["user_attr"]["row"] = row
    Path(url).write_text("".join(json.dumps(log) + "\n" for log in logs))
    with pytest.raises(RuntimeError, match=r"1 finished trials are damaged \(digits/random 5: no"):
        study.export(first.plan, url, tmp_path)
    assert len(trials.load(tmp_path / "trials.parquet")) == 9
    study.run(first.plan, url, device="cpu")
    assert_trained_directly(study.export(first.plan, url, tmp_path))


def test_a_wrong_row_does_not_keep_the_others_from_being_exported(first, tmp_path):
    url = str(tmp_path / "study.journal")
    text = Path(first.url).read_text()
    Path(url).write_text(text.replace('"batch_size":64', '"batch_size":63'))
    with pytest.raises(RuntimeError, match=r"damaged \(digits/.*: batch_size 63, not 64"):
        study.export(first.plan, url, tmp_path)
    written = trials.load(tmp_path / "trials.parquet")
    assert 0 < len(written) < 10
    assert 64 not in set(written["batch_size"])


def test_nothing_finished_is_nothing_to_export(tmp_path):
    plan = digits_plan(tmp_path, 3)
    Ledger(plan.series[0], connect(str(tmp_path / "study.journal")))
    with pytest.raises(RuntimeError, match="no trial of plan plan has finished yet"):
        study.export(plan, str(tmp_path / "study.journal"), tmp_path / "export")
    assert not (tmp_path / "export").exists()


# Verification ---------------------------------------------------------------------------------


def test_verify_reproduces_every_row_and_finds_what_was_changed(extended):
    table = extended.table.copy()
    again = study.verify(table, 20, device="cpu", workers=2)
    assert list(again["trial"]) == list(range(20))
    assert list(again["again"]) == list(table["accuracy"])
    assert (again["exact"] & again["same_processor"] & (again["difference"] == 0)).all()
    last = int(table.index[table["epoch"] == 1][0])
    before = int(table.index[table["epoch"] > 1][0])
    table.at[last, "accuracy_per_epoch"] = [table["accuracy"][last] + 1 / 40]
    table.loc[last, "accuracy"] += 1 / 40
    table.at[before, "accuracy_per_epoch"] = [0.5123, *table["accuracy_per_epoch"][before][1:]]
    table = trials.check(table.loc[[last, before]])
    again = study.verify(table, 2, device="cpu").set_index("trial")
    assert not again["exact"].any()
    assert again["difference"].to_dict() == pytest.approx({last: 1 / 40, before: 0})


def test_verify_gives_what_rounding_does_to_a_row_that_another_processor_trained(extended):
    """What it does here, with plain calls; a row of this processor, or a near one, needs none."""
    best = extended.table.nlargest(3, "accuracy")
    rows = plans.plain(best)
    for row, shift, processor in zip(rows, (-0.2, -0.2, -0.05), ("a", None, "a"), strict=True):
        row["accuracy"] += shift
        row["accuracy_per_epoch"] = [*row["accuracy_per_epoch"][:-1], row["accuracy"]]
        row["processor"] = processor or row["processor"]
    again = study.verify(trials.check(pd.DataFrame(rows, best.index)), 3, device="cpu")
    again = again.set_index("trial").loc[best["trial"]]
    assert list(again["again"]) == list(best["accuracy"])
    data = datasets.load("digits", max_images=IMAGES, channels=1)
    near_one = np.float32(1) + np.float32([*range(-5, 0), *range(1, 6)]) * np.finfo(np.float32).eps
    first = rows[0]
    rounded = [
        trainer.train(
            {name: first[name] for name in space.SPACE if first.get(name) is not None},
            dataclasses.replace(data, train_images=data.train_images * factor),
            first["seed"],
        ).accuracy
        for factor in near_one.tolist()
    ]
    expected = [*rounded, best["accuracy"].iloc[0]]
    assert list(again["lowest"]) == [min(expected), *best["accuracy"][1:]]
    assert list(again["highest"]) == [max(expected), *best["accuracy"][1:]]
