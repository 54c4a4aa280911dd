"""Chapters where something can be missing or changed, and what their pages then say."""

import re
from pathlib import Path

import nbformat
import pytest

from hia.notebooks import run

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def shown(notebook: Path) -> str:
    """What the cells of an executed notebook show in the book."""
    cells = nbformat.read(notebook, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert all("data" in output for output in outputs), "an output that is no figure, table or text"
    return "\n".join(output.data["text/markdown"] for output in outputs)


def test_equations_have_the_numbers_of_the_paper() -> None:
    label = re.compile(r":label: (\S+)|\$\$ \((\S+)\)")
    labels = {
        path.stem: label.findall(path.read_text(encoding="utf-8"))
        for path in [*ROOT.glob("notebooks/*.py"), *ROOT.glob("book/*.md")]
    }
    assert [first for first, _ in labels.pop("method")] == [f"eq-{n}" for n in range(1, 15)]
    assert not any(labels.values()), "numbers go through the book: Eq. 10 would have another"


def test_worked_example_follows_its_parameters(tmp_path: Path) -> None:
    run(Path("notebooks/method.py"), tmp_path / "out.ipynb", {"n_neighbors": 3, "sigma": 1.0})
    page = shown(tmp_path / "out.ipynb")
    assert "The 3 nearest neighbours" in page
    (difference,) = re.findall(r"differ by at most (\S+)\. ", page)
    assert float(difference) < 1e-12


def test_importance_without_fanova(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fanova.py").write_text("raise ImportError('not compiled')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run(Path("notebooks/importance.py"), tmp_path / "out.ipynb")
    page = shown(tmp_path / "out.ipynb")
    assert "**Missing here:** our weights by functional ANOVA" in page
    assert ":name: table-4" in page
    assert "ours, ANOVA" not in page


def test_importance_of_one_data_set(tmp_path: Path) -> None:
    run(
        Path("notebooks/importance.py"),
        tmp_path / "out.ipynb",
        {"datasets": ["mnist"], "n_neighbors": 5, "n_trees": 2},
    )
    page = shown(tmp_path / "out.ipynb")
    assert "Left out, because they have one value only: `in_channel_num`" in page
    assert "Agreement of the rankings of 10 hyperparameters" in page
