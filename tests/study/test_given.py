"""Studies of given configurations: which they are, and that they are trained as any study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faults import trained
from scripts import load_script

from hia import datasets, space, trainer, trials
from hia.study import plans, worker
from hia.study import run as study
from hia_book import screening

given = load_script("configurations")
IMAGES, VAL_IMAGES = 160, 40  # a CNN takes some hundredths of a second


@pytest.fixture(scope="module")
def three() -> pd.DataFrame:
    """A table of three trials."""
    return trials.check(
        pd.DataFrame([trained(number, IMAGES + VAL_IMAGES) for number in (0, 3, 4)])
    )


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


def jobs(name: str, table: pd.DataFrame) -> list[dict]:
    return plans.plain(given.configurations(name, table))


def plain(table: pd.DataFrame, *without: str) -> list[dict]:
    """Rows that compare with ==, missing values and lists included."""
    return plans.plain(table.drop(columns=list(without)))


# What is trained ------------------------------------------------------------------------------


def test_chosen_trials_go_from_the_worst_to_the_best_in_equal_steps(three):
    table = given.choose(many(three, digits=60, usps=40), per_dataset=10)
    assert (table["source"] == "random").all()
    for name, step in (("digits", 0.06), ("usps", 0.04)):
        accuracies = table[table["dataset"] == name]["accuracy"]
        np.testing.assert_allclose(accuracies, step * (np.arange(10) + 0.5))


def test_the_choice_stays_when_the_study_grows(three):
    first = many(three, digits=given.FIRST)
    later = first[first["source"] == "random"].assign(accuracy=lambda rows: 1 - rows["accuracy"])
    later["trial"] += given.FIRST
    grown = pd.concat([first, later])
    assert plain(given.choose(grown)) == plain(given.choose(first))


def test_equal_accuracies_are_ordered_by_trial_and_of_few_all_are_chosen(three):
    table = many(three, digits=40).assign(accuracy=0.1)
    shuffled = table.sample(frac=1, random_state=0)
    assert list(given.choose(shuffled, 4)["trial"]) == [5, 15, 25, 35]
    assert sorted(given.choose(three)["trial"]) == [0, 3, 4]
    assert len(given.choose(three.head(0))) == 0


def test_replicates_differ_from_their_trial_in_nothing_but_the_seed(three):
    found = jobs("replicates", three)
    assert len(found) == 3 * given.REPLICATES
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


def test_screening_is_the_folded_design_on_the_images_of_the_trials(three):
    found = jobs("screening", three)
    assert len(found) == 24 * given.SCREENING_SEEDS
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


def test_the_precision_is_that_of_the_trials_but_where_it_is_the_question(three):
    for name in trials.TABLES:
        for job in jobs(name, three.assign(precision="bf16")):
            assert job["precision"] == "bf16"
        other = {job["precision"] for job in jobs(name, three)}
        assert other == ({"bf16"} if name == "precision" else {"float32"})
    rows = {row["trial"]: row for row in plain(three.assign(precision="bf16"))}
    for job in jobs("precision", three):  # nothing else is changed
        assert job.items() <= rows[job["trial"]].items()


# Images ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "n_val"), [(40, 40), (160, 40), (40, 359), (1437, 360)])
def test_validation_images_are_those_of_the_study(images, n_val):
    """Whatever the number of training images, and of any number of images that gives so many."""
    whole = datasets.load("digits")
    job = {"dataset": "digits", "in_channel_num": 1, "images": images, "val_images": n_val}
    data = worker._load(job, "cpu")
    assert (data.val_labels == whole.val_labels[:n_val]).all()
    assert (data.train_labels == whole.train_labels[:images]).all()
    assert (len(data.val_labels), len(data.train_labels)) == (n_val, images)


# Trained --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(three, tmp_path_factory):
    """The folder of all four tables of the three trials, trained and exported."""
    folder = tmp_path_factory.mktemp("recorded")
    trials.save(three, folder / "trials.parquet")
    for name in trials.TABLES:
        if name == "precision":  # float32 here: not every processor has bf16
            continue
        table = given.configurations(name, three)
        table[table["run"] < 3 if name == "screening" else table["trial"] < 4].to_csv(
            folder / f"{name}.csv", index=False
        )
        plan = plans.load_plan(folder / f"{name}.csv")
        study.run(plan, str(folder / f"{name}.journal"), workers=2, device="cpu")
        study.export(plan, str(folder / f"{name}.journal"), folder)
    return folder


@pytest.mark.parametrize("name", ["replicates", "scaling", "screening"])
def test_every_configuration_is_trained_once_and_as_the_trainer_does(recorded, name):
    wanted = trials.read_given(recorded / f"{name}.csv")
    table = trials.load(recorded / f"{name}.parquet", name)
    pd.testing.assert_frame_equal(table[list(wanted)], wanted, check_exact=True)
    for row in plans.plain(table.iloc[::4]):
        config = {key: row[key] for key in space.SPACE if row[key] is not None}
        data = worker._load(row, "cpu")
        result = trainer.train(config, data, row["seed"], precision=row["precision"])
        assert row["accuracy_per_epoch"] == result.accuracy_per_epoch
    notes = json.loads((recorded / f"{name}.json").read_text())
    assert notes["rows"] == notes["asked"] == len(table)
    assert notes["sessions"][0]["data_sha256"] == {"digits": datasets.read("digits").sha256}


def test_the_full_size_is_the_trial_itself(recorded, three):
    table = trials.load(recorded / "scaling.parquet", "scaling")
    same = table[table["fraction"] == 1].set_index("trial")["accuracy"]
    assert same.to_dict() == three[three["trial"] < 4].set_index("trial")["accuracy"].to_dict()


def test_what_is_recorded_is_not_trained_again(recorded, tmp_path, capsys):
    plan = plans.load_plan(recorded / "scaling.csv")
    study.run(plan, str(tmp_path / "new.journal"), device="cpu", recorded=recorded)
    assert capsys.readouterr().out.endswith(f"{plan.models} of {plan.models} CNNs\n")
    again = study.export(plan, str(tmp_path / "new.journal"), tmp_path)
    assert plain(again) == plain(trials.load(recorded / "scaling.parquet", "scaling"))


def test_rows_can_be_trained_again(recorded):
    table = trials.load(recorded / "replicates.parquet", "replicates")
    again = study.verify(table, 4, device="cpu", provenance=recorded / "replicates.json")
    assert list(again)[:3] == ["dataset", "trial", "replicate"]
    assert again["exact"].all()


def test_the_script_writes_the_tables(recorded, tmp_path, capsys):
    given.main(["scaling", "--trials", str(recorded / "trials.parquet"), "--to", str(tmp_path)])
    assert "scaling.csv: 12 CNNs; `hia study " in capsys.readouterr().out
    assert plans.load_plan(Path(tmp_path, "scaling.csv")).models == 12
