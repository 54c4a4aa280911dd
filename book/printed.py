"""What Chromium makes of the book: a PDF, and the card that stands for it where it is shared.

    python book/printed.py pdf _build/html -o _build/book.pdf
    python book/printed.py card picture.svg -o book/_static/card.png

The program is looked for on the PATH, or named by CHROMIUM.
"""

import argparse
import base64
import os
import re
import shutil
import sys
from pathlib import Path

import yaml
from playwright.sync_api import Page, sync_playwright

from references import pages

# Pages whose use is to be searched or clicked.
NOT_PRINTED = re.compile(r"api.*|claims|genindex")

_ARTICLE = re.compile(r'<article class="bd-article">(.*?)</article>', re.DOTALL)
_EXPLORER = re.compile(r'<div id="hia-explorer">.*?</script></div>', re.DOTALL)
_HEADING = re.compile(r"<h1>(.*?)<a ", re.DOTALL)
_LINK = re.compile(r'href="(?:([\w-]+)\.html)?(?:#([^"]*))?"')
_FOOTER = (
    '<div style="width: 100%; font-size: 8px; text-align: center">'
    '<span class="pageNumber"></span></div>'
)
_CARD = """<body style="margin: 0; font: 600 52px/1.25 system-ui, sans-serif; color: #1a1a1a;
  display: flex; align-items: center; height: 630px; background: white">
<div style="width: 520px; padding: 0 40px">{title}<p style="font: 28px/1.3 system-ui, sans-serif">
{rest}</p></div><img style="width: 580px" src="data:image/svg+xml;base64,{picture}"/>"""


def join(html: Path, names: list[str], title: str, author: str) -> str:
    """All these pages of the built book as one, whose links lead within it."""
    articles, contents = [], []
    for name in names:
        (article,) = _ARTICLE.findall((html / f"{name}.html").read_text(encoding="utf-8"))
        article = re.sub(r'\bid="([^"]*)"', rf'id="{name}--\1"', _EXPLORER.sub("", article))

        def within(link: re.Match[str], here: str = name) -> str:
            page, anchor = link[1] or here, link[2] or ""
            return f'href="#{page}--{anchor}"' if page in names else link[0]

        article = _LINK.sub(within, article)
        articles.append(f'<article class="bd-article" id="{name}--">{article}</article>')
        (heading,) = _HEADING.findall(article)
        contents.append(f'<li><a href="#{name}--">{heading}</a></li>')
    # A page with mathematics, for it loads what shows them.
    head = (html / "method.html").read_text(encoding="utf-8").partition("<body")[0]
    head = re.sub(r"<title>.*?</title>", f"<title>{title}</title>", head, flags=re.DOTALL)
    return (
        f'{head}<body><div class="bd-content"><div class="bd-article-container">'
        f'<header class="hia-title"><h1>{title}</h1><p>{author}</p></header>'
        f'<nav class="bd-article"><h1>Contents</h1><ol>{"".join(contents)}</ol></nav>'
        f"{''.join(articles)}</div></div></body></html>"
    )


def print_pdf(browser_page: Page, html: Path, output: Path) -> None:
    """Prints the book that is built in the folder `html`."""
    config = yaml.safe_load(Path("_config.yml").read_text(encoding="utf-8"))
    contents = yaml.safe_load(Path("book/_toc.yml").read_text(encoding="utf-8"))
    names = [name for name in pages(contents) if not NOT_PRINTED.fullmatch(name)]
    whole = html / "whole.html"
    whole.write_text(join(html, names, config["title"], config["author"]), encoding="utf-8")
    try:
        browser_page.goto(whole.resolve().as_uri())
        browser_page.evaluate("async () => await MathJax.startup.promise")
        browser_page.pdf(
            path=output,
            format="A4",
            margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=_FOOTER,
            outline=True,
            tagged=True,
        )
    finally:
        whole.unlink()


def draw_card(browser_page: Page, picture: Path, output: Path) -> None:
    """Draws the title and a picture, 1200 by 630 pixels."""
    config = yaml.safe_load(Path("_config.yml").read_text(encoding="utf-8"))
    title, mark, rest = config["title"].partition("?")
    encoded = base64.b64encode(picture.read_bytes()).decode()
    browser_page.set_viewport_size({"width": 1200, "height": 630})
    browser_page.set_content(_CARD.format(title=title + mark, rest=rest, picture=encoded))
    browser_page.screenshot(path=output)


def chromium() -> str | None:
    """The browser: what CHROMIUM names, else the first there is on the PATH."""
    programs = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return os.environ.get("CHROMIUM") or next(filter(None, programs), None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python book/printed.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=["pdf", "card"])
    parser.add_argument("source", type=Path, help="the built book, or a picture")
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args()
    program = chromium()
    if program is None:
        print("error: no Chromium on the PATH and none named by CHROMIUM", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        make = print_pdf if chosen.what == "pdf" else draw_card
        make(browser.new_page(), chosen.source, chosen.output)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
