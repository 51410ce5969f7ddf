"""The review page in a browser: by keyboard alone, by thumb, by two people at once, and without scripts."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from pycocotools.coco import COCO

from detection.conf import BASE_DIR
from tests.browser.conftest import TIMEOUT_MS, Watch
from tests.support.serving import Server, running_server, server_environment

pytestmark = pytest.mark.browser
OBJECTS = 50
ONE_ROW = """
const sheet = new CSSStyleSheet();
sheet.replaceSync(".judged { max-height: 2.3rem; align-self: start; }");
document.adoptedStyleSheets = [sheet];
"""
PLACE_OF = """
([x, y]) => {
  const point = new DOMPoint(x, y).matrixTransform(document.querySelector(".stage-svg").getScreenCTM());
  return [point.x, point.y];
}
"""
PHOTOS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a made history, none of which is reviewed."""
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("review"))}
    environment = server_environment(settings)
    for command in (
        ["manage.py", "migrate", "-v0"],
        ["-m", "bench.history", "--detections", str(PHOTOS), "--reviewed", "0", "--until", "2026-11-20"],
    ):
        subprocess.run([sys.executable, *command], cwd=BASE_DIR, env=environment, check=True, timeout=120)
    with running_server(settings) as running:
        yield running


def ask(server: Server, path: str) -> Any:
    return httpx.get(f"{server.url}{path}", timeout=60).raise_for_status().json()


def review_of(server: Server, uuid: str) -> Any:
    return ask(server, f"/api/detections/{uuid}/review")


def waiting(server: Server, count: int) -> list[str]:
    """The first detections of the queue."""
    found: list[str] = ask(server, f"/api/review/queue?count={count}")["detections"]
    return found


def open_ones(server: Server) -> list[str]:
    """All detections that are not reviewed, newest first: more than one answer of the queue has."""
    return [one["id"] for one in ask(server, "/api/detections/?reviewed=0&page_size=200")["results"]]


def opened(context: BrowserContext, path: str = "/review/") -> Page:
    page = context.new_page()
    page.goto(path)
    expect(page.locator("[data-review][data-ready]")).to_be_visible()
    wait_until_shown(page)
    return page


def shown(page: Page) -> str:
    """The id of the detection that is shown."""
    return page.url.split("/review/")[1].split("/")[0]


def wait_until_shown(page: Page) -> None:
    """Wait until the photo is on the screen: nothing is said of one that is not."""
    expect(page.locator("[data-review]")).to_have_attribute("data-shown", shown(page))


def wait_until_saved(page: Page) -> None:
    expect(page.locator("[data-review]")).to_have_attribute("data-pending", "0")


def type_class(page: Page, name: str) -> None:
    expect(page.locator("[data-palette-input]")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("[data-palette]")).to_be_hidden()


def judge_by_keyboard(page: Page, number: int, model_class: str) -> tuple[str, str]:
    """One of the verdicts, by the number of the object: the kind and the class that are true then."""
    if number % 5 == 1:
        page.keyboard.press("x")
        return "rejected", model_class
    if number % 5 == 2:
        page.keyboard.press("r")
        other = "cow" if model_class != "cow" else "horse"
        type_class(page, other)
        return "relabelled", other
    if number % 5 == 3:
        page.keyboard.press("e")
        for key in ("Shift+ArrowLeft", "Shift+ArrowUp", "ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        page.keyboard.press("Enter")
        return "corrected", model_class
    page.keyboard.press("c")
    return "confirmed", model_class


def draw_by_keyboard(page: Page, name: str) -> None:
    page.keyboard.press("d")
    expect(page.locator(".edited-box")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".judged-row.added").or_(page.locator("[data-palette-input]:focus"))).to_have_count(1)
    # It has the class used last; the first one of all is asked for.
    if page.locator("[data-palette]").is_hidden():
        page.keyboard.press("r")
    type_class(page, name)
    expect(page.locator(".judged-row.added strong")).to_have_text(name)


