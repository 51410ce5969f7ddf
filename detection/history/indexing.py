"""Index rows and counters beside the detections, so that lists and statistics stay fast among a million of them.

Entries place a detection in the lists (`models.ListEntry`), counters sum the history (`counters.py`). Both
change in the transaction in which detections come and go.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from detection.history import counters, plain_rows
from detection.history.annotations import objects_of, verdict_counts, with_verdicts
from detection.history.counters import Key
from detection.inference.types import is_reported, reported_at
from detection.models import DetectedObject, Detection, ListEntry, Removal, Review, Tally, Verdict

_CHUNK = 2_000
# Fields of an entry about the verdicts on its objects.
_MARKS: Mapping[str, frozenset[str]] = {
    "has_rejected": frozenset({Verdict.Kind.REJECTED}),
    "has_changed": frozenset({Verdict.Kind.RELABELLED, Verdict.Kind.CORRECTED}),
    "has_added": frozenset({Verdict.Kind.ADDED}),
}
_MARKED = ("lowest", "highest", *_MARKS)


def add(detections: Sequence[Detection], objects: Iterable[DetectedObject]) -> None:
    """Add new detections to lists and counters. objects: all of theirs, with `detection_id` set."""
    by_detection = _by_detection(objects)
    counts: Counter[Key] = Counter()
    entries: list[ListEntry] = []
    for detection in detections:
        reported = reported_at(by_detection[detection.pk], detection.thresholds)
        counts.update(counters.counts_of(detection, reported))
        entries.extend(_entries(detection, reported))
    plain_rows.insert(entries)
    counters.add(counts)


def hide(detections: Sequence[Detection]) -> None:
    """Subtract detections that were moved to the trash from the counters, until `show` or for good."""
    counters.add({key: -count for key, count in _counts_with_verdicts(detections).items()})


def show(detections: Sequence[Detection]) -> None:
    """Add restored detections to the counters again."""
    counters.add(_counts_with_verdicts(detections))


def remove(detections: QuerySet[Detection]) -> None:
    """Subtract detections that are about to be deleted from the counters; their entries are deleted with them.

    Those in the trash are subtracted already.
    """
    rows = list(detections.filter(removal=None).order_by())
    counts = _counts_with_verdicts(rows)
    counters.add({key: -count for key, count in counts.items()})


def mark(detections: Iterable[Detection]) -> None:
    """Write what people said of the objects into the entries. detections: those that came from `with_verdicts`."""
    said = {detection.pk: _said(detection) for detection in detections}
    held: defaultdict[int, dict[str, ListEntry]] = defaultdict(dict)
    for entry in ListEntry.objects.filter(detection__in=said):
        held[entry.detection_id][entry.class_name] = entry
    changed, new, gone = [], [], []
    for pk, entries in held.items():
        new += [_entry_like(entries[""], name, one) for name, one in said[pk].items() if name not in entries]
        gone += [entry.pk for name, entry in entries.items() if name not in said[pk]]
        changed += [one for name, one in entries.items() if name in said[pk] and _marked(one, said[pk][name])]
    ListEntry.objects.filter(pk__in=gone).delete()
    ListEntry.objects.bulk_create(new)
    if changed:
        ListEntry.objects.bulk_update(changed, _MARKED, batch_size=_CHUNK)


@dataclass(slots=True)
class _Said:
    """Content of an entry on objects of its class: probabilities by the model and as people say, and verdicts."""

    reported: list[float] = field(default_factory=list)
    there: list[float] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)

    def values(self) -> dict[str, Any]:
        """Return the fields of the entry that depend on it."""
        marks = {name: bool(self.kinds & telling) for name, telling in _MARKS.items()}
        return {"lowest": min(self.reported, default=1.0), "highest": max(self.there, default=0.0), **marks}


def _said(detection: Detection) -> dict[str, _Said]:
    """Return what is said of each class, the model's or given by people, and of all objects (the empty name)."""
    said: defaultdict[str, _Said] = defaultdict(_Said, {"": _Said()})
    for one in objects_of(detection):
        names = {one.class_name} if one.found is None else {one.class_name, one.found.class_name}
        for name in ("", *names):
            said[name].kinds.add(one.kind)
        if one.found is not None and is_reported(one.found, detection.thresholds):
            for name in ("", one.found.class_name):
                said[name].reported.append(one.found.probability)
        if one.is_there:
            for name in ("", one.class_name):
                said[name].there.append(1.0 if one.probability is None else one.probability)
    return said


