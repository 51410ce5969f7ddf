"""A detection's page looked at closely: boxes lie where the server's picture has them, and are redrawn without it."""

import io
import re
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.browser.conftest import Watch
from tests.support.photos import real_photo, with_orientation
from tests.support.serving import Server

pytestmark = pytest.mark.browser

Mask = NDArray[np.bool_]
TRANSFORM = "(stage) => { const m = new DOMMatrix(getComputedStyle(stage).transform); return [m.a, m.e, m.f]; }"
CENTRE_OF = "(box) => { const r = box.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }"
# Shows photo and overlay in the photo's own size, so that a screenshot has the pixels of the server's picture.
IN_OWN_SIZE = """
([width, height]) => {
  const viewport = document.querySelector("[data-viewport]");
  document.body.replaceChildren(viewport);
  Object.assign(viewport.style, { position: "fixed", left: 0, top: 0, margin: 0 });
  Object.assign(viewport.style, { width: `${width}px`, height: `${height}px`, maxWidth: "none", borderRadius: 0 });
  viewport.querySelectorAll(".chip-label").forEach((chip) => chip.remove());
}
"""
# Left edge, middle, and colour of the line of each box that is shown, the most probable last.
LINES = """
() => [...document.querySelectorAll(".box-line")].map((line) => {
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(line.getAttribute(name)));
  const colour = getComputedStyle(line).stroke.match(/\\d+/g).map(Number);
  return { box: { x, y, width, height }, colour };
})
"""
WIDEST = """
() => Math.max(
  document.documentElement.scrollWidth,
  ...[...document.querySelectorAll(".result-side > *, .viewer-bar > *")].map((e) => e.getBoundingClientRect().right),
)
"""


def post(server: Server, photo: bytes) -> str:
    """The path of the page of a fresh detection."""
    response = httpx.post(
        f"{server.url}/api/predict", content=photo, headers={"Content-Type": "image/jpeg"}, timeout=60
    )
    return f"/detections/{response.raise_for_status().headers['X-Detection-Id']}/"


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A new tab."""
    return context.new_page()


@pytest.fixture
def path(server: Server) -> Iterator[str]:
    """A motorbike, and much less probable a bicycle and another motorbike; a cat before and a person after it."""
    paths = [
        post(server, photo) for photo in (real_photo("chelsea"), real_photo("motorcycle_left"), real_photo("astronaut"))
    ]
    yield paths[1]
    for made in paths:
        httpx.delete(f"{server.url}/api{made}")


def open_viewer(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator("[data-viewer-template]")).to_be_attached()
    expect(page.locator("[data-viewport]")).to_be_visible()


def boxes(page: Page) -> Locator:
    return page.locator(".box:visible")


def rows(page: Page) -> Locator:
    return page.locator("[data-object]:visible")


def lower_threshold(page: Page) -> None:
    slider = page.get_by_label("Show objects above")
    slider.focus()
    slider.press("Home")


def transform(page: Page) -> tuple[float, float, float]:
    scale, x, y = page.locator("[data-stage]").evaluate(TRANSFORM)
    return scale, x, y


def requests_of(page: Page) -> list[str]:
    """What the page asks for from now on; its icon is the browser's own wish."""
    seen: list[str] = []
    page.on("request", lambda request: None if "favicon" in request.url else seen.append(request.url))
    return seen


def red_mask(image: Image.Image) -> Mask:
    """The pixels that are red; a JPEG halves its colours' resolution, so a thin red line is a dull red one."""
    red, green, blue = np.asarray(image.convert("RGB")).astype(int).transpose(2, 0, 1)
    mask: Mask = (red > 120) & (red - np.maximum(green, blue) > 80)
    return mask


