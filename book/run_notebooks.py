"""Runs the notebooks under `notebooks/`: jupytext reads them, papermill executes them.

    python book/run_notebooks.py run notebooks/importance.py notebooks/joint.py -j 2
    python book/run_notebooks.py rerun importance "n_neighbors=50 sigma=10"
    python book/run_notebooks.py picture book/importance.ipynb fig-importance -o picture.svg

`run` makes the book's copies, and fails where a claim of a page does not hold. `rerun` leaves that
copy alone: notebook and page go to `_build/notebooks/`, and the page begins with what was changed
and which claims no longer hold. `picture` copies a figure, such as the README's. Parameters are
data, never code, checked before anything runs (`parameters`). Notebooks run in the current
directory, the root of the repository. Every page ends with what it was made with (`colophon`).
"""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while it imports

import argparse
import base64
import logging
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from papermill.exceptions import PapermillExecutionError

import colophon
import references
from forks import run_each
from hia_book.claims import PageError, shown, write_captions
from parameters import Parameter, ParameterError, declared, parse, written

RERUNS = Path("_build/notebooks")
# Errors of which one line is enough: what a page says itself, or of a file, and too little memory.
TOLD = {"PageError", "TrialsError", "DatasetError"}
TOLD |= {"FileNotFoundError", "MemoryError", "ImportError"}
_HIA = re.compile(r"/hia/(\w+/)?\w+\.py$")
_ANSI = re.compile(r"\x1b\[[\d;]*m")


class NotebookError(Exception):
    """A notebook that does not exist, a cell that failed, or a claim that does not hold."""


def find(name: str, folder: Path = references.SOURCES) -> Path:
    """The notebook of this name. Raises NotebookError, with the names there are."""
    paths = {path.stem: path for path in sorted(folder.glob("*.py"))}
    if name not in paths:
        there = ", ".join(paths) or "none"
        raise NotebookError(f"no notebook {name!r} in {folder}/; there are: {there}")
    return paths[name]


def read(path: Path) -> NotebookNode:
    """The notebook in a py:percent file. Raises NotebookError where the file does not exist."""
    notebook: NotebookNode = jupytext.read(find(path.stem, path.parent), fmt="py:percent")
    return notebook


def parameters(notebook: NotebookNode) -> list[Parameter]:
    """What the cells tagged "parameters" declare, in their order."""
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return [parameter for cell in tagged for parameter in declared(cell.source)]


def run(
    source: Path,
    output: Path,
    given: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
    tell: Callable[[str], None] = lambda what: None,
) -> None:
    """Executes the py:percent notebook `source` and writes it, with its outputs, to `output`.

    `output` appears when everything has run, never before. Code is folded away, one click from its
    result, except in cells tagged "show-input" and in the one with the parameters given.
    strict: every claim must hold. tell: is called before each cell, with which it is.
    Raises NotebookError where a parameter is unknown, a cell fails or a claim must hold and does
    not.
    """
    notebook, given = read(source), dict(given or {})
    known = parameters(notebook)
    if unknown := sorted(set(given) - {one.name for one in known}):
        names = ", ".join(one.name for one in known) or "none"
        raise NotebookError(f"{source} has no parameter {unknown[0]!r}; it has: {names}")
    started = time.monotonic()
    executed = _execute(source, notebook, given, tell)
    try:
        write_captions(executed)
    except PageError as error:
        raise NotebookError(f"{source}: {error}") from None
    seconds = time.monotonic() - started
    claims = _take_claims(executed)
    failed = [f"{one['text']} (cell {one['cell']})" for one in claims if not one["holds"]]
    if strict and failed:
        raise NotebookError(f"{source}: these claims do not hold: {'; '.join(failed)}")
    for cell in executed.cells:
        cell.metadata.pop("papermill", None)
        _fold(cell)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    facts = colophon.facts(source.stem, known, given, code, seconds)
    executed.metadata["hia"] = facts | {"claims": claims}
    if not strict:
        _begin(executed, known, given)
    executed.cells.append(_markdown(colophon.markdown(facts), "colophon"))
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".unfinished")
    nbformat.write(executed, unfinished)  # type: ignore[no-untyped-call]
    unfinished.replace(output)


