"""Numbers of the history that are counted while it grows: a dashboard adds up days, not a million rows.

They change in the transaction of what they count, so they are never behind it; `bookkeeping.rebuild` counts anew.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date
from typing import NamedTuple

from django.db import connection

from detection.models import DetectedObject, Detection, Tally

SCORE_BINS = 20
_COLUMNS = ("kind", "day", "class_name", "detail", "source", "model_name", "owner_id")
_ADD = (
    f"INSERT INTO detection_tally ({', '.join(_COLUMNS)}, count) VALUES ({', '.join(['%s'] * len(_COLUMNS))}, %s) "  # noqa: S608 (no value in it)
    f"ON CONFLICT ({', '.join(_COLUMNS)}) DO UPDATE SET count = detection_tally.count + excluded.count"
)


class Key(NamedTuple):
    """What a row of `Tally` counts."""

    kind: str
    day: date
    class_name: str
    detail: str
    source: str
    model_name: str
    owner_id: int


def key_of(detection: Detection, kind: str, class_name: str = "", detail: str = "") -> Key:
    """The row that counts something of a detection."""
    day = detection.created_at.astimezone(UTC).date()
    return Key(kind, day, class_name, detail, detection.source, detection.model_name, detection.owner_id or 0)


def counts_of(detection: Detection, reported: Iterable[DetectedObject]) -> Counter[Key]:
    """All that a fresh detection adds. reported: its objects above the threshold."""
    counts = Counter(
        key_of(detection, Tally.Kind.OBJECT, found.class_name, score_bin(found.probability)) for found in reported
    )
    if not counts:
        counts[key_of(detection, Tally.Kind.EMPTY)] = 1
    counts[key_of(detection, Tally.Kind.PHOTO)] = 1
    return counts


def score_bin(probability: float) -> str:
    """The twentieth that a probability lies in, from "00" on; 1 lies in the last one."""
    return f"{min(int(probability * SCORE_BINS), SCORE_BINS - 1):02d}"


def class_names(owner_id: int | None = None) -> list[str]:
    """Every class that a detection has reported, in the alphabet's order; of one owner, if one is given."""
    rows = Tally.objects.filter(kind=Tally.Kind.OBJECT, count__gt=0)
    if owner_id is not None:
        rows = rows.filter(owner_id=owner_id)
    return sorted(rows.order_by().values_list("class_name", flat=True).distinct())


def add(counts: Mapping[Key, int]) -> None:
    """Add to the rows, within the caller's transaction; in one order for all, so that no two wait for each other."""
    rows = [
        (key.kind, connection.ops.adapt_datefield_value(key.day), *key[2:], count)
        for key, count in sorted(counts.items())
        if count
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_ADD, rows)
