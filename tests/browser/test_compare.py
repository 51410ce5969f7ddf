"""Two models in a browser: another model is asked, and the divider shows where they differ."""

import re
from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.support.photos import real_photo
from tests.support.serving import Server, running_server

pytestmark = pytest.mark.browser
PHOTOS = ("motorcycle_left", "chelsea", "astronaut")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests; each sends the photos that it needs."""
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("compare"))}) as running:
        yield running


def send(server: Server, folder: str, *names: str) -> None:
    """Have the default model answer photos under names that no other test uses."""
    for name in names:
        headers = {"Content-Type": "image/jpeg", "X-File-Name": f"{folder}_{name}.jpg"}
        httpx.post(f"{server.url}/api/predict", content=real_photo(name), headers=headers).raise_for_status()


def visible_width(page: Page, side: str) -> float:
    """By how many pixels of the photo the part of a side is wide."""
    place = "ab".index(side)
    return float(page.locator("[data-divider] clipPath rect").nth(place).get_attribute("width") or 0)


def test_another_model_is_asked_and_shown_beside_the_stored_answer(page: Page, server: Server, watch: Watch) -> None:
    send(server, "asked", "chelsea")
    page.goto("/history/?name=asked_")
    page.locator("[data-photo] .tile-link").first.click()
    page.get_by_label("Ask another model").select_option("nanodet_plus_m")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("[data-divider][data-shown]")).to_be_visible()
    expect(page.locator("[data-model-b]")).to_have_text("nanodet_plus_m@1.0")
    expect(page.locator("[data-list='both']")).to_contain_text("cat")
    whole = visible_width(page, "a") + visible_width(page, "b")
    assert visible_width(page, "a") == pytest.approx(whole / 2)
    page.keyboard.press("a")
    assert visible_width(page, "a") == whole
    page.keyboard.press("b")
    assert visible_width(page, "b") == whole
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert visible_width(page, "a") == pytest.approx(whole / 100)
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 40, steps=4)
    page.mouse.up()
    assert visible_width(page, "a") == pytest.approx(whole * 0.75, abs=whole * 0.02)
    assert Axe().run(page).response["violations"] == []
    assert watch.complaints == []


def test_set_is_compared_and_the_missing_answers_asked_for(page: Page, server: Server, watch: Watch) -> None:
    send(server, "set", *PHOTOS)
    page.goto("/history/?name=set_")
    page.get_by_role("link", name="Compare models").click()
    page.get_by_label("A", exact=True).select_option("mobilenet_ssd_voc")
    page.get_by_label("B", exact=True).select_option("nanodet_plus_m@1.0")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Ask nanodet_plus_m@1.0").click()
    page.get_by_role("button", name="Compare again").click()
    expect(page.get_by_text("3 photos were answered by both.")).to_be_visible()
    expect(page.locator("[data-divider][data-shown]")).to_be_visible()
    place = page.locator("[data-place]")
    expect(place).to_have_text("1 / 3")
    page.keyboard.press("j")
    expect(place).to_have_text("2 / 3")
    expect(page.locator("[data-list-of-pairs] [aria-current]")).to_have_attribute("data-name", "set_chelsea.jpg")
    expect(page.locator("[data-list='both']")).to_contain_text("cat")
    page.locator("[data-list-of-pairs] a").first.click()
    expect(place).to_have_text("1 / 3")
    for width in (1440, 1024, 720, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="They agree (3)").click()
    expect(page.locator("[data-divider][data-shown]")).to_be_visible()
    page.get_by_role("button", name="Send the").click()
    page.get_by_role("button", name="Review them").click()
    expect(page).to_have_url(re.compile(r"/review/.*album="))
    assert watch.complaints == []


def test_votes_are_cast_by_keys_without_names(page: Page, server: Server, watch: Watch) -> None:
    send(server, "vote", "coffee")
    page.goto("/history/?name=vote_")
    page.locator("[data-photo] .tile-link").first.click()
    page.get_by_label("Ask another model").select_option("nanodet_plus_m")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("[data-divider][data-shown]")).to_be_visible()
    query = "name=vote_&a=mobilenet_ssd_voc&b=nanodet_plus_m@1.0"
    page.goto(f"/compare/vote/?{query}")
    expect(page.locator("[data-vote][data-shown]")).to_be_visible()
    expect(page.locator("[data-place]")).to_have_text("1 of 1")
    assert "nanodet" not in page.locator("main").inner_text()
    assert "%" not in page.locator(".vote-pictures").inner_text()
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("-")
    page.get_by_role("link", name="See the result", exact=True).click()
    expect(page.locator(".vote-counts")).to_contain_text("Neither")
    expect(page.locator(".vote-counts dd")).to_have_text(["0", "0", "0", "1"])
    page.get_by_role("link", name="Vote: who is right?").click()
    expect(page.get_by_role("heading", name="Nothing is left to vote on")).to_be_visible()
    assert watch.complaints == []
