"""The gallery in a browser: search, selection, the way back, scrolling, keys, and looks at three widths."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import TIMEOUT_MS, Watch
from tests.support.photos import real_photo
from tests.support.serving import Server, running_server

pytestmark = pytest.mark.browser
CATS, OTHERS = 70, 6
FIRST = "[data-photo] .tile-link"
SEEN = "() => [...document.querySelectorAll('[data-photo]')].find((one) => one.getBoundingClientRect().bottom > 60)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with 70 photos of a cat, and 6 of motorcycles; each photo has its own name."""
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("gallery"))}) as running:
        photos = [("chelsea", f"cats/cat_{number:03d}.jpg") for number in range(CATS)]
        photos += [("motorcycle_left", f"ride_{number:03d}.jpg") for number in range(OTHERS)]
        with httpx.Client(base_url=running.url, timeout=60.0) as client:
            for photo, name in photos:
                files = {"image": (name, real_photo(photo), "image/jpeg")}
                client.post("/api/predict", files=files).raise_for_status()
        yield running


@pytest.fixture
def gallery(page: Page) -> Page:
    page.goto("/history/")
    expect(page.locator("[data-photo]").first).to_be_visible()
    return page


def counted(page: Page, text: str) -> None:
    expect(page.locator("[data-count]")).to_have_text(text)


def test_photos_are_found_while_one_types(gallery: Page, watch: Watch) -> None:
    gallery.get_by_role("combobox").fill("cat_06")
    counted(gallery, "10 photos")
    expect(gallery.locator("[data-photo]")).to_have_count(10)
    gallery.reload()
    expect(gallery.locator("[data-photo]")).to_have_count(10)
    gallery.get_by_role("combobox").fill("not cat")
    counted(gallery, "6 photos")
    gallery.keyboard.press("Enter")
    expect(gallery).to_have_url(re.compile(r"/history/\?not_class=cat$"))
    gallery.get_by_role("link", name="Remove the filter not cat").click()
    counted(gallery, "76 photos")
    assert watch.complaints == []


def test_suggestion_is_taken_by_the_keyboard(gallery: Page) -> None:
    gallery.get_by_role("combobox").press_sequentially("-ca")
    expect(gallery.get_by_role("listbox").get_by_role("option")).to_have_text(["cat"])
    gallery.keyboard.press("ArrowDown")
    gallery.keyboard.press("Enter")
    expect(gallery).to_have_url(re.compile("not_class=cat"))


def test_slider_asks_for_surer_objects(gallery: Page) -> None:
    slider = gallery.get_by_label("Probability above")
    slider.focus()
    slider.press("End")
    slider.press("Enter")
    expect(gallery).to_have_url(re.compile("min_probability=1"))
    expect(gallery.get_by_role("heading", name="No photo matches")).to_be_visible()


def test_matching_photos_are_downloaded_with_boxes_in_six_actions(gallery: Page) -> None:
    gallery.get_by_role("combobox").fill("motorbike")
    counted(gallery, "6 photos")
    gallery.get_by_role("button", name="Select all").first.click()
    expect(gallery.locator("[data-selected]")).to_have_text("6 photos selected")
    gallery.locator("[data-selection] summary", has_text="Download").click()
    with gallery.expect_download() as download:
        gallery.get_by_role("button", name="Photos with boxes").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert sorted(name[:8] for name in archive.namelist()) == [f"ride_{number:03d}" for number in range(OTHERS)]


def test_five_photos_are_deleted_and_brought_back_in_four_actions(gallery: Page) -> None:
    gallery.locator(".tile-check").nth(0).click()
    gallery.locator(".tile-check").nth(4).click(modifiers=["Shift"])
    expect(gallery.locator("[data-selected]")).to_have_text("5 photos selected")
    gallery.keyboard.press("Delete")
    expect(gallery.locator("[data-toast-text]")).to_have_text("5 photos were deleted.")
    counted(gallery, "71 photos")
    gallery.get_by_role("button", name="Undo").click()
    counted(gallery, "76 photos")
    expect(gallery.locator("[data-toast-text]")).to_have_text("The photos are back.")


def test_drag_and_keys_select(gallery: Page) -> None:
    start, end = (gallery.locator("[data-photo]").nth(place).bounding_box() for place in (0, 2))
    assert start is not None
    assert end is not None
    gallery.mouse.move(start["x"] + 60, start["y"] + 60)
    gallery.mouse.down()
    gallery.mouse.move(end["x"] + 50, end["y"] + 50, steps=12)
    gallery.mouse.up()
    selected = gallery.locator("[data-selected]")
    expect(selected).to_have_text("3 photos selected")
    gallery.keyboard.press("Escape")
    expect(gallery.locator("[data-selection]")).to_be_hidden()
    gallery.locator(FIRST).first.focus()
    for key in ("ArrowRight", "x", "Shift+ArrowRight"):
        gallery.keyboard.press(key)
    expect(selected).to_have_text("2 photos selected")
    gallery.keyboard.press("a")
    expect(selected).to_have_text("76 photos selected")


