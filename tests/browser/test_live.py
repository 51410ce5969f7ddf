"""The live page: a camera that Chromium fakes, a video file, and what can go wrong with both."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from tests.browser.conftest import Watch, chromium
from tests.browser.fake_camera import RECORD_CAT, write_cat_video
from tests.support.serving import Server, running_server

pytestmark = pytest.mark.browser

SOCKET = re.compile(r"/ws/live")
FOREIGN_NAME = "camera.test"
CAT = {"objectClass": "cat", "probability": 0.9, "x": 64, "y": 48, "width": 320, "height": 240}
WEAK_DOG = {"objectClass": "dog", "probability": 0.4, "x": 400, "y": 300, "width": 100, "height": 100}
# The box of the red pixels of the overlay, as fractions of it; null when there is none.
# Left, top, right and bottom of all boxes together, in shares of the video; null without one.
BOX = """
() => {
  const overlay = document.querySelector("[data-overlay]").getBoundingClientRect();
  const boxes = [...document.querySelectorAll("[data-overlay] .box-line")].map((line) => line.getBoundingClientRect());
  return boxes.length === 0 ? null : [
    (Math.min(...boxes.map((box) => box.left)) - overlay.left) / overlay.width,
    (Math.min(...boxes.map((box) => box.top)) - overlay.top) / overlay.height,
    (Math.max(...boxes.map((box) => box.right)) - overlay.left) / overlay.width,
    (Math.max(...boxes.map((box) => box.bottom)) - overlay.top) / overlay.height,
  ];
}
"""
FRAMES_PASS = """
(count) => new Promise((resolve) => {
  const video = document.querySelector("video");
  const next = (left) => (left === 0 ? resolve(true) : video.requestVideoFrameCallback(() => next(left - 1)));
  next(count);
})
"""
# Sentences come and go: keeps each that was shown.
KEEP_SENTENCES = """
() => {
  const link = document.querySelector("[data-live] [data-link]");
  window.said = [];
  new MutationObserver(() => window.said.push(link.textContent)).observe(link, { childList: true });
}
"""
WAS_SAID = "(start) => window.said.some((sentence) => sentence.startsWith(start))"
FAIL_WITH = """
(name) => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("refused", name));
}
"""

# The fake device plays a file with one camera only.
SECOND_CAMERA = """
() => {
  const devices = navigator.mediaDevices;
  const [enumerate, give] = [devices.enumerateDevices.bind(devices), devices.getUserMedia.bind(devices)];
  devices.enumerateDevices = async () => [
    ...(await enumerate()),
    { kind: "videoinput", deviceId: "second", label: "Second camera" },
  ];
  devices.getUserMedia = (asked) => {
    window.asked = asked;
    return give({ video: true });
  };
}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera shows a moving cat, and a name for this machine that is not localhost."""
    video = tmp_path_factory.mktemp("camera") / "cat.y4m"
    write_cat_video(video)
    with chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
        f"--host-resolver-rules=MAP {FOREIGN_NAME} 127.0.0.1",
    ) as launched:
        yield launched


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is also reached under a name that browsers do not trust without https."""
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("live")), "ALLOWED_HOSTS": f"127.0.0.1,{FOREIGN_NAME}"}
    with running_server(settings) as running:
        yield running


@pytest.fixture
def page(context: BrowserContext) -> Page:
    opened = context.new_page()
    opened.goto("/live/")
    return opened


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()


def answer_all(page: Page, *objects: dict[str, Any]) -> None:
    """Stand in for the server: answer each frame with the same objects."""

    def answer(route: WebSocketRoute) -> None:
        frames = iter(range(1, 1_000_000))
        body = {"prediction": list(objects), "width": 640, "height": 480, "timings": {}, "dropped": 0}
        route.on_message(lambda _: route.send(json.dumps({**body, "frame": next(frames)})))

    page.route_web_socket(SOCKET, answer)


def shown_box(page: Page) -> list[float] | None:
    box: list[float] | None = page.evaluate(BOX)
    return box


def stored_count(server: Server) -> int:
    return len(httpx.get(f"{server.url}/api/detections/").raise_for_status().json()["results"])


def test_box_of_the_cat_follows_and_nothing_is_stored(page: Page, server: Server, watch: Watch) -> None:
    before = stored_count(server)
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    box = shown_box(page)
    assert box is not None
    assert box[2] - box[0] > 0.5
    assert box[3] - box[1] > 0.5
    expect(page.locator("[data-rate]")).to_have_text(re.compile(r"^\d+\.\d$"))
    expect(page.locator("[data-latency]")).to_have_text(re.compile(r"^\d+ ms$"))
    expect(page.locator("[data-announce]")).to_have_text("cat")
    assert stored_count(server) == before
    assert watch.complaints == []


