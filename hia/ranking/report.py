"""The command `hia rank`: importance of the hyperparameters in anyone's table of trials.

A table is a CSV or Parquet file, or a study in an Optuna storage. What its columns are taken for is
printed before anything is computed with them, and can be overridden.
"""

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import sqlalchemy
from optuna.trial import FrozenTrial
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hia.files import read_parquet
from hia.ranking import columns as describe
from hia.ranking import optuna as studies
from hia.ranking.columns import Column, ColumnError
from hia.ranking.methods import METHODS, Ranking, rank

DEFAULT_METHODS = ("nrrelieff", "fanova")
# What a missing value looks like in a CSV file. "None" is not among them: it can be a choice.
_MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>")
_SEPARATORS = ",;\t"
# Of the figure: Okabe and Ito's blue, and panels beside each other.
_COLOUR = "#0072B2"
_ACROSS = 4


@dataclass(frozen=True)
class Source:
    """A table of trials, and what it says of itself.

    columns: the hyperparameters, where they are declared. maximize: whether a large value of the
    target is good, where that is known.
    """

    name: str
    table: pd.DataFrame
    target: str
    columns: list[Column] | None = None
    maximize: bool | None = None


def run(
    source: str,
    target: str | None = None,
    *,
    methods: Sequence[str] = DEFAULT_METHODS,
    study: str | None = None,
    columns: Collection[str] = (),
    drop: Collection[str] = (),
    kinds: Mapping[str, str] | None = None,
    log: Collection[str] = (),
    linear: Collection[str] = (),
    minimize: bool = False,
    missing: str = "draw",
    n_bootstrap: int = 100,
    n_permutations: int = 199,
    random_state: int = 0,
    out: str | None = None,
) -> list[Ranking]:
    """Print what the columns are, rank the hyperparameters by each method, write a PNG and a CSV.

    source, target, study: see `load`. methods: keys of `hia.ranking.methods.METHODS`, or "all" for
    those that are installed here. columns: the hyperparameters; none named means those that `infer`
    finds. drop: columns that are not. kinds, log, linear: see `hia.ranking.columns.override`. The
    rest: see `hia.ranking.methods.rank`. out: path of the files without .png and .csv; by default
    the name of the source with "-importance", in the current folder.

    Raises FileNotFoundError, ValueError (naming the file and the column) and RuntimeError, where a
    method is not installed.
    """
    chosen = _methods(methods)
    loaded = load(source, target, study)
    try:
        described, left_out = _choose(loaded, columns, drop)
        described = describe.override(described, loaded.table, kinds, log, linear)
        print(_introduction(loaded, described, left_out), flush=True)
        rankings = []
        for method in chosen:
            rankings.append(
                rank(
                    loaded.table,
                    loaded.target,
                    described,
                    method,
                    n_bootstrap=n_bootstrap,
                    n_permutations=n_permutations,
                    random_state=random_state,
                    maximize=not minimize if loaded.maximize is None else loaded.maximize,
                    missing=missing,
                )
            )
            print(f"\n{report(rankings[-1])}", flush=True)
    except ValueError as error:
        raise ValueError(f"{loaded.name}: {error}") from None
    except ImportError as error:
        raise RuntimeError(str(error)) from None
    prefix = Path(out) if out is not None else Path(f"{_stem(source)}-importance")
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for suffix, write in ((".csv", _write), (".png", draw)):
        path = prefix.with_name(prefix.name + suffix)
        write(rankings, path)
        print(f"\n{path} written" if suffix == ".csv" else f"{path} written")
    return rankings


def load(source: str, target: str | None = None, study: str | None = None) -> Source:
    """A table of trials from a file, or from a study in an Optuna storage.

    source: a file that ends in .csv, .tsv or .parquet (CSV also compressed, as .csv.gz), or the URL
    of a storage, such as sqlite:///trials.db. target: the column to explain; of a study, by default
    its objective. study: its name, where a storage has several.
    Nothing in a file is executed. Raises FileNotFoundError, and ValueError for what cannot be read.
    """
    if "://" in source:
        return _load_study(source, target, study)
    if study is not None:
        raise ValueError(f"{source}: a file has no studies; --study belongs to a storage URL")
    table = _read_file(Path(source))
    if target is None:
        raise ValueError(
            f"{source}: say which column to explain by --target; there are {_listed(table.columns)}"
        )
    if target not in table:
        raise ValueError(
            f"{source}: there is no column {target!r}; there are {_listed(table.columns)}"
        )
    return Source(source, table, target)


