"""Measures the gallery among 10,000 photos in Chromium: its first picture, scrolling through all, finding and
downloading, deleting and undoing.

    python -m bench.reviewer.gallery --annotated FOLDER [--photos 10000] [--name cat] [--rounds 3]

FOLDER: images/ with JPEGs; each is sent again and again, with a comment that makes it a photo of its own.
"""

import argparse
import itertools
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from bench import part
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.reviewer.chromium import chromium
from bench.reviewer.pages import Counting
from bench.servers import our_server

_LONG_TASK_MS, _FIRST_PICTURE_S, _DOWNLOAD_S = 100.0, 1.0, 10.0
_DOWNLOAD_ACTIONS, _UNDO_ACTIONS, _NAME_ACTIONS = 6, 7, 1
_DELETED = 5
_SENDERS = 4
_WHEEL_PX, _TURN_MS, _TURNS_AT_ONCE = 2000, 30, 20
_PART_OF_NAME = 5
_WAIT_MS = 60_000.0
# Tasks of the page's thread above 50 ms, as the browser itself reports them.
_LONG_TASKS = """
window.longTasks = [];
const note = (list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration));
new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
"""
_IS_FIRST_PICTURE_SHOWN = """
() => [...document.querySelectorAll(".tile-picture")].some((one) => one.complete && one.naturalWidth > 0)
"""
_IS_AT_END = "() => scrollY + innerHeight >= document.documentElement.scrollHeight - 2"


@dataclass(frozen=True, slots=True)
class Round:
    """One round: seconds until the first picture, long tasks while scrolling in milliseconds, and what acting took."""

    first_picture_s: float
    long_tasks_ms: tuple[float, ...]
    found: int
    found_s: float
    download_s: float
    download_actions: int
    undo_actions: int
    name_actions: int


def measure(context: Context) -> None:
    """Send the photos; measure each round with a server and a browser that have just started."""
    options = context.options
    with our_server(context.folder, {}) as server:
        context.tell(f"sending {options.photos} photos")
        _send(server.address, sorted((options.annotated / "images").glob("*.jpg")), options.photos)
    rounds = []
    for _ in range(options.rounds):
        with our_server(context.folder, {}) as server, chromium(server.address, script=_LONG_TASKS) as page:
            rounds.append(_round(page, options.name))
        context.tell(str(rounds[-1]))
    _report(context, rounds)


def _send(url: str, paths: Sequence[Path], count: int) -> None:
    """Send each photo in turn until there are `count`, each with a comment and a name of its own."""
    with httpx.Client(base_url=url, timeout=_WAIT_MS / 1000, trust_env=False) as client:

        def send(photo: tuple[int, Path]) -> None:
            number, path = photo
            comment = f"{number:08d}".encode()
            data = path.read_bytes()
            data = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
            files = {"image": (f"{path.stem}_{number:05d}.jpg", data, "image/jpeg")}
            client.post("/api/predict", files=files).raise_for_status()

        with ThreadPoolExecutor(_SENDERS) as pool:
            for _ in pool.map(send, zip(range(count), itertools.cycle(paths), strict=False)):
                pass


