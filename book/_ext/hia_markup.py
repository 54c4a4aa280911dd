"""What Sphinx and docutils do not write as this book needs it.

Names and numbers that no line breaks in two, links to the glossary, entries of the bibliography as
a screen reader knows them, and docstrings whose parameters are sentences ("table: one row per
trial.") as lists.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import stringify_annotation

WHOLE = re.compile(r"(N-RReliefF|Fashion-MNIST|CIFAR-\d+|[\d.]+e-\d+|\d+ %)")
MINUS = re.compile(r"(?<![\w.,)])-(?=\d)")
NAN = re.compile(r"\bnan\b%?")
ONE = r"\\(?:tau|sigma|Theta|theta|max|min)\b|[A-Za-z]"
SIGNS = r"[\d\s+=/().,|<>−-]"
POWER = rf"\^\{{(?:{ONE}|{SIGNS})+\}}"
SYMBOL = re.compile(rf"({ONE}|{POWER})")
FORMULA = re.compile(rf"(?:{ONE}|{SIGNS}|{POWER})+")
LETTERS = {"tau": "τ", "sigma": "σ", "Theta": "Θ", "theta": "θ"}
# Terms that are other words as well, which do not stand after an article or the like.
ORDINARY = {"share", "shares", "claim", "universe", "interaction", "main effect"}
ARTICLE = "|".join(rf"(?<=\b{word} )" for word in ("a", "an", "the", "its", "our", "of"))
AS_IT_IS = {nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw}
NOT_LINKED = {*AS_IT_IS, nodes.reference, nodes.table, nodes.citation}
ALL_COLUMNS = (
    '<label class="hia-enlarge hia-columns"><input type="checkbox"/> Show all columns</label>'
)
ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")


def split(pattern: re.Pattern[str], text: str, wrap: Callable[[str], nodes.Node]) -> list[Any]:
    """A text as nodes: what the pattern's group finds as `wrap` makes it, the rest as it is."""
    parts = enumerate(pattern.split(text))
    return [wrap(part) if place % 2 else nodes.Text(part) for place, part in parts if part]


def kinds_around(node: nodes.Node) -> set[type]:
    """The types of all nodes that a node is in."""
    return set() if node.parent is None else {type(node.parent), *kinds_around(node.parent)}


def texts(document: nodes.document, pattern: re.Pattern[str]) -> list[nodes.Text]:
    """Those that have the pattern and are no code or formula."""
    found = [text for text in document.findall(nodes.Text) if pattern.search(text)]
    return [text for text in found if not kinds_around(text) & AS_IT_IS]


class KeepWhole(SphinxPostTransform):
    """Gives what is not to be broken a class of its own (`book/_static/book.css`)."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_: Any) -> None:
        def keep(text: str) -> nodes.Node:
            return nodes.inline("", text, classes=["hia-whole"])

        for text in texts(self.document, WHOLE):
            text.parent.replace(text, split(WHOLE, text, keep))


class WriteNumbers(SphinxPostTransform):
    """Writes numbers as books do: with a minus for Python's hyphen, and n/a where a rerun has no
    data for one."""

    default_priority = 790
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for pattern, sign in ((MINUS, "−"), (NAN, "n/a")):
            for text in texts(self.document, pattern):
                text.parent.replace(text, nodes.Text(pattern.sub(sign, text)))


class PlainFormulas(SphinxTransform):
    """Writes formulas of letters, numbers and powers as text, which needs no program to be read."""

    default_priority = 840  # before the page is asked whether it has mathematics

    def apply(self, **_: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            if FORMULA.fullmatch(formula.astext()):
                formula.replace_self(plain_formula(formula.astext()))


def plain_formula(text: str) -> list[nodes.Node]:
    return split(SYMBOL, text.replace("-", "−"), plain_symbol)


def plain_symbol(symbol: str) -> nodes.Node:
    if symbol.startswith("^"):
        return nodes.superscript("", "", *plain_formula(symbol[2:-1]))
    name = symbol.removeprefix("\\")
    if name in ("max", "min"):
        return nodes.Text(name)
    return nodes.emphasis("", LETTERS.get(name, name))


class LinkTerms(SphinxPostTransform):
    """Links each term of the glossary where a page first uses it in a paragraph."""

    default_priority = 800
    formats = ("html",)

    def run(self, **_: Any) -> None:
        here = self.env.docname
        objects = self.env.get_domain("std").get_objects()
        terms = {name: place for name, _, kind, *place, _ in objects if kind == "term"}
        if not terms or here.startswith("api") or here in {page for page, _ in terms.values()}:
            return
        some = [
            f"(?:{ARTICLE}){name}" if name in ORDINARY else re.escape(name)
            for name in sorted(terms, key=len, reverse=True)
        ]
        pattern = re.compile(rf"(?<![\w-])({'|'.join(some)})(?![\w-])")

        def link(term: str) -> nodes.Node:
            if term not in terms:
                return nodes.Text(term)
            node = make_refnode(self.app.builder, here, *terms.pop(term), nodes.Text(term))
            node["classes"] = ["hia-term"]
            return node

        for text in list(self.document.findall(nodes.Text)):
            around = kinds_around(text) if pattern.search(text) else set()
            if nodes.paragraph in around and not around & NOT_LINKED:
                text.parent.replace(text, split(pattern, text, link))


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

    Outside of code a star, a bar and a last underscore are such, and not reStructuredText's.
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
            parts[::2] = [re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
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
        array = r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]"
        return re.sub(array, r"NDArray[\1]", text) or None

    return shorten(given), shorten(result)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(PlainFormulas)
    for transform in (WriteNumbers, LinkTerms, ChooseColumns, KeepWhole):
        app.add_post_transform(transform)
    app.connect("html-page-context", list_entries)
    app.connect("autodoc-process-docstring", list_parameters, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-signature", shorten_types)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
