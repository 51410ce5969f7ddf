"""Every page under axe-core: contrast, labels, roles, order (WCAG 2.2 AA, and axe's own best practices)."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from detection.conf import BASE_DIR
from detection.urls import pages
from tests.browser.conftest import TIMEOUT_MS
from tests.support.photos import real_photo
from tests.support.serving import Server, server_environment

pytestmark = pytest.mark.browser
JPEG = {"Content-Type": "image/jpeg"}
# Names of addresses that show nothing of their own: they answer with another page, or not with one.
NO_PAGES = {
    "language",
    "logout",
    "script-texts",
    "web-app",
    "favicon",
    "gallery-photos",
    "gallery-act",
    "gallery-action",
    "gallery-action-stop",
    "gallery-action-undo",
    "gallery-download",
    "album-create",
    "album-rename",
    "album-delete",
    "demo-load",
    "demo-remove",
    "batch-rename",
    "batch-delete",
    "detection-ask",
    "compare-answers",
    "compare-vote-pair",
    "compare-vote-cast",
    "detection-delete",
    "detection-restore",
    "detection-share",
    "token-create",
    "token-rename",
    "token-revoke",
    "token-revoke-earlier",
    "album-share",
    "link-revoke",
    "shared-picture",
    "review-say",
    "second-opinion",
}
# The element that has the focus, and whether it, or the label that stands for it, has an outline.
FOCUSED = """
() => {
  const element = document.activeElement;
  const isOutlined = (one) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  const name = element.id ? `#${element.id}` : `.${element.classList[0]}`;
  return [element.localName + name, [element, ...(element.labels ?? [])].some(isOutlined)];
}
"""
# By how much the page is wider than its window, once what follows a change of the width has been laid out.
OVERFLOW_PX = """
async () => {
  for (let frame = 0; frame < 2; frame += 1) {
    await new Promise(requestAnimationFrame);
  }
  return document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth;
}
"""
OPERATOR = """
from django.contrib.auth.models import User
if not User.objects.filter(username="operator").exists():
    User.objects.create_superuser("operator", password="a long one")
