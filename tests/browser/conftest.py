"""A real Chromium in front of a real server."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
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
def chromium(*more_flags: str, environment: Mapping[str, str] | None = None) -> Iterator[Browser]:
    """Chromium, where the machine has one. environment: more variables for it.

    Playwright keeps an event loop in this thread as long as it runs, and other tests may not have one: it ends with the
    block.
    """
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM_NAMES)} is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=[*CHROMIUM_FLAGS, *more_flags], env={**os.environ, **(environment or {})}
        )
        yield launched
        launched.close()


# What sans-serif is on most desktops, and on a bare Debian; the first is wider and taller. Modules that measure layout
# run in both: `pytestmark = IN_BOTH_FONTS`.
FONTS = ("Noto Sans", "DejaVu Sans")
IN_BOTH_FONTS = pytest.mark.parametrize("browser", FONTS, indirect=True)
_FONT_CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <match target="pattern">
    <edit name="family" mode="prepend" binding="strong"><string>{font}</string></edit>
  </match>
</fontconfig>
"""


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of a module, with one font for all texts if the module wants one of FONTS."""
    font = getattr(request, "param", "")
    environment = {} if not font else {"FONTCONFIG_FILE": str(_configuration(font, tmp_path_factory.mktemp("fonts")))}
    with chromium(environment=environment) as launched:
        yield launched


def _configuration(font: str, folder: Path) -> Path:
    """Write a configuration of fontconfig in which every text has a font; skip where it is not installed."""
    path = folder / "fonts.conf"
    path.write_text(_FONT_CONFIGURATION.format(font=font), encoding="utf-8")
    tool = shutil.which("fc-match")
    command = [tool or "fc-match", "--format=%{family}", font]
    if tool is None or font not in subprocess.run(command, capture_output=True, text=True, check=True).stdout:
        pytest.skip(f"the font {font} is not installed (Debian's fonts-noto-core, fonts-dejavu-core)")
    return path


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
