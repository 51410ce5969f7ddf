"""Tables of the statistics for programs: one name and one set of columns for JSON and CSV."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detection.history.counters import SCORE_BINS
from detection.statistics import queries
from detection.statistics.queries import Scope
from detection.web.csv_cells import BYTE_ORDER_MARK, csv_line, escape_formula

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Table. columns: the names of each row's values."""

    columns: tuple[str, ...]
    rows: Callable[[Scope], Iterable[Row]]

    def objects(self, scope: Scope) -> list[dict[str, Any]]:
        """Return each row as an object for JSON."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows(scope)]

    def csv(self, scope: Scope) -> bytes:
        """Return all rows as CSV in UTF-8, escaped so that a spreadsheet takes none for a formula."""
        lines = [self.columns, *self.rows(scope)]
        cells = ([escape_formula(cell) if isinstance(cell, str) else cell for cell in line] for line in lines)
        return BYTE_ORDER_MARK + b"".join(map(csv_line, cells))


def _photos(scope: Scope) -> Iterable[Row]:
    return [(day, count.photos, count.empty) for day, count in queries.photos_over_time(scope).items()]


def _objects(scope: Scope) -> Iterable[Row]:
    return [(day, name, count) for (day, name), count in sorted(queries.objects_over_time(scope).items())]


def _classes(scope: Scope) -> Iterable[Row]:
    return queries.objects_by_class(scope).most_common()


def _scores(scope: Scope) -> Iterable[Row]:
    counts = queries.scores(scope)
    return [(place / SCORE_BINS, (place + 1) / SCORE_BINS, count) for place, count in enumerate(counts)]


def _precision(scope: Scope) -> Iterable[Row]:
    verdicts = queries.verdicts(scope)
    for one in verdicts.judged:
        interval = one.interval
        counts = (one.confirmed, one.corrected, one.rejected, one.relabelled)
        yield (one.class_name, *counts, one.precision, interval.low, interval.high)


def _confusion(scope: Scope) -> Iterable[Row]:
    relabelled = queries.verdicts(scope).relabelled
    return [(model_class, given, count) for (model_class, given), count in relabelled.most_common()]


def _missed(scope: Scope) -> Iterable[Row]:
    return queries.verdicts(scope).added.most_common()


TABLES: Mapping[str, Table] = {
    "photos": Table(("date", "photos", "nothing_found"), _photos),
    "objects": Table(("date", "class", "objects"), _objects),
    "classes": Table(("class", "objects"), _classes),
    "scores": Table(("from", "to", "objects"), _scores),
    "precision": Table(
        (
            "class",
            "confirmed",
            "corrected",
            "rejected",
            "relabelled",
            "precision",
            "precision_low",
            "precision_high",
        ),
        _precision,
    ),
    "confusion": Table(("model_class", "reviewed_class", "objects"), _confusion),
    "missed": Table(("class", "objects"), _missed),
}
