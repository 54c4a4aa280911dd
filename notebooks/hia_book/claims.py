"""What a page says, held to what its cells compute.

A number in the prose is glued by the cell that computes it, `glue(tau=tau)`, and stands in Markdown
as {glue:text}`tau:.2f`. A finding is a claim beside the computation: one that does not hold fails
the book's build, and a rerun lists it. A caption is Markdown too, set at its figure or table:

    :::{caption} fig-pairs
    :alt: what a reader who cannot see the figure should know

    Weights of {glue:text}`n_pairs` pairs.
    :::
"""

import ast
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

import myst_nb
import numpy as np
import pandas as pd
from IPython.display import display
from nbformat import NotebookNode

_CAPTION = re.compile(
    r"^:::\{caption\} (\S+)\n(?::alt: (.*?)\n\n)?(.*?)\n:::\n*", re.MULTILINE | re.DOTALL
)
_GLUED = re.compile(r"\{glue:text\}`(\w+)(?::([^`]+))?`")
_LABELS = re.compile(
    r"^(?:~~~|```)\{(?:figure|table|list-table|admonition)\}.*\n(?::.*\n)*?:name: (\S+)"
    r"|^:label:\s+(\S+)",
    re.MULTILINE,
)
# What `hia_book.figures` leaves where a caption goes.
_PLACE = re.compile(r"\{(caption|alt) ([\w-]+)\}")


class PageError(Exception):
    """What a page cannot do with the data or the parameters given, in one line."""


def claim(text: str, holds: Any) -> None:
    """States what a sentence of the page does, in words without numbers, and whether it holds here,
    a truth value of NumPy or pandas as well."""
    said = f"{'Holds' if holds else 'DOES NOT HOLD'}: {text}"
    metadata = {"hia": {"claim": text, "holds": bool(holds)}}
    display({"text/plain": said}, raw=True, metadata=metadata)  # type: ignore[no-untyped-call]


def glue(**values: Any) -> None:
    """Glues numbers and words for the page's prose, by their names; of a named tuple, a mapping or
    a Series every part by the name and its own: `lr=agreement` as `lr_tau`, `lr_low` ..."""
    for name, value in values.items():
        if hasattr(value, "_asdict"):
            value = value._asdict()
        if isinstance(value, (Mapping, pd.Series)):
            glue(**{re.sub(r"\W+", "_", f"{name}_{part}"): one for part, one in value.items()})
        else:
            plain = value.item() if isinstance(value, np.generic) else value
            myst_nb.glue(name, plain, display=False)


def need(holds: Any, message: str) -> None:
    """Ends the page at once with one line where it cannot be made. Raises PageError."""
    if not holds:
        raise PageError(message)


def glued(notebook: NotebookNode) -> dict[str, Any]:
    """The values that the cells of an executed notebook have glued."""
    values = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                (text,) = (x for kind, x in output["data"].items() if kind.endswith("text/plain"))
                values[name] = float(text) if text in ("nan", "inf", "-inf") else text
                with suppress(SyntaxError, ValueError):
                    values[name] = ast.literal_eval(text)
    return values


def resolve(markdown: str, values: Mapping[str, Any]) -> str:
    """Markdown with the glued values in it, to be quoted on another page."""
    return _GLUED.sub(lambda role: format(values[role[1]], role[2] or ""), markdown)


def agreements(notebook: NotebookNode) -> dict[str, str]:
    """What an executed page says of each item's agreement with the paper, by the item's name."""
    values, said = glued(notebook), {}
    for cell in notebook.cells:
        text = re.sub(r"^\*\*Agreement with the paper[^*]*\*\* ", "", " ".join(cell.source.split()))
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("agreement-"):
                said[tag.removeprefix("agreement-")] = resolve(text, values)
    return said


def prose(notebook: NotebookNode) -> str:
    """The Markdown of a page."""
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def shown(notebook: NotebookNode) -> str:
    """The figures, tables and texts that the cells of an executed page show."""
    outputs = chain.from_iterable(cell.get("outputs", []) for cell in notebook.cells)
    return "\n".join(output.get("data", {}).get("text/markdown", "") for output in outputs)


def labels(markdown: str) -> list[str]:
    """The names of its figures and tables, and the labels of its equations."""
    return [name or label for name, label in _LABELS.findall(markdown)]


def write_captions(notebook: NotebookNode) -> None:
    """Moves the captions of an executed notebook from its Markdown to the figures and tables.
    Raises PageError for one without a caption, and one with a value that no cell has glued."""
    values, captions = glued(notebook), {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for name, alt, text in _CAPTION.findall(cell.source):
                captions["alt", name], captions["caption", name] = alt, text
            cell.source = _CAPTION.sub("", cell.source).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source or cell.cell_type == "code"]

    def write(place: re.Match[str]) -> str:
        try:
            return " ".join(resolve(captions[place[1], place[2]], values).split())
        except KeyError as error:
            raise PageError(f"{place[2]}: its caption lacks {error}") from None

    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        for kind in ("text/html", "text/markdown"):
            if kind in output.get("data", {}):
                output["data"][kind] = _PLACE.sub(write, output["data"][kind])
