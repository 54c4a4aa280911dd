"""Docstrings as reStructuredText, and whether the reference has all modules."""

import inspect
import pkgutil
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from docstrings import _names, _process, _sign, to_rst, to_signature
from docutils.core import publish_doctree
from numpy.typing import ArrayLike

import hia
import hia_book
from hia import datasets, relief
from hia.ranking import fanova, methods, optuna
from hia_book import screening

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))

from hia_markup import as_lines, named  # noqa: E402
from hia_modules import item  # noqa: E402


def test_every_module_is_in_the_reference() -> None:
    there = {
        module.name
        for package in (hia, hia_book)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.ispkg and module.name != "hia.__main__"
    }
    index = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    described = []
    for page in re.findall(r"\{doc\}`(api/\w+)`", index):
        text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
        on_page = re.findall(r"automodule:: (hia[\w.]+)", text)
        assert re.findall(r"^## `(hia[\w.]+)`", text, re.M) == on_page
        described += on_page
    assert re.findall(r"^   (hia[\w.]+)", index, re.M) == described
    assert sorted(described) == sorted(there)


def test_every_page_of_the_reference_is_in_the_contents_and_in_its_index() -> None:
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    (own,) = (chapter["sections"] for chapter in chapters if chapter["file"] == "api")
    pages = [section["file"] for section in own]
    index = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    assert re.findall(r"\{doc\}`(api/\w+)`", index) == pages
    there = {path.stem for path in (ROOT / "book" / "api").glob("*.md")}
    assert sorted(pages) == sorted(f"api/{name}" for name in there)


def test_a_listed_module_says_what_it_is() -> None:
    assert item("hia.datasets") == (
        "- :py:obj:`hia.datasets`: The ten image data sets of Wang et al. (2024), Table 2, and "
        "scikit-learn's digits.\n"
    )


def test_arguments_of_a_signature_are_lines_and_other_lists_stay() -> None:
    terms = "<dl>\n<dt>n</dt>\n<dd>rows</dd>\n</dl>"
    arguments = "<dl>\n<dd><em>n</em></dd>\n<dd><em>X</em></dd>\n</dl>"
    line = '<span class="hia-line"><em>{}</em></span>\n'
    found = as_lines(terms + arguments + terms)
    assert found == terms + line.format("n") + line.format("X") + terms


def test_what_unfolds_contents_has_a_name() -> None:
    assert named("<summary><i></i></summary>").startswith('<summary aria-label="Pages of')


def test_what_python_says_of_fields_is_left_out() -> None:
    lines = ["Alias for field number 3"]
    _process(None, "attribute", "hia.x.Named.field", None, None, lines)
    assert lines == [""]


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("One line.", "One line.\n"),
        ("It is\nwrapped.", "It is wrapped.\n"),
        ("|p| of a_ and *b*.", r"\|p\| of a\_ and \*b\*." "\n"),
        ("Code `a_b` here.", "Code ``a_b`` here.\n"),
        ("Code ``a_b`` here.", "Code ``a_b`` here.\n"),
        ("`size`^2", "``size``\\ ^2\n"),
        ("See `hia.space`.", "See :py:obj:`hia.space`\\ .\n"),
        ("Text:\n- one\n  line\n- two", "Text:\n\n- one line\n\n- two\n"),
        ("Text:\n\n    x = 1", "Text:\n\n::\n\n    x = 1\n"),
        ("- one\n\n  and more", "- one\n\nand more\n"),
        ("n: rows.\nX, y: data.", "- **n**: rows.\n\n- **X**, **y**: data.\n"),
        ("Text. Returns n. Raises ValueError.", "Text.\n\nReturns n.\n\nRaises ValueError.\n"),
        ("Columns: `a`: one. `b`: two.", "Columns:\n\n- **a**: one.\n\n- **b**: two.\n"),
        (
            "Parameters\n----------\nn : rows,\n    many.\nX, y : data.",
            ".. rubric:: Parameters\n\n- **n**: rows, many.\n\n- **X**, **y**: data.\n",
        ),
        ("Notes\n-----\nSome\ntext.", ".. rubric:: Notes\n\nSome text.\n"),
        ("References\n----------\nA,\n    B.\nC.", ".. rubric:: References\n\n- A, B.\n\n- C.\n"),
    ],
)
def test_a_docstring_becomes(docstring: str, expected: str) -> None:
    assert to_rst(docstring, ("n", "X", "y")) == expected


@pytest.mark.parametrize("module", [datasets, fanova, methods, optuna, relief, screening])
def test_docutils_has_nothing_to_say_against_our_docstrings(module: ModuleType) -> None:
    own = [
        value
        for value in vars(module).values()
        if getattr(value, "__module__", None) == module.__name__
    ]
    assert own
    for member in (module, *own):
        text = inspect.getdoc(member) or ""
        text = re.sub(r":py:obj:(`[^`]+`)", r"\1", to_rst(text, _names(member)))
        publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 2})


class Made:
    """A class."""

    def __init__(self, X: ArrayLike, n: int = 3, **more: object) -> None: ...

    def method(self, y: ArrayLike | None = None) -> ArrayLike: ...

    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class Data:
    """A dataclass."""

    name: str
    made: Callable[[], bool] = lambda: True


class Heir(Made):
    """Made as its parent is."""


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Made, ("(X: ArrayLike, n: int=3, **more: object)", None)),
        (Made.method, ("(y: ArrayLike | None=None)", "ArrayLike")),
        (Data, ("(name: str, made: Callable[[], bool] = lambda: True)", None)),
        (Heir, None),
        (len, None),
    ],
)
def test_signatures_are_as_written(made: object, expected: object) -> None:
    assert to_signature(made) == expected
    shown = _sign(None, "", "", made, None, "(given)", "result")
    assert shown == (expected or ("(given)", "result"))


def test_names_of_parameters_fields_and_properties() -> None:
    assert set(_names(Made)) == {"X", "n", "more", "size"}
    assert set(_names(Data)) == {"name", "made"}
    assert _names(relief) == ()