def test_fifty_objects_are_reviewed_by_keyboard_alone_and_exported_as_judged(
    context: BrowserContext, server: Server, watch: Watch, tmp_path: Path
) -> None:
    page = opened(context)
    said: dict[str, dict[str, tuple[str, str]]] = {}
    number = 0
    while number < OBJECTS:
        uuid = shown(page)
        before = review_of(server, uuid)
        assert not before["is_reviewed"]
        if before["version"]:
            # Another test has begun with it.
            page.keyboard.press("j")
            page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=uuid)
            continue
        wait_until_shown(page)
        told = said[uuid] = {}
        if len(said) % 6 == 2:
            draw_by_keyboard(page, "unicorn")
            told["a1"] = ("added", "unicorn")
            # It stands already: the next object is the one that is open.
            page.keyboard.press("c")
        for one in reversed(before["objects"]):
            expect(page.locator(".judged-row[aria-current]")).to_have_attribute("data-row", one["object"])
            told[one["object"]] = judge_by_keyboard(page, number, one["objectClass"])
            number += 1
        # The last verdict ends the review and shows the next photo.
        page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=uuid)
    wait_until_saved(page)
    assert watch.complaints == []

    reviews = {uuid: review_of(server, uuid) for uuid in said}
    for uuid, review in reviews.items():
        assert review["is_reviewed"]
        assert {one["object"]: (one["verdict"], one["objectClass"]) for one in review["objects"]} == said[uuid]
        for one in review["objects"]:
            if one["verdict"] == "corrected":
                box, was = one["box"], one["model"]["box"]
                assert (box["x"] > was["x"], box["width"] < was["width"]) == (True, True)
                assert (box["y"] > was["y"], box["height"] < was["height"]) == (True, True)
    assert {kind for told in said.values() for kind, _ in told.values()} == {
        "confirmed",
        "rejected",
        "relabelled",
        "corrected",
        "added",
    }
    found = exported(server, tmp_path)
    # Other tests on this server review photos too.
    assert {uuid: found[uuid] for uuid in said} == {uuid: truth(review) for uuid, review in reviews.items()}
    assert set(waiting(server, 20)).isdisjoint(said)


def truth(review: Any) -> list[tuple[str, tuple[int, ...], float | None]]:
    """Class, box and score of what is there, by the API of reviews."""
    return [
        (
            one["objectClass"],
            tuple(one["box"].values()),
            None if one["model"] is None else one["model"]["probability"],
        )
        for one in review["objects"]
        if one["verdict"] != "rejected"
    ]


def exported(server: Server, folder: Path) -> Any:
    """The same by the export of what is reviewed, read with pycocotools."""
    path = folder / "coco.json"
    path.write_bytes(httpx.get(f"{server.url}/api/export?format=coco&reviewed=1", timeout=60).content)
    coco = COCO(str(path))
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    return {
        image["detection"]: [
            (names[one["category_id"]], tuple(one["bbox"]), one.get("score"))
            for one in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
        ]
        for image in json.loads(path.read_bytes())["images"]
    }


@pytest.fixture
def busy(server: Server) -> str:
    """A detection of the queue that nobody has looked at, with objects left after two verdicts."""
    for uuid in (*waiting(server, 20), *open_ones(server)):
        review = review_of(server, uuid)
        if review["version"] == 0 and len(review["objects"]) > 2:
            return uuid
    pytest.fail("the made history has no such detection left")


def test_undo_goes_back_to_the_photo_that_was_left(context: BrowserContext, server: Server, busy: str) -> None:
    page = opened(context, f"/review/{busy}/")
    before = review_of(server, busy)
    page.keyboard.press("x")
    expect(page.locator(".judged-row.rejected")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=busy)
    page.keyboard.press("z")
    page.wait_for_function("(uuid) => window.location.pathname.includes(uuid)", arg=busy)
    expect(page.locator("[data-done]")).to_be_hidden()
    page.keyboard.press("z")
    expect(page.locator(".judged-row.open")).to_have_count(len(before["objects"]))
    wait_until_saved(page)
    after = review_of(server, busy)
    assert (after["objects"], after["is_reviewed"]) == (before["objects"], False)
    page.keyboard.press("z")
    expect(page.locator("[data-problem]")).to_contain_text("There is nothing to undo")


