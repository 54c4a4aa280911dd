"""Workers are forked: a fresh Python with PyTorch takes seconds."""

import pytest
from faults import fork_workers

from hia.study import processes, worker


@pytest.fixture(autouse=True, scope="session")
def forked():
    before = processes.multiprocessing, worker.work
    fork_workers()
    yield
    processes.multiprocessing, worker.work = before
