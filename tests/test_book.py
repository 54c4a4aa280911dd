"""The built book, as a reader's browser finds it: whole, offline, on a phone too."""

import functools
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import needs_browser
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(html: Path) -> list[Path]:
    """Every page, however reached; index.html only leads on to the first."""
    return sorted(
        path
        for path in html.rglob("*.html")
        if "_static" not in path.parts and path.name != "index.html"
    )


@pytest.fixture(scope="module")
def address(html: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(html))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def faults(page: Page, address: str, name: str) -> list[str]:
    """What is wrong with one page of the book, opened at `address`."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("requestfailed", lambda request: found.append(f"failed: {request.url}"))
    page.on(
        "response", lambda got: found.append(f"{got.status}: {got.url}") if got.status > 399 else 0
    )
    page.on(
        "request",
        lambda request: (
            found.append(f"off the machine: {request.url}")
            if not request.url.startswith((address, "data:", "blob:"))
            else 0
        ),
    )
    page.goto(address + name, wait_until="load")
    page.evaluate("async () => { if (window.MathJax) await MathJax.startup.promise }")
    page.wait_for_timeout(500)  # for late requests; "networkidle" is not always reached from files
    return found + page.evaluate(
        """() => {
            const faults = [];
            for (const image of document.images)
                if (!image.complete || !image.naturalWidth)
                    faults.push(`image: ${image.src.slice(0, 100)}`);
            for (const formula of document.querySelectorAll(".math"))
                if (!formula.querySelector("mjx-container") || formula.querySelector("mjx-merror"))
                    faults.push(`mathematics: ${formula.textContent}`);
            return faults;
        }"""
    )


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_every_page_is_whole_and_stays_on_the_machine(
    html: Path, pages: list[Path], address: str, browser: Browser, scheme: str
) -> None:
    base = address if scheme == "http" else f"{html.as_uri()}/"
    found = {}
    for path in pages:
        page = browser.new_page()
        name = path.relative_to(html).as_posix()
        found[name] = faults(page, base, name)
        page.close()
    assert not {name: listed for name, listed in found.items() if listed}


@needs_browser
@pytest.mark.browser
def test_the_index_leads_to_the_first_page(html: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((html / "index.html").as_uri())
    page.wait_for_url("**/intro.html")
    assert page.locator("article h1").count() == 1
    page.close()


@needs_browser
@pytest.mark.browser
def test_the_check_sees_what_it_looks_for(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "bad.html").write_text(
        '<span class="math">x</span><img src="none.png"><script src="http://127.0.0.1:9/"></script>'
    )
    page = browser.new_page()
    kinds = {fault.split(":")[0] for fault in faults(page, f"{tmp_path.as_uri()}/", "bad.html")}
    page.close()
    assert kinds == {"failed", "off the machine", "image", "mathematics"}


@needs_browser
@pytest.mark.browser
def test_no_page_is_wider_than_a_phone(html: Path, pages: list[Path], browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    wide = {}
    for path in pages:
        page.goto(path.as_uri())
        wide[path.name] = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert not {name: width for name, width in wide.items() if width > 390}


class Links(HTMLParser):
    """Collects where a page's links lead, and what can be linked to on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" and value:
                self.anchors.add(value)
            if tag == "a" and key == "href" and value:
                self.links.append(value)


def test_links_within_the_book_lead_somewhere(pages: list[Path]) -> None:
    parsed = {path.resolve(): Links(path) for path in pages}
    broken = []
    for path, page in parsed.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = parsed[target].anchors if target in parsed else None
            missing = anchors is not None and unquote(parts.fragment) not in anchors | {""}
            if not target.is_file() or missing:
                broken.append(f"{path.name}: {link}")
    assert not broken
