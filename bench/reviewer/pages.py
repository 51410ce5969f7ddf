"""Hands of the reviewer: the same plan on the page of today, and on that of the version before."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from playwright.sync_api import Page, expect

from bench.reviewer.truth import Box, Plan

WAIT_MS = 20_000
# A list that is longer than the screen is shown one screen after the other.
MOST_SCREENS = 20
# A place of the screen that picks an object: its chip, else a point of its box that no smaller box and no chip covers.
# In whole pixels, as a mouse has them.
_PLACE_OF = """
(key) => {
  const boxes = [...document.querySelectorAll(".stage .box")].map((group) => {
    const { left, top, width, height } = group.querySelector(".box-line").getBoundingClientRect();
    return { key: group.dataset.key, left, top, width, height };
  });
  const holds = (box, x, y) => x > box.left && x < box.left + box.width && y > box.top && y < box.top + box.height;
  const picked = (x, y) => {
    const chip = document.elementFromPoint(x, y)?.closest(".chip-label");
    const area = ({ width, height }) => width * height;
    const inside = boxes.filter((box) => holds(box, x, y)).sort((one, other) => area(one) - area(other));
    return chip?.dataset.key ?? inside[0]?.key;
  };
  const label = `.stage .chip-label[data-key="${key}"]:not(.without-room)`;
  const chip = document.querySelector(label)?.getBoundingClientRect();
  const box = boxes.find((one) => one.key === key);
  const shares = [...Array(15).keys()].map((number) => (number + 1) / 16);
  const within = (right, down) => [box.left + right * box.width, box.top + down * box.height];
  const points = shares.flatMap((down) => shares.map((right) => within(right, down)));
  const places = chip === undefined ? points : [[chip.x + chip.width / 2, chip.y + chip.height / 2], ...points];
  return places.map((place) => place.map(Math.round)).find(([x, y]) => picked(x, y) === key) ?? null;
}
"""
_SCREEN_POINT = """
([x, y]) => {
  const svg = document.querySelector(".stage-svg");
  const point = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
  const { left, top, right, bottom } = svg.getBoundingClientRect();
  return [Math.min(Math.max(point.x, left + 1), right - 1), Math.min(Math.max(point.y, top + 1), bottom - 1)];
}
"""
_IS_ENLARGED = "(svg) => svg.viewBox.baseVal.width < svg.querySelector('image').width.baseVal.value"
_HANDLES = """
() => [...document.querySelectorAll(".stage .handle")].map((handle) => {
  const { x, y, width, height } = handle.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
})
"""


class Hands(Protocol):
    """Actions of the reviewer at a page."""

    actions: int

    def ghosts(self) -> list[str]: ...

    def carry_out(self, plan: Plan) -> None: ...


class Counting:
    """Counts keys that are pressed, clicks, drags and turns of the wheel, one each; each letter is a key."""

    def __init__(self, page: Page, classes: Sequence[str]) -> None:
        self.page = page
        self.classes = list(classes)
        self.recent: list[str] = []
        self.actions = 0

    def press(self, key: str) -> None:
        """Press a key."""
        self.actions += 1
        self.page.keyboard.press(key)

    def click(self, x: float, y: float, button: Any = "left") -> None:
        """Click a place of the screen."""
        self.actions += 1
        self.page.mouse.click(x, y, button=button)

    def click_row(self, key: str) -> None:
        """Click the row of an object; a row that is out of sight takes a turn of the wheel before."""
        row = self.row(key)
        if not row.evaluate(
            "(one) => { const r = one.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; }"
        ):
            self.actions += 1
            row.scroll_into_view_if_needed()
        self.actions += 1
        row.click()

    def row(self, key: str) -> Any:
        """Return the row of an object."""
        raise NotImplementedError

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw from one place of the screen to another."""
        self.actions += 1
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        self.page.mouse.move(*end)
        self.page.mouse.up()

    def choose(self, name: str, without: str | None = None) -> None:
        """Type as much of a class's name as makes it the first one of the palette, and take it."""
        expect(self.page.locator("[data-palette-input]")).to_be_focused(timeout=WAIT_MS)
        for letters in range(len(name) + 1):
            if self._first(name[:letters], without) == name:
                break
        for letter in name[:letters]:
            self.press(letter)
        self.press("Enter")
        expect(self.page.locator("[data-palette]")).to_be_hidden(timeout=WAIT_MS)
        self.recent = [name, *(one for one in self.recent if one != name)]

    def _first(self, typed: str, without: str | None) -> str | None:
        names = [one for one in dict.fromkeys([*self.recent, *self.classes]) if one != without]
        begins = [one for one in names if one.startswith(typed)]
        return next(iter([*begins, *(one for one in names if typed in one)]), None)

    def corners(self, box: Box) -> list[tuple[float, float]]:
        """Return the corners of a box on the screen, opposite ones two places apart."""
        right, bottom = box.x + box.width, box.y + box.height
        places = [(box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom)]
        points = [self.page.evaluate(_SCREEN_POINT, place) for place in places]
        return [(point[0], point[1]) for point in points]

    def shown(self) -> str:
        """Return the id of the photo that is shown."""
        return self.page.url.split("/review/")[1].split("/")[0]

    def is_at(self, uuid: str) -> bool:
        """Return whether this photo is still shown, when the page has settled."""
        self.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 30))")
        return self.shown() == uuid and self.page.locator("[data-review]").is_visible()


