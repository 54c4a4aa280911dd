"""Pages run beside each other, in processes that fork from one that has imported what pages need.

A page of its own takes five seconds of processor time to import it, 27 times.
"""

import importlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

IMPORTED = (
    *("optuna", "pingouin", "seaborn", "sklearn.ensemble", "sklearn.model_selection"),
    *("hia.ranking.fanova", "hia.relief", "hia.trials", "hia_book.figures"),
)


def run_each(
    page: Callable[[Path], int], sources: Sequence[Path], last: Sequence[Path], jobs: int
) -> int:
    """Calls `page`, which returns an exit status, with each of `sources`, `jobs` at a time.

    When all have ended, with each of `last`, one after the other. Says which has begun. After a
    status that is not 0 no other begins; returns that one.
    """
    warnings.filterwarnings("ignore", "IProgress not found")  # the book has no progress bars
    for name in IMPORTED:
        importlib.import_module(name)
    pages = [*sources, *last]
    running: dict[Any, ForkProcess] = {}
    status = begun = 0
    try:
        while True:
            free = len(running) < max(jobs, 1) and (begun < len(sources) or not running)
            if free and begun < len(pages) and not status:
                print(f"Running {pages[begun]} ({begun + 1} of {len(pages)})", flush=True)
                process = ForkProcess(target=_run_page, args=(page, pages[begun]))
                process.start()
                running[process.sentinel] = process
                begun += 1
            elif running:
                for sentinel in wait(list(running)):
                    process = running.pop(sentinel)
                    process.join()
                    status = status or process.exitcode or 0
            else:
                return status
    finally:
        for process in running.values():
            process.terminate()


def _run_page(page: Callable[[Path], int], source: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that waits
    # First the kernel, while there is one thread: it waits until it is told its ports.
    told, tell = multiprocessing.Pipe(duplex=False)
    kernel = _Kernel(target=_run_kernel, args=(told,))
    kernel.start()
    _end_with_parent()

    async def launch_kernel(self: Any, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        tell.send((cmd[cmd.index("-f") :], options["env"]))
        self.process, self.pid = kernel, kernel.pid
        info: KernelConnectionInfo = self.connection_info
        return info

    LocalProvisioner.launch_kernel = launch_kernel  # type: ignore[method-assign]
    raise SystemExit(page(source))


def _run_kernel(told: Connection) -> None:
    _end_with_parent()
    arguments, environment = told.recv()
    os.environ.update(environment)
    IPKernelApp.launch_instance(arguments)


def _end_with_parent() -> None:
    """Ends this process when the one that forked it is gone, be it by kill -9."""

    def watch() -> None:
        parent: Any = multiprocessing.parent_process()
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Kernel(ForkProcess):
    """A process, with what jupyter_client wants of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> int | None:
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)
