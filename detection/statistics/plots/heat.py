"""Heat map of counts, written by the page as an HTML table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """Count in a cell. level: 0 for none, then 1 to LEVELS by its share of the largest; href: what it links to."""

    count: int
    level: int
    href: str = ""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """Row of the table; name: None for all names without a row of their own."""

    name: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Table of a heat map. columns: their names, None for all without a column of their own."""

    columns: tuple[str | None, ...]
    rows: tuple[HeatRow, ...]


def heat_table(
    counts: Mapping[tuple[str, str], int], most: int, hrefs: Mapping[tuple[str | None, str | None], str] | None = None
) -> HeatTable:
    """Build a table of counts by row and column, the largest first. most: names on each side, the others are added
    up. hrefs: what a cell links to.
    """
    rows = _order(counts, 0, most)
    columns = _order(counts, 1, most)
    cells: Counter[tuple[str | None, str | None]] = Counter()
    for (row, column), count in counts.items():
        cells[row if row in rows else None, column if column in columns else None] += count
    links = hrefs or {}
    largest = max(cells.values(), default=0)
    return HeatTable(
        columns,
        tuple(
            HeatRow(
                row,
                tuple(_cell(cells[row, column], largest, links.get((row, column), "")) for column in columns),
            )
            for row in rows
        ),
    )


def _order(counts: Mapping[tuple[str, str], int], side: int, most: int) -> tuple[str | None, ...]:
    totals: Counter[str] = Counter()
    for names, count in counts.items():
        totals[names[side]] += count
    ordered = sorted(totals, key=lambda name: (-totals[name], name))
    return tuple(ordered) if len(ordered) <= most else (*ordered[: most - 1], None)


def _cell(count: int, largest: int, href: str) -> Cell:
    return Cell(count, -(-count * LEVELS // largest) if largest else 0, href)