class FormerPage(Counting):
    """The page before weaker objects were shown: a mode for drawing, a class for each drawn box."""

    def ghosts(self) -> list[str]:
        """Return none: it shows no weaker objects."""
        return []

    def row(self, key: str) -> Any:
        """Return the row of an object; they are in the order of the keys."""
        return self.page.locator(".judged-row").nth(int(key))

    def carry_out(self, plan: Plan) -> None:
        """Draw what was missed, mend what is wrong, and end the photo."""
        uuid = self.shown()
        for box in plan.missed:
            self.press("d")
            expect(self.page.locator(".edited-box")).to_have_count(1)
            corners = self.corners(box)
            # The box in the middle has handles, and is moved from within.
            self.drag(*self._free(corners))
            self.press("Enter")
            self.choose(box.class_name)
        for key in sorted([*plan.rejected, *plan.relabelled], key=int):
            if self._current() != int(key):
                self.click_row(key)
            if key in plan.rejected:
                self.press("x")
            else:
                self.press("r")
                own = self.row(key).locator("strong").inner_text()
                self.choose(plan.relabelled[key], own)
        if self.is_at(uuid):
            # Not on a button, which Enter would press.
            self.page.evaluate("() => document.activeElement.blur()")
            self.press("Enter")

    def _free(self, corners: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
        # At once: an answer of the server draws the box anew.
        edited = self.page.evaluate("() => document.querySelector('.edited-box').getBoundingClientRect().toJSON()")
        for number, (x, y) in enumerate(corners):
            near_x = edited["x"] - 17 <= x <= edited["x"] + edited["width"] + 17
            near_y = edited["y"] - 17 <= y <= edited["y"] + edited["height"] + 17
            if not (near_x and near_y):
                return corners[number], corners[(number + 2) % 4]
        # All corners lie on the box: it is drawn small elsewhere first, which is one more action.
        stage = self.page.locator(".stage-svg").bounding_box()
        assert stage is not None
        left = stage["x"] + 3, stage["y"] + 3
        self.drag(left, (left[0] + 12, left[1] + 12))
        return corners[2], corners[0]

    def _current(self) -> int:
        rows = self.page.locator(".judged-row")
        current = [rows.nth(place).get_attribute("aria-current") for place in range(rows.count())]
        return current.index("true") if "true" in current else -1


class NewPage(Counting):
    """The page that shows weaker objects, and draws without a mode."""

    def ghosts(self) -> list[str]:
        """Return the keys of the weaker objects that are shown."""
        keys = self.page.locator(".stage .box.ghost").evaluate_all("(all) => all.map((one) => one.dataset.key)")
        return [str(key) for key in keys]

    def row(self, key: str) -> Any:
        """Return the row of an object."""
        return self.page.locator(f'.judged-row[data-row="{key}"]')

    def carry_out(self, plan: Plan) -> None:
        """Accept, draw, mend, and end the photo."""
        uuid = self.shown()
        for key in plan.accepted:
            self._pick(key)
        for box in plan.missed:
            self._draw(box)
        for key, name in plan.relabelled.items():
            self._pick(key)
            self._give(name, self.row(key).locator("strong").inner_text())
        for key in plan.rejected:
            if self.is_at(uuid):
                self._pick(key, button="right")
        for _ in range(MOST_SCREENS):
            if not self.is_at(uuid):
                break
            self.press("Enter")

    def _pick(self, key: str, button: Any = "left") -> None:
        place = self.page.evaluate(_PLACE_OF, key)
        if place is not None:
            self.click(place[0], place[1], button)
        elif button == "left":
            self.click_row(key)
        else:
            self.click_row(key)
            self.press("x")
        if button == "left":
            expect(self.row(key)).to_have_attribute("aria-current", "true", timeout=WAIT_MS)

    def _draw(self, box: Box) -> None:
        corners = self.corners(box)
        turns = 0
        while min(abs(corners[0][0] - corners[2][0]), abs(corners[0][1] - corners[2][1])) < 8 and turns < 6:
            middle = (corners[0][0] + corners[2][0]) / 2, (corners[0][1] + corners[2][1]) / 2
            self.page.mouse.move(*middle)
            self.page.mouse.wheel(0, -600)
            self.actions += 1
            turns += 1
            self.page.evaluate(
                "() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
            )
            corners = self.corners(box)
        corners = self._brought_in(box, corners)
        added = self.page.locator(".judged-row.added")
        before = added.count()
        start, end = self._free(corners)
        newest = self._brush()
        self.drag(start, end)
        if newest is None:
            self.choose(box.class_name)
        expect(added).to_have_count(before + 1, timeout=WAIT_MS)
        if newest is not None and newest != box.class_name:
            self._give(box.class_name, newest)
        if turns:
            self.press("f")

    def _brought_in(self, box: Box, corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """Move the photo where a part of the box is out of sight."""
        sides = self.page.locator(".stage-svg").bounding_box()
        assert sides is not None
        middle = sides["x"] + sides["width"] / 2, sides["y"] + sides["height"] / 2
        if all(
            sides["x"] + 2 < x < sides["x"] + sides["width"] - 2
            and sides["y"] + 2 < y < sides["y"] + sides["height"] - 2
            for x, y in corners
        ):
            return corners
        if not self.page.locator(".stage-svg").evaluate(_IS_ENLARGED):
            return corners
        self.page.keyboard.down("Shift")
        self.drag(corners[0], middle)
        self.page.keyboard.up("Shift")
        return self.corners(box)

    def _brush(self) -> str | None:
        pressed = self.page.locator('.class-key[aria-pressed="true"]')
        return pressed.get_attribute("data-class") if pressed.count() else None

    def _give(self, name: str, own: str) -> None:
        """Give the current object a class: by its number, where it was used lately."""
        key = self.page.locator(f'.class-key[data-class="{name}"]')
        if key.count():
            self.press(str(key.get_attribute("aria-keyshortcuts")))
        else:
            self.press("r")
            self.recent = self.page.evaluate(
                "() => JSON.parse(localStorage.getItem('review-classes') ?? '{\"last\": []}').last"
            )
            self.choose(name, own)

    def _free(self, corners: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
        handles = self.page.evaluate(_HANDLES)
        for number, (x, y) in enumerate(corners):
            if all(abs(x - one[0]) > 12 or abs(y - one[1]) > 12 for one in handles):
                return corners[number], corners[(number + 2) % 4]
        self.press("Escape")
        return corners[0], corners[2]


def hands_at(page: Page) -> FormerPage | NewPage:
    """Return the hands for the page that is open."""
    expect(page.locator("[data-review][data-ready]")).to_be_visible(timeout=WAIT_MS)
    classes = page.evaluate("() => JSON.parse(document.querySelector('#review-data').textContent).classes")
    is_new = page.locator("[data-class-keys]").count() > 0
    return (NewPage if is_new else FormerPage)(page, classes)


def wait_for_photo(page: Page, uuid: str) -> None:
    """Wait until a photo is on the screen."""
    page.wait_for_url(re.compile(uuid), timeout=WAIT_MS)
    if page.locator("[data-class-keys]").count():
        expect(page.locator("[data-review]")).to_have_attribute("data-shown", uuid, timeout=WAIT_MS)
    page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
