"""Chapters where something can be missing or changed, and what their pages then say."""

import os
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS
from hia.trials import design
from run_notebooks import NotebookError, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def shown(notebook: Path) -> str:
    """What the cells of an executed notebook show in the book."""
    cells = nbformat.read(notebook, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert all("data" in output for output in outputs), "an output that is no figure, table or text"
    return "\n".join(output.data.get("text/markdown", "") for output in outputs)


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
    claims = nbformat.read(tmp_path / "out.ipynb", 4).metadata.hia.claims
    assert len(claims) == 3
    assert all(one.holds for one in claims)


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


def test_importance_tells_both_searches_from_random_search(tmp_path: Path) -> None:
    few = {"n_trees": 2, "n_permutations": 19, "n_resamples": 4, "fanova_rows": 200}
    run(Path("notebooks/importance.py"), tmp_path / "out.ipynb", few)
    page = shown(tmp_path / "out.ipynb")
    rows = pd.read_parquet("data/trials.parquet")
    drawn = rows[rows["source"] == "random"]
    assert f"from {len(rows):,} CNNs, {len(drawn):,} of them of random search" in page
    line = next(line for line in page.splitlines() if line.startswith("| `lr` |"))
    shares = [float(cell) for cell in line.split("|")[4:-1:2]]
    for found, table in ((shares[0], rows), (shares[1], drawn)):
        importances = NRReliefF().fit(design(table), table["accuracy"]).importances_
        weights = dict(zip(HYPERPARAMETERS, importances, strict=True))
        assert found == pytest.approx(weights["lr"], abs=5e-5)
    assert "19 permutations reach it" in page
    assert "nearest neighbours of a CNN that BOHB chose" in page
    assert f"and by its rank in the data set, of {len(drawn):,} CNNs of random search" in page

    run(Path("notebooks/importance.py"), tmp_path / "out.ipynb", {**few, "sources": ["random"]})
    page = shown(tmp_path / "out.ipynb")
    assert "Here are CNNs of one search only" in page
    assert "*Random search*" not in page


# Every weight of N-RReliefF below 0, as chance can have it with few CNNs.
NOTHING = """\
import hia.relief

fit = hia.relief.NRReliefF.fit


def negative(self, X, y):
    fit(self, X, y)
    self.weights_ = -abs(self.weights_) - 1e-6
    return self


hia.relief.NRReliefF.fit = negative
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("importance", "30 neighbours): no weight is above 0."),
        ("intro", "are by N-RReliefF with its 30 neighbours none"),
    ],
)
def test_no_weight_above_0_is_a_result(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOTHING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run(Path(f"notebooks/{name}.py"), tmp_path / "out.ipynb")
    assert says in shown(tmp_path / "out.ipynb")


def test_without_a_weight_above_0_there_are_no_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOTHING)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(NotebookError, match="failed: no weight of N-RReliefF is above 0"):
        run(Path("notebooks/joint.py"), tmp_path / "out.ipynb", {"n_trees": 1})


def test_first_page_without_the_other_recordings(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.parquet")
    others = dict.fromkeys(("universes", "fits", "replicates", "searches"), absent)
    few = {"n_trees": 2, "n_resamples": 2}
    run(Path("notebooks/intro.py"), tmp_path / "out.ipynb", {**others, **few})
    page = shown(tmp_path / "out.ipynb")
    assert "- **The ranking.** The paper's first three are" in page
    assert "- **The printed numbers.** Of" in page
    assert not any(f"**The {name}.**" in page for name in ("choices", "method", "noise", "use"))


def page(folder: Path, name: str, outputs: list[dict], prose: str = "", **facts: object) -> None:
    """An executed notebook with these outputs."""
    made = [
        new_output("display_data", {"text/markdown": one["text"]}, metadata=one.get("metadata", {}))
        for one in outputs
    ]
    cells = [new_markdown_cell(f"# Page {name}\n\n{prose}"), new_code_cell("", outputs=made)]
    known = {"parameters": {}, "given": [], "python": "3.11.7", "versions": {"numpy": "2.4.6"}}
    known |= {"recordings": [], "seconds": 1.5, "made": "2026-01-02T03:04+00:00"}
    metadata = {"hia": known | facts}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), folder / f"{name}.ipynb")


def test_list_of_items_is_made_from_the_pages(tmp_path: Path) -> None:
    toc = (
        "format: jb-book\nroot: a\nparts:\n- chapters:\n  - file: b\n    sections:\n    - file: c\n"
    )
    (tmp_path / "_toc.yml").write_text(toc)
    (tmp_path / "c.md").write_text("# Page c\n\n```{math}\n:label: eq-3\nx\n```\n")
    agreement = {"hia": {"agreement": "table-3", "text": "Not at all."}}
    recorded = {"file": "data/trials.parquet", "rows": 1234, "sessions": 2}
    recorded |= {"first": "2026-01-01", "last": "2026-01-02"}
    page(
        tmp_path,
        "a",
        [
            {"text": "~~~{figure} data:\n:name: fig-1\n:alt: x\n\nA.\n~~~"},
            {"text": "~~~{table} A.\n:name: table-3\n\n| a |\n~~~"},
            {"text": "**Agreement with the paper.** Not at all.", "metadata": agreement},
        ],
        prose="```{admonition} Algorithm 1\n:name: algorithm-1\n```",
        recordings=[recorded],
    )
    page(tmp_path, "b", [{"text": "**Missing here:** a result."}], given=["n"], seconds=2.0)
    run(Path("notebooks/items.py"), tmp_path / "items.ipynb", {"folder": str(tmp_path)})
    text = shown(tmp_path / "items.ipynb")
    assert "| {numref}`fig-1` in {doc}`a`: *Workflow Diagram" in text
    assert "| {numref}`table-3` in {doc}`a`: *Importance Weights" in text
    assert "Hyperparameters* | Not at all. |" in text
    assert "| Fig. 2: *The Amount of HIA Inputs Generated from Datasets* | **missing** |" in text
    assert "**Missing:** Fig. 2, Fig. 3, Fig. 4, Table 1" in text
    assert "| {ref}`Algorithm 1 <algorithm-1>` | N-RReliefF |" in text
    assert "| Eq. {eq}`eq-3` | performance differs |" in text
    assert "| **missing:** Eq. 4 |" in text
    assert "| {doc}`a` | 1 | 1 | 1.5 | trials |" in text
    assert "Together 1 figures and 1 tables, computed in 4 s" in text
    assert "| `data/trials.parquet` | 1,234 | 2026-01-01 to 2026-01-02 | 2 |" in text
    assert "- {doc}`b`: a result." in text
    assert "**Not with their own parameters:** b (n)." in text


def test_list_of_items_without_pages(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: a\n")
    run(Path("notebooks/items.py"), tmp_path / "out.ipynb", {"folder": str(tmp_path)})
    assert "**Missing here:** there are no executed pages" in shown(tmp_path / "out.ipynb")
