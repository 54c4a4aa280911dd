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
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

FORK = multiprocessing.get_context("fork")
IMPORTED = (
    *("optuna", "pingouin", "seaborn", "sklearn.ensemble", "sklearn.model_selection"),
    *("hia.ranking.fanova", "hia.relief", "hia.trials", "hia_book.figures"),
)


def run_each(
    page: Callable[[Path], int], sources: Sequence[Path], last: Sequence[Path], jobs: int
) -> int:
    """Calls `page`, which returns an exit status, with each of `sources`, `jobs` at a time.

    When all have ended, with each of `last`. Says which has begun. After a status that is not 0 no
    other begins; returns that one.
    """
    warnings.filterwarnings("ignore", "IProgress not found")  # the book has no progress bars
    for name in IMPORTED:
        importlib.import_module(name)
    numbered = list(enumerate([*sources, *last], 1))
    first = len(sources)
    status = _run_group(page, numbered[:first], len(numbered), jobs)
    return status or _run_group(page, numbered[first:], len(numbered), jobs)


def _run_group(
    page: Callable[[Path], int], waiting: list[tuple[int, Path]], of: int, jobs: int
) -> int:
    running: dict[Any, ForkProcess] = {}
    status = 0
    try:
        while running or (waiting and not status):
            while waiting and not status and len(running) < jobs:
                number, source = waiting.pop(0)
                print(f"Running {source} ({number} of {of})", flush=True)
                process = FORK.Process(target=_run_page, args=(page, source))
                process.start()
                running[process.sentinel] = process
            for sentinel in wait(list(running)):
                process = running.pop(sentinel)
                process.join()
                status = status or process.exitcode or 0
    finally:
        for process in running.values():
            process.terminate()
    return status


def _run_page(page: Callable[[Path], int], source: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that waits
    # First the kernel, while there is one thread: it waits until it is told its ports.
    told, tell = FORK.Pipe(duplex=False)
    kernel = FORK.Process(target=_run_kernel, args=(told,))
    kernel.start()
    _end_with_parent()
    _Kernels.instance().forked = kernel, tell
    raise SystemExit(page(source))


def _run_kernel(told: Connection) -> None:
    _end_with_parent()
    arguments, environment = told.recv()
    os.environ.update(environment)
    IPKernelApp.launch_instance(arguments)


def _end_with_parent() -> None:
    """Ends this process when the one that forked it is gone, be it by kill -9."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Kernels(KernelProvisionerFactory):
    """Where jupyter_client gets a page's kernel: it was forked and waits for its arguments."""

    forked: tuple[ForkProcess, Connection]

    def create_provisioner_instance(
        self, kernel_id: str, kernel_spec: Any, parent: Any
    ) -> "_Provisioner":
        return _Provisioner(kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent)


class _Provisioner(LocalProvisioner):
    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        kernel, tell = _Kernels.instance().forked
        tell.send((cmd[cmd.index("-f") :], options["env"]))
        handle: Any = _Handle(kernel)
        self.process, self.pid = handle, kernel.pid
        return self.connection_info


class _Handle:
    """A process, with what jupyter_client wants of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, process: Any) -> None:
        self.process, self.pid = process, process.pid
        self.terminate, self.kill = process.terminate, process.kill

    def poll(self) -> Any:
        return self.process.exitcode

    def wait(self) -> Any:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)
