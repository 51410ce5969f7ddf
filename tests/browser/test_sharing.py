"""Share links in a browser: made on a photo's page, opened by somebody without a login, revoked."""

import io
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.conftest import TIMEOUT_MS, Watch
from tests.support.photos import real_photo
from tests.support.serving import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(server: Server) -> str:
    headers = {"Content-Type": "image/jpeg", "X-File-Name": "chelsea-at-home.jpg"}
    answer = httpx.post(f"{server.url}/api/predict", content=real_photo("chelsea"), headers=headers, timeout=60)
    return f"/detections/{answer.raise_for_status().headers['X-Detection-Id']}/"


@pytest.fixture
def visitor(browser: Browser, server: Server, watch: Watch) -> Iterator[BrowserContext]:
    """The browser of somebody else."""
    made = browser.new_context(base_url=server.url, viewport={"width": 390, "height": 800})
    made.set_default_timeout(TIMEOUT_MS)
    watch.follow(made)
    yield made
    made.close()


def link_of(page: Page, path: str) -> str:
    page.goto(path)
    page.get_by_label("Days until it ends").fill("2")
    page.get_by_role("button", name="Make a link").click()
    return page.get_by_label("Copy it now").input_value()


def test_link_shows_the_photo_to_somebody_else(
    page: Page, path: str, visitor: BrowserContext, server: Server, watch: Watch
) -> None:
    link = link_of(page, path)
    asked: list[tuple[str, str]] = []

    def note(request: Request) -> None:
        asked.append((urlsplit(request.url).path, request.headers.get("referer", "")))

    visitor.on("request", note)
    seen = visitor.new_page()
    seen.goto(link, wait_until="networkidle")
    expect(seen.get_by_role("rowheader", name="cat")).to_be_visible()
    assert seen.locator(".result-picture img").evaluate("(image) => image.naturalWidth") > 0
    assert "chelsea-at-home" not in seen.content()
    assert all(one.startswith(("/static/", urlsplit(link).path, "/app.webmanifest")) for one, _ in asked)
    assert not [referer for _, referer in asked if "/shared/" in referer]
    assert seen.evaluate("() => document.scrollingElement.scrollWidth") <= 390
    assert watch.complaints == []


def test_photo_of_a_link_has_no_metadata(page: Page, server: Server, visitor: BrowserContext) -> None:
    photo = Image.open(io.BytesIO(real_photo("chelsea")))
    exif = photo.getexif()
    exif[ExifTags.Base.Artist] = "Anna Secret"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    data = io.BytesIO()
    photo.save(data, "JPEG", exif=exif, comment=b"Secret comment", xmp=b"<x:xmpmeta>Secret</x:xmpmeta>")
    answer = httpx.post(f"{server.url}/api/predict", content=data.getvalue(), headers={"Content-Type": "image/jpeg"})
    link = link_of(page, f"/detections/{answer.raise_for_status().headers['X-Detection-Id']}/")
    seen = visitor.new_page()
    seen.goto(link)
    for name in ("Original photo", "Download the picture"):
        address = seen.get_by_role("link", name=name).get_attribute("href")
        sent = visitor.request.get(str(address)).body()
        assert sent.startswith(b"\xff\xd8")
        assert b"Secret" not in sent
        assert ExifTags.IFD.GPSInfo not in Image.open(io.BytesIO(sent)).getexif()


def test_copy_puts_the_link_on_the_clipboard(page: Page, path: str, context: BrowserContext, server: Server) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    link = link_of(page, path)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link


def test_revoked_link_says_that_it_has_ended(page: Page, path: str, visitor: BrowserContext) -> None:
    link = link_of(page, path)
    page.get_by_role("link", name="Back to the photo").click()
    links = page.get_by_role("list", name="Links that are open").get_by_role("listitem")
    count = links.count()
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.get_by_role("status").filter(has_text="revoked")).to_be_visible()
    expect(links).to_have_count(count - 1)
    seen = visitor.new_page()
    answer = seen.goto(link)
    assert answer is not None
    assert answer.status == 410
    expect(seen.get_by_role("heading", name="This link shows nothing")).to_be_visible()


def test_link_is_made_and_opened_without_scripts(browser: Browser, server: Server, path: str) -> None:
    with browser.new_context(base_url=server.url, java_script_enabled=False) as context:
        page = context.new_page()
        link = link_of(page, path)
        page.goto(link)
        expect(page.get_by_role("rowheader", name="cat")).to_be_visible()
