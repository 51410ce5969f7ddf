"""The choice of a model, on every page that sends photos."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watch
from tests.browser.test_batch import batch_of, real_photo_file, wait_until_answered
from tests.browser.test_live import answer_all
from tests.serving import Server

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
    page.locator("[data-folder]").set_input_files(folder)
    wait_until_answered(page)
    assert batch_of(page)["model"] == NANODET
    expect(page.locator("[data-classes]")).to_contain_text("motorcycle")
    expect(page.locator(".lead")).to_contain_text(f"by {NANODET}")
    assert watch.complaints == []


def test_chosen_model_answers_the_camera(page: Page) -> None:
    answer_all(page)
    page.goto("/live/")
    # The default has no name in the address.
    choose(page, NANODET)
    with page.expect_websocket(re.compile(rf"/ws/live\?threshold=0\.1&model={NANODET}$")) as opened:
        page.evaluate(START_WITHOUT_A_CAMERA)
    assert opened.value.url.startswith("ws://")


START_WITHOUT_A_CAMERA = """
() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  canvas.getContext("2d").fillRect(0, 0, 64, 48);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(30);
  document.querySelector("[data-start]").click();
}
"""
