"""Runs the notebooks under `notebooks/`: jupytext reads them, papermill executes them.

    python book/run_notebooks.py run notebooks/importance.py -o book/importance.ipynb
    python book/run_notebooks.py rerun importance "n_neighbors=50 sigma=10"
    python book/run_notebooks.py picture book/importance.ipynb fig-importance -o picture.svg

`run` makes the book's copy. `rerun` leaves that copy alone: notebook and page go to
`_build/notebooks/`. `picture` copies a figure, such as the README's. Parameters are data (YAML
scalars or lists), never code, and only those which the notebook's cell tagged "parameters" assigns
are accepted. Notebooks run in the current directory, the root of the repository. Every page ends
with a box that says what it was made with (`colophon`).
"""

import argparse
import base64
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import yaml
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

import colophon

SOURCES = Path("notebooks")
RERUNS = Path("_build/notebooks")

# YAML 1.1 reads 1e-3 as text: it wants a point and a signed exponent.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")

Parameters = Mapping[str, Any]


class NotebookError(Exception):
    """A notebook that does not exist, a parameter that it does not have, or a cell that failed."""


def find(name: str, folder: Path = SOURCES) -> Path:
    """The notebook of this name. Raises NotebookError, with the names there are."""
    path = folder / f"{name}.py"
    if not path.is_file():
        known = ", ".join(sorted(source.stem for source in folder.glob("*.py"))) or "none"
        raise NotebookError(f"no notebook {name!r} in {folder}/; there are: {known}")
    return path


def read(path: Path) -> NotebookNode:
    """The notebook in a py:percent file. Raises NotebookError where the file does not exist."""
    if not path.is_file():
        return read(find(path.stem, path.parent))
    notebook: NotebookNode = jupytext.read(path, fmt="py:percent")
    return notebook


def declared(notebook: NotebookNode) -> list[colophon.Parameter]:
    """What the cells tagged "parameters" assign, in their order."""
    return [
        parameter
        for cell in notebook.cells
        if "parameters" in cell.metadata.get("tags", [])
        for parameter in colophon.parameters(cell.source)
    ]


