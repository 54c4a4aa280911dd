"""What tools for hyperparameter search write, and Optuna's and MLflow's storages, as tables."""

import contextlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
import pandas as pd
import sqlalchemy
from optuna.storages.journal import JournalFileBackend, JournalRedisBackend

from hia.files import read_parquet
from hia.ranking import exports, tables
from hia.ranking.sources import JSON, PARQUET, Source, tell
from hia.space import HYPERPARAMETERS

# Tables of Optuna's, ever, and now. Those that are missing Optuna would make.
_OPTUNA = {"studies", "trials", "version_info"}
_OPTUNA_NOW = {*_OPTUNA, "study_directions", "trial_values", "trial_heartbeats"}
_MLFLOW = {"runs", "experiments", "params", "latest_metrics"}
# SMAC's numbers for how a trial ended.
_SMAC = ("running", "success", "crashed", "timeout", "memoryout")


def read_file(path: Path, kinds: set[str], targets: Sequence[str], any_size: bool) -> Source:
    """Of a file, or Ray Tune's folder. Raises ValueError, naming it and what is wrong with it."""
    try:
        if path.is_dir():
            table = _read_ray(path)
        elif kinds & {*PARQUET}:
            tables.check_parquet(path, any_size)
            table = tables.tidy(read_parquet(path))
        elif kinds & {*JSON}:
            content = tables.read_json(path, any_size)
            if isinstance(content, dict) and {"data", "configs"} <= set(content):
                rows = [_smac_row(entry, content["configs"]) for entry in content["data"]]
                table = tables.tidy(pd.DataFrame(rows))
            else:
                table = tables.from_json(content)
        else:
            table = tables.read_csv(path, any_size)
    except (OSError, ValueError, LookupError, TypeError, StopIteration, RecursionError) as error:
        if type(error) is ValueError:
            raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
        raise ValueError(f"{path}: cannot be read ({type(error).__name__}: {error})") from None
    return _complete(str(path), path.name.split(".")[0], table, targets)


def read_journal(source: str, targets: Sequence[str], study: str | None) -> Source:
    """Of a study in a journal of Optuna's: a file, or the URL of a Redis server."""
    is_file = "://" not in source
    password = None if is_file else urlsplit(source).password
    name = source.replace(f":{password}@", ":***@") if password else source
    stem = Path(source).name.split(".")[0] if is_file else "study"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            backend = JournalFileBackend(source) if is_file else JournalRedisBackend(source)
        return _read_study(name, stem, optuna.storages.JournalStorage(backend), targets, study)
    except ImportError:
        raise RuntimeError(f"{name}: needs the package redis: pip install redis") from None
    except Exception as error:  # of a line of another file, or of the driver of a server
        told = str(error) if type(error) is ValueError or not is_file else "is no journal of Optuna"
        raise ValueError(f"{name}: {told}") from None


def read_database(url: str, targets: Sequence[str], study: str | None) -> Source:
    """Of a study in a database of Optuna's or MLflow's. Raises ValueError naming it,
    FileNotFoundError where there is none, and RuntimeError where its driver is not installed."""
    try:
        parsed = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError:
        raise ValueError(f"{url}: is no URL of a database") from None
    name, file = parsed.render_as_string(hide_password=True), parsed.database
    if parsed.get_backend_name() == "sqlite":
        if not (file and Path(file).is_file()):
            raise FileNotFoundError(f"{name}: there is no such file")  # it would be made
        query = {"mode": "ro", "uri": "true"}
        parsed = parsed.set(database=Path(file).resolve().as_uri(), query=query)
    stem = Path(file or "study").name.split(".")[0]
    try:
        with contextlib.ExitStack() as closing:
            engine = sqlalchemy.create_engine(parsed)
            closing.callback(engine.dispose)
            there = set(sqlalchemy.inspect(engine).get_table_names())
            if there >= _MLFLOW:
                connection = closing.enter_context(engine.connect())
                return _complete(name, stem, _read_mlflow(connection, study), targets)
            if not there >= _OPTUNA:
                raise ValueError("is no storage of Optuna or MLflow")
            if not there >= _OPTUNA_NOW:
                raise ValueError("has the tables of an old Optuna: `optuna storage upgrade` a copy")
            storage = optuna.storages.RDBStorage(parsed.render_as_string(hide_password=False))
            closing.callback(storage.engine.dispose)
            return _read_study(name, stem, storage, targets, study)
    except sqlalchemy.exc.SQLAlchemyError as error:  # what the driver says, without the statement
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise ValueError(f"{name}: cannot be read: {reason}") from None
    except ImportError as error:
        raise RuntimeError(f"{name}: its driver is not installed ({error})") from None
    except (ValueError, RuntimeError) as error:  # an old schema is a RuntimeError
        raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None


def _complete(name: str, stem: str, table: pd.DataFrame, targets: Sequence[str]) -> Source:
    """The trials of a table that are complete, and have the targets."""
    table, left_out = exports.finished(table)
    if not targets:
        there = _join(table)
        raise ValueError(f"{name}: say which column to explain by --target; there are {there}")
    for target in targets:
        if target not in table:
            raise ValueError(f"{name}: there is no column {target!r}; there are {_join(table)}")
    if table.empty:
        raise ValueError(f"{name}: no trial is complete ({tell(left_out) or 'it has none'})")
    return Source(name, stem, table, dict.fromkeys(targets), None, left_out)