def strokes(size_wh: tuple[int, int], objects: list[dict[str, Any]]) -> Mask:
    """The red pixels of a picture of this size: strokes of 3 pixels on the inside of each box."""
    blank = Image.new("1", size_wh)
    canvas = ImageDraw.Draw(blank)
    for found in objects:
        right = min(found["x"] + found["width"], size_wh[0] - 1)
        bottom = min(found["y"] + found["height"], size_wh[1] - 1)
        canvas.rectangle((found["x"], found["y"], right, bottom), outline=1, width=3)
    mask: Mask = np.asarray(blank)
    return mask


def assert_overlay_lies_on_the_boxes(page: Page, server: Server, path: str) -> None:
    """In the photo's own size, lines of the overlay lie where the server's picture has its red ones."""
    lower_threshold(page)
    objects = page.evaluate("() => JSON.parse(document.querySelector('[data-json]').textContent).prediction")
    drawn = Image.open(io.BytesIO(httpx.get(f"{server.url}/api{path}annotated?threshold=0.1").content))
    assert len(objects) > 0
    page.set_viewport_size({"width": drawn.width, "height": drawn.height})
    page.evaluate(IN_OWN_SIZE, list(drawn.size))
    lines = page.evaluate(LINES)
    boxes = [{name: found[name] for name in ("x", "y", "width", "height")} for found in objects]
    assert [line["box"] for line in reversed(lines)] == boxes
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    assert shown.size == drawn.size
    # Nothing lies over the line of the last one.
    top = lines[-1]
    assert shown.getpixel((top["box"]["x"], top["box"]["y"] + top["box"]["height"] // 2)) == tuple(top["colour"])
    assert red_mask(drawn)[strokes(drawn.size, objects)].mean() > 0.9


def test_overlay_lies_where_the_servers_picture_has_boxes(page: Page, server: Server, path: str) -> None:
    open_viewer(page, path)
    assert_overlay_lies_on_the_boxes(page, server, path)


@pytest.mark.parametrize("orientation", [3, 6])
def test_overlay_fits_a_photo_that_exif_turns(page: Page, server: Server, orientation: int) -> None:
    photo = Image.open(io.BytesIO(real_photo("motorcycle_left"))).convert("RGB")
    path = post(server, with_orientation(photo, orientation, quality=95))
    open_viewer(page, path)
    assert_overlay_lies_on_the_boxes(page, server, path)


def test_threshold_redraws_at_once_without_the_network(page: Page, path: str, watch: Watch) -> None:
    open_viewer(page, path)
    expect(boxes(page)).to_have_count(1)
    expect(rows(page)).to_have_count(1)
    seen = requests_of(page)
    lower_threshold(page)
    count = boxes(page).count()
    assert count > 1
    assert rows(page).count() == count
    expect(page.locator("[data-result-title]")).to_have_text(f"{count} objects found")
    expect(page.get_by_label("Link to share")).to_have_value(re.compile(r"\?threshold=0\.1$"))
    expect(page.locator("[data-download]")).to_have_attribute("href", re.compile(r"download=1&threshold=0\.1$"))
    assert page.url.endswith("?threshold=0.1")
    assert seen == []
    page.get_by_label("Show objects above").press("End")
    expect(page.locator("[data-threshold-output]")).to_have_text("95 %")
    assert watch.complaints == []


def test_weaker_objects_are_folded(page: Page, path: str) -> None:
    open_viewer(page, path)
    expect(rows(page)).to_have_count(1)
    folded = page.locator("[data-weaker] [data-object]")
    count = folded.count()
    assert count > 1
    page.get_by_text(f"Less probable objects ({count})").click()
    expect(rows(page)).to_have_count(1 + count)
    lower_threshold(page)
    expect(folded).to_have_count(0)
    expect(page.locator("[data-weaker]")).to_be_hidden()
    expect(page.locator("[data-objects] [data-object]")).to_have_count(1 + count)


def test_threshold_that_was_moved_before_the_photo_came_counts(page: Page, path: str) -> None:
    waiting: list[Route] = []
    is_held = True

    def hold(route: Route) -> None:
        if is_held:
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/photo", hold)
    page.goto(path, wait_until="domcontentloaded")
    lower_threshold(page)
    expect(page).to_have_url(re.compile(r"\?threshold=0\.1$"))
    expect(page.locator("[data-result][data-viewer]")).to_have_count(0)
    # The page may not have asked yet.
    is_held = False
    for route in waiting:
        route.continue_()
    expect(page.locator("[data-result][data-viewer]")).to_be_visible()
    expect(rows(page)).not_to_have_count(1)
    assert page.url.endswith("?threshold=0.1")


def test_threshold_that_was_moved_counts_without_the_photo_too(page: Page, path: str) -> None:
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/photo", hold)
    with page.expect_request("**/photo"):
        page.goto(path, wait_until="domcontentloaded")
    lower_threshold(page)
    with page.expect_response("**/annotated?threshold=0.1"):
        for route in waiting:
            route.abort()
    expect(rows(page)).not_to_have_count(1)


def test_json_and_table_are_those_that_the_server_makes(page: Page, path: str, server: Server) -> None:
    open_viewer(page, path)
    lower_threshold(page)
    here = (page.locator("[data-json]").text_content(), rows(page).all_inner_texts())
    with httpx.Client() as client:
        html = client.get(f"{server.url}{path}?threshold=0.1").text
    page.set_content(html)
    assert here == (page.locator("[data-json]").text_content(), rows(page).all_inner_texts())


def test_nothing_above_the_threshold_says_what_to_do(page: Page, server: Server) -> None:
    path = post(server, real_photo("motorcycle_left"))
    page.goto(f"{path}?threshold=1")
    expect(page.locator("[data-viewport]")).to_be_visible()
    expect(page.locator("[data-result-title]")).to_have_text("No objects above 100 %")
    expect(page.get_by_text("less probable objects were found. Lower the threshold")).to_be_visible()
    expect(boxes(page)).to_have_count(0)
    lower_threshold(page)
    expect(boxes(page)).not_to_have_count(0)
    expect(page.get_by_text("less probable objects were found")).to_be_hidden()


def test_class_toggle_hides_its_boxes_and_rows(page: Page, path: str, watch: Watch) -> None:
    open_viewer(page, path)
    lower_threshold(page)
    names = page.locator("[data-object]:visible th").all_inner_texts()
    assert {"motorbike", "bicycle"} <= set(names)
    seen = requests_of(page)
    page.get_by_role("checkbox", name="motorbike").uncheck()
    expect(boxes(page)).to_have_count(len(names) - names.count("motorbike"))
    assert "motorbike" not in page.locator("[data-object]:visible th").all_inner_texts()
    expect(page.locator("[data-json]")).to_contain_text("motorbike")
    page.get_by_role("checkbox", name="motorbike").check()
    expect(rows(page)).to_have_count(len(names))
    assert seen == []
    assert watch.complaints == []


def test_row_lights_its_box_and_box_lights_its_row(page: Page, path: str) -> None:
    open_viewer(page, path)
    lower_threshold(page)
    rows(page).nth(1).hover()
    lit = page.locator(".chip-label.lit text")
    expect(lit).to_have_count(1)
    name = rows(page).nth(1).locator("th").inner_text()
    expect(lit).to_have_text(re.compile(rf"^{name} \d+ %$"))
    page.get_by_role("heading", level=1).hover()
    expect(lit).to_have_count(0)
    rows(page).first.focus()
    expect(page.locator("[data-object].lit")).to_have_count(1)
    # In the list the last one is on top, and the most probable: the first row.
    x, y = page.locator(".box-line").last.evaluate(CENTRE_OF)
    page.get_by_role("heading", level=1).hover()
    page.mouse.move(x, y)
    expect(page.locator("[data-object].lit")).to_have_count(1)
    expect(lit).to_have_count(1)


def test_row_that_is_clicked_is_enlarged(page: Page, path: str) -> None:
    open_viewer(page, path)
    lower_threshold(page)
    rows(page).nth(1).click()
    scale, _, _ = transform(page)
    assert scale > 1
    box = page.locator(".box.lit .box-line").bounding_box()
    viewport = page.locator("[data-viewport]").bounding_box()
    assert box is not None
    assert viewport is not None
    # The line lies on both sides of the box's edge.
    assert box["x"] >= viewport["x"] - 2
    assert box["x"] + box["width"] <= viewport["x"] + viewport["width"] + 2


def test_wheel_enlarges_about_the_pointer_once_the_photo_has_the_focus(page: Page, path: str) -> None:
    open_viewer(page, path)
    viewport = page.locator("[data-viewport]")
    viewport.hover(position={"x": 100, "y": 80})
    page.mouse.wheel(0, -300)
    page.wait_for_function("() => new Promise((resolve) => requestAnimationFrame(() => resolve(true)))")
    assert transform(page)[0] == 1
    viewport.click(position={"x": 100, "y": 80})
    page.mouse.wheel(0, -300)
    page.wait_for_function("() => document.querySelector('[data-viewport]').classList.contains('enlarged')")
    scale, x, y = transform(page)
    assert (100 - x) / scale == pytest.approx(100, abs=1.5)
    assert (80 - y) / scale == pytest.approx(80, abs=1.5)
    expect(page.locator("[data-zoom-level]")).to_have_text(f"{round(scale * 100)} %")


def test_drag_moves_the_enlarged_photo_within_its_edges(page: Page, path: str) -> None:
    open_viewer(page, path)
    viewport = page.locator("[data-viewport]")
    viewport.dblclick(position={"x": 200, "y": 150})
    before = transform(page)
    assert before[0] == 2.5
    box = viewport.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 170, steps=4)
    page.mouse.up()
    after = transform(page)
    assert (after[1] - before[1], after[2] - before[2]) == pytest.approx((60, 20), abs=1)
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 4000, box["y"] + 4000, steps=4)
    page.mouse.up()
    assert transform(page)[1:] == (0, 0)
    viewport.dblclick()
    assert transform(page) == (1, 0, 0)


