"""Ctrl-C and a polite kill end a long command, wherever Python is when they come."""

import _thread  # noqa: PLC2701 - a module of Python's that is documented
import signal
import sys
import threading

AGAIN_SECONDS = 0.05


def heed() -> None:
    """From now on both raise KeyboardInterrupt in the main thread until it gets through.

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
