"""What tools write: hyperparameters, results and trials are told apart. Storages are only read.

The files in `exports` are from the tools themselves: mlflow 3.17.2, ray 2.60.0, hyperopt 0.3.0 and
smac 2.4.1. All of them searched accuracy = 1 - 0.1 (log10 lr + 3)^2 + 0.005 depth; where lr was
above 0.08, the trial failed. A Ray trial is one line with its `params.json` and `result.json`.
"""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from invented import search
from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.model_selection import RandomizedSearchCV

from hia.cli import main
from hia.ranking.columns import describe
from hia.ranking.methods import rank
from hia.ranking.sources import load
from hia.space import Hyperparameter

EXPORTS = Path(__file__).parent / "exports"
NAMES = ("lr", "depth", "opt")


def accuracy(lr, depth):
    return 1 - 0.1 * (np.log10(lr) + 3) ** 2 + 0.005 * depth


def ray_trial(folder: Path, results: str, params: str = '{"lr": 1}', error: str = "") -> None:
    folder.mkdir()
    (folder / "params.json").write_text(params)
    (folder / "result.json").write_text(results)
    if error:
        (folder / "error.txt").write_text(error)


def ray_folder(folder: Path) -> Path:
    for number, line in enumerate((EXPORTS / "ray_trials.jsonl").read_text().splitlines()):
        trial = json.loads(line)
        results = "".join(json.dumps(each) + "\n" for each in trial["results"])
        error = "ValueError: diverged" if trial["error"] else ""
        ray_trial(folder / f"train_{number:05}", results, json.dumps(trial["params"]), error)
    return folder


def mlflow_database(folder: Path) -> Path:
    connection = sqlite3.connect(folder / "mlflow.db")
    connection.executescript((EXPORTS / "mlflow.sql").read_text())
    connection.close()
    return folder / "mlflow.db"


def wandb_csv(folder: Path) -> Path:
    """Written after the export of the table of runs in W&B's pages, which no tool makes offline:
    names without prefixes."""
    runs, rng = np.arange(30), np.random.default_rng(0)
    lr, depth = 10 ** rng.uniform(-5, -1, 30), rng.integers(1, 9, 30)
    found = np.where(runs == 4, np.nan, accuracy(lr, depth))
    columns = {
        "Name": [f"sweep-{run}" for run in runs],
        "State": np.where(runs == 4, "crashed", "finished"),
        **{"Notes": "-", "User": "me", "Tags": "", "Runtime": 10 + runs % 7, "Sweep": "x7"},
        "Created": [f"2026-01-01T00:{run:02}:00.000Z" for run in runs],
        **{"lr": lr, "depth": depth, "opt": np.where(runs % 2, "sgd", "adam")},
        **{"_timestamp": 1.7e9 + runs + 0.5, "val_loss": 1 - found, "accuracy": found},
    }
    pd.DataFrame(columns).to_csv(folder / "wandb.csv", index=False, quoting=1)
    return folder / "wandb.csv"


class Model(BaseEstimator):
    def __init__(self, lr=1.0, depth=1, opt="sgd"):
        self.lr, self.depth, self.opt = lr, depth, opt

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return accuracy(self.lr, self.depth)


def scikit_learn_csv(folder: Path) -> Path:
    space = {"lr": loguniform(1e-5, 1e-1), "depth": range(1, 9), "opt": ["adam", "sgd"]}
    found = RandomizedSearchCV(Model(), space, n_iter=25, cv=2, random_state=0).fit(np.eye(4))
    pd.DataFrame(found.cv_results_).to_csv(folder / "cv.csv")
    return folder / "cv.csv"


def copied(name: str):
    return partial(shutil.copy, EXPORTS / name)


