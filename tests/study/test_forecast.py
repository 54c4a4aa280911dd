"""hia.study.forecast: exact counts, prices that are found again, and the command `hia plan`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hia import cnn, datasets, space, trials
from hia.cli import main
from hia.study import forecast, plans
from hia.study import run as study

STUDIES = Path(__file__).parents[2] / "studies"
CONFIG = {
    "num_conv_layers": 1,
    "lr": 1e-3,
    "dropout_rate": 0.0,
    "optimizer": "SGD",
    "epoch": 2,
    "stride": 1,
    "padding": 0,
    "kernel": 3,
    "num_fc_units": 8,
    "batch_size": 32,
    "num_filters_1": 4,
}
DIGITS = datasets.FACTS["digits"]


def a_plan(text: str, folder: Path) -> plans.Plan:
    path = folder / "plan.toml"
    path.write_text(text)
    return plans.load_plan(path)


def digits(models: int, folder: Path, max_images: int = 200) -> plans.Plan:
    return a_plan(f"[datasets.digits]\nmodels = {models}\nmax_images = {max_images}\n", folder)


def recorded(rows: list[dict]) -> pd.DataFrame:
    """A checked table of trials; what does not matter here is filled in."""
    full = []
    for trial, row in enumerate(rows):
        epochs = row.get("epoch", CONFIG["epoch"])
        filled = dict.fromkeys(space.FILTERS) | CONFIG | {"dataset": "digits", "trial": trial}
        filled |= {"source": "random", "accuracy": 0.5, "accuracy_per_epoch": [0.5] * epochs}
        filled |= {"loss": 1.0, "seconds": 1.0, "cpu_seconds": None}
        filled |= {"parameters": 1, "flops": 1, "seed": 0}
        filled |= {"images": 160, "val_images": 40, "diverged": False, "processor": "a processor"}
        filled |= {"precision": "float32", "lr_scale": "log"} | row
        filled["in_channel_num"] = datasets.FACTS[filled["dataset"]].channels
        full.append(filled)
    return trials.check(pd.DataFrame(full))


def a_calibration(**changes) -> forecast.Calibration:
    """One second per training image and pass, none for anything else."""
    prices = pd.Series(0.0, index=list(forecast.TERMS))
    prices["passes"] = 1.0
    own = {"error": 0.0, "timings": 1, "workers": 1, "device": "cpu", "share": 1.0, "peak": 2**20}
    return forecast.Calibration(prices, **own | changes)


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """No data set has a file here."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("HIA_DATA", str(folder))
    return folder


# Counting -------------------------------------------------------------------------------------


def test_terms_by_hand():
    # 8x8x1, convolved to 6x6x4, pooled to 3x3x4 = 36 features, 8 units, 10 classes.
    taken = forecast.terms(CONFIG, DIGITS, images=100, val_images=25)
    passes = 2 * (3 * 100 + 25)
    steps = 2 * 4  # 32, 32, 32 and 4 images
    parameters = 4 * (9 + 1) + 8 * (36 + 1) + 10 * (8 + 1)
    updates = steps * parameters * 6
    traffic = (64 + 144) + (144 + 36) + (36 + 8) + (8 + 10)
    assert taken == {
        "trainings": 1,
        "steps": steps,
        "updates": updates,
        "passes": passes,
        "pixels": passes * 64,
        "maps": passes * 144,
        "first_flops": passes * 2 * 144 * 9,
        "later_flops": 0,
        "linear_flops": passes * (2 * 36 * 8 + 2 * 8 * 10),
        "epoch": 2,
        "parameters": parameters,
        "flops": passes * (2 * 144 * 9 + 2 * 36 * 8 + 2 * 8 * 10),
        "moved": 4 * (passes * traffic + updates),
    }
    assert set(taken) == {*forecast.TERMS, *forecast.COUNTS}


def test_terms_of_a_second_layer_and_of_adam_by_hand():
    config = CONFIG | {"num_conv_layers": 2, "num_filters_2": 5, "optimizer": "Adam", "epoch": 1}
    taken = forecast.terms(config, DIGITS, images=32, val_images=4)
    # The second convolution makes one pixel of 3x3, which is not pooled.
    parameters = 4 * 10 + 5 * (4 * 9 + 1) + 8 * (5 + 1) + 10 * 9
    traffic = (64 + 144) + (144 + 36) + (36 + 5) + (5 + 8) + (8 + 10)
    assert taken["parameters"] == parameters
    assert taken["updates"] == parameters * 10
    assert taken["later_flops"] == 100 * 2 * 5 * 4 * 9
    assert taken["maps"] == 100 * (144 + 5)
    assert taken["moved"] == 4 * (100 * traffic + parameters * 10)


