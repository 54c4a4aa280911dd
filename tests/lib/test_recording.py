"""hia_book.recording and the scripts of studies/ that use it: killed, they go on."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import record_multiverse
import record_truth
import record_tuning

from hia_book import mixed, multiverse, recording, surfaces, truth, tuning

ROOT = Path(__file__).parents[2]
MADE = surfaces.synthetic()
# Of joblib, where the machine is busy.
pytestmark = pytest.mark.filterwarnings("ignore:Persisting input arguments")

SLOW = """
import time
from pathlib import Path


def square(number):
    with Path("calls").open("a") as file:
        file.write(f"{number} ")
    while number > 2 and not Path("go").exists():
        time.sleep(0.02)
    return number**2
"""
# A test run in the background ignores Ctrl-C, and so would what it starts.
COMMAND = """
import signal

import slow
from hia_book import recording

signal.signal(signal.SIGINT, signal.default_int_handler)


def main():
    options = recording.parser(None).parse_args()
    print(list(recording.compute(options, slow.square, [(n,) for n in range(8)], 8)))
    return 0


raise SystemExit(recording.run(main))
"""


@pytest.mark.slow
def test_what_was_killed_goes_on(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "command.py").write_text(COMMAND)
    calls, command = tmp_path / "calls", [sys.executable, "command.py", "--cache", "cache"]
    for number, code, begun in ((signal.SIGKILL, -signal.SIGKILL, 4), (signal.SIGINT, 130, 5)):
        killed = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        while not calls.exists() or len(calls.read_text().split()) < begun:
            time.sleep(0.02)
        killed.send_signal(number)
        _, said = killed.communicate()
        assert killed.returncode == code
        assert ("the same command goes on" in said) == (number == signal.SIGINT)
    (tmp_path / "go").touch()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{[n**2 for n in range(8)]}\n"
    assert "8/8" in done.stderr
    # What was cut short twice is done again, and nothing else.
    assert calls.read_text().split() == [*"0123", "3", *"34567"]
    subprocess.run([*command, "--again"], cwd=tmp_path, capture_output=True, check=True)
    assert len(calls.read_text().split()) == 10 + 8


@pytest.mark.parametrize(
    ("name", "values", "described"),
    [
        ("epoch", [3, 1, 2, 2], "1, 2, 3"),
        ("images", [*range(4000, 4005)], "4,000 to 4,004"),
        ("lr", [1e-6, 0.1, 1e-3, 2e-3, 5e-3, None], "1e-06 to 0.1; missing in 1"),
        ("dataset", [*"fedcba"], "a, b, c, d and 2 more"),
        ("accuracy_per_epoch", [[0.1], [0.1, 0.2]], "lists of 1 to 2"),
        ("cpu_seconds", [None, None], "missing in all"),
    ],
)
def test_a_column_is_described(name: str, values: list, described: str) -> None:
    assert recording.describe(pd.Series(values, name=name)) == described


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of two data sets."""
    folder = tmp_path_factory.mktemp("data")
    trials = pd.read_parquet(ROOT / "data" / "trials.parquet")
    some = trials[trials["dataset"].isin(["mnist", "svhn"])].groupby("dataset").head(40)
    some.to_parquet(folder / "trials.parquet", index=False)
    (folder / "published").symlink_to(ROOT / "data" / "published")
    return folder