@pytest.mark.parametrize(
    ("make", "target", "prefix", "complete", "left_out"),
    [
        (copied("hyperopt.json"), "result.loss", "misc.vals.", 23, {"fail": 1}),
        (copied("hyperopt.csv"), "result.loss", "misc.vals.", 23, {"fail": 1}),
        (copied("mlflow.csv"), "metrics.accuracy", "params.", 15, {"failed": 1}),
        (mlflow_database, "metrics.accuracy", "params.", 15, {"failed": 1}),
        (copied("ray.csv"), "accuracy", "config/", 13, {}),
        (ray_folder, "accuracy", "config/", 13, {"failed": 1}),
        (copied("smac_runhistory.json"), "cost", "config.", 23, {"crashed": 1}),
        (wandb_csv, "accuracy", "", 29, {"crashed": 1}),
        (scikit_learn_csv, "mean_test_score", "param_", 25, {}),
    ],
)
def test_exports(tmp_path, make, target, prefix, complete, left_out) -> None:
    source = load(str(make(tmp_path)), [target])
    columns = describe(source.table, target).columns
    nested = {"depth": "net/depth"} if prefix == "config/" else {}
    assert {column.name for column in columns} == {prefix + nested.get(n, n) for n in NAMES}
    kinds = {column.name.removeprefix(prefix): column.scale for column in columns}
    assert kinds["lr"] == "float, log"
    assert kinds[nested.get("depth", "depth")] == "integer"
    assert len(source.table) == complete
    assert source.left_out == Counter(left_out)
    ranks = rank(source.table, target, columns, "fanova", n_bootstrap=0).table["rank"]
    assert ranks[f"{prefix}lr"] == 1


@pytest.mark.parametrize("name", ["a.tsv", "a.csv.gz", "a.csv.zip", "A.CSV", "a.parquet"])
def test_a_file_is_read_by_its_name(tmp_path, name) -> None:
    table = search(20)
    write = table.to_parquet if name == "a.parquet" else partial(table.to_csv, sep="\t")
    write(tmp_path / name, index=False)
    source = load(str(tmp_path / name), ["accuracy"])
    pd.testing.assert_frame_equal(source.table, table, check_exact=False, rtol=1e-15)
    assert source.columns is None


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    """Of two objectives; some trials have failed, and one runs."""

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        depth = trial.suggest_int("depth", 1, 8)
        trial.suggest_categorical("opt", ["adam", "sgd"])
        if lr > 0.05:
            raise ValueError
        return float(np.log10(lr)) + 0.01 * depth, float(depth)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, 40, catch=ValueError)
    study.ask()
    return study


@pytest.fixture(scope="module")
def database(tmp_path_factory, study) -> Path:
    """Studies of one and of two objectives, one whose parameter is called value, a failed one."""
    path = tmp_path_factory.mktemp("storage") / "trials.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")

    def create(name: str, **options) -> optuna.Study:
        return optuna.create_study(storage=storage, study_name=name, **options)

    create("two", directions=study.directions).add_trials(study.trials[:5])
    one = create("one", direction="maximize")
    one.optimize(lambda t: t.suggest_float("lr", 1e-4, 1, log=True) * t.suggest_int("n", 1, 9), 3)
    create("value").optimize(lambda trial: trial.suggest_float("value", 0, 1), 3)
    create("failed").optimize(lambda trial: float("nan"), 3)
    storage.engine.dispose()
    return path


def test_studies_of_a_database(database) -> None:
    url = f"sqlite:///{database}"
    one = load(url, study="one")
    assert one.targets == {"value": True}
    assert one.columns == [
        Hyperparameter("lr", "float", 1e-4, 1, log=True, origin="study"),
        Hyperparameter("n", "integer", 1, 9, origin="study"),
    ]
    assert load(str(database), study="two").targets == {"values_0": False, "values_1": True}
    assert load(url, ["values_1"], "two").targets == {"values_1": True}
    value = load(url, ["value"], "value")  # a parameter and an objective of one name
    assert value.targets == {"value_": False}
    np.testing.assert_array_equal(value.table["value"], value.table["value_"])
    for targets, name, message in (
        ([], None, "has 4 studies; name one by --study: "),
        ([], "three", "there is no study 'three'; there are "),
        (["x"], "one", "study 'one': there is no objective 'x'; there are value"),
        ([], "failed", r"study 'failed': no trial is complete \(3 failed\)"),
    ):
        with pytest.raises(ValueError, match=message):
            load(url, targets, name)


