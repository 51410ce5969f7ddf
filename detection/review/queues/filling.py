"""Filling of queues whose photos have to be looked for: new rows are looked at once, by a thread, a minute later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from detection.models import Detection, QueuePlace, QueueProgress, Review

# Rows of older transactions may come with lower keys: in PostgreSQL each has its keys before it is committed.
_LATER = timedelta(minutes=1)
_CHUNK, _CHUNKS = 200, 25
# A history from before there were queues is looked at from here on.
NEWEST_ROWS = 20_000

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Filler(Generic[M]):
    """Fills queues. name: of its progress. rows: with `created_at`, in any order. places: of some rows, oldest first;
    may keep a state between calls, a JSON object.
    """

    name: str
    queues: tuple[str, ...]
    rows: Callable[[], QuerySet[M]]
    places: Callable[[Sequence[M], dict[str, Any]], list[QueuePlace]]


def fill(filler: Filler[Any], is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Look at the rows that came since the last time, at most 5,000; return how many were."""
    seen = 0
    for _ in range(_CHUNKS):
        if is_stopping():
            break
        count = _fill_chunk(filler)
        seen += count
        if count < _CHUNK:
            break
    return seen


def _fill_chunk(filler: Filler[Any]) -> int:
    progress = QueueProgress.objects.filter(name=filler.name).first()
    if progress is None:
        seen = rows_before(filler).first() or 0
        progress, _ = QueueProgress.objects.get_or_create(name=filler.name, defaults={"seen": seen})
    before = progress.seen
    rows = _old_enough(list(rows_after(filler, before)))
    if not rows:
        return 0
    state = progress.state
    places = filler.places(rows, state)
    with transaction.atomic():
        # Of several servers the first one counts: the others find another progress.
        mine = QueueProgress.objects.filter(name=filler.name, seen=before)
        if mine.update(seen=rows[-1].pk, state=state):
            _insert(places)
    return len(rows)


def rows_after(filler: Filler[Any], seen: int) -> QuerySet[Any]:
    """Return the next rows behind a primary key."""
    return filler.rows().filter(pk__gt=seen).order_by("pk")[:_CHUNK]


def rows_before(filler: Filler[Any]) -> QuerySet[Any, int]:
    """Return the key of the row that lies before the NEWEST_ROWS."""
    keys: QuerySet[Any, int] = filler.rows().order_by("-pk").values_list("pk", flat=True)
    return keys[NEWEST_ROWS : NEWEST_ROWS + 1]


def _old_enough(rows: list[Any]) -> list[Any]:
    limit = timezone.now() - _LATER
    young = next((place for place, row in enumerate(rows) if row.created_at > limit), len(rows))
    return rows[:young]


def _insert(places: Sequence[QueuePlace]) -> None:
    """Insert places, but not those of detections that were deleted meanwhile; what is reviewed already is done."""
    pks = sorted({place.detection_id for place in places})
    there = set(Detection.objects.select_for_update().filter(pk__in=pks).values_list("pk", flat=True))
    QueuePlace.objects.bulk_create([place for place in places if place.detection_id in there], ignore_conflicts=True)
    reviewed = Review.objects.filter(detection__in=there, is_reviewed=True).values("detection_id")
    queues = {place.queue for place in places}
    QueuePlace.objects.filter(detection__in=reviewed, queue__in=queues, is_done=False).update(is_done=True)
