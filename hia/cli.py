"""The command `hia`: plan, run and export a study, train recorded rows again, and rank the
hyperparameters of any table of trials.

What a command needs is imported when it runs: help and wrong usage take no time, and ranking does
without PyTorch.
"""

import _thread  # noqa: PLC2701 - a module of Python's that is documented
import argparse
import io
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hia.files import printable
from hia.ranking import command as rank

AGAIN_SECONDS = 0.05


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
    planned, recorded = (argparse.ArgumentParser(add_help=False) for _ in range(2))
    planned.set_defaults(run=_of_study)
    planned.add_argument(
        "plan", type=Path, help="a TOML plan, or a CSV file of configurations, as under studies/"
    )
    planned.add_argument(
        "--storage", help="a file NAME.journal, or a database's URL (default: runs/PLAN.journal)"
    )
    recorded.set_defaults(run=_of_study)
    recorded.add_argument(
        "--trials",
        type=Path,
        default=Path("data/trials.parquet"),
        help="an export (default: data/trials.parquet)",
    )

    what = "train the CNNs that a plan asks for"
    study = commands.add_parser("study", help=what, parents=[planned])
    number = study.add_mutually_exclusive_group()
    _add_machine(study, number)
    number.add_argument(
        "--workers-per-device",
        type=int,
        metavar="N",
        help="processes on each GPU, which a small CNN alone leaves idle; on a processor, in all",
    )
    what = "go on from the export in this folder (default: data)"
    study.add_argument("--recorded", type=Path, default=Path("data"), help=what)

    what = "say what a plan costs; after a study, also what it did"
    plan = commands.add_parser("plan", help=what, parents=[planned, recorded])
    _add_machine(plan, plan)
    what = "of trainings (default: 60)"
    plan.add_argument("--calibrate", type=float, default=60, metavar="SECONDS", help=what)
    what = "count on the complete data sets, not on what the files here hold"
    plan.add_argument("--complete", action="store_true", help=what)
    what = "write the forecast, a Parquet file with one row per CNN"
    plan.add_argument("--to", type=Path, help=what)

    what = "write the finished trials as Parquet"
    export = commands.add_parser("export", help=what, parents=[planned])
    export.add_argument("--to", type=Path, default=Path("data"), help="folder (default: data)")

    what = "train recorded rows again and compare"
    verify = commands.add_parser("verify", help=what, parents=[recorded])
    verify.add_argument("--sample", type=int, default=20, help="rows (default: 20)")
    verify.add_argument("--seed", type=int, default=0, help="which rows (default: 0)")
    _add_machine(verify, verify)
    verify.add_argument("--to", type=Path, help="a CSV file, which gets what was compared")

    rank.add_parser(commands)
    return parser


def _add_machine(command: argparse.ArgumentParser, number: Any) -> None:
    number.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")


def _of_study(options: argparse.Namespace) -> int:
    """Run a command that trains or exports, which takes seconds to import."""
    if "plan" in options:
        if not options.plan.is_file():
            raise ValueError(f"{options.plan}: there is no such plan")
        from hia.study import plans

        options.plan = plans.load_plan(options.plan)
    from hia import commands

    heed()
    return int(getattr(commands, options.command)(options))


def heed() -> None:
    """From now on Ctrl-C and a polite kill raise KeyboardInterrupt in the main thread until it
    gets through, wherever Python is when they come.

    Python drops what is raised in a destructor or in the callback of a weak reference, of which
    SQLAlchemy has many: about one interrupt of a hundred came to nothing while trials were queued.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where nohup had it ignored
    sys.unraisablehook = _raise_again


def _raise_again(dropped: "sys.UnraisableHookArgs") -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    again = threading.Timer(AGAIN_SECONDS, _thread.interrupt_main)
    again.daemon = True
    again.start()
