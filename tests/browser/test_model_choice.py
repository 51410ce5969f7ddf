"""The choice of a model, and of tiles, on every page that sends photos."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.conftest import Watch
from tests.browser.test_batch import batch_of, real_photo_file, wait_until_answered
from tests.support.serving import Server

pytestmark = pytest.mark.browser
NANODET = "nanodet_plus_m"


def choose(page: Page, name: str) -> None:
    page.get_by_label("Model", exact=True).select_option(name)


def test_chosen_model_answers_and_the_detection_names_it_with_its_version(
    page: Page, chelsea_file: Path, watch: Watch
) -> None:
    choose(page, NANODET)
    page.locator("#image").set_input_files(chelsea_file)
    page.get_by_role("link", name="Open the detection page").click()
    expect(page.get_by_role("definition").filter(has_text=f"{NANODET} 1.0")).to_be_visible()
    assert watch.complaints == []


def test_chosen_tiles_are_looked_at_and_the_detection_says_so(page: Page, chelsea_file: Path, watch: Watch) -> None:
    page.get_by_label("Tiles", exact=True).select_option(label="2 \N{MULTIPLICATION SIGN} 2")
    page.locator("#image").set_input_files(chelsea_file)
    page.get_by_role("link", name="Open the detection page").click()
    tiles = page.get_by_role("definition").filter(has_text="2 \N{MULTIPLICATION SIGN} 2, beside the whole photo")
    expect(tiles).to_be_visible()
    assert watch.complaints == []


def test_chosen_model_answers_without_scripts(browser: Browser, server: Server, chelsea_file: Path) -> None:
    context = browser.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    choose(page, NANODET)
    page.locator("#image").set_input_files(chelsea_file)
    page.get_by_role("button", name="Find objects").click()
    expect(page.get_by_role("definition").filter(has_text=f"{NANODET} 1.0")).to_be_visible()
    context.close()


def test_chosen_model_answers_the_photos_of_a_batch(page: Page, tmp_path: Path, watch: Watch) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("chelsea", "motorcycle_left"):
        real_photo_file(name, folder)
    page.goto("/batches/")
    choose(page, NANODET)
    page.get_by_label("Tiles", exact=True).select_option("auto")
    page.locator("[data-folder]").set_input_files(folder)
    wait_until_answered(page)
    assert (batch_of(page)["model"], batch_of(page)["tiles"]) == (NANODET, "auto")
    expect(page.locator("[data-classes]")).to_contain_text("motorcycle")
    expect(page.locator(".lead")).to_contain_text(f"by {NANODET}")
    assert watch.complaints == []


def test_chosen_model_answers_the_camera(page: Page) -> None:
    page.route_web_socket(re.compile(r"/ws/live"), tell_what_was_asked)
    page.goto("/live/")
    choose(page, NANODET)
    page.evaluate(START_WITHOUT_A_CAMERA)
    said = page.locator("[data-link]")
    expect(said).to_have_text(f"threshold=0.1&model={NANODET}")
    # The default has no name in the address.
    choose(page, "")
    expect(said).to_have_text("threshold=0.1")


def tell_what_was_asked(route: WebSocketRoute) -> None:
    """Stand in for the server: refuse each frame with the query of the connection, which the page shows."""
    frames = iter(range(1, 1_000_000))
    body = {"error": urlsplit(route.url).query, "dropped": 0}
    route.on_message(lambda _: route.send(json.dumps({**body, "frame": next(frames)})))


START_WITHOUT_A_CAMERA = """
() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const draw = (grey) => {
    const context = canvas.getContext("2d");
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    context.fillRect(0, 0, 64, 48);
    requestAnimationFrame(() => draw((grey + 1) % 256));
  };
  draw(0);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(30);
  document.querySelector("[data-start]").click();
}
"""