def test_reviewer_who_comes_second_sees_what_the_first_has_said(
    context: BrowserContext, server: Server, busy: str
) -> None:
    page = opened(context, f"/review/{busy}/")
    review = review_of(server, busy)
    body = {"version": review["version"], "verdicts": [{"object": "0", "verdict": "rejected"}]}
    httpx.post(f"{server.url}/api/detections/{busy}/review", json=body, timeout=60).raise_for_status()
    first = page.locator('.judged-row[data-row="0"]')
    first.click()
    page.keyboard.press("c")
    expect(page.locator("[data-problem]")).to_contain_text("has changed the review of this photo meanwhile")
    expect(first).to_contain_text("Rejected")
    assert review_of(server, busy)["objects"][0]["verdict"] == "rejected"
    # Whoever has seen it may say otherwise.
    page.get_by_role("button", name="Say it again").click()
    expect(page.locator("[data-problem]")).to_be_hidden()
    wait_until_saved(page)
    review = review_of(server, busy)
    assert (review["objects"][0]["verdict"], review["is_reviewed"]) == ("confirmed", False)


def test_steps_behind_a_refused_one_are_not_taken(context: BrowserContext, server: Server, busy: str) -> None:
    """A colleague was faster: what was said after it was said of what was not there, `Done` above all."""
    page = opened(context, f"/review/{busy}/")
    body = {"version": 0, "verdicts": [{"object": "0", "verdict": "rejected"}]}
    httpx.post(f"{server.url}/api/detections/{busy}/review", json=body, timeout=60).raise_for_status()
    left = int(page.locator("[data-left]").inner_text())
    context.set_offline(True)
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    expect(page.locator("[data-review]")).to_have_attribute("data-pending", "2")
    context.set_offline(False)
    expect(page.locator("[data-problem]")).to_contain_text("has changed the review of this photo meanwhile")
    wait_until_saved(page)
    review = review_of(server, busy)
    assert (review["version"], review["is_reviewed"]) == (1, False)
    expect(page.locator("[data-left]")).to_have_text(str(left))
    # It is not lost: the way back leads to it.
    page.get_by_role("button", name="Look at that photo").click()
    page.wait_for_url(f"**/review/{busy}/")
    page.get_by_role("button", name="Say it again").click()
    wait_until_saved(page)
    assert review_of(server, busy)["version"] == 2


def test_box_is_drawn_and_sized_by_the_mouse(context: BrowserContext, server: Server, watch: Watch, busy: str) -> None:
    page = opened(context, f"/review/{busy}/")
    stage = Stage(page)
    stage.drag((20, 30), (120, 100))
    type_class(page, "gnu")
    expect(page.locator(".judged-row.added")).to_contain_text("gnu")
    # It is the current one: its corner sizes it, a number gives it another class.
    stage.drag((120, 100), (140, 130))
    wait_until_saved(page)
    added = review_of(server, busy)["objects"][-1]
    assert added["objectClass"] == "gnu"
    assert added["box"] == pytest.approx({"x": 20, "y": 30, "width": 120, "height": 100}, abs=2)
    # The next one has the class used last.
    stage.drag((200, 60), (240, 90))
    expect(page.locator(".judged-row.added")).to_have_count(2)
    wait_until_saved(page)
    assert [one["objectClass"] for one in review_of(server, busy)["objects"][-2:]] == ["gnu", "gnu"]
    page.keyboard.press("z")
    expect(page.locator(".judged-row.added")).to_have_count(1)
    assert watch.complaints == []


