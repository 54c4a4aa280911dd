"""Studies of given configurations: which they are, and that they are trained as any study."""

import json
from pathlib import Path
from types import SimpleNamespace

import configurations as given
import pandas as pd
import pytest
from faults import trained

from hia import datasets, space, trainer, trials
from hia.study import plans, processes
from hia.study import run as study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def three() -> pd.DataFrame:
    """A table of three trials, with 160 images for training and 40 for validation."""
    return trials.check(pd.DataFrame([trained(number, 200) for number in (0, 3, 4)]))


def jobs(name: str, table: pd.DataFrame) -> list[dict]:
    return plans.plain(given.configurations(name, table))


@pytest.mark.parametrize("name", trials.TABLES)
def test_recorded_configurations_and_seeds_follow_from_the_recorded_trials(
    monkeypatch, tmp_path, name
):
    complete = {name: range(facts.images) for name, facts in datasets.FACTS.items()}
    monkeypatch.setattr(datasets, "read", lambda name: SimpleNamespace(labels=complete[name]))
    table = given.configurations(name, trials.load(ROOT / "data" / "trials.parquet"))
    table.to_csv(tmp_path / "again.csv", index=False)
    again = trials.read_given(tmp_path / "again.csv")
    kept = trials.read_given(ROOT / "studies" / f"{name}.csv")
    recorded = trials.load(ROOT / "data" / f"{name}.parquet", name)
    pd.testing.assert_frame_equal(kept, recorded[list(kept)], check_exact=True)
    if name == "scaling":  # above the trial's own images it depends on how many are there
        again, kept = (table[table["fraction"] <= 1] for table in (again, kept))
    pd.testing.assert_frame_equal(again, kept, check_exact=True)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (1000, {0.25: 250, 0.5: 500, 1.0: 1000, 2.0: 1437}),  # of digits, 1437 can train
        (1437, {0.25: 359, 0.5: 718, 1.0: 1437}),
    ],
)
def test_scaling_takes_what_there_is(three, images, expected):
    rows = jobs("scaling", three.head(1).assign(images=images))
    assert {job["fraction"]: job["images"] for job in rows} == expected


def test_screening_needs_one_number_of_images(three):
    with pytest.raises(ValueError, match=r"digits: .*\(160, 40, 'float32'\) and \(320, 40, 'fl"):
        jobs("screening", three.assign(images=[160, 160, 320]))


def test_the_precision_is_that_of_the_trials(three):
    for name in trials.TABLES:
        rows = jobs(name, three.assign(precision="bf16"))
        assert {job["precision"] for job in rows} == {"bf16"}
        assert jobs(name, three.head(0)) == []


@pytest.mark.parametrize(("images", "n_val"), [(40, 40), (160, 40), (40, 359), (1437, 360)])
def test_validation_images_are_those_of_the_study(images, n_val):
    """Whatever the number of training images, and of any number of images that gives so many."""
    whole = datasets.load("digits")
    job = {"dataset": "digits", "in_channel_num": 1, "images": images, "val_images": n_val}
    data = processes._load(job, "cpu")
    assert data.val_labels.tolist() == whole.val_labels[:n_val].tolist()
    assert data.train_labels.tolist() == whole.train_labels[:images].tolist()


NAMES = ["replicates", "scaling", "screening"]  # not every processor has bf16, for precision


@pytest.fixture(scope="module")
def recorded(three, tmp_path_factory):
    """The folder of the tables of the three trials, written by the script, trained and exported."""
    folder = tmp_path_factory.mktemp("recorded")
    trials.save(three, folder / "trials.parquet")
    given.main([*NAMES, "--trials", str(folder / "trials.parquet"), "--to", str(folder)])
    for name in NAMES:
        table = pd.read_csv(folder / f"{name}.csv")
        table[table["run" if name == "screening" else "trial"] < 4].to_csv(
            folder / f"{name}.csv", index=False
        )
        plan = plans.load_plan(folder / f"{name}.csv")
        study.run(plan, str(folder / f"{name}.journal"), workers=2, device="cpu")
        study.export(plan, str(folder / f"{name}.journal"), folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_is_trained_once_and_as_the_trainer_does(recorded, three, name):
    wanted = trials.read_given(recorded / f"{name}.csv")
    table = trials.load(recorded / f"{name}.parquet", name)
    pd.testing.assert_frame_equal(table[list(wanted)], wanted, check_exact=True)
    for row in plans.plain(table.iloc[::4]):
        config = {key: row[key] for key in space.SPACE if row[key] is not None}
        data = processes._load(row, "cpu")
        result = trainer.train(config, data, row["seed"], precision=row["precision"])
        assert row["accuracy_per_epoch"] == result.accuracy_per_epoch
    notes = json.loads((recorded / f"{name}.json").read_text())
    assert notes["rows"] == notes["asked"] == len(table)
    assert notes["sessions"][0]["data_sha256"] == {"digits": datasets.read("digits").sha256}
    if name == "scaling":  # the full size is the trial itself
        whole = table[table["fraction"] == 1].set_index("trial")["accuracy"].to_dict()
        assert whole.items() <= three.set_index("trial")["accuracy"].to_dict().items()


def test_what_is_recorded_is_not_trained_again(recorded, tmp_path, capsys):
    plan = plans.load_plan(recorded / "scaling.csv")
    study.run(plan, str(tmp_path / "new.journal"), device="cpu", recorded=recorded)
    assert capsys.readouterr().out.endswith(f"{plan.models} of {plan.models} CNNs\n")
    again = study.export(plan, str(tmp_path / "new.journal"), tmp_path)
    assert plans.plain(again) == plans.plain(trials.load(recorded / "scaling.parquet", "scaling"))


def test_rows_can_be_trained_again(recorded):
    table = trials.load(recorded / "replicates.parquet", "replicates")
    again = study.verify(table, 4, device="cpu", provenance=recorded / "replicates.json")
    assert list(again)[:3] == ["dataset", "trial", "replicate"]
    assert again["exact"].all()
