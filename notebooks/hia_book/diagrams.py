"""The two drawings of the page on the method's set-up: the paper's workflow, and one network."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hia_book.figures import WIDTH, panels

BLUE, ORANGE, GREEN, GREY = "#cfe3f3", "#fbe0bd", "#cdebdf", "#ececec"
_HEIGHT = 5.4  # of a box of the workflow


def workflow(n_sets: int, n_cnns: int, random_share: float) -> Figure:
    """From image data sets to rankings (the paper's Fig. 1). random_share: of random search."""
    figure, ax = panels(5.4)
    ax.set(xlim=(0, 70), ylim=(0, 54))
    ax.axis("off")
    images, search, training, record, method, result = np.linspace(51, 3, 6)
    for x, y, width, colour, text in (
        (35, images, 42, GREY, f"{n_sets} image data sets"),
        (19, search, 30, BLUE, f"random search, {random_share:.0%}\nof the configurations"),
        (51, search, 30, BLUE, f"BOHB, {1 - random_share:.0%}\nof the configurations"),
        (35, training, 42, BLUE, f"{n_cnns:,} CNNs trained and validated"),
        (35, record, 42, GREY, "table of hyperparameters and accuracies"),
        (28, method, 54.6, ORANGE, "N-RReliefF"),
        (63, method, 12.6, GREEN, "functional\nANOVA"),
    ):
        _box(ax, x, y, width, _HEIGHT, colour, text)
    outcomes = ["ranking", "joint\nranking", "filters\nof layers", "ICC over\nsubsets"]
    for x, text in zip(range(7, 70, 14), [*outcomes, "ranking\nas a check"], strict=True):
        _box(ax, x, result, 12.6, _HEIGHT, ORANGE if x < 49 else GREEN, text)
        _arrow(ax, x, method, x, result)
    for x in (19, 51):
        _arrow(ax, 35, images, x, search)
        _arrow(ax, x, search, 35, training)
    _arrow(ax, 35, training, 35, record)
    for x in (28, 63):
        _arrow(ax, 35, record, x, method)
    return figure


def network(
    maps: Sequence[tuple[int, int]], vectors: Sequence[int], steps: Sequence[str]
) -> Figure:
    """What a network makes of an image. maps: side and number of the feature maps, the image first.
    vectors: lengths of the layers after them. steps: what is done between all of these."""
    columns = len(maps) + len(vectors)
    width = max(WIDTH, 0.68 * columns)
    figure, ax = panels(width * 2.6 / max(columns, 8), width=width)
    ax.set(xlim=(-0.55, max(columns, 8) - 0.45), ylim=(-0.35, 2.25), aspect="equal")
    ax.axis("off")
    for x, (side, count) in enumerate(maps):
        length = 0.62 * np.sqrt(side / maps[0][0])  # by area: maps of a few pixels can be seen
        for layer in range(depth := min(count, 4)):
            shift = 0.05 * ((depth - 1) / 2 - layer)
            _box(ax, x + shift, 1 + shift, length, length, BLUE if x else GREY)
        ax.text(x, 0.25, f"{side}×{side}\n× {count}", ha="center", va="top", fontsize=9.5)
    for x, count in enumerate(vectors, start=len(maps)):
        length = 0.62 * np.clip(np.log2(count) / np.log2(max(vectors)), 0.1, 1)
        _box(ax, x, 1, 0.12, length, ORANGE)
        kind = "classes" if x == columns - 1 else "values"
        ax.text(x, 0.25, f"{count:,}\n{kind}", ha="center", va="top", fontsize=9.5)
    for x, step in enumerate(steps):
        ax.text(x + 0.5, 1.6, step, ha="center", va="bottom", fontsize=9.5)
        ax.annotate("", (x + 0.66, 1.52), (x + 0.34, 1.52), arrowprops={"arrowstyle": "-|>"})
    return figure


def _box(
    ax: Axes, x: float, y: float, width: float, height: float, colour: str, text: str = ""
) -> None:
    """A box around the point (x, y)."""
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor="0.3", lw=0.8))
    ax.text(x, y, text, ha="center", va="center", fontsize=9.5)


def _arrow(ax: Axes, x_from: float, y_from: float, x_to: float, y_to: float) -> None:
    """From the lower edge of a box at height y_from to the upper edge of one at y_to."""
    start, end = (x_from, y_from - _HEIGHT / 2), (x_to, y_to + _HEIGHT / 2)
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.3", "shrinkB": 0})