def test_optuna_table_and_journal(tmp_path, study, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    study.trials_dataframe().to_csv("trials.csv", index=False)
    table = load("trials.csv", ["values_0"])
    columns = describe(table.table, "values_0").columns
    assert [column.name for column in columns] == [f"params_{name}" for name in sorted(NAMES)]
    failed = sum(trial.state.name == "FAIL" for trial in study.trials)
    assert table.left_out == Counter({"fail": failed, "running": 1})

    backend = optuna.storages.journal.JournalFileBackend("study.log")
    storage = optuna.storages.JournalStorage(backend)
    kept = optuna.create_study(storage=storage, directions=study.directions)
    kept.add_trials(study.trials)
    journal = load("study.log")
    assert journal.targets == {"values_0": False, "values_1": True}
    assert journal.left_out == Counter({"failed": failed, "running": 1})
    # All objectives at once, each in the direction that the study has.
    options = ["--method", "fanova", "--bootstrap", "0", "--out", "both"]
    assert main(["rank", "study.log", *options]) == 0
    printed = capsys.readouterr().out
    assert "Trials left out: " in printed
    assert "Good is a small values_0 (the study says so)." in printed
    both = pd.read_csv("both.csv")
    first = both[both["rank"] == 1].set_index("target")["hyperparameter"]
    assert first.to_dict() == {"values_0": "lr", "values_1": "depth"}


def test_what_only_reads_never_writes(tmp_path, database) -> None:
    create = "CREATE TABLE {} (x INTEGER)".format
    shutil.copy(database, tmp_path / "older.db")
    for name, statements in (
        ("old", map(create, ("studies", "trials", "version_info"))),
        ("app", [create("studies")]),
        ("older", ["UPDATE alembic_version SET version_num = 'v1.3.0.a'"]),
    ):
        with contextlib.closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection, connection:
            connection.executescript(";".join(statements))
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.iterdir()}
    for name, message in (
        ("old", "old.db: has the tables of an old Optuna"),
        ("app", "app.db: is no storage of Optuna or MLflow"),
        ("older", "older.db: .*optuna storage upgrade"),
    ):
        with pytest.raises(ValueError, match=message):
            load(f"sqlite:///{tmp_path}/{name}.db")
    after = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.iterdir()}
    assert after == before


