"""Every page by keyboard alone, and at 200 %: what Tab reaches, what shows the focus, what Escape closes."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from detection.conf import BASE_DIR
from tests.browser import test_accessibility
from tests.browser.conftest import TIMEOUT_MS
from tests.support.serving import Server, running_server, server_environment

pytestmark = pytest.mark.browser
# Collects the controls of a page, or of its open dialogue, in the order of the source, and returns a name for each. A
# control is what Tab stops at: radio buttons of a group are one, and so are photos that the arrows walk through.
COLLECT = """
() => {
  const within = document.querySelector("dialog:modal") ?? document;
  const isControl = (one) => one.tabIndex >= 0 && !one.matches(":disabled, [type=hidden]")
    && one.closest("[inert]") === null && one.checkVisibility({ visibilityProperty: true });
  const isStop = (one) => {
    if (one.type !== "radio") {
      return true;
    }
    const radios = [...within.querySelectorAll("[type=radio]")];
    const group = radios.filter(({ name, form }) => name === one.name && form === one.form);
    return one === (group.find(({ checked }) => checked) ?? group[0]);
  };
  const all = within.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]");
  window.controls = [...all].filter((one) => isControl(one) && isStop(one));
  return window.controls.map((one) => {
    const text = one.getAttribute("aria-label") ?? (one.labels?.[0]?.textContent || one.textContent || one.name);
    return `${one.localName}.${one.id || one.className} "${text.trim().replace(/\\s+/g, " ").slice(0, 40)}"`;
  });
}
"""
# The control that has the focus: its place among them, whether an outline shows it, and what hides it.
LOOK = """
() => {
  const one = document.activeElement;
  if (one === null || one === document.body) {
    return null;
  }
  const isOutlined = (part) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(part);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  // A hidden field of files is shown by what follows it.
  const parts = [one, ...(one.labels ?? []), ...(one.type === "file" ? [one.nextElementSibling] : [])];
  const box = (parts.find((part) => part.getBoundingClientRect().width > 2) ?? one).getBoundingClientRect();
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
  let hidden = "";
  if (right - left < 1 || bottom - top < 1) {
    hidden = "outside of the window";
  } else {
    const points = [0.1, 0.3, 0.5, 0.7, 0.9].flatMap((x) => [0.2, 0.5, 0.8].map((y) => [x, y]));
    const at = ([x, y]) => document.elementFromPoint(left + (right - left) * x, top + (bottom - top) * y);
    const found = points.map(at);
    if (!found.some((other) => parts.some((part) => part.contains(other)))) {
      hidden = `under ${found[7]?.localName}.${found[7]?.className}`;
    }
  }
  const name = `${one.localName}.${one.id || one.className}`;
  return { place: window.controls.indexOf(one), name, outlined: parts.some(isOutlined), hidden };
}
"""
# Controls beside each other that a reader meets in another order than Tab does, places: pairs of names.
MISPLACED = """
(places) => {
  const wrong = [];
  const last = new Map();
  for (const one of places.map((place) => window.controls[place])) {
    const before = last.get(one.parentElement);
    last.set(one.parentElement, one);
    if (before === undefined || getComputedStyle(one).position === "absolute") {
      continue;
    }
    const [a, b] = [before, one].map((part) => part.getBoundingClientRect());
    const isAbove = b.bottom <= a.top + 1 && b.left < a.right;
    const isLeft = b.right <= a.left + 1 && b.top < a.bottom && b.bottom > a.top;
    if (isAbove || isLeft) {
      wrong.push([before.textContent.trim(), one.textContent.trim()]);
    }
  }
  return wrong;
}
"""
BEGIN = """
() => {
  const start = document.querySelector("dialog:modal") ?? document.body;
  start.tabIndex = -1;
  start.focus();
  start.removeAttribute("tabindex");
}
"""
# Buttons that change only the page.
BUTTONS = "main button[type=button]:not([data-act], [data-do], [data-what], [data-say])"
# From there on, photos of the gallery have no elements: more than in grid.js.
NEAR_PX = 2000
IS_FOCUSED = "(one) => one === document.activeElement"
HAS_FOCUS = "() => document.activeElement !== document.body && document.activeElement.checkVisibility()"
# Nothing of these leads away from the page, or stays in the database.
UNFOLD = "() => document.querySelectorAll('details:not([data-menu])').forEach((one) => { one.open = true; })"


@dataclass(slots=True)
class Walk:
    """What Tab met: the names of the controls, the places of those with a stop, and what was wrong."""

    controls: list[str]
    places: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, seen: dict[str, Any]) -> None:
        place = seen["place"]
        name = self.controls[place] if place >= 0 else f"{seen['name']}, which is no control"
        # A date has stops inside; a part of the page that scrolls is a stop without being a control.
        if place >= 0 and self.places[-1:] != [place]:
            self.places.append(place)
        if not seen["outlined"]:
            self.faults.append(f"{name} does not show its focus")
        if seen["hidden"]:
            self.faults.append(f"{name} is {seen['hidden']}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the demo history."""
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("keyboard"))}
    with running_server(settings) as running:
        command = [sys.executable, "manage.py", "demo", "load"]
        subprocess.run(command, cwd=BASE_DIR, env=server_environment(settings), check=True, timeout=120)
        yield running