def read_kinds(declared: Iterable[str]) -> dict[str, str]:
    """{"stride": "categorical"} from ["stride=categorical"]. Raises ValueError for another form."""
    kinds = {}
    for entry in declared:
        name, equals, kind = entry.rpartition("=")
        if not equals or kind not in describe.KINDS:
            raise ValueError(
                f"--kind {entry}: is not NAME=KIND, with one of the kinds {_listed(describe.KINDS)}"
            )
        kinds[name] = kind
    return kinds


def report(ranking: Ranking) -> str:
    """A ranking as text, the most important first."""
    method, table = METHODS[ranking.method], ranking.table
    lines = [
        f"{method.label}: {method.score}",
        f"({ranking.n_rows:,} trials, {_seconds(ranking.seconds)}; {method.source})",
    ]
    shown = pd.DataFrame({"rank": table["rank"], "share": table["share"].map("{:.3f}".format)})
    if ranking.n_bootstrap:
        shown[f"{ranking.level:.0%} interval"] = _intervals(table, "share", ".3f")
        lines.append(
            f"Intervals: percentiles of {ranking.n_bootstrap} resamples, "
            f"{_seconds(ranking.bootstrap_seconds)}"
        )
    shown["score"] = table["score"].map("{:.4f}".format)
    if ranking.n_bootstrap:
        shown["its interval"] = _intervals(table, "score", ".4f")
    if table["p_value"].notna().any():
        shown["p"] = ["" if pd.isna(p) else f"{p:.3f}" for p in table["p_value"]]
        lines.append(
            "p: of a hyperparameter without influence, by neighbours in the others; wrong where "
            "its values followed from results or from other hyperparameters"
        )
    lines += [f"Note: {note}" for note in ranking.notes]
    shown[""] = table["note"]
    return "\n".join([*lines, shown.sort_values("rank", kind="stable").to_string()])


def to_frame(rankings: Iterable[Ranking]) -> pd.DataFrame:
    """All rankings in one table: a row for each method and hyperparameter, with every digit."""
    frames = [
        ranking.table.reset_index().assign(
            method=ranking.method,
            target=ranking.target,
            trials=ranking.n_rows,
            level=ranking.level,
            resamples=ranking.n_bootstrap,
            seconds=ranking.seconds,
        )
        for ranking in rankings
    ]
    found = pd.concat(frames, ignore_index=True)
    return found[["method", "hyperparameter", *found.columns.drop(["method", "hyperparameter"])]]


