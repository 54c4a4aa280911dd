"""The browser in which the built book is looked at."""

import os
import shutil
from collections.abc import Callable

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium on the PATH and none named by CHROMIUM",
)


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that looks at pages."""
    return needs_browser(pytest.mark.browser(test))