def test_stop_switches_the_camera_off_and_takes_the_boxes_away(page: Page, watch: Watch) -> None:
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    track = page.evaluate_handle("() => document.querySelector('video').srcObject.getVideoTracks()[0]")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
    assert track.evaluate("(track) => track.readyState") == "ended"
    assert shown_box(page) is None
    expect(page.locator("[data-objects] li")).to_have_count(0)
    assert watch.complaints == []


def test_boxes_lie_where_the_answer_says(page: Page) -> None:
    answer_all(page, CAT)
    page.goto("/live/")
    start(page)
    expect(page.locator("[data-objects] li")).to_have_count(1)
    box = shown_box(page)
    assert box is not None
    assert [box[0], box[2], box[3]] == pytest.approx([64 / 640, 384 / 640, 288 / 480], abs=0.005)


def test_boxes_look_as_on_other_pages(page: Page) -> None:
    answer_all(page, CAT, {**CAT, "objectClass": "dog", "x": 400})
    page.goto("/live/")
    start(page)
    chips = page.locator("[data-overlay] .chip-text")
    expect(chips).to_have_text(["dog 90 %", "cat 90 %"])
    expect(page.locator("[data-objects] li")).to_have_count(2)
    # In one step: each frame makes them anew.
    colours = page.evaluate(
        "() => [...document.querySelectorAll('[data-overlay] .box-line')].map((one) => getComputedStyle(one).stroke)"
    )
    listed = page.evaluate(
        "() => [...document.querySelectorAll('[data-objects] li')]"
        ".map((row) => getComputedStyle(row).getPropertyValue('--class'))"
    )
    assert len(set(colours)) == len(set(listed)) == 2


def test_threshold_moves_at_once_without_the_server(page: Page) -> None:
    answer_all(page, CAT, WEAK_DOG)
    page.goto("/live/")
    start(page)
    names = page.locator("[data-objects] [data-name]")
    expect(names).to_have_text(["cat"])
    slider = page.get_by_label("Show objects above")
    slider.focus()
    for _ in range(4):
        slider.press("ArrowLeft")
    expect(page.locator("[data-live-threshold-output]")).to_have_text("30 %")
    expect(names).to_have_text(["cat", "dog"])
    slider.press("End")
    expect(names).to_have_count(0)
    assert shown_box(page) is None


def test_at_most_two_frames_are_on_their_way_and_an_answer_lets_the_next_ones_go(page: Page) -> None:
    frames: list[bytes | str] = []
    routes: list[WebSocketRoute] = []

    def hold(route: WebSocketRoute) -> None:
        routes.append(route)
        route.on_message(lambda frame: frames.append(frame))  # noqa: PLW0108  (Playwright marks what it is given)

    def frames_settle(count: int) -> None:
        while len(frames) < count:
            page.evaluate(FRAMES_PASS, 1)
        page.evaluate(FRAMES_PASS, 15)
        assert len(frames) == count

    page.route_web_socket(SOCKET, hold)
    page.goto("/live/")
    start(page)
    page.wait_for_function("() => document.querySelector('video').videoWidth > 0")
    frames_settle(2)
    assert all(isinstance(frame, bytes) and frame.startswith(b"\xff\xd8") for frame in frames)
    body = {"prediction": [CAT], "width": 640, "height": 480, "timings": {}, "dropped": 1, "frame": 2}
    routes[0].send(json.dumps(body))
    expect(page.locator("[data-behind]")).to_have_text("0")
    frames_settle(4)


def test_boxes_that_are_not_renewed_are_taken_away(page: Page) -> None:
    answering = [True]

    def answer(route: WebSocketRoute) -> None:
        frames = iter(range(1, 1_000_000))
        body = {"prediction": [CAT], "width": 640, "height": 480, "timings": {}, "dropped": 0}
        route.on_message(lambda _: route.send(json.dumps({**body, "frame": next(frames)})) if all(answering) else None)

    page.route_web_socket(SOCKET, answer)
    page.goto("/live/")
    start(page)
    expect(page.locator("[data-objects] li")).to_have_count(1)
    answering.append(False)
    expect(page.locator("[data-objects] li")).to_have_count(0)
    assert shown_box(page) is None


