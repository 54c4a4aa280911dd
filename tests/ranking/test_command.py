"""`hia rank`: what it reads, prints and writes, and its errors."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from hia.cli import main
from hia.ranking import command, methods, report
from hia.ranking.methods import METHODS
from hia.ranking.sources import load
from hia.space import Hyperparameter

RNG = np.random.default_rng(0)
N = 120
QUICK = ["--bootstrap", "3", "--permutations", "9"]


def table() -> pd.DataFrame:
    found = pd.DataFrame(
        {
            "run": [f"run-{number}" for number in range(N)],
            "lr": 10 ** RNG.uniform(-5, -1, N),
            "depth": RNG.choice([2, 4, 8], N),
            "schedule": RNG.choice(["None", "cosine"], N),
            "nesterov": RNG.random(N) < 0.5,
        }
    )
    found["accuracy"] = 0.9 + np.log10(found["lr"]) / 10 + 0.2 * (found["schedule"] == "None")
    return found


TABLE = table()


@pytest.fixture
def csv(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trials.csv"
    TABLE.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> str:
    """Two studies; in the second, losses of two objectives."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = f"sqlite:///{tmp_path_factory.mktemp('storage')}/trials.db"

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("lr", 1e-4, 1e-1, log=True) + trial.suggest_int("epoch", 1, 9)

    sampler = optuna.samplers.RandomSampler(seed=0)
    draft = optuna.create_study(sampler=sampler)
    draft.optimize(objective, n_trials=40)
    kept = optuna.storages.RDBStorage(url)
    one = optuna.create_study(storage=kept, study_name="one", direction="maximize")
    one.add_trials(draft.trials)
    two = optuna.create_study(
        storage=kept, study_name="two", directions=["minimize", "maximize"], sampler=sampler
    )
    two.optimize(lambda trial: (objective(trial), -objective(trial)), n_trials=12)
    kept.engine.dispose()
    optuna.logging.set_verbosity(before)
    return url


# Command ---------------------------------------------------------------------------------------