@pytest.mark.parametrize("name", ["semeion", "emnist", "cifar100", "stl10"])
def test_terms_agree_with_the_network(name):
    facts = datasets.FACTS[name]
    for trial in range(10):
        config = space.validate(plans.random_config(name, trial))
        taken = forecast.terms(config, facts, images=100, val_images=25)
        forward = cnn.flops(config, facts.channels, facts.size, facts.classes)
        assert taken["flops"] == config["epoch"] * 325 * forward
        assert taken["flops"] == sum(
            taken[f"{layer}_flops"] for layer in ("first", "later", "linear")
        )
        network = cnn.CNN(config, facts.channels, facts.size, facts.classes)
        assert taken["parameters"] == sum(weight.numel() for weight in network.parameters())


def test_count_is_exact_for_random_search(tmp_path):
    counted = forecast.count(digits(20, tmp_path))
    assert counted["source"].value_counts().to_dict() == {"random": 14, "bohb": 6}
    random = counted[counted["source"] == "random"]
    assert list(random["trial"]) == [n for n in range(20) if n % 10 < 7]
    assert set(zip(counted["images"], counted["val_images"], strict=True)) == {(160, 40)}
    for row in random.to_dict("records"):
        config = space.validate(plans.random_config("digits", row["trial"]))
        assert row["config"] == config
        taken = forecast.terms(config, DIGITS, 160, 40)
        assert {name: row[name] for name in taken} == taken


def test_bohb_is_assumed_to_cost_what_random_does(tmp_path):
    counted = forecast.count(digits(20, tmp_path)).groupby("source")
    measures = [*forecast.TERMS, *forecast.COUNTS]
    means = counted[measures].mean()
    np.testing.assert_allclose(means.loc["bohb"], means.loc["random"])
    assert (counted[measures].std().loc["bohb"] == 0).all()


def test_a_plan_without_bohb(tmp_path):
    assert list(forecast.count(digits(7, tmp_path))["source"]) == ["random"] * 7


def test_the_paper_scale_plan(empty):
    counted = forecast.count(plans.load_plan(STUDIES / "paper.toml"))
    assert counted["source"].value_counts().to_dict() == {"random": 7805, "bohb": 3345}
    first = counted.groupby("dataset")[["images", "val_images"]].first()
    for name in datasets.NAMES:
        assert first.loc[name].sum() == datasets.FACTS[name].images
    total = forecast.summary(counted).loc[("total", "")]
    assert total["models"] == 11_150
    assert total["steps"] == pytest.approx(counted["steps"].sum())
    assert total["tflops"] == pytest.approx(counted["flops"].sum() / 1e12)
    assert math.isnan(total["images"])


@pytest.mark.parametrize("max_images", [None, 200, 1796])
def test_the_split_is_the_one_that_is_loaded(max_images):
    data = datasets.load("digits", max_images=max_images)
    expected = len(data.train_labels), len(data.val_labels)
    assert forecast.split("digits", plans.Part(1, max_images)) == expected


def test_images_of_the_file_that_is_here(empty):
    part = plans.Part(1, None)
    assert forecast.split("usps", part) == (7438, 1860)
    np.savez(empty / "usps.npz", images=np.zeros((50, 16, 16), "uint8"), labels=np.zeros(50, int))
    assert forecast.split("usps", part) == (40, 10)
    assert forecast.split("usps", part, complete=True) == (7438, 1860)
    with pytest.raises(plans.PlanError, match=r"usps: max_images = 60 asked for, there are 50"):
        forecast.split("usps", plans.Part(1, 60))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"text"])
def test_a_damaged_file(empty, damage):
    (empty / "usps.npz").write_bytes(damage)
    with pytest.raises(datasets.DatasetError, match=r"usps\.npz: cannot be read, damaged\?"):
        forecast.split("usps", plans.Part(1, None))


def test_bytes_are_those_of_the_loaded_data():
    data = datasets.load("digits")
    tensors = (data.train_images, data.train_labels, data.val_images, data.val_labels)
    assert forecast.data_bytes("digits", 1797) == sum(tensor.nbytes for tensor in tensors)


# BOHB -----------------------------------------------------------------------------------------


def a_table() -> pd.DataFrame:
    """BOHB runs 3 times as many epochs as random search on usps, 5 times on mnist; none on svhn."""
    rows = []
    for name, epochs in (("usps", 6), ("mnist", 10)):
        rows += [{"dataset": name}, {"dataset": name}]
        rows += [{"dataset": name, "source": "bohb", "epoch": epochs}]
    return recorded([*rows, {"dataset": "svhn"}])


