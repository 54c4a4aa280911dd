"""hia.cli: what it prints, its exit codes, and that errors are one line."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from faults import trained
from rows import digits_plan

import hia.__main__
from hia import trials
from hia.cli import main
from hia.commands import MEAN_TOLERANCE, TOLERANCE
from hia.study import run as study


@pytest.fixture
def plan(tmp_path, monkeypatch) -> None:
    """plan.toml, in the current directory."""
    monkeypatch.chdir(tmp_path)
    digits_plan(tmp_path, 4)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Four recorded rows, trained here."""
    return trials.check(pd.DataFrame([trained(number, 200) for number in range(4)]))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("study --help", 0),
        ("rank --help", 0),
        ("train", 2),
        ("study plan.toml --workers x", 2),
        ("study plan.toml --workers 2 --workers-per-device 3", 2),  # one or the other
    ],
)
def test_help_and_wrong_usage(capsys, arguments, code):
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == code
    printed = capsys.readouterr()
    assert "usage: hia" in (printed.err if code else printed.out)


def test_the_command_is_installed():
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="hia")
    assert command.load() is hia.__main__.main


def fails(capsys, arguments: list[str], message: str) -> None:
    """Exit code 1, nothing on standard output, and one line on standard error."""
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert re.match(rf"hia {arguments[0]}: .*{message}", line), line


ERRORS = {
    "export absent.toml": r"absent\.toml: there is no such plan",
    "study plan.toml --workers 0": "workers: 0 is not a positive number",
    "study plan.toml --device gpu": "device: 'gpu' is not one of auto, cpu, cuda",
    "study plan.toml --storage nonsense": r"storage nonsense: neither a file NAME\.journal nor a",
    "study plan.toml --storage sqlite:///a.db": "storage sqlite:///a.db: SQLite gives one trial to",
    "study plan.toml --storage no/where.journal": r"storage no/where\.journal: No such file",
    "study many.toml": "digits: 2,000 images are asked for, there are 1,797",
    "study plan.toml --recorded cut": r"trials\.parquet: not a readable Parquet file",
    "export plan.toml": r"plan\.journal: there is no such storage",
    "verify": r"trials\.parquet: there is no such table; `hia export`",
    "verify --trials cut/trials.parquet": "not a readable Parquet file",
    "verify --trials trials.parquet --sample 0": "sample: 0 is not a positive number",
}


@pytest.mark.parametrize("command", ERRORS)
def test_errors(capsys, plan, table, command):
    Path("many.toml").write_text(Path("plan.toml").read_text().replace("200", "2000"))
    trials.save(table, "trials.parquet")
    Path("cut").mkdir()
    Path("cut", "trials.parquet").write_bytes(Path("trials.parquet").read_bytes()[:-20])
    fails(capsys, command.split(), ERRORS[command])
    assert not Path("data").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("command", ["study plan.toml", "rank table.csv --target y"])
def test_too_little_memory_is_one_line(plan, command):
    pd.DataFrame({"x": range(20), "y": range(20)}).to_csv("table.csv")
    done = subprocess.run(
        ["bash", "-c", f'ulimit -v 500000; exec "$0" -m hia {command}', sys.executable],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert re.match(rf"hia {command[:4]}.*: not enough memory", line)


@pytest.mark.parametrize(("device", "gpus", "workers"), [("cpu", 4, 3), ("cuda", 4, 12)])
def test_workers_per_device(monkeypatch, plan, device, gpus, workers):
    asked = {}
    monkeypatch.setattr(study, "run", lambda *_, **options: asked.update(options))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert main(["study", "plan.toml", "--device", device, "--workers-per-device", "3"]) == 0
    assert asked["workers"] == workers


@pytest.mark.parametrize(
    ("shift", "processor", "rounded", "printed", "code"),
    [
        (0, None, 0, "same kind of processor: 4 of 4 rows reproduced to the last bit", 0),
        (1 / 40, None, 0, "same kind of processor: 3 of 4 rows reproduced to the last bit", 1),
        (2 / 40, "another", 0, "largest difference 0.0500 (allowed 0.1), mean", 0),
        (4 * MEAN_TOLERANCE + 0.01, "another", 0, "(allowed 0.1), mean", 1),
        (TOLERANCE + 0.01, "another", 0, "largest difference 0.1100 (allowed 0.1), mean", 1),
        (TOLERANCE + 0.01, "another", 0, "lies at most 0.1100 (allowed 0.02) outside", 1),
        # Here the mean may be as large as it is with more rows, 0.04.
        (0.15, "another", 0.1, "lies at most 0.0500 (allowed 0.04) outside", 1),
        (0.15, "another", 0.2, "lies at most 0.0000 (allowed 0.04) outside", 0),
    ],
)
def test_recorded_rows_are_verified(
    capsys, monkeypatch, plan, table, shift, processor, rounded, printed, code
):
    """To the last bit, with a tolerance on another processor."""
    again = table["accuracy"][0]
    monkeypatch.setattr(study.processes, "train_rounded", lambda *_: [again, again + rounded])
    if rounded:
        monkeypatch.setattr("hia.commands.MEAN_TOLERANCE", 0.04)
    if shift:  # what the first case trains again, without a provenance; here it says little
        Path("provenance.json").write_text('{"sessions": [{"started": ""}]}')
        monkeypatch.setattr(study, "run", lambda *_, **__: None)
        monkeypatch.setattr(study, "export", lambda *_: table)
    recorded = table.assign(processor=processor or table["processor"])
    recorded.at[0, "accuracy"] += shift
    recorded.at[0, "accuracy_per_epoch"] = [
        *table["accuracy_per_epoch"][0][:-1],
        recorded["accuracy"][0],
    ]
    trials.save(recorded, "trials.parquet")
    command = ["verify", "--trials", "trials.parquet", "--device", "cpu", "--to", "verified.csv"]
    assert main(command) == code
    verified = pd.read_csv("verified.csv").set_index("trial")
    assert verified["recorded"].to_dict() == recorded.set_index("trial")["accuracy"].to_dict()
    assert verified["exact"].all() == (shift == 0)
    told = capsys.readouterr().out
    assert printed in told
    assert "provenance.json has no images of digits: they were not compared" in told
    assert ("other processors" in told) == (processor is not None)
    assert told.endswith("\nNOT verified\n" if code else "\nverified\n")


def test_a_study_goes_on_from_its_export_and_is_exported(capsys, plan, table):
    """All of it is in data/ already: nothing is left to train."""
    trials.save(table, "data/trials.parquet")
    assert main(["study", "plan.toml", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{Path('data', 'trials.parquet')}: 4 rows are taken over",
        "4 of 4 CNNs",
    ]
    assert Path("runs", "plan.journal").is_file()
    assert main(["export", "plan.toml", "--to", "out"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "source   random",
        "dataset        ",
        "digits        4",
        f"4 of 4 rows written to {Path('out', 'trials.parquet')}",
    ]
    exported, recorded = trials.load("out/trials.parquet"), trials.load("data/trials.parquet")
    for frame in (exported, recorded):
        frame["accuracy_per_epoch"] = frame["accuracy_per_epoch"].map(list)
    pd.testing.assert_frame_equal(exported, recorded, check_exact=True)
    fails(capsys, ["export", "plan.toml", "--to", "plan.toml/below"], "Not a directory")
