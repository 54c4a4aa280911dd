"""The command `hia rank`: importance of the hyperparameters in anyone's table of trials.

What the columns of the table are taken for is printed before anything is computed with them, and
can be overridden.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hia.ranking import sources
from hia.space import KINDS

# Those of `hia.ranking.methods`, whose imports take longer than an error should.
METHODS = (
    "nrrelieff",
    "fanova",
    "ped_anova",
    "tunability",
    "sensitivity",
    "forward_selection",
    "impurity",
    "optuna_fanova",
    "fanova_package",
)
DEFAULT_METHODS = METHODS[:2]


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `hia`."""
    parser = commands.add_parser("rank", help="rank the hyperparameters of any table of trials")
    add = parser.add_argument
    add("source", help="a CSV or Parquet file, or the URL of an Optuna storage")
    add("--target", help="what to explain, a column; of a study its objective")
    add("--study", help="name of the study, where a storage has several")
    methods = f"all, or any of {', '.join(METHODS)} (default: {' '.join(DEFAULT_METHODS)})"
    names: dict[str, Any] = {"nargs": "+", "default": (), "metavar": "NAME"}
    add("--method", **names | {"default": DEFAULT_METHODS}, help=methods)
    add("--columns", **names, help="the hyperparameters (default: found by value)")
    add("--drop", **names, help="columns that are none")
    kinds = f"kind of a column: {', '.join(KINDS)}"
    add("--kind", **names | {"metavar": "NAME=KIND"}, help=kinds)
    add("--log", **names, help="columns on a logarithmic scale")
    add("--linear", **names, help="columns on a linear scale")
    add(
        "--missing",
        choices=("draw", "drop"),
        default="draw",
        help="hyperparameters that a trial does not have: draw a value, or drop the trial "
        "(default: draw)",
    )
    add(
        "--minimize",
        action="store_true",
        help="small is good (ped_anova and tunability ask; a study knows)",
    )
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    resamples = "resamples of the intervals, 0 for none (default: 100; slow methods take 20)"
    add("--bootstrap", **number, default=100, help=resamples)
    permutations = "of the p-values of nrrelieff, 0 for none (default: 199)"
    add("--permutations", **number, default=199, help=permutations)
    add("--seed", type=int, default=0, help="of all that is random (default: 0)")
    add("--out", metavar="PREFIX", help="writes PREFIX.csv and PREFIX.png (default: by the source)")
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
    source = sources.load(options.source, options.target, options.study)

    from hia.ranking import methods, report
    from hia.ranking.columns import describe

    if "all" in options.method:
        names = [name for name in METHODS if methods.METHODS[name].available()]
    else:
        names = list(dict.fromkeys(options.method))
    try:
        columns, left_out = describe(
            source.table,
            source.target,
            options.columns or None,
            declared=source.columns or (),
            drop=options.drop,
            kinds=kinds,
            log=options.log,
            linear=options.linear,
        )
        print(report.introduce(source, columns, left_out), flush=True)
        if "all" in options.method:
            limits = {name: methods.METHODS[name].max_columns or len(columns) for name in names}
            names = [name for name, limit in limits.items() if len(columns) <= limit]
            for name, limit in limits.items():
                if name not in names:
                    print(f"{name} is left out: it takes {limit} hyperparameters at most")
        rankings = []
        for method in names:
            ranking = methods.rank(
                source.table,
                source.target,
                columns,
                method,
                n_bootstrap=options.bootstrap,
                n_permutations=options.permutations,
                random_state=options.seed,
                maximize=not options.minimize if source.maximize is None else source.maximize,
                missing=options.missing,
            )
            rankings.append(ranking)
            print(f"\n{report.report(ranking)}", flush=True)
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from None
    except ImportError as error:
        raise RuntimeError(str(error)) from None
    prefix = Path(options.out or f"{source.stem or 'trials'}-importance")
    prefix.parent.mkdir(parents=True, exist_ok=True)
    table, picture = (prefix.with_name(prefix.name + suffix) for suffix in (".csv", ".png"))
    report.to_frame(rankings).to_csv(table, index=False)
    print(f"\n{table} written")
    report.draw(rankings, picture)
    print(f"{picture} written")
    return 0


def _read_kinds(entries: Iterable[str]) -> dict[str, str]:
    """{"stride": "categorical"} from ["stride=categorical"]."""
    kinds = {}
    for entry in entries:
        name, equals, kind = entry.rpartition("=")
        if not equals or kind not in KINDS:
            raise ValueError(
                f"--kind {entry}: is not NAME=KIND, with one of the kinds {', '.join(KINDS)}"
            )
        kinds[name] = kind
    return kinds
