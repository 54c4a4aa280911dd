"""The built book as axe-core judges it, light and dark, wide and on a phone."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import needs_browser
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.browser, needs_browser]

# One page of every kind: prose, mathematics, figures and tables, the explorer, code, references.
MAIN = (
    *("intro", "method", "importance", "explorer", "extend", "rerun", "bibliography", "search"),
    "api_ranking",
)
GRAVE = ("serious", "critical")
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
OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def found(page: Page) -> list[str]:
    """Serious and critical findings on the page that is open: rule, element and what is wrong."""
    response: dict[str, Any] = Axe().run(page, options=OPTIONS).response
    return [
        f"{finding['id']}: {node['target']}: {node['failureSummary']}"
        for finding in response["violations"]
        for node in finding["nodes"]
        if finding["impact"] in GRAVE
    ]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_findings(html: Path, browser: Browser, scheme: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    findings = {}
    for name in MAIN:
        page.goto((html / f"{name}.html").as_uri())
        page.evaluate("async () => { if (window.MathJax) await MathJax.startup.promise }")
        page.evaluate(OPEN)
        findings[name] = found(page)
    page.close()
    assert not {name: of_page for name, of_page in findings.items() if of_page}


def test_the_check_finds_what_is_wrong(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content('<html lang="en"><title>x</title><img src="data:,"><p>text</p></html>')
    assert [finding.split(":")[0] for finding in found(page)] == ["image-alt"]
    page.close()