addresses = test_accessibility.addresses


def walk(page: Page, key: str = "Tab") -> Walk:
    """Press Tab from the beginning of a page, or Shift+Tab from its last control, until the focus leaves it."""
    met = Walk(page.evaluate(COLLECT))
    if key != "Tab":
        page.evaluate("() => window.controls.at(-1).focus()")
        met.places.append(len(met.controls) - 1)
    for _ in range(2 * len(met.controls) + 20):
        page.keyboard.press(key)
        seen = page.evaluate(LOOK)
        # From the last control, some windows lead to the first one.
        if seen is None or ([seen["place"]] == met.places[:1] and len(met.places) > 1):
            return met
        met.note(seen)
    met.faults.append("the focus does not leave the page")
    return met


def faults_of(page: Page) -> list[str]:
    """Walk through a page; return what is wrong."""
    # A field with autofocus would be the beginning.
    page.evaluate(BEGIN)
    forth = walk(page)
    everything = list(range(len(forth.controls)))
    misplaced = page.evaluate(MISPLACED, forth.places)
    faults = forth.faults + [f"{first} comes before {second}" for first, second in misplaced]
    if sorted(forth.places) != everything:
        missed = [forth.controls[place] for place in everything if place not in forth.places]
        faults.append(f"Tab goes {forth.places}, without {missed}")
    return faults


def show(page: Page, address: str) -> None:
    page.goto(address, wait_until="networkidle")


def focus_by_tab(page: Page, control: Locator) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if control.evaluate("(one) => one === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {control}")


def test_tab_reaches_every_control_and_its_focus_is_seen(page: Page, addresses: dict[str, str]) -> None:
    found = {}
    for name, address in addresses.items():
        show(page, address)
        page.evaluate(UNFOLD)
        found[name] = faults_of(page)
        back = walk(page, "Shift+Tab")
        if back.places != list(range(len(back.controls)))[::-1]:
            found[name].append(f"Shift+Tab goes {back.places}")
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_photos_far_above_are_reached_by_shift_and_tab(page: Page, addresses: dict[str, str]) -> None:
    show(page, addresses["history"])
    stop = page.locator(".tile-link[tabindex='0']")
    expect(stop).to_be_attached()
    page.evaluate("() => { document.querySelector('.tiles').style.paddingBottom = '9000px'; }")
    page.evaluate("() => { [...document.querySelectorAll('footer button')].at(-1).focus(); }")
    # Two frames: photos that are far away lose their elements in the first one.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("() => document.querySelector('.tiles-block').getBoundingClientRect().bottom") < -NEAR_PX
    for _ in range(5):
        page.keyboard.press("Shift+Tab")
        if page.locator(".tile-check:focus").count() == 1:
            return
    pytest.fail("Shift+Tab passes the photos")


@pytest.mark.parametrize("size", ["window", "text"])
def test_nothing_is_cut_off_or_covered_at_200_percent(
    size: str, browser: Browser, server: Server, addresses: dict[str, str]
) -> None:
    """Zoom of the window, as by Ctrl and plus on 1280 x 900, and zoom of the text alone."""
    viewport: ViewportSize = {"width": 640, "height": 450} if size == "window" else {"width": 1280, "height": 900}
    found = {}
    with browser.new_context(
        base_url=server.url, viewport=viewport, device_scale_factor=2, reduced_motion="reduce"
    ) as context:
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        for name, address in addresses.items():
            show(page, address)
            if size == "text":
                page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
            wider = page.evaluate(test_accessibility.OVERFLOW_PX)
            found[name] = faults_of(page) + ([f"{wider} px too wide"] if wider > 0 else [])
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_press_loses_the_focus(page: Page, addresses: dict[str, str]) -> None:
    lost = []
    for name, address in addresses.items():
        show(page, address)
        for place in range(page.locator(BUTTONS).count()):
            button = page.locator(BUTTONS).nth(place)
            if not button.is_visible() or not button.is_enabled():
                continue
            text = button.inner_text()
            button.focus()
            page.keyboard.press("Enter")
            page.keyboard.press("Escape")
            if not page.evaluate(HAS_FOCUS):
                lost.append((name, text))
                show(page, address)
    assert lost == []


