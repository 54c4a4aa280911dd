"""Names and numbers that no line breaks in two: N-RReliefF, CIFAR-100, 1e-06, 95 %.

They keep the letters that they are written with, so that they are found by searching.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

WHOLE = re.compile(r"(N-RReliefF|Fashion-MNIST|CIFAR-\d+|[\d.]+e-\d+|\d+ %)")
AS_IT_IS = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.raw)


def parted(text: str) -> list[nodes.Node]:
    """A text as nodes, what stays whole with a class of its own (`book/_static/book.css`)."""
    return [
        nodes.inline("", part, classes=["hia-whole"]) if place % 2 else nodes.Text(part)
        for place, part in enumerate(WHOLE.split(text))
        if part
    ]


class Whole(SphinxPostTransform):
    default_priority = 900
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, AS_IT_IS) and WHOLE.search(text):
                text.parent.replace(text, parted(text))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(Whole)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
