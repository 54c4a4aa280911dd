"""The built book, as a reader's browser finds it: whole, light and offline, on a phone too."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request

import references
from printed import print_pdf
from run_notebooks import picture

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PHONE: Any = {"width": 390, "height": 844}
DESKTOP: Any = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def pages(html: Path) -> list[Path]:
    """Every page, however reached; index.html only leads on to the first, and whole.html is there
    while another test prints the book."""
    paths = {path for path in html.rglob("*.html") if "_static" not in path.parts}
    return sorted(paths - {html / "index.html", html / "whole.html"})


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as opened:
        yield opened


# Waits for mathematics, and says what of images and formulas cannot be seen.
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
# In Matplotlib's SVG a letter is a path of a font of 100 points, scaled down; what is raised or
# lowered in a formula is scaled once more, and is not counted.
LETTERS = """() => [...document.querySelectorAll("figure img[src*='svg+xml']")].map((image) => {
    const svg = atob(image.src.split("base64,")[1]);
    const sizes = [...svg.matchAll(/scale\\(([\\d.]+) -/g)].map((found) => 100 * found[1]);
    const points = Number(svg.match(/<svg [^>]*?width="([\\d.]+)pt"/)[1]);
    return [image.closest("figure").id,
            Math.min(...sizes) * image.getBoundingClientRect().width / points];
})"""
# Of every table in sight: its columns of numbers, and by how much its first column moves with it.
TABLES = """() => [...document.querySelectorAll(".pst-scrollable-table-container")].map((box) => {
    const row = [...box.querySelectorAll("tbody tr")].at(0);
    const seen = [...(row?.cells ?? [])].filter((cell) => cell.offsetWidth);
    const left = () => seen[0]?.getBoundingClientRect().left;
    const before = left();
    box.scrollLeft = 50;
    return [seen.filter((cell) => cell.matches(".text-right")).length, left() - before];
})"""
# How wide the page is with every figure in sight enlarged.
WIDTH = """() => {
    for (const box of document.querySelectorAll(".hia-enlarge input"))
        if (box.offsetParent) box.checked = true;
    return document.documentElement.scrollWidth;
}"""
# Opens all folds. Colours that are still fading in would be judged on their way; and the theme
# takes 0.3 s to let keys reach what scrolls.
OPEN = """async () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    const drawn = () => new Promise(requestAnimationFrame);
    await drawn();
    await drawn();
    await Promise.all(document.getAnimations().map((one) => one.finished));
    await new Promise((done) => setTimeout(done, 400));
}"""
AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "preload": False,  # style sheets once more, which fails from files
}
# One page of every kind: prose, mathematics, figures and tables, the explorer, code, references.
KINDS = ["intro", "method", "explorer", "extend", "api_study", "glossary", "bibliography", "search"]


def watch(page: Page, root: Path) -> tuple[list[str], set[Path]]:
    """What goes wrong while pages are opened, and the files of the folder that they ask for."""
    faults: list[str] = []
    files: set[Path] = set()

    def ask(request: Request) -> None:
        url = urlsplit(request.url)
        if request.url.startswith(root.as_uri()):
            files.add(Path(unquote(url.path)))
        elif url.scheme not in ("data", "blob"):
            faults.append(f"off the machine: {request.url}")

    page.on("request", ask)
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    return faults, files


def look(page: Page, path: Path, scheme: Any, size: Any) -> list[str]:
    """Opens a page: what of it cannot be seen."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    page.goto(path.as_uri(), timeout=300_000)  # a busy machine is no fault of the page
    unseen: list[str] = page.evaluate(UNSEEN)
    return unseen


def barriers(page: Page) -> list[str]:
    """Serious and critical findings of axe-core: rule, element and what is wrong."""
    page.evaluate(OPEN)
    response: dict[str, Any] = Axe().run(page, options=AXE).response
    return [
        f"{finding['id']}: {node['target']}: {node['failureSummary']}"
        for finding in response["violations"]
        for node in finding["nodes"]
        if finding["impact"] in ("serious", "critical")
    ]


