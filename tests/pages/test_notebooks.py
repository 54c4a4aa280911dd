"""Notebooks run with the parameters given, and say what is wrong with others."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from run_notebooks import NotebookError, declared, find, main, parse, read, rerun, run

ROOT = Path(__file__).parents[2]
HEADER = """\
# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A chapter
# See {numref}`fig-line` and {numref}`table-squares`, {glue:text}`total`.

# %% tags=["parameters"]
upper: int = 3  # how far to count
names = ["a"]

"""
BODY = """\
# %%
from pathlib import Path

print(Path.cwd().name, upper, names)

# %%
import matplotlib.pyplot as plt
import pandas as pd
from myst_nb import glue

from hia_book.figures import show_figure, show_table, use_style

use_style()
numbers = list(range(upper))
figure, axes = plt.subplots()
axes.plot(numbers)
squares = pd.DataFrame({"n": numbers, "n | m": [n / 3 for n in numbers]})
show_figure(figure, "fig-line", "A line, `x|y` and $x^2$.", "a rising line", squares)
show_table(squares, "table-squares", "Thirds of `n`.", {"n | m": ".2f"})
glue("total", sum(numbers), display=False)
"""


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook in a small repository, which is the current directory."""
    for name in ("_config.yml", "book/references.bib"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("_static", "_ext"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    path = tmp_path / "notebooks" / "chapter.py"
    path.parent.mkdir()
    path.write_text(HEADER + BODY)
    monkeypatch.chdir(tmp_path)
    return path


def test_names_of_parameters(chapter: Path) -> None:
    assert [one.name for one in declared(read(chapter))] == ["upper", "names"]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.stem)
def test_the_books_notebooks_have_a_kernel_and_no_outputs(path: Path) -> None:
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50", 50),
        ("1e-3", 1e-3),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("manhattan", "manhattan"),
        ("[mnist, 2, 1e3]", ["mnist", 2, 1000.0]),
        ("__import__('os')", "__import__('os')"),
        ("a=b", "a=b"),
        ("", None),
    ],
)
def test_values_are_data(text: str, value: object) -> None:
    assert parse([f"name={text}"]) == {"name": value}


@pytest.mark.parametrize("text", ["upper", "=3", "2x=3", "x={a: 1}", "x=[", "x=2024-01-01"])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(NotebookError):
        parse([text])


def test_unknown_notebook_names_those_there_are(chapter: Path) -> None:
    with pytest.raises(NotebookError, match="no notebook 'chaptr' in notebooks/; there are: chapt"):
        find("chaptr")


def test_misspelt_parameter_names_those_there_are(chapter: Path, tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="has no parameter 'uper'; it has: upper, names"):
        run(chapter, tmp_path / "out.ipynb", {"uper": 4})
    assert not (tmp_path / "out.ipynb").exists()


def test_run_in_the_root_with_the_code_folded(chapter: Path, tmp_path: Path) -> None:
    run(chapter, Path("book/chapter.ipynb"))
    assert not list(Path("book").glob("*.unfinished"))
    text = Path("book/chapter.ipynb").read_text()
    assert str(tmp_path) not in text
    code = [cell for cell in nbformat.reads(text, 4).cells if cell.cell_type == "code"]
    assert all("hide-input" in cell.metadata.tags for cell in code)
    assert code[1].outputs[0].text == f"{tmp_path.name} 3 ['a']\n"
    box = nbformat.reads(text, 4).cells[-1].source
    assert 'make notebook NB=chapter P="upper=3"\n' in box
    assert nbformat.reads(text, 4).metadata.hia.parameters == {"upper": 3, "names": ["a"]}


def test_a_failing_cell_is_shown_and_leaves_the_old_copy(
    chapter: Path, capsys: pytest.CaptureFixture
) -> None:
    Path("out.ipynb").write_text("old")
    chapter.write_text(HEADER + "# %%\n1 / (upper - 3)\n")
    assert main(["run", str(chapter), "-o", "out.ipynb"]) == 1
    message = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().err)  # colours, word by word
    assert "ZeroDivisionError" in message
    assert "1 / (upper - 3)" in message
    assert Path("out.ipynb").read_text() == "old"


@pytest.mark.slow
def test_rerun_leaves_the_books_copy_alone(
    chapter: Path, capfd: pytest.CaptureFixture, tmp_path: Path
) -> None:
    Path("book/chapter.ipynb").write_text("the book's")
    assert main(["rerun", "chapter", "upper=5 names='[x, y]'"]) == 0
    assert Path("book/chapter.ipynb").read_text() == "the book's"
    said = dict(line.split(":") for line in capfd.readouterr().out.splitlines()[-2:])
    assert Path(said["notebook"].strip()).is_file()
    page = Path(said["page"].strip()).read_text()
    assert page.count('<span class="caption-number">Fig. S1') == 1
    assert page.count('<span class="caption-number">Table S1') == 1
    assert page.count('<span class="std std-numref">Fig. S1') == 1
    assert page.count('<span class="std std-numref">Table S1') == 1
    assert "5 ['x', 'y']" in page  # printed by the first cell
    assert "0.33" in page  # in the table, as formatted
    assert 'download="table-squares.csv"' in page
    assert 'download="fig-line.csv"' in page
    assert "make notebook NB=chapter P=\"upper=5 names='[x, y]'\"" in page
    assert "how far to count" in page  # of the parameter, in the box at the end
    assert ">10</span>" in page  # the sum, in prose
    assert "data:image/svg+xml;base64," in page


def test_rerun_without_parameters_has_the_plain_name(
    chapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("run_notebooks._page", lambda notebook: notebook)
    chapter.write_text(HEADER)
    assert rerun("chapter", {})[0] == Path("_build/notebooks/chapter/chapter.ipynb")
    folder = rerun("chapter", {"names": ["../x", "y"]})[0].parent
    assert folder.parent == Path("_build/notebooks")


def test_picture_is_the_figure_of_that_name(
    chapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, target = tmp_path / "chapter.ipynb", tmp_path / "picture.svg"
    run(chapter, notebook)
    assert main(["picture", str(notebook), "fig-line", "-o", str(target)]) == 0
    svg = ElementTree.fromstring(target.read_text())
    assert (svg[0].tag, svg[0].get("fill")) == ("{http://www.w3.org/2000/svg}rect", "white")
    target.unlink()
    assert main(["picture", str(notebook), "fig-none", "-o", str(target)]) == 1
    assert not target.exists()
