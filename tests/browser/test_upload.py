"""A photo goes in by every way that the page offers, and its red boxes come back."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Watch
from tests.support.photos import real_photo

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
READ_PICTURE = """
(picture) => {
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}
"""
File = tuple[str, str, bytes]


def send(page: Page, kind: str, *files: File) -> None:
    """Drop or paste files of name, type and content."""
    page.evaluate(SEND_FILES, [kind, [[name, media, base64.b64encode(data).decode()] for name, media, data in files]])


def shown_picture(page: Page) -> Image.Image:
    """The pixels of the picture that the browser shows, in its own size."""
    encoded = page.locator("[data-annotated]").evaluate(READ_PICTURE)
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")


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


def assert_red_boxes(page: Page, class_name: str) -> None:
    expect(page.locator("[data-result-title]")).to_have_text("1 object found")
    objects = prediction(page)
    assert [found["objectClass"] for found in objects] == [class_name]
    assert objects[0]["probability"] > 0.99
    assert red_share_of_edge(shown_picture(page), objects[0]) > 0.9


def test_dropped_photo_comes_back_with_its_red_box(page: Page, watch: Watch) -> None:
    send(page, "drop", ("moto.jpg", "image/jpeg", real_photo("motorcycle_left")))
    assert_red_boxes(page, "motorbike")
    without_boxes = Image.open(io.BytesIO(real_photo("motorcycle_left"))).convert("RGB")
    assert red_share_of_edge(without_boxes, prediction(page)[0]) < 0.1
    assert watch.complaints == []


def test_table_and_json_tell_the_same(page: Page) -> None:
    send(page, "drop", ("cat.jpg", "image/jpeg", real_photo("chelsea")))
    row = page.locator("[data-object]")
    expect(row).to_have_count(1)
    found = prediction(page)[0]
    assert list(found) == ["objectClass", "probability", "x", "y", "width", "height"]
    expect(row).to_contain_text(f"{found['x']}, {found['y']}")
    expect(row).to_contain_text(f"{found['width']} \N{MULTIPLICATION SIGN} {found['height']}")


def test_chosen_photo_is_detected(page: Page, chelsea_file: Path, watch: Watch) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose a photo").click()
    chooser.value.set_files(chelsea_file)
    assert_red_boxes(page, "cat")
    assert watch.complaints == []


def test_pasted_photo_is_detected(page: Page, watch: Watch) -> None:
    send(page, "paste", ("image.png", "image/png", real_photo("astronaut", "PNG")))
    assert_red_boxes(page, "person")
    assert watch.complaints == []


def test_sample_photo_is_detected(page: Page, watch: Watch) -> None:
    page.get_by_role("button", name="Try a sample photo").click()
    assert_red_boxes(page, "cat")
    assert watch.complaints == []


def test_result_takes_the_focus_and_is_announced(page: Page) -> None:
    page.get_by_role("button", name="Try a sample photo").click()
    expect(page.locator("[data-result-title]")).to_be_focused()
    expect(page.locator("[data-announce]")).to_have_text("1 object found, cat")


def test_result_leads_to_its_page_under_the_name_of_the_file(page: Page) -> None:
    send(page, "drop", ("Käthe & Söhne.jpg", "image/jpeg", real_photo("chelsea")))
    page.get_by_role("link", name="Open the detection page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Käthe & Söhne.jpg")
    assert page.url == page.get_by_label("Link to share").input_value()


def test_another_photo_can_follow_and_the_first_is_among_the_recent(page: Page) -> None:
    page.get_by_role("button", name="Try a sample photo").click()
    shared = page.get_by_label("Link to share").input_value()
    page.get_by_role("button", name="Another photo").click()
    expect(page.locator("[data-recent] a.card-link").first).to_have_attribute(
        "href", shared.removeprefix(page.url[:-1])
    )
    send(page, "drop", ("moto.jpg", "image/jpeg", real_photo("motorcycle_left")))
    assert_red_boxes(page, "motorbike")


def test_of_several_files_the_only_photo_is_taken_and_the_page_says_so(page: Page) -> None:
    send(page, "drop", ("notes.txt", "text/plain", b"notes"), ("b.jpg", "image/jpeg", real_photo("chelsea")))
    expect(page.locator("[data-note]")).to_have_text("1 file that is no photo was left out.")
    assert_red_boxes(page, "cat")


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
    expect(page.locator("[data-object]")).to_have_count(1)
    page.get_by_role("button", name="Show", exact=True).click()
    assert "threshold=0.5" in page.url
    plain.close()
    assert watch.complaints == []
