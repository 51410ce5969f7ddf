"""The page of an account in a browser, on a server that asks for a login: tokens are made, used and revoked."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from detection.conf import BASE_DIR
from tests.browser.conftest import TIMEOUT_MS, Watch
from tests.support.photos import real_photo
from tests.support.serving import Server, running_server, server_environment

pytestmark = pytest.mark.browser
PASSWORD = "a long one"
USERS = f"""
from django.contrib.auth.models import User
for name in ("anna", "ben", "carl"):
    User.objects.create_user(name, password="{PASSWORD}")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two users, of whom each test has one."""
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("account")), "ACCESS": "login"}
    with running_server(settings) as running:
        command = [sys.executable, "manage.py", "shell", "-c", USERS]
        subprocess.run(command, cwd=BASE_DIR, env=server_environment(settings), check=True, timeout=120)
        yield running


def log_in(page: Page, name: str) -> None:
    page.goto("/account/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()


def test_token_is_made_used_named_and_revoked(page: Page, server: Server, watch: Watch) -> None:
    def status() -> int:
        answer = httpx.get(f"{server.url}/api/detections/", headers={"Authorization": f"Bearer {key}"})
        return answer.status_code

    log_in(page, "anna")
    page.get_by_label("Name of the program").fill("camera")
    page.get_by_role("button", name="Make a token").click()
    key = page.get_by_label("Copy it now").input_value()
    assert status() == 200
    page.get_by_role("link", name="Back to the account").click()
    page.get_by_label("Its name").fill("door camera")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_label("Its name")).to_have_value("door camera")
    page.get_by_role("button", name="Revoke door camera").click()
    expect(page.get_by_role("status")).to_contain_text("The token was revoked")
    assert status() == 401
    assert watch.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_the_account_have_no_violation_and_fit_the_screen(
    scheme: str, browser: Browser, server: Server
) -> None:
    with browser.new_context(base_url=server.url, color_scheme=scheme, reduced_motion="reduce") as context:  # type: ignore[arg-type]
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        log_in(page, "ben")
        page.get_by_label("Name of the program").fill("w" * 100)
        page.get_by_role("button", name="Make a token").click()
        expect(page.get_by_label("Copy it now")).to_be_visible()
        for address in ("", "/account/"):
            if address:
                page.goto(address)
            assert Axe().run(page).response["violations"] == []
            for width in (390, 700, 1024, 1440):
                page.set_viewport_size({"width": width, "height": 800})
                wide = page.evaluate("() => document.scrollingElement.scrollWidth")
                assert wide <= width, (address, width)


def shared_photo(page: Page, server: Server) -> str:
    """Send a photo and share it; return the address that a visitor opens."""
    headers = {"Content-Type": "image/jpeg", "Origin": server.url}
    sent = page.request.post("/api/predict", data=real_photo("motorcycle_left"), headers=headers)
    assert sent.ok, sent.text()
    page.goto(f"/detections/{sent.headers['x-detection-id']}/")
    page.get_by_role("button", name="Make a link").click()
    return page.get_by_label("Copy it now").input_value()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_a_user_and_of_a_visitor_have_no_violation_and_fit_the_screen(
    scheme: Any, browser: Browser, server: Server
) -> None:
    with (
        browser.new_context(base_url=server.url, color_scheme=scheme, reduced_motion="reduce") as users,
        browser.new_context(base_url=server.url, color_scheme=scheme, reduced_motion="reduce") as visitors,
    ):
        page, visitor = users.new_page(), visitors.new_page()
        log_in(page, "carl")
        link = shared_photo(page, server)
        assert broken(page) == []
        seen = [(page, address) for address in ("/", "/history/", "/batches/", "/review/", "/dashboard/", "/account/")]
        seen += [(visitor, link), (visitor, "/shared/none/"), (visitor, "/login/?next=/review/")]
        for reader, address in seen:
            reader.goto(address, wait_until="networkidle")
            assert broken(reader) == [], address
            for width in (390, 1024, 1440):
                reader.set_viewport_size({"width": width, "height": 800})
                wide = reader.evaluate("() => document.scrollingElement.scrollWidth")
                assert wide <= width, (address, width)
        visitor.get_by_label("Name").fill("carl")
        visitor.get_by_label("Password").fill("a wrong one")
        visitor.get_by_role("button", name="Log in").click()
        expect(visitor.get_by_role("alert")).to_be_visible()
        assert broken(visitor) == []


def broken(page: Page) -> list[tuple[str, list[Any]]]:
    """The rules of axe that a page breaks, and its elements that break them."""
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]
