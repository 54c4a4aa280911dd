"""What several tests share: the built book, and how cases are drawn."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from printed import chromium

ROOT = Path(__file__).parents[1]

# `make test` tries the same cases every time: what passed once passes again. `make torture`, which
# sets HIA_EXAMPLES, draws others. A busy machine is no fault of what is tested.
settings.register_profile(
    "hia",
    derandomize="HIA_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hia")


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    """A command sets handlers for Ctrl-C; the test run's own are put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="session")
def forked() -> None:
    """Workers are forked: a fresh Python with PyTorch takes seconds. So does importing it here."""
    if "hia.study.processes" in sys.modules:
        from faults import fork_workers

        fork_workers()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Starts a disturbed study with two workers, at once; see `faults.Coordinator`."""
    from faults import Coordinator

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # no threads, which a fork would lose
    started = []

    def start(disturbed: Any) -> Coordinator:
        started.append(Coordinator(disturbed))
        return started[-1]

    yield start
    for process in started:
        process.kill_group()


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The storage URL of a server of the kind that the test names; None for a journal file."""
    import servers

    if request.param == "journal":
        yield None
    elif request.param == "mariadb":
        with servers.mariadb() as address:
            yield address
    else:
        with servers.postgres(durable=False) as server:
            yield server.url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the built book comes first: other processes do the rest meanwhile."""
    for item in items:
        needs = getattr(item, "fixturenames", ())
        if "html" in needs or "fuzz" in item.path.name:
            item.add_marker("slow")
        if "browser" in needs:
            item.add_marker("browser")
    items.sort(key=lambda item: "html" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def html() -> Path:
    """The book, built: once, by the first of several processes that needs it."""
    environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
    (ROOT / "_build").mkdir(exist_ok=True)
    with (ROOT / "_build" / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "book"], cwd=ROOT, env=environment, capture_output=True, text=True
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return ROOT / "_build" / "html"


# Not of the session: as long as it is there, nothing else can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Skips the tests of it where there is none, but not in continuous integration."""
    program = chromium()
    if program is None and "CI" not in os.environ:
        pytest.skip("no Chromium on the PATH and none named by CHROMIUM")
    quiet = ["quic", "background-networking", "component-update", "sync"]
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()
