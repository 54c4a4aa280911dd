"""Numbered figures and tables of the book, from a notebook's cell.

In Jupyter both are shown as they are; in the book they become a numbered, captioned figure or
table that prose can refer to. Nothing is written beside the notebook. Captions are MyST Markdown.
"""

import base64
import html
import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

# White paper in both themes of the book; letters as outlines, the same with whatever fonts.
STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "hia",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def use_style() -> None:
    """The book's look for the figures made after this call."""
    mpl.rcParams.update(STYLE)


def show_figure(figure: Figure, name: str, caption: str, alt: str) -> None:
    """Shows a figure, to be referred to as {numref}`name`, and closes it.

    alt: what a reader who cannot see the figure should know, on one line.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    source = f"data:image/svg+xml;base64,{_base64(buffer.getvalue())}"
    image = f'<img src="{source}" alt="{html.escape(alt)}"/>'
    _display(image, f"~~~{{figure}} {source}\n:name: {name}\n:alt: {alt}\n\n{caption}\n~~~")


def show_table(
    table: pd.DataFrame, name: str, caption: str, formats: Mapping[str, str] | None = None
) -> None:
    """Shows a table without its index, to be referred to as {numref}`name`, with a CSV to download.

    Texts are MyST Markdown. formats: format specification per column, such as {"weight": ".6f"};
    other fractions get four significant digits. The CSV has every digit.
    Raises ValueError for a format of a column that is not there.
    """
    formats = dict(formats or {})
    if unknown := sorted(set(formats) - set(table.columns)):
        raise ValueError(f"no column {unknown[0]!r}; the table has {', '.join(table.columns)}")
    cells = table.apply(lambda column: column.map(_writer(formats.get(str(column.name)))))
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table]
    rows = [list(table.columns), ["--:" if right else ":--" for right in numeric]]
    rows += cells.to_numpy().tolist()
    body = "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows
    )
    csv = f"data:text/csv;base64,{_base64(table.to_csv(index=False).encode())}"
    link = f'<a download="{name}.csv" href="{csv}">Download as CSV</a>'
    markdown = f"~~~{{table}} {caption}\n:name: {name}\n\n{body}\n~~~\n\n{link}\n"
    _display(cells.to_html(index=False), markdown)


def show_text(markdown: str) -> None:
    """Shows a paragraph whose numbers were computed, in MyST Markdown."""
    _display(html.escape(markdown), markdown)


def _writer(specification: str | None) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if pd.isna(value):
            return ""
        default = ".4g" if isinstance(value, float) else ""
        return format(value, default if specification is None else specification)

    return write


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _display(in_jupyter: str, in_book: str) -> None:
    bundle = {"text/html": in_jupyter, "text/markdown": in_book}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]
