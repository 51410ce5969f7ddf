"""Columns: their heights against the counts, their places against their number."""

import pytest

from detection.statistics.plots.columns import FIELD_PX, LINE_PX, Column, Tick, stacked_columns
from detection.statistics.plots.svg import Caption, Element
from tests.statistics.plots.reading import all_of, parsed, rects, share, texts

CAPTION = Caption("photos", "Photos <by day>", "Two parts & more")
SERIES = ("with", "without")


def plot_of(*columns: tuple[int, int], ticks: tuple[Tick, ...] = ()) -> Element:
    made = [Column(counts, f"column {place}") for place, counts in enumerate(columns)]
    return parsed(stacked_columns(CAPTION, made, ticks, SERIES, lambda count: f"{count} photos"))


def test_heights_are_in_proportion_to_counts_and_the_axis() -> None:
    root = plot_of((30, 10), (80, 0), (0, 20))
    with_objects, without = rects(root, "with"), rects(root, "without")
    assert texts(root, "plot-scale") == ["0 photos", "20 photos", "40 photos", "60 photos", "80 photos"]
    assert [one.height for one in with_objects] == pytest.approx([FIELD_PX * 30 / 80, FIELD_PX])
    assert [one.height for one in without] == pytest.approx([FIELD_PX * 10 / 80, FIELD_PX * 20 / 80])


def test_parts_stand_on_each_other_and_on_the_axis() -> None:
    root = plot_of((30, 10), (0, 20))
    lower, upper = rects(root, "with")[0], rects(root, "without")[0]
    axis = float(all_of(root, "line", "plot-axis")[0].get("y1", ""))
    assert lower.y + lower.height == pytest.approx(axis)
    assert upper.y + upper.height == pytest.approx(lower.y)
    alone = rects(root, "without")[1]
    assert alone.y + alone.height == pytest.approx(axis)


def test_scale_stands_at_the_height_of_its_counts() -> None:
    root = plot_of((4, 0))
    lines = {
        text: float(one.get("y", ""))
        for text, one in zip(texts(root, "plot-scale"), all_of(root, "text", "plot-scale"), strict=True)
    }
    top = rects(root, "with")[0].y
    assert lines["4 photos"] == pytest.approx(top)
    assert lines["0 photos"] - lines["4 photos"] == pytest.approx(FIELD_PX)


@pytest.mark.parametrize("count", [1, 7, 92])
def test_columns_share_the_width_and_keep_apart(count: int) -> None:
    root = plot_of(*[(5, 1)] * count)
    places, columns = rects(root, "plot-place"), rects(root, "with")
    assert places[-1].x + places[-1].width == pytest.approx(1, abs=1e-4)
    for place, column in zip(places, columns, strict=True):
        assert place.x < column.x < column.x + column.width < place.x + place.width
        assert column.x - place.x == pytest.approx(place.x + place.width - column.x - column.width, abs=1e-4)


def test_no_count_has_no_part_but_can_be_pointed_at() -> None:
    root = plot_of((0, 0), (3, 0))
    assert (len(rects(root, "with")), len(rects(root, "without"))) == (1, 0)
    assert [one.height for one in rects(root, "plot-place")] == [FIELD_PX, FIELD_PX]
    assert [title.text for title in all_of(root, "title")][1:] == ["column 0", "column 1"]


def test_ticks_at_the_edges_do_not_stick_out() -> None:
    root = plot_of((1, 1), ticks=(Tick(0.0, "first"), Tick(0.5, "middle"), Tick(1.0, "last")))
    found = all_of(root, "text", "plot-tick")
    assert [(one.text, share(one.get("x")), one.get("text-anchor")) for one in found] == [
        ("first", 0.0, "start"),
        ("middle", 0.5, "middle"),
        ("last", 1.0, "end"),
    ]
    assert texts(root, "between") == ["middle"]


def test_title_and_description_are_those_that_the_picture_is_called_by() -> None:
    root = plot_of((1, 1))
    assert root.get("role") == "img"
    named = {one.get("id"): one.text for one in root.iter() if one.get("id")}
    assert named[root.get("aria-labelledby")] == CAPTION.title
    assert named[root.get("aria-describedby")] == CAPTION.description


def test_policy_of_the_site_is_kept() -> None:
    assert [one.tag for one in plot_of((1, 1)).iter() if "style" in one.attrib or "script" in one.tag] == []


def test_ticks_keep_a_line_apart_from_the_lowest_count() -> None:
    root = plot_of((4, 0), ticks=(Tick(0.0, "first"), Tick(1.0, "last")))
    (zero,) = [one for one in all_of(root, "text", "plot-scale") if one.text == "0 photos"]
    for tick in all_of(root, "text", "plot-tick"):
        # From the middle of one line to the baseline of the other.
        assert float(tick.get("y", "")) - float(zero.get("y", "")) >= 1.5 * LINE_PX
        assert float(root.get("height", "")) - float(tick.get("y", "")) >= 0.4 * LINE_PX