def _read_study(
    name: str,
    stem: str,
    storage: optuna.storages.BaseStorage,
    targets: Sequence[str],
    of: str | None,
) -> Source:
    from hia.ranking.optuna import read  # of which a table with an error in it need not wait

    names = optuna.get_all_study_names(storage)
    if not names:
        raise ValueError("has no study")
    if of is None and len(names) > 1:
        raise ValueError(f"has {len(names)} studies; name one by --study: {_join(names)}")
    if of is not None and of not in names:
        raise ValueError(f"there is no study {of!r}; there are {_join(names)}")
    study = optuna.load_study(study_name=of or names[0], storage=storage)
    label = f"study {study.study_name!r}"
    numbered = [f"values_{number}" for number in range(len(study.directions))]
    objectives = study.metric_names or (numbered if len(numbered) > 1 else ["value"])
    for target in targets:
        if target not in objectives:
            there = _join(objectives)
            raise ValueError(f"{label}: there is no objective {target!r}; there are {there}")
    states = Counter(trial.state.name.lower() for trial in study.get_trials(deepcopy=False))
    states["failed"] = states.pop("fail", 0)
    states = +states
    if not states.pop("complete", 0):
        raise ValueError(f"{label}: no trial is complete ({tell(states) or 'it has none'})")
    chosen = [objectives.index(target) for target in targets or objectives]
    table, columns = read(study, {objectives[k]: partial(_value, k) for k in chosen})
    large = (study.directions[k] == optuna.study.StudyDirection.MAXIMIZE for k in chosen)
    explained: dict[str, bool | None] = dict(zip(table.columns[-len(chosen) :], large, strict=True))
    declared = None if set(HYPERPARAMETERS) <= set(table) else columns  # Table 1 has no others
    return Source(f"{label} of {name}", stem, table, explained, declared, states)


def _value(k: int, trial: optuna.trial.FrozenTrial) -> float:
    return float(trial.values[k])  # noqa: PD011


def _smac_row(entry: Any, configs: dict[str, Any]) -> dict[str, Any]:
    """SMAC 2.2 writes a record for each trial; 2.0 a list of its values, and 1 two lists."""
    if isinstance(entry, dict):
        keys = ("config_id", "cost", "status", "budget")
        number, cost, status, budget = (entry[key] for key in keys)
    elif isinstance(entry[0], list):
        (number, _, _, budget), (cost, _, status, *_) = entry
    else:
        number, _, _, budget, cost, *rest = entry
        status = next(value for value in rest if isinstance(value, int | dict))
    if isinstance(status, dict):
        status = status["__enum__"].rpartition(".")[2]
    elif isinstance(status, int):
        status = _SMAC[status]
    costs = (
        {f"cost_{k}": c for k, c in enumerate(cost)} if isinstance(cost, list) else {"cost": cost}
    )
    config = {f"config.{name}": value for name, value in configs[str(number)].items()}
    return config | {"budget": budget, "status": status} | costs


def _read_ray(folder: Path) -> pd.DataFrame:
    """The last result of each trial in a folder of Ray Tune."""
    rows = []
    for params in sorted(folder.rglob("params.json")):
        results = params.with_name("result.json")
        lines = results.read_text(encoding="utf-8").split("\n") if results.is_file() else []
        last: dict[str, Any] = {}
        for line in reversed(lines):
            with contextlib.suppress(ValueError):  # cut short, or blank
                last = json.loads(line)
                break
        # Of a trial that was tried again, the errors stay; what it reported then is later.
        errors = [path.read_bytes() for path in params.parent.glob("error.*")]
        failures = re.findall(rb"(?m)^Failure # \d+ \(occurred at (.+)\)", b"\n".join(errors))
        ended = str(last.get("date", "")).encode()
        failed = bool(errors) and not (failures and max(failures) < ended)
        state = "failed" if failed else "complete" if last else "running"
        config = json.loads(params.read_text(encoding="utf-8"))
        rows.append(last | {"config": config, "status": state})
    if not rows:
        raise ValueError("there is no trial of Ray Tune in this folder: no params.json")
    return tables.tidy(pd.json_normalize(rows, sep="/"))


def _read_mlflow(connection: Any, experiment: str | None) -> pd.DataFrame:
    """The runs of an experiment that are not deleted, with their last metrics."""
    runs = pd.read_sql(
        "SELECT runs.run_uuid, runs.status, experiments.name FROM runs JOIN experiments "
        "ON runs.experiment_id = experiments.experiment_id WHERE runs.lifecycle_stage = 'active'",
        connection,
    )
    names = sorted(runs["name"].unique())
    if experiment is None and len(names) != 1:
        raise ValueError(f"has the experiments {_join(names)}: name one by --study")
    if experiment is not None and experiment not in names:
        raise ValueError(f"there is no experiment {experiment!r}; there are {_join(names)}")
    table = runs[runs["name"] == (experiment or names[0])].set_index("run_uuid")[["status"]]
    number = "CASE WHEN is_nan OR abs(value) > 1e308 THEN NULL ELSE value END AS value"
    for kind, of in (("params", "value FROM params"), ("metrics", f"{number} FROM latest_metrics")):
        long = pd.read_sql(f"SELECT run_uuid, key, {of}", connection)
        wide = long.pivot_table("value", "run_uuid", "key", aggfunc="last")
        table = table.join(wide.add_prefix(f"{kind}."))
    return tables.tidy(table.reset_index())


def _join(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "none"