"""
# What is read: the rule, and the elements with what is wrong about each.
Broken = list[tuple[str, list[tuple[Any, str]]]]


@pytest.fixture(scope="module")
def addresses(server: Server) -> dict[str, str]:
    """A page for each name, of a server that has something to show."""
    detection = httpx.post(f"{server.url}/api/predict", content=real_photo("motorcycle_left"), headers=JPEG)
    uuid = detection.raise_for_status().headers["X-Detection-Id"]
    photos = [{"name": f"{number}.jpg", "size_bytes": 9} for number in range(3)]
    batch = httpx.post(f"{server.url}/api/batches/", json={"name": "trip", "photos": photos}).raise_for_status().json()
    address = f"{server.url}/api/batches/{batch['id']}/photos/"
    httpx.post(f"{address}0", content=real_photo("chelsea"), headers=JPEG).raise_for_status()
    assert httpx.post(f"{address}1", content=b"no photo", headers=JPEG).status_code == 400
    return {
        "home": "/",
        "login": "/login/",
        "account": "/account/",
        "live": "/live/",
        "history": "/history/",
        "dashboard": "/dashboard/",
        "dashboard-objects": "/dashboard/objects/?period=all",
        "batch-list": "/batches/",
        "batch-page": f"/batches/{batch['id']}/",
        "detection-page": f"/detections/{uuid}/?threshold=0.1",
        "compare": "/compare/?a=mobilenet_ssd_voc&b=nanodet_plus_m",
        "compare-vote": "/compare/vote/?a=mobilenet_ssd_voc&b=nanodet_plus_m",
        "compare-pair": f"/compare/{uuid}/{uuid}/",
        "review": "/review/",
        "second-opinions": "/review/second/",
        "review-page": f"/review/{uuid}/",
        "shared": shared_album(server, uuid),
        "shared-photo": f"{shared_album(server, uuid)}{uuid}/",
    }


def shared_album(server: Server, uuid: str) -> str:
    """Make an album with one photo; return the path of a link to it."""
    with httpx.Client(base_url=server.url, timeout=60.0) as client:
        client.get("/history/").raise_for_status()
        headers = {"X-CSRFToken": client.cookies["csrftoken"], "Referer": server.url}
        shown = client.post("/albums/", data={"name": "Holidays"}, headers=headers).headers["Location"]
        album = shown.partition("album=")[2]
        action = {"kind": "album", "selection": {"ids": [uuid]}, "album": album}
        client.post("/history/actions/", json=action, headers=headers).raise_for_status()
        made = client.post(f"/albums/{album}/share/", headers=headers).raise_for_status().text
    found = re.search(r"/shared/[\w-]+/", made)
    assert found is not None
    return found[0]


@pytest.fixture(params=["light", "dark"])
def context(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """Reduced motion: axe would measure colours on their way to others."""
    made = browser.new_context(base_url=server.url, color_scheme=request.param, reduced_motion="reduce")
    made.set_default_timeout(TIMEOUT_MS)
    yield made
    made.close()


def broken_rules(page: Page) -> Broken:
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [(node["target"], node["failureSummary"]) for node in rule["nodes"]]) for rule in found]


def test_every_page_is_looked_at(addresses: dict[str, str]) -> None:
    assert set(addresses) == {page.name for page in pages} - NO_PAGES


def test_pages_have_no_violation(context: BrowserContext, addresses: dict[str, str]) -> None:
    page = context.new_page()
    more = {
        "nothing found": "/history/?class=motorbike&date_to=2001-01-01",
        "blind review": "/review/?blind=1",
        "error": "/no-such-page",
        "no link": "/shared/none/",
    }
    found = {}
    for name, address in {**addresses, **more}.items():
        page.goto(address, wait_until="networkidle")
        found[name] = broken_rules(page)
    assert {name: broken for name, broken in found.items() if broken} == {}


def show_result(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Chelsea, a cat").click()
    expect(page.get_by_role("link", name="Open the detection page")).to_be_visible()


def show_refusal(page: Page) -> None:
    page.goto("/")
    page.locator("#image").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"})
    expect(page.get_by_role("alert")).to_contain_text("not a photo")


@pytest.mark.parametrize("show", [show_result, show_refusal])
def test_states_of_the_first_page_have_no_violation(context: BrowserContext, show: Callable[[Page], None]) -> None:
    page = context.new_page()
    show(page)
    assert broken_rules(page) == []


def test_what_is_broken_is_noticed(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    page.evaluate("() => document.querySelector('[data-photos], #image').labels.forEach((label) => label.remove())")
    assert "label" in [rule for rule, _ in broken_rules(page)]


def test_focus_is_seen_wherever_the_keyboard_goes(context: BrowserContext, addresses: dict[str, str]) -> None:
    page = context.new_page()
    page.goto(addresses["detection-page"])
    expect(page.locator("[data-viewport]")).to_be_visible()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, is_seen = page.evaluate(FOCUSED)
        if name.startswith("body"):
            break
        reached.add(name)
        assert is_seen, name
    assert {"a.skip-link", "a.brand", "input#threshold", "button.button", "div.viewer-viewport"} <= reached


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_no_page_is_wider_than_its_window(
    locale: str, browser: Browser, server: Server, addresses: dict[str, str]
) -> None:
    with browser.new_context(base_url=server.url, locale=locale) as context:
        page = context.new_page()
        wider = []
        for name, address in addresses.items():
            page.goto(address, wait_until="networkidle")
            for width in (660, 700, 740):
                page.set_viewport_size({"width": width, "height": 800})
                if page.evaluate(OVERFLOW_PX) > 0:
                    wider.append((name, width))
    assert wider == []


def test_models_to_fetch_have_no_violation(context: BrowserContext, server: Server) -> None:
    settings = {"DATA_DIR": str(server.data_dir)}
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", OPERATOR],
        cwd=BASE_DIR,
        env=server_environment(settings),
        check=True,
        timeout=120,
    )
    page = context.new_page()
    page.goto("/admin/login/?next=/admin/detection/modelversion/catalogue/")
    page.locator("[name=username]").fill("operator")
    page.locator("[name=password]").fill("a long one")
    page.locator("[type=submit]").click()
    expect(page.get_by_role("heading", name="Models to fetch")).to_be_visible()
    expect(page.get_by_role("button", name="Fetch ").first).to_be_visible()
    assert broken_rules(page) == []


def test_enlarged_photo_and_list_of_keys_have_no_violation(context: BrowserContext, addresses: dict[str, str]) -> None:
    page = context.new_page()
    page.goto(addresses["detection-page"])
    page.get_by_role("button", name="Larger").click()
    expect(page.locator("[data-zoom-level]")).to_have_text("150 %")
    assert broken_rules(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken_rules(page) == []