@pytest.fixture
def redis_server(tmp_path):
    """The URL of a server of its own; skipped where Redis or its driver are not installed."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    socket = f"{tmp_path}/redis.sock"
    command = [program, "--port", "0", "--unixsocket", socket, "--save", ""]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "ready to accept connections" in line.lower())
        yield f"unix://{socket}"
        process.terminate()


def test_redis(redis_server, study) -> None:
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        backend = optuna.storages.journal.JournalRedisBackend(redis_server)
    storage = optuna.storages.JournalStorage(backend)
    kept = optuna.create_study(storage=storage, directions=study.directions)
    kept.add_trials(study.trials)
    source = load(redis_server)
    assert source.targets == {"values_0": False, "values_1": True}
    assert len(source.table) + source.left_out.total() == len(study.trials)
    assert [column.name for column in source.columns or ()] == list(NAMES)


def test_redis_needs_its_driver_or_a_server() -> None:
    """And the error has no password."""
    message = r"^redis://:\*\*\*@localhost:1/0: "
    with pytest.raises((RuntimeError, ValueError), match=message) as told:
        load("redis://:sesame@localhost:1/0")
    assert "sesame" not in str(told.value)


@pytest.mark.parametrize(
    ("column", "values", "left_out"),
    [
        ("status", ["done"] * 36 + ["OOM", "diverged", "CANCELLED by 7", "NODE_FAIL"], 4),
        ("trial.State", ["TrialState.COMPLETE"] * 38 + ["TrialState.PRUNED", "TrialState.FAIL"], 2),
        ("trial_state", ["COMPLETE"] * 39 + ["RUNNING"], 1),
        ("Status", ["Succeeded"] * 39 + ["InProgress"], 1),
        ("TrainingJobStatus", ["Completed"] * 38 + ["Stopped", "Failed"], 2),
        ("outcome", ["success"] * 39 + ["failure"], 1),
        ("is_failed", [0] * 37 + [1] * 3, 3),
        ("state", ["Ohio", "Iowa"] * 20, 0),
        ("failed", [False] * 37 + [True] * 3, 3),
        ("done", [True] * 37 + [False] * 3, 3),
        ("done", [False] * 40, 0),
    ],
)
def test_incomplete_trials_are_left_out_and_counted(tmp_path, column, values, left_out) -> None:
    pd.DataFrame({"lr": range(40), column: values, "acc": 0.5}).to_csv(tmp_path / "t.csv")
    source = load(str(tmp_path / "t.csv"), ["acc"])
    assert source.table["lr"].tolist() == list(range(40 - left_out))
    assert source.left_out.total() == left_out
    pd.DataFrame({"lr": [1, 2], "status": "FAILED", "acc": 0.1}).to_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match=r"t\.csv: no trial is complete \(2 failed\)"):
        load(str(tmp_path / "t.csv"), ["acc"])


def test_a_trial_that_ray_has_stopped_is_complete(tmp_path) -> None:
    """It says `done` then; a function that ends by itself does not."""
    rows = {"config/lr": [1, 2], "done": [True, False], "training_iteration": [1, 9], "acc": 0.5}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv")
    assert not load(str(tmp_path / "t.csv"), ["acc"]).left_out
    ray_trial(tmp_path / "a", '{"acc": 1}\n{"ac')
    ray_trial(tmp_path / "b", '{"acc": 2}\n')
    assert load(str(tmp_path), ["acc"]).table["acc"].tolist() == [1, 2]


def test_a_trial_of_ray_that_was_tried_again(tmp_path) -> None:
    """The error stays in its folder; in its last result is a later date."""
    error = "Failure # 1 (occurred at 2026-05-01_10-00-00)\nValueError: diverged\n"
    for name, date in (("again", "2026-05-01_10-00-09"), ("failed", "2026-05-01_09-59-59")):
        ray_trial(tmp_path / name, json.dumps({"acc": name, "date": date}), error=error)
    source = load(str(tmp_path), ["acc"])
    assert source.table["acc"].tolist() == ["again"]
    assert source.left_out == Counter(failed=1)


def test_what_is_no_number_in_mlflow_is_missing(tmp_path) -> None:
    """It writes 0 with a mark, and the largest number for infinity."""
    path = mlflow_database(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        ids = [row[0] for row in connection.execute("SELECT DISTINCT run_uuid FROM latest_metrics")]
        set_to = "UPDATE latest_metrics SET value = ?, is_nan = ? WHERE run_uuid = ?"
        connection.execute(set_to, (0, 1, ids[0]))
        connection.execute(set_to, (-1.7976931348623157e308, 0, ids[1]))
    values = load(str(path), ["metrics.accuracy"]).table["metrics.accuracy"]
    assert values.isna().sum() == 2
    assert values.min() > 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "a.json: cannot be read"),
        ("a.json", "[" * 100_000, "a.json: cannot be read"),
        ("a.json", '{"data": [1], "configs": {}}', "a.json: cannot be read"),
        ("a.json", "[1, 2]", "a.json: is neither a list of records nor lists by name"),
        ("a.json", '{"a": [1], "b": [1, 2]}', r"a.json: has lists of different lengths \(a: 1, b"),
        ("a.journal", "{}\n", "a.journal: is no journal of Optuna"),
        ("b.journal", "", "b.journal: has no study"),
        ("a.db", "text", "a.db: cannot be read: file is not a database"),
    ],
)
def test_damaged_sources(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load(str(tmp_path / name), ["y"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no trial of Ray Tune in this folder"):
        load(str(tmp_path / "empty"), ["y"])


@pytest.mark.parametrize(
    "text",
    [
        '{"lr": 0.1, "y": 1}\n{"lr": "0.2", "y": 2}\n',
        '[{"lr": 0.1, "y": 1}, {"lr": "0.2", "y": 2}]',
        '{"lr": [0.1, 0.2], "y": [1, 2]}',
        '{"lr": {"0": 0.1, "1": 0.2}, "y": {"0": 1, "1": 2}}',
        '{"columns": ["lr", "y"], "index": [0, 1], "data": [[0.1, 1], [0.2, 2]]}',
        '{"trials": [{"lr": 0.1, "y": 1}, {"lr": "0.2", "y": 2}]}',
    ],
)
def test_records_in_json(tmp_path, text) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    source = load(str(path), ["y"])
    assert source.table.to_dict("list") == {"lr": [0.1, 0.2], "y": [1, 2]}
