"""Numbers and titles of the whole book, also for a page that is made alone.

What is called `fig-3` or `table-5` is Fig. 3 or Table 5 of the paper, wherever it stands. The
others are S1, S2, ... in the book's order, figures and tables apart. As an extension of Sphinx this
module numbers them so.
"""

import re
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from hia_book.claims import prose, shown

SOURCES, BOOK = Path("notebooks"), Path("book")  # in the current directory

# Figures and tables: a name in the code, or the option of a directive.
_ITEM = re.compile(r'"((?:fig|table)-[\w-]+)"|:name: ([\w-]+)|\{caption\} ([\w-]+)')
_EQUATION = re.compile(r":label:\s+(eq-(\d+))")
_TITLES = {".py": re.compile(r"^# # (.+)$", re.M), ".md": re.compile(r"^# (.+)$", re.M)}
_ROLE = re.compile(r"\{(numref|eq|doc|ref|term)\}`(?:([^`<]+) <)?([^`>]+)>?`")


class Reference(NamedTuple):
    """What a name stands for. number: or title."""

    page: str
    number: str
    anchor: str


def pages(contents: Any) -> list[str]:
    """The pages of a table of contents, in their order."""
    if isinstance(contents, list):
        return list(chain.from_iterable(map(pages, contents)))
    here = [contents[key] for key in ("root", "file") if key in contents]
    below = ("parts", "chapters", "sections")
    return here + [name for key in below for name in pages(contents.get(key, []))]


def names() -> dict[str, Reference]:
    """Every page, figure, table and equation of the book, from what it is made of."""
    references: dict[str, Reference] = {}
    supplement = {kind: map("S{}".format, count(1)) for kind in ("fig", "table")}
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    for page in pages(contents):
        path = SOURCES / f"{page}.py"
        path = path if path.is_file() else BOOK / f"{page}.md"
        text = path.read_text(encoding="utf-8")
        title = _TITLES[path.suffix].search(text)
        references[page] = Reference(page, title[1] if title else page, "")
        for name, number in _EQUATION.findall(text):
            references[name] = Reference(page, number, f"#equation-{name}")
        for name in filter(None, chain.from_iterable(_ITEM.findall(text))):
            kind, _, number = name.partition("-")
            if name not in references:
                if not number.isdecimal():
                    number = next(supplement.get(kind, iter([""])))
                references[name] = Reference(page, number, f"#{name}")
    return references


def localise(notebook: NotebookNode, book: str) -> None:
    """Makes an executed notebook a page of its own: what refers to other pages becomes a link.

    book: where the other pages are, as seen from this one; empty where there are none.
    """
    references = names()
    texts = f"{prose(notebook)}\n{shown(notebook)}"
    here = set(re.findall(r"^:(?:name|label):\s+(\S+)", texts, re.MULTILINE))

    def link(role: re.Match[str]) -> str:
        kind, text, name = role.groups()
        if kind == "term":
            return text or name
        if name in here or name not in references:
            return role[0]
        page, number, anchor = references[name]
        if kind == "numref":
            number = f"{'Fig.' if name.startswith('fig') else 'Table'} {number}"
        words = text or (f"({number})" if kind == "eq" else number)
        return f'<a href="{book}{page}.html{anchor}">{words}</a>' if book else words

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _ROLE.sub(link, cell.source)
        for output in cell.get("outputs", []):
            if text := output.get("data", {}).get("text/markdown"):
                output["data"]["text/markdown"] = _ROLE.sub(link, text)
    if "{cite" in texts:
        cited = "## References\n\n```{bibliography}\n:filter: docname in docnames\n```"
        notebook.cells.append(new_markdown_cell(cited, id="cited"))  # type: ignore[no-untyped-call]


def number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Changes Sphinx's numbers of figures and tables. Returns the pages to be written again."""
    references = names()
    for page, kinds in env.toc_fignumbers.items():
        for kind in ("figure", "table"):
            for name in kinds.get(kind, {}):
                if name not in references:
                    raise ExtensionError(f"{page}: a {kind} with a caption has no name to number")
                kinds[kind][name] = (references[name].number,)  # type: ignore[assignment]
    return list(env.toc_fignumbers)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-get-updated", number, priority=900)  # Sphinx's own come at 500
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
