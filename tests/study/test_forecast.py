"""hia.study.forecast: exact counts, prices that are found again, and the command `hia plan`."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rows

from hia import cnn, datasets, space, trials
from hia.cli import main
from hia.study import forecast, plans
from hia.study import run as study

STUDIES = Path(__file__).parents[2] / "studies"
CONFIG = rows.CONFIG | {"num_conv_layers": 1, "num_filters_1": 4, "num_fc_units": 8}
CONFIG |= {"padding": 0, "epoch": 2}
UNKNOWN = pd.DataFrame(columns=forecast.COUNTS, dtype=float)


def terms(config: dict, name: str, images: int, val_images: int) -> dict[str, float]:
    """Of a training on so many images of a data set."""
    job = {"dataset": name, "in_channel_num": datasets.FACTS[name].channels}
    return forecast.terms(config | job | {"images": images, "val_images": val_images})


def count(plan: plans.Plan, ratios: pd.DataFrame | None = None) -> pd.DataFrame:
    here = forecast.here(plan)
    return forecast.count(plan.on(here), UNKNOWN if ratios is None else ratios)


def recorded(given: list[dict]) -> pd.DataFrame:
    """A checked table of trials; what does not matter here is filled in."""
    rng = np.random.default_rng(0)
    full = []
    for trial, own in enumerate(given):
        values = {"dataset": "digits", "trial": trial, "seconds": 3600.0, "cpu_seconds": None} | own
        values["seed"] = plans.seed(values["dataset"], values["trial"])
        values["in_channel_num"] = datasets.FACTS[values["dataset"]].channels
        full.append(rows.row(rng, CONFIG, **values))
    return trials.check(pd.DataFrame(full))


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """No data set has a file here."""
    monkeypatch.setenv("HIA_DATA", str(tmp_path))
    return tmp_path


def test_terms_by_hand_and_parameters_by_the_networks():
    # 8x8x1, convolved to 6x6x4, pooled to 3x3x4 = 36 features, 8 units, 10 classes.
    passes, steps = 2 * (3 * 100 + 25), 2 * 4  # of 32, 32, 32 and 4 images
    parameters = 4 * (9 + 1) + 8 * (36 + 1) + 10 * (8 + 1)
    assert terms(CONFIG, "digits", 100, 25) == {
        "steps": steps,
        "weights": steps * parameters,
        "maps": passes * ((64 + 144) + (144 + 36) + (36 + 8) + (8 + 10)),
        "flops": passes * (2 * 144 * 9 + 2 * 36 * 8 + 2 * 8 * 10),
        "epoch": 2,
        "parameters": parameters,
    }
    for name, facts in datasets.FACTS.items():
        config = space.validate(plans.random_config(name, 0))
        network = cnn.CNN(config, facts.channels, facts.size, facts.classes)
        parameters = sum(weight.numel() for weight in network.parameters())
        assert terms(config, name, 100, 25)["parameters"] == parameters


def test_random_search_is_counted_and_bohb_taken_to_cost_the_same(tmp_path):
    counted = count(rows.digits_plan(tmp_path, 20))
    assert set(zip(counted["images"], counted["val_images"], strict=True)) == {(160, 40)}
    random = counted[counted["source"] == "random"]
    assert list(random["trial"]) == [n for n in range(20) if n % 10 < 7]
    for row in random.to_dict("records"):
        config = space.validate(plans.random_config("digits", row["trial"]))
        assert row["config"] == config
        assert terms(config, "digits", 160, 40).items() <= row.items()
    bohb = counted.loc[counted["source"] == "bohb", forecast.COUNTS]
    assert len(bohb) == 6
    assert bohb.iloc[0].to_dict() == pytest.approx(random[forecast.COUNTS].mean().to_dict())


def test_the_paper_scale_plan(empty):
    counted = count(plans.load_plan(STUDIES / "paper.toml"))
    assert counted["source"].value_counts().to_dict() == {"random": 7805, "bohb": 3345}
    images = counted.groupby("dataset")[["images", "val_images"]].first().sum(axis=1)
    assert images.to_dict() == {name: datasets.FACTS[name].images for name in datasets.NAMES}
    total = forecast.summary(counted).loc[("total", "")]
    assert total["models"] == 11_150
    assert total["tflops"] == pytest.approx(counted["flops"].sum() / 1e12)


def test_images_of_the_file_that_is_here(empty):
    path = empty / "plan.toml"
    path.write_text("[datasets.usps]\nmodels = 1\n")
    plan = plans.load_plan(path)
    assert forecast.here(plan) == {"usps": {"available": 9298}}
    images = np.zeros((50, 16, 16), "uint8")
    np.savez(empty / "usps.npz", images=images, labels=np.arange(50) % 10)
    (row,) = count(plan).to_dict("records")
    assert (row["images"], row["val_images"]) == (40, 10)
    assert forecast.here(plan, complete=True) == {"usps": {"available": 9298}}
    (empty / "usps.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(datasets.DatasetError, match=r"usps\.npz"):
        forecast.here(plan)


@pytest.mark.parametrize(("name", "ratio"), [("usps", 5), ("digits", 4)])
def test_bohb_follows_the_other_data_sets(tmp_path, empty, name, ratio):
    given = [{"dataset": "svhn"}]
    for other, epochs in (("usps", 6), ("mnist", 10)):  # 3 and 5 times those of random search
        given += [{"dataset": other}, {"dataset": other}]
        given += [{"dataset": other, "source": "bohb", "epoch": epochs}]
    ratios = forecast.bohb_ratios(recorded(given))
    assert ratios["flops"].to_dict() == pytest.approx({"usps": 3, "mnist": 5})
    path = tmp_path / "plan.toml"
    path.write_text(f"[datasets.{name}]\nmodels = 20\nmax_images = 200\n")
    counted = count(plans.load_plan(path), ratios).groupby("source")["flops"].mean()
    assert counted["bohb"] == pytest.approx(ratio * counted["random"])


def test_prices_are_fitted_and_noise_does_not_bias_the_sum():
    counted = []
    for trial in range(200):
        name = ("digits", "cifar10")[trial % 2]
        config = space.validate(plans.random_config(name, trial))
        counted.append(terms(config, name, 256, 64))
    table, known = pd.DataFrame(counted)[forecast.TERMS], [1e-3, 3e-9, 2e-10, 8e-12]
    seconds = table @ pd.Series(known, forecast.TERMS)
    np.testing.assert_allclose(forecast.prices(table.assign(seconds=seconds)), known, rtol=1e-6)
    noise = np.random.default_rng(0).gamma(4, 1 / 4, 200)  # mean 1, standard deviation 0.5
    prices = forecast.prices(table.assign(seconds=seconds * noise))
    assert (prices >= 0).all()
    assert (table @ prices).sum() == pytest.approx(seconds.sum(), rel=0.15)


@pytest.mark.slow
def test_calibrate(tmp_path):
    counted = count(rows.digits_plan(tmp_path, 10))
    timings = forecast.calibrate(counted, 0.1, 1, "cpu")
    assert len(timings) >= 1
    assert (timings[[*forecast.TERMS, "seconds", "wall_seconds", "mib"]] > 0).all(axis=None)
    assert (forecast.prices(timings) >= 0).all()


@pytest.mark.parametrize(("seconds", "workers"), [(1.0, 0), (0.0, 1), (float("nan"), 1)])
def test_wrong_options(seconds, workers):
    with pytest.raises(ValueError, match=rf"workers \({workers}\) and seconds \({seconds}\) must"):
        forecast.calibrate(UNKNOWN, seconds, workers, "cpu")


def test_hours_by_hand(monkeypatch):
    monkeypatch.setattr(forecast, "GPUS", {"a GPU": (40.0, 8.0)})  # a quarter of it is reached
    monkeypatch.setattr(forecast.psutil, "cpu_count", lambda: 2)
    # 4 s for the arithmetic of one at 10 a second, 24 s for the bytes of the other at 2 a second.
    counted = pd.DataFrame({"flops": [40.0, 10.0], "maps": [0.0, 2.0], "weights": [0.0, 1.0]})
    counted = counted.assign(steps=[2000.0, 4000.0], seconds=[3600.0, 7200.0])
    expected = {"cpu, --workers 4": 1.5, "a GPU, busy": 28 / 3600, "a GPU, one worker": 31 / 3600}
    assert forecast.hours(counted, 4, "cpu").to_dict() == pytest.approx(expected)
    assert forecast.hours(counted, 4, "cuda").iloc[0] == pytest.approx(3 / 4)


def test_compare_by_hand():
    key = [("usps", 0), ("usps", 1), ("digits", 0), ("digits", 1)]
    expected = pd.DataFrame(key, columns=["dataset", "trial"]).assign(images=160, val_images=40)
    expected["precision"] = "float32"
    expected["seed"] = [plans.seed(name, trial) for name, trial in key]
    expected["seconds"] = [3600.0, 1800.0, 900.0, 900.0]
    given = [{"trial": 0, "cpu_seconds": 1800.0}, {"trial": 1, "images": 320}]  # another study's
    given += [{"dataset": "usps", "trial": 1}, {"dataset": "mnist", "trial": 0}]
    compared = forecast.compare(recorded(given), expected)
    assert compared.to_dict("list") == {
        "models": [1, 1, 2],
        "forecast": [0.5, 0.25, 0.75],
        "fact": [1, 0.5, 1.5],
        "error": [-0.5, -0.5, -0.5],
    }
    assert list(compared.index) == ["usps", "digits", "total"]


@pytest.fixture
def run_plan(tmp_path, monkeypatch, capsys):
    """Run `hia plan` on ten digits CNNs in an empty folder, not calibrated; what it printed."""
    monkeypatch.chdir(tmp_path)
    rows.digits_plan(tmp_path, 10)

    def calibrate(counted, *_):
        return counted[forecast.TERMS].assign(seconds=1.0, wall_seconds=2.0, mib=100.0)

    monkeypatch.setattr(forecast, "calibrate", calibrate)

    def run(*more: str) -> str:
        assert main(["plan", "plan.toml", "--device", "cpu", *more]) == 0
        return capsys.readouterr().out

    return run


def test_plan_before_and_after_anything_is_recorded(run_plan, tmp_path):
    printed = run_plan("--to", "forecast.parquet")
    assert re.search(r"digits\s+random\s+160\s+40\s", printed)
    assert re.search(r"total\s+0\s+0\s", printed)
    assert {path.name for path in tmp_path.iterdir()} == {"plan.toml", "forecast.parquet"}
    kept = pd.read_parquet("forecast.parquet")
    assert forecast.compare(recorded([{}] * 10), kept).loc["total", "fact"] == 10
    given = [{"source": plans.source(trial)} for trial in range(9)]
    trials.save(recorded([*given, {"precision": "bf16"}]), "trials.parquet")
    printed = run_plan("--trials", "trials.parquet")
    assert re.search(r"total\s+9\s+\S+\s+9\s", printed)
    assert "recorded on: a processor" in printed


@pytest.mark.slow
def test_plan_after_a_study(run_plan, tmp_path):
    plan = rows.digits_plan(tmp_path, 2)
    storage = study.default_storage(plan)
    study.run(plan, storage, device="cpu", report_seconds=0.1)
    for options in ([], ["--storage", storage]):
        assert re.search(r"\n\s*total\s+2 ", run_plan(*options))
