"""The chapters about choices and about single data sets: with their recordings, and without."""

import json
import os
import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapters import ROOT, names, page

from hia import trials
from hia.space import HYPERPARAMETERS
from hia.study import records
from hia_book import multiverse, screening
from run_notebooks import NotebookError

SETS = ("cifar10", "mnist", "svhn", "usps")
ALWAYS = {"table-multiverse-planted", "table-multiverse-units"}
FEW = {
    "neighbours": ("30", "10"),
    "sigma": ("20",),
    "rank_base": ("1", "0"),
    "target": ("as it is",),
    "balance": ("nothing",),
    "lr_scale": ("log",),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the repository's root, with a part of the study."""
    table = trials.load(ROOT / "data" / "trials.parquet")
    table = table[table["dataset"].isin(SETS) & (table["trial"] < 100)]
    trials.save(table, tmp_path / "data" / "trials.parquet")
    (tmp_path / "data" / "published").symlink_to(ROOT / "data" / "published")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_universes() -> None:
    table = trials.load("data/trials.parquet")
    multiverse.save(multiverse.universes(table, FEW), "data/multiverse.parquet")
    note = {"trials": len(table), "fingerprint": multiverse.fingerprint(table)}
    Path("data/multiverse.json").write_text(json.dumps(note))


def write_screen() -> None:
    """Runs whose accuracy falls by 0.1 with three channels, on mnist only."""
    row = trials.load("data/trials.parquet").iloc[0].to_dict()
    del row["source"], row["trial"]
    rng = np.random.default_rng(0)
    rows = []
    for name in SETS:
        for number, config in enumerate(screening.configs(screening.design(len(HYPERPARAMETERS)))):
            for replicate in (1, 2):
                made = row | dict.fromkeys(("num_filters_2", "num_filters_3")) | config
                made |= {"dataset": name, "run": number, "replicate": replicate}
                less = 0.1 * (name == "mnist") * (config["in_channel_num"] == 3)
                made["accuracy"] = 0.5 - less + 0.01 * rng.random()
                made["accuracy_per_epoch"] = [made["accuracy"]] * config["epoch"]
                made["seed"] = len(rows)
                rows.append(made)
    table = pd.DataFrame(rows)[list(records.TABLES["screening"].columns)]
    records.save("screening", table, "data/screening.parquet")


def test_without_universes_it_names_the_command_and_makes_the_tests(folder: Path) -> None:
    shown = page("multiverse", planted=["num_fc_units"], n_resamples=5)
    assert "**Missing here:** data/multiverse.parquet" in shown
    assert "python studies/record_multiverse.py makes it" in shown
    assert names(shown) == ALWAYS
    assert "**The answer.**" in shown


def test_with_some_of_the_universes(folder: Path) -> None:
    write_universes()
    shown = page("multiverse", n_resamples=20)
    assert "Missing" not in shown
    assert "Not of the same CNNs" not in shown
    assert names(shown) == ALWAYS | {
        "fig-multiverse",
        "table-multiverse-choices",
        "table-multiverse-findings",
    }
    assert "There are 144 universes here" in shown  # 3 distances, 2 J, 2 bases, 2, 3 and 2
    # 2 distances, J = 30, 2 bases, pooled, both searches, W and its size.
    assert "The paper's text rules out all but 8 of them" in shown
    assert "- **The 8 that the text allows.** Of 14 findings, survive every choice: " in shown
    assert "- **The 144 in all.** Of 14 findings, survive every choice: " in shown
    assert "In the 8 that the text allows it is" in shown
    assert "| **raw Euclidean**, **Euclidean**, Manhattan |" in shown
    (first,) = [line for line in shown.splitlines() if "| `num_conv_layers` is first |" in line]
    assert len(re.findall(r"[\d.]+%", first.split(" (")[0])) == 2
    assert "| scale of lr |" not in shown
    assert "CNNs of random search, which are independent draws, within one universe" in shown
    assert "nan" not in shown
    # What half of the performance is, normalised distances rank first.
    for name in ("num_fc_units", "batch_size"):
        (row,) = [
            line.split("|")
            for line in shown.splitlines()
            if line.startswith(f"| `{name}` | planted |") and "normalised" in line
        ]
        assert row[6].strip() == "1"


def test_universes_that_the_text_rules_out_alone(folder: Path) -> None:
    table = trials.load("data/trials.parquet")
    made = multiverse.universes(table, FEW | {"neighbours": ("10",), "lr_scale": ("log", "raw")})
    multiverse.save(made, "data/multiverse.parquet")
    shown = page("multiverse", planted=["batch_size"], n_resamples=5)
    assert "The paper's text rules out all of them." in shown
    assert "that the text allows" not in shown
    assert "in all.** Of 14 findings, survive every choice: " in shown


def test_which_universes_the_text_allows() -> None:
    """By hand: nothing of what the text says, everything of what it leaves open."""
    settled = {"neighbours": "30", "scope": "pooled", "source": "both", "balance": "nothing"}
    options = {name: choice.options for name, choice in multiverse.CHOICES.items()}
    every = pd.DataFrame(product(*options.values()), columns=list(options))
    right = np.all([every[name] == option for name, option in settled.items()], axis=0)
    right &= every["distance"] != "Manhattan"
    found = multiverse.allowed(every)
    assert found.equals(pd.Series(right))
    # 2 distances, 2 scales of lr, 3 sigma, 2 first ranks, 2 scales of accuracy, W and |W|
    assert found.sum() == 2 * 2 * 3 * 2 * 2 * 2
    assert multiverse.allowed(every[["sigma", "source"]]).sum() == len(every) / 3
    for name, choice in multiverse.CHOICES.items():
        assert set(choice.against) < set(choice.options), name
        assert choice.options[0] not in choice.against, name
    with pytest.raises(ValueError, match="unknown choice 'metric'; known are distance"):
        multiverse.allowed(every.rename(columns={"distance": "metric"}))


def test_universes_of_other_cnns_are_shown_with_a_warning(folder: Path) -> None:
    write_universes()
    table = trials.load("data/trials.parquet")
    trials.save(table[table["trial"] != 7], "data/trials.parquet")
    shown = page("multiverse", planted=["batch_size"], n_resamples=5)
    assert f"were recorded from {len(table):,} CNNs" in shown
    assert "python studies/record_multiverse.py` records them again" in shown
    assert "fig-multiverse" in names(shown)


def test_data_sets_without_the_screen(folder: Path) -> None:
    shown = page("perdataset", n_trees=2, n_repeats=1, n_divided=200, n_neighbors=10)
    assert "**Missing here:** data/screening.parquet" in shown
    assert "`hia record screening` writes one" in shown
    assert "Left out, because they have one value on a data set: `in_channel_num`" in shown
    assert names(shown) == {
        "fig-perdataset",
        "table-perdataset-agreement",
        "fig-critical-difference",
        "table-perdataset-halves",
        "table-perdataset-properties",
    }
    assert "There are 3 divisions of the data sets, 2 against 2." in shown
    assert "With so few divisions none could stand out." in shown
    assert "CNNs of random search on 4 data sets" in shown
    assert "nan" not in shown


def test_data_sets_with_the_screen(folder: Path) -> None:
    write_screen()
    options = {"n_trees": 2, "n_repeats": 1, "n_divided": 200, "n_neighbors": 10}
    shown = page("perdataset", datasets=["cifar10", "mnist", "svhn"], **options)
    assert "Missing here:** data" not in shown
    assert "fig-channels" in names(shown)
    assert "**Missing here:** for the properties of data sets four" in shown
    # The control finds what colour cannot be.
    assert "The largest effect is on MNIST (-0.1" in shown
    assert "less than channels without information do elsewhere" in shown
    assert "USPS" not in shown


TILTS = ("dropout_rate", "num_fc_units", "batch_size", "epoch")


def plant(random: str, bohb: str, lower: dict[str, float] | None = None, most: int = 60) -> None:
    """The study of all data sets with other accuracies, of at most so many CNNs of each source.

    random, bohb: what decides the accuracy of the CNNs of each source; "own" of each data set other
    hyperparameters than of the next, "colour" others with three channels than with one, "same" the
    same everywhere. lower: by how much the accuracies of a data set are below.
    """
    table = trials.load(ROOT / "data" / "trials.parquet")
    if lower is not None:
        table = table[table["dataset"].isin(lower)]
    place = table.groupby(["dataset", "source"]).cumcount()
    table = table[place < most].reset_index(drop=True)
    ranks = table[list(TILTS)].rank(pct=True).to_numpy()
    number = table["dataset"].astype("category").cat.codes
    turns = {"own": number, "colour": 2 * (table["in_channel_num"] == 3), "same": 0 * number}
    turn = turns[bohb].where(table["source"] == "bohb", turns[random])
    weights = np.array([0.3, 0.15, 0.05, 0.0])
    weighted = [row @ np.roll(weights, by) for row, by in zip(ranks, turn, strict=True)]
    table["accuracy"] = 0.45 + np.array(weighted) - table["dataset"].map(lower or {}).fillna(0)
    table["accuracy_per_epoch"] = [
        [last] * epochs for last, epochs in zip(table["accuracy"], table["epoch"], strict=True)
    ]
    trials.save(table, "data/trials.parquet")


QUICK = {"n_trees": 2, "n_repeats": 1, "n_divided": 300, "n_neighbors": 10}
OWN = "**The data sets have rankings of their own.**"
NOT_TOLD = "**With these CNNs the data sets cannot be told apart by their rankings**"


@pytest.mark.parametrize(
    ("planted", "parameters", "says", "says_not"),
    [
        (
            ("same", "same"),
            {},
            [
                NOT_TOLD,
                "From the CNNs of random search and BOHB the verdict would be the same.",
                "From the CNNs of random search and BOHB none would be.",
            ],
            OWN,
        ),
        (
            ("same", "colour"),
            {"beside": ["bohb"], "alpha": 0.2},
            [
                NOT_TOLD,
                "From the CNNs of BOHB N-RReliefF and functional ANOVA would find one, but both "
                "halves of a data set then have CNNs of the same run of BOHB",
                "have BOHB's choices in them, clear would be: channels by",
            ],
            OWN,
        ),
        (
            ("own", "same"),
            {"beside": ["bohb"]},
            [
                "**Whether the data sets have rankings of their own depends on the method.**",
                "From the CNNs of BOHB functional ANOVA would find no difference.",
            ],
            "same run of BOHB",
        ),
        (
            ("colour", "same"),
            {"alpha": 0.2},
            ["Of 6 tests channels by", "clear even after correction for their number."],
            "none is clear",
        ),
        (
            ("own", "own"),
            {"beside": []},
            [OWN, "its ranking differs from theirs by more than noise."],
            NOT_TOLD,
        ),
        (
            ("own", "own"),
            {"sources": ["random", "bohb"], "beside": []},
            ["But both halves of a data set then have CNNs of the same run of BOHB"],
            "the verdict would be",
        ),
    ],
)
def test_rankings_of_their_own_are_told_from_those_of_one_run(
    folder: Path,
    planted: tuple[str, str],
    parameters: dict[str, object],
    says: list[str],
    says_not: str,
) -> None:
    plant(*planted, most=60 if parameters.get("beside", True) else 150)
    shown = page("perdataset", **QUICK, **parameters)
    for one in says:
        assert one in shown
    assert says_not not in shown
    assert "There are 126 divisions of the data sets, 5 against 5." in shown
    assert "nan" not in shown


TURNED = """\
import hia.relief

fit = hia.relief.NRReliefF.fit


def turned(self, X, y):
    fit(self, X, y)
    self.weights_ = -self.weights_
    return self


hia.relief.NRReliefF.fit = turned
"""
COLOUR = {"cifar10": 0.3, "mnist": 0.0, "svhn": 0.3, "usps": 0.0}
NO_COLOUR = {"cifar10": 0.0, "mnist": 0.2, "svhn": 0.4, "usps": 0.2}


@pytest.mark.parametrize(
    ("lower", "turned", "says"),
    [
        (COLOUR, False, "So this division stands out. What does that, a division cannot say"),
        (COLOUR, True, "So this division stands out by the accuracies, and not by its weight."),
        (NO_COLOUR, False, "A meaningless label of the data sets can be about as important"),
        (NO_COLOUR, True, "So this division stands out by its weight, and not by the accuracies."),
    ],
)
def test_the_division_by_channels_among_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lower: dict[str, float], turned: bool, says: str
) -> None:
    plant("same", "same", lower)
    if turned:
        Path("sitecustomize.py").write_text(TURNED)
        monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    shown = page("perdataset", **QUICK, alpha=0.5)
    assert says in shown


def test_two_data_sets_are_too_few(folder: Path) -> None:
    with pytest.raises(NotebookError, match="three data sets at least"):
        page("perdataset", datasets=["cifar10", "mnist"])
