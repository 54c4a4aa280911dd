"""The built book, as a reader's browser finds it: whole, light and offline, on a phone too."""

import functools
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import needs_browser
from playwright.sync_api import Browser, Page

import references
from printed import print_pdf
from run_notebooks import picture

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PHONE: Any = {"width": 390, "height": 844}
DESKTOP: Any = {"width": 1280, "height": 900}


def in_browser(test: Any) -> Any:
    return needs_browser(pytest.mark.browser(test))


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

    handler = functools.partial(Quiet, directory=str(html))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


UNSEEN = """async () => {
    if (window.MathJax) await MathJax.startup.promise;
    const faults = [];
    for (const image of document.images)
        if (!image.complete || !image.naturalWidth)
            faults.push(`image: ${image.src.slice(0, 100)}`);
    for (const formula of document.querySelectorAll(".math"))
        if (!formula.querySelector("mjx-container") || formula.querySelector("mjx-merror"))
            faults.push(`mathematics: ${formula.textContent}`);
    return faults;
}"""


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
    page.goto(address + name, timeout=300_000)  # a busy machine is no fault of the page
    found += page.evaluate(UNSEEN)
    page.wait_for_timeout(200)  # for late requests; "networkidle" is not always reached from files
    return found


# In Matplotlib's SVG a letter is a path of a font of 100 points, scaled down; what is raised or
# lowered in a formula is scaled once more, and is not counted.
LETTERS = """() => [...document.querySelectorAll("figure img[src*='svg+xml']")].map((image) => {
    const svg = atob(image.src.split("base64,")[1]);
    const sizes = [...svg.matchAll(/scale\\(([\\d.]+) -/g)].map((found) => 100 * found[1]);
    const points = Number(svg.match(/<svg [^>]*?width="([\\d.]+)pt"/)[1]);
    return [image.closest("figure").id,
            Math.min(...sizes) * image.getBoundingClientRect().width / points];
})"""
# Of every table in sight: its columns of numbers, and whether its first column moves with it.
TABLES = """() => [...document.querySelectorAll(".pst-scrollable-table-container")].map((box) => {
    const row = [...box.querySelectorAll("tbody tr")].at(0);
    const seen = [...(row?.cells ?? [])].filter((cell) => cell.offsetWidth);
    const left = () => seen[0]?.getBoundingClientRect().left;
    const before = left();
    box.scrollLeft = 50;
    return [seen.filter((cell) => cell.matches(".text-right")).length, left() - before];
})"""


@in_browser
def test_every_page_is_whole_light_and_fits_a_phone(
    html: Path, pages: list[Path], address: str, browser: Browser
) -> None:
    """Under 2 MB at the first visit; nothing is wider than a phone; letters of figures have nine
    pixels there, and tables keep their first column."""
    found, weights, letters = {}, {}, {}
    for path in pages:
        context = browser.new_context(viewport=PHONE)  # with nothing in its cache
        page, sizes = context.new_page(), []
        page.on("requestfinished", lambda one, to=sizes: to.append(one.sizes()["responseBodySize"]))
        name = path.relative_to(html).as_posix()
        found[name] = faults(page, address, name)
        weights[name] = sum(sizes)
        letters |= dict(page.evaluate(LETTERS))
        for numbers, moved in page.evaluate(TABLES):
            if numbers > 5 or abs(moved) > 1:
                found[name].append(f"a table: {numbers} columns of numbers, moved by {moved}")
        for box in page.locator(".hia-enlarge input:visible").all():  # others are in a fold
            box.check()
        width = page.evaluate("document.documentElement.scrollWidth")
        found[name] += [f"{width} wide"] if width > PHONE["width"] else []
        context.close()
    assert not {name: listed for name, listed in found.items() if listed}
    assert not {name: weight for name, weight in weights.items() if not 1e5 < weight < 2e6}
    assert "fig-4" in letters
    assert not {name: round(size, 1) for name, size in letters.items() if round(size) < 9}


