"""What a published page needs: a description and a card for those who find it, links that run it
elsewhere, and as little to fetch as will do.

`_config.yml` has the two addresses, of the repository (`repository.url`) and of the published book
(`html.baseurl`). While they are empty there are no such links and no card.
"""

import html
import re
import textwrap
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from nbformat.v4 import new_code_cell
from sphinx.application import Sphinx

# The first cell of a downloaded notebook. In Colab it fetches what the page needs.
FETCH = """\
import os

if not os.path.isdir("data"):
    !git clone -q --depth 1 {url} /content/book
    %cd -q /content/book
    %pip install -q -e .[book]
"""
# The branch to which the built book is published: Colab opens notebooks from there.
PUBLISHED = "gh-pages"


def lighten(app: Sphinx, config: Any) -> None:
    """The parts of MathJax that `_config.yml` names, and the `layout.html` beside this file."""
    config.mathjax_path = "mathjax/startup.js"
    config.templates_path = [*config.templates_path, str(Path(__file__).parent)]


def publish(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None:
        return
    describe(app, page, context, doctree)
    link(app, page, context)
    formula = nodes.math, nodes.math_block
    if not any(isinstance(node, formula) for node in doctree.findall()):
        # Sphinx takes the first page for one with mathematics where any page below it has some.
        files = context["script_files"]
        context["script_files"] = [one for one in files if "mathjax" not in str(one)]


def shorten(text: str, width: int = 200) -> str:
    """The first sentences of a text that fit, without references such as [Hutter et al., 2014]; of
    a first one that is too long, its first words."""
    first, *more = re.split(
        r"(?<=[.?!]) ", re.sub(r" \[[^]]*\d{4}\w?\]", "", " ".join(text.split()))
    )
    for sentence in more:
        if len(first) + 1 + len(sentence) > width:
            break
        first += f" {sentence}"
    return textwrap.shorten(first, width, placeholder=" …")


def describe(app: Sphinx, page: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """A page's description is from its bold first sentences, else from its first paragraph."""
    paragraph = next(doctree.findall(nodes.paragraph), nodes.paragraph())
    told = next(iter(paragraph.findall(nodes.strong)), paragraph).astext()
    description = shorten(told)
    title = context["title"]
    tags = {"description": description}
    cards = {"og:title": title, "og:description": description, "og:type": "article"}
    cards["og:site_name"] = app.config.html_title
    if address := app.config.html_baseurl.rstrip("/"):
        cards |= {"og:url": f"{address}/{page}.html", "og:image": f"{address}/_static/card.png"}
        tags["twitter:card"] = "summary_large_image"
    context["metatags"] += "".join(
        f'\n<meta {key}="{name}" content="{html.escape(nodes.Text(content).astext())}"/>'
        for key, some in (("name", tags), ("property", cards))
        for name, content in some.items()
    )


def link(app: Sphinx, page: str, context: dict[str, Any]) -> None:
    """Buttons on a computed page that open it in Binder and in Colab."""
    url = app.config.html_theme_options.get("repository_url", "").rstrip("/")
    if not url or "kernelspec" not in app.env.metadata.get(page, {}):
        return
    repository = "/".join(url.split("/")[-2:])
    source = f"{repository}/blob/{PUBLISHED}/_sources/{page}.ipynb"
    links = {
        "Binder": f"https://mybinder.org/v2/gh/{repository}/HEAD?labpath={page}.ipynb",
        "Colab": f"https://colab.research.google.com/github/{source}",
    }
    buttons = [
        {"type": "link", "text": name, "tooltip": f"Open in {name}", "url": to}
        for name, to in links.items()
    ]
    group = {"type": "group", "tooltip": "Run this page elsewhere", "buttons": buttons}
    group |= {"icon": "fas fa-rocket", "label": "launch-buttons"}
    context["header_buttons"].append(group)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Takes the second copy of the icons away; downloaded notebooks fetch what they need."""
    if error or app.builder.format != "html":
        return
    # The theme's icons come as a font of 0.16 MB and, once more, as a script of 1.5 MB.
    for path in Path(app.outdir, "_static", "scripts").glob("fontawesome.js*"):
        path.write_text("")
    if url := app.config.html_theme_options.get("repository_url"):
        for path in Path(app.outdir, "_sources").glob("*.ipynb"):
            notebook = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
            cell = new_code_cell(FETCH.format(url=url), id="fetch")  # type: ignore[no-untyped-call]
            notebook.cells.insert(0, cell)
            nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", lighten)
    # Sphinx adds MathJax at 500, the theme its buttons at 501.
    app.connect("html-page-context", publish, priority=700)
    app.connect("build-finished", finish, priority=900)  # when everything is copied
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
