"""The chapters on whether a ranking pays and on the paper's numbers: what they say of what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, names, page

from hia import space
from hia_book import audit, tuning

SETS = ["mnist", "svhn"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


# --- does it pay ---------------------------------------------------------------------------------


def write(
    folder: Path,
    worth: dict[str, float],
    searches: tuple[str, ...],
    gap: float,
    training: float = 0.0,
    order: tuple[str, ...] = tuning.RANKED,
    **quality: float,
) -> None:
    """Invented searches. worth: what a ranking's searches end at, above the default's accuracy.
    gap: between the defaults. training: what tuning everything gains where `epoch` is tuned. order:
    of N-RReliefF."""
    rows = []
    for job in tuning.jobs(SETS, searches):
        at = np.array(tuning.CHECKPOINTS[job.search])
        start = 0.5 + gap * (job.default == "learned") + 0.01 * SETS.index(job.dataset)
        end = worth[job.ranking] * (job.k if job.ranking != tuning.ALL else 5) / 5
        end += training * (job.ranking == tuning.ALL and job.epochs == tuning.TUNED)
        mean = start + (0.95 - start) * end * (1 - 1 / at)
        rows.append(
            {**vars(job), "tuned": [], "mean": mean.tolist(), "error": [0.001] * len(at)}
            | {"found": float(mean.max()), "ceiling": float(mean.max() + 0.01)}
        )
    tuning.table(rows).to_parquet(folder / "tuning.parquet")
    default = {name: space.SPACE[name].default for name in tuning.NAMES}
    longest = {**default, "epoch": space.SPACE["epoch"].high}
    known = {"rows": 50, "r2": 0.9, "random": 0.8, "spearman": 0.9, "top": 0.8, "error": 0.02}
    notes = {
        "repetitions": tuning.REPETITIONS,
        "surrogates": {
            name: {**known, **quality, "rows": 50 + 10 * k} for k, name in enumerate(SETS)
        },
        "rankings": {
            name: dict.fromkeys(("nrrelieff", "nrrelieff_growing", "paper"), order)
            | dict.fromkeys(("fanova", "reversed"), order[::-1])
            for name in SETS
        },
        "defaults": {
            tuning.LONGEST: {
                "table1": dict.fromkeys(SETS, longest),
                "learned": {"mnist": longest, "svhn": {**longest, "optimizer": "SGD"}},
            },
            tuning.TUNED: {
                "table1": dict.fromkeys(SETS, default),
                "learned": {"mnist": longest, "svhn": {**longest, "epoch": 9}},
            },
        },
    }
    (folder / "tuning.json").write_text(json.dumps(notes))


USEFUL = {
    "nrrelieff": 0.9,
    "nrrelieff_growing": 0.87,
    "fanova": 0.85,
    "paper": 0.8,
    "random": 0.5,
    "reversed": 0.1,
}
FIGURES = {"fig-pays-first", "fig-pays-rankings"}
TABLES = {"table-pays-space", "table-pays-surrogates", "table-pays-answer", "table-pays-wrong"}
TABLES |= {"table-pays-rankings", "table-pays-datasets", "table-pays-epoch"}


def test_without_a_recording_it_names_the_command() -> None:
    shown = page("pays")
    assert "**Missing here:** data/tuning.parquet" in shown
    assert "python studies/record_tuning.py makes it" in shown
    assert not names(shown)


def test_a_ranking_that_is_worth_something(folder: Path) -> None:
    write(folder, {**USEFUL, tuning.ALL: 0.7}, ("random", "tpe"), gap=0.0)
    shown = page("pays")
    assert names(shown) == FIGURES | TABLES | {"fig-pays-tpe", "table-pays-tpe"}
    assert "The ranking is better than none, and the wrong ones cost most." in shown
    assert "the ranking misleads" not in shown
    assert "That is a fair picture of the data sets, at the top as well." in shown
    assert "50 to 60 each" in shown
    assert "At best, with some number of trials, the smaller search is better by" in shown
    assert "the first 5 at no number up to 200 trials" in shown
    assert "from 2 trials on (clearly so)" in shown
    assert "is not clear of 0." in shown
    assert "In no ranking `epoch` is mostly among the first 3" in shown
    assert "Rank among the 9 on the other data sets" in shown
    assert "Not complete" not in shown
    assert "that no number of trials brings back" in shown


def test_a_ranking_that_misleads(folder: Path) -> None:
    worth = dict(zip(USEFUL, list(USEFUL.values())[::-1], strict=True))
    rough = {"random": 0.6, "top": 0.4}
    write(folder, {**worth, tuning.ALL: 1.0}, ("random",), gap=0.4, training=-0.3, **rough)
    shown = page("pays", compared=2, shown=[20, 100])
    assert "**Here the ranking misleads:**" in shown
    assert "The forests know what is bad better than what is best." in shown
    assert "is what the length of training hides of the loss." in shown
    assert "So the better default alone is worth more than" in shown
    assert "**Missing here:** no data set has all searches by TPE." in shown
    assert names(shown) == FIGURES | TABLES
    assert "100 trials |" in shown
    assert (
        "With no number of trials is any of these smaller searches better by 1.0 point or" in shown
    )


def test_data_sets_that_are_not_complete_are_left_out(folder: Path) -> None:
    order = ("epoch", *(name for name in tuning.RANKED if name != "epoch"))
    same = {**dict.fromkeys(USEFUL, 0.5), tuning.ALL: 0.5}
    write(folder, same, ("random",), gap=0.0, training=0.3, order=order, random=0.5)
    path = folder / "tuning.parquet"
    pd.read_parquet(path).iloc[:-1].to_parquet(path)
    shown = page("pays")
    assert "on 1 data sets" in shown or "on 1 data set " in shown
    assert "comes with the length of training, and not with the choice." in shown
    assert "and the paper's Table 3 `epoch` is mostly among the first 3" in shown
    assert "more, which is not clear." in shown
    assert "**That is a rough picture.**" in shown
    assert "**Not complete:** 103 finished jobs are not used here." in shown
    assert "whether one tunes the right ones or the wrong ones does not show" in shown


def test_the_recorded_searches() -> None:
    shown = page("pays", folder=str(ROOT / "data"))
    assert names(shown) >= FIGURES | TABLES
    assert "nan" not in shown.lower().replace("fanova", "")


# --- the audit -----------------------------------------------------------------------------------


AUDIT = {"table-audit", "table-audit-claims", "table-audit-labels", "table-audit-distance"}
AUDIT |= {"table-audit-structures", "fig-audit-error", "fig-audit-icc"}


def test_the_papers_numbers() -> None:
    shown = page("audit", folder=str(ROOT / "data" / "published"))
    assert names(shown) == AUDIT
    for status in audit.STATUSES:
        assert f"**{status}**, " in shown
    assert "only the names beside them are out of step" in shown
    assert "Lists that agree about the first 3 and about nothing else" in shown


def test_a_paper_with_other_numbers() -> None:
    published = Path("published")
    shutil.copytree(ROOT / "data" / "published", published)

    def change(name: str, old: str, new: str) -> None:
        text = (published / name).read_text(encoding="utf-8")
        assert old in text
        (published / name).write_text(text.replace(old, new), encoding="utf-8")

    right = audit.equation11(audit.load(published).weights(3)).head(10)
    pairs = right.assign(label="", rank=range(1, 11), weight=right["weight"].round(6))
    order = ["label", "first", "second", "weight", "rank"]
    pairs[order].to_csv(published / "table5.csv", index=False)
    change("table1.csv", '"1, 3",0', '"1, 3",3')
    change("values.csv", "icc,0.9889", "icc,0.99999")
    shown = page("audit", folder="published")
    assert (
        "10 of the 10 labels stand beside their own pair. The labels are as they should be."
        in shown
    )
    assert "defaults are inside their spaces.*" not in shown
    assert "No list with up to 6 agreeing ranks has an ICC as high" in shown
    change("table5.csv", f"{pairs['weight'][9]:.6f}", "0.1")
    assert "1 of the weights belong to no pair at all" in page("audit", folder="published")
