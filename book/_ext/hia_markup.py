"""What Sphinx and docutils do not write as this book needs it.

Names and numbers that no line breaks in two, links to the glossary, entries of the bibliography as
a screen reader knows them, and docstrings whose parameters are sentences ("table: one row per
trial.") as lists.
"""

import inspect
import re
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import stringify_annotation

WHOLE = re.compile(r"(N-RReliefF|Fashion-MNIST|CIFAR-\d+|[\d.]+e-\d+|\d+ %)")
ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
# Terms that are other words as well, which do not stand after an article or the like.
ORDINARY = {"share", "shares", "claim", "universe", "interaction", "main effect"}
ARTICLE = "|".join(rf"(?<=\b{word} )" for word in ("a", "an", "the", "its", "our", "of"))
NOT_LINKED = {nodes.reference, nodes.table, nodes.literal, nodes.citation, nodes.math}
LETTERS = {"tau": "τ", "sigma": "σ", "Theta": "Θ", "theta": "θ"}
TOKEN = re.compile(
    rf"\\(?P<name>{'|'.join(LETTERS)}|max|min)\b|(?P<letter>[A-Za-z])"
    r"|\^\{(?P<power>[^{}^]+)\}|(?P<sign>[\d\s+=/().,|<>-]+)"
)
ALL_COLUMNS = '<label class="hia-enlarge hia-columns"><input type="checkbox"/> All columns</label>'
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


class PlainFormulas(SphinxTransform):
    """Writes formulas of letters, numbers and powers as text, which needs no program to be read."""

    default_priority = 840  # before the page is asked whether it has mathematics

    def apply(self, **_: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            if parts := plain_formula(formula.astext()):
                formula.replace_self(parts)


def plain_formula(text: str) -> list[nodes.Node]:
    """A formula as nodes; none where it needs more than letters, numbers and powers."""
    parts: list[nodes.Node] = []
    end = 0
    for token in TOKEN.finditer(text):
        if token.start() != end:
            return []
        end = token.end()
        if name := token["name"]:
            greek = LETTERS.get(name)
            parts.append(nodes.emphasis("", greek) if greek else nodes.Text(name))
        elif letter := token["letter"]:
            parts.append(nodes.emphasis("", letter))
        elif power := token["power"]:
            parts.append(nodes.superscript("", "", *plain_formula(power)))
        else:
            parts.append(nodes.Text(token["sign"].replace("-", "−")))
    return parts if end == len(text) else []


class LinkTerms(SphinxPostTransform):
    """Links each term of the glossary where a page first uses it in a paragraph."""

    default_priority = 800
    formats = ("html",)

    def run(self, **_: Any) -> None:
        here = self.env.docname
        objects = self.env.get_domain("std").get_objects()
        terms = {name: place for name, _, kind, *place, _ in objects if kind == "term"}
        if here.startswith("api") or any(page == here for page, _ in terms.values()):
            return
        unlinked = set(map(tuple, terms.values()))
        some = [
            f"(?:{ARTICLE}){name}" if name in ORDINARY else re.escape(name)
            for name in sorted(terms, key=len, reverse=True)
        ]
        pattern = re.compile(rf"(?<![\w-])({'|'.join(some) or '$^'})(?![\w-])")
        for text in list(self.document.findall(nodes.Text)):
            parts = pattern.split(text)
            if len(parts) > 1 and is_sentence(text):
                children: list[nodes.Node] = []
                for part in parts:
                    place = tuple(terms.get(part, ()))
                    if place in unlinked:
                        unlinked.remove(place)
                        link = make_refnode(self.app.builder, here, *place, nodes.Text(part))
                        link["classes"] = ["hia-term"]
                        children.append(link)
                    else:
                        children.append(nodes.Text(part))
                text.parent.replace(text, children)


def is_sentence(text: nodes.Node) -> bool:
    """Whether it is text of a paragraph outside tables, and no link, code or formula."""
    above, kinds = text.parent, set()
    while above is not None:
        kinds.add(type(above))
        above = above.parent
    return nodes.paragraph in kinds and not kinds & NOT_LINKED


class ChooseColumns(SphinxPostTransform):
    """Gives a table of more than five columns of numbers a box to show all of them on a phone."""

    default_priority = 810
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for table in list(self.document.findall(nodes.table)):
            rows = table.findall(nodes.row)
            numbers = [sum("text-right" in cell["classes"] for cell in row) for row in rows]
            if max(numbers, default=0) > 5:
                place = table.parent.index(table)
                table.parent.insert(place, nodes.raw("", ALL_COLUMNS, format="html"))


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
    app.add_transform(PlainFormulas)
    app.add_post_transform(LinkTerms)
    app.add_post_transform(ChooseColumns)
    app.add_post_transform(KeepWhole)
    app.connect("html-page-context", list_entries)
    app.connect("autodoc-process-docstring", list_parameters, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-signature", shorten_types)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
