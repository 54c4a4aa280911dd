"""The command `hia rank`: importance of the hyperparameters in anyone's table of trials.

What the columns of the table are taken for is printed before anything is computed with them, and
can be overridden.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hia.files import printable, whole
from hia.ranking import sources
from hia.space import KINDS, Hyperparameter

if TYPE_CHECKING:
    from hia.ranking import report

# Those of `hia.ranking.methods`, whose imports take longer than an error should.
METHODS = (
    "nrrelieff", "fanova", "ped_anova", "tunability", "sensitivity", "ablation",
    "forward_selection", "impurity", "optuna_fanova", "fanova_package",
)  # fmt: skip
DEFAULT_METHODS = METHODS[:2]
_GIVEN = ("default", "configuration")
# With more hyperparameters, intervals would take hours.
WIDE = 500


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `hia`."""
    parser = commands.add_parser("rank", help="rank the hyperparameters of any table of trials")
    add = parser.add_argument
    names: dict[str, Any] = {"nargs": "+", "default": (), "metavar": "NAME"}
    values, number = {**names, "metavar": "NAME=VALUE"}, {"type": int, "metavar": "N"}
    what = (
        "a file (CSV, Parquet, JSON, journal, .db), a folder of Ray Tune, or the URL of a storage"
    )
    add("source", help=what)
    add("--target", **names, help="what to explain, columns; of a study by default its objectives")
    add("--study", help="name of the study or experiment, where a storage has several")
    methods = f"all, or any of {', '.join(METHODS)} (default: {' '.join(DEFAULT_METHODS)})"
    add("--method", **names | {"default": DEFAULT_METHODS}, help=methods)
    add("--columns", **names, help="the hyperparameters (default: found by value)")
    add("--drop", **names, help="columns that are none")
    kinds = f"kind of a column: {', '.join(KINDS)}"
    add("--kind", **names | {"metavar": "NAME=KIND"}, help=kinds)
    add("--log", **names, help="columns on a logarithmic scale")
    add("--linear", **names, help="columns on a linear scale")
    missing = "hyperparameters that a trial does not have: draw a value, drop the trial, or take "
    missing += "the blank for a choice (default: draw)"
    add("--missing", choices=("draw", "drop", "level"), default="draw", help=missing)
    add("--minimize", action="store_true", help="small is good (default: by the target's name)")
    add("--maximize", action="store_true", help="large is good (a study says which)")
    condition = {**names, "metavar": "CONDITION"}
    add("--where", **condition, help="only these trials, as 'epochs >= 5' 'dataset = mnist'")
    add("--above", type=float, metavar="X", help="only trials with a target above X")
    add("--below", type=float, metavar="X", help="only trials with a target below X")
    add("--top", metavar="N", help="only the best trials, so many or, as 10%%, such a part of them")
    add("--by", metavar="NAME", help="a ranking for each value of a column, and the mean ranks")
    start = "where tunability, sensitivity and ablation start (default: the median trial)"
    add("--default", **values, help=start)
    add("--configuration", **values, help="where ablation goes (default: the best trial)")
    neighbors = "of nrrelieff; 30 is the paper's (default: by the number of trials)"
    add("--neighbors", **number, help=neighbors)
    add("--pairs", action="store_true", help="also the interactions of pairs, by fanova")
    resamples = "resamples of the intervals, 0 for none (default: 100; slow methods take 20)"
    add("--bootstrap", **number, help=resamples)
    permutations = "of the p-values of nrrelieff, 0 for none (default: 199)"
    add("--permutations", **number, help=permutations)
    add("--seed", type=int, default=0, help="of all that is random (default: 0)")
    add("--out", metavar="PREFIX", help="writes PREFIX.csv and PREFIX.png (default: by the source)")
    add("--any-size", action="store_true", help="read files above the limits of size")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what the columns are, rank the hyperparameters by each method, write a PNG and a CSV.

    Raises FileNotFoundError, ValueError (naming the file and the column) and RuntimeError, where a
    method is not installed.
    """
    kinds = _read_kinds(options.kind)
    for name in options.method:
        if name not in ("all", *METHODS):
            raise ValueError(f"there is no method {name!r}; there are all, {', '.join(METHODS)}")
    if options.minimize and options.maximize:
        raise ValueError("--minimize and --maximize: which of them?")
    if options.out and Path(f"{options.out}.csv").resolve() == Path(options.source).resolve():
        raise ValueError(f"--out {options.out}: would replace {options.source}")
    # A line of progress now and then, for who reads a log; tqdm looks when it is imported.
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "30")
    source = sources.load(options.source, options.target, options.study, options.any_size)
    from hia.ranking import report

    rankings: list[report.Entry] = []
    try:
        for target in source.targets:
            rankings += _rank_target(source, target, options, kinds)
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from None
    except ImportError as error:
        raise RuntimeError(str(error)) from None
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # from here on no half file is left
        signal.signal(signal.SIGINT, signal.default_int_handler)
    prefix = options.out or f"{source.stem or 'trials'}-importance"
    with whole(f"{prefix}.csv") as table:
        report.to_frame(rankings).to_csv(table, index=False)
    say(f"\n{prefix}.csv written")
    with whole(f"{prefix}.png") as picture:
        report.draw(rankings, picture)
    say(f"{prefix}.png written")
    return 0


def _rank_target(
    source: sources.Source, target: str, options: argparse.Namespace, kinds: dict[str, str]
) -> "list[report.Entry]":
    """Print and return the rankings for one target."""
    from hia.ranking import columns, methods, report, selection

    known, others = source.targets[target], [name for name in source.targets if name != target]
    large, says = selection.direction(target, known, options.minimize, options.maximize)
    conditions = {name: getattr(options, name) for name in ("where", "above", "below", "top", "by")}
    table = source.table.drop(columns=others)
    table, notes = selection.select(table, target, large, **conditions)
    hyperparameters, left_out = columns.describe(
        table,
        target,
        options.columns or None,
        declared=source.columns or (),
        drop=[*options.drop, *filter(None, [options.by])],
        kinds=kinds,
        log=options.log,
        linear=options.linear,
    )
    notes += columns.doubts(table, target, hyperparameters, blanks=options.missing == "draw")
    if options.missing == "level":
        table, hyperparameters = columns.with_blanks(table, hyperparameters)
    if source.left_out:
        notes.insert(0, f"Trials left out: {sources.tell(source.left_out)}")
    wide = len(hyperparameters) > WIDE
    if wide and options.bootstrap is options.permutations is None:
        notes.append(
            f"No intervals and p-values for more than {WIDE} hyperparameters, unless --bootstrap "
            "and --permutations ask for them."
        )
    resamples = (0 if wide else 100) if options.bootstrap is None else options.bootstrap
    permutations = (0 if wide else 199) if options.permutations is None else options.permutations
    how = {
        "n_bootstrap": resamples,
        "n_permutations": permutations,
        "random_state": options.seed,
        "maximize": large,
        "missing": "drop" if options.missing == "drop" else "draw",
        "progress": True,
    }
    notes.append(says)
    say(report.introduce(source.name, table, target, hyperparameters, left_out, notes))

    given = {name: _read_values(name, getattr(options, name), hyperparameters) for name in _GIVEN}
    start = {"default": given["default"]}
    own: dict[str, dict[str, Any]] = {"tunability": start, "sensitivity": start, "ablation": given}
    if options.neighbors:
        own["nrrelieff"] = {"n_neighbors": options.neighbors}
    names = list(dict.fromkeys(options.method))
    if "all" in names:
        names = [name for name in METHODS if methods.METHODS[name].available()]
        for name in tuple(names):
            limit = methods.METHODS[name].max_columns
            if limit and len(hyperparameters) > limit:
                say(f"{name} is left out: it takes {limit} hyperparameters at most")
                names.remove(name)
    entries = []
    for group, rows in selection.groups(table, options.by):
        try:
            for method in names:
                of = how | own.get(method, {})
                ranking = methods.rank(rows, target, hyperparameters, method, **of)
                entries.append((ranking, group))
                say(f"\n{group}{': ' if group else ''}{report.report(ranking)}")
        except ValueError as error:
            if not group:
                raise
            say(f"\n{group} is left out: {error}")
            continue
        if options.pairs:
            try:
                pairs = methods.pairs(rows, target, hyperparameters, random_state=options.seed)
                say(report.list_pairs(pairs))
            except ValueError as error:
                say(f"\nNo interactions: {error}")
    if not entries:
        raise ValueError(f"no value of {options.by} has trials that can be ranked")
    if options.by:
        say(report.compare(entries, options.by))
    return entries


def say(text: str) -> None:
    """Print for people, nothing of which is a command to the terminal. Where nobody reads on, as
    behind `| head`, the rest of the work is still done."""
    try:
        print(printable(text), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read_values(
    option: str, entries: Iterable[str], hyperparameters: Sequence[Hyperparameter]
) -> dict[str, Any]:
    """{"lr": 0.01} from ["lr=0.01"]; a category is the choice that is written so."""
    columns = {column.name: column for column in hyperparameters}
    values: dict[str, Any] = {}
    for entry in entries:
        name, _, text = entry.rpartition("=")
        if name not in columns:
            known = ", ".join(columns)
            raise ValueError(f"--{option} {entry}: is not NAME=VALUE, with one of {known}")
        column = columns[name]
        try:
            if column.kind == "categorical":
                values[name] = {str(choice): choice for choice in column.choices or ()}[text]
            else:
                values[name] = column.check(float(text))
        except (KeyError, ValueError):
            right = f"{name} is {column.scale}, {column.possible}"
            raise ValueError(f"--{option} {entry}: {right}") from None
    return values


def _read_kinds(entries: Iterable[str]) -> dict[str, str]:
    """{"stride": "categorical"} from ["stride=categorical"]."""
    kinds = {}
    for entry in entries:
        name, _, kind = entry.rpartition("=")
        if not name or kind not in KINDS:
            known = ", ".join(KINDS)
            raise ValueError(f"--kind {entry}: is not NAME=KIND, with one of the kinds {known}")
        kinds[name] = kind
    return kinds
