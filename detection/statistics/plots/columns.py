"""Stacked columns on an axis: counts by day, and histograms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detection.statistics.plots.scales import round_ticks
from detection.statistics.plots.svg import (
    Caption,
    Element,
    add,
    add_level,
    add_link,
    add_tick,
    percent,
    plot,
)

FIELD_PX = 200.0
_TOP_PX = 10.0
# The line of the lowest count is centred on the axis, and that of the ticks begins below it in any font: lines of the
# fonts that systems use are at most 1.4 times as high as their letters, which are of 12 pixels.
LINE_PX = 17.0
_TICK_TEXT_PX = 1.5 * LINE_PX
_TICKS_PX = _TICK_TEXT_PX + 0.5 * LINE_PX
# Share of a column's place; the rest separates neighbours.
_COLUMN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Column:
    """Counts from the bottom up, one for each series, the tooltip, and what each count links to, if anything."""

    counts: tuple[int, ...]
    tooltip: str
    hrefs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """Text below the axis. at: from 0, the left end, to 1."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class _Field:
    """Area in which columns stand. highest: the count at its upper edge."""

    columns: int
    highest: int
    series: Sequence[str]

    def y_at(self, count: int) -> float:
        """Return the vertical position of a count, in pixels."""
        return _TOP_PX + FIELD_PX * (1 - count / self.highest)

    def across(self, place: int, share: float) -> dict[str, str]:
        """Return x and width of a share of a column's place, centred in it."""
        return {"x": percent((place + (1 - share) / 2) / self.columns), "width": percent(share / self.columns)}


def stacked_columns(
    caption: Caption,
    columns: Sequence[Column],
    ticks: Sequence[Tick],
    series: Sequence[str],
    written: Callable[[int], str] = str,
) -> Element:
    """Draw columns from left to right. series: the CSS class of each part; written: formats a number of the axis."""
    root = plot(caption, _TOP_PX + FIELD_PX + _TICKS_PX, "plot-columns")
    marks = round_ticks(max((sum(column.counts) for column in columns), default=0))
    field = _Field(len(columns), marks[-1], series)
    for mark in marks:
        add_level(root, written(mark), field.y_at(mark), is_axis=not mark)
    for place, column in enumerate(columns):
        _add_column(root, field, place, column)
    for number, tick in enumerate(ticks):
        css_class = "plot-tick between" if number % 2 else "plot-tick"
        add_tick(root, tick.text, tick.at, _TOP_PX + FIELD_PX + _TICK_TEXT_PX, css_class)
    return root


def middle_of(place: int, columns: int) -> float:
    """Return the position of the middle of a column, from 0 to 1."""
    return (place + 0.5) / columns


def _add_column(root: Element, field: _Field, place: int, column: Column) -> None:
    group = add(root, "g", class_="plot-column")
    add(group, "title").text = column.tooltip
    # The tooltip covers its whole height, however low the column is.
    add(group, "rect", class_="plot-place", y=_TOP_PX, height=FIELD_PX, **field.across(place, 1.0))
    below = 0
    hrefs = column.hrefs or ("",) * len(column.counts)
    for css_class, count, href in zip(field.series, column.counts, hrefs, strict=True):
        if count:
            top, bottom = field.y_at(below + count), field.y_at(below)
            link = add_link(group, href)
            add(link, "rect", class_=css_class, y=top, height=bottom - top, **field.across(place, _COLUMN_SHARE))
        below += count