def test_lost_connection_is_said_and_made_again(page: Page, watch: Watch) -> None:
    routes: list[WebSocketRoute] = []

    def pass_on(route: WebSocketRoute) -> None:
        routes.append(route)
        route.connect_to_server()

    page.route_web_socket(SOCKET, pass_on)
    page.goto("/live/")
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    page.evaluate(KEEP_SENTENCES)
    routes[0].close(code=1012)
    page.wait_for_function(WAS_SAID, arg="The connection to the server was lost. Trying again in")
    expect(page.locator("[data-link]")).to_be_hidden()
    page.evaluate(FRAMES_PASS, 5)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    assert len(routes) == 2
    assert watch.complaints == []


def test_sentence_of_the_server_is_shown_and_the_page_goes_on(page: Page) -> None:
    def refuse_first(route: WebSocketRoute) -> None:
        frames = iter(range(1, 1_000_000))

        def answer(_: bytes | str) -> None:
            number = next(frames)
            body = (
                {"prediction": [CAT], "width": 640, "height": 480} if number > 2 else {"error": "The server is busy."}
            )
            route.send(json.dumps({**body, "frame": number, "dropped": 0}))

        route.on_message(answer)

    page.route_web_socket(SOCKET, refuse_first)
    page.goto("/live/")
    page.evaluate(KEEP_SENTENCES)
    start(page)
    page.wait_for_function(WAS_SAID, arg="The server is busy.")
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    expect(page.locator("[data-link]")).to_be_hidden()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param("NotAllowedError", "The camera was not allowed. Allow it", id="denied"),
        pytest.param("NotFoundError", "No camera was found. Connect one", id="no camera"),
        pytest.param("NotReadableError", "The camera is used by another program.", id="in use"),
        pytest.param("OverconstrainedError", "The chosen camera is gone.", id="gone"),
        pytest.param("AbortError", "The camera could not be started.", id="anything else"),
    ],
)
def test_camera_that_is_not_given_is_said_in_a_sentence(page: Page, error: str, sentence: str) -> None:
    page.evaluate(FAIL_WITH, error)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_page_without_https_says_why_there_is_no_camera(page: Page, server: Server) -> None:
    page.goto(server.url.replace("127.0.0.1", FOREIGN_NAME) + "/live/")
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("only to pages over https, or on localhost")


def test_camera_that_is_unplugged_is_said(page: Page) -> None:
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    page.evaluate(
        "() => document.querySelector('video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
    )
    expect(page.get_by_role("alert")).to_contain_text("The camera was disconnected.")
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_other_camera_can_be_chosen(page: Page) -> None:
    page.evaluate(SECOND_CAMERA)
    start(page)
    select = page.get_by_label("Camera", exact=True)
    expect(select.locator("option")).to_have_count(2)
    select.select_option(label="Second camera")
    page.wait_for_function("() => window.asked.video.deviceId?.exact === 'second'")
    expect(page.locator("[data-objects]")).to_contain_text("cat")


def test_frame_is_kept_when_asked_for(page: Page, server: Server, watch: Watch) -> None:
    before = stored_count(server)
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    page.get_by_role("button", name="Keep this frame").click()
    page.get_by_role("link", name="Open the detection").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^live \d{4}-\d\d-\d\d"))
    expect(page.get_by_role("rowheader", name="cat")).to_be_visible()
    assert stored_count(server) == before + 1
    assert watch.complaints == []


def test_video_file_is_a_source_too(page: Page, tmp_path: Path, watch: Watch) -> None:
    video = tmp_path / "cat.webm"
    video.write_bytes(base64.b64decode(page.evaluate(RECORD_CAT, 20)))
    page.get_by_label("Choose a video file").set_input_files(video)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
    assert watch.complaints == []


def test_file_that_is_no_video_is_said_in_a_sentence(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "notes.mp4"
    file.write_bytes(b"no video")
    page.get_by_label("Choose a video file").set_input_files(file)
    expect(page.get_by_role("alert")).to_have_text("This browser cannot play that file. Choose an MP4 or WebM video.")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_picture_keeps_its_shape_on_a_low_screen(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 400})
    start(page)
    expect(page.locator("[data-objects]")).to_contain_text("cat")
    shape = page.locator("[data-overlay]").evaluate("(canvas) => [canvas.clientWidth, canvas.clientHeight]")
    assert shape[0] / shape[1] == pytest.approx(4 / 3, abs=0.02)
    assert shape[1] <= 300