def _entry_like(entry: ListEntry, class_name: str, said: _Said) -> ListEntry:
    """Return a new entry of the same detection."""
    copied = {
        name: getattr(entry, name) for name in ("detection_id", "owner_id", "source", "is_reviewed", "created_at")
    }
    return ListEntry(class_name=class_name, **copied, **said.values())


def _marked(entry: ListEntry, said: _Said) -> bool:
    """Mark an entry; return whether that changes it."""
    values = said.values()
    is_new = any(getattr(entry, name) != value for name, value in values.items())
    for name, value in values.items():
        setattr(entry, name, value)
    return is_new


def rebuild() -> None:
    """Rebuild all entries and counters from the detections, in one transaction."""
    with transaction.atomic():
        ListEntry.objects.all().delete()
        Tally.objects.all().delete()
        for rows in _chunks(Detection.objects.all()):
            objects = DetectedObject.objects.reported().filter(detection__in=rows)
            by_detection = _by_detection(objects)
            reviewed = set(
                Review.objects.filter(detection__in=rows, is_reviewed=True).values_list("detection_id", flat=True)
            )
            ListEntry.objects.bulk_create(
                entry
                for detection in rows
                for entry in _entries(detection, by_detection[detection.pk], is_reviewed=detection.pk in reviewed)
            )
            removed = set(Removal.objects.filter(detection__in=rows).values_list("detection_id", flat=True))
            counters.add(_counts_with_verdicts([one for one in rows if one.pk not in removed], by_detection))
            judged = Verdict.objects.filter(detection__in=rows).values("detection_id")
            mark(with_verdicts(Detection.objects.filter(pk__in=judged)))


def _counts_with_verdicts(
    rows: Sequence[Detection], by_detection: Mapping[int, Sequence[DetectedObject]] | None = None
) -> Counter[Key]:
    if by_detection is None:
        by_detection = _by_detection(DetectedObject.objects.reported().filter(detection__in=rows))
    counts: Counter[Key] = Counter()
    for detection in rows:
        counts.update(counters.counts_of(detection, by_detection[detection.pk]))
    counts.update(verdict_counts(rows))
    return counts


def _entries(
    detection: Detection, reported: Iterable[DetectedObject], *, is_reviewed: bool = False
) -> Iterator[ListEntry]:
    probabilities: defaultdict[str, list[float]] = defaultdict(list)
    for found in reported:
        probabilities[""].append(found.probability)
        probabilities[found.class_name].append(found.probability)
    probabilities.setdefault("", [])
    for class_name, of_class in probabilities.items():
        yield ListEntry(
            detection=detection,
            class_name=class_name,
            owner_id=detection.owner_id or 0,
            source=detection.source,
            lowest=min(of_class, default=1.0),
            highest=max(of_class, default=0.0),
            is_reviewed=is_reviewed,
            created_at=detection.created_at,
        )


def _by_detection(objects: Iterable[DetectedObject]) -> defaultdict[int, list[DetectedObject]]:
    found: defaultdict[int, list[DetectedObject]] = defaultdict(list)
    for one in objects:
        found[one.detection_id].append(one)
    return found


def _chunks(detections: QuerySet[Detection]) -> Iterator[list[Detection]]:
    after = 0
    while chunk := list(detections.filter(pk__gt=after).order_by("pk")[:_CHUNK]):
        yield chunk
        after = chunk[-1].pk
