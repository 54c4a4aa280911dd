"""Notebooks run with the parameters given, and say what is wrong with others."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import psutil
import pytest

from parameters import ParameterError
from run_notebooks import NotebookError, main, rerun, run

ROOT = Path(__file__).parents[2]
TOOL = [sys.executable, str(ROOT / "book" / "run_notebooks.py")]
HEADER = """\
# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A chapter
#
# See {numref}`fig-line` and {numref}`table-squares`, and {numref}`fig-other` in {doc}`other`, a
# {term}`share`.
# By {eq}`eq-2` the sum is {glue:text}`total` and the mean {glue:text}`mean:.2f`
# {cite:p}`hutter2014efficient`.
#
# ## Counting
#
# :::{caption} fig-line
# :alt: a rising line
#
# A line, `x|y` and $x^2$.
# :::
#
# :::{caption} table-squares
# Thirds of `n`, up to {glue:text}`largest:.1f`.
# :::

# %% tags=["parameters"]
upper: int = 3  # how far to count; 1 to 9
names = ["a"]
chosen: list[str] = []  # some of these, all if empty

"""
BODY = """\
# %%
from pathlib import Path

print(Path.cwd().name, upper, names)

# %%
import matplotlib.pyplot as plt
import pandas as pd

from hia_book.claims import claim, glue, need
from hia_book.figures import show_figure, show_table

need(upper != 9, "nine is too many")

numbers = list(range(upper))
figure, axes = plt.subplots()
axes.plot(numbers)
squares = pd.DataFrame({"n": numbers, "n | m": [n / 3 for n in numbers]})
show_figure(figure, "fig-line", squares)
show_table(squares, "table-squares", {"n | m": ".2f"})
glue(largest=max(numbers), total=sum(numbers), mean=pd.Series(numbers).mean())
claim("the sum is three", sum(numbers) == 3)
claim("there is a number", len(numbers) > 0)
"""
# A page before it, with a figure, so that the chapter's are not the first of the book.
OTHER = """\
# Another page

```{figure} x.svg
:name: fig-other
```

