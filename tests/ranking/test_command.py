"""`hia rank`: what it prints and writes, and its errors."""

import dataclasses
import io
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from invented import search

from hia.cli import main
from hia.ranking import command, methods, report
from hia.ranking.methods import METHODS

N = 60
TABLE = search(N).assign(run=[f"run-{k}" for k in range(N)], nesterov=np.arange(N) % 3 == 0)
FANOVA = ["--method", "fanova", "--bootstrap", "0"]
TWO = TABLE[["lr", "idle"]].assign(data=np.repeat(["a", "b"], N // 2))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("trials.csv", index=False)
    return tmp_path


def ranked(table: pd.DataFrame, *arguments: str) -> pd.DataFrame:
    """What the command writes about a table, by functional ANOVA without intervals."""
    table.to_csv("t.csv", index=False)
    assert main(["rank", "t.csv", *FANOVA, "--target", "acc", *arguments]) == 0
    return pd.read_csv("t-importance.csv")


def first(table: pd.DataFrame) -> list[str]:
    return table.loc[table["rank"] == 1, "hyperparameter"].tolist()


def started(*arguments: str) -> subprocess.Popen:
    command, pipe = [sys.executable, "-m", "hia", "rank", *arguments], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def test_the_command_prints_columns_and_rankings_and_writes_files(capsys) -> None:
    quick = ["--bootstrap", "3", "--permutations", "9"]
    assert main(["rank", "trials.csv", "--target", "accuracy", *quick]) == 0
    printed = capsys.readouterr().out
    words = ["60 trials of trials.csv, to explain accuracy", "inferred: true or false"]
    words += ["Left out (bookkeeping, by the name): run", "percentiles of 3 resamples"]
    words += [of for m in ("nrrelieff", "fanova") for of in (METHODS[m].label, METHODS[m].source)]
    assert [each for each in words if each not in printed] == []
    found = pd.read_csv("trials-importance.csv")
    assert found["method"].unique().tolist() == ["nrrelieff", "fanova"]
    assert len(found) == 2 * 5
    assert {"score", "share", "share_low", "share_high", "rank", "p_value", "seconds"} < set(found)
    assert first(found) == ["lr", "lr"]
    assert Path("trials-importance.png").read_bytes().startswith(b"\x89PNG")


def test_everything_can_be_said_on_the_command_line(capsys) -> None:
    arguments = "--target accuracy --method fanova ped_anova --drop nesterov spare --missing drop "
    arguments += "--kind idle=float --log idle --linear lr --minimize --seed 3 --out there/mine "
    assert main(["rank", "trials.csv", *arguments.split(), "--bootstrap", "3"]) == 0
    printed = capsys.readouterr().out
    assert "Left out (dropped): nesterov, spare" in printed
    assert printed.count("declared") == 2
    found = pd.read_csv("there/mine.csv")
    assert found["method"].unique().tolist() == ["fanova", "ped_anova"]
    assert found["hyperparameter"].unique().tolist() == ["lr", "optimizer", "idle"]
    assert Path("there/mine.png").is_file()


ERRORS = {
    "nothing.csv --target accuracy": "nothing.csv: there is no such file",
    "trials.csv": "trials.csv: say which column to explain by --target; there are lr, optimizer",
    "trials.csv --target loss": "trials.csv: there is no column 'loss'; there are lr, optimizer",
    "trials.csv --target accuracy --drop x": "trials.csv: there is no column 'x'; there are lr",
    "trials.csv --target accuracy --bootstrap -1": "n_bootstrap=-1 is not a whole number",
    "trials.csv --target accuracy --out trials": "--out trials: would replace trials.csv",
    "trials.csv --minimize --maximize": "--minimize and --maximize",
    "trials.csv --method anova": "no method 'anova'",
    "trials.csv --kind idle=int": "--kind idle=int: is not NAME=KIND",
    "trials.csv --study one": "trials.csv: a file has no studies",
    "trials.pkl --target accuracy": "trials.pkl: is no folder, no URL of a storage and",
    "broken.parquet --target accuracy": "broken.parquet: not a readable Parquet file",
    "sqlite:///no.db": "sqlite:///no.db: there is no such file",
    "nosuch://host/db": "nosuch://host/db: cannot be read: Can't load plugin",
    "://": "://: is no URL of a database",
    "postgresql://me:sesame@localhost/trials": "postgresql://me:***@localhost/trials",
}


@pytest.mark.parametrize("arguments", ERRORS)
def test_errors_are_one_line(folder, capsys, arguments) -> None:
    Path("trials.pkl").write_bytes(pickle.dumps(TABLE))
    Path("broken.parquet").write_bytes(b"PAR1 but not really")
    before = sorted(folder.iterdir())
    assert main(["rank", *arguments.split()]) == 1
    printed = capsys.readouterr().err
    assert ERRORS[arguments] in printed
    assert printed.startswith("hia rank: ")
    assert printed.count("\n") == 1
    assert "sesame" not in printed
    assert sorted(folder.iterdir()) == before


def test_wrong_commands_are_refused_before_anything_slow_is_imported() -> None:
    code = (
        "import sys\n"
        "from hia.cli import main\n"
        "for line in sys.argv[1:]:\n"
        "    assert main(['rank', *line.split()]) == 1\n"
        "print({'torch', 'pandas', 'sklearn', 'optuna', 'scipy', 'matplotlib'} & set(sys.modules))"
    )
    lines = ["none.csv --target y", "trials.csv --method anova", "trials.csv --kind depth=int"]
    lines += ["command.py --target y", "trials.csv --target y --study one"]
    Path("command.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", code, *lines], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
    assert len(done.stderr.splitlines()) == len(lines)


def test_all_methods_are_those_that_are_installed(capsys, monkeypatch) -> None:
    assert set(METHODS) == set(command.METHODS)
    result = methods.rank(TABLE, "accuracy", ["lr", "idle"], n_bootstrap=0)
    monkeypatch.setattr(methods, "rank", rank := Mock(return_value=result))

    def methods_asked(*names: str) -> list[str]:
        rank.reset_mock()
        assert main(["rank", "trials.csv", "--target", "accuracy", "--method", *names]) == 0
        return [call.args[3] for call in rank.call_args_list]

    monkeypatch.setattr(report, "draw", lambda rankings, path: Path(path).touch())
    installed = [name for name, method in METHODS.items() if method.available()]
    assert methods_asked("all") == installed
    assert methods_asked("fanova", "nrrelieff", "fanova") == ["fanova", "nrrelieff"]
    limited = dataclasses.replace(METHODS["tunability"], max_columns=1)
    monkeypatch.setitem(METHODS, "tunability", limited)
    assert methods_asked("all") == [name for name in installed if name != "tunability"]
    assert "tunability is left out: it takes 1 hyperparameters at most" in capsys.readouterr().out


def test_what_is_not_installed_is_said(capsys, monkeypatch) -> None:
    missing = Mock(side_effect=ImportError("it cannot be used here"))
    arguments = ["rank", "trials.csv", "--target", "accuracy", *FANOVA]
    with monkeypatch.context() as patch:
        patch.setattr(methods, "rank", missing)
        assert main(arguments) == 1
        assert capsys.readouterr().err == "hia rank: it cannot be used here\n"
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(arguments) == 1
    assert "drawing needs matplotlib: pip install matplotlib" in capsys.readouterr().err
    assert Path("trials-importance.csv").is_file()  # the table is there all the same


def test_ctrl_c_leaves_no_half_of_a_file(folder, monkeypatch) -> None:
    def draw(rankings, path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "draw", draw)
    assert main(["rank", "trials.csv", "--target", "accuracy", *FANOVA]) == 130
    assert {path.name for path in folder.iterdir()} == {"trials.csv", "trials-importance.csv"}


def test_a_ranking_for_each_value_of_a_column(capsys) -> None:
    table = TWO.assign(acc=np.where(TWO["data"] == "a", np.log10(TWO["lr"]), TWO["idle"] / 16))
    found = ranked(table, "--by", "data")
    assert found["group"].unique().tolist() == ["data = a", "data = b"]
    assert first(found) == ["lr", "idle"]
    printed = capsys.readouterr().out
    assert "fANOVA: mean rank over 2 values of data" in printed
    assert printed.count("1.5") == 2
    assert first(ranked(table, "--where", "data = b")) == ["idle"]


def test_from_a_default_to_a_configuration(capsys) -> None:
    table = TABLE.assign(accuracy=TABLE["nesterov"] + TABLE["accuracy"])
    table.to_csv("trials.csv", index=False)
    said = ["rank", "trials.csv", "--target", "accuracy", "--bootstrap", "0", "--out", "a"]
    at = ["--default", "nesterov=False", "lr=1e-3", "--configuration", "nesterov=True", "lr=1e-3"]
    assert main([*said, "--method", "ablation", "nrrelieff", "--neighbors", "9", *at]) == 0
    scores = pd.read_csv("a.csv").set_index(["method", "hyperparameter"])["score"]
    assert scores["ablation", "nesterov"] > 0.5
    assert scores["ablation", "lr"] == 0
    assert "by the number of trials" not in capsys.readouterr().out
    for wrong, message in (
        ("speed=1", "is not NAME=VALUE, with one of lr"),
        ("lr=fast", "--default lr=fast: lr is float, log"),
        ("lr=7", "--default lr=7: lr is float, log"),
    ):
        assert main([*said, "--method", "tunability", "--default", wrong]) == 1
        assert message in capsys.readouterr().err


def test_pairs_are_printed(capsys) -> None:
    table = TWO.assign(acc=((TWO["lr"] > 1e-3) ^ (TWO["idle"] > 32)).astype(float))
    ranked(table, "--drop", "data", "--pairs")
    lines = map(str.split, capsys.readouterr().out.splitlines())
    (weight,) = (line[2] for line in lines if line[:2] in (["idle", "lr"], ["lr", "idle"]))
    assert float(weight) > 0.5
    ranked(table, "--pairs", "--by", "data")
    assert capsys.readouterr().out.count("Interactions") == 2
    assert len(ranked(table, "--columns", "lr", "--pairs")) == 1
    assert "No interactions: pairs are of 2 to 30 hyperparameters" in capsys.readouterr().out


def test_a_blank_is_a_choice_if_it_is_said(capsys) -> None:
    table = TWO.assign(weight=np.where(np.arange(N) % 3 == 0, "", "balanced"))
    table["layers"] = np.where(np.arange(N) % 2, table["idle"], np.nan)
    table["acc"] = (table["weight"] == "") + 0.5 * table["layers"].isna() + 0.1 * table["lr"]
    assert first(ranked(table, "--drop", "data"))[0] != "weight"
    printed = capsys.readouterr().out
    assert "weight has one value only, or none in 33%. If a blank is a choice there" in printed
    assert "layers: where it is blank, acc is distributed otherwise" in printed
    found = ranked(table, "--drop", "data", "--missing", "level").sort_values("rank")
    assert found["hyperparameter"].tolist()[:2] == ["weight", "layers (blank)"]
    assert found["share"].iloc[0] > 0.7


def test_a_loss_is_small_and_the_best_decide(capsys) -> None:
    table = search(100)[["lr", "idle"]]
    table["loss"] = np.where(table["lr"] < 4e-5, 0.0, 1 + table["idle"])
    table.to_csv("t.csv", index=False)
    said = ["rank", "t.csv", "--target", "loss", "--method", "ped_anova", "--bootstrap", "0"]
    assert main(said) == 0
    assert "Good is a small loss (assumed by the name" in capsys.readouterr().out
    assert first(pd.read_csv("t-importance.csv")) == ["lr"]
    assert main([*said, "--maximize"]) == 0
    assert first(pd.read_csv("t-importance.csv")) == ["idle"]


def test_text_from_a_table_commands_nothing(capsys) -> None:
    """Neither the terminal, by escapes, nor matplotlib, by its formulas."""
    table = TWO.rename(columns={"lr": "l\x1b[31mr", "idle": r"$\frac{d$"})
    table["data"] = [f"\x1b[3{row % 5}m" for row in range(N)]  # pictures in two rows
    table["acc"] = np.log(TWO["lr"])
    found = ranked(table, "--by", "data", "--method", "nrrelieff")
    assert {*first(found)} == {"l\x1b[31mr"}
    printed, errors = capsys.readouterr()
    assert "\x1b" not in printed + errors
    assert "l\\x1b[31mr" in printed
    assert main(["rank", "t.csv", "--target", "\x1b[2J"]) == 1
    assert "\x1b" not in capsys.readouterr().err


def test_output_that_nobody_reads_or_can_read(monkeypatch) -> None:
    """The files are written where the reader has gone, or knows no letters outside ASCII."""
    table = TWO.rename(columns={"lr": "größe"}).assign(acc=np.log(TWO["lr"]))
    printed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", printed)
        assert first(ranked(table)) == ["größe"]
    printed.seek(0)
    assert "gr\\xf6\\xdfe" in printed.read()
    process = started("t.csv", "--target", "acc", *FANOVA, "--out", "gone")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert Path("gone.csv").is_file()
    assert Path("gone.png").is_file()


def test_wide_tables_are_shown_in_part(capsys) -> None:
    table = pd.DataFrame(np.random.default_rng(0).random((20, 45))).add_prefix("x")
    assert len(ranked(table.assign(acc=table["x3"]))) == 45
    assert capsys.readouterr().out.count("... and 15 more") == 2


def test_a_log_gets_a_line_of_progress_now_and_then(folder) -> None:
    """What tqdm reads when it is imported, which Optuna does."""
    search = "import os, sys; from hia.ranking import command, sources\n"
    search += "sources.load = lambda *_: sys.exit(os.environ['TQDM_MININTERVAL'])\n"
    search += "import hia.cli; hia.cli.main(['rank', 'trials.csv', '--target', 'accuracy'])"
    done = subprocess.run([sys.executable, "-c", search], capture_output=True, text=True)
    assert done.stderr.strip() == "30"


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_it_at_once(folder) -> None:
    with started("trials.csv", "--target", "accuracy", "--bootstrap", "100000") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("Good is"))
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=60) == -signal.SIGINT
        finally:
            process.kill()
    assert [path.name for path in folder.iterdir()] == ["trials.csv"]