# One page of every kind: prose, mathematics, figures and tables, the explorer, code, references.
KINDS = (
    *("intro", "method", "importance", "explorer", "extend", "glossary", "bibliography", "search"),
    "api_ranking",
)
# Colours that are still fading in would be judged on their way.
OPEN = """async () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    const box = document.querySelector(".hia-enlarge input");
    if (box) box.checked = true;
    const drawn = () => new Promise((done) => requestAnimationFrame(() => done()));
    await drawn();
    await drawn();
    await Promise.all(document.getAnimations().map((one) => one.finished));
}"""
AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def barriers(page: Page) -> list[str]:
    """Serious and critical findings of axe-core: rule, element and what is wrong."""
    response: dict[str, Any] = Axe().run(page, options=AXE).response
    return [
        f"{finding['id']}: {node['target']}: {node['failureSummary']}"
        for finding in response["violations"]
        for node in finding["nodes"]
        if finding["impact"] in ("serious", "critical")
    ]


@in_browser
@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", DESKTOP)])
def test_no_barriers_from_files(html: Path, browser: Browser, scheme: Any, size: Any) -> None:
    found = {}
    for name in KINDS:
        page = browser.new_page(viewport=size, color_scheme=scheme)
        # A copy: axe asks for style sheets once more, which fails from files.
        found[name] = [*faults(page, f"{html.as_uri()}/", f"{name}.html")]
        page.evaluate(OPEN)
        found[name] += barriers(page)
        page.close()
    assert not {name: of_page for name, of_page in found.items() if of_page}


@in_browser
def test_the_checks_see_what_they_look_for(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "bad.html").write_text(
        '<html lang="en"><title>x</title><span class="math">x</span><img src="none.png">'
        '<script src="http://127.0.0.1:9/"></script></html>'
    )
    page = browser.new_page()
    kinds = {fault.split(":")[0] for fault in faults(page, f"{tmp_path.as_uri()}/", "bad.html")}
    assert kinds == {"failed", "off the machine", "image", "mathematics"}
    assert [one.split(":")[0] for one in barriers(page)] == ["image-alt"]
    page.close()


@in_browser
def test_the_index_leads_to_the_first_page(html: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((html / "index.html").as_uri())
    page.wait_for_url("**/intro.html")
    assert page.locator("article h1").count() == 1
    page.close()


@in_browser
def test_a_figure_is_enlarged_without_a_program(html: Path, browser: Browser) -> None:
    context = browser.new_context(
        viewport=PHONE, java_script_enabled=False, reduced_motion="reduce"
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
    page.set_viewport_size(DESKTOP)
    assert not box.is_visible()
    context.close()


@in_browser
def test_the_book_is_printed(
    html: Path, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    page = browser.new_page()
    print_pdf(page, html, tmp_path / "book.pdf")
    page.close()
    assert (tmp_path / "book.pdf").read_bytes().count(b"/Type /Page\n") > 50
    assert not (html / "whole.html").exists()


class Links(HTMLParser):
    """Collects where a page's links lead, what can be linked to on it, and its description."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.described = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.anchors.add(values.get("id", ""))
        if tag == "a":
            self.links.append(values.get("href", ""))
        if values.get("name") == "description":
            self.described = values["content"]


def test_links_within_the_book_lead_somewhere(html: Path, pages: list[Path]) -> None:
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
    terms = [
        link for page in parsed.values() for link in page.links if "glossary.html#term" in link
    ]
    assert len(terms) > 20
    described = [page.described for page in parsed.values() if page.described]
    assert len(described) > 20
    assert len(set(described)) == len(described)


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


def test_the_readme_s_picture_is_the_first_page_s_figure(html: Path) -> None:
    """Where this fails, `make picture` makes it anew."""
    current = drawn(picture(ROOT / "book" / "intro.ipynb", "fig-headline").decode())
    kept = drawn((ROOT / "picture.svg").read_text(encoding="utf-8"))
    assert current[0] == kept[0]
    np.testing.assert_allclose(current[1], kept[1], rtol=0, atol=0.05)  # a twentieth of a point


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
