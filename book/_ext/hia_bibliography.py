"""The bibliography as a list whose entries are items.

Docutils gives the entries the role "doc-biblioentry", which WAI-ARIA has given up: a screen reader
need not see that they belong to the list around them.
"""

from typing import Any

from sphinx.application import Sphinx


def as_items(_: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", as_items)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
