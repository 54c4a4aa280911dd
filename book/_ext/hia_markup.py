"""What Sphinx and docutils do not write as this book needs it.

Names and numbers that no line breaks in two, entries of the bibliography as a screen reader knows
them, and docstrings whose parameters are sentences ("table: one row per trial.") as lists.
"""

import inspect
import re
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import stringify_annotation

WHOLE = re.compile(r"(N-RReliefF|Fashion-MNIST|CIFAR-\d+|[\d.]+e-\d+|\d+ %)")
ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
AS_IT_IS = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.raw)


class KeepWhole(SphinxPostTransform):
    """Gives what is not to be broken a class of its own (`book/_static/book.css`)."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, AS_IT_IS) and WHOLE.search(text):
                text.parent.replace(text, split_whole(text))


def split_whole(text: str) -> list[nodes.Node]:
    """A text as nodes, which together have the same letters."""
    return [
        nodes.inline("", part, classes=["hia-whole"]) if place % 2 else nodes.Text(part)
        for place, part in enumerate(WHOLE.split(text))
        if part
    ]


def list_entries(_: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """WAI-ARIA has given up docutils' role of an entry, which belongs to the list around it."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def list_parameters(
    _: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """A paragraph that begins with a parameter as a list of them; indented text as code.

    Outside of code a star or a bar is one, and not reStructuredText's.
    """
    try:
        names = [*inspect.signature(obj).parameters, *getattr(obj, "__annotations__", ())]
    except (TypeError, ValueError):
        names = []
    one = "|".join(names) or "$^"
    start = re.compile(rf"(?:^|(?<=[.;:)] ))((?:{one})(?:, (?:{one}))*): ")
    paragraphs = "\n".join(lines).split("\n\n")
    for place, paragraph in enumerate(paragraphs):
        is_code = all(line.startswith("    ") for line in paragraph.splitlines())
        if not is_code:
            parts = re.split("(`[^`]*`)", paragraph)
            parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
            paragraph = paragraphs[place] = "".join(parts)
        text = " ".join(paragraph.split())
        if start.match(text):
            items = start.sub(r"\n- **\1**: ", text)
            paragraphs[place] = re.sub(r"(?<=\.) (Returns|Raises) ", r"\n\n\1 ", items).strip()
        elif is_code and paragraph:
            before = paragraphs[place - 1].rstrip()
            paragraphs[place] = paragraph if before.endswith("::") else f"::\n\n{paragraph}"
    lines[:] = "\n\n".join(paragraphs).split("\n")


def shorten_types(
    _: Sphinx, what: str, name: str, obj: Any, options: Any, given: str | None, result: str | None
) -> tuple[str | None, ...]:
    """NumPy's types are called as in the code, and not by the eight that they stand for."""

    def shorten(text: str | None) -> str | None:
        text = (text or "").replace(ARRAY_LIKE, "ArrayLike")
        text = re.sub(r"~(\w+\.)*", "", text)  # left within brackets
        return (
            re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]", r"NDArray[\1]", text) or None
        )

    return shorten(given), shorten(result)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(KeepWhole)
    app.connect("html-page-context", list_entries)
    app.connect("autodoc-process-docstring", list_parameters, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-signature", shorten_types)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