def split(text: str) -> list[str]:
    """The `name=value` texts of a line, which a shell's quotes hold together.

    Raises NotebookError where a quote is not closed.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise NotebookError(f"{text!r}: {error}") from None


def parse(assignments: Sequence[str]) -> dict[str, Any]:
    """Parameters from `name=value` texts; a value is a YAML scalar or list.

    Raises NotebookError naming the text that is neither.
    """
    parameters = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise NotebookError(f"{text!r} is not of the form name=value")
        try:
            # An alias could stand for a list that has itself in it, or grow beyond all bounds.
            if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(value)):
                raise TypeError
            parameters[name] = _plain(yaml.safe_load(value))
        except Exception:  # PyYAML raises all kinds of things on values that their tags do not fit
            raise NotebookError(
                f"{name}: {value!r} is not a number, text, true, false, null or a [list, of, them]"
            ) from None
    return parameters


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        if _EXPONENT.fullmatch(value):
            value = float(value)
            if not math.isfinite(value):
                raise ValueError
            return value
        value.encode()  # half a character cannot be written to a file
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        str(value)  # nor can a whole number of thousands of digits
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError


def run(source: Path, output: Path, parameters: Parameters | None = None) -> None:
    """Executes the py:percent notebook `source` and writes it, with its outputs, to `output`.

    `output` appears when everything has run, never before. Code is folded away, one click from its
    result, except in cells tagged "show-input" and in the one with the parameters given.
    Raises NotebookError where a parameter is unknown or a cell fails.
    """
    notebook = read(source)
    known = [one.name for one in declared(notebook)]
    for name in parameters or {}:
        if name not in known:
            raise NotebookError(
                f"{source} has no parameter {name!r}; it has: {', '.join(known) or 'none'}"
            )
    # The kernel of this environment, not one of that name in the user's home; no chatter of the
    # kernel's debugger in the outputs, nor of progress bars that the book has no use for.
    os.environ.update(
        JUPYTER_PREFER_ENV_PATH="1",
        PYDEVD_DISABLE_FILE_VALIDATION="1",
        PYTHONWARNINGS="ignore:IProgress not found",
    )
    try:
        executed = papermill.execute_notebook(
            notebook,
            None,
            dict(parameters or {}),
            kernel_name="python3",
            progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        raise NotebookError(f"{source} failed:{error}") from None
    # Papermill's record has paths of this machine in it; nothing but the time taken is of use.
    seconds = executed.metadata.pop("papermill")["duration"]
    for cell in executed.cells:
        cell.metadata.pop("papermill", None)
        _fold(cell)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    facts = colophon.facts(source.stem, declared(notebook), parameters or {}, code, seconds)
    executed.metadata["hia"] = facts
    box = colophon.markdown(facts)
    new = nbformat.v4.new_markdown_cell
    executed.cells.append(new(box, id="colophon"))  # type: ignore[no-untyped-call]
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".unfinished")
    nbformat.write(executed, unfinished)  # type: ignore[no-untyped-call]
    unfinished.replace(output)


def _fold(cell: NotebookNode) -> None:
    tags = cell.metadata.setdefault("tags", [])
    shown = {"show-input", "injected-parameters", "hide-input", "remove-input", "remove-cell"}
    if cell.cell_type == "code" and not shown.intersection(tags):
        tags.append("hide-input")
        if "parameters" in tags:
            prompts = {"code_prompt_show": "Show the parameters"}
            cell.metadata["mystnb"] = prompts | {"code_prompt_hide": "Hide the parameters"}


def rerun(name: str, parameters: Parameters) -> tuple[Path, Path]:
    """Executes a notebook with other parameters. Returns the paths of notebook and HTML page."""
    source = find(name)
    given = "".join(f"-{key}={value}" for key, value in parameters.items())
    folder = RERUNS / re.sub(r"[^\w.=-]+", "_", f"{name}{given}", flags=re.ASCII)[:100]
    shutil.rmtree(folder, ignore_errors=True)
    notebook = folder / f"{name}.ipynb"
    run(source, notebook, parameters)
    return notebook, _page(notebook)


def _page(notebook: Path) -> Path:
    """The notebook as a page in the look of the book, with other pages' numbers left out."""
    folder = notebook.parent
    shutil.copy("book/references.bib", folder)
    shutil.copytree("book/_static", folder / "_static")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "-qq"]
    command += ["--config", "_config.yml", "--path-output", str(folder.resolve()), str(notebook)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotebookError(f"{notebook} is made, its page is not:\n{done.stdout}{done.stderr}")
    (folder / "_build/_page" / notebook.stem / "html").rename(folder / "html")
    shutil.rmtree(folder / "_build")
    return folder / "html" / f"{notebook.stem}.html"


def picture(notebook: Path, name: str) -> bytes:
    """The SVG of the figure called `name` in an executed notebook.

    Raises NotebookError where the notebook has no such figure.
    """
    pattern = re.compile(rf"~~~{{figure}} data:image/svg\+xml;base64,(\S+)\n:name: {name}\n")
    paper = b'<rect width="100%" height="100%" fill="white"/>'  # there may be a dark page around it
    executed = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            found = pattern.match(output.get("data", {}).get("text/markdown", ""))
            if found:
                svg = base64.b64decode(found[1])
                start = svg.index(b">", svg.index(b"<svg")) + 1
                return svg[:start] + paper + svg[start:]
    raise NotebookError(f"{notebook} has no figure {name!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 where a notebook fails or is asked for what it does not have."""
    parser = argparse.ArgumentParser(prog="python book/run_notebooks.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    once = commands.add_parser("run", help="execute a notebook into a file")
    once.add_argument("source", type=Path)
    once.add_argument("-o", "--output", type=Path, required=True)
    once.add_argument("-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE")
    again = commands.add_parser("rerun", help="execute a notebook with other parameters")
    again.add_argument("name")
    again.add_argument("parameters", nargs="?", default="", metavar='"NAME=VALUE ..."')
    figure = commands.add_parser("picture", help="copy a figure of an executed notebook")
    figure.add_argument("notebook", type=Path)
    figure.add_argument("name")
    figure.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            run(chosen.source, chosen.output, parse(chosen.parameters))
        elif chosen.command == "picture":
            chosen.output.write_bytes(picture(chosen.notebook, chosen.name))
        else:
            notebook, page = rerun(chosen.name, parse(split(chosen.parameters)))
            print(f"notebook: {notebook}\npage:     {page}")
    except NotebookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