def _execute(
    source: Path, notebook: NotebookNode, given: dict[str, Any], tell: Callable[[str], None]
) -> NotebookNode:
    # The kernel of this environment, not one of that name in the user's home; no chatter of the
    # kernel's debugger in the outputs, nor of progress bars that the book has no use for.
    os.environ.update(
        JUPYTER_PREFER_ENV_PATH="1",
        PYDEVD_DISABLE_FILE_VALIDATION="1",
        PYTHONWARNINGS="ignore:IProgress not found",
    )
    # Parameters are checked already; papermill takes none for one whose type is a union.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells) + bool(given)
    numbers = count(1)
    try:
        executed: NotebookNode = papermill.execute_notebook(
            notebook,
            None,
            given,
            kernel_name="python3",
            progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
            on_cell_execute=lambda **_: tell(f"cell {next(numbers)} of {cells}"),
        )
    except PapermillExecutionError as error:
        # And a ValueError of hia, which says what is wrong. All else is for who mends it.
        files = re.findall(r"File (\S+\.py):\d+", _ANSI.sub("", "\n".join(error.traceback)))
        of_hia = error.ename == "ValueError" and files and _HIA.search(files[-1])
        what = f" {error.evalue or error.ename}" if of_hia or error.ename in TOLD else str(error)
        raise NotebookError(f"{source} failed:{what}") from None
    except RuntimeError as error:  # of the kernel
        raise NotebookError(f"{source} failed: {error}; is there enough memory?") from None
    # Papermill's record has paths of this machine in it.
    del executed.metadata["papermill"]
    return executed


def _take_claims(notebook: NotebookNode) -> list[dict[str, Any]]:
    """The claims made in the cells, with their place, taken out of what the page shows."""
    claims: list[dict[str, Any]] = []
    section, number = "", 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            headings = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
            section = [section, *headings][-1]
            continue
        number += 1
        outputs, cell.outputs = cell.outputs, []
        for output in outputs:
            said = output.get("metadata", {}).get("hia")
            if said is None:
                cell.outputs.append(output)
            else:
                place = {"section": section, "cell": number}
                claims.append({"text": said["claim"], "holds": said["holds"]} | place)
    return claims


def _begin(notebook: NotebookNode, known: Sequence[Parameter], given: Mapping[str, Any]) -> None:
    """Below the title: what is not as in the book, and the claims that no longer hold."""
    changed = [
        f"`{one.name}={written(given[one.name])}` (the book: {_told(one)})"
        for one in known
        if one.name in given and given[one.name] != one.value
    ]
    claims = notebook.metadata["hia"]["claims"]
    failed = [f"- {one['text']} ({one['section']})" for one in claims if not one["holds"]]
    if not changed and not failed:
        return
    holding = f"All {len(claims)} claims of the page hold here too." if claims else ""
    if failed:
        holding = "\n".join(["**These claims do not hold here:**\n", *failed])
    box = (
        "~~~~{admonition} Not the book's run\n:class: warning\n\n"
        f"Changed: {', '.join(changed) or 'the data'}. Numbers, figures and tables are of this "
        f"run; the sentences are the book's.\n\n{holding}"
    ).strip()
    title, _, rest = notebook.cells[0].source.partition("\n")
    texts = {"title": title, "changed": f"{box}\n~~~~", "rest": rest}
    notebook.cells[:1] = [_markdown(text, name) for name, text in texts.items()]


def _told(one: Parameter) -> str:
    """The book's value of a parameter; of an empty list what its comment says that it means."""
    every = one.value == [] and "all if empty" in one.comment
    return "all" if every else f"`{written(one.value)}`"


def _markdown(text: str, identifier: str) -> NotebookNode:
    cell: NotebookNode = new_markdown_cell(text, id=identifier)  # type: ignore[no-untyped-call]
    return cell


def _fold(cell: NotebookNode) -> None:
    tags = cell.metadata.setdefault("tags", [])
    shown = {"show-input", "injected-parameters", "hide-input", "remove-input", "remove-cell"}
    if cell.cell_type == "code" and not shown.intersection(tags):
        tags.append("hide-input")
        if "parameters" in tags:
            prompts = {"code_prompt_show": "Show the parameters"}
            cell.metadata["mystnb"] = prompts | {"code_prompt_hide": "Hide the parameters"}


