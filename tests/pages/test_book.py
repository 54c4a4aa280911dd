"""The built book, as a reader's browser finds it: whole, offline, on a phone too."""

import functools
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from chromium import needs_browser
from playwright.sync_api import Browser, Page

import references
from run_notebooks import picture

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
    page.wait_for_timeout(200)  # for late requests; "networkidle" is not always reached from files
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
        for box in page.locator(".hia-enlarge input").all():
            box.check()
        wide[path.relative_to(html).as_posix()] = page.evaluate(
            "document.documentElement.scrollWidth"
        )
    page.close()
    assert not {name: width for name, width in wide.items() if width > 390}


# In Matplotlib's SVG a letter is a path of a font of 100 points, scaled down; what is raised or
# lowered in a formula is scaled once more, and is not counted.
LETTERS = """() => [...document.querySelectorAll("figure img[src*='svg+xml']")].map((image) => {
    const svg = atob(image.src.split("base64,")[1]);
    const sizes = [...svg.matchAll(/scale\\(([\\d.]+) -/g)].map((found) => 100 * found[1]);
    const points = Number(svg.match(/<svg [^>]*?width="([\\d.]+)pt"/)[1]);
    return [image.closest("figure").id,
            Math.min(...sizes) * image.getBoundingClientRect().width / points];
})"""


@needs_browser
@pytest.mark.browser
def test_letters_of_figures_can_be_read_on_a_phone(
    html: Path, pages: list[Path], browser: Browser
) -> None:
    """In pixels of the page, of which the smallest letters have nine."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    sizes: dict[str, float] = {}
    for path in pages:
        page.goto(path.as_uri())
        sizes |= dict(page.evaluate(LETTERS))
    page.close()
    assert "fig-4" in sizes
    assert not {name: round(size, 1) for name, size in sizes.items() if round(size) < 9}


@needs_browser
@pytest.mark.browser
def test_a_figure_is_enlarged_without_a_program(html: Path, browser: Browser) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, java_script_enabled=False, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto((html / "importance.html").as_uri())
    figure = page.locator("#fig-importance")
    image, box = figure.locator("img"), figure.get_by_label("Enlarge")
    before = image.bounding_box()
    box.focus()
    page.keyboard.press("Space")
    after = image.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > 1.8 * before["width"]
    page.set_viewport_size({"width": 1280, "height": 844})
    assert not box.is_visible()
    context.close()


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
                broken.append(f"{path}: {link}")
    assert not broken


ROOT = Path(__file__).parents[2]
# Matplotlib names marks and frames by a hash of their coordinates, to the last digit of these.
HASHED = re.compile(r"\b(?:[a-zA-Z]|C[0-9a-f]+_[0-9a-f]+_)[0-9a-f]{10}\b")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def drawn(svg: str) -> tuple[str, list[float]]:
    """What an SVG of Matplotlib draws: its text without numbers, and the numbers.

    Letters are named in it, so that words are compared as well. Its bytes are not: another
    processor adds up in another order, which moves a coordinate in its last digit, and so a hash.
    """
    text = HASHED.sub("", re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL))
    return NUMBER.sub("", text), [float(number) for number in NUMBER.findall(text)]


def alike(one: str, other: str) -> bool:
    """Whether two SVGs draw the same, to a twentieth of a point."""
    (text, numbers), (other_text, other_numbers) = drawn(one), drawn(other)
    return text == other_text and bool(np.allclose(numbers, other_numbers, rtol=0, atol=0.05))


def test_the_readme_s_picture_is_the_first_page_s_figure(html: Path) -> None:
    """Where this fails, `make picture` makes it anew."""
    current = picture(ROOT / "book" / "intro.ipynb", "fig-headline").decode()
    assert alike((ROOT / "picture.svg").read_text(encoding="utf-8"), current)


CAPTION = re.compile(
    r'<(?:figure|table)[^>]*? id="([\w-]+)"(?:(?!</figure>|</table>).)*?'
    r'caption-number">(?:Fig\.|Table) ([^<\s]+) *</span>',
    re.DOTALL,
)


def test_numbers_read_from_the_sources_are_those_of_the_built_book(pages: list[Path]) -> None:
    """A page that is made alone takes its numbers from the sources."""
    known = references.names(ROOT / "notebooks", ROOT / "book")
    built = dict(
        found for page in pages for found in CAPTION.findall(page.read_text(encoding="utf-8"))
    )
    assert len(built) > 100
    assert built == {name: known[name].number for name in built}
