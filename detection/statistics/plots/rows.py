"""Rows with a bar, or with a share and its uncertainty; names stand above, so that the plots have the full width."""

from collections.abc import Sequence
from dataclasses import dataclass

from detection.statistics.intervals import Interval
from detection.statistics.plots.svg import (
    QUARTERS,
    Caption,
    Element,
    add,
    add_link,
    add_text,
    add_tick,
    percent,
    plot,
)

ROW_PX = 40.0
_TEXT_PX = 15.0
_BAR_TOP_PX = 22.0
_BAR_PX = 8.0
_DOT_PX = 5.0
_SCALE_PX = 22.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Row with a bar. value: determines the bar's length; text: the formatted value; href: what it links to."""

    name: str
    value: int
    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Row with a share. value: 0 to 1; text: the formatted value; tooltip: shown on hover; href: what it links to."""

    name: str
    value: float
    interval: Interval
    text: str
    tooltip: str
    href: str = ""


def bars(caption: Caption, rows: Sequence[Bar]) -> Element:
    """Draw bars below each other; the longest one has the width of the plot."""
    root = plot(caption, len(rows) * ROW_PX, "plot-rows")
    longest = max((row.value for row in rows), default=0) or 1
    for place, row in enumerate(rows):
        group = _add_row(root, place, row, f"{row.name}: {row.text}")
        top = place * ROW_PX + _BAR_TOP_PX
        add(group, "rect", class_="plot-series-1", x="0", y=top, width=percent(row.value / longest), height=_BAR_PX)
    return root


def shares(caption: Caption, rows: Sequence[Share], scale: Sequence[str]) -> Element:
    """Draw dots on lines from 0 to 1, each with its interval. scale: the texts at the quarters, from 0 to 1."""
    root = plot(caption, len(rows) * ROW_PX + _SCALE_PX, "plot-rows")
    bottom = len(rows) * ROW_PX
    for at, text in zip(QUARTERS, scale, strict=True):
        add(root, "line", class_="plot-grid", x1=percent(at), x2=percent(at), y1=_BAR_TOP_PX, y2=bottom)
        add_tick(root, text, at, bottom + _TEXT_PX)
    for place, row in enumerate(rows):
        group = _add_row(root, place, row, row.tooltip)
        y = place * ROW_PX + _BAR_TOP_PX + _BAR_PX / 2
        add(group, "line", class_="plot-track", x1="0", x2="100%", y1=y, y2=y)
        low, high = row.interval.low, row.interval.high
        add(group, "line", class_="plot-interval", x1=percent(low), x2=percent(high), y1=y, y2=y)
        add(group, "circle", class_="plot-dot", cx=percent(row.value), cy=y, r=_DOT_PX)
    return root


def _add_row(root: Element, place: int, row: Bar | Share, tooltip: str) -> Element:
    top = place * ROW_PX
    group = add(add_link(root, row.href), "g", class_="plot-row")
    add(group, "title").text = tooltip
    add(group, "rect", class_="plot-place", x="0", y=top, width="100%", height=ROW_PX)
    add_text(group, row.name, class_="plot-name", x="0", y=top + _TEXT_PX)
    add_text(group, row.text, class_="plot-value", x="100%", y=top + _TEXT_PX, text_anchor="end")
    return group