def test_selection_survives_a_reload_and_no_other_filter(gallery: Page) -> None:
    selected = gallery.locator("[data-selected]")
    for place in (0, 2):
        gallery.locator(".tile-check").nth(place).click()
    gallery.reload()
    expect(selected).to_have_text("2 photos selected")
    expect(gallery.locator(".tile-check:checked")).to_have_count(2)
    gallery.goto("/history/?class=cat")
    expect(gallery.locator("[data-photo]").first).to_be_visible()
    expect(gallery.locator("[data-selection]")).to_be_hidden()
    gallery.keyboard.press("a")
    gallery.reload()
    expect(selected).to_have_text("70 photos selected")
    gallery.keyboard.press("Escape")
    gallery.reload()
    expect(gallery.locator("[data-photo]").first).to_be_visible()
    expect(gallery.locator("[data-selection]")).to_be_hidden()


def test_blocked_storage_costs_only_what_survives_a_reload(gallery: Page) -> None:
    blocked = (
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('', 'SecurityError') } })"
    )
    gallery.add_init_script(blocked)
    gallery.reload()
    gallery.locator(".tile-check").first.click()
    expect(gallery.locator("[data-selected]")).to_have_text("1 photo selected")
    gallery.reload()
    expect(gallery.locator("[data-photo]").first).to_be_visible()
    expect(gallery.locator("[data-selection]")).to_be_hidden()


def test_album_is_made_of_a_selection_and_renamed(gallery: Page) -> None:
    gallery.goto("/history/?name=ride_")
    gallery.get_by_role("button", name="Select all").first.click()
    gallery.locator("[data-selection] summary", has_text="Album").click()
    gallery.get_by_label("Name of a new album").fill("Rides")
    gallery.get_by_role("button", name="Put into it").click()
    gallery.get_by_role("button", name="Open the album").click()
    expect(gallery).to_have_url(re.compile("album="))
    counted(gallery, "6 photos")
    gallery.locator("summary", has_text="Albums and views").click()
    gallery.get_by_label("Its name").fill("Journeys")
    gallery.get_by_role("button", name="Rename").click()
    expect(gallery.get_by_text("Album: Journeys")).to_be_visible()


def test_place_in_the_list_survives_scrolling_reload_and_the_way_back(gallery: Page, watch: Watch) -> None:
    gallery.goto("/history/?class=cat")
    expect(gallery.locator("[data-photo]").first).to_be_visible()
    gallery.evaluate("() => window.scrollTo(0, 1500)")
    expect(gallery).to_have_url(re.compile("cursor=older-"))
    seen = gallery.evaluate(f"({SEEN})().dataset.photo")
    place = gallery.url
    gallery.reload()
    expect(gallery.locator(f"[data-photo='{seen}']")).to_be_in_viewport()
    # Longer than it takes until the place is written into the address, where a reload must not creep up by a row.
    gallery.wait_for_timeout(600)
    assert gallery.url == place
    gallery.locator(f"[data-photo='{seen}'] .tile-link").click()
    expect(gallery).to_have_url(re.compile(rf"/detections/{seen}/\?class=cat$"))
    gallery.get_by_role("link", name="Older").click()
    expect(gallery).to_have_url(re.compile(r"\?class=cat$"))
    gallery.go_back()
    expect(gallery).to_have_url(re.compile(rf"/detections/{seen}/\?class=cat$"))
    gallery.go_back()
    expect(gallery.locator(f"[data-photo='{seen}']")).to_be_in_viewport()
    assert watch.complaints == []


def states_of(page: Page) -> Iterator[str]:
    """Bring the gallery into each of its states."""
    page.goto("/history/?not_class=person&name=ride_")
    expect(page.locator("[data-photo]").first).to_be_visible()
    yield "photos"
    page.get_by_role("combobox").fill("c")
    expect(page.locator("[data-suggestions]").get_by_role("option").first).to_be_visible()
    yield "suggestions"
    page.goto("/history/")
    page.locator("summary", has_text="Filters").click()
    yield "filters"
    page.locator("summary", has_text="Filters").click()
    page.locator("summary", has_text="Albums and views").click()
    yield "albums"
    page.locator("summary", has_text="Albums and views").click()
    page.get_by_role("button", name="Select all").first.click()
    page.locator("[data-selection] summary", has_text="Download").click()
    yield "selection"


def test_selection_takes_two_rows_of_a_phone(browser: Browser, server: Server) -> None:
    viewport: Any = {"width": 390, "height": 800}
    with browser.new_context(base_url=server.url, viewport=viewport, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        page.goto("/history/")
        expect(page.locator("[data-keys-open]")).to_be_hidden()
        page.locator(".tile-check").first.tap()
        rows = {one.bounding_box()["y"] for one in page.locator("[data-selection] > *:visible").all()}  # type: ignore[index]
        acts = {one.bounding_box()["y"] for one in page.locator(".selection-acts > *").all()}  # type: ignore[index]
        assert (len(acts), page.locator("[data-select-none]").is_visible()) == (1, True)
        assert max(rows) - min(rows) < 60
        page.locator("[data-selection] summary", has_text="Look again").tap()
        expect(page.get_by_role("button", name="by mobilenet_ssd_voc", exact=True)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_gallery_has_no_violation_and_fits_the_screen(browser: Browser, server: Server, scheme: Any) -> None:
    found: dict[str, Any] = {}
    for width in (1440, 1024, 720, 390):
        context = browser.new_context(
            base_url=server.url, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900}
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        for state in states_of(page):
            violations = Axe().run(page).response["violations"]
            if violations:
                nodes = [(one["id"], [node["target"] for node in one["nodes"]]) for one in violations]
                found[f"{width} {state}"] = json.dumps(nodes)
            if (wide := page.evaluate("() => document.documentElement.scrollWidth")) > width:
                found[f"{width} {state} width"] = wide
        context.close()
    assert found == {}
