"""What the sub-commands of `hia` do that train or export. `hia.cli` has their options."""

import argparse
import contextlib
import tempfile

import pandas as pd

from hia import trainer, trials
from hia.study import forecast, run
from hia.study.run import TOLERANCE

# Of the mean difference of rows that another kind of processor trained, and of how far one of them
# may lie outside of what rounding alone gives, where it is more than TOLERANCE apart.
MEAN_TOLERANCE = 0.02


def study(options: argparse.Namespace) -> int:
    """Train what a plan asks for."""
    workers = options.workers
    if options.workers_per_device is not None:
        device = trainer.resolve_device(options.device)
        workers = options.workers_per_device * trainer.count_devices(device)
    run.run(
        options.plan,
        _storage(options),
        workers=workers,
        device=options.device,
        recorded=options.recorded,
    )
    return 0


def plan(options: argparse.Namespace) -> int:
    """Say what a plan costs, and what it did."""
    here = forecast.here(options.plan, complete=options.complete)
    device = trainer.resolve_device(options.device)
    recorded = pd.DataFrame(columns=list(trials.COLUMNS))
    if options.trials.is_file():
        recorded = trials.load(options.trials)
    ratios = forecast.bohb_ratios(recorded)
    counted = forecast.count(options.plan.on(here), ratios)
    _print("work: known configurations counted, bohb expected", forecast.summary(counted))
    _print("bohb / random in the recorded trials", ratios)
    timings = forecast.calibrate(counted, options.calibrate, options.workers, device)
    counted["seconds"] = counted[forecast.TERMS] @ forecast.prices(timings)
    core_hours = counted.pivot_table("seconds", "dataset", "source", "sum", sort=False) / 3600
    _print("core-hours", core_hours.assign(all=core_hours.sum(axis=1)))
    _print("in all", forecast.hours(counted, options.workers, device).to_frame("hours"))
    worker = {
        "timings": len(timings),
        "share of a core": timings["seconds"].sum() / timings["wall_seconds"].sum(),
        "memory at most, MiB": timings["mib"].max() + counted["data_mib"].max(),
    }
    _print("a worker in the calibration", pd.Series(worker).to_frame("value"))
    if options.to is not None:
        counted.drop(columns="config").to_parquet(options.to, index=False)
    # Where there is no storage, or no trial has finished in it: what is recorded.
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(RuntimeError):
        recorded = run.export(options.plan, _storage(options), folder)
    _print("forecast and fact, core-hours", forecast.compare(recorded, counted))
    print("recorded on:", ", ".join(recorded["processor"].unique()) or "nothing yet")
    return 0


def _print(title: str, table: pd.DataFrame) -> None:
    """A table to read: whole numbers where they are large."""

    def number(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"

    text = table.reset_index().to_string(index=False, na_rep="", float_format=number)
    print(f"\n{title}\n{text if len(table) else 'none'}", flush=True)


def export(options: argparse.Namespace) -> int:
    """Write the finished trials of a plan."""
    table = run.export(options.plan, _storage(options), options.to)
    by = table["source"] if "source" in table else table["dataset"].map(lambda _: "given")
    print(pd.crosstab(table["dataset"], by).to_string())
    path = options.to / f"{options.plan.table}.parquet"
    print(f"{len(table):,} of {options.plan.models:,} rows written to {path}")
    return 0


def _storage(options: argparse.Namespace) -> str:
    return options.storage or run.default_storage(options.plan)


def verify(options: argparse.Namespace) -> int:
    """Train recorded rows again and compare; 1 where they differ."""
    table = trials.load(options.trials, None)
    provenance = run.notes_path(options.trials)
    again = run.verify(
        table,
        options.sample,
        device=options.device,
        workers=options.workers,
        random_state=options.seed,
        provenance=provenance,
    )
    noted = [session.get("data_sha256", {}) for session in run.read_sessions(provenance)]
    if others := sorted(set(again["dataset"]).difference(*noted)):
        print(f"{provenance} has no images of {', '.join(others)}: they were not compared")
    code = _judge(again)
    if options.to is not None:
        again.to_csv(options.to, index=False)
    return code


def _judge(again: pd.DataFrame) -> int:
    """Print what was trained again; 0 where it agrees with what was recorded."""
    print(again.to_string(index=False))
    same, other = again[again["same_processor"]], again[~again["same_processor"]]
    passed = bool(same["exact"].all())
    if len(same):
        print(
            f"\nsame kind of processor: {int(same['exact'].sum())} of {len(same)} rows reproduced "
            "to the last bit"
        )
    if len(other):
        worst, mean = other["difference"].max(), other["difference"].mean()
        print(
            f"\nother processors: {int(other['exact'].sum())} of {len(other)} rows reproduced to "
            f"the last bit; largest difference {worst:.4f} (allowed {TOLERANCE}), "
            f"mean {mean:.4f} (allowed {MEAN_TOLERANCE})"
        )
        apart = other[other["difference"] > TOLERANCE]
        if len(apart):
            nearest = apart["recorded"].clip(apart["lowest"], apart["highest"])
            outside = (apart["recorded"] - nearest).abs().max()
            print(
                f"where it is larger, the recorded accuracy lies at most {outside:.4f} "
                f"(allowed {MEAN_TOLERANCE}) outside what rounding alone gives here"
            )
            passed = passed and outside <= MEAN_TOLERANCE
        passed = passed and mean <= MEAN_TOLERANCE
    print("verified" if passed else "NOT verified")
    return 0 if passed else 1
