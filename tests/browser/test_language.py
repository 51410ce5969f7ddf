"""The pages in a browser that prefers Russian, in another time zone than the server."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.browser.conftest import TIMEOUT_MS, Watch
from tests.support.photos import real_photo
from tests.support.serving import Server

pytestmark = pytest.mark.browser
LONG_AGO = '<time datetime="2026-01-31T23:30:00+00:00" data-moment>31 January 2026, 23:30 UTC</time>'


@pytest.fixture
def russian(browser: Browser, server: Server, watch: Watch) -> Iterator[BrowserContext]:
    made = browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 800}, locale="ru-RU", timezone_id="Asia/Vladivostok"
    )
    made.set_default_timeout(TIMEOUT_MS)
    watch.follow(made)
    yield made
    made.close()


@pytest.fixture
def page(russian: BrowserContext) -> Page:
    opened = russian.new_page()
    opened.goto("/")
    return opened


def motorbike(name: str = "мотоцикл.jpg") -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": real_photo("motorcycle_left")}


def test_photo_is_answered_in_russian(page: Page, watch: Watch) -> None:
    page.locator("#image").set_input_files(motorbike())
    expect(page.locator("[data-result-title]")).to_have_text("Найден 1 объект")
    expect(page.locator("[data-objects] [data-object] th")).to_have_text("мотоцикл")
    expect(page.locator("[data-announce]")).to_have_text("Найден 1 объект, мотоцикл")
    page.get_by_role("link", name="Открыть страницу распознавания").click()
    expect(page.locator(".chip-text:visible")).to_have_text(re.compile(r"^мотоцикл \d+ %$"))
    slider = page.get_by_label("Показывать объекты выше")
    slider.focus()
    slider.press("Home")
    expect(page.locator("[data-result-title]")).to_have_text(re.compile(r"^Найден[о]? \d+ объект"))
    expect(page.locator("[data-classes] label").first).to_contain_text("мотоцикл")
    page.get_by_text("JSON, как его отдаёт API").click()
    expect(page.locator("[data-json]")).to_contain_text('"objectClass": "motorbike"')
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Увеличить фото")
    assert watch.complaints == []


def test_errors_of_the_server_are_told_in_russian(page: Page) -> None:
    page.locator("#image").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no photo"})
    expect(page.locator("[data-error]")).to_contain_text("Фото не читается: оно повреждено")


def test_batch_is_told_in_russian(page: Page, watch: Watch) -> None:
    broken: FilePayload = {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": b"no photo"}
    page.locator("#image").set_input_files([motorbike("a.jpg"), broken])
    expect(page.locator("[data-announce]")).to_have_text("Все фото обработаны: готово — 1, не удалось — 1.")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 фото")
    expect(page.locator("[data-summary]").first).to_have_text("мотоцикл")
    expect(page.locator("[data-summary]").last).to_contain_text("Фото не читается")
    scripted = page.locator("[data-summary]").all_text_contents()
    page.reload()
    expect(page.locator("[data-state-text]").first).to_have_text("Готово")
    assert page.locator("[data-summary]").all_text_contents() == scripted
    assert [text for text in watch.complaints if "400" not in text] == []


def test_switch_keeps_the_page_and_what_scripts_made_of_its_address(page: Page, watch: Watch) -> None:
    page.locator("#image").set_input_files(motorbike())
    page.get_by_role("link", name="Открыть страницу распознавания").click()
    expect(page.locator(".chip-text:visible").first).to_be_visible()
    slider = page.get_by_label("Показывать объекты выше")
    slider.focus()
    slider.press("Home")
    expect(page).to_have_url(re.compile(r"/detections/.*\?threshold=0\.1$"))
    address = page.url
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url == address
    page.get_by_role("link", name="Batches").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")
    page.get_by_role("button", name="Русский").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Пакеты")
    assert watch.complaints == []


@pytest.mark.parametrize(
    ("locale", "zone", "shown"),
    [
        ("ru-RU", "Asia/Vladivostok", r"1 февраля 2026 г\. в 09:30"),
        ("en-GB", "America/New_York", r"31 January 2026 at 18:30"),
        ("en-US", "America/New_York", r"January 31, 2026 at 6:30\sPM"),
    ],
)
def test_moments_are_in_the_zone_and_the_manner_of_the_browser(
    browser: Browser, server: Server, locale: str, zone: str, shown: str
) -> None:
    context = browser.new_context(base_url=server.url, locale=locale, timezone_id=zone)
    page = context.new_page()
    page.route(
        "**/history/",
        lambda route: route.fulfill(
            response=(got := route.fetch()), body=got.text().replace("<h1>", f"{LONG_AGO}<h1>")
        ),
    )
    page.goto("/history/")
    expect(page.locator("[data-moment]")).to_have_text(re.compile(shown))
    context.close()


def test_photo_is_found_on_the_day_on_which_it_is_shown(browser: Browser, server: Server, chelsea: bytes) -> None:
    httpx.post(f"{server.url}/predict", content=chelsea, headers={"Content-Type": "image/jpeg"}).raise_for_status()
    now = datetime.now(UTC)
    # One of the two has another day than UTC at any hour.
    zone = "Pacific/Kiritimati" if now.hour >= 10 else "Pacific/Pago_Pago"
    here = now.astimezone(ZoneInfo(zone)).date()
    context = browser.new_context(base_url=server.url, timezone_id=zone)
    page = context.new_page()
    for day, is_found in ((here, True), (now.date(), False)):
        page.goto("/history/")
        page.get_by_text("Filters", exact=True).click()
        page.get_by_label("From", exact=True).fill(str(day))
        expect(page).to_have_url(re.compile(f"date_from={day}"))
        page.get_by_text("Filters", exact=True).click()
        page.get_by_label("To", exact=True).fill(str(day))
        expect(page).to_have_url(re.compile(f"date_to={day}&zone={zone.replace('/', '%2F')}"))
        tiles = page.locator("[data-photo]")
        expect(tiles.first).to_be_visible() if is_found else expect(tiles).to_have_count(0)
    context.close()