class Stage:
    """The photo on the screen, by its own pixels."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a pixel on the screen."""
        right, down = self.page.evaluate(PLACE_OF, [x, y])
        return right, down

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one pixel of the photo to another."""
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=4)
        self.page.mouse.up()


def weaker_than_all(server: Server) -> tuple[str, list[Any]]:
    """A photo that nobody has looked at, with several weaker objects."""
    reviews = {uuid: review_of(server, uuid) for uuid in open_ones(server)}
    fresh = {uuid: one["weaker"] for uuid, one in reviews.items() if one["version"] == 0}
    return max(fresh.items(), key=lambda one: len(one[1]))


def test_weaker_objects_are_accepted_as_they_are(context: BrowserContext, server: Server, watch: Watch) -> None:
    uuid, weaker = weaker_than_all(server)
    page = opened(context, f"/review/{uuid}/")
    for _ in range(4):
        page.keyboard.press("[")
    expect(page.locator("[data-floor] output")).to_have_text("10 %")
    ghosts = page.locator(".judged-row.ghost")
    shown_ones = [row.get_attribute("data-row") for row in ghosts.all()]
    assert set(shown_ones) <= {one["object"] for one in weaker}
    taken = next(one for one in weaker if one["object"] == shown_ones[0])
    ghosts.first.click()
    wait_until_saved(page)
    (accepted,) = [one for one in review_of(server, uuid)["objects"] if one["object"] == taken["object"]]
    assert accepted == {**taken, "verdict": "confirmed", "at": accepted["at"]}
    # One that is left out is not said anything of, and the floor hides all.
    page.keyboard.press("g")
    page.keyboard.press("x")
    expect(ghosts).to_have_count(len(shown_ones) - 2)
    for _ in range(10):
        page.keyboard.press("]")
    expect(ghosts).to_have_count(0)
    expect(page.locator("[data-floor] output")).to_have_text("none")
    wait_until_saved(page)
    assert review_of(server, uuid)["version"] == 1
    assert watch.complaints == []


def test_key_that_is_held_confirms_nothing_that_was_not_seen(
    context: BrowserContext, server: Server, busy: str
) -> None:
    page = opened(context, f"/review/{busy}/")
    for _ in range(30):
        # Without `up`, the browser calls it a repeat.
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=busy)
    wait_until_saved(page)
    assert set(waiting(server, 20)) >= {shown(page)}
    assert not review_of(server, shown(page))["version"]
    # Nor do presses of their own, as long as the photo is on its way.
    page.route("**/photo", lambda route: None)
    page.goto(f"/review/{shown(page)}/", wait_until="domcontentloaded")
    expect(page.locator("[data-review][data-ready]")).to_be_visible()
    for _ in range(5):
        for key in ("Enter", "c", "x"):
            page.keyboard.press(key)
    expect(page.locator("[data-status]")).to_have_text("The photo is not on the screen yet. Look at it first.")
    assert not review_of(server, shown(page))["version"]


def test_list_that_is_longer_than_the_screen_is_looked_at_before_done(
    context: BrowserContext, server: Server, busy: str
) -> None:
    """Here the list has room for one row."""
    context.add_init_script(ONE_ROW)
    page = opened(context, f"/review/{busy}/")
    objects = review_of(server, busy)["objects"]
    page.keyboard.press("Enter")
    expect(page.locator("[data-status]")).to_contain_text("not on the screen yet")
    wait_until_saved(page)
    assert not review_of(server, busy)["is_reviewed"]
    # Each press shows more of it, until all was seen.
    for _ in objects:
        page.keyboard.press("Enter")
        page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 60))")
        if busy not in page.url:
            break
    page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=busy)
    wait_until_saved(page)
    assert review_of(server, busy)["is_reviewed"]


# A key as Chromium gets it: what it writes, and its place on the keyboard.
LAYOUTS = {
    "Caps Lock": {"c": ("C", "KeyC"), "x": ("X", "KeyX"), "z": ("Z", "KeyZ")},
    "Russian": {"c": ("\N{CYRILLIC SMALL LETTER ES}", "KeyC"), "x": ("ч", "KeyX"), "z": ("я", "KeyZ")},
    "Dvorak": {"c": ("c", "KeyI"), "x": ("x", "KeyB"), "z": ("z", "Slash")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keys_work_in_every_layout(context: BrowserContext, server: Server, busy: str, layout: str) -> None:
    page = opened(context, f"/review/{busy}/")
    keyboard = context.new_cdp_session(page)
    count = len(review_of(server, busy)["objects"])

    def press(key: str) -> None:
        written, code = LAYOUTS[layout][key]
        for kind in ("keyDown", "keyUp"):
            keyboard.send("Input.dispatchKeyEvent", {"type": kind, "key": written, "code": code})

    press("x")
    expect(page.locator(".judged-row.rejected")).to_have_count(1)
    press("c")
    expect(page.locator(".judged-row.confirmed")).to_have_count(1)
    press("z")
    press("z")
    expect(page.locator(".judged-row.open")).to_have_count(count)
    wait_until_saved(page)


def test_least_sure_object_is_the_first_and_that_of_the_class_before(
    context: BrowserContext, server: Server, busy: str
) -> None:
    page = opened(context, f"/review/{busy}/")
    current = page.locator(".judged-row[aria-current]")
    objects = review_of(server, busy)["objects"]
    expect(current).to_have_attribute("data-row", objects[-1]["object"])
    most_probable = objects[0]["objectClass"]
    page.goto(f"/review/{busy}/?class={most_probable}")
    wait_until_shown(page)
    of_class = [one["object"] for one in objects if one["objectClass"] == most_probable]
    expect(current).to_have_attribute("data-row", of_class[-1])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_server_that_is_stopped_and_started_loses_nothing(browser: Browser, tmp_path: Path) -> None:
    """Also when the page is left meanwhile: what was said waits in the browser."""
    settings = {"DATA_DIR": str(tmp_path), "REST_PORT": str(free_port()), "REST_HOST": "127.0.0.1"}
    environment = server_environment(settings)
    for command in (
        ["manage.py", "migrate", "-v0"],
        ["-m", "bench.history", "--detections", "6", "--reviewed", "0", "--until", "2026-11-20"],
    ):
        subprocess.run([sys.executable, *command], cwd=BASE_DIR, env=environment, check=True, timeout=120)
    with running_server(settings) as server:
        context = browser.new_context(base_url=server.url)
        context.set_default_timeout(TIMEOUT_MS)
        page = opened(context)
        done = [shown(page)]
        expected = {one["object"]: "confirmed" for one in review_of(server, done[0])["objects"]}
        wait_until_prefetched(page)
        server.stop()
        page.keyboard.press("x")
        expected[page.locator(".judged-row.rejected").get_attribute("data-row") or ""] = "rejected"
        page.keyboard.press("Enter")
        page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=done[0])
        wait_until_shown(page)
        done.append(shown(page))
        page.keyboard.press("Enter")
        expect(page.locator("[data-away]")).to_contain_text("3 steps wait in this browser")
        page.goto("about:blank")
    with running_server(settings) as server:
        page.goto(f"{server.url}/review/{done[0]}/")
        expect(page.locator("[data-review][data-ready]")).to_be_visible()
        wait_until_saved(page)
        first, second = (review_of(server, uuid) for uuid in done)
        assert {one["object"]: one["verdict"] for one in first["objects"]} == expected
        assert (first["version"], first["is_reviewed"], second["is_reviewed"]) == (2, True, True)
        expect(page.locator("[data-done]")).to_be_visible()
        page.goto(f"{server.url}/review/")
        expect(page.locator("[data-left]")).to_have_text("4")
        context.close()


def wait_until_prefetched(page: Page) -> None:
    """Wait until the page has the next photos: their reviews and pictures."""
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/photo')).length >= 3"
    )


def test_next_photo_is_there_before_it_is_wanted(context: BrowserContext, server: Server) -> None:
    first, second = waiting(server, 2)
    page = context.new_page()
    with page.expect_response(lambda response: f"{second}/photo" in response.url):
        page.goto("/review/")
    expect(page.locator("[data-review][data-ready]")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("j")
    page.wait_for_function("(uuid) => window.location.pathname.includes(uuid)", arg=second)
    assert not [url for url in asked if second in url and "/api/" in url and not url.endswith("/photo")]
    page.keyboard.press("k")
    page.wait_for_function("(uuid) => window.location.pathname.includes(uuid)", arg=first)


def tap_until_said(button: Locator, row: Locator, said: str) -> None:
    """A busy Chromium takes a short tap for a long press now and then, which clicks nothing."""
    expect(row).to_contain_text("Open")
    for _ in range(4):
        button.tap()
        with contextlib.suppress(AssertionError):
            expect(row).to_contain_text(said, timeout=TIMEOUT_MS / 4)
            return
    expect(row).to_contain_text(said)


def test_thumbs_confirm_and_reject_on_a_phone(browser: Browser, server: Server, busy: str) -> None:
    context = browser.new_context(
        base_url=server.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = opened(context, f"/review/{busy}/")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for row, (name, said) in enumerate((("confirm", "Confirmed"), ("reject", "Rejected"))):
        button = page.locator(f"[data-review] [data-do={name}]")
        box = button.bounding_box()
        assert box is not None
        assert (box["height"] >= 48, box["y"] + box["height"] <= 844) == (True, True)
        tap_until_said(button, page.locator(".judged-row").nth(row), said)
    wait_until_saved(page)
    # The rows begin with the least sure object.
    kinds = [one["verdict"] for one in reversed(review_of(server, busy)["objects"][-2:])]
    context.close()
    assert kinds == ["confirmed", "rejected"]


def test_verdicts_are_given_by_plain_forms(browser: Browser, server: Server, busy: str) -> None:
    context = browser.new_context(base_url=server.url, java_script_enabled=False)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"/review/{busy}/")
    page.get_by_role("button", name="Reject").first.click()
    page.locator("#class-1").fill("llama")
    page.get_by_role("button", name="Relabel").nth(1).click()
    page.get_by_role("button", name="Done").click()
    page.wait_for_url(lambda url: busy not in url)
    state = review_of(server, busy)
    context.close()
    assert state["is_reviewed"]
    assert [(one["verdict"], one["objectClass"]) for one in state["objects"][:2]] == [
        ("rejected", state["objects"][0]["model"]["objectClass"]),
        ("relabelled", "llama"),
    ]


def test_keys_are_listed(context: BrowserContext, server: Server, watch: Watch) -> None:
    page = opened(context)
    page.keyboard.press("?")
    listed = page.locator("[data-keys-list]")
    for text in ("Confirm the object", "Reject it", "Relabel it", "Undo", "Draw an object that was missed"):
        expect(listed).to_contain_text(text)
    assert watch.complaints == []


def test_blind_review_hides_the_models_boxes_until_the_own_are_drawn(context: BrowserContext, server: Server) -> None:
    reviews = (review_of(server, uuid) for uuid in open_ones(server))
    before = next(one for one in reviews if one["can_be_blind"] and one["objects"])
    uuid = before["detection"]
    page = opened(context, f"/review/{uuid}/?blind=1")
    expect(page.locator(".box, [data-row]")).to_have_count(0)
    expect(page.locator("[data-blind-hint]")).to_be_visible()
    expect(page.locator("[data-floor]")).to_be_hidden()
    # The first of the model's objects is drawn anew, by hand.
    model = before["objects"][0]["model"]
    box = model["box"]
    corners = page.evaluate(
        """([corners]) => corners.map(([x, y]) => {
          const at = new DOMPoint(x, y).matrixTransform(document.querySelector(".stage-svg").getScreenCTM());
          return [at.x, at.y];
        })""",
        [[[box["x"] + 1, box["y"] + 1], [box["x"] + box["width"] - 1, box["y"] + box["height"] - 1]]],
    )
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=5)
    page.mouse.up()
    palette = page.locator("[data-palette-input]")
    expect(palette).to_be_focused()
    palette.fill(model["objectClass"])
    page.keyboard.press("Enter")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("[data-status]")).to_contain_text("beside the model")
    wait_until_saved(page)
    assert shown(page) == uuid
    expect(page.locator("[data-row]:not(.ghost)")).to_have_count(len(before["objects"]))
    after = review_of(server, uuid)
    assert (after["is_reviewed"], after["is_blind"]) == (True, True)
    assert after["objects"][0]["verdict"] in {"corrected", "confirmed"}
    assert {one["verdict"] for one in after["objects"][1:]} <= {"rejected"}
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: uuid not in url)
    assert "blind=1" in page.url


def test_photo_that_was_judged_openly_is_shown_openly(context: BrowserContext, server: Server) -> None:
    page = opened(context)
    uuid = shown(page)
    page.keyboard.press("c")
    wait_until_saved(page)
    page = opened(context, f"/review/{uuid}/?blind=1")
    assert page.locator("[data-row]").count() > 0
    expect(page.locator("[data-blind-hint]")).to_be_hidden()
