"""A real Chromium in front of a real server."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.photos import real_photo
from tests.support.serving import Server, running_server

# A machine that is busy with other things is slow, not wrong.
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Watch:
    """What a page must not do: complain in the console, violate its policy, or talk to another host."""

    server_url: str
    complaints: list[str] = field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        context.on("console", lambda message: self._say(message.type in {"error", "warning"}, message.text))
        context.on("weberror", lambda error: self._say(True, str(error.error)))
        context.on(
            "request", lambda request: self._say(self._is_foreign(request.url), f"foreign request {request.url}")
        )

    def _say(self, wrong: bool, text: str) -> None:
        if wrong:
            self.complaints.append(text)

    def _is_foreign(self, url: str) -> bool:
        address = urlsplit(url)
        return address.scheme not in {"blob", "data"} and address.netloc != urlsplit(self.server_url).netloc


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all browser tests, with a database and photos of its own."""
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("browser"))}) as running:
        yield running


@contextmanager
def chromium(*more_flags: str) -> Iterator[Browser]:
    """Chromium, where the machine has one.

    Playwright keeps an event loop in this thread as long as it runs, and other tests may not have one: it ends with the
    block.
    """
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM_NAMES)} is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_FLAGS, *more_flags])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module."""
    with chromium() as launched:
        yield launched


@pytest.fixture
def watch(server: Server) -> Watch:
    """Collects what the page of a test must not do; the test looks at `complaints` at its end."""
    return Watch(server.url)


@pytest.fixture
def context(browser: Browser, server: Server, watch: Watch) -> Iterator[BrowserContext]:
    """A fresh profile, on a screen of 1280 x 800."""
    made = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    made.set_default_timeout(TIMEOUT_MS)
    watch.follow(made)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab on the first page."""
    opened = context.new_page()
    opened.goto("/")
    return opened


@pytest.fixture(scope="session")
def chelsea_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of a cat on the disk of the person at the browser."""
    path = tmp_path_factory.mktemp("photos") / "chelsea.jpg"
    path.write_bytes(real_photo("chelsea"))
    return path
