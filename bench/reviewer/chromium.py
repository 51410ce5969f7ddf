"""Starts the Chromium of this machine, as the scripts of this folder use it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, ViewportSize, sync_playwright

_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_SCREEN = ViewportSize(width=1440, height=900)


@contextmanager
def chromium(url: str, *, script: str = "") -> Iterator[Page]:
    """Yield an empty page of a fresh browser at `url`; `script` runs before the scripts of each page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        try:
            context = browser.new_context(base_url=url, viewport=_SCREEN)
            context.add_init_script(script)
            yield context.new_page()
        finally:
            browser.close()
