"""A photo goes in by every way that the page offers, and its boxes come back."""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.browser.conftest import Watch
from tests.support.photos import real_photo
from tests.support.serving import Server

pytestmark = pytest.mark.browser

# What a person does with the mouse or the keyboard, as the events that the browser makes of it.
SEND_FILES = """
([kind, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  const options = { bubbles: true, cancelable: true };
  if (kind === "paste") {
    document.body.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
  } else {
    for (const name of ["dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(name, { ...options, dataTransfer: transfer }));
    }
  }
}
"""
DROP_LARGE = """
(size) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(size)], "large.jpg", { type: "image/jpeg" }));
  document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
}
"""
# Left, top, width and height of each box, in pixels of the photo.
BOXES = """
() => {
  const numbers = (line) => ["x", "y", "width", "height"].map((name) => Number(line.getAttribute(name)));
  return [...document.querySelectorAll(".viewer-overlay .box-line")].map(numbers);
}
"""
File = tuple[str, str, bytes]


def send(page: Page, kind: str, *files: File) -> None:
    """Drop or paste files of name, type and content."""
    page.evaluate(SEND_FILES, [kind, [[name, media, base64.b64encode(data).decode()] for name, media, data in files]])


def drawn_picture(page: Page) -> Image.Image:
    """The picture with red boxes that the server draws for the download."""
    address = page.get_by_role("link", name="Download the picture").get_attribute("href")
    return Image.open(io.BytesIO(page.request.get(str(address)).body())).convert("RGB")


def prediction(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "() => JSON.parse(document.querySelector('[data-json]').textContent).prediction"
    )
    return found


def red_share_of_edge(picture: Image.Image, box: dict[str, Any]) -> float:
    """How much of a box's outline is red. A JPEG halves its colours' resolution: a thin red line is a dull red one."""
    pixels = np.asarray(picture).astype(int)
    x, y = int(box["x"]), int(box["y"])
    right = min(x + int(box["width"]), picture.width - 1)
    bottom = min(y + int(box["height"]), picture.height - 1)
    edge = np.concatenate([pixels[y, x:right], pixels[bottom, x:right], pixels[y:bottom, x], pixels[y:bottom, right]])
    red, green, blue = edge.T
    return float(np.mean((red > 120) & (red - np.maximum(green, blue) > 80)))


