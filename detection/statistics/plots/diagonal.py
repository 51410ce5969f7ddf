"""Reliability diagram: shares that are right over scores, beside the diagonal on which both are equal."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from detection.statistics.intervals import Interval
from detection.statistics.plots.columns import FIELD_PX, LINE_PX
from detection.statistics.plots.svg import QUARTERS, Caption, Element, add, add_level, add_tick, percent, plot

_TOP_PX = 10.0
_DOT_PX = 5.0


@dataclass(frozen=True, slots=True)
class Point:
    """Share of a bin. low, high: its edges; score: its mean score; all 0 to 1. tooltip: shown on hover."""

    low: float
    high: float
    score: float
    right: float
    interval: Interval
    tooltip: str


def reliability_diagram(
    caption: Caption, points: Sequence[Point], curve: Sequence[tuple[float, float]], scale: Sequence[str]
) -> Element:
    """Draw points with their intervals, the diagonal, and a curve through (score, probability).

    scale: the texts at the quarters of both axes, from 0 to 1.
    """
    root = plot(caption, _TOP_PX + FIELD_PX + 2 * LINE_PX, "plot-columns plot-reliability")
    for at, text in zip(QUARTERS, scale, strict=True):
        add_level(root, text, _y(at), is_axis=not at)
        add_tick(root, text, at, _TOP_PX + FIELD_PX + 1.5 * LINE_PX)
    add(root, "line", class_="plot-diagonal", x1="0", x2="100%", y1=_y(0), y2=_y(1))
    for (x0, y0), (x1, y1) in pairwise(curve):
        add(root, "line", class_="plot-curve", x1=percent(x0), x2=percent(x1), y1=_y(y0), y2=_y(y1))
    for point in points:
        group = add(root, "g", class_="plot-column")
        add(group, "title").text = point.tooltip
        place = {"x": percent(point.low), "width": percent(point.high - point.low)}
        add(group, "rect", class_="plot-place", y=_TOP_PX, height=FIELD_PX, **place)
        x = percent(point.score)
        low, high = _y(point.interval.low), _y(point.interval.high)
        add(group, "line", class_="plot-interval", x1=x, x2=x, y1=low, y2=high)
        add(group, "circle", class_="plot-dot", cx=x, cy=_y(point.right), r=_DOT_PX)
    return root


def _y(share: float) -> float:
    return _TOP_PX + FIELD_PX * (1 - share)
