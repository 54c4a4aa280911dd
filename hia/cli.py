"""The command `hia`: plan, run and export a study, train recorded rows again, and rank the
hyperparameters of any table of trials.

What a command needs is imported when it runs: help and wrong usage take no time, and ranking does
without PyTorch.
"""

import argparse
import io
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hia.files import printable
from hia.ranking import command as rank
from hia.study import stopping


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 where all went well. Expected errors are printed in one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no letter for a name
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        if options.command == "rank":  # nothing is lost: also compiled code ends at once
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        return int(options.run(options))
    except (ValueError, OSError, RuntimeError) as error:
        reason = str(error)
    except (MemoryError, ImportError) as error:  # a library finds no room
        reason = f"not enough memory, or a package is not whole ({str(error) or 'no reason given'})"
    except KeyboardInterrupt:
        kept = "; finished trials are kept, and the same command goes on"
        print(f"\nstopped{kept if options.command == 'study' else ''}", file=sys.stderr)
        return 130
    print(printable(f"hia {options.command}: {reason}"), file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hia", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    what = "a TOML plan, or a CSV file of configurations, as under studies/"
    storage = "a file NAME.journal, or a database's URL (default: runs/PLAN.journal)"

    run = commands.add_parser("study", help="train the CNNs that a plan asks for")
    run.add_argument("plan", type=Path, help=what)
    number = run.add_mutually_exclusive_group()
    _add_machine(run, number)
    number.add_argument(
        "--workers-per-device",
        type=int,
        metavar="N",
        help="processes on each GPU, which a small CNN alone leaves idle; on a processor, in all",
    )
    run.add_argument("--storage", help=storage)
    run.add_argument(
        "--recorded",
        type=Path,
        default=Path("data"),
        help="go on from the export in this folder (default: data)",
    )
    run.set_defaults(run=_of_study)

    plan = commands.add_parser(
        "plan", help="say what a plan costs; after a study, also what it did"
    )
    plan.add_argument("plan", type=Path, help=what)
    _add_machine(plan, plan)
    plan.add_argument("--storage", help=f"{storage[:-1]}, if there)")
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
    plan.set_defaults(run=_of_study)

    export = commands.add_parser("export", help="write the finished trials as Parquet")
    export.add_argument("plan", type=Path, help=what)
    export.add_argument("--storage", help=storage)
    export.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")
    export.set_defaults(run=_of_study)

    verify = commands.add_parser("verify", help="train recorded rows again and compare")
    verify.add_argument(
        "--trials",
        type=Path,
        default=Path("data/trials.parquet"),
        help="an export (default: data/trials.parquet)",
    )
    verify.add_argument("--sample", type=int, default=20, help="rows (default: 20)")
    verify.add_argument("--seed", type=int, default=0, help="which rows (default: 0)")
    _add_machine(verify, verify)
    verify.add_argument("--to", type=Path, help="a CSV file, which gets what was compared")
    verify.set_defaults(run=_of_study)

    rank.add_parser(commands)
    return parser


def _add_machine(command: argparse.ArgumentParser, number: Any) -> None:
    number.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")


def _of_study(options: argparse.Namespace) -> int:
    """Run a command that trains or exports, which takes seconds to import."""
    if plan := getattr(options, "plan", None):
        if not plan.is_file():
            raise ValueError(f"{plan}: there is no such plan")
        from hia.study import plans

        options.plan = plans.load_plan(plan)
    from hia import commands

    stopping.heed()
    command = {
        "study": commands.study,
        "plan": commands.cost,
        "export": commands.export,
        "verify": commands.verify,
    }
    return command[options.command](options)
