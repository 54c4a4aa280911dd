"""Numbered figures and tables of the book, from a notebook's cell, in one visual language.

`fig-3` and `table-5` carry the paper's numbers; all others are numbered S1, S2, ... in the book's
order (`book/references.py`). Captions stand in the page's Markdown (`hia_book.claims`) and may name
a hue, but not black, white, dark or light: on dark pages the lightness is turned round. To import
this module is to draw in the book's style.
"""

import base64
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from hia.datasets import FACTS, NAMES
from hia.space import FILTERS, HYPERPARAMETERS, SPACE

# Inches. Shrunk to a phone's width, letters of a figure this wide are still ten pixels high. Wider
# ones than PHONE_WIDTH keep their size there and scroll sideways.
WIDTH = 5.4
PHONE_WIDTH = 6.0

# Letters as outlines, the same with whatever fonts.
STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "figure.figsize": (WIDTH, 3.6),
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    "svg.hashsalt": "hia",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "0.85",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
}
mpl.rcParams.update(STYLE)


# Ticked on a phone, the figure is twice as wide and scrolls sideways (`book/_static/book.css`).
_ENLARGE = '<label class="hia-enlarge"><input type="checkbox"/> Enlarge</label>'

# Smaller shares are written and drawn as none.
LEAST = 0.005

# Numbers of trials whose labels have room on a log scale.
_TICKS = (12, 50, 72, 200, 1000, 10000)

_SIGNED_ZERO = re.compile(r"[-+]0(\.0*)?%?")
_ONE = r"[-+−]?[\d,]*\.?\d*(e[-+]?\d+)?%?"
_HEADING = re.compile(r"([^|]+?)(?: \{:([^}]*)\})?(?: \| |$)")
_NUMBER = re.compile(rf"never|(\*\*)?{_ONE}( to {_ONE}|(, {_ONE})+| \({_ONE} to {_ONE}\))?(\*\*)?")


# Eleven colours found by search: as far apart as could be in OKLab, to the normal eye and to eyes
# without red or green cones, and none too pale on white. Every one has a marker of its own beside.
_ELEVEN = (
    ("#3D40A1", "o"),
    ("#E39D0F", "s"),
    ("#72C38E", "^"),
    ("#AD5B06", "D"),
    ("#44A2BB", "v"),
    ("#73386A", "P"),
    ("#9F8E69", "X"),
    ("#474D18", "<"),
    ("#9595FF", ">"),
    ("#2E72C1", "p"),
    ("#6A6B6D", "h"),
)
_FILTERS = (("#6E1F3A", "o"), ("#B4577A", "s"), ("#C9829B", "^"))
# N-RReliefF is blue to violet, functional ANOVA red to orange; the first are Okabe and Ito's.
_METHODS = {
    "paper": ("#000000", "D"),
    "nrrelieff": ("#0072B2", "o"),
    "nrrelieff_growing": ("#5A2D82", "d"),
    "nrrelieff_raw": ("#56B4E9", "<"),
    "fanova": ("#D55E00", "s"),
    "fanova_package": ("#651701", "X"),
    "optuna_fanova": ("#F2A000", "P"),
    "ped_anova": ("#1DB98C", "^"),
    "tunability": ("#1FD474", "p"),
    "sensitivity": ("#777473", "h"),
    "ablation": ("#0D0D42", "8"),
    "forward_selection": ("#D9A5BE", "v"),
    "impurity": ("#6E5A4B", ">"),
    "screening": ("#8C8C8C", "*"),
}
_SOURCES = {"random": ("#44AA99", "o"), "bohb": ("#882255", "s")}
_CONDITIONS = {
    "log lr, fewer images": ("#BF9233", "s"),
    "uniform lr, fewer images": ("#8F92E0", "^"),
    "log lr, all images": ("#8A5A00", "v"),
    "uniform lr, all images": ("#2C2E8C", "o"),
}
_OPTIMIZERS = {"Adam": ("#2E72C1", "o"), "SGD": ("#AD5B06", "s")}

LOOKS: dict[str, dict[str, str]] = {
    name: {"color": color, "marker": marker}
    for name, (color, marker) in (
        *zip(HYPERPARAMETERS, _ELEVEN, strict=True),
        *zip(FILTERS, _FILTERS, strict=True),
        *_METHODS.items(),
        *_SOURCES.items(),
        *_OPTIMIZERS.items(),
        *_CONDITIONS.items(),
        *zip(sorted(NAMES), _ELEVEN, strict=False),
    )
}


def look(name: str) -> dict[str, Any]:
    """Colour and marker that stand for this throughout the book: `ax.scatter(x, y, **look("lr"))`.

    name: a hyperparameter, a method, a source of trials, an optimizer, a condition of the study,
    "paper", or a data set. Data sets and optimizers have colours of hyperparameters: do not draw
    both in one figure. Raises ValueError for another.
    """
    if name not in LOOKS:
        raise ValueError(f"no look for {name!r}; there are looks for {', '.join(LOOKS)}")
    return LOOKS[name].copy()