def test_bohb_ratios():
    ratios = forecast.bohb_ratios(a_table())
    assert set(ratios.index) == {"usps", "mnist"}
    for column in ("epoch", "steps", "updates", "flops", "moved", "passes"):
        assert ratios[column].to_dict() == pytest.approx({"usps": 3, "mnist": 5})
    assert (ratios[["parameters", "trainings"]] == 1).all(axis=None)
    assert ratios["later_flops"].isna().all()  # one layer in all random rows


@pytest.mark.parametrize(("name", "ratio"), [("usps", 5), ("mnist", 3), ("digits", 4)])
def test_a_data_sets_own_outcome_is_left_out(tmp_path, empty, name, ratio):
    plan = a_plan(f"[datasets.{name}]\nmodels = 20\nmax_images = 200\n", tmp_path)
    counted = forecast.count(plan, a_table()).groupby("source")[["epoch", "later_flops"]].mean()
    assert counted.loc["bohb", "epoch"] == pytest.approx(ratio * counted.loc["random", "epoch"])
    assert counted.loc["bohb", "later_flops"] == pytest.approx(counted.loc["random", "later_flops"])


def test_the_outcome_of_recorded_trials_does_not_matter(tmp_path):
    plan = digits(20, tmp_path)
    table = a_table()
    other = recorded([{**row, "seconds": 9.0} for row in table.to_dict("records")])
    expected, changed = forecast.count(plan, table), forecast.count(plan, other)
    pd.testing.assert_frame_equal(expected, changed)


# Prices ---------------------------------------------------------------------------------------


def the_terms(n: int) -> np.ndarray:
    """(n, terms) of random configurations of two data sets, as in a calibration."""
    rows = []
    for trial in range(n):
        name = ("digits", "cifar10")[trial % 2]
        config = space.validate(plans.random_config(name, trial)) | {"epoch": 1}
        taken = forecast.terms(config, datasets.FACTS[name], 256, 64)
        rows.append([taken[name] * (name != "trainings" or trial % 3) for name in forecast.TERMS])
    return np.array(rows, float)


PRICES = np.array([1e-2, 1e-3, 1e-9, 1e-6, 1e-9, 1e-9, 2e-11, 1e-11, 3e-11])


def test_prices_are_found_again():
    x = the_terms(60)
    prices = forecast._prices(x, x @ PRICES)
    assert list(prices.index) == list(forecast.TERMS)
    np.testing.assert_allclose(prices, PRICES, rtol=1e-6)


def test_prices_without_a_term():
    x = the_terms(60)
    x[:, 2] = 0
    prices = forecast._prices(x, x @ PRICES)
    assert prices["updates"] == 0
    np.testing.assert_allclose(x @ prices, x @ PRICES)


def test_noise_does_not_bias_the_sum():
    x = the_terms(400)
    noise = np.random.default_rng(0).gamma(4, 1 / 4, 400)  # mean 1, standard deviation 0.5
    prices = forecast._prices(x, x @ PRICES * noise)
    assert (prices >= 0).all()
    assert (x @ prices).sum() == pytest.approx((x @ PRICES).sum(), rel=0.1)


# Calibration ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_calibrate(tmp_path, workers):
    counted = forecast.count(digits(10, tmp_path))
    calibration = forecast.calibrate(counted, seconds=0.1, workers=workers, device="cpu")
    assert list(calibration.prices.index) == list(forecast.TERMS)
    assert (calibration.prices >= 0).all()
    assert (calibration.seconds(counted) > 0).all()
    assert calibration.timings >= 2 * workers
    assert calibration.timings % 2 == 0
    assert calibration.workers == workers
    assert calibration.error >= 0
    assert calibration.peak > 2**20
    assert calibration.share > 0


def test_a_process_that_fails(tmp_path, capfd):
    counted = forecast.count(digits(2, tmp_path))
    counted["config"] = counted["config"].map(lambda config: config | {"lr": 2.0})
    with pytest.raises(RuntimeError, match="calibration process failed"):
        forecast.calibrate(counted, seconds=0.1, device="cpu")
    assert "lr: 2.0 is not in" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: 0 is not a positive number"),
        ({"seconds": 0}, "calibrate: 0 is not a positive number of seconds"),
        ({"seconds": math.nan}, "calibrate: nan is not"),
        ({"device": "tpu"}, "device: 'tpu' is not one of"),
        ({"precision": "float8"}, "precision: 'float8' is not one of"),
    ],
)
def test_wrong_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        forecast.calibrate(forecast.count(digits(2, tmp_path)), **options)


