"""The review page in a browser: by keyboard alone, by thumb, by two people at once, and without scripts."""

import contextlib
import json
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


def opened(context: BrowserContext, path: str = "/review/") -> Page:
    page = context.new_page()
    page.goto(path)
    expect(page.locator("[data-review][data-ready]")).to_be_visible()
    return page


def shown(page: Page) -> str:
    """The id of the detection that is shown."""
    return page.url.split("/review/")[1].split("/")[0]


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
    type_class(page, name)
    expect(page.locator(".judged-row.added")).to_have_count(1)


def test_fifty_objects_are_reviewed_by_keyboard_alone_and_exported_as_judged(
    context: BrowserContext, server: Server, watch: Watch, tmp_path: Path
) -> None:
    page = opened(context)
    said: dict[str, list[tuple[str, str]]] = {}
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
        told = said[uuid] = []
        drawn = len(said) % 6 == 3
        if drawn:
            draw_by_keyboard(page, "unicorn")
        for one in before["objects"]:
            expect(page.locator(".judged-row[aria-current] strong")).to_have_text(one["objectClass"])
            told.append(judge_by_keyboard(page, number, one["objectClass"]))
            number += 1
        if drawn:
            told.append(("added", "unicorn"))
        # The last verdict ends the review and shows the next photo.
        page.wait_for_function("(uuid) => !window.location.pathname.includes(uuid)", arg=uuid)
    wait_until_saved(page)
    assert watch.complaints == []

    reviews = {uuid: review_of(server, uuid) for uuid in said}
    for uuid, review in reviews.items():
        assert review["is_reviewed"]
        assert [(one["verdict"], one["objectClass"]) for one in review["objects"]] == said[uuid]
        for one in review["objects"]:
            if one["verdict"] == "corrected":
                box, was = one["box"], one["model"]["box"]
                assert (box["x"] > was["x"], box["width"] < was["width"]) == (True, True)
                assert (box["y"] > was["y"], box["height"] < was["height"]) == (True, True)
    assert {kind for told in said.values() for kind, _ in told} == {
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
    for uuid in waiting(server, 20):
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
    page.keyboard.press("c")
    expect(page.locator("[data-problem]")).to_contain_text("has changed the review of this photo meanwhile")
    expect(page.locator(".judged-row").first).to_contain_text("Rejected")
    assert review_of(server, busy)["objects"][0]["verdict"] == "rejected"
    # Whoever has seen it may say otherwise.
    page.locator(".judged-row").first.click()
    page.keyboard.press("c")
    wait_until_saved(page)
    assert review_of(server, busy)["objects"][0]["verdict"] == "confirmed"


def test_box_is_drawn_and_sized_by_the_mouse(context: BrowserContext, server: Server, watch: Watch, busy: str) -> None:
    page = opened(context, f"/review/{busy}/")
    size = review_of(server, busy)
    stage = page.locator(".stage-svg").bounding_box()
    assert stage is not None
    scale = size["width"] / stage["width"]

    def drag(start: tuple[float, float], end: tuple[float, float]) -> None:
        page.mouse.move(stage["x"] + start[0], stage["y"] + start[1])
        page.mouse.down()
        page.mouse.move(stage["x"] + end[0], stage["y"] + end[1], steps=4)
        page.mouse.up()

    page.get_by_role("button", name="Draw").click()
    drag((20, 30), (120, 100))
    drag((120, 100), (140, 130))
    page.get_by_role("button", name="Save the box").click()
    type_class(page, "gnu")
    expect(page.locator(".judged-row.added")).to_have_count(1)
    wait_until_saved(page)
    added = review_of(server, busy)["objects"][-1]
    assert added["objectClass"] == "gnu"
    expected = {"x": 20, "y": 30, "width": 120, "height": 100}
    assert added["box"] == pytest.approx({name: value * scale for name, value in expected.items()}, abs=2)
    assert watch.complaints == []


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
    kinds = [one["verdict"] for one in review_of(server, busy)["objects"][:2]]
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
