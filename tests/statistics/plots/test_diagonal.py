"""Reliability diagrams: scores across, shares upwards, and the diagonal on which both are equal."""

import pytest

from detection.statistics.intervals import Interval
from detection.statistics.plots.columns import FIELD_PX
from detection.statistics.plots.diagonal import Point, reliability_diagram
from detection.statistics.plots.svg import Caption
from tests.statistics.plots.reading import all_of, parsed, rects, share, texts

CAPTION = Caption("reliability", "Reliability", "Shares by score")
SCALE = ("0 %", "25 %", "50 %", "75 %", "100 %")


def test_points_stand_at_score_and_share_with_their_intervals() -> None:
    points = [
        Point(0.1, 0.2, 0.15, 0.0, Interval(0.0, 0.3), "low"),
        Point(0.9, 1.0, 0.95, 1.0, Interval(0.8, 1.0), "high"),
    ]
    root = parsed(reliability_diagram(CAPTION, points, [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)], SCALE))
    (diagonal,) = all_of(root, "line", "plot-diagonal")
    bottom, top = float(diagonal.get("y1", "")), float(diagonal.get("y2", ""))
    assert bottom - top == FIELD_PX
    assert (share(diagonal.get("x1")), share(diagonal.get("x2"))) == (0.0, 1.0)
    dots = all_of(root, "circle")
    assert [share(one.get("cx")) for one in dots] == pytest.approx([0.15, 0.95])
    assert [float(one.get("cy", "")) for one in dots] == pytest.approx([bottom, top])
    high = all_of(root, "line", "plot-interval")[1]
    assert (float(high.get("y1", "")), float(high.get("y2", ""))) == pytest.approx((top + 0.2 * FIELD_PX, top))
    assert [(one.x, one.width) for one in rects(root, "plot-place")] == [
        pytest.approx((0.1, 0.1)), pytest.approx((0.9, 0.1))
    ]  # fmt: skip
    curve = all_of(root, "line", "plot-curve")
    assert [share(one.get("x2")) for one in curve] == pytest.approx([0.5, 1.0])
    assert float(curve[0].get("y2", "")) == pytest.approx(bottom - 0.25 * FIELD_PX)
    assert [one.text for one in all_of(root, "title")][1:] == ["low", "high"]


def test_both_axes_have_the_scale() -> None:
    root = parsed(reliability_diagram(CAPTION, [], [], SCALE))
    assert texts(root, "plot-scale") == texts(root, "plot-tick") == list(SCALE)
