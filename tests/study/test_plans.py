"""hia.study.plans: what a plan says, and what follows from it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rows import digits_plan

from hia import datasets, space, trials
from hia.study import plans
from hia.study import run as study

STUDIES = Path(__file__).parents[2] / "studies"


def test_a_plan_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    text = "[datasets.digits]\nmodels = 3\n[datasets.usps]\nmodels = 7\nmax_images = 500\n"
    path.write_text(text)
    plan = plans.load_plan(str(path))
    assert (plan.name, plan.text, plan.models) == ("mine", text, 10)
    assert plan.datasets == ["digits", "usps"]
    known = [(job["dataset"], job.get("images"), job.get("val_images")) for job in plan.jobs]
    assert Counter(known) == {("digits", None, None): 3, ("usps", 400, 100): 7}


def test_a_plan_states_the_scale_and_the_search(tmp_path):
    """The learning rate is at the same place of its range, on the other scale."""
    plan = digits_plan(tmp_path, 20, 'search = "random"\n[space.lr]\nlog = false\n')
    assert {(job["source"], job["lr_scale"]) for job in plan.jobs} == {("random", "linear")}
    low, high = space.SPACE["lr"].bounds
    for job in plan.jobs:
        config = space.validate(plans.random_config("digits", job["trial"]))
        place = np.log(config.pop("lr") / low) / np.log(high / low)  # of 1
        assert job["lr"] == pytest.approx(low + place * (high - low))
        assert config.items() <= job.items()


# Those with most CNNs take seconds; other tests read them.
PLANS = {*STUDIES.glob("*.toml"), *STUDIES.glob("*.csv")}
PLANS -= {STUDIES / "paper.toml", STUDIES / "recorded.toml"}


@pytest.mark.parametrize("path", sorted(PLANS), ids=lambda path: path.stem)
def test_the_plans_of_the_repository_can_be_read(path):
    assert plans.load_plan(path).models > 0


MODELS = "[datasets.digits]\nmodels = 3\n"
BAD_PLANS = {
    "not toml": ("models 3", "not valid TOML"),
    "not text": (f"# \udcff\n{MODELS}", "not valid TOML"),
    "empty": ("", r"must hold tables \[datasets.NAME\] and nothing else"),
    "datasets is no table": ("datasets = 3\n", "must hold tables"),
    "more than data sets": (f"epochs = 3\n{MODELS}", "and nothing else"),
    "unknown data set": ("[datasets.imagenet]\nmodels = 3\n", "imagenet.*known are cifar"),
    "data set is no table": ("[datasets]\ndigits = 3\n", r"\[datasets.digits\]: may hold"),
    "unknown key": (f"{MODELS}images = 2\n", r"digits\]: may hold `models`"),
    "no models": ("[datasets.digits]\nmax_images = 3\n", "models must be a positive integer"),
    "true": ("[datasets.digits]\nmodels = true\n", "positive integer, not True"),
    "a bomb": (f"[datasets.digits]\nmodels = {10**20}\n", "models must be at most 100,000, not"),
    "images": (f"{MODELS}max_images = -1\n", "max_images must be a positive"),
    "search": (f'search = "grid"\n{MODELS}', "search: 'grid' is not one of"),
    "searches": (f"search = []\n{MODELS}", r"search: \[\] is not one of"),
    "space is no table": (f"space = 3\n{MODELS}", "space must hold tables"),
    "unknown name": (f"[space.momentum]\nlog = true\n{MODELS}", r"momentum\].*known are num_"),
    "a range": (f"[space.lr]\nlow = 0.1\n{MODELS}", r"space.lr\]: must hold `log = true` or"),
    "log from 0": (f"[space.dropout_rate]\nlog = true\n{MODELS}", r"rate\]: log = true needs"),
}


@pytest.mark.parametrize(("content", "message"), BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_wrong_plan_is_named_with_its_key(tmp_path, content, message):
    path = tmp_path / "wrong.toml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(plans.PlanError, match=rf"wrong\.toml: .*{message}"):
        plans.load_plan(path)


def test_recorded_trials_of_random_search_are_those_of_their_plan():
    """Their seeds too: they could not be trained again otherwise."""
    plan = plans.load_plan(STUDIES / "recorded.toml")
    assert set(plan.datasets) == set(datasets.NAMES)
    jobs = {(job["dataset"], job["trial"]): job for job in plan.jobs}
    table = trials.load(STUDIES.parent / "data" / "trials.parquet")
    for row in plans.plain(table[table["source"] == "random"].iloc[::10]):
        job = jobs[row["dataset"], row["trial"]]
        known = {name: value for name, value in job.items() if name in {*space.SAMPLED, "seed"}}
        assert known.items() <= row.items()


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
