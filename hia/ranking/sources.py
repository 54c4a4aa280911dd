"""Where tables of trials come from: files, folders, and studies in storages."""

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hia.space import HYPERPARAMETERS, Hyperparameter

if TYPE_CHECKING:  # what a command with an error in it need not wait for
    import optuna
    import pandas as pd
    import sqlalchemy

_TABLES = (".csv", ".tsv", ".txt")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_PARQUET = (".parquet", ".pq")
_JSON = (".json", ".jsonl", ".ndjson")
_JOURNALS = (".journal", ".log")
_KINDS = ", ".join((*_TABLES, *_PARQUET, *_JSON, *_JOURNALS, *_DATABASES))
# Tables of Optuna's, ever, and now. Those that are missing Optuna would make.
_OPTUNA = {"studies", "trials", "version_info"}
_OPTUNA_NOW = {*_OPTUNA, "study_directions", "trial_values", "trial_heartbeats"}
_MLFLOW = {"runs", "experiments", "params", "latest_metrics"}


@dataclass(frozen=True)
class Source:
    """A table of trials, and what it says of itself.

    name: for people. stem: of files that are made of it. targets: the columns to explain, and
    whether a large value is good, where that is known. columns: the hyperparameters, where they are
    declared. left_out: how many trials are not complete, by their state.
    """

    name: str
    stem: str
    table: "pd.DataFrame"
    targets: dict[str, bool | None]
    columns: list[Hyperparameter] | None = None
    left_out: Counter[str] = field(default_factory=Counter)


def load(
    source: str, targets: Sequence[str] = (), study: str | None = None, any_size: bool = False
) -> Source:
    """The complete trials in a file, in a folder of Ray Tune, or of a study in a storage.

    source: a CSV file (.csv, .tsv or .txt, also compressed, as .csv.gz), Parquet, JSON (records,
    Hyperopt's trials, SMAC's runhistory.json), a journal file of Optuna's, a folder of Ray Tune, or
    a database of Optuna's or MLflow's: a file that ends in .db, or a URL, such as
    sqlite:///trials.db or, of a journal, redis://host:6379. targets: the columns to explain; of a
    study of Optuna's, by default its objectives. study: the name of the study or of MLflow's
    experiment, where a storage has several. any_size: read what is above the limits of
    `hia.ranking.tables`.
    Nothing in it is executed, and nothing is written. Raises FileNotFoundError, and ValueError for
    what cannot be read.
    """
    if "://" not in source:
        path = Path(source)
        if not path.exists():
            raise FileNotFoundError(f"{source}: there is no such file")
        if path.suffix.lower() not in (*_DATABASES, *_JOURNALS):
            return _from_file(path, targets, study, any_size)
    if source.lower().endswith(_JOURNALS) or source.startswith(
        ("redis://", "rediss://", "unix://")
    ):
        return _from_journal(source, targets, study)
    url = source if "://" in source else f"sqlite:///{source}"
    return _from_database(url, targets, study)


def _from_file(path: Path, targets: Sequence[str], study: str | None, any_size: bool) -> Source:
    if study is not None:
        raise ValueError(f"{path}: a file has no studies; --study belongs to a storage")
    kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
    if not (path.is_dir() or kinds & {*_TABLES, *_JSON, *_PARQUET}):
        raise ValueError(f"{path}: is no folder, no URL of a storage and none of {_KINDS}")

    from hia.files import read_parquet
    from hia.ranking import exports, tables

    try:
        if path.is_dir():
            table = exports.read_ray(path)
        elif kinds & {*_PARQUET}:
            tables.check_parquet(path, any_size)
            table = tables.tidy(read_parquet(path))
        elif kinds & {*_JSON}:
            table = exports.from_any_json(tables.read_json(path, any_size))
        else:
            table = tables.read_csv(path, any_size)
    except (OSError, ValueError, KeyError, RecursionError) as error:
        if type(error) is ValueError:
            raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
        raise ValueError(f"{path}: cannot be read ({type(error).__name__}: {error})") from None
    return _complete(str(path), path.name.split(".")[0], table, targets)


def _complete(name: str, stem: str, table: "pd.DataFrame", targets: Sequence[str]) -> Source:
    """The trials of a table that are complete, and have the targets."""
    from hia.ranking import exports

    table, left_out = exports.finished(table)
    columns = _join(table.columns)
    if not targets:
        raise ValueError(f"{name}: say which column to explain by --target; there are {columns}")
    for target in targets:
        if target not in table:
            raise ValueError(f"{name}: there is no column {target!r}; there are {columns}")
    if table.empty:
        raise ValueError(f"{name}: no trial is complete ({tell(left_out) or 'it has none'})")
    return Source(name, stem, table, dict.fromkeys(targets), left_out=left_out)


