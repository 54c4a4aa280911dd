"""Tables that sort, on a page of their own and with the keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

SCRIPT = Path(__file__).parents[2] / "book" / "_static" / "sortable.js"

HEADS = ("Name", "W", "CNNs", "Share", "lr")
ROWS = [
    ("lr", "0.31 ± 0.02", "1,200", "5 %", "1e-05"),
    ("Adam", "0.4", "90", "", "0.2"),
    ("epoch", "−0.3", "1,000,000", "12 %", "3e-3"),
    ("batch_size", "0.05", "7", "7.5 %", "100"),
]


def table(identity: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th><p>{text}</p></th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table id="{identity}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    tables = [
        table("sorts", HEADS, ROWS),
        table("one-row", ("Name", "W"), [("lr", "1")]),
        table("spans", ("Name", "W"), [("lr", "1"), ("x", "2")]),
        table("empty", ("", "W"), [("lr", "1"), ("x", "2")]),
    ]
    tables[2] = tables[2].replace("<td>lr", "<td colspan=2>lr")
    path = tmp_path / "page.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>x</title>'
        f"<article>{''.join(tables)}</article>"
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script></html>",
        encoding="utf-8",
    )
    opened = browser.new_page()
    faults: list[object] = []
    opened.on("pageerror", lambda error: faults.append(error))
    opened.goto(path.as_uri())
    yield opened
    opened.close()
    assert not faults


def names(page: Page) -> list[str]:
    return page.locator("#sorts tbody td:first-child").all_inner_texts()


def head(page: Page, name: str) -> Locator:
    return page.locator("#sorts th").nth(HEADS.index(name))


ASCENDING = {
    "Name": ["Adam", "batch_size", "epoch", "lr"],
    "W": ["epoch", "batch_size", "lr", "Adam"],
    "CNNs": ["batch_size", "Adam", "lr", "epoch"],
    "Share": ["lr", "batch_size", "epoch", "Adam"],  # the empty one last
    "lr": ["lr", "epoch", "Adam", "batch_size"],
}


def test_up_then_down_then_as_it_was(page: Page) -> None:
    before = names(page)
    for name, ascending in ASCENDING.items():
        button = head(page, name).get_by_role("button")
        assert head(page, name).get_attribute("aria-sort") is None
        button.focus()
        page.keyboard.press("Enter")
        assert head(page, name).get_attribute("aria-sort") == "ascending"
        assert names(page) == ascending
        page.keyboard.press("Space")
        assert head(page, name).get_attribute("aria-sort") == "descending"
        filled = [row[0] for row in ROWS if row[HEADS.index(name)]]
        down = [one for one in reversed(ascending) if one in filled]
        assert names(page) == down + [one for one in before if one not in filled]
        page.keyboard.press("Enter")
        assert head(page, name).get_attribute("aria-sort") is None
        assert names(page) == before


def test_one_column_at_a_time(page: Page) -> None:
    for name in ("W", "Name"):
        head(page, name).get_by_role("button").click()
    assert page.locator("[aria-sort]").count() == 1
    assert head(page, "Name").get_attribute("aria-sort") == "ascending"


def test_tables_that_cannot_be_sorted_are_left_alone(page: Page) -> None:
    for name, buttons in (("sorts", 5), ("one-row", 0), ("spans", 0), ("empty", 1)):
        assert page.locator(f"#{name} button").count() == buttons