def test_the_jobs_are_all_of_random_search_and_shapes_take_turns(tmp_path, empty):
    text = "".join(
        f"[datasets.{name}]\nmodels = 20\nmax_images = 500\n" for name in ("usps", "stl10", "mnist")
    )
    counted = forecast.count(a_plan(text, tmp_path))
    largest, jobs = forecast._jobs(counted)
    assert {job.dataset for job in jobs[:3]} == {"usps", "stl10", "mnist"}
    assert [job.dataset for job in jobs[:3]] == [job.dataset for job in jobs[3:6]]
    random = counted[counted["source"] == "random"]
    assert sorted(map(str, random["config"])) == sorted(str(job.config) for job in jobs)
    assert largest[0].config == random.loc[random["parameters"].astype(float).idxmax(), "config"]


# Forecast and fact ----------------------------------------------------------------------------


def test_hours_with_workers(tmp_path, monkeypatch):
    counted = forecast.count(digits(10, tmp_path))
    core_hours = counted["passes"].sum() / 3600
    monkeypatch.setattr(forecast, "_cores", lambda: 2)
    for workers, side_by_side in ((1, 1), (2, 2), (4, 2)):
        hours = a_calibration(workers=workers).hours(counted)
        assert hours == pytest.approx(core_hours / side_by_side)
    assert a_calibration(workers=4, device="cuda").hours(counted) == pytest.approx(core_hours / 4)


def test_gpu_hours_by_hand(monkeypatch):
    monkeypatch.setattr(forecast, "GPU_EFFICIENCY", 0.5)
    monkeypatch.setattr(forecast, "GPU_STEP_SECONDS", 0.25)
    gpu = forecast.Device("a GPU", flops=20.0, bandwidth=2.0)
    # 10 FLOP/s and 1 byte/s are reached: 4 s for the arithmetic of one, 7 s for the bytes of one.
    counted = pd.DataFrame({"flops": [40.0, 10.0], "moved": [2.0, 7.0], "steps": [8, 4]})
    busy, alone = forecast.gpu_hours(counted, gpu)
    assert busy * 3600 == pytest.approx(4 + 7)
    assert alone * 3600 == pytest.approx(4 + 7 + 12 * 0.25)


def test_spread_by_hand():
    def half_random(names):
        rows = [(name, source, 1.0) for name in names for source in trials.SOURCES]
        counted = pd.DataFrame(rows, columns=["dataset", "source", "passes"])
        return counted.assign(**dict.fromkeys(set(forecast.TERMS) - {"passes"}, 0.0))

    only_random = half_random(["usps"]).head(1)
    assert forecast.spread(only_random, a_calibration(error=0.1), None) == pytest.approx(0.2)
    # Half of the time is BOHB's, whose ratio is off by 100 % and known from one data set.
    unknown = forecast.spread(half_random(["usps"]), a_calibration(), None)
    assert unknown == pytest.approx(2 * math.sqrt(0.5**2 + 0.5**2))
    # The table's ratios of 3 and 5 deviate by sqrt(2) from 4.
    two = forecast.spread(half_random(["usps", "mnist"]), a_calibration(error=0.3), a_table())
    relative = math.sqrt(2) / 4
    assert two == pytest.approx(
        2 * math.sqrt(0.3**2 + relative**2 * (2 * 0.25**2 + 0.5**2 / 2)), rel=1e-6
    )


def a_forecast() -> pd.DataFrame:
    key = [("usps", 0), ("usps", 1), ("digits", 0), ("digits", 1)]
    return pd.DataFrame(key, columns=["dataset", "trial"]).assign(
        images=160, val_images=40, seconds=[3600.0, 1800.0, 900.0, 900.0]
    )


def test_compare_by_hand():
    table = recorded(
        [
            {"trial": 0, "seconds": 1800.0},
            {"trial": 1, "seconds": 900.0, "images": 320},  # another study's
            {"dataset": "usps", "trial": 1, "seconds": 3600.0},
            {"dataset": "mnist", "trial": 0, "seconds": 3600.0},  # not in the plan
        ]
    )
    compared = forecast.compare(table, a_forecast(), workers=2)
    assert list(compared.index) == ["usps", "digits", "total"]
    assert list(compared["models"]) == [1, 1, 2]
    assert list(compared["forecast_hours"]) == [0.5, 0.25, 0.75]
    assert list(compared["hours"]) == [1, 0.5, 1.5]
    assert list(compared["forecast_wall_hours"]) == [0.25, 0.125, 0.375]
    assert list(compared["wall_hours"]) == [0.5, 0.25, 0.75]
    assert list(compared["error"]) == [-0.5, -0.5, -0.5]