def draw(rankings: Sequence[Ranking], path: Path) -> None:
    """A PNG of the shares with their intervals, a panel for each method.

    The hyperparameters are in the order of their mean rank. Raises RuntimeError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeError(f"{path}: drawing needs matplotlib: pip install matplotlib") from None
    ranks = pd.concat([ranking.table["rank"] for ranking in rankings], axis=1).mean(axis=1)
    names = list(ranks.sort_values(kind="stable").index)
    heights = range(len(names))[::-1]
    across = min(len(rankings), _ACROSS)
    down = -(-len(rankings) // across)
    size = (1.8 + 2.4 * across, 0.6 + down * (0.6 + 0.28 * len(names)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, sharey=True, sharex=True, squeeze=False).ravel()
    for axes in panels[len(rankings) :]:
        axes.set_visible(False)
    for axes, ranking in zip(panels, rankings, strict=False):
        table = ranking.table.loc[names]
        axes.hlines(heights, table["share_low"], table["share_high"], color=_COLOUR, alpha=0.6)
        axes.scatter(table["share"], heights, color=_COLOUR, s=22, zorder=2)
        axes.set_title(METHODS[ranking.method].label, fontsize=10)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        axes.tick_params(labelbottom=True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(list(heights), names)
    panels[0].set_xlim(left=0)
    label = f"share of the importance for {rankings[0].target}"
    if any(ranking.n_bootstrap for ranking in rankings):
        label += f", with {rankings[0].level:.0%} intervals"
    figure.supxlabel(label, fontsize=10)
    figure.savefig(path, dpi=150, facecolor="white")


def _methods(names: Sequence[str]) -> list[str]:
    if "all" in names:
        return [name for name, method in METHODS.items() if method.available()]
    for name in names:
        if name not in METHODS:
            raise ValueError(f"there is no method {name!r}; there are all, {', '.join(METHODS)}")
    return list(dict.fromkeys(names))


def _choose(
    source: Source, columns: Collection[str], drop: Collection[str]
) -> tuple[list[Column], dict[str, str]]:
    """The hyperparameters, and the other columns with why they are none."""
    for name in (*columns, *drop):
        if name not in source.table:
            raise ColumnError(
                f"there is no column {name!r}; there are {_listed(source.table.columns)}"
            )
    if both := sorted(set(columns) & set(drop)):
        raise ColumnError(f"{both[0]!r} cannot be chosen and dropped")
    table = source.table.drop(columns=[name for name in drop if name != source.target])
    left_out: dict[str, str] = {}
    if source.columns is not None:
        found = [column for column in source.columns if column.name not in drop]
    elif columns:
        found = [describe.infer_one(table, name) for name in columns]
    else:
        found, left_out = describe.infer(table, source.target)
    if columns:
        found = [column for column in found if column.name in columns]
    if not found:
        raise ColumnError("no column is left to rank")
    return found, left_out | dict.fromkeys(drop, "dropped")


def _introduction(source: Source, columns: Sequence[Column], left_out: Mapping[str, str]) -> str:
    lines = [
        f"{len(source.table):,} trials of {source.name}, to explain {source.target}",
        "",
        describe.summary(columns, source.table).to_string(),
    ]
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        reasons.setdefault(reason, []).append(name)
    lines += [f"Left out ({reason}): {', '.join(names)}" for reason, names in reasons.items()]
    lines.append(
        "To change this: --columns NAME..., --drop NAME..., --kind NAME=KIND, --log NAME..., "
        "--linear NAME..."
    )
    return "\n".join(lines)


def _read_file(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    kinds = [suffix.lower() for suffix in path.suffixes[-2:]]
    if kinds and kinds[-1] in (".parquet", ".pq"):
        return read_parquet(path)
    try:
        if {".csv", ".tsv", ".txt"} & set(kinds):
            return _read_csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    raise ValueError(f"{path}: is neither .csv nor .parquet, nor the URL of an Optuna storage")


def _read_csv(path: Path) -> pd.DataFrame:
    header = ",".join(map(str, pd.read_csv(path, nrows=0).columns))
    separator = max(_SEPARATORS, key=header.count)
    table = pd.read_csv(path, sep=separator, keep_default_na=False, na_values=list(_MISSING))
    return table.apply(_without_none)


def _without_none(values: pd.Series) -> pd.Series:
    """Numbers, where "None" is the only text between them."""
    if not pd.api.types.is_string_dtype(values):
        return values
    others = values.where(values != "None").dropna()
    if others.empty or pd.to_numeric(others, errors="coerce").isna().any():
        return values
    return pd.to_numeric(others).reindex(values.index)


def _load_study(url: str, target: str | None, study: str | None) -> Source:
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
                raise ValueError(f"{name}: is no Optuna storage")
            storage = optuna.storages.RDBStorage(url)
            closing.callback(storage.engine.dispose)
            return _of_storage(name, storage, target, study)
    except SQLAlchemyError as error:
        raise ValueError(f"{name}: cannot be read ({type(error).__name__})") from None
    except ImportError as error:
        raise RuntimeError(f"{name}: {error}") from None


def _of_storage(
    name: str, storage: optuna.storages.RDBStorage, target: str | None, study: str | None
) -> Source:
    names = optuna.get_all_study_names(storage)
    if study is None and len(names) != 1:
        raise ValueError(f"{name}: has {len(names)} studies; name one by --study: {_listed(names)}")
    if study is not None and study not in names:
        raise ValueError(f"{name}: there is no study {study!r}; there are {_listed(names)}")
    found = optuna.load_study(study_name=study or names[0], storage=storage)
    try:
        return _of_study(name, found, target)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _of_study(name: str, study: optuna.Study, target: str | None) -> Source:
    count = len(study.directions)
    objectives = study.metric_names or (
        ["value"] if count == 1 else [f"values_{number}" for number in range(count)]
    )
    if target is None and count == 1:
        target = objectives[0]
    if target not in objectives:
        raise ValueError(
            f"study {study.study_name!r}: name an objective by --target: {_listed(objectives)}"
        )
    number = objectives.index(target)

    def objective(trial: FrozenTrial) -> float:
        return float(trial.values[number])  # noqa: PD011  (of Optuna, not of pandas)

    table = studies.table(study, objective, target)
    maximize = study.directions[number] == optuna.study.StudyDirection.MAXIMIZE
    return Source(
        f"study {study.study_name!r} of {name}", table, target, studies.columns(study), maximize
    )


def _intervals(table: pd.DataFrame, what: str, digits: str) -> list[str]:
    limits = zip(table[f"{what}_low"], table[f"{what}_high"], strict=True)
    return [
        "" if pd.isna(low) else f"{format(low, digits)} to {format(high, digits)}"
        for low, high in limits
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _write(rankings: Iterable[Ranking], path: Path) -> None:
    to_frame(rankings).to_csv(path, index=False)


def _stem(source: str) -> str:
    name = sqlalchemy.make_url(source).database or "study" if "://" in source else source
    return Path(name).name.split(".")[0] or "trials"


def _listed(names: Iterable[Any]) -> str:
    shown = [str(name) for name in names]
    return ", ".join(shown) or "none"
