"""What Sphinx and its theme write that a screen reader cannot make sense of, written otherwise.

The arguments of a long signature are a list of definitions without a term, and the sign that
unfolds a part of the contents has no name.
"""

import re
from typing import Any

from sphinx.application import Sphinx

# Only arguments are in a list that has no class and no term.
_ARGUMENTS = re.compile(r"<dl>\n((?:<dd>.*?</dd>\n)+)</dl>", re.DOTALL)


def as_lines(body: str) -> str:
    """HTML with the arguments of signatures as lines (`book/_static/book.css`)."""

    def lines(found: re.Match[str]) -> str:
        return found[1].replace("<dd>", '<span class="hia-line">').replace("</dd>", "</span>")

    return _ARGUMENTS.sub(lines, body)


def named(contents: str) -> str:
    """The contents in the sidebar, each sign that unfolds a part with a name."""
    return contents.replace("<summary>", '<summary aria-label="Pages of this part">')


def on_page(_: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if "body" in context:
        context["body"] = as_lines(context["body"])
    contents = context["generate_toctree_html"]  # the theme's function
    context["generate_toctree_html"] = lambda *given, **named_so: named(
        str(contents(*given, **named_so))
    )


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", on_page, priority=900)  # the theme's come at 500
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
