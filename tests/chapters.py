"""Runs a notebook of the book, for the tests of what it shows."""

from pathlib import Path

import nbformat

from hia_book.claims import glued
from run_notebooks import run

ROOT = Path(__file__).parents[1]


def page(name: str, **parameters: object) -> str:
    """What the cells of a notebook show in the book, run in the current directory."""
    run(ROOT / "notebooks" / f"{name}.py", Path("out.ipynb"), parameters)
    cells = nbformat.read("out.ipynb", 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert all("data" in output for output in outputs), "an output that is no figure, table or text"
    return "\n".join(
        output.data.get("text/markdown") or output.data.get("text/html", "") for output in outputs
    )


def claims() -> dict[str, bool]:
    """The claims of the page that was run last, and whether they hold."""
    return {one.text: one.holds for one in nbformat.read("out.ipynb", 4).metadata.hia.claims}


def numbers() -> dict[str, object]:
    """What the page that was run last has glued."""
    return glued(nbformat.read("out.ipynb", 4))


def names(shown: str) -> set[str]:
    """The names of the figures and tables in it."""
    return {line.split()[1] for line in shown.splitlines() if line.startswith(":name:")}
