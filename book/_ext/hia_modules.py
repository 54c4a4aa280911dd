"""A directive that lists modules of the package: links, and what their docstrings begin with.

In reStructuredText, as autodoc's are:

    .. hia-modules::

       hia.relief
       hia.ranking.fanova
"""

import inspect
from importlib import import_module
from typing import Any

from docstrings import to_rst
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def item(name: str) -> str:
    """A module as an item of a list in reStructuredText: a link, and what it is."""
    first, *_ = (inspect.getdoc(import_module(name)) or "").split("\n\n")
    return f"- :py:obj:`{name}`: {to_rst(first)}"


class Modules(SphinxDirective):
    has_content = True

    def run(self) -> list[nodes.Node]:
        lines = "\n".join(map(item, self.content)).splitlines()
        found = nodes.container(classes=["hia-modules"])
        self.state.nested_parse(StringList(lines, "docstrings"), 0, found)
        return [found]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("hia-modules", Modules)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
