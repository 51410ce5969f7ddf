"""Rollup counters of the history, updated as it grows: a dashboard sums days and months, not a million rows.

They change in the transaction of the counted rows, so they are always exact; `indexing.rebuild` counts anew.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date
from typing import Any, NamedTuple

from django.db import connection

from detection.models import DetectedObject, Detection, Tally

SCORE_BINS = 20
_COLUMNS = ("kind", "span", "day", "class_name", "detail", "source", "model_name", "owner_id")
_ROW = f"({', '.join(['%s'] * (len(_COLUMNS) + 1))})"
# SQLite takes 32,766 values in a statement.
_ROWS_AT_ONCE = 500
# Each step finds the next class by the index `entry_newest`: its cost grows with the classes, not with the rows. SQLite
# needs the indexes named.
_CLASSES = """
WITH RECURSIVE listed(name) AS (
    SELECT (SELECT class_name FROM detection_listentry{by_class} WHERE class_name > '' ORDER BY class_name LIMIT 1)
    UNION ALL
    SELECT (
        SELECT class_name FROM detection_listentry{by_class}
        WHERE class_name > listed.name
        ORDER BY class_name LIMIT 1
    )
    FROM listed WHERE listed.name IS NOT NULL
)
SELECT name FROM listed WHERE (
    SELECT 1 FROM detection_listentry{by_owner}
    WHERE class_name = listed.name AND highest > 0{of_owner}
    AND detection_id NOT IN (SELECT detection_id FROM detection_removal)
    LIMIT 1
) = 1
"""
_OF_OWNER = " AND owner_id = %(owner_id)s"


class Key(NamedTuple):
    """Columns that identify a row of `Tally`."""

    kind: str
    day: date
    class_name: str
    detail: str
    source: str
    model_name: str
    owner_id: int


def key_of(detection: Detection, kind: str, class_name: str = "", detail: str = "") -> Key:
    """Return the counter's row for a property of a detection."""
    day = detection.created_at.astimezone(UTC).date()
    return Key(kind, day, class_name, detail, detection.source, detection.model_name, detection.owner_id or 0)


def counts_of(detection: Detection, reported: Iterable[DetectedObject]) -> Counter[Key]:
    """Return the counts of a new detection. reported: its objects above the threshold."""
    counts: Counter[Key] = Counter()
    for found in reported:
        counts[key_of(detection, Tally.Kind.OBJECT, found.class_name)] += 1
        counts[key_of(detection, Tally.Kind.SCORE, detail=score_bin(found.probability))] += 1
    if not counts:
        counts[key_of(detection, Tally.Kind.EMPTY)] = 1
    counts[key_of(detection, Tally.Kind.PHOTO)] = 1
    return counts


def score_bin(probability: float) -> str:
    """Return the twentieth that a probability lies in, from "00" on; 1 lies in the last one."""
    return f"{min(int(probability * SCORE_BINS), SCORE_BINS - 1):02d}"


def class_names(owner_id: int | None = None) -> list[str]:
    """Return every class of an object in the history, as people have corrected it, alphabetically; of one owner, if
    given.
    """
    with connection.cursor() as cursor:
        cursor.execute(*class_names_query(owner_id))
        return sorted(name for (name,) in cursor.fetchall())


def class_names_query(owner_id: int | None) -> tuple[str, dict[str, Any]]:
    """Return the statement of `class_names`, with its parameters."""
    by_class, by_owner = "", ""
    if connection.vendor == "sqlite":
        by_class = " INDEXED BY entry_newest"
        by_owner = by_class if owner_id is None else " INDEXED BY entry_owner"
    statement = _CLASSES.format(by_class=by_class, by_owner=by_owner, of_owner="" if owner_id is None else _OF_OWNER)
    return statement, {} if owner_id is None else {"owner_id": owner_id}


def add(counts: Mapping[Key, int]) -> None:
    """Add to the rows, within the caller's transaction; always in the same order, so that there is no deadlock."""
    spans: Counter[tuple[str, Key]] = Counter()
    for key, count in counts.items():
        spans[Tally.Span.DAY, key] += count
        spans[Tally.Span.MONTH, key._replace(day=key.day.replace(day=1))] += count
    rows = [
        (key.kind, str(span), connection.ops.adapt_datefield_value(key.day), *key[2:], count)
        for (span, key), count in sorted(spans.items())
        if count
    ]
    with connection.cursor() as cursor:
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            cursor.execute(*_addition(rows[first : first + _ROWS_AT_ONCE]))


def _addition(rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    columns = ", ".join(_COLUMNS)
    statement = (
        f"INSERT INTO detection_tally ({columns}, count) VALUES {', '.join([_ROW] * len(rows))} "  # noqa: S608 (no value in it)
        f"ON CONFLICT ({columns}) DO UPDATE SET count = detection_tally.count + excluded.count"
    )
    return statement, [value for row in rows for value in row]
