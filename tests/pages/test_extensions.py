"""What the book's extensions of Sphinx do, and that the reference is whole."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from docutils import nodes
from numpy.typing import ArrayLike, NDArray
from sphinx.util.inspect import signature, stringify_signature

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))

from hia_markup import list_parameters, shorten_types, split_whole  # noqa: E402
from hia_numbers import renumber  # noqa: E402

DOT = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="


def test_the_papers_keep_their_numbers_and_the_others_are_counted() -> None:
    numbers = {
        "b": {"figure": {"fig-x": (3,), "fig-2": (4,)}, "table": {"table-5-check": (2,)}},
        "a": {"figure": {"fig-y": (1,), "fig-4": (2,)}, "table": {"table-5": (1,)}},
        "c": {"displaymath": {"equation-eq-1": (1,)}},
        "d": {"figure": {"id1": (10,)}},
    }
    renumber(numbers)
    assert numbers == {
        "b": {"figure": {"fig-x": ("S2",), "fig-2": (2,)}, "table": {"table-5-check": ("S1",)}},
        "a": {"figure": {"fig-y": ("S1",), "fig-4": (4,)}, "table": {"table-5": (5,)}},
        "c": {"displaymath": {"equation-eq-1": (1,)}},
        "d": {"figure": {"id1": ("S3",)}},
    }


def test_names_and_numbers_are_parted_from_their_text_and_keep_their_letters() -> None:
    text = "N-RReliefF on CIFAR-100, with lr from 1e-06: 95 % of a 3-fold test."
    found = split_whole(text)
    whole = [node.astext() for node in found if isinstance(node, nodes.inline)]
    assert whole == ["N-RReliefF", "CIFAR-100", "1e-06", "95 %"]
    assert "".join(node.astext() for node in found) == text


def test_a_docstring_s_parameters_are_a_list_and_its_indented_text_is_code() -> None:
    def count(rows: int, first: int, last: int) -> None: ...

    text = "Counts.\n\nrows: of\nthem. first, last: both\n(rows: in it). Returns |n|.\n\n    x = *1"
    lines = text.split("\n")
    list_parameters(None, "function", "count", count, None, lines)  # type: ignore[arg-type]
    assert "\n".join(lines) == (
        "Counts.\n\n- **rows**: of them. \n- **first, last**: both (rows: in it).\n\n"
        "Returns \\|n\\|.\n\n::\n\n    x = *1"
    )


def test_types_are_called_as_in_the_code() -> None:
    def weigh(X: ArrayLike, n: int = 1) -> dict[str, NDArray[np.float64]]: ...

    written = stringify_signature(signature(weigh), unqualified_typehints=True)
    given, result = written.split(" -> ")
    shown = shorten_types(None, "", "", weigh, None, given, result)  # type: ignore[arg-type]
    assert shown == ("(X: ArrayLike, n: int = 1)", "dict[str, NDArray[float64]]")


def test_the_reference_has_every_module() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("book/api*.md"))
    documented = re.findall(r"automodule:: (hia[\w.]+)", pages)
    modules = [
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
        for path in ROOT.glob("hia/**/[a-z]*.py")
    ]
    assert sorted(documented) == sorted(modules)


def figure(name: str) -> str:
    return f"~~~{{figure}} {DOT}\n:name: {name}\n:alt: a dot\n\nA caption.\n~~~\n\n"


@pytest.mark.slow
def test_captions_and_references_of_a_built_book_agree(tmp_path: Path) -> None:
    names = ["fig-a", "fig-4", "fig-b", "table-3", "table-c"]
    references = " ".join(f"{{numref}}`{name}`" for name in names) + " {eq}`eq-1`\n\n"
    table = "~~~{table} A caption.\n:name: NAME\n\n| a |\n|:--|\n| 1 |\n~~~\n\n"
    equation = "~~~{math}\n:label: eq-1\nx\n~~~\n\n"
    pages = {
        "one": figure("fig-a") + figure("fig-4") + table.replace("NAME", "table-c"),
        "two": figure("fig-b") + table.replace("NAME", "table-3") + equation,
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.md").write_text(f"# Page {name}\n\n{text}{references}")
    toc = tmp_path / "_toc.yml"
    toc.write_text("format: jb-book\nroot: one\nchapters:\n  - file: two\n")
    (tmp_path / "references.bib").write_text("")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(tmp_path), "-q"]
    command += ["--config", str(ROOT / "_config.yml"), "--toc", str(toc)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    numbered = r'caption-number">((?:Fig|Table)[^<]+?) *</span>'
    expected = {"one": ["Fig. S1", "Fig. 4", "Table S1"], "two": ["Fig. S2", "Table 3"]}
    for name, captions in expected.items():
        html = (tmp_path / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")
        assert re.findall(numbered, html) == captions
        found = re.findall(r'std-numref">([^<]+)</span>', html)
        assert found == ["Fig. S1", "Fig. 4", "Fig. S2", "Table 3", "Table S1"]
        assert 'href="#equation-eq-1">(1)</a>' in html.replace("two.html", "")