def test_every_page_is_whole_light_without_barriers_and_fits_a_phone(
    html: Path, pages: list[Path], page: Page
) -> None:
    """From files. Under 2 MB at the first visit; nothing is wider than a phone; letters of figures
    have nine pixels there, and tables keep their first column. Pages of every kind are judged by
    axe-core, light on a phone and dark on a desk."""
    letters, weights = {}, {}
    faults, files = watch(page, html)
    for path in pages:
        name = path.stem
        files.clear()
        seen = look(page, path, "light", PHONE)
        weights[name] = sum(file.stat().st_size for file in files)
        letters |= dict(page.evaluate(LETTERS))
        for numbers, moved in page.evaluate(TABLES):
            if numbers > 5 or abs(moved) > 1:
                seen.append(f"a table: {numbers} columns of numbers, moved by {moved}")
        width = page.evaluate(WIDTH)
        seen += [f"{width} wide"] if width > PHONE["width"] else []
        if name in KINDS:
            seen += [*barriers(page), *look(page, path, "dark", DESKTOP), *barriers(page)]
            assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        faults += [f"{name}: {one}" for one in seen]
    page.wait_for_timeout(200)  # for late requests
    assert not faults
    assert not {name: weight for name, weight in weights.items() if not 1e5 < weight < 2e6}
    assert set(KINDS) < set(weights)
    assert "fig-4" in letters
    assert not {name: round(size, 1) for name, size in letters.items() if round(size) < 9}


def test_the_checks_see_what_they_look_for(tmp_path: Path, page: Page) -> None:
    (tmp_path / "bad.html").write_text(
        '<html lang="en"><title>x</title><span class="math">x</span><img src="none.png">'
        '<script src="http://127.0.0.1:9/"></script><script>none()</script></html>'
    )
    faults, files = watch(page, tmp_path)
    faults += look(page, tmp_path / "bad.html", "light", PHONE)
    kinds = {fault.split(":")[0] for fault in faults}
    assert kinds == {"failed", "off the machine", "script", "image", "mathematics"}
    assert {file.name for file in files} == {"bad.html", "none.png"}
    assert [one.split(":")[0] for one in barriers(page)] == ["image-alt"]


def test_the_index_leads_to_the_first_page(html: Path, page: Page) -> None:
    page.goto((html / "index.html").as_uri())
    page.wait_for_url("**/intro.html")


def test_a_figure_is_enlarged_without_a_program(html: Path, browser: Browser) -> None:
    page = browser.new_page(viewport=PHONE, java_script_enabled=False, reduced_motion="reduce")
    page.goto((html / "importance.html").as_uri())
    figure = page.locator("#fig-importance")
    image, box = figure.locator("img"), figure.get_by_label("Enlarge")
    before = image.bounding_box()["width"]
    box.focus()
    page.keyboard.press("Space")
    assert image.bounding_box()["width"] > 1.8 * before
    page.set_viewport_size(DESKTOP)
    assert not box.is_visible()
    page.close()


def test_the_book_is_printed(
    html: Path, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    print_pdf(page, html, tmp_path / "book.pdf")
    assert (tmp_path / "book.pdf").read_bytes().count(b"/Type /Page\n") > 50
    assert not (html / "whole.html").exists()


def test_links_within_the_book_lead_somewhere(pages: list[Path]) -> None:
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in pages}
    anchors = {path: {"", *re.findall(r'\sid="([^"]*)"', text)} for path, text in texts.items()}
    broken = []
    for path, text in texts.items():
        for link in map(unescape, re.findall(r'<a\b[^>]*?\shref="([^"]*)"', text)):
            parts = urlsplit(link)
            if not (parts.scheme or parts.netloc):
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                fragments = anchors.get(target, {unquote(parts.fragment)})
                if not target.is_file() or unquote(parts.fragment) not in fragments:
                    broken.append(f"{path}: {link}")
    assert not broken
    whole = "".join(texts.values())
    assert len(re.findall(r'<a\b[^>]*?\shref="[^"]*glossary\.html#term', whole)) > 20
    described = re.findall(r'<meta name="description" content="([^"]+)"', whole)
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


def test_no_page_shows_a_warning(html: Path) -> None:
    for path in (ROOT / "book").glob("*.ipynb"):
        outputs = [
            x for cell in json.loads(path.read_text())["cells"] for x in cell.get("outputs", [])
        ]
        assert not [x["text"] for x in outputs if x.get("name") == "stderr"], path.name


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


def test_pages_have_the_titles_that_the_sources_give(pages: list[Path]) -> None:
    known = references.names()
    titled = [path for path in pages if path.stem in known]
    assert len(titled) > 30
    for path in titled:
        (heading,) = re.findall(r"<h1>(.*?)<a", path.read_text(encoding="utf-8"))
        shown = re.sub("<[^>]+>", "", heading).replace("’", "'")
        assert shown == known[path.stem].number.replace("`", "")


def test_figures_and_tables_have_the_numbers_that_the_sources_give(pages: list[Path]) -> None:
    known = references.names()
    whole = "".join(page.read_text(encoding="utf-8") for page in pages)
    built = dict(CAPTION.findall(whole))
    assert len(built) > 100
    assert built == {name: known[name].number for name in built}
