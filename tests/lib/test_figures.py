"""Figures and tables of the book: what a notebook's cell displays, and one look for all."""

import base64
import io
import re
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from hia import datasets, space
from hia.ranking import methods
from hia.trials import SOURCES
from hia_book import figures
from hia_book.figures import look, shades, show_figure, show_table

TABLE = pd.DataFrame({"name": ["a|b", "c"], "x": [1 / 3, np.nan], "n": [1000, 2]})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What was displayed."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr(figures, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def csv(markdown: str) -> pd.DataFrame:
    (content,) = re.findall(r'href="data:text/csv;base64,([^"]+)"', markdown)
    return pd.read_csv(io.BytesIO(base64.b64decode(content)))


def drawn(width: float) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(width, 2))
    axes.plot([1, 2])
    return figure


def test_figure_with_its_data(shown: list) -> None:
    with mpl.rc_context(figures.STYLE):
        show_figure(drawn(5), "fig-x", TABLE)
    show_figure(drawn(9), "fig-y", photographs=True)
    markdown = shown[0]["text/markdown"]
    first, *lines = markdown.splitlines()
    assert first.startswith("~~~{figure} data:image/svg+xml;base64,")
    assert lines[:3] == [":name: fig-x", ":alt: {alt fig-x}", ":class: dark-light hia-drawing"]
    assert 'download="fig-x.csv"' in markdown
    assert csv(markdown)["x"][0] == 0.333333
    assert "fill: none" in base64.b64decode(first.split("base64,")[1]).decode()  # no background
    assert ":figclass: hia-wide\n" in shown[1]["text/markdown"]
    assert ":class: dark-light hia-photographs\n" in shown[1]["text/markdown"]
    for bundle in shown:  # enlarged in the book only
        assert bundle["text/markdown"].count('<input type="checkbox"/> Enlarge</label>') == 1
        assert "Enlarge" not in bundle["text/html"]
    assert not plt.get_fignums()


def test_table_with_formats_and_every_digit_in_its_csv(shown: list) -> None:
    show_table(TABLE, "table-x", {"n": ","})
    markdown = shown[0]["text/markdown"]
    assert "| a&#124;b | 0.3333 | 1,000 |\n| c |  | 2 |" in markdown
    pd.testing.assert_frame_equal(csv(markdown), TABLE)
    show_table(TABLE.to_numpy(), "table-x", "name | x {:.4g} | n {:,}")
    assert shown[1]["text/markdown"].startswith(markdown.partition("<a")[0])
    with pytest.raises(ValueError, match="no column 'm'; the table has name, x, n"):
        show_table(TABLE, "table-x", {"m": ","})


def test_an_index_of_hyperparameters_or_data_sets_is_the_first_column(shown: list) -> None:
    show_table(pd.DataFrame({"W": [0.1]}, index=["lr"]), "table-x")
    show_table(pd.DataFrame({"W": [0.1]}, index=["mnist"]), "table-x", "Weight {:.2f}")
    show_table(pd.DataFrame({"W": [0.1]}, index=["x"]), "table-x")
    rows = [one["text/markdown"].splitlines()[3::2] for one in shown]
    assert rows[0][:2] == ["| Hyperparameter | W |", "| `lr` | 0.1 |"]
    assert rows[1][:2] == ["| Data set | Weight |", "| MNIST | 0.10 |"]
    assert rows[2][:2] == ["| W |", "| 0.1 |"]


def test_columns_of_numbers_are_aligned_and_zero_has_no_sign(shown: list) -> None:
    table = pd.DataFrame({"text": ["**1,234**", "-5.6"], "share": ["8.3%", ""]})
    table = table.assign(range=["1 to 2", "0.3 (-0.1 to +0.7)"], words=["3", "3 or 4"])
    table["W"] = [-0.00004, 0.00006]
    show_table(table, "table-x", {"W": "+.4f"})
    markdown = shown[0]["text/markdown"]
    assert "| --: | --: | --: | :-- | --: |\n" in markdown
    assert "| **1,234** | 8.3% | 1 to 2 | 3 | 0.0000 |\n" in markdown
    assert "| -5.6 |  | 0.3 (-0.1 to +0.7) | 3 or 4 | +0.0001 |" in markdown


def test_everything_that_recurs_has_a_look() -> None:
    names = {*space.SPACE, *methods.METHODS, *SOURCES, *datasets.NAMES}
    assert names <= set(figures.LOOKS)
    with pytest.raises(ValueError, match="no look for 'x'; there are looks for num_conv_layers"):
        look("x")
    look("lr")["color"] = "red"  # a copy
    assert look("lr")["color"] != "red"


# Machado, Oliveira and Fernandes 2009: linear RGB as seen without the red and the green cones.
PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)


def oklab(colors: np.ndarray, sight: Any) -> np.ndarray:
    """Colours (n, 3) in OKLab (Ottosson 2020), in which equal distances look alike."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(sight).T, 0, 1)
    cones = seen @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


GROUPS = {
    "hyperparameters": space.HYPERPARAMETERS,
    "filters": space.FILTERS,
    "sources": SOURCES,
    "optimizers": ("Adam", "SGD"),
    "data sets": datasets.NAMES,
    "methods": tuple(figures._METHODS),
}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("sight", [np.eye(3), PROTANOPIA, DEUTERANOPIA], ids=["all", "p", "d"])
def test_looks_can_be_told_apart(group: str, sight: Any) -> None:
    names = GROUPS[group]
    looks = [look(name) for name in names]
    assert len({one["marker"] for one in looks}) == len(names)
    lab = oklab(np.array([to_rgb(one["color"]) for one in looks]), sight)
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(len(names), 1)]
    assert apart.min() > (0.09 if group != "methods" else 0.06)


def test_shades_go_from_pale_to_full() -> None:
    colors = np.array([to_rgb(color) for color in shades("lr", 3)])
    assert (np.diff(colors, axis=0) <= 0).all()
    assert np.abs(colors[-1] - to_rgb(look("lr")["color"])).max() < 0.01
    assert shades("lr", 1) == [look("lr")["color"].lower()]
