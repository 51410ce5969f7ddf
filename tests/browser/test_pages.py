"""The pages in a browser: threshold, copying, history, deletion, looks."""

import re
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.browser.conftest import IN_BOTH_FONTS, Watch
from tests.support.photos import real_photo
from tests.support.serving import Server

pytestmark = [pytest.mark.browser, IN_BOTH_FONTS]

LUMINANCE = """
(selector) => {
  const colour = getComputedStyle(document.querySelector(selector)).backgroundColor;
  const [red, green, blue] = colour.match(/\\d+/g).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}
"""
# The page itself, and what sticks out of the card of a result, which cuts off what does not fit.
WIDEST = """
() => Math.max(
  document.documentElement.scrollWidth,
  ...[...document.querySelectorAll("[data-result] *")].map((element) => element.getBoundingClientRect().right),
)
"""


@pytest.fixture
def detection_path(server: Server) -> Iterator[str]:
    """The path of a fresh detection of a motorbike, a bicycle and another motorbike; the last two are improbable."""
    response = httpx.post(
        f"{server.url}/api/predict", content=real_photo("motorcycle_left"), headers={"Content-Type": "image/jpeg"}
    )
    detection_id = response.raise_for_status().headers["X-Detection-Id"]
    yield f"/detections/{detection_id}/"
    httpx.delete(f"{server.url}/api/detections/{detection_id}/")


def test_lower_threshold_shows_more_objects_in_table_picture_and_link(page: Page, watch: Watch) -> None:
    photo: FilePayload = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": real_photo("motorcycle_left")}
    page.locator("#image").set_input_files(photo)
    expect(page.locator("[data-result-title]")).to_be_focused()
    expect(page.locator("[data-objects] [data-object]")).to_have_count(1)
    slider = page.get_by_label("Show objects above")
    slider.focus()
    slider.press("Home")
    expect(page.locator("[data-threshold-output]")).to_have_text("10 %")
    expect(page.locator(".viewer-overlay .box")).to_have_count(3)
    expect(page.locator("[data-objects] [data-object]")).to_have_count(3)
    expect(page.get_by_role("link", name="Download the picture")).to_have_attribute(
        "href", re.compile(r"threshold=0\.1$")
    )
    expect(page.get_by_label("Link to share")).to_have_value(re.compile(r"threshold=0\.1$"))
    expect(page.get_by_label("Show objects above")).to_be_focused()
    assert watch.complaints == []


def test_link_is_copied(page: Page, context: BrowserContext, detection_path: str) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(detection_path)
    page.locator(".share").get_by_role("button", name="Copy").click()
    expect(page.locator(".share").get_by_role("button")).to_have_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == page.get_by_label("Link to share").input_value()


def test_picture_is_downloaded_as_a_file(page: Page, detection_path: str) -> None:
    page.goto(detection_path)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the picture").click()
    assert download.value.suggested_filename.endswith(".jpg")
    assert download.value.path().read_bytes().startswith(b"\xff\xd8")


def test_history_is_filtered_by_class(page: Page, detection_path: str, watch: Watch) -> None:
    page.get_by_role("button", name="Chelsea, a cat").click()
    page.get_by_role("link", name="Open the detection page").click()
    cat_path = page.url.removeprefix(watch.server_url)
    page.get_by_role("link", name="Gallery").first.click()
    page.wait_for_url("**/history/")  # with its scripts: a choice before they are there waits for the button
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Object", exact=True).select_option("motorbike")
    expect(page).to_have_url(re.compile("class=motorbike"))
    expect(page.locator(f"a[href^='{detection_path}']")).to_be_visible()
    expect(page.locator(f"a[href^='{cat_path}']")).to_have_count(0)
    assert page.locator("img.tile-picture").first.evaluate(
        "(picture) => picture.decode().then(() => picture.naturalWidth)"
    )
    assert watch.complaints == []


def test_history_without_a_match_says_what_to_do(page: Page, detection_path: str) -> None:
    page.goto("/history/?class=motorbike&date_to=2001-01-01")
    expect(page.get_by_role("heading", name="No photo matches")).to_be_visible()
    page.get_by_role("link", name="Show all photos").click()
    expect(page.locator(f"a[href^='{detection_path}']")).to_be_visible()


def test_deletion_can_be_undone_after_leaving_the_page(
    page: Page, detection_path: str, watch: Watch, context: BrowserContext
) -> None:
    page.goto(detection_path)
    page.get_by_role("button", name="Delete this detection").click()
    expect(page).to_have_url(re.compile(r"/history/"))
    expect(page.locator(f"a[href^='{detection_path}']")).to_have_count(0)
    page.close()
    later = context.new_page()
    response = later.goto(detection_path)
    assert response is not None
    assert response.status == 404
    expect(later.get_by_role("heading", level=1)).to_have_text("There is nothing at this address")
    later.get_by_role("link", name="Open the history").click()
    later.locator(f"form[action='{detection_path}restore/']").get_by_role("button", name="Undo").click()
    expect(later).to_have_url(re.compile(f"{detection_path}$"))
    expect(later.get_by_text("The detection is back.")).to_be_visible()
    expect(later.locator("[data-viewer] [data-photo]")).to_be_visible()
    assert [text for text in watch.complaints if "404" not in text] == []


@pytest.mark.parametrize("path", ["/", "/history/", "/no-such-page"])
def test_dark_scheme_is_dark_and_light_scheme_is_light(context: BrowserContext, path: str) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme="dark")
    page.goto(path)
    dark = page.evaluate(LUMINANCE, "body")
    page.emulate_media(color_scheme="light")
    light = page.evaluate(LUMINANCE, "body")
    assert dark < 0.1
    assert light > 0.9


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(browser: Browser, server: Server, detection_path: str, width: int) -> None:
    context = browser.new_context(base_url=server.url, viewport={"width": width, "height": 800})
    page = context.new_page()
    widths = {}
    for path in ("/", "/history/", "/dashboard/", "/review/", f"{detection_path}?threshold=0.1", "/no-such-page"):
        page.goto(path)
        widths[path] = page.evaluate(WIDEST)
    context.close()
    assert {path: found for path, found in widths.items() if found > width} == {}


def test_page_can_be_installed_as_an_app(page: Page, watch: Watch) -> None:
    devtools = page.context.new_cdp_session(page)
    manifest = devtools.send("Page.getAppManifest")
    assert manifest["url"].endswith("/app.webmanifest")
    assert manifest["errors"] == []
    # A profile of a test is like a private window, which installs nothing.
    errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []
    assert watch.complaints == []


def test_keyboard_reaches_the_content_and_the_file_picker(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#image")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_api_documentation_on_a_phone_shows_all_of_its_code(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/api/docs/")
    expect(page.locator(".opblock").first).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    code, copy = (
        page.locator(selector).first.bounding_box() for selector in (".programs pre", ".programs .code button")
    )
    assert code is not None
    assert copy is not None
    assert copy["y"] >= code["y"] + code["height"], "the button is below the code"