def test_escape_closes_each_menu_and_gives_the_focus_back(page: Page, addresses: dict[str, str]) -> None:
    met = 0
    for address in addresses.values():
        show(page, address)
        if page.locator("[data-gallery]").count() > 0:
            focus_by_tab(page, page.locator(".tile-link").first)
            page.keyboard.press("x")
        for summary in page.locator("[data-menu] > summary").all():
            focus_by_tab(page, summary)
            menu = summary.locator("..")
            page.keyboard.press("Enter")
            expect(menu).to_have_attribute("open", "")
            page.keyboard.press("Tab")
            inside = menu.locator(":focus")
            if inside.count() == 1:
                assert inside.evaluate(HAS_FOCUS)
                page.keyboard.press("Escape")
            else:
                # Nothing to choose in it: the focus went on.
                summary.focus()
            expect(menu).not_to_have_attribute("open", "")
            assert summary.evaluate(IS_FOCUSED)
            page.keyboard.press("Space")
            expect(menu).to_have_attribute("open", "")
            page.keyboard.press("Shift+Tab")
            expect(menu).not_to_have_attribute("open", "")
            met += 1
        if page.locator("[data-gallery]").count() > 0:
            expect(page.locator("[data-selection]")).to_be_visible()
    assert met == 5


def test_escape_closes_each_dialogue_and_gives_the_focus_back(page: Page, addresses: dict[str, str]) -> None:
    met = 0
    for address in addresses.values():
        show(page, address)
        for button in page.locator("[data-keys-open]:visible").all():
            focus_by_tab(page, button)
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog")).to_be_visible()
            assert faults_of(page) == []
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_have_count(0)
            assert button.evaluate(IS_FOCUSED)
            met += 1
    assert met >= 5


def test_class_is_chosen_by_keys_and_the_focus_comes_back(page: Page) -> None:
    show(page, "/review/")
    relabel = page.get_by_role("button", name="Relabel")
    focus_by_tab(page, relabel)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert relabel.evaluate(IS_FOCUSED)
    page.keyboard.press("Enter")
    page.keyboard.type("zebra fish")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("[data-class-keys]")).to_contain_text("zebra fish")
    assert page.evaluate(HAS_FOCUS)


def test_photos_are_selected_and_left_by_keys(page: Page) -> None:
    show(page, "/history/")
    focus_by_tab(page, page.locator(".tile-link").first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("[data-selected]")).to_have_text("2 photos selected")
    chosen = page.evaluate("() => document.activeElement.closest('[data-photo]').dataset.photo")
    focus_by_tab(page, page.get_by_role("button", name="Select nothing"))
    page.keyboard.press("Enter")
    expect(page.locator("[data-selection]")).to_be_hidden()
    assert page.evaluate("() => document.activeElement.closest('[data-photo]').dataset.photo") == chosen


def test_focus_goes_to_the_next_photo_when_one_is_deleted(page: Page) -> None:
    show(page, "/history/")
    focus_by_tab(page, page.locator(".tile-link").first)
    following = page.locator("[data-photo]").nth(1).get_attribute("data-photo")
    page.keyboard.press("x")
    page.keyboard.press("Delete")
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    assert page.evaluate("() => document.activeElement.closest('[data-photo]').dataset.photo") == following
    focus_by_tab(page, undo)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The photos are back.")).to_be_visible()
    assert page.evaluate(HAS_FOCUS)


def test_photos_are_reached_after_scrolling(page: Page) -> None:
    show(page, "/history/")
    page.mouse.wheel(0, 4000)
    expect(page.locator(".tile-link[tabindex='0']")).to_be_in_viewport()
    focus_by_tab(page, page.locator(".tile-link[tabindex='0']"))


def test_photos_are_reached_wherever_one_has_scrolled(page: Page) -> None:
    """Also where of a part of the list that gets its elements together no more than the end is on the screen."""
    show(page, "/history/")
    ends = page.evaluate(
        "() => [...document.querySelectorAll('.tiles-block')].map((one) => one.getBoundingClientRect().bottom)"
    )
    for above in (60, 30, 2):
        page.evaluate("(top) => window.scrollTo({ top, behavior: 'instant' })", ends[0] - above)
        expect(page).to_have_url(re.compile("cursor="))
        expect(page.locator(".tile-link[tabindex='0']")).to_be_in_viewport()


def test_values_of_filters_are_passed_by_arrows(page: Page) -> None:
    """An arrow changes the value at once; the page waits for Enter, or for the focus to go on."""
    show(page, "/review/")
    focus_by_tab(page, page.locator("#review-class"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#review-class").input_value()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**class={chosen}*")
    expect(page.locator("#review-class")).to_be_focused()
    show(page, "/history/")
    focus_by_tab(page, page.locator("#search-probability"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.wait_for_url("**min_probability=0.15*")
    expect(page.locator("#search-filters")).to_be_focused()


def test_photo_is_detected_by_keys_and_its_result_walked_through(page: Page) -> None:
    focus_by_tab(page, page.get_by_role("button", name="Chelsea, a cat"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Open the detection page")).to_be_visible()
    assert page.evaluate(HAS_FOCUS)
    page.evaluate(UNFOLD)
    assert faults_of(page) == []