def test_compare_with_nothing_recorded():
    compared = forecast.compare(recorded([{"dataset": "mnist"}]), a_forecast())
    assert len(compared) == 0
    text = forecast.describe_fact(recorded([{"dataset": "mnist"}]), a_forecast(), 1)
    assert text == "no CNN of this plan is recorded yet"


# hia plan -------------------------------------------------------------------------------------


@pytest.fixture
def calibrated(monkeypatch):
    """No calibration: processes take seconds to start."""

    def calibrate(counted, *, workers, **_):
        return a_calibration(workers=workers)

    monkeypatch.setattr(forecast, "calibrate", calibrate)


@pytest.fixture
def run_plan(tmp_path, monkeypatch, capsys):
    """Run `hia plan` on ten digits CNNs in an empty folder; what it printed."""
    monkeypatch.chdir(tmp_path)
    digits(10, tmp_path)

    def run(*more: str) -> str:
        command = ["plan", "plan.toml", "--calibrate", "0.1", "--device", "cpu", *more]
        assert main(command) == 0
        return capsys.readouterr().out

    return run


def test_plan_before_anything_is_recorded(run_plan, tmp_path):
    printed = run_plan("--to", "forecast.parquet")
    counted = forecast.count(plans.load_plan(tmp_path / "plan.toml"))
    assert re.search(rf"digits\s+random\s+7\s+160\s+40\s+{counted['epoch'][:7].sum():.0f}", printed)
    assert re.search(r"digits\s+200\s+1,797\s+0 MiB", printed)
    assert "assumed to cost what random search does" in printed
    assert re.search(r"cpu, 1 worker: \S+ minutes, range \S+ minutes to \S+ minutes ", printed)
    assert re.search(r"memory of a worker at its peak: \d[\d,]* MiB", printed)
    for gpu in ("RTX 3070 Ti (21.7 TFLOP/s, 608 GB/s)", "H100 SXM (67.0 TFLOP/s, 3,350 GB/s)"):
        assert gpu in printed
    assert f"{forecast.GPU_EFFICIENCY:.0%} of them assumed" in printed
    assert "forecast and fact" not in printed
    assert {path.name for path in tmp_path.iterdir()} == {"plan.toml", "forecast.parquet"}
    kept = pd.read_parquet("forecast.parquet")
    assert list(kept["trial"]) == list(counted["trial"])
    table = recorded([{"trial": trial, "seconds": 2.0} for trial in range(10)])
    assert forecast.compare(table, kept).loc["total", "hours"] == pytest.approx(20 / 3600)


def test_plan_after_recorded_trials(calibrated, run_plan):
    rows = [{"source": plans.source(trial)} for trial in range(10)]
    trials.save(recorded(rows), "trials.parquet")
    printed = run_plan("--trials", "trials.parquet", "--workers", "2")
    # There is no other data set whose ratio could be used.
    assert "FLOPs of a random trial x 1.00 to 1.00, the means of the other recorded" in printed
    assert "forecast and fact, core-hours and hours with 2 workers:" in printed
    assert re.search(r"total\s+10\s+\S+\s+0\.003\s+\S+\s+0\.001\s+[+-]\d+%", printed)
    assert "trained on: a processor" in printed


def test_plan_after_trials_of_another_precision(calibrated, run_plan):
    trials.save(recorded([{"precision": "bf16"}]), "trials.parquet")
    assert "no CNN of this plan is recorded yet" in run_plan("--trials", "trials.parquet")


def test_plan_after_a_study(calibrated, run_plan, tmp_path):
    plan = digits(2, tmp_path)
    storage = study.default_storage(plan)
    assert "forecast and fact" not in run_plan("--storage", storage)  # nothing has finished
    study.run(plan, storage, device="cpu", report_seconds=0.1)
    for options in ([], ["--storage", storage]):
        printed = run_plan(*options)
        assert re.search(r"\n\s*total\s+2 ", printed.split("forecast and fact")[1])


def test_plan_that_cannot_be_forecast(tmp_path, capsys):
    digits(1, tmp_path, max_images=2000)
    assert main(["plan", str(tmp_path / "plan.toml")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "hia plan: digits: max_images = 2,000 asked for, there are 1,797 images"
