"""The command `hia`: run a study, export it, train recorded rows again."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hia import study, trials

# The accuracy of a retrained CNN on another kind of processor: float rounding differs, and a
# training amplifies it. Bounds on one row and on the mean over all.
TOLERANCE = 0.10
MEAN_TOLERANCE = 0.02


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 where all went well. Expected errors are printed in one line."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"hia {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; finished trials are kept, and the same command goes on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hia", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("study", help="train the CNNs that a plan asks for")
    run.add_argument("plan", type=Path, help="a TOML file, as under studies/")
    run.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    run.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    run.add_argument("--storage", help="an Optuna storage URL (default: runs/PLAN.db)")
    run.add_argument(
        "--recorded",
        type=Path,
        default=Path("data"),
        help="go on from the export in this folder (default: data)",
    )
    run.set_defaults(run=_study)

    export = commands.add_parser("export", help="write the finished trials as Parquet")
    export.add_argument("plan", type=Path)
    export.add_argument("--storage", help="an Optuna storage URL (default: runs/PLAN.db)")
    export.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    export.set_defaults(run=_export)

    verify = commands.add_parser("verify", help="train recorded rows again and compare")
    verify.add_argument("--trials", type=Path, default=Path("data/trials.parquet"))
    verify.add_argument("--sample", type=int, default=20, help="rows (default: 20)")
    verify.add_argument("--seed", type=int, default=0, help="which rows (default: 0)")
    verify.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    verify.set_defaults(run=_verify)
    return parser


def _study(options: argparse.Namespace) -> int:
    plan = study.load_plan(options.plan)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where nohup had it ignored
    study.run(
        plan,
        options.storage or study.default_storage(plan),
        workers=options.workers,
        device=options.device,
        recorded=options.recorded,
    )
    return 0


def _export(options: argparse.Namespace) -> int:
    plan = study.load_plan(options.plan)
    table = study.export(plan, options.storage or study.default_storage(plan), options.to)
    print(table.groupby(["dataset", "source"]).size().unstack().to_string())
    print(f"{len(table):,} rows written to {options.to / 'trials.parquet'}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    table = trials.load(options.trials)
    again = study.verify(table, options.sample, device=options.device, random_state=options.seed)
    print(again.to_string(index=False))
    same, other = again[again["same_processor"]], again[~again["same_processor"]]
    print(
        f"\nsame kind of processor: {int(same['exact'].sum())} of {len(same)} rows reproduced to "
        "the last bit"
    )
    passed = bool(same["exact"].all())
    if len(other):
        worst, mean = other["difference"].max(), other["difference"].mean()
        print(
            f"other processors: largest difference {worst:.4f} (allowed {TOLERANCE}), "
            f"mean {mean:.4f} (allowed {MEAN_TOLERANCE})"
        )
        passed = passed and worst <= TOLERANCE and mean <= MEAN_TOLERANCE
    print("verified" if passed else "NOT verified")
    return 0 if passed else 1
