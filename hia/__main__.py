"""Starts the command `hia`, also as `python -m hia`.

To import PyTorch takes seconds, in which a Ctrl-C would end in a traceback, from wherever Python
was, and some extension modules make another error of it. So Ctrl-C ends the process at once until
the command has what it needs (`hia.cli.heed`): nothing has begun that could be lost.
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Run the command, see `hia.cli.main`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as for a
        signal.signal(signal.SIGINT, _leave)  # job in the background
    from hia import cli

    try:
        return cli.main()
    except KeyboardInterrupt:  # before the command itself sees to it
        _leave()


def _leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
    os.write(2, b"\nstopped before anything began\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
