"""hia.cli: what it prints, its exit codes, and that errors and Ctrl-C are one line."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from faults import trained

import hia.__main__
from hia import trials
from hia.cli import main
from hia.commands import MEAN_TOLERANCE, TOLERANCE
from hia.study import run as study

HIA = [sys.executable, "-c", "import sys; from hia.cli import main; sys.exit(main())"]
PLAN = "[datasets.digits]\nmodels = 10\nmax_images = 200\n"


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Four recorded rows, trained here."""
    return trials.check(pd.DataFrame([trained(number, 200) for number in range(4)]))


def changed(table: pd.DataFrame, shift: float, processor: str | None = None) -> pd.DataFrame:
    """The first row with another accuracy, all rows from another processor if one is given."""
    table = table.copy()
    lists = [list(values) for values in table["accuracy_per_epoch"]]
    lists[0][-1] += shift
    table["accuracy_per_epoch"] = lists
    table["accuracy"] = [values[-1] for values in lists]
    if processor is not None:
        table["processor"] = processor
    return table


# Help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", "study", "rank"])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: hia {command}".rstrip())
    assert "--workers" in printed or command != "study"


@pytest.mark.parametrize("arguments", [["train"], ["study", "a", "--workers", "x"]])
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: hia" in capsys.readouterr().err


def test_the_command_is_installed():
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="hia")
    assert command.load() is hia.__main__.main


# Errors ---------------------------------------------------------------------------------------


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
    "study broken.toml": r"broken\.toml: not valid TOML",
    "study many.toml": "digits: 2,000 images are asked for, there are 1,797",
    "study plan.toml --recorded cut": r"trials\.parquet: not a readable Parquet file",
    "export plan.toml": r"plan\.journal: there is no such storage",
    "verify": r"trials\.parquet: there is no such table; `hia export`",
    "verify --trials cut/trials.parquet": "not a readable Parquet file",
    "verify --trials trials.parquet --sample 0": "sample: 0 is not a positive number",
}


@pytest.mark.parametrize("command", ERRORS)
def test_errors(capsys, plan, table, command):
    Path("broken.toml").write_text("models =")
    Path("many.toml").write_text(PLAN.replace("200", "2000"))
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
        ["bash", "-c", f'ulimit -v 500000; exec "$@" {command}', "bash", *HIA],
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
    with pytest.raises(SystemExit):  # one or the other
        main(["study", "plan.toml", "--workers", "2", "--workers-per-device", "3"])


# Verification ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "processor", "printed", "code"),
    [
        (0, None, "same kind of processor: 4 of 4 rows reproduced to the last bit", 0),
        (1 / 40, None, "same kind of processor: 3 of 4 rows reproduced to the last bit", 1),
        (2 / 40, "another", "largest difference 0.0500 (allowed 0.1), mean", 0),
        (4 * MEAN_TOLERANCE + 0.01, "another", "(allowed 0.1), mean", 1),
        (TOLERANCE + 0.01, "another", "largest difference 0.1100 (allowed 0.1), mean", 1),
    ],
)
def test_recorded_rows_are_verified(
    capsys, monkeypatch, plan, table, shift, processor, printed, code
):
    """To the last bit, with a tolerance on another processor."""
    if shift:  # what the first case trains again
        monkeypatch.setattr(study, "run", lambda *_, **__: None)
        monkeypatch.setattr(study, "export", lambda *_: table)
    changed_table = changed(table, shift, processor)
    trials.save(changed_table, "trials.parquet")
    command = ["verify", "--trials", "trials.parquet", "--device", "cpu", "--to", "verified.csv"]
    assert main(command) == code
    verified = pd.read_csv("verified.csv").set_index("trial")
    assert verified["recorded"].to_dict() == changed_table.set_index("trial")["accuracy"].to_dict()
    assert verified["exact"].all() == (shift == 0)
    told = capsys.readouterr().out
    assert printed in told
    assert "the images were not compared" in told  # the table has no provenance
    assert ("other processors" in told) == (processor is not None)
    assert told.endswith("\nNOT verified\n" if code else "\nverified\n")


# The commands run -----------------------------------------------------------------------------


def test_a_study_goes_on_from_its_export_and_is_exported(capsys, plan, table):
    """All of it is in data/ already: nothing is left to train."""
    plan.write_text(PLAN.replace("10", "4"))
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_ctrl_c_ends_a_study_that_is_starting(plan):
    """It goes to the whole process group, the workers included."""
    process = subprocess.Popen(
        [*HIA, "study", "plan.toml", "--workers", "2", "--device", "cpu"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "0 of 10 CNNs\n"
        time.sleep(1)  # the workers import PyTorch
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)  # ends when no worker is left to write to it
        assert process.returncode == 130
        assert errors == "\nstopped; finished trials are kept, and the same command goes on\n"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
