"""Docstrings as reStructuredText, and whether the reference has all modules."""

import inspect
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from docutils.core import publish_doctree
from numpy.typing import ArrayLike

import hia
from hia import datasets, fanova, methods, optuna, relief, screening
from hia.reference import _names, _sign, to_rst, to_signature

ROOT = Path(__file__).parents[1]


def test_every_module_is_in_the_reference() -> None:
    page = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"automodule:: hia\.(\w+)", page)
    there = {module.name for module in pkgutil.iter_modules(hia.__path__)}
    assert sorted(listed) == sorted(there - {"__main__"})
    assert re.findall(r"^### `hia\.(\w+)`", page, re.M) == listed


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