class _Hands(Counting):
    """Counts what is done to the gallery."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, ())

    def type(self, text: str) -> None:
        """Type into the search field: one action, as the issue counts."""
        self.actions += 1
        self.page.get_by_role("combobox").fill(text)

    def click_on(self, place: Locator, **more: Any) -> None:
        """Click an element."""
        self.actions += 1
        place.click(**more)


def _round(page: Page, name: str) -> Round:
    started = time.perf_counter()
    page.goto("/history/", wait_until="commit")
    page.wait_for_function(_IS_FIRST_PICTURE_SHOWN, polling=10)
    first_picture_s = time.perf_counter() - started
    page.wait_for_load_state("load")
    long_tasks_ms = _scroll(page)
    found, found_s, download_s, download_actions = _download(page, name)
    return Round(
        first_picture_s,
        long_tasks_ms,
        found,
        found_s,
        download_s,
        download_actions,
        _delete_and_undo(page),
        _find(page),
    )


def _scroll(page: Page) -> tuple[float, ...]:
    """Turn the wheel until the end of all photos; return the long tasks meanwhile."""
    page.mouse.move(700, 500)
    page.evaluate("window.longTasks.length = 0")
    while not page.evaluate(_IS_AT_END):
        for _ in range(_TURNS_AT_ONCE):
            page.mouse.wheel(0, _WHEEL_PX)
            page.wait_for_timeout(_TURN_MS)
    return tuple(page.evaluate("window.longTasks"))


def _download(page: Page, name: str) -> tuple[int, float, float, int]:
    """Find all photos with a class, select them, download them with boxes: their count, seconds, actions."""
    page.goto("/history/")
    before = page.locator("[data-count]").inner_text()
    hands = _Hands(page)
    started = time.perf_counter()
    hands.type(name)
    expect(page.locator("[data-count]")).not_to_have_text(before, timeout=_WAIT_MS)
    found_s = time.perf_counter() - started
    hands.click_on(page.locator("[data-select-matching]"))
    hands.click_on(page.locator("[data-selection] summary", has_text="Download"))
    with page.expect_download(timeout=_WAIT_MS) as download:
        hands.click_on(page.locator("button[data-what=boxes]"))
    with zipfile.ZipFile(download.value.path()) as archive:
        download_s = time.perf_counter() - started
        return len(archive.namelist()), found_s, download_s, hands.actions


def _delete_and_undo(page: Page) -> int:
    """Delete five photos of those found, and undo it; return the actions."""
    hands = _Hands(page)
    before = page.locator("[data-count]").inner_text()
    hands.click_on(page.get_by_role("button", name="Select nothing"))
    hands.click_on(page.locator(".tile-check").nth(0))
    hands.click_on(page.locator(".tile-check").nth(_DELETED - 1), modifiers=["Shift"])
    hands.press("Delete")
    expect(page.locator("[data-count]")).not_to_have_text(before, timeout=_WAIT_MS)
    hands.click_on(page.get_by_role("button", name="Undo"))
    expect(page.locator("[data-count]")).to_have_text(before, timeout=_WAIT_MS)
    return hands.actions


def _find(page: Page) -> int:
    """Find one photo by the end of its name; return the actions."""
    page.goto("/history/")
    hands = _Hands(page)
    hands.type(page.locator(".tile-name").first.inner_text().removesuffix(".jpg")[-_PART_OF_NAME:])
    expect(page.locator("[data-photo]")).to_have_count(1, timeout=_WAIT_MS)
    return hands.actions


def _report(context: Context, rounds: Sequence[Round]) -> None:
    rows = [
        [
            str(turn),
            number(each.first_picture_s),
            str(len(each.long_tasks_ms)),
            number(max(each.long_tasks_ms, default=0.0)),
            str(each.found),
            number(each.found_s),
            number(each.download_s),
        ]
        for turn, each in enumerate(rounds, start=1)
    ]
    columns = ["round", "first picture s", "tasks > 50 ms", "longest ms", "found", "found s", "downloaded s"]
    context.report.tables.append(Table(f"Gallery among {context.options.photos} photos", columns, rows))
    longest = max((max(each.long_tasks_ms, default=0.0) for each in rounds), default=0.0)
    context.report.claims.extend(
        Claim(text, value, wanted, unit, at_most=True)
        for text, value, wanted, unit in (
            ("longest task while scrolling through all photos", longest, _LONG_TASK_MS, "ms"),
            ("first picture", median(each.first_picture_s for each in rounds), _FIRST_PICTURE_S, "s"),
            (
                f"{context.options.name} found and downloaded with boxes",
                median(each.download_s for each in rounds),
                _DOWNLOAD_S,
                "s",
            ),
            ("actions of it", max(each.download_actions for each in rounds), _DOWNLOAD_ACTIONS, ""),
            ("actions to delete five and undo it", max(each.undo_actions for each in rounds), _UNDO_ACTIONS, ""),
            ("actions to find a part of a name", max(each.name_actions for each in rounds), _NAME_ACTIONS, ""),
        )
    )
    context.report.results["rounds"] = [asdict(each) for each in rounds]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotated", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=10_000, help="how many the history has (%(default)s)")
    parser.add_argument("--name", default="cat", help="the class that is found (%(default)s)")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("reviewer.gallery", str(__doc__), measure, rounds=3, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
