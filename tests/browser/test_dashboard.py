"""The dashboard in a browser: filters, downloads, tooltips and tables by mouse, keyboard and thumb."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import IN_BOTH_FONTS, Watch
from tests.support.photos import real_photo
from tests.support.serving import Server

pytestmark = [pytest.mark.browser, IN_BOTH_FONTS]

# Letters of a plot that another letter lies on, and what sticks out of the page.
OVERLAPS = """
() => [...document.querySelectorAll("svg.plot")].flatMap((plot) => {
  const texts = [...plot.querySelectorAll("text")].filter((text) => text.getBoundingClientRect().width > 0);
  return texts.flatMap((one, place) => texts.slice(place + 1)
    .filter((other) => {
      const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
      return a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom;
    })
    .map((other) => `${one.textContent} / ${other.textContent}`));
})
"""
SMALLEST_TEXT_PX = """
() => Math.min(...[...document.querySelectorAll("svg.plot text")].map((text) => {
  const scale = text.getScreenCTM().a;
  return parseFloat(getComputedStyle(text).fontSize) * scale;
}))
"""


@pytest.fixture(scope="module")
def judged(server: Server) -> Iterator[str]:
    """A photo in which the server has found something, and what was found is judged; its id."""
    with httpx.Client(base_url=server.url) as client:
        sent = client.post(
            "/api/predict", content=real_photo("motorcycle_left"), headers={"Content-Type": "image/jpeg"}
        ).raise_for_status()
        uuid = sent.headers["X-Detection-Id"]
        said = {"version": 0, "verdicts": [{"object": "0", "verdict": "relabelled", "objectClass": "moped"}]}
        client.post(f"/api/detections/{uuid}/review", json={**said, "reviewed": True}).raise_for_status()
        yield uuid
        client.delete(f"/api/detections/{uuid}/")


def photos(page: Page) -> int:
    return int(page.locator(".tile-value").first.inner_text().replace(",", ""))


def test_period_and_source_are_chosen_by_mouse(page: Page, judged: str, watch: Watch) -> None:
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    expect(page.get_by_role("img", name="Photos over time")).to_be_visible()
    assert photos(page) >= 1
    page.get_by_role("navigation", name="Period").get_by_role("link", name="7 days").click()
    expect(page.locator(".length[aria-current]")).to_have_text("7 days")
    expect(page.locator("#photos .plot-column")).to_have_count(7)
    page.get_by_label("Source").select_option("command")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("period=7.*source=command"))
    expect(page.get_by_role("heading", name="No photo matches")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("img", name="Photos over time")).to_be_visible()
    assert watch.complaints == []


def test_own_dates_are_chosen_by_keyboard(page: Page, judged: str) -> None:
    today = datetime.now(UTC).date()
    page.goto("/dashboard/")
    page.get_by_label("From").focus()
    page.keyboard.type(f"{today - timedelta(days=3):%m%d%Y}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"date_from={today - timedelta(days=3)}"))
    expect(page.locator(".length[aria-current]")).to_have_count(0)
    assert photos(page) >= 1


def test_numbers_are_read_and_scrolled_by_keyboard(page: Page, judged: str, watch: Watch) -> None:
    page.goto("/dashboard/")
    figure = page.get_by_role("region", name="Precision by class")
    summary = figure.locator("summary")
    summary.focus()
    summary.press("Enter")
    row = figure.get_by_role("row").filter(has=page.get_by_role("rowheader", name="motorbike"))
    expect(row).to_contain_text("0.0")
    page.keyboard.press("Tab")
    expect(figure.locator(".table-host")).to_be_focused()
    assert watch.complaints == []


def test_download_has_what_the_plot_shows(page: Page, judged: str) -> None:
    page.goto("/dashboard/?period=7")
    shown = photos(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Photos over time: download as CSV").click()
    assert download.value.suggested_filename == "photos.csv"
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["photos"]) for row in rows) == shown
    told = page.locator("#photos .plot-column title").all_text_contents()[-1]
    assert f"with objects: {int(rows[-1]['photos']) - int(rows[-1]['nothing_found'])}" in told


def test_relabelled_object_is_warm_in_the_table(page: Page, judged: str) -> None:
    page.goto("/dashboard/")
    cell = page.locator("#confusion tr", has=page.get_by_role("rowheader", name="motorbike")).locator(".heat-5")
    expect(cell).to_have_text("1")
    warm, cold = (
        page.locator(one).first.evaluate("(cell) => getComputedStyle(cell).backgroundColor")
        for one in ("#confusion .heat-5", "#confusion thead th")
    )
    assert warm != cold


@pytest.mark.parametrize("locale", ["en", "ru"])
@pytest.mark.parametrize("width", [320, 1280])
def test_letters_of_plots_keep_their_size_and_apart(
    browser: Browser, server: Server, judged: str, width: int, locale: str
) -> None:
    context = browser.new_context(base_url=server.url, viewport={"width": width, "height": 800}, locale=locale)
    page = context.new_page()
    found = {}
    for query in ("", "?period=7", "?period=90", "?period=all"):
        page.goto(f"/dashboard/{query}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert page.evaluate(SMALLEST_TEXT_PX) >= 12
        found[query] = page.evaluate(OVERLAPS)
    context.close()
    assert {query: overlaps for query, overlaps in found.items() if overlaps} == {}