def shades(name: str, n: int) -> list[str]:
    """`n` colours of one hue for the values of a hyperparameter, in their order, pale to full.

    Where lines cross give each a style of its own as well. Raises ValueError as `look` does.
    """
    full = np.array(to_rgb(look(name)["color"]))
    parts = [1.0] if n == 1 else [0.55 + 0.45 * k / (n - 1) for k in range(n)]
    return [to_hex(tuple(1 - part * (1 - full))) for part in parts]


def panels(
    height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **options: Any
) -> tuple[Figure, Any]:
    """A figure of so many inches and its axes, as of `plt.subplots`, which takes the options."""
    return plt.subplots(rows, columns, figsize=(width, height), **options)


def dataset_panels(
    names: Sequence[str], xlabel: str, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """One panel of validation accuracies for each data set, two in a row; grey: guessing.

    options: of `plt.subplots`. Returns the figure, and the axes by data set.
    """
    height = -(-len(names) // 2)
    figure, axes = panels(1.6 * height + 0.5, height, 2, squeeze=False, **options)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    by_name = dict(zip(names, axes.flat, strict=False))
    for name, ax in by_name.items():
        ax.set_title(FACTS[name].label, loc="left")
        ax.axhline(1 / FACTS[name].classes, color="grey", linewidth=0.8, zorder=0)
    figure.supxlabel(xlabel, fontsize=11)
    figure.supylabel("validation accuracy", fontsize=11)
    return figure, by_name


def list_down(
    ax: Axes, names: Sequence[str], xlabel: str = "", grid: Literal["x", "y", "both"] = "x"
) -> None:
    """Names on the vertical axis, from the top: what belongs to the k-th is drawn at height k."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(xlabel)
    ax.grid(axis=grid)


def write_zeros(ax: Axes, shares: pd.DataFrame) -> None:
    """Beside each row of `list_down`, from the top, how many shares of this column are below
    `LEAST` and not drawn."""
    for row, count in enumerate((shares < LEAST).sum()):
        if count:
            text, place = f"{count} at 0", ax.get_yaxis_transform()
            ax.text(1.01, row, text, transform=place, va="center", fontsize=9.5)


def draw_cells(
    ax: Axes,
    table: pd.DataFrame,
    color: str,
    form: str,
    low: float | None = None,
    high: float | None = None,
    least: float = -np.inf,
) -> None:
    """A table of numbers as cells of one colour, each with its number; what is missing stays empty.

    form: format specification. low, high: numbers of the clear and of the full colour, else the
    smallest and the largest. least: smaller numbers are not written.
    """
    values = table.to_numpy(dtype=float)
    clear = np.nanmin(values) if low is None else low
    full = np.nanmax(values) if high is None else high
    strength = (values - clear) / (full - clear)
    colors = LinearSegmentedColormap.from_list("one", [f"{color}00", f"{color}FF"])
    ax.imshow(strength, cmap=colors, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if value >= least:
            ink = "white" if strength[row, column] > 0.7 else "black"
            text = format(value, form)
            ax.text(column, row, text, ha="center", va="center", fontsize=9.5, color=ink)
    ax.set_xticks(range(table.shape[1]), table.columns, rotation=45, ha="right")
    ax.set_yticks(range(len(table)), table.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_quartiles(
    ax: Axes, curves: pd.DataFrame, groups: pd.Series, labels: Mapping[Any, str]
) -> pd.DataFrame:
    """Median (line) and quartiles (band) of curves after every epoch, for each of some groups.

    curves: (CNNs, epochs). groups: of these CNNs at least, named as a hyperparameter. labels: of
    groups whose name is not one. Returns what is drawn: the group, `epoch`, `lower quartile`,
    `median` and `upper quartile`.
    """
    by, values, epochs = str(groups.name), sorted(groups.unique()), curves.columns
    looks = [look(value)["color"] for value in values if value in LOOKS]
    colors = looks if len(looks) == len(values) else shades(by, len(values))
    drawn = []
    # A line's style says the same as its colour, for readers and printers without colours.
    for value, color, style in zip(values, colors, ("-", "--", ":"), strict=False):
        own = curves[groups.reindex(curves.index) == value]
        low, middle, high = own.quantile([0.25, 0.5, 0.75]).to_numpy()
        quartiles = {"lower quartile": low, "median": middle, "upper quartile": high}
        drawn.append(pd.DataFrame({by: value, "epoch": epochs} | quartiles))
        ax.fill_between(epochs, low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(epochs, np.transpose([low, high]), style, color=color, linewidth=0.6)
        ax.plot(epochs, middle, style, color=color, linewidth=2, label=labels.get(value, value))
    ax.set(xlim=(epochs[0], epochs[-1]), xticks=epochs)
    return pd.concat(drawn)


def draw_lines(ax: Axes, table: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """A line for each column of a table (numbers of trials, methods) that has a look, on a log
    scale. looks: options of `Axes.plot` by column, in the order of the legend."""
    for name, own in looks.items():
        if name in table:
            style = {"markersize": 5, "linewidth": 1.4} | dict(own)
            ax.plot(table[name].dropna(), **style)
    log_scale(ax, [n for n in table.index if n in _TICKS] or list(table.index))


def log_scale(ax: Axes, ticks: Sequence[int]) -> None:
    """Numbers on a log scale, those of the ticks written."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(ticks)
    ax.grid()


def show_figure(
    figure: Figure, name: str, data: pd.DataFrame | None = None, photographs: bool = False
) -> None:
    """Shows a figure, to be referred to as {numref}`name`, and closes it.

    data: what is drawn, one row per mark, offered as a CSV with six significant digits.
    photographs: there are images in it, whose colours stay as they are.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    wide = figure.get_figwidth() > PHONE_WIDTH
    plt.close(figure)
    source = _address("image/svg+xml", buffer.getvalue())
    # "dark-light" keeps the theme from dimming it.
    kind = f"dark-light hia-{'photographs' if photographs else 'drawing'}"
    options = f":name: {name}\n:alt: {{alt {name}}}\n:class: {kind}"
    if wide:
        options += "\n:figclass: hia-wide"
    link = "" if data is None else f"{_csv(name, _with_names(data), digits='%.6g')} "
    body = f"{options}\n\n{{caption {name}}}\n\n{link}{_ENLARGE}"
    image = f'<img src="{source}" alt="{{alt {name}}}" style="background: white"/>'
    _display(image, f"~~~{{figure}} {source}\n{body}\n~~~")


def show_table(
    table: pd.DataFrame | Iterable[Sequence[Any]],
    name: str,
    formats: Mapping[str, str] | str = MappingProxyType({}),
) -> None:
    """Shows a table, to be referred to as {numref}`name`, with a CSV of every digit to download.

    table: or its rows. An index of hyperparameters or of data sets becomes the first column, any
    other is left out. Texts are MyST Markdown. formats: format specification per column, such as
    {"weight": ".6f"}, or all headings, with it in braces, such as "Layer | W {:+.4f}". Other
    fractions get four significant digits, and what is rounded to 0 has no sign. Raises ValueError
    for a format of a column that is not there.
    """
    headings = dict(_HEADING.findall(formats) if isinstance(formats, str) else formats)
    if not isinstance(table, pd.DataFrame):
        table = pd.DataFrame(list(table), columns=list(headings))
    elif isinstance(formats, str):
        table = table.set_axis(list(headings), axis=1)
    table = _with_names(table)
    if unknown := sorted(set(headings) - set(table.columns)):
        raise ValueError(f"no column {unknown[0]!r}; the table has {', '.join(table.columns)}")
    cells = pd.DataFrame(
        {name: [_write(x, headings.get(str(name))) for x in own] for name, own in table.items()}
    )
    numbers = [sum(bool(_NUMBER.fullmatch(x)) for x in own) for _, own in cells.items()]
    right = [2 * number > len(cells) for number in numbers]
    rows = [table.columns, ["--:" if one else ":--" for one in right], *cells.to_numpy()]
    lines = [" | ".join(cell.replace("|", "&#124;") for cell in row) for row in rows]
    body = "\n".join(f"| {line} |" for line in lines)
    head = f"~~~{{table}} {{caption {name}}}\n:name: {name}"
    _display(cells.to_html(index=False), f"{head}\n\n{body}\n~~~\n\n{_csv(name, table)}\n")


def _with_names(table: pd.DataFrame) -> pd.DataFrame:
    """With the hyperparameters or data sets of its index in a first column."""
    if isinstance(table.index, pd.RangeIndex):
        return table
    if table.index.isin(FACTS).all():
        names, heading = [FACTS[name].label for name in table.index], "Data set"
    elif table.index.isin(SPACE).all():
        names, heading = [f"`{name}`" for name in table.index], "Hyperparameter"
    else:
        return table
    return table.set_axis(pd.Index(names, name=heading)).reset_index()


def show_text(markdown: str) -> None:
    """Shows a paragraph whose numbers were computed, in MyST Markdown."""
    _display(html.escape(markdown), markdown)


def _write(value: Any, specification: str | None) -> str:
    if pd.isna(value):
        return ""
    written = format(value, specification or (".4g" if isinstance(value, float) else ""))
    return written[1:] if _SIGNED_ZERO.fullmatch(written) else written


def _csv(name: str, table: pd.DataFrame, digits: str | None = None) -> str:
    source = _address("text/csv", table.to_csv(index=False, float_format=digits).encode())
    return f'<a class="hia-csv" download="{name}.csv" href="{source}">Download as CSV</a>'


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _display(in_jupyter: str, in_book: str) -> None:
    bundle = {"text/html": in_jupyter, "text/markdown": in_book}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]