def test_the_command_prints_columns_and_rankings_and_writes_files(csv, capsys) -> None:
    assert main(["rank", "trials.csv", "--target", "accuracy", *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "120 trials of trials.csv, to explain accuracy" in printed
    assert "float, log" in printed
    assert "inferred: true or false" in printed
    assert "Left out (bookkeeping, by the name): run" in printed
    assert "To change this: --columns NAME..., --drop NAME..., --kind NAME=KIND" in printed
    for method in ("nrrelieff", "fanova"):
        assert METHODS[method].label in printed
        assert METHODS[method].source in printed
    assert "95% interval" in printed
    assert "percentiles of 3 resamples" in printed
    found = pd.read_csv("trials-importance.csv")
    assert found["method"].unique().tolist() == ["nrrelieff", "fanova"]
    assert len(found) == 2 * 4
    assert {"score", "share", "share_low", "share_high", "rank", "p_value", "seconds"} < set(found)
    first = found[found["rank"] == 1].set_index("method")["hyperparameter"]
    assert first["fanova"] == "lr"
    assert Path("trials-importance.png").read_bytes().startswith(b"\x89PNG")


def test_everything_can_be_said_on_the_command_line(csv, capsys, tmp_path) -> None:
    arguments = "--target accuracy --method fanova ped_anova --drop nesterov --kind depth=float "
    arguments += "--log depth --linear lr --missing drop --minimize --seed 3 --out there/mine"
    assert main(["rank", str(csv), *arguments.split(), *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "Left out (dropped): nesterov" in printed
    assert printed.count("declared") == 2
    found = pd.read_csv(tmp_path / "there" / "mine.csv")
    assert found["method"].unique().tolist() == ["fanova", "ped_anova"]
    assert found["hyperparameter"].unique().tolist() == ["lr", "depth", "schedule"]
    assert (tmp_path / "there" / "mine.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nothing.csv --target accuracy", "nothing.csv: there is no such file"),
        ("trials.csv", "trials.csv: say which column to explain by --target; there are run, lr"),
        ("trials.csv --target loss", "trials.csv: there is no column 'loss'; there are run, lr"),
        ("trials.csv --target accuracy --drop x", "trials.csv: there is no column 'x'; there are"),
        ("trials.csv --target accuracy --bootstrap -1", "n_bootstrap=-1 is not a whole number"),
        ("trials.csv --target accuracy --out trials", "--out trials: would replace trials.csv"),
        ("trials.pkl --target accuracy", "trials.pkl: is no folder, no URL of a storage and"),
        ("broken.parquet --target accuracy", "broken.parquet: not a readable Parquet file"),
        ("sqlite:///no.db", "sqlite:///no.db: there is no such file"),
        ("nosuch://host/db", "nosuch://host/db: cannot be read: Can't load plugin"),
        ("://", "://: is no URL of a database"),
    ],
)
def test_errors_are_one_line(csv, tmp_path, capsys, arguments, message) -> None:
    Path("trials.pkl").write_bytes(pickle.dumps(TABLE))
    Path("broken.parquet").write_bytes(b"PAR1 but not really")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["rank", *arguments.split()]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.startswith("hia rank: ")
    assert printed.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_command_knows_all_methods() -> None:
    assert set(METHODS) == set(command.METHODS)


def test_wrong_commands_are_refused_before_anything_slow_is_imported(tmp_path) -> None:
    (tmp_path / "trials.pkl").touch()
    code = (
        "import argparse, sys\n"
        "from hia.ranking import command\n"
        "parser = argparse.ArgumentParser()\n"
        "command.add_parser(parser.add_subparsers())\n"
        "for line in sys.argv[1:]:\n"
        "    try:\n"
        "        options = parser.parse_args(['rank', *line.split()])\n"
        "        options.run(options)\n"
        "    except (SystemExit, ValueError, OSError) as error:\n"
        "        print(error, file=sys.stderr)\n"
        "slow = {'torch', 'pandas', 'sklearn', 'optuna', 'scipy', 'matplotlib'}\n"
        "print('imported:', slow & set(sys.modules))\n"
    )
    lines = [
        "none.csv --target y",
        "trials.pkl --target y",
        "none.csv --target y --method anova",
        "none.csv --target y --kind depth=int",
        "trials.pkl --target y --study one",
        "none.csv --bootstrap x",
        "--help",
    ]
    command = [sys.executable, "-c", code, *lines]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("imported: set()\n")
    errors = [
        "no such file",
        "is no folder",
        "no method 'anova'",
        "--kind depth=int",
        "no studies",
    ]
    for error in [*errors, "invalid int value: 'x'"]:
        assert error in done.stderr


# Files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tsv", "a.csv.gz", "A.CSV", "a.parquet"])
def test_a_file_is_read_by_its_name(tmp_path, name) -> None:
    path = tmp_path / name
    write = TABLE.to_parquet if name == "a.parquet" else partial(TABLE.to_csv, sep="\t")
    write(path, index=False)
    source = load(str(path), ["accuracy"])
    pd.testing.assert_frame_equal(source.table, TABLE, check_exact=False, rtol=1e-15)
    assert source.columns is None


# Storages --------------------------------------------------------------------------------------


def test_a_study_is_read_with_its_distributions_and_direction(storage) -> None:
    found = load(storage, study="one")
    assert found.targets == {"value": True}
    assert found.columns == [
        Hyperparameter("lr", "float", 1e-4, 1e-1, log=True, origin="study"),
        Hyperparameter("epoch", "integer", 1, 9, origin="study"),
    ]
    both = load(storage, study="two")
    assert both.targets == {"values_0": False, "values_1": True}
    assert (both.table["values_0"] == -both.table["values_1"]).all()
    assert load(storage, ["values_1"], "two").targets == {"values_1": True}
    for targets, study, message in (
        ([], None, "has 2 studies; name one by --study: one, two"),
        ([], "three", "there is no study 'three'; there are one, two"),
        (["x"], "one", "study 'one': there is no objective 'x'; there are value"),
    ):
        with pytest.raises(ValueError, match=message):
            load(storage, targets, study)


def test_a_password_is_not_printed(capsys) -> None:
    url = "postgresql://me:" + "sesame" + "@localhost/trials"
    assert main(["rank", url]) == 1
    printed = capsys.readouterr().err
    assert "postgresql://me:***@localhost/trials" in printed
    assert "sesame" not in printed


# Parts -----------------------------------------------------------------------------------------


def test_all_methods_are_those_that_are_installed(csv, capsys, monkeypatch) -> None:
    result = methods.rank(TABLE, "accuracy", ["lr", "depth"], n_bootstrap=0)
    asked: list[str] = []

    def rank(table, target, columns, method, **options):
        asked.append(method)
        return result

    monkeypatch.setattr(methods, "rank", rank)
    monkeypatch.setattr(report, "draw", lambda rankings, path: None)
    main(["rank", str(csv), "--target", "accuracy", "--method", "all"])
    assert asked == [name for name, method in METHODS.items() if method.available()]
    asked.clear()
    limited = dataclasses.replace(METHODS["tunability"], max_columns=1)
    monkeypatch.setitem(METHODS, "tunability", limited)
    main(["rank", str(csv), "--target", "accuracy", "--method", "all"])
    assert "tunability is left out: it takes 1 hyperparameters at most" in capsys.readouterr().out
    assert "tunability" not in asked
    asked.clear()
    main(["rank", str(csv), "--target", "accuracy", "--method", "fanova", "nrrelieff", "fanova"])
    assert asked == ["fanova", "nrrelieff"]


def test_a_method_that_is_not_installed(csv, capsys, monkeypatch) -> None:
    def missing(*arguments, **options):
        raise ImportError("it cannot be used here")

    monkeypatch.setattr(methods, "rank", missing)
    assert main(["rank", str(csv), "--target", "accuracy", "--method", "fanova_package"]) == 1
    assert capsys.readouterr().err == "hia rank: it cannot be used here\n"


def test_without_matplotlib_the_table_is_there(csv, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["rank", "trials.csv", "--target", "accuracy", *QUICK]) == 1
    assert "drawing needs matplotlib: pip install matplotlib" in capsys.readouterr().err
    assert Path("trials-importance.csv").is_file()


def test_ctrl_c_leaves_no_half_of_a_file(csv, monkeypatch) -> None:
    def draw(rankings, path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "draw", draw)
    arguments = ["trials.csv", "--target", "accuracy", "--method", "impurity", *QUICK]
    assert main(["rank", *arguments]) == 130
    assert {path.name for path in csv.parent.iterdir()} == {"trials.csv", "trials-importance.csv"}


# Selections and kinds --------------------------------------------------------------------------


def ranked(folder: Path, table: pd.DataFrame, *arguments: str) -> pd.DataFrame:
    """What the command writes about a table, by functional ANOVA without intervals."""
    table.to_csv(folder / "t.csv", index=False)
    options = ["--method", "fanova", "--bootstrap", "0", "--out", str(folder / "ranking")]
    assert main(["rank", str(folder / "t.csv"), *options, *arguments]) == 0
    return pd.read_csv(folder / "ranking.csv")


def first(found: pd.DataFrame) -> list[str]:
    return found.loc[found["rank"] == 1, "hyperparameter"].tolist()


def search(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"lr": rng.random(n), "depth": rng.integers(1, 9, n)})
    return table.assign(data=np.repeat(["a", "b"], n // 2))


def test_a_ranking_for_each_value_of_a_column(tmp_path, capsys) -> None:
    table = search()
    table["acc"] = np.where(table["data"] == "a", table["lr"], table["depth"] / 8)
    found = ranked(tmp_path, table, "--target", "acc", "--by", "data")
    assert found["group"].unique().tolist() == ["data = a", "data = b"]
    assert first(found) == ["lr", "depth"]
    printed = capsys.readouterr().out
    assert "fANOVA: mean rank over 2 values of data" in printed
    assert printed.count("1.5") == 2
    found = ranked(tmp_path, table, "--target", "acc", "--where", "data = b")
    assert first(found) == ["depth"]


def test_from_a_default_to_a_configuration(csv, capsys, tmp_path) -> None:
    said = ["rank", str(csv), "--target", "accuracy", "--bootstrap", "0", "--out", f"{tmp_path}/a"]
    at = ["--default", "schedule=cosine", "lr=1e-3", "--configuration", "schedule=None", "lr=1e-3"]
    assert main([*said, "--method", "ablation", "nrrelieff", "--neighbors", "9", *at]) == 0
    scores = pd.read_csv(tmp_path / "a.csv").set_index(["method", "hyperparameter"])["score"]
    assert scores["ablation", "schedule"] > 0.1
    assert scores["ablation", "lr"] == 0
    assert "by the number of trials" not in capsys.readouterr().out
    for wrong, message in (
        ("speed=1", "is not NAME=VALUE, with one of lr"),
        ("lr=fast", "--default lr=fast: lr is float, log"),
        ("lr=7", "--default lr=7: lr is float, log"),
    ):
        assert main([*said, "--method", "tunability", "--default", wrong]) == 1
        assert message in capsys.readouterr().err


def test_pairs_are_printed(tmp_path, capsys) -> None:
    table = search().drop(columns="data")
    table["acc"] = (table["lr"] - 0.5) * (table["depth"] - 4.5)
    ranked(tmp_path, table, "--target", "acc", "--pairs")
    lines = map(str.split, capsys.readouterr().out.splitlines())
    (weight,) = (line[2] for line in lines if line[:2] == ["depth", "lr"])
    assert float(weight) > 0.5
    ranked(tmp_path, table.assign(run=table.index % 2), "--target", "acc", "--pairs", "--by", "run")
    assert capsys.readouterr().out.count("Interactions") == 2
    assert len(ranked(tmp_path, table, "--target", "acc", "--columns", "lr", "--pairs")) == 1
    assert "No interactions: pairs are of 2 to 30 hyperparameters" in capsys.readouterr().out


def test_a_blank_is_a_choice_if_it_is_said(tmp_path, capsys) -> None:
    table = search().assign(weight=np.where(np.arange(60) % 3 == 0, "", "balanced"))
    table["layers"] = np.where(np.arange(60) % 2, table["depth"], np.nan)
    table["acc"] = (table["weight"] == "") + 0.5 * table["layers"].isna() + 0.01 * table["lr"]
    assert first(ranked(tmp_path, table, "--target", "acc", "--drop", "data"))[0] != "weight"
    printed = capsys.readouterr().out
    assert "weight has one value only, or none in 33%. If a blank is a choice there" in printed
    assert "layers: where it is blank, acc has the median" in printed
    options = ["--target", "acc", "--drop", "data", "--missing", "level"]
    found = ranked(tmp_path, table, *options).sort_values("rank")
    assert found["hyperparameter"].tolist()[:2] == ["weight", "layers (blank)"]
    assert found["share"].iloc[0] > 0.7


def test_a_loss_is_small_and_the_best_decide(tmp_path, capsys) -> None:
    table = search(200).drop(columns="data")
    table["loss"] = np.where(table["lr"] < 0.15, 0.0, 1 + table["depth"])
    options = ["--target", "loss", "--method", "ped_anova"]
    assert first(ranked(tmp_path, table, *options)) == ["lr"]
    assert "Good is a small loss (assumed by the name" in capsys.readouterr().out
    assert first(ranked(tmp_path, table, *options, "--maximize")) == ["depth"]
    assert main(["rank", "t.csv", "--minimize", "--maximize"]) == 1


def test_text_from_a_table_commands_nothing(tmp_path, capsys) -> None:
    """Neither the terminal, by escapes, nor matplotlib, by its formulas."""
    names = {"lr": "l\x1b[31mr", "depth": r"$\frac{d$"}
    table = search().drop(columns="data").rename(columns=names)
    table["acc"] = table["l\x1b[31mr"]
    table["of"] = [f"\x1b[3{row % 5}m" for row in range(len(table))]  # pictures in two rows
    found = ranked(tmp_path, table, "--target", "acc", "--by", "of", "--method", "nrrelieff")
    assert {*first(found)} == {"l\x1b[31mr"}
    printed, errors = capsys.readouterr()
    assert "\x1b" not in printed + errors
    assert "l\\x1b[31mr" in printed
    assert main(["rank", str(tmp_path / "t.csv"), "--target", "\x1b[2J"]) == 1
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("how", ["head", "ascii"])
def test_output_that_nobody_can_read(tmp_path, how) -> None:
    """The files are written where the reader has gone, or knows no letters outside ASCII."""
    table = search().rename(columns={"lr": "größe"})
    table.assign(acc=table["größe"]).to_csv(tmp_path / "t.csv", index=False)
    arguments = ["rank", "t.csv", "--target", "acc", "--method", "fanova", "--bootstrap", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hia", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if how == "head":
        process.stdout.close()
        process.stdout = None
    printed, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert how == "head" or "gr\\xf6\\xdfe" in printed
    found = pd.read_csv(tmp_path / "t-importance.csv")
    assert first(found) == ["größe"]
    assert (tmp_path / "t-importance.png").is_file()


def test_wide_tables_are_shown_in_part(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{k}": rng.random(40) for k in range(45)})
    found = ranked(tmp_path, table.assign(acc=table["x3"]), "--target", "acc")
    assert len(found) == 45
    assert capsys.readouterr().out.count("... and 15 more") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_it_at_once(tmp_path) -> None:
    search().assign(acc=search()["lr"]).to_csv(tmp_path / "t.csv", index=False)
    arguments = ["rank", "t.csv", "--target", "acc", "--bootstrap", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hia", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("Good is"))
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=60) == -signal.SIGINT
        finally:
            process.kill()
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
