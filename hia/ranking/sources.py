"""Where tables of trials come from: files, folders, and studies in storages."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hia.space import Hyperparameter

if TYPE_CHECKING:  # what a command with an error in it need not wait for
    import pandas as pd

PARQUET = (".parquet", ".pq")
JSON = (".json", ".jsonl", ".ndjson")
_FILES = (".csv", ".tsv", ".txt", *PARQUET, *JSON)
_JOURNALS = (".journal", ".log")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_SERVERS = ("redis://", "rediss://", "unix://")


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
    columns: list[Hyperparameter] | None
    left_out: Counter[str]


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
    path, is_url = Path(source), "://" in source
    if not is_url and not path.exists():
        raise FileNotFoundError(f"{source}: there is no such file")
    is_storage = is_url or path.suffix.lower() in (*_DATABASES, *_JOURNALS)
    kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
    if not is_storage:
        if study is not None:
            raise ValueError(f"{path}: a file has no studies; --study belongs to a storage")
        if not (path.is_dir() or kinds & {*_FILES}):
            known = ", ".join((*_FILES, *_JOURNALS, *_DATABASES))
            raise ValueError(f"{path}: is no folder, no URL of a storage and none of {known}")

    from hia.ranking import readers

    if not is_storage:
        return readers.read_file(path, kinds, targets, any_size)
    if source.lower().endswith(_JOURNALS) or source.startswith(_SERVERS):
        return readers.read_journal(source, targets, study)
    return readers.read_database(source if is_url else f"sqlite:///{source}", targets, study)


def tell(counts: Counter[str]) -> str:
    """How many trials are in which state."""
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
