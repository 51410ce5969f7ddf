"""Parts of a figure of the dashboard."""

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.safestring import SafeString

from detection.statistics.plots.heat import HeatTable


class Linked(NamedTuple):
    """Number of a table that leads to what it counts."""

    text: str
    href: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class DataTable:
    """Numbers of a figure as text, for readers who cannot or do not want to see it; the first cell is the row's
    head.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | Linked, ...], ...]


@dataclass(frozen=True, slots=True)
class Legend:
    """A series: the CSS class of its parts, and its name."""

    series: str
    name: str


@dataclass(frozen=True, slots=True)
class Figure:
    """Figure of the dashboard. key: the table of the API with its numbers. svg, heat: the plot; neither where there is
    no data.

    empty: the text in that case. is_wide: it takes the whole width of the page.
    """

    key: str
    title: str
    hint: str
    empty: str = ""
    svg: SafeString | None = None
    heat: HeatTable | None = None
    legend: tuple[Legend, ...] = ()
    table: DataTable | None = None
    is_wide: bool = False


def series_class(place: int) -> str:
    """Return the CSS class of a series, from place 0 on."""
    return f"plot-series-{place + 1}"


OTHERS_SERIES = "plot-series-others"
