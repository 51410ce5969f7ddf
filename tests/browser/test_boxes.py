"""The look of boxes: a colour that belongs to the class, and chips that make way for each other."""

from itertools import combinations
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
# Another number would repaint what people have come to know.
COLOUR_OF = {
    "aeroplane": 12,
    "bicycle": 0,
    "bird": 23,
    "boat": 14,
    "bottle": 6,
    "bus": 18,
    "car": 3,
    "cat": 9,
    "chair": 13,
    "cow": 22,
    "diningtable": 2,
    "dog": 20,
    "horse": 11,
    "motorbike": 15,
    "person": 10,
    "pottedplant": 7,
    "sheep": 19,
    "sofa": 5,
    "train": 8,
    "tvmonitor": 4,
}
PHONE = {"width": 390, "height": 500}
COLOURS = """
async (names) => {
  const { colourOf } = await import("/static/detection/js/boxes/colours.js");
  return names.map(colourOf);
}
"""
PLACES = """
async ([boxes, view]) => {
  const { placeChips } = await import("/static/detection/js/boxes/chips.js");
  return placeChips(boxes, view);
}
"""
CHIPS = [{"width": 90, "height": 18}, {"width": 50, "height": 18}]
# Of each colour: the contrast of a chip's text with its ground, by WCAG 2.2.
CONTRASTS = """
() => {
  const luminance = (colour) => {
    const [red, green, blue] = colour.match(/\\d+/g).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: "/static/detection/css/boxes/boxes.css" });
  document.head.append(link);
  return new Promise((resolve) => link.addEventListener("load", () => resolve([...Array(24).keys()].map((number) => {
    const chip = document.createElement("span");
    chip.className = `colour-${number}`;
    Object.assign(chip.style, { background: "var(--class)", color: "var(--class-ink)" });
    document.body.append(chip);
    const { backgroundColor, color } = getComputedStyle(chip);
    const [ground, ink] = [luminance(backgroundColor), luminance(color)];
    return [backgroundColor, (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05)];
  }))));
}
"""


def box(x: float, y: float, width: float, height: float) -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, "chips": CHIPS}


def covers(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )


def test_class_has_a_colour_of_its_own_by_its_name(page: Page) -> None:
    assert page.evaluate(COLOURS, list(COLOUR_OF)) == list(COLOUR_OF.values())
    assert len(set(COLOUR_OF.values())) == len(COLOUR_OF)
    assert 0 <= page.evaluate(COLOURS, ["волк"])[0] < 24


def test_text_of_a_chip_is_read_on_each_colour(page: Page) -> None:
    contrasts = page.evaluate(CONTRASTS)
    assert len({ground for ground, _ in contrasts}) == 24
    assert min(contrast for _, contrast in contrasts) >= 4.5


@pytest.mark.parametrize("count", [2, 12, 100])
def test_chips_never_cover_each_other_and_stay_on_the_screen(page: Page, count: int) -> None:
    random = Random(count)
    boxes = [
        box(random.uniform(-20, 380), random.uniform(-20, 480), random.uniform(8, 200), random.uniform(8, 200))
        for _ in range(count)
    ]
    placed = [place for place in page.evaluate(PLACES, [boxes, PHONE]) if place is not None]
    assert [pair for pair in combinations(placed, 2) if covers(*pair)] == []
    for place in placed:
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= PHONE["width"]
        assert 0 <= place["y"] <= PHONE["height"] - place["height"]
    assert len(placed) >= min(count, 30)


def test_chip_without_room_gives_up_its_percentage_before_it_goes(page: Page) -> None:
    view = {"width": 95, "height": 40}
    first, second, third = page.evaluate(PLACES, [[box(0, 18, 60, 4)] * 3, view])
    assert (first["choice"], first["y"]) == (0, 0)
    assert second["y"] == 22
    assert third is None
    # Where the whole text is too wide for what is left beside another chip, the name alone is tried.
    beside = page.evaluate(PLACES, [[box(0, 18, 100, 4)] * 2, {"width": 155, "height": 30}])
    assert [place["choice"] for place in beside] == [0, 1]


def test_box_beyond_the_screen_has_no_chip(page: Page) -> None:
    assert page.evaluate(PLACES, [[box(500, 20, 40, 40)], PHONE]) == [None]
