"""Counts of blindly reviewed photos: computed from their rows, for the counters do not tell them apart.

Each is somebody's work, so there are few of them beside a million detections.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from detection.history import counters
from detection.history.annotations import verdict_counts
from detection.history.counters import Key
from detection.history.selectors import shown
from detection.models import DetectedObject, Detection, Tally

_CHUNK = 500
_SAID = frozenset(
    {
        Tally.Kind.CONFIRMED,
        Tally.Kind.CORRECTED,
        Tally.Kind.REJECTED,
        Tally.Kind.RELABELLED,
        Tally.Kind.ADDED,
    }
)


def within(
    detections: QuerySet[Detection], first: date | None, last: date | None, *, source: str = "", model_name: str = ""
) -> QuerySet[Detection]:
    """Return the detections of days in UTC, both included, of a source and of a model; None and "" for all."""
    if source:
        detections = detections.filter(source=source)
    if model_name:
        detections = detections.filter(model_name=model_name)
    if first:
        detections = detections.filter(created_at__gte=datetime.combine(first, time.min, UTC))
    if last:
        detections = detections.filter(created_at__lt=datetime.combine(last + timedelta(days=1), time.min, UTC))
    return detections


def counts(detections: QuerySet[Detection], kinds: Collection[str]) -> Counter[Key]:
    """Return the counters, of these kinds, that the blindly reviewed of some detections add."""
    blind = shown(detections).filter(review__is_blind=True).order_by("pk")
    found: Counter[Key] = Counter()
    after = 0
    while chunk := list(blind.filter(pk__gt=after)[:_CHUNK]):
        after = chunk[-1].pk
        if _SAID.isdisjoint(kinds):
            found.update(_of_objects(chunk))
        else:
            found.update(verdict_counts(chunk))
    return Counter({key: count for key, count in found.items() if key.kind in kinds})


def _of_objects(chunk: list[Detection]) -> Counter[Key]:
    objects: defaultdict[int, list[DetectedObject]] = defaultdict(list)
    for one in DetectedObject.objects.reported().filter(detection__in=chunk):
        objects[one.detection_id].append(one)
    found: Counter[Key] = Counter()
    for detection in chunk:
        found.update(counters.counts_of(detection, objects[detection.pk]))
    return found
