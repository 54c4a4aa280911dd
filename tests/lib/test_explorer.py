"""The page to explore all trials, used as a reader does and compared with pandas."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from hia.space import HYPERPARAMETERS
from hia_book import explorer

ROOT = Path(__file__).parents[2]
STUDY = pd.read_parquet(ROOT / "data" / "trials.parquet")
ROWS = STUDY.groupby("dataset").sample(60, random_state=0).sort_index().reset_index(drop=True)
CURVES = {"lr": {"value": [1e-6, 1e-3, 1e-1], "mean": [0.1, 0.6, 0.3], "std": [0.01, 0.05, 0.02]}}


@pytest.mark.parametrize("name", explorer.COLUMNS)
def test_a_column_has_its_values_whatever_their_type(name: str) -> None:
    shown = json.loads(json.dumps(explorer.describe(ROWS[name])))
    values = shown["values"]
    if "choices" in shown:
        values = [shown["choices"][value] for value in values]
    assert values == [None if pd.isna(value) else value for value in ROWS[name]]


def test_marginals_have_every_hyperparameter_that_varies() -> None:
    rows = ROWS[ROWS["dataset"] == ROWS["dataset"].iloc[0]]
    found = explorer.marginals(rows, n_trees=2, random_state=0)
    assert list(found) == [name for name in HYPERPARAMETERS if name != "in_channel_num"]
    assert found["optimizer"]["value"] == [0, 1]
    for curve in found.values():
        assert len(curve["value"]) == len(curve["mean"]) == len(curve["std"])
        assert rows["accuracy"].min() <= min(curve["mean"]) <= max(curve["mean"])


def write(path: Path, rows: pd.DataFrame, model: str = "a model") -> str:
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Explorer</title>'
    path.write_text(head + explorer.markup(rows, CURVES, model), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("explorer") / "page.html", ROWS)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 900, "height": 900})
    opened.set_default_timeout(300_000)  # a busy machine is no fault of the page
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(f"script: {error}"))
    opened.on("request", lambda request: faults.append(request.url))
    opened.goto(address)
    yield opened
    opened.close()
    assert not [fault for fault in faults if fault != address and not fault.startswith("blob:")]


def counted(page: Page) -> int:
    """How many CNNs the page says that it shows."""
    words = page.get_by_role("status").inner_text()
    shown, of = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", words))
    assert of == len(ROWS)
    return shown


def column(page: Page, name: str) -> list[str]:
    """The cells of a column of the table, this page of it."""
    position = explorer.COLUMNS.index(name) + 1
    return page.locator(f"tr[data-row] td:nth-child({position})").all_inner_texts()


def averaged(page: Page) -> pd.DataFrame:
    """The table under the curve."""
    cells = page.locator("details table").evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    found = pd.DataFrame(cells[1:], columns=cells[0])
    return found.apply(lambda texts: pd.to_numeric(texts) if texts.name != cells[0][0] else texts)


def tick(page: Page, name: str, *values: object) -> None:
    for value in values:
        page.locator(f"input[name='{name}'][value='{value}']").click()


def pixels(page: Page) -> str:
    return str(page.locator("canvas.plot").evaluate("canvas => canvas.toDataURL()"))


def test_unticking_leaves_what_pandas_leaves(page: Page) -> None:
    before = pixels(page)
    for name in explorer.CHOICES:
        last = ROWS[name].max()
        tick(page, name, *sorted(set(ROWS[name]) - {last}))
        left = ROWS[ROWS[name] == last]
        assert counted(page) == len(left) < len(ROWS)
        assert set(column(page, name)) == {str(last)}
        assert averaged(page)["CNNs"].sum() == len(left)
        assert pixels(page) != before
        page.get_by_role("button", name="show all").click()


def test_filters_work_together_for_the_download_and_show_all_ends_them(page: Page) -> None:
    tick(page, "source", "bohb")
    tick(page, "num_conv_layers", 1, 2)
    page.get_by_label("x from").fill("0.001")
    page.get_by_label("y to").fill("0.5")
    page.get_by_label("y to").press("Enter")
    page.get_by_label("y to").blur()
    left = ROWS[(ROWS["source"] == "random") & (ROWS["num_conv_layers"] == 3)]
    left = left[(left["lr"] >= 0.001) & (left["accuracy"] <= 0.5)]
    assert counted(page) == len(left)
    with page.expect_download() as download:
        page.get_by_role("button", name="download shown").click()
    found = pd.read_csv(download.value.path()).sort_values(["dataset", "trial"], ignore_index=True)
    expected = left[list(explorer.COLUMNS)].sort_values(["dataset", "trial"], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    page.get_by_role("button", name="show all").click()
    assert counted(page) == len(ROWS)
    assert page.get_by_label("x from").input_value() == ""
    for left in (0, len(ROWS)):
        page.get_by_role("button", name="all / none").click()
        assert counted(page) == left


def test_the_curve_is_the_mean_with_its_interval(page: Page) -> None:
    """Parts of the learning rates are even on the logarithm."""
    lr = np.log10(ROWS["lr"])
    parts = pd.cut(lr, np.linspace(lr.min(), lr.max(), 11), labels=False, include_lowest=True)
    expected = ROWS["accuracy"].groupby(parts).agg(["size", "mean"])
    found = averaged(page)
    assert found["CNNs"].tolist() == expected["size"].tolist()
    np.testing.assert_allclose(found["mean accuracy"], expected["mean"], atol=6e-5)
    page.locator("select[name='mean accuracy by']").select_option("num_conv_layers")
    found = averaged(page).set_index("num_conv_layers")
    by_layers = ROWS.groupby("num_conv_layers")["accuracy"]
    assert found["CNNs"].to_dict() == by_layers.size().rename(index=str).to_dict()
    np.testing.assert_allclose(found["mean accuracy"], by_layers.mean(), atol=6e-5)
    np.testing.assert_allclose(found["± 95%"], 1.96 * by_layers.sem(), atol=6e-5)


def test_missing_filters_are_left_out_and_sorted_last(page: Page) -> None:
    page.locator("select[name='mean accuracy by']").select_option("num_filters_3")
    assert averaged(page)["CNNs"].sum() == ROWS["num_filters_3"].notna().sum()
    head = page.locator("th[data-name='num_filters_3'] button")
    for order in (ROWS["num_filters_3"].max(), ROWS["num_filters_3"].min()):
        head.click()
        assert column(page, "num_filters_3")[0] == str(order)
    tick(page, "dataset", *sorted(set(ROWS["dataset"]) - {"usps"}))  # few enough to turn all pages
    while page.get_by_role("button", name="next").is_enabled():
        page.get_by_role("button", name="next").click()
    assert set(column(page, "num_filters_3")) == {""}


def test_the_table_sorts_and_turns_pages_with_the_keyboard(page: Page) -> None:
    assert counted(page) == len(ROWS)  # the best first
    best = ROWS["accuracy"].nlargest(20)
    assert [float(cell) for cell in column(page, "accuracy")] == pytest.approx(best, rel=1e-3)
    assert page.locator("th[data-name='accuracy']").get_attribute("aria-sort") == "descending"
    head = page.locator("th[data-name='lr']")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")  # the focus has stayed
    assert head.get_attribute("aria-sort") == "ascending"
    expected = ROWS["lr"].sort_values()
    first = [float(cell) for cell in column(page, "lr")]
    assert first == pytest.approx(expected[:20], rel=5e-3)
    page.get_by_role("button", name="next").press("Enter")
    second = [float(cell) for cell in column(page, "lr")]
    assert second == pytest.approx(expected[20:40], rel=5e-3)


def test_a_row_is_found_in_the_plot_and_a_dot_in_the_table(page: Page) -> None:
    before = pixels(page)
    first = page.locator("tr[data-row] button").first
    first.press("Enter")
    assert page.locator("tr.picked").count() == 1
    assert first.get_attribute("aria-pressed") == "true"
    assert pixels(page) != before
    first.press("Enter")
    assert page.locator("tr.picked").count() == 0
    # One CNN only: its dot is where lr and accuracy say.
    page.get_by_label("y from").fill(str(ROWS["accuracy"].max()))
    page.get_by_label("y from").blur()
    assert counted(page) == (ROWS["accuracy"] == ROWS["accuracy"].max()).sum()
    best = ROWS.loc[ROWS["accuracy"].idxmax()]
    box = page.locator("canvas.plot").bounding_box()
    lr = np.log10(ROWS["lr"])
    across = 0.02 + 0.96 * (np.log10(best["lr"]) - lr.min()) / (lr.max() - lr.min())
    x = 52 + across * (box["width"] - 64)
    page.locator("canvas.plot").click(position={"x": x, "y": 12 + 0.02 * (340 - 56)})
    assert page.locator("tr.picked td").nth(1).inner_text() == str(best["trial"])


def test_a_rectangle_sets_the_limits(page: Page) -> None:
    canvas = page.locator("canvas.plot")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    page.mouse.up()
    x, y = (
        [float(page.get_by_label(f"{axis} {end}").input_value()) for end in ("from", "to")]
        for axis in ("x", "y")
    )
    assert ROWS["lr"].min() < x[0] < x[1] < ROWS["lr"].max()
    inside = ROWS["lr"].between(*x) & ROWS["accuracy"].between(*y)
    assert counted(page) == inside.sum()
    assert 0 < inside.sum() < len(ROWS)


def test_text_from_data_is_text(browser: Browser, tmp_path: Path) -> None:
    hostile = '</template></script><img src="x" onerror="document.title = 1">, "a"\n=b'
    page = browser.new_page()
    page.goto(write(tmp_path / "page.html", ROWS.head(9).assign(dataset=hostile), hostile))
    assert page.get_by_role("status").inner_text() == "9 of 9 CNNs are shown"
    assert set(column(page, "dataset")) == {hostile.replace("\n", " ")}
    with page.expect_download() as download:
        page.get_by_role("button", name="download shown").click()
    assert set(pd.read_csv(download.value.path())["dataset"]) == {hostile}
    assert page.title() == "Explorer"
    assert page.locator("img").count() == 0
    page.close()


def test_without_javascript_it_says_so(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert "needs JavaScript" in page.locator("noscript p").inner_text()
    context.close()
