"""Runs a notebook of the book, for the tests of what it shows."""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_output
from traitlets.config import Config

import run_notebooks
from hia_book.claims import glued

ROOT = Path(__file__).parents[1]


def execute(source: Path, notebook: NotebookNode, given: dict[str, Any], *_: Any) -> NotebookNode:
    """As in the book, but in this process: a kernel takes seconds to import what is here."""
    own = sys.modules["__main__"]
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    try:
        shell.reset()
        with mpl.rc_context():
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = _outputs(shell, source, cell.source)
                if "parameters" in cell.metadata.get("tags", []):
                    shell.push(given)
    finally:
        plt.close("all")
        sys.modules["__main__"] = own
    return notebook


def _outputs(shell: InteractiveShell, source: Path, code: str) -> list[NotebookNode]:
    with capture_output() as captured:
        result = shell.run_cell(code)
    if error := result.error_before_exec or result.error_in_exec:
        raise run_notebooks.NotebookError(f"{source} failed: {error}") from error
    outputs = [new_output("display_data", x.data, metadata=x.metadata) for x in captured.outputs]
    if written := captured.stdout + captured.stderr:
        outputs.append(new_output("stream", text=written))
    return outputs


def page(name: str, **parameters: object) -> str:
    """What the cells of a notebook show in the book, run in the current directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_notebooks, "_execute", execute)
        run_notebooks.run(ROOT / "notebooks" / f"{name}.py", Path("out.ipynb"), parameters)
    cells = nbformat.read("out.ipynb", 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert all("data" in output for output in outputs), "an output that is no figure, table or text"
    shown = (one.data.get("text/markdown") or one.data.get("text/html", "") for one in outputs)
    return "\n".join(shown)


def claims() -> dict[str, bool]:
    """The claims of the page that was run last, and whether they hold."""
    return {one.text: one.holds for one in nbformat.read("out.ipynb", 4).metadata.hia.claims}


def numbers() -> dict[str, object]:
    """What the page that was run last has glued."""
    return glued(nbformat.read("out.ipynb", 4))
