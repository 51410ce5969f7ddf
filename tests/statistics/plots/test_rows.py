"""Rows: lengths against values, dots and intervals against shares."""

import pytest

from detection.statistics.intervals import Interval
from detection.statistics.plots.rows import ROW_PX, Bar, Share, bars, shares
from detection.statistics.plots.svg import Caption
from tests.statistics.plots.reading import all_of, parsed, rects, share, texts

CAPTION = Caption("rows", "Rows", "One for each")
SCALE = ("0 %", "25 %", "50 %", "75 %", "100 %")


def test_bars_are_as_long_as_their_values_against_the_longest() -> None:
    root = parsed(bars(CAPTION, [Bar("cat", 40, "40"), Bar("dog", 10, "10"), Bar("cow", 0, "0")]))
    assert [one.width for one in rects(root, "plot-series-1")] == pytest.approx([1.0, 0.25, 0.0])
    assert texts(root, "plot-name") == ["cat", "dog", "cow"]
    assert texts(root, "plot-value") == ["40", "10", "0"]


def test_bars_of_nothing_have_no_length() -> None:
    assert [one.width for one in rects(parsed(bars(CAPTION, [Bar("cat", 0, "0")])), "plot-series-1")] == [0.0]


def test_rows_are_below_each_other_and_fill_the_plot() -> None:
    root = parsed(bars(CAPTION, [Bar(name, 1, "1") for name in "abc"]))
    assert [one.y for one in rects(root, "plot-place")] == [0.0, ROW_PX, 2 * ROW_PX]
    assert float(root.get("height", "")) == 3 * ROW_PX


def test_dot_stands_at_its_share_and_within_its_interval() -> None:
    rows = [
        Share("cat", 0.9, Interval(0.7, 0.95), "90 %", "cat: 9 of 10"),
        Share("dog", 0.0, Interval(0.0, 0.4), "0 %", "dog: 0 of 5"),
    ]
    root = parsed(shares(CAPTION, rows, SCALE))
    assert [share(one.get("cx")) for one in all_of(root, "circle")] == pytest.approx([0.9, 0.0])
    lines = [(share(one.get("x1")), share(one.get("x2"))) for one in all_of(root, "line", "plot-interval")]
    assert lines == [pytest.approx((0.7, 0.95)), pytest.approx((0.0, 0.4))]
    for dot, line in zip(all_of(root, "circle"), all_of(root, "line", "plot-interval"), strict=True):
        assert dot.get("cy") == line.get("y1") == line.get("y2")
    assert [one.text for one in all_of(root, "title")][1:] == ["cat: 9 of 10", "dog: 0 of 5"]


def test_scale_stands_at_the_quarters() -> None:
    root = parsed(shares(CAPTION, [Share("cat", 1.0, Interval(0.5, 1.0), "", "")], SCALE))
    ticks = [(one.text, share(one.get("x"))) for one in all_of(root, "text", "plot-tick")]
    assert ticks == [("0 %", 0.0), ("25 %", 0.25), ("50 %", 0.5), ("75 %", 0.75), ("100 %", 1.0)]
    assert [share(one.get("x1")) for one in all_of(root, "line", "plot-grid")] == [0.0, 0.25, 0.5, 0.75, 1.0]
