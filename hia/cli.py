"""The command `hia`: plan, run and export a study, record experiments, train rows again, and rank
the hyperparameters of any table of trials."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hia import trainer, trials
from hia.ranking import command as rank
from hia.study import experiments, forecast, plans, records, stopping
from hia.study import run as study

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
    number = run.add_mutually_exclusive_group()
    number.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    number.add_argument(
        "--workers-per-device",
        type=int,
        metavar="N",
        help="processes on each GPU, which a small CNN alone leaves idle; on a processor, in all",
    )
    run.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    run.add_argument("--storage", help="an Optuna storage URL (default: runs/PLAN.db)")
    run.add_argument(
        "--recorded",
        type=Path,
        default=Path("data"),
        help="go on from the export in this folder (default: data)",
    )
    run.set_defaults(run=_study)

    plan = commands.add_parser(
        "plan", help="say what a plan costs; after a study, also what it did"
    )
    plan.add_argument("plan", type=Path, help="a TOML file, as under studies/")
    plan.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    plan.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    plan.add_argument("--storage", help="an Optuna storage URL (default: runs/PLAN.db, if there)")
    plan.add_argument(
        "--calibrate", type=float, default=60, metavar="SECONDS", help="of trainings (default: 60)"
    )
    plan.add_argument(
        "--trials",
        type=Path,
        default=Path("data/trials.parquet"),
        help="recorded trials (default: data/trials.parquet)",
    )
    plan.add_argument(
        "--complete",
        action="store_true",
        help="count on the complete data sets, not on what the files here hold",
    )
    plan.add_argument(
        "--to", type=Path, help="write the forecast, a Parquet file with one row per CNN"
    )
    plan.set_defaults(run=_plan)

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
    verify.add_argument("--to", type=Path, help="a CSV file, which gets what was compared")
    verify.set_defaults(run=_verify)

    record = commands.add_parser("record", help="train what an experiment beside the study needs")
    record.add_argument("name", choices=experiments.NAMES, help="the experiment")
    record.add_argument(
        "--workers", type=int, default=1, help="processes (default: 1; 0 writes what there is)"
    )
    record.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    record.add_argument(
        "--trials",
        type=Path,
        default=Path("data/trials.parquet"),
        help="the study's table, which the experiment starts from",
    )
    record.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    record.add_argument("--journal", type=Path, help="finished rows (default: runs/NAME.jsonl)")
    record.add_argument(
        "--verify", type=int, metavar="N", help="instead, train N recorded rows again and compare"
    )
    record.set_defaults(run=_record)

    rank.add_parser(commands)
    return parser


def _study(options: argparse.Namespace) -> int:
    plan = plans.load_plan(options.plan)
    stopping.heed()
    workers = options.workers
    if options.workers_per_device is not None:
        device = trainer.resolve_device(options.device)
        workers = options.workers_per_device * trainer.count_devices(device)
    study.run(
        plan,
        options.storage or study.default_storage(plan),
        workers=workers,
        device=options.device,
        recorded=options.recorded,
    )
    return 0


def _plan(options: argparse.Namespace) -> int:
    plan, device = plans.load_plan(options.plan), trainer.resolve_device(options.device)
    recorded = pd.DataFrame(columns=list(trials.COLUMNS))
    if options.trials.is_file():
        recorded = trials.load(options.trials)
    ratios = forecast.bohb_ratios(recorded)
    counted = forecast.count(plan, ratios, complete=options.complete)
    _print("work: random counted, bohb expected", forecast.summary(counted))
    _print("bohb / random in the recorded trials", ratios)
    timings = forecast.calibrate(
        counted, options.calibrate, options.workers, device, plan.precision
    )
    counted["seconds"] = counted[forecast.TERMS] @ forecast.prices(timings)
    core_hours = counted.pivot_table("seconds", "dataset", "source", "sum", sort=False) / 3600
    _print("core-hours", core_hours.assign(both=core_hours.sum(axis=1)))
    _print("in all", forecast.hours(counted, options.workers, device).to_frame("hours"))
    worker = {
        "timings": len(timings),
        "share of a core": timings["seconds"].sum() / timings["wall_seconds"].sum(),
        "memory at most, MiB": timings["mib"].max() + counted["data_mib"].max(),
    }
    _print("a worker in the calibration", pd.Series(worker).to_frame("value"))
    if options.to is not None:
        counted.drop(columns="config").to_parquet(options.to, index=False)
    finished = _finished(plan, options.storage)
    recorded = recorded if finished is None else finished
    same = (recorded["precision"] == plan.precision) & (recorded["lr_scale"] == plan.lr_scale)
    _print("forecast and fact, core-hours", forecast.compare(recorded[same], counted))
    print("recorded on:", ", ".join(recorded["processor"].unique()) or "nothing yet")
    return 0


def _print(title: str, table: pd.DataFrame) -> None:
    """A table to read: whole numbers where they are large."""

    def number(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"

    text = table.reset_index().to_string(index=False, na_rep="", float_format=number)
    print(f"\n{title}\n{text if len(table) else 'none'}", flush=True)


def _finished(plan: plans.Plan, storage: str | None) -> pd.DataFrame | None:
    """The plan's finished trials in a storage; None without a storage, or without trials in it."""
    if storage is None and not Path("runs", f"{plan.name}.db").is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            return study.export(plan, storage or study.default_storage(plan), folder)
        except RuntimeError:  # no trial has finished yet
            return None


def _export(options: argparse.Namespace) -> int:
    plan = plans.load_plan(options.plan)
    table = study.export(plan, options.storage or study.default_storage(plan), options.to)
    print(pd.crosstab(table["dataset"], table["source"]).to_string())
    print(f"{len(table):,} rows written to {options.to / 'trials.parquet'}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    table = trials.load(options.trials)
    again = study.verify(table, options.sample, device=options.device, random_state=options.seed)
    code = _judge(again)
    if options.to is not None:
        again.to_csv(options.to, index=False)
    return code


def _record(options: argparse.Namespace) -> int:
    path = options.to / f"{options.name}.parquet"
    if options.verify is not None:
        table = records.load(options.name, path)
        again = experiments.verify(options.name, table, options.verify, device=options.device)
        return _judge(again)
    stopping.heed()
    table = experiments.record(
        options.name,
        trials.load(options.trials),
        options.to,
        options.journal or Path("runs") / f"{options.name}.jsonl",
        workers=options.workers,
        device=options.device,
    )
    print(table.groupby("dataset").size().to_string())
    print(f"{len(table):,} rows written to {path}")
    return 0


def _judge(again: pd.DataFrame) -> int:
    """Print what was trained again; 0 where it agrees with what was recorded."""
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