def pinch(page: Page, before: int, after: int) -> None:
    """Two fingers on the photo, so many pixels apart, before and after."""
    box = page.locator("[data-viewport]").bounding_box()
    assert box is not None
    fingers = page.context.new_cdp_session(page)
    x, y = box["x"] + 100, box["y"] + 100

    def touch(kind: str, *places: float) -> None:
        points = [{"x": place, "y": y, "id": number} for number, place in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", x)
    touch("touchStart", x, x + before)
    for step in range(1, 11):
        touch("touchMove", x, x + before + (after - before) * step / 10)
    touch("touchEnd")


def test_pinch_enlarges(page: Page, path: str) -> None:
    open_viewer(page, path)
    pinch(page, 50, 150)
    assert transform(page)[0] == pytest.approx(3, rel=0.2)
    pinch(page, 150, 20)
    assert transform(page)[0] == 1


def screen_sizes(page: Page) -> tuple[float, float]:
    """On the screen, the thickness of a line and the height of a chip."""
    scale, _, _ = transform(page)
    unit = page.locator("[data-viewport]").evaluate("(one) => one.clientWidth / one.querySelector('img').width")
    thickness = page.locator(".box-line").last.evaluate("(line) => parseFloat(getComputedStyle(line).strokeWidth)")
    chip = page.locator(".chip-label .chip-fill").last.bounding_box()
    assert chip is not None
    return thickness * scale * unit, chip["height"]


def test_strokes_stay_as_thin_as_they_are_when_the_photo_is_enlarged(page: Page, path: str) -> None:
    open_viewer(page, path)
    before = screen_sizes(page)
    page.get_by_role("button", name="Larger").click()
    page.get_by_role("button", name="Larger").click()
    assert screen_sizes(page) == pytest.approx(before, abs=0.05)
    page.get_by_role("button", name="Fit").click()
    assert transform(page) == (1, 0, 0)


def test_keys_enlarge_move_and_show_all(page: Page, path: str) -> None:
    open_viewer(page, path)
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert transform(page)[0] == pytest.approx(2.25)
    page.keyboard.press("-")
    assert transform(page)[0] == pytest.approx(1.5)
    page.locator("[data-viewport]").focus()
    before = transform(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = transform(page)
    assert after[1] < before[1]
    assert after[2] < before[2]
    page.keyboard.press("0")
    assert transform(page) == (1, 0, 0)


@pytest.mark.parametrize(
    ("key", "heading"), [("j", "cat"), ("ArrowRight", "cat"), ("k", "person"), ("ArrowLeft", "person")]
)
def test_keys_go_to_the_next_detections(page: Page, path: str, key: str, heading: str) -> None:
    open_viewer(page, path)
    page.keyboard.press(key)
    page.wait_for_url(lambda url: not url.endswith(path))
    expect(page.get_by_role("rowheader", name=heading).first).to_be_visible()


def test_keys_belong_to_the_slider_while_it_has_the_focus(page: Page, path: str) -> None:
    open_viewer(page, path)
    page.get_by_label("Show objects above").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-threshold-output]")).to_have_text("55 %")
    assert path in page.url


def test_question_mark_lists_the_keys_and_they_can_be_switched_off(page: Page, path: str) -> None:
    open_viewer(page, path)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("The next older detection")).to_be_visible()
    dialog.get_by_label("Single keys do something").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("+")
    assert transform(page)[0] == 1
    page.get_by_role("button", name="Keys").click()
    dialog.get_by_label("Single keys do something").check()
    dialog.get_by_role("button", name="Close").click()
    page.keyboard.press("+")
    assert transform(page)[0] == 1.5