```{math}
:label: eq-2
x
```
"""


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook in a small repository, which is the current directory."""
    for name in ("_config.yml", "book/references.bib", "book/references.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("_static", "_ext"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    path = tmp_path / "notebooks" / "chapter.py"
    path.parent.mkdir()
    path.write_text(HEADER + BODY)
    (tmp_path / "book" / "_toc.yml").write_text("root: other\nchapters:\n- file: chapter\n")
    (tmp_path / "book" / "other.md").write_text(OTHER)
    monkeypatch.chdir(tmp_path)
    return path


def test_names_only_and_nothing_is_removed(chapter: Path, tmp_path: Path) -> None:
    (tmp_path / "_build" / "notebooks").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    told = r"no notebook .* in notebooks/; there are: chapter"
    for name in ("../hia/space", f"{tmp_path}/notebooks/chapter", ""):
        with pytest.raises(NotebookError, match=told):
            rerun(name, "")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_parameter_is_checked_before_anything_is_removed(
    chapter: Path, capsys: pytest.CaptureFixture
) -> None:
    kept = Path("_build/notebooks/chapter-upper=5/old")
    kept.mkdir(parents=True)
    assert main(["rerun", "chapter", "upper=0"]) == 1
    told = "error: upper=0: give a whole number from 1 to 9, such as upper=3\n"
    assert capsys.readouterr().err == told
    assert kept.exists()
    with pytest.raises(NotebookError, match="has no parameter 'uper'; it has: upper, names"):
        run(chapter, Path("out.ipynb"), {"uper": 4})
    assert not Path("out.ipynb").exists()
    chapter.write_text(HEADER.replace('names = ["a"]', 'names = "notebooks/chapter.py"') + BODY)
    with pytest.raises(ParameterError, match=r"names=none\.csv: there is no such file"):
        rerun("chapter", "names=none.csv")


@pytest.mark.slow
def test_what_a_page_cannot_do_is_one_line(chapter: Path, capsys: pytest.CaptureFixture) -> None:
    for cell, line in (
        ("", "nine is too many"),
        ("raise MemoryError", "MemoryError"),
        ("import os; os._exit(1)", r"Kernel died; is there enough memory\?"),
        ("from hia.trials import load; load('none.parquet')", r".*none\.parquet.*"),
    ):
        chapter.write_text(f"{HEADER}# %%\n{cell}\n\n{BODY}")
        assert main(["rerun", "chapter", "upper=9"]) == 1
        told = rf"\nerror: notebooks/chapter\.py failed: {line}\n\Z"
        assert re.search(told, capsys.readouterr().err)


@pytest.mark.slow
def test_a_page_that_fails_leaves_the_old_copy(chapter: Path) -> None:
    copy = Path("book/chapter.ipynb")
    copy.write_text("old")
    shutil.copy(chapter, "notebooks/other.py")
    for text, *told in (
        ((HEADER + BODY).replace("upper: int = 3", "upper: int = 4"), "the sum is three (cell 3)"),
        (HEADER + "# %%\n1 / (upper - 3)\n", "ZeroDivisionError", "1 / (upper - 3)"),
    ):
        chapter.write_text(text)
        command = [*TOOL, "run", chapter, "notebooks/other.py"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        said = re.sub(r"\x1b\[[\d;]*m", "", done.stderr)  # colours, word by word
        assert all(one in said for one in told)
        assert copy.read_text() == "old"
        assert not Path("book/other.ipynb").exists()  # nothing begins after a failure


@pytest.mark.slow
def test_pages_run_beside_each_other(chapter: Path) -> None:
    for name in "ab":
        text = HEADER + BODY.replace("Path.cwd().name", f"Path('{name}').touch()")
        other = "ab".replace(name, "")
        meet = f"import time\n\nwhile not Path('{other}').exists():\n    time.sleep(0.1)\n"
        Path("notebooks", f"{name}.py").write_text(f"{text}\n# %%\n{meet}")
    command = [*TOOL, "run", "notebooks/a.py", "notebooks/b.py", "-j2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Running notebooks/a.py (1 of 2)\nRunning notebooks/b.py (2 of 2)\n"
    for name in "ab":
        assert len(nbformat.read(f"book/{name}.ipynb", 4).metadata.hia.claims) == 2


@pytest.mark.slow
def test_run_in_the_root_with_the_code_folded(chapter: Path, tmp_path: Path) -> None:
    run(chapter, Path("book/chapter.ipynb"))
    assert not list(Path("book").glob("*.unfinished"))
    text = Path("book/chapter.ipynb").read_text()
    assert str(tmp_path) not in text
    assert "no longer" not in text
    notebook = nbformat.reads(text, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all("hide-input" in cell.metadata.tags for cell in code)
    assert code[1].outputs[0].text == f"{tmp_path.name} 3 ['a']\n"
    place = {"holds": True, "section": "Counting", "cell": 3}
    texts = ("the sum is three", "there is a number")
    assert notebook.metadata.hia.claims == [{"text": text} | place for text in texts]
    assert "claim" not in str([cell.outputs for cell in code])
    assert 'make notebook NB=chapter P="upper=3"\n' in notebook.cells[-1].source
    assert notebook.metadata.hia.parameters == {"upper": 3, "names": ["a"], "chosen": []}
    picture = ["picture", "book/chapter.ipynb", "-o", "picture.svg"]
    assert main([*picture, "fig-none"]) == 1
    assert not Path("picture.svg").exists()
    assert main([*picture, "fig-line"]) == 0
    svg = ElementTree.fromstring(Path("picture.svg").read_text())
    assert (svg[0].tag, svg[0].get("fill")) == ("{http://www.w3.org/2000/svg}rect", "white")


@pytest.mark.slow
def test_rerun_leaves_the_books_copy_alone(
    chapter: Path, capfd: pytest.CaptureFixture, tmp_path: Path
) -> None:
    Path("book/chapter.ipynb").write_text("the book's")
    assert main(["rerun", "chapter", "upper=5 names=[../x, y] chosen=[b]"]) == 0
    assert Path("book/chapter.ipynb").read_text() == "the book's"
    told = capfd.readouterr()
    assert "chapter: cell 3 of 4, " in told.err
    said = dict(line.split(":") for line in told.out.splitlines()[-2:])
    assert Path(said["notebook"].strip()).is_file()
    path = Path(said["page"].strip())
    assert path.parents[2] == Path("_build/notebooks")
    page = path.read_text().replace("&quot;", '"')
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    for number in ("Fig. S2", "Table S1"):
        assert page.count(f'<span class="caption-number">{number}') == 1
    for said in (
        "See Fig. S2 and Table S1, and Fig. S1 in Another page, a share.",
        "By (2) the sum is 10 and the mean 2.00 [Hutter",
        "An efficient approach for assessing hyperparameter importance",
        "Changed: upper=5 (the book: 3), names=[../x, y] (the book: [a]), chosen=[b] ",
        "chosen=[b] (the book: all). Numbers",
        "These claims do not hold here: the sum is three (Counting)",
        "Thirds of n, up to 4.0.",
    ):
        assert said in text
    assert "there is a number (Counting)" not in text
    for written in (
        "5 ['../x', 'y']",  # printed by the first cell
        "0.33",  # in the table, as formatted
        *('download="table-squares.csv"', 'download="fig-line.csv"', "data:image/svg+xml;base64,"),
        'make notebook NB=chapter P="upper=5 names=[../x, y] chosen=[b]"',
        "how far to count",  # of the parameter, in the fold at the end
    ):
        assert written in page


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("command", ["run notebooks/chapter.py", "rerun chapter"])
def test_what_is_interrupted_leaves_a_line_and_no_process(
    chapter: Path, command: str, end: signal.Signals
) -> None:
    begun = "from pathlib import Path\nimport time\n\nPath('begun').touch()\ntime.sleep(600)\n"
    chapter.write_text(f"{HEADER}# %%\n{begun}")
    kept = Path("_build/notebooks/chapter/old")
    kept.mkdir(parents=True)
    process = subprocess.Popen(
        [*TOOL, *command.split()], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not Path("begun").exists():
        time.sleep(0.1)
    if end == signal.SIGINT:
        os.killpg(process.pid, end)
    else:
        process.kill()
    _, told = process.communicate(timeout=60)
    assert process.returncode == (130 if end == signal.SIGINT else -end)
    if end == signal.SIGINT:
        assert told.splitlines()[-2:] == ["", "interrupted; what was there before is as it was"]
    assert kept.exists()
    deadline = time.monotonic() + 60
    while left := [
        one
        for one in psutil.process_iter(["cwd"])
        if one.pid != os.getpid() and one.info["cwd"] == str(Path.cwd())
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