@pytest.fixture
def given(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options, and two surfaces of which the second is the study's."""
    monkeypatch.setattr(
        truth, "all_surfaces", lambda trials: {"additive": MADE["additive"], "study": MADE["noise"]}
    )
    monkeypatch.setattr(truth, "SIZES", {20: 2, 30: 1})
    return [f"--data={data}", f"--to={tmp_path}", f"--cache={tmp_path / 'runs'}"]


FAST = ("truth", "--methods", "nrrelieff", "ped_anova")


@pytest.mark.slow
def test_the_truth_is_recorded_up_to_a_limit_of_time(given: list[str], tmp_path: Path) -> None:
    assert record_truth.main([*FAST, *given]) == 0
    fits, true = truth.load(tmp_path)
    assert (fits["state"] == truth.MEASURED).sum() == 12
    assert set(fits.loc[fits["state"] != truth.MEASURED, "method"]).isdisjoint(FAST)
    assert set(true["surface"]) == {"additive", "study"}
    assert json.loads((tmp_path / "truth.json").read_text())["fits"] == 12
    whole = (tmp_path / "truth.parquet").read_bytes()  # with the seconds that every fit took
    assert record_truth.main([*FAST, *given]) == 0
    assert (tmp_path / "truth.parquet").read_bytes() == whole
    assert record_truth.main([*FAST, *given, "--repeats", "1"]) == 0
    assert (truth.load(tmp_path)[0]["state"] == truth.MEASURED).sum() == 8
    assert record_truth.main([*FAST, *given, "--limit", "1e-9"]) == 0
    fits, _ = truth.load(tmp_path)
    measured = fits[fits["state"] == truth.MEASURED]
    assert len(measured) == 4  # the first of each method on each surface
    ran = fits["method"].isin(measured["method"])
    assert set(fits.loc[ran & (fits["trials"] == 30), "state"]) == {truth.OVER}


@pytest.mark.slow
def test_the_cost_is_recorded(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(record_truth.cost, "SIZES", ())
    monkeypatch.setattr(record_truth.cost, "POOLED_SIZES", (20,))
    monkeypatch.setattr(record_truth.cost, "SAMPLED", ("nrrelieff", "fanova", "ped_anova"))
    monkeypatch.setattr(record_truth.cost, "REFERENCE", ("nrrelieff", "fanova"))
    assert record_truth.main(["cost", *given, "--repeats", "2"]) == 0
    assert "without the screen" in capsys.readouterr().out
    rows = pd.read_parquet(tmp_path / "cost.parquet")
    assert len(rows) == 3 * (2 + 1 + 2)
    assert (rows.loc[rows["whole"], "tau_own"] == 1).all()
    assert rows["tau_reference"].notna().all()


@pytest.mark.slow
@pytest.mark.usefixtures("short_mixtures")
def test_mixtures_are_recorded(given: list[str], tmp_path: Path) -> None:
    assert record_truth.main(["mixed", *given]) == 0
    rows = mixed.load(tmp_path)
    assert len(rows) == 2 * 2 * len(mixed.TABLES) * 2
    assert not rows.duplicated(["surface", "trials", "repeat", "table", "method"]).any()
    note = json.loads((tmp_path / "mixed.json").read_text())
    assert set(note["versions"]) == set(recording.PACKAGES)


@pytest.mark.slow
def test_universes_are_recorded(
    given: list[str], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, some in {"neighbours": ("5",), "sigma": ("20",), "balance": ("nothing",)}.items():
        choice = dataclasses.replace(multiverse.CHOICES[name], options=some)
        monkeypatch.setitem(multiverse.CHOICES, name, choice)
    assert record_multiverse.main(given) == 0
    table = multiverse.load(tmp_path / "multiverse.parquet")
    note = json.loads((tmp_path / "multiverse.json").read_text())
    assert note["universes"] == len(table) == 3 * 2 * 2 * 2 * 2 * 3
    used = pd.read_parquet(data / "trials.parquet")
    assert (note["trials"], note["fingerprint"]) == (len(used), multiverse.fingerprint(used))


@pytest.mark.slow
@pytest.mark.usefixtures("few_searches")
def test_searches_are_recorded(given: list[str], tmp_path: Path) -> None:
    assert record_tuning.main([*given, "--searches", "random"]) == 0
    assert len(tuning.load(tmp_path / "tuning.parquet")) == 128
    notes = json.loads((tmp_path / "tuning.json").read_text())
    assert notes["jobs"] == notes["asked"] == 128
    assert notes["surrogates"]["mnist"]["rows"] == 40
    assert len(notes["rankings"]["svhn"]["fanova"]) == 10
    for epochs, most in ((tuning.LONGEST, 10), (tuning.TUNED, 2)):
        assert notes["defaults"][epochs]["table1"]["mnist"]["epoch"] == most