def test_without_scripts_the_servers_picture_is_shown(browser: Browser, server: Server, path: str) -> None:
    context = browser.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(path)
    expect(page.locator("[data-annotated]")).to_be_visible()
    expect(page.locator("[data-viewport]")).to_have_count(0)
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("link", name="Older")).to_be_visible()
    context.close()


def test_photo_that_is_gone_leaves_the_page_as_the_server_made_it(page: Page, path: str) -> None:
    page.route("**/photo", lambda route: route.fulfill(status=404))
    page.goto(path)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog").get_by_text("The next older detection")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-annotated]")).to_be_visible()
    expect(page.locator("[data-viewport]")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(page: Page, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_viewer(page, path)
    lower_threshold(page)
    assert page.evaluate(WIDEST) <= width


@pytest.mark.parametrize("width", [390, 1440])
def test_wide_photo_is_seen_from_edge_to_edge(page: Page, server: Server, width: int) -> None:
    wide = io.BytesIO()
    Image.open(io.BytesIO(real_photo("chelsea"))).convert("RGB").resize((2400, 400)).save(wide, "JPEG")
    page.set_viewport_size({"width": width, "height": 900})
    open_viewer(page, post(server, wide.getvalue()))
    photo = page.locator("[data-viewer] [data-photo]").bounding_box()
    figure = page.locator("[data-picture]").bounding_box()
    assert photo is not None
    assert figure is not None
    assert figure["x"] <= photo["x"]
    assert photo["x"] + photo["width"] <= figure["x"] + figure["width"] <= width
    assert photo["width"] / photo["height"] == pytest.approx(6, rel=0.02)


def test_photo_stays_in_sight_beside_a_long_table(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 600})
    open_viewer(page, path)
    page.locator("[data-objects] tbody").evaluate(
        "(body) => { for (let row = 0; row < 90; row += 1) body.append(body.rows[0].cloneNode(true)); }"
    )
    page.locator("[data-object]").nth(60).scroll_into_view_if_needed()
    expect(page.locator("[data-viewport]")).to_be_in_viewport(ratio=0.9)
