"""Rows of the recorded tables that were computed, computed once more."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hia.trials import load
from hia_book import cost, mixed, multiverse, published, surfaces, truth, tuning

DATA = Path(__file__).parents[2] / "data"
SURFACES = surfaces.synthetic()
STUDY = pd.read_parquet(DATA / "trials.parquet")
pytestmark = pytest.mark.slow


def recorded(name: str, **key: object) -> pd.DataFrame:
    """The rows of a table that have these values."""
    table = pd.read_parquet(DATA / f"{name}.parquet")
    return table[(table[list(key)] == pd.Series(key)).all(axis=1)]


def own(dataset: str, columns: list[str]) -> pd.DataFrame:
    return STUDY.loc[STUDY["dataset"] == dataset, columns]


def test_truths_of_the_surfaces() -> None:
    for name, surface in SURFACES.items():
        expected = recorded("surfaces", surface=name).set_index("hyperparameter")
        found = surface.truth()
        np.testing.assert_allclose(found, expected[found.columns], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("surface", "method"), [("conditional", "fanova"), ("interactions", "nrrelieff_growing")]
)
def test_fits(surface: str, method: str) -> None:
    job = truth.Job(surface, method, 1000, 1)
    drawn = truth.draw(SURFACES[surface], job.trials, job.repeat)
    row = truth.measure(SURFACES[surface].columns, drawn, job)
    found = truth.assess(row, SURFACES[surface].truth())
    (expected,) = recorded("truth", **vars(job)).to_dict("records")
    np.testing.assert_array_equal(np.float32(found["scores"]), expected["scores"])
    for name in ("tau_main", "tau_total", "top_main", "top_total"):
        assert found[name] == pytest.approx(expected[name], rel=1e-12)


def test_mixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "METHODS", ("fanova",))  # the others take longer
    surface, job = SURFACES["conditional"], truth.Job("conditional", "fanova", 1000, 2)
    drawn = truth.draw(surface, job.trials, job.repeat)
    found = pd.DataFrame(mixed.measure(surface, drawn, surface.truth(), job))
    found = found.sort_values("table", ignore_index=True)
    expected = recorded("mixed", **vars(job)).sort_values("table", ignore_index=True)
    pd.testing.assert_frame_equal(found, expected[list(found)], check_dtype=False)


def test_costs() -> None:
    for scope, method in (("usps", "fanova"), ("semeion", "nrrelieff")):
        job = cost.Job(scope, method, 100, 3)
        row = cost.measure(own(scope, list(cost.USED)), job)
        (expected,) = recorded("cost", **vars(job))["scores"]
        np.testing.assert_array_equal(np.float32(row["scores"]), expected)
    screens = cost.screens(load(DATA / "screening.parquet", "screening"))
    key = ["scope", "trainings", "repeat"]
    found = pd.DataFrame(screens).set_index(key)["scores"].sort_index()
    expected = recorded("cost", method=cost.SCREEN).set_index(key)["scores"].sort_index()
    assert list(found.index) == list(expected.index)
    np.testing.assert_allclose(found.tolist(), expected.tolist(), rtol=1e-6, atol=1e-9)


def test_universes() -> None:
    search = {"source": "BOHB", "balance": "data set", "scope": "each"}
    search |= {"distance": "Manhattan", "lr_scale": "log"}
    made = multiverse.collect([multiverse.weigh(STUDY[multiverse.USED], search)])
    found, expected = (
        table.astype(dict.fromkeys(multiverse.RECORDED, str)).sort_values(
            multiverse.RECORDED, ignore_index=True
        )
        for table in (multiverse.pack(made), recorded("multiverse", **search))
    )
    pd.testing.assert_frame_equal(found, expected[list(found)], check_dtype=False)
    note = json.loads((DATA / "multiverse.json").read_text())
    assert note["fingerprint"] == multiverse.fingerprint(STUDY)


@pytest.mark.parametrize("search", tuning.SEARCHES)
def test_searches(search: str) -> None:
    """Of the paper's first three, on one data set."""
    rows = own("usps", tuning.USED)
    paper = published.table(3, DATA / "published")["hyperparameter"]
    first = [name for name in paper if name in tuning.RANKED][:3]
    tuned = tuple(name for name in tuning.NAMES if name in first)
    arm = ("usps", tuning.LONGEST, "table1", search)
    default = tuning.trained(tuning.table1_default(), tuning.LONGEST)
    found = tuning.search(
        tuning.Surrogate(rows),
        "",
        default,
        arm,
        [tuned] * tuning.REPETITIONS[search],
        tuning.CHECKPOINTS[search],
    )
    key = dict(zip(("dataset", "epochs", "default", "search"), arm, strict=True))
    (expected,) = recorded("tuning", **key, ranking="paper", k=3).to_dict("records")
    np.testing.assert_array_equal(np.float32(found["mean"]), expected["mean"])
    np.testing.assert_array_equal(np.float32(found["error"]), expected["error"])
    assert (found["found"], found["ceiling"]) == (expected["found"], expected["ceiling"])
    quality = json.loads((DATA / "tuning.json").read_text())["surrogates"]["usps"]
    assert tuning.quality(rows) == pytest.approx(
        {name: quality[name] for name in quality if name != "rows"}
    )


def test_orders_without_a_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "COMPUTED", ("nrrelieff", "fanova"))  # the others take longer
    notes = json.loads((DATA / "tuning.json").read_text())
    paper = published.table(3, DATA / "published")["hyperparameter"].tolist()
    found = tuning.rankings(STUDY.loc[STUDY["dataset"] != "usps", tuning.USED], paper)
    for name, order in found.items():
        assert list(order) == notes["rankings"]["usps"][name]