def rerun(name: str, line: str) -> tuple[Path, Path]:
    """Executes a notebook with other parameters, given as in `parameters.parse`.

    Returns the paths of notebook and HTML page. Raises NotebookError, and ParameterError before
    anything is removed or run.
    """
    source = find(name)
    known = parameters(read(source))
    given = parse(line, known)
    for one in known:
        value = given.get(one.name, one.value)
        if isinstance(value, str) and Path(one.value).exists() and not Path(value).exists():
            raise ParameterError(f"{one.name}={value}: there is no such file")
    label = "".join(f"-{key}={written(value)}" for key, value in given.items())
    folder = RERUNS / re.sub(r"[^\w.=-]+", "_", f"{name}{label}", flags=re.ASCII)[:100]
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    notebook = unfinished / f"{name}.ipynb"
    started, terminal = time.monotonic(), sys.stderr.isatty()

    def tell(what: str) -> None:
        """How far it is; on a terminal, on one line."""
        line = f"{name}: {what}, {time.monotonic() - started:.0f} s"
        start, end = ("\r\x1b[K", "") if terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)

    run(source, notebook, given, tell=tell)
    tell("making the page")
    page = _page(notebook)
    if terminal:
        print(file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder / notebook.name, folder / "html" / page.name


def _page(notebook: Path) -> Path:
    """The notebook as a page in the look of the book, with the book's numbers and references."""
    folder = notebook.parent
    config = yaml.safe_load(Path("_config.yml").read_text(encoding="utf-8"))
    extensions = config["sphinx"]["local_extensions"]
    for name, path in extensions.items():
        extensions[name] = str(Path(path).resolve())
    own_config = folder / "_config.yml"
    own_config.write_text(yaml.safe_dump(config), encoding="utf-8")
    whole = folder / "page" / notebook.name
    whole.parent.mkdir()
    page = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    built = os.path.relpath("_build/html", folder / "html")
    references.localise(page, f"{built}/" if Path("_build/html").is_dir() else "")
    nbformat.write(page, whole)  # type: ignore[no-untyped-call]
    shutil.copy("book/references.bib", whole.parent)
    shutil.copytree("book/_static", whole.parent / "_static")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "-qq"]
    command += ["--config", str(own_config), "--path-output", str(folder.resolve()), str(whole)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotebookError(f"{notebook} is made, its page is not:\n{done.stdout}{done.stderr}")
    (folder / "_build/_page" / f"page-{notebook.stem}" / "html").rename(folder / "html")
    for leftover in (folder / "_build", whole.parent):
        shutil.rmtree(leftover)
    own_config.unlink()
    return folder / "html" / f"{notebook.stem}.html"


def picture(notebook: Path, name: str) -> bytes:
    """The SVG of a figure in an executed notebook. Raises NotebookError where there is none."""
    pattern = rf"^~~~{{figure}} data:image/svg\+xml;base64,(\S+)\n:name: {name}\n"
    paper = b'<rect width="100%" height="100%" fill="white"/>'  # there may be a dark page around it
    executed = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    found = re.search(pattern, shown(executed), re.MULTILINE)
    if found is None:
        raise NotebookError(f"{notebook} has no figure {name!r}")
    return re.sub(rb"<svg[^>]*>", rb"\g<0>" + paper, base64.b64decode(found[1]), count=1)


def _run_for_book(source: Path) -> int:
    try:
        run(source, Path("book", f"{source.stem}.ipynb"), strict=True)
    except NotebookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 where a notebook fails or is asked for what it does not have."""
    parser = argparse.ArgumentParser(prog="python book/run_notebooks.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    pages = commands.add_parser("run", help="execute notebooks for the book")
    pages.add_argument("source", type=Path, nargs="+")
    pages.add_argument("--last", type=Path, nargs="*", default=[], help="when the others have run")
    pages.add_argument("-j", "--jobs", type=int, default=1, help="so many at a time")
    again = commands.add_parser("rerun", help="execute a notebook with other parameters")
    again.add_argument("name")
    again.add_argument("parameters", nargs="?", default="", metavar='"NAME=VALUE ..."')
    figure = commands.add_parser("picture", help="copy a figure of an executed notebook")
    figure.add_argument("notebook", type=Path)
    figure.add_argument("name")
    figure.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if chosen.command == "run":
            return run_each(_run_for_book, chosen.source, chosen.last, chosen.jobs)
        if chosen.command == "picture":
            chosen.output.write_bytes(picture(chosen.notebook, chosen.name))
        else:
            notebook, page = rerun(chosen.name, chosen.parameters)
            print(f"notebook: {notebook}\npage:     {page}")
    except (NotebookError, ParameterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; what was there before is as it was", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
