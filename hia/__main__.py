"""Starts the command `hia`, also as `python -m hia`.

To import PyTorch takes seconds, in which a Ctrl-C would end in a traceback, from wherever Python
was, and some extension modules make another error of it. So `hia.cli` is imported here, after
Ctrl-C has been told to end the process at once: nothing has begun that could be lost.
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Run the command, see `hia.cli.main`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # and not ignored, as for a job in the background
        signal.signal(signal.SIGINT, _leave)
    from hia import cli

    signal.signal(signal.SIGINT, before)
    try:
        return cli.main()
    except KeyboardInterrupt:  # before the command itself sees to it
        _leave()


def _leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
    os.write(2, b"\nstopped before anything began\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
