"""What the book's extensions of Sphinx do, and that the reference is whole."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from hia_markup import FORMULA, MINUS, NAN, list_parameters, plain_formula, shorten_types
from hia_publish import shorten
from nbformat.v4 import new_markdown_cell, new_notebook
from numpy.typing import ArrayLike, NDArray
from sphinx.util.inspect import signature, stringify_signature

ROOT = Path(__file__).parents[2]

DOT = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (r"\tau", "<emphasis>τ</emphasis>"),
        ("J = n/20", "<emphasis>J</emphasis> = <emphasis>n</emphasis>/20"),
        ("10^{-3}", "10<superscript>−3</superscript>"),
        (r"\max(W, 0)", "max(<emphasis>W</emphasis>, 0)"),
        (r"\frac{a}{b}", ""),
        ("W_k", ""),
        (r"10^{\sum x}", ""),
        ("10^{W_k}", ""),
    ],
)
def test_formulas_that_are_text_are_written_as_text(formula: str, shown: str) -> None:
    assert bool(FORMULA.fullmatch(formula)) == bool(shown)
    assert not shown or "".join(map(str, plain_formula(formula))) == shown


def test_the_sign_of_a_number_is_a_minus() -> None:
    assert MINUS.sub("−", "-0.5 (-1 to -2), 1e-3, CIFAR-10, 2026-01-02, 3-4, - 1") == (
        "−0.5 (−1 to −2), 1e-3, CIFAR-10, 2026-01-02, 3-4, - 1"
    )


def test_a_number_that_a_rerun_has_no_data_for_is_not_written_as_nan() -> None:
    assert NAN.sub("n/a", "nan% of nan, but nanometres") == "n/a of n/a, but nanometres"


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("One of A [Hutter et al., 2014]\n is 0.5. Two.", "One of A is 0.5. Two."),
        (f"One. {'two ' * 48}end. Three.", "One."),
        (f"One is long{' and longer' * 20}.", f"One is long{' and longer' * 17} …"),
    ],
)
def test_a_description_is_of_whole_sentences_without_references(
    text: str, description: str
) -> None:
    assert shorten(text) == description


def test_a_docstring_s_parameters_are_a_list_and_its_indented_text_is_code() -> None:
    def count(rows: int, first: int, last: int) -> None: ...

    text = "Counts.\n\nrows: of\nthem. first, last: both\n(rows: in). Returns |n|, a_."
    lines = [*text.split("\n"), "", "    x = *1"]
    list_parameters(None, "function", "count", count, None, lines)  # type: ignore[arg-type]
    assert "\n".join(lines) == (
        "Counts.\n\n- **rows**: of them. \n- **first, last**: both (rows: in).\n\n"
        "Returns \\|n\\|, a\\_.\n\n::\n\n    x = *1"
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
    paths = [path.relative_to(ROOT).with_suffix("") for path in ROOT.glob("hia/**/[a-z]*.py")]
    assert sorted(documented) == sorted(".".join(path.parts) for path in paths)


def figure(name: str) -> str:
    return f"~~~{{figure}} {DOT}\n:name: {name}\n:alt: a dot\n\nA caption.\n~~~\n\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with every kind of thing that the extensions see to, published somewhere."""
    root = tmp_path_factory.mktemp("published") / "book"
    root.mkdir()
    names = ["fig-a", "fig-4", "fig-b", "table-3", "table-3-check"]
    references = " ".join(f"{{numref}}`{name}`" for name in names) + " {eq}`eq-1`\n\n"
    table = "~~~{table} A caption.\n:name: NAME\n\n| a |\n|:--|\n| 1 |\n~~~\n\n"
    equation = "~~~{math}\n:label: eq-1\nx\n~~~\n\n"
    wide = f"|{'a |' * 7}\n|:--|{'--:|' * 6}\n|{'1 |' * 7}\n\n"
    terms = "**With $J$ = 9 & <i>, `J` is J.** Then J and BOHB share the shares.\n\n"
    terms += "N-RReliefF on CIFAR-100, with lr from 1e-06: 95 % of a 3-fold test.\n\n"
    found = figure("fig-a") + figure("fig-4") + table.replace("NAME", "table-3-check") + wide
    pages = {
        "one": terms + found + references,
        "two": figure("fig-b") + table.replace("NAME", "table-3") + equation + references,
        "glossary": "```{glossary}\nJ\n  One.\n\nBOHB\n  Two.\n\nshare\nshares\n  Three.\n```\n",
    }
    for name, text in pages.items():
        (root / f"{name}.md").write_text(f"# Page {name}\n\n{text}")
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = new_notebook(cells=[new_markdown_cell("# A notebook")], metadata=metadata)
    nbformat.write(notebook, root / "three.ipynb")
    (root.parent / "notebooks").mkdir()
    (root.parent / "notebooks" / "three.py").write_text("# # A notebook")
    chapters = "".join(f"  - file: {name}\n" for name in ("two", "three", "glossary"))
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: one\nchapters:\n{chapters}")
    (root / "references.bib").write_text("")
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["repository"]["url"] = "https://github.com/some/book"
    config["html"] |= {"baseurl": "https://some.example/book/", "favicon": ""}
    local = config["sphinx"]["local_extensions"]
    config["sphinx"]["local_extensions"] = {name: str(ROOT / local[name]) for name in local}
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(root), "-q"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "_build" / "html"


def read(small: Path, name: str) -> str:
    return (small / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_captions_and_references_of_a_built_book_agree(small: Path) -> None:
    expected = {"one": ["Fig. S1", "Fig. 4", "Table S1"], "two": ["Fig. S2", "Table 3"]}
    for name, captions in expected.items():
        html = read(small, name)
        assert re.findall(r'caption-number">((?:Fig|Table)[^<]+?) *</span>', html) == captions
        numbers = ["Fig. S1", "Fig. 4", "Fig. S2", "Table 3", "Table S1"]
        assert re.findall(r'std-numref">([^<]+)</span>', html) == numbers
        assert 'href="#equation-eq-1">(1)</a>' in html.replace("two.html", "")


@pytest.mark.slow
def test_terms_are_linked_once_and_only_formulas_load_mathjax(small: Path) -> None:
    one, two = read(small, "one"), read(small, "two")
    linked = re.findall(r'class="hia-term[^"]*" href="glossary.html#term-(\w+)"', one)
    assert linked == ["J", "BOHB", "shares"]
    assert "share the <a" in " ".join(one.split())
    whole = re.findall('<span class="hia-whole">([^<]+)</span>', one)
    assert whole == ["N-RReliefF", "CIFAR-100", "1e-06", "95 %"]
    assert "mathjax/startup.js" in two
    assert "mathjax/startup.js" not in one
    assert one.count("Show all columns") == 1
    assert not (small / "_static" / "scripts" / "fontawesome.js").read_text()


@pytest.mark.slow
def test_a_published_page_has_a_description_a_card_and_links_to_run_it(small: Path) -> None:
    one, three = read(small, "one"), read(small, "three")
    assert '<meta name="description" content="With J = 9 &amp; &lt;i&gt;, J is J."/>' in one
    card = "https://some.example/book/_static/card.png"
    assert f'<meta property="og:image" content="{card}"/>' in one
    assert "mybinder" not in one
    assert "mybinder.org/v2/gh/some/book/HEAD?labpath=three.ipynb" in three
    assert "github/some/book/blob/gh-pages/_sources/three.ipynb" in three
    source = nbformat.read(small / "_sources" / "three.ipynb", 4)
    assert "git clone -q --depth 1 https://github.com/some/book" in source.cells[0].source
    assert (ROOT / "book" / "_static" / "card.png").is_file()