def tell(counts: Counter[str]) -> str:
    """How many trials are in which state."""
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))


def _from_journal(source: str, targets: Sequence[str], study: str | None) -> Source:
    """Of a study in a journal of Optuna's: a file, or the URL of a Redis server."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalRedisBackend

    is_file = "://" not in source
    password = None if is_file else urlsplit(source).password
    name = source.replace(f":{password}@", ":***@") if password else source
    stem = Path(source).name.split(".")[0] if is_file else "study"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            backend = JournalFileBackend(source) if is_file else JournalRedisBackend(source)
        return _read_study(name, stem, JournalStorage(backend), targets, study)
    except ImportError:
        raise RuntimeError(f"{name}: needs the package redis: pip install redis") from None
    except Exception as error:  # of a line of another file, or of the driver of a server
        told = str(error) if type(error) is ValueError or not is_file else "is no journal of Optuna"
        raise ValueError(f"{name}: {told}") from None


def _from_database(url: str, targets: Sequence[str], study: str | None) -> Source:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        parsed = sqlalchemy.make_url(url)
    except ArgumentError:
        raise ValueError(f"{url}: is no URL of a database") from None
    name = parsed.render_as_string(hide_password=True)
    file = parsed.database
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
                from hia.ranking import exports

                connection = closing.enter_context(engine.connect())
                table = exports.read_mlflow(connection, study)
                return _complete(name, stem, table, targets)
            if not there >= _OPTUNA:
                raise ValueError("is no storage of Optuna or MLflow")
            if not there >= _OPTUNA_NOW:
                raise ValueError("has the tables of an old Optuna: `optuna storage upgrade` a copy")
            import optuna

            storage = optuna.storages.RDBStorage(parsed.render_as_string(hide_password=False))
            closing.callback(storage.engine.dispose)
            return _read_study(name, stem, storage, targets, study)
    except SQLAlchemyError as error:
        raise ValueError(f"{name}: cannot be read: {_reason(error)}") from None
    except ImportError as error:
        raise RuntimeError(f"{name}: its driver is not installed ({error})") from None
    except (ValueError, RuntimeError) as error:  # an old schema is a RuntimeError
        raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None


def _reason(error: "sqlalchemy.exc.SQLAlchemyError") -> str:
    """The first line of what a driver says, without the statement."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def _read_study(
    name: str,
    stem: str,
    storage: "optuna.storages.BaseStorage",
    targets: Sequence[str],
    of: str | None,
) -> Source:
    import optuna

    from hia.ranking.optuna import read

    names = optuna.get_all_study_names(storage)
    if not names:
        raise ValueError("has no study")
    if of is None and len(names) > 1:
        raise ValueError(f"has {len(names)} studies; name one by --study: {_join(names)}")
    if of is not None and of not in names:
        raise ValueError(f"there is no study {of!r}; there are {_join(names)}")
    study = optuna.load_study(study_name=of or names[0], storage=storage)
    count = len(study.directions)
    objectives = study.metric_names or (
        ["value"] if count == 1 else [f"values_{number}" for number in range(count)]
    )
    for target in targets:
        if target not in objectives:
            raise ValueError(
                f"study {study.study_name!r}: there is no objective {target!r}; there are "
                f"{_join(objectives)}"
            )
    states = Counter(trial.state.name.lower() for trial in study.get_trials(deepcopy=False))
    states["failed"] = states.pop("fail", 0)
    states = +states
    if not states.pop("complete", 0):
        raise ValueError(
            f"study {study.study_name!r}: no trial is complete ({tell(states) or 'it has none'})"
        )
    chosen = [objectives.index(target) for target in targets or objectives]

    def value(k: int) -> Callable[["optuna.trial.FrozenTrial"], float]:
        return lambda trial: float(trial.values[k])  # noqa: PD011

    table, columns = read(study, {objectives[k]: value(k) for k in chosen})
    of_table1 = set(HYPERPARAMETERS) <= set(table)  # then these are no others
    large = [study.directions[k] == optuna.study.StudyDirection.MAXIMIZE for k in chosen]
    maximize: dict[str, bool | None] = dict(zip(table.columns[-len(chosen) :], large, strict=True))
    name = f"study {study.study_name!r} of {name}"
    declared = None if of_table1 else columns
    return Source(name, stem, table, maximize, declared, left_out=states)


def _join(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "none"
