"""What a page claims and glues, as a notebook's outputs have it."""

import re

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from hia_book import claims


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list:
    """Bundles and metadata of what was displayed."""
    displayed: list = []

    def display(bundle: dict, raw: bool, metadata: dict) -> None:
        displayed.append(new_output("display_data", bundle, metadata=metadata))

    monkeypatch.setattr(claims, "display", display)
    monkeypatch.setattr("myst_nb.ext.glue.ipy_display", display)
    return displayed


def test_a_claim_has_its_text_and_a_plain_truth_value(outputs: list) -> None:
    claims.claim("lr ranks first", np.bool_(False))
    assert outputs[0]["metadata"] == {"hia": {"claim": "lr ranks first", "holds": False}}


def test_glued_values_are_plain_and_can_be_quoted(outputs: list) -> None:
    claims.glue(tau=np.float64(0.3149), n=np.int64(11150), first="lr", nothing=np.nan)
    texts = [one["data"]["application/papermill.record/text/plain"] for one in outputs]
    assert texts == ["0.3149", "11150", "'lr'", "nan"]
    values = claims.glued(new_notebook(cells=[new_code_cell("", outputs=outputs)]))
    markdown = "{glue:text}`first`: {glue:text}`tau:.2f` of {glue:text}`n:,d`, {glue:text}`nothing`"
    assert claims.resolve(markdown, values) == "lr: 0.31 of 11,150, nan"


def test_captions_stand_in_the_prose_and_are_moved_with_their_numbers(outputs: list) -> None:
    claims.glue(n=np.int64(1200))
    shown = "~~~{figure} x\n:name: fig-x\n:alt: {alt fig-x}\n\n{caption fig-x}\n~~~"
    outputs.append(new_output("display_data", {"text/markdown": shown}))
    alt = ":::{caption} fig-x\n:alt: a line\n  of {glue:text}`n`\n\n"
    captions = f"{alt}{{glue:text}}`n:,`\nCNNs.\n:::\n"
    cells = [new_markdown_cell(f"Before.\n\n{captions}"), new_markdown_cell(captions)]
    notebook = new_notebook(cells=[*cells, new_code_cell("", outputs=outputs)])
    claims.write_captions(notebook)
    assert [cell.source for cell in notebook.cells] == ["Before.", ""]
    moved = notebook.cells[1].outputs[1]["data"]["text/markdown"]
    assert moved == "~~~{figure} x\n:name: fig-x\n:alt: a line of 1200\n\n1,200 CNNs.\n~~~"


@pytest.mark.parametrize(
    ("caption", "lacks"),
    [("", "('caption', 'table-x')"), (":::{caption} table-x\n{glue:text}`m`\n:::", "'m'")],
)
def test_a_caption_that_lacks_something_is_said(caption: str, lacks: str) -> None:
    shown = new_output("display_data", {"text/markdown": "~~~{table} {caption table-x}"})
    notebook = new_notebook(cells=[new_markdown_cell(caption), new_code_cell("", outputs=[shown])])
    with pytest.raises(claims.PageError, match=f"table-x: its caption lacks {re.escape(lacks)}"):
        claims.write_captions(notebook)
