"""hia.study.plans: what a plan says, and what follows from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rows import digits_plan

from hia import datasets, space
from hia.study import plans
from hia.study import run as study

STUDIES = Path(__file__).parents[2] / "studies"


# Plans ----------------------------------------------------------------------------------------


def test_a_plan_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    text = "[datasets.digits]\nmodels = 3\n[datasets.usps]\nmodels = 7\nmax_images = 500\n"
    path.write_text(text)
    plan = plans.load_plan(str(path))
    assert plan.name == "mine"
    assert plan.datasets == ["digits", "usps"]
    assert Counter(job["dataset"] for job in plan.jobs) == {"digits": 3, "usps": 7}
    assert {(job.get("images"), job.get("val_images")) for job in plan.jobs} == {
        (None, None),
        (400, 100),
    }
    assert plan.models == 10
    assert plan.text == text
    with pytest.raises(plans.PlanError, match=r"absent\.toml: there is no such plan"):
        plans.load_plan(tmp_path / "absent.toml")


def test_a_plan_states_the_scale_and_the_search(tmp_path):
    path = tmp_path / "linear.toml"
    path.write_text('search = "random"\n[space.lr]\nlog = false\n[datasets.digits]\nmodels = 20\n')
    plan = plans.load_plan(path)
    assert {(job["source"], job["lr_scale"]) for job in plan.jobs} == {("random", "linear")}
    low, high = space.SPACE["lr"].bounds
    for job in plan.jobs:
        theirs = plans.random_config("digits", job["trial"])
        ours = {name: value for name, value in job.items() if name in theirs}
        theirs = {name: value for name, value in theirs.items() if ours[name] is not None}
        ours = {name: value for name, value in ours.items() if value is not None}
        place = np.log(theirs.pop("lr") / low) / np.log(high / low)  # of 1, in its range
        assert ours.pop("lr") == pytest.approx(low + place * (high - low))
        assert ours == theirs
    assert {job["lr_scale"] for job in digits_plan(tmp_path, 3).jobs} == {"log"}


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.[ct]*[lv]")), ids=lambda path: path.stem)
def test_the_plans_of_the_repository_can_be_read(path):
    plan = plans.load_plan(path)
    assert plan.models > 0
    if path.stem in ("first", "paper"):
        assert set(plan.datasets) == set(datasets.NAMES)


BAD_PLANS = {
    "not toml": ("models 3", "not valid TOML"),
    "empty": ("", r"must hold tables \[datasets.NAME\] and nothing else"),
    "datasets is no table": ("datasets = 3\n", "must hold tables"),
    "more than data sets": ("epochs = 3\n[datasets.digits]\nmodels = 3\n", "and nothing else"),
    "unknown data set": ("[datasets.imagenet]\nmodels = 3\n", "imagenet.*unknown.*known are cifar"),
    "data set is no table": ("[datasets]\ndigits = 3\n", r"\[datasets.digits\]: may hold"),
    "unknown key": ("[datasets.digits]\nmodels = 3\nimages = 2\n", r"digits\]: may hold `models`"),
    "no models": ("[datasets.digits]\nmax_images = 3\n", "models must be a positive integer"),
    "true": ("[datasets.digits]\nmodels = true\n", "positive integer, not True"),
    "a bomb": (f"[datasets.digits]\nmodels = {10**20}\n", "models must be at most 100,000, not"),
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


# What a trial is ------------------------------------------------------------------------------


def test_seeds_are_those_of_the_recorded_rows():
    """Pinned: rows recorded with other seeds could not be trained again."""
    pinned = {
        ("digits", 0): 705152717,
        ("digits", 1): 483300590,
        ("mnist", 0): 1454069473,
        ("usps", 1114): 4024859923,
    }
    assert {key: plans.seed(*key) for key in pinned} == pinned


def test_progress_has_a_rate_and_a_time_left():
    assert study._progress(1000, 1000, 1000, 5.0) == "0 of 1,000 CNNs"
    line = study._progress(1000, 700, 800, 60.0)  # 100 in a minute, 700 to go
    assert line == "300 of 1,000 CNNs, 6,000 an hour, 0:07:00 left"
    assert study._progress(10, 0, 0, 0.1) == "10 of 10 CNNs"


def test_jobs_are_what_is_known_before_a_training(tmp_path):
    plan = digits_plan(tmp_path, 20)
    random, bohb = plan.series
    assert [*random.jobs, *bohb.jobs] == [str(n) for n in range(20) if n % 10 < 7] + [
        "7", "8", "9", "17", "18", "19"
    ]  # fmt: skip
    job = random.jobs["3"]
    config = space.validate(plans.random_config("digits", 3))
    assert {name: job[name] for name in config} == config
    assert (job["images"], job["val_images"]) == (160, 40)
    assert job["seed"] == plans.seed("digits", 3)
    assert set(bohb.jobs["7"]) == set(job) - set(space.SAMPLED)
    here = {"digits": {"available": 1797, "images_sha256": "abc"}}
    assert plan.on(here).series[0].jobs["3"] == job | {"images_sha256": "abc"}
    with pytest.raises(plans.PlanError, match="digits: 200 images are asked for, there are 150"):
        plan.on({"digits": {"available": 150}})
