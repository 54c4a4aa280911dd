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
    two = [("lr", "1"), ("x", "2")]
    tables = [
        table("sorts", HEADS, ROWS),
        table("one-row", ("Name", "W"), two[:1]),
        table("spans", ("Name", "W"), two).replace("<td>lr", "<td colspan=2>lr"),
        table("empty", ("", "W"), two),
    ]
    path = tmp_path / "page.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>x</title>'
        f"<article>{''.join(tables)}</article>"
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script></html>",
        encoding="utf-8",
    )
    faults: list[object] = []
    with browser.new_page() as opened:
        opened.on("pageerror", lambda error: faults.append(error))
        opened.goto(path.as_uri())
        yield opened
    assert not faults


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
    names = page.locator("#sorts tbody td:first-child")
    before = names.all_inner_texts()
    for name, ascending in ASCENDING.items():
        filled = [row[0] for row in ROWS if row[HEADS.index(name)]]
        down = [one for one in reversed(ascending) if one in filled]
        down += [one for one in before if one not in filled]
        assert head(page, name).get_attribute("aria-sort") is None
        head(page, name).get_by_role("button").focus()
        for key, direction, order in (
            ("Enter", "ascending", ascending),
            ("Space", "descending", down),
            ("Enter", None, before),
        ):
            page.keyboard.press(key)
            assert head(page, name).get_attribute("aria-sort") == direction
            assert names.all_inner_texts() == order


def test_one_column_at_a_time(page: Page) -> None:
    for name in ("W", "Name"):
        head(page, name).get_by_role("button").click()
    assert page.locator("[aria-sort]").count() == 1
    assert head(page, "Name").get_attribute("aria-sort") == "ascending"


def test_tables_that_cannot_be_sorted_are_left_alone(page: Page) -> None:
    for name, buttons in (("sorts", 5), ("one-row", 0), ("spans", 0), ("empty", 1)):
        assert page.locator(f"#{name} button").count() == buttons
