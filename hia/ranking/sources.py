"""Where tables of trials come from: CSV and Parquet files, and studies in Optuna's storages."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hia.space import Hyperparameter

if TYPE_CHECKING:  # what a command with an error in it need not wait for
    import optuna
    import pandas as pd

# What a missing value looks like in a CSV file. "None" is not among them: it can be a choice.
_MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>")
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Source:
    """A table of trials, and what it says of itself.

    name: for people. stem: of files that are made of it. columns: the hyperparameters, where they
    are declared. maximize: whether a large value of the target is good, where that is known.
    """

    name: str
    stem: str
    table: "pd.DataFrame"
    target: str
    columns: list[Hyperparameter] | None = None
    maximize: bool | None = None


def load(source: str, target: str | None = None, study: str | None = None) -> Source:
    """A table of trials from a file, or from a study in an Optuna storage.

    source: a file that ends in .csv, .tsv, .txt or .parquet (text also compressed, as .csv.gz), or
    the URL of a storage, such as sqlite:///trials.db. target: the column to explain; of a study, by
    default its objective. study: its name, where a storage has several.
    Nothing in a file is executed. Raises FileNotFoundError, and ValueError for what cannot be read.
    """
    if "://" in source:
        return _load_study(source, target, study)
    if study is not None:
        raise ValueError(f"{source}: a file has no studies; --study belongs to a storage URL")
    path = Path(source)
    table = _read_file(path)
    if target is None:
        what = "say which column to explain by --target"
    elif target not in table:
        what = f"there is no column {target!r}"
    else:
        return Source(source, path.name.split(".")[0], table, target)
    raise ValueError(f"{source}: {what}; there are {_join(table.columns)}")


def _read_file(path: Path) -> "pd.DataFrame":
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    kinds = [suffix.lower() for suffix in path.suffixes[-2:]]
    if kinds and kinds[-1] in (".parquet", ".pq"):
        from hia.files import read_parquet

        return read_parquet(path)
    if not {".csv", ".tsv", ".txt"} & set(kinds):
        raise ValueError(f"{path}: is neither .csv nor .parquet, nor the URL of an Optuna storage")
    try:
        return _read_csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    header = ",".join(map(str, pd.read_csv(path, nrows=0).columns))
    separator = max(_SEPARATORS, key=header.count)
    table = pd.read_csv(path, sep=separator, keep_default_na=False, na_values=list(_MISSING))

    def without_none(values: pd.Series) -> pd.Series:
        """Numbers, where "None" is the only text between them."""
        if not pd.api.types.is_string_dtype(values):
            return values
        others = values.where(values != "None").dropna()
        if others.empty or pd.to_numeric(others, errors="coerce").isna().any():
            return values
        return pd.to_numeric(others).reindex(values.index)

    return table.apply(without_none)


def _load_study(url: str, target: str | None, study: str | None) -> Source:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        parsed = sqlalchemy.make_url(url)
    except ArgumentError:
        raise ValueError(f"{url}: is no URL of a database") from None
    name = parsed.render_as_string(hide_password=True)
    file = parsed.database
    if parsed.get_backend_name() == "sqlite" and not (file and Path(file).is_file()):
        raise FileNotFoundError(f"{name}: there is no such file")  # it would be made
    try:
        with contextlib.ExitStack() as closing:
            engine = sqlalchemy.create_engine(parsed)
            closing.callback(engine.dispose)
            if not sqlalchemy.inspect(engine).has_table("studies"):
                raise ValueError("is no Optuna storage")
            import optuna

            storage = optuna.storages.RDBStorage(url)
            closing.callback(storage.engine.dispose)
            return _read_study(name, Path(file or "study"), storage, target, study)
    except SQLAlchemyError as error:
        raise ValueError(f"{name}: cannot be read ({type(error).__name__})") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except ImportError as error:
        raise RuntimeError(f"{name}: {error}") from None


def _read_study(
    name: str,
    file: Path,
    storage: "optuna.storages.BaseStorage",
    target: str | None,
    of: str | None,
) -> Source:
    import optuna

    from hia.ranking.optuna import read

    names = optuna.get_all_study_names(storage)
    if of is None and len(names) != 1:
        raise ValueError(f"has {len(names)} studies; name one by --study: {_join(names)}")
    if of is not None and of not in names:
        raise ValueError(f"there is no study {of!r}; there are {_join(names)}")
    study = optuna.load_study(study_name=of or names[0], storage=storage)
    count = len(study.directions)
    objectives = study.metric_names or (
        ["value"] if count == 1 else [f"values_{number}" for number in range(count)]
    )
    target = objectives[0] if target is None and count == 1 else target
    if target not in objectives:
        raise ValueError(
            f"study {study.study_name!r}: name an objective by --target: {_join(objectives)}"
        )
    number = objectives.index(target)
    maximize = study.directions[number] == optuna.study.StudyDirection.MAXIMIZE
    table, columns = read(study, lambda trial: float(trial.values[number]), target)  # noqa: PD011
    name, stem = f"study {study.study_name!r} of {name}", file.name.split(".")[0]
    return Source(name, stem, table, str(table.columns[-1]), columns, maximize)


def _join(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "none"