@contextmanager
def no_post(page: Page) -> Iterator[None]:
    """Fails when the page sends something within the block."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    yield
    assert sent == []


def assert_boxes(page: Page, class_name: str) -> None:
    """The photo has the box of this object, and so has the picture to download, in red."""
    expect(page.locator("[data-result-title]")).to_have_text("1 object found")
    objects = prediction(page)
    assert [found["objectClass"] for found in objects] == [class_name]
    assert objects[0]["probability"] > 0.99
    expect(page.locator(".viewer-overlay .chip-text")).to_have_text(re.compile(class_name))
    assert page.evaluate(BOXES) == [[objects[0][name] for name in ("x", "y", "width", "height")]]
    assert page.locator("[data-photo]").evaluate("(photo) => photo.complete && photo.naturalWidth > 0")
    assert red_share_of_edge(drawn_picture(page), objects[0]) > 0.9


def test_dropped_photo_comes_back_with_its_box(page: Page, watch: Watch) -> None:
    send(page, "drop", ("moto.jpg", "image/jpeg", real_photo("motorcycle_left")))
    assert_boxes(page, "motorbike")
    without_boxes = Image.open(io.BytesIO(real_photo("motorcycle_left"))).convert("RGB")
    assert red_share_of_edge(without_boxes, prediction(page)[0]) < 0.1
    assert watch.complaints == []


def test_table_and_json_tell_the_same(page: Page) -> None:
    send(page, "drop", ("cat.jpg", "image/jpeg", real_photo("chelsea")))
    row = page.locator("[data-objects] [data-object]")
    expect(row).to_have_count(1)
    found = prediction(page)[0]
    assert list(found) == ["objectClass", "probability", "x", "y", "width", "height"]
    expect(row).to_contain_text(f"{found['x']}, {found['y']}")
    expect(row).to_contain_text(f"{found['width']} \N{MULTIPLICATION SIGN} {found['height']}")


def test_chosen_photo_is_detected(page: Page, chelsea_file: Path, watch: Watch) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose a photo").click()
    chooser.value.set_files(chelsea_file)
    assert_boxes(page, "cat")
    assert watch.complaints == []


def test_pasted_photo_is_detected(page: Page, watch: Watch) -> None:
    send(page, "paste", ("image.png", "image/png", real_photo("astronaut", "PNG")))
    assert_boxes(page, "person")
    assert watch.complaints == []


def test_sample_photo_is_detected(page: Page, watch: Watch) -> None:
    page.get_by_role("button", name="Chelsea, a cat").click()
    assert_boxes(page, "cat")
    assert watch.complaints == []


def test_result_takes_the_focus_and_is_announced(page: Page) -> None:
    page.get_by_role("button", name="Chelsea, a cat").click()
    expect(page.locator("[data-result-title]")).to_be_focused()
    expect(page.locator("[data-announce]")).to_have_text("1 object found, cat")


def test_result_leads_to_its_page_under_the_name_of_the_file(page: Page) -> None:
    send(page, "drop", ("Käthe & Söhne.jpg", "image/jpeg", real_photo("chelsea")))
    page.get_by_role("link", name="Open the detection page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Käthe & Söhne.jpg")
    assert page.url == page.get_by_label("Link to share").input_value()


def test_result_is_looked_at_as_on_its_own_page(page: Page, watch: Watch) -> None:
    send(page, "drop", ("moto.jpg", "image/jpeg", real_photo("motorcycle_left")))
    row = page.locator("[data-objects] [data-object]")
    row.hover()
    expect(page.locator(".viewer-overlay .box.lit")).to_have_count(1)
    page.get_by_role("button", name="Larger").click()
    expect(page.locator("[data-zoom-level]")).to_have_text("150 %")
    page.get_by_role("group", name="Photo with boxes").focus()
    page.keyboard.press("0")
    expect(page.locator("[data-zoom-level]")).to_have_text("100 %")
    page.get_by_label("Show objects above").press("End")
    expect(page.get_by_label("Link to share")).to_have_value(re.compile(r"threshold=0\.95$"))
    assert watch.complaints == []


def test_reload_keeps_the_result_and_its_threshold(page: Page, watch: Watch) -> None:
    page.get_by_role("button", name="Chelsea, a cat").click()
    shared = page.get_by_label("Link to share").input_value()
    slider = page.get_by_label("Show objects above")
    slider.press("ArrowLeft")
    value = slider.input_value()
    page.reload()
    expect(page.locator("[data-result-title]")).to_be_visible()
    expect(page.locator(".viewer-overlay")).to_be_visible()
    expect(slider).to_have_value(value)
    assert page.get_by_label("Link to share").input_value() == f"{shared}?threshold={value}"
    page.get_by_role("button", name="Another photo").click()
    assert "?" not in page.url
    page.reload()
    expect(page.get_by_text("Choose a photo", exact=True)).to_be_visible()
    assert watch.complaints == []


@pytest.mark.parametrize("asked", ["00000000-0000-0000-0000-000000000000", "../live", "x", ""])
def test_address_of_a_result_that_is_gone_leads_to_a_new_photo(asked: str, page: Page) -> None:
    page.goto(f"/?detection={asked}")
    expect(page.get_by_text("Choose a photo", exact=True)).to_be_visible()
    if len(asked) > 10:
        expect(page.get_by_role("alert")).to_contain_text("cannot be shown")
        assert "?" not in page.url


def test_photo_that_is_refused_after_a_result_is_not_followed_by_it(page: Page) -> None:
    page.get_by_role("button", name="Chelsea, a cat").click()
    expect(page.locator("[data-result-title]")).to_be_visible()
    assert "?detection=" in page.url
    send(page, "drop", ("notes.txt", "text/plain", b"text"))
    expect(page.get_by_role("alert")).to_be_visible()
    assert "?" not in page.url


def test_server_draws_no_picture_for_a_result_that_the_viewer_shows(page: Page) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url.rpartition("/")[2])

    page.on("request", note)
    page.get_by_role("button", name="Chelsea, a cat").click()
    expect(page.locator(".viewer-overlay")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert "photo" in asked
    assert "annotated" not in asked


def test_first_page_is_light(page: Page, browser: Browser, server: Server) -> None:
    """Less than 278 kB with six recent photos, and nothing of what only a result or a batch needs."""
    with browser.new_context(base_url=server.url) as fresh:
        opened = fresh.new_page()
        sizes: dict[str, int] = {}

        def note(request: Request) -> None:
            response = request.response()
            sizes[request.url] = 0 if response is None else len(response.body())

        opened.on("requestfinished", note)
        opened.goto("/", wait_until="networkidle")
        names = {address.rpartition("/")[2] for address in sizes}
        assert {"viewer.js", "layer.js", "viewer.css", "start.js", "run.js"} & names == set()
        assert sum(sizes.values()) < 278_000


def test_another_photo_can_follow_and_the_first_is_among_the_recent(page: Page) -> None:
    page.get_by_role("button", name="Chelsea, a cat").click()
    shared = page.get_by_label("Link to share").input_value()
    page.get_by_role("button", name="Another photo").click()
    expect(page.locator("[data-recent] a.card-link").first).to_have_attribute("href", urlsplit(shared).path)
    send(page, "drop", ("moto.jpg", "image/jpeg", real_photo("motorcycle_left")))
    assert_boxes(page, "motorbike")


def test_of_several_files_the_only_photo_is_taken_and_the_page_says_so(page: Page) -> None:
    send(page, "drop", ("notes.txt", "text/plain", b"notes"), ("b.jpg", "image/jpeg", real_photo("chelsea")))
    expect(page.locator("[data-note]")).to_have_text("Skipped 1 file that isn't a supported photo.")
    assert_boxes(page, "cat")


def test_several_pasted_photos_become_a_batch(page: Page, watch: Watch) -> None:
    photo = real_photo("chelsea")
    send(page, "paste", ("a.jpg", "image/jpeg", photo), ("b.JPG", "", photo))
    expect(page.get_by_role("heading", level=1)).to_have_text("2 photos")
    expect(page.locator("[data-item][data-state=done]")).to_have_count(2)
    assert watch.complaints == []


def test_text_is_refused_without_being_sent(page: Page) -> None:
    with no_post(page):
        send(page, "drop", ("notes.txt", "text/plain", b"notes"))
        expect(page.get_by_role("alert")).to_contain_text("That is not a photo.")
        expect(page.get_by_text("Choose a photo")).to_be_visible()


def test_photo_over_the_limit_is_refused_without_being_sent(page: Page) -> None:
    with no_post(page):
        page.evaluate(DROP_LARGE, 20_000_001)
        expect(page.get_by_role("alert")).to_contain_text("the limit is 20.0 MB")
        expect(page.get_by_text("Choose a photo")).to_be_visible()


def test_sentence_of_the_server_is_shown(page: Page) -> None:
    send(page, "drop", ("broken.jpg", "image/jpeg", real_photo("chelsea")[:3000]))
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    assert alert.inner_text().endswith(".")
    expect(page.get_by_text("Choose a photo")).to_be_visible()


def test_server_that_is_gone_is_said_in_a_sentence(page: Page) -> None:
    page.route("**/api/predict*", lambda route: route.abort("connectionrefused"))
    send(page, "drop", ("cat.jpg", "image/jpeg", real_photo("chelsea")))
    expect(page.get_by_role("alert")).to_have_text(
        "The server could not be reached. Check that it runs, then try again."
    )


def test_progress_is_shown_and_can_be_cancelled(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/predict*", lambda route: held.append(route))  # noqa: PLW0108  (Playwright marks what it is given)
    send(page, "drop", ("cat.jpg", "image/jpeg", real_photo("chelsea")))
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("[data-preview]")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Choose a photo")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    assert len(held) == 1


def test_page_works_without_scripts(context: BrowserContext, watch: Watch, chelsea_file: Path) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(base_url=watch.server_url, java_script_enabled=False)
    watch.follow(plain)
    page = plain.new_page()
    page.goto("/")
    page.get_by_label("Choose a photo").set_input_files(chelsea_file)
    page.get_by_role("button", name="Find objects").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("chelsea.jpg")
    expect(page.locator("[data-objects] [data-object]")).to_have_count(1)
    page.get_by_role("button", name="Show", exact=True).click()
    assert "threshold=0.5" in page.url
    plain.close()
    assert watch.complaints == []
