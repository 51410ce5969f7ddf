"""Objects of a detection as they stand: the model's, with people's verdicts applied.

Read only. Every reader of verdicts (pages, API, exports, statistics) uses this module, so that they agree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet

from detection.history import counters
from detection.history.counters import Key
from detection.inference.types import PixelBox, is_reported, reported_at
from detection.models import DetectedObject, Detection, Tally, Verdict

_ADDED = "a"
_OUT = frozenset({Verdict.Kind.REJECTED, Verdict.Kind.CLEARED})


@dataclass(frozen=True, slots=True)
class Judged:
    """An object as it stands.

    key: its rank for the model's object, `a1`, `a2`, ... for a drawn one. found: the model's object.
    kind: the verdict in force, empty where there is none. class_name, box: the current ones.
    """

    key: str
    found: DetectedObject | None
    kind: str
    class_name: str
    box: PixelBox
    reviewer_name: str = ""
    judged_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True if it has no verdict."""
        return not self.kind

    @property
    def is_there(self) -> bool:
        """True if it is an object of the photo, by its verdict or without one."""
        return self.kind != Verdict.Kind.REJECTED

    @property
    def probability(self) -> float | None:
        """The model's probability; None for a drawn object, and for one whose class a person gave."""
        return None if self.found is None or self.class_name != self.found.class_name else self.found.probability

    @property
    def added_number(self) -> int | None:
        """Number among the drawn objects; None for the model's."""
        return None if self.found is not None else int(self.key.removeprefix(_ADDED))


def with_verdicts(detections: QuerySet[Detection], last_step: int | None = None) -> QuerySet[Detection]:
    """Load everything that `objects_of` needs along with the detections, in two more queries for any number of them.

    last_step: leave later verdicts out.
    """
    verdicts = Verdict.objects.order_by("step", "pk")
    if last_step is not None:
        verdicts = verdicts.filter(step__lte=last_step)
    return detections.prefetch_related("objects_found", Prefetch("verdicts", queryset=verdicts))


def objects_of(detection: Detection) -> tuple[Judged, ...]:
    """Return the objects of a review: the reported ones, the most probable first, weaker ones with a verdict, and
    the drawn ones.
    """
    newest = newest_verdicts(detection.verdicts.all())
    judged = [_judged(found, newest.get((found.pk, None))) for found in detection.objects_found.all()]
    objects = [one for one in judged if one.kind or (one.found and is_reported(one.found, detection.thresholds))]
    added = sorted((number or 0, verdict) for (found_id, number), verdict in newest.items() if found_id is None)
    return (*objects, *(_drawn(number, verdict) for number, verdict in added if verdict.kind not in _OUT))


def shown_objects(detection: Detection, threshold: float | None = None, *, by_model: bool = False) -> list[Judged]:
    """Return the objects that pages and pictures show, as people have corrected them: what they confirmed, changed or
    drew, and of what they did not judge, all above `threshold` (None: the detection's own).

    by_model: the model's own answer instead, without what people said.
    """
    above = detection.thresholds_at(threshold)
    if by_model:
        found = reported_at(detection.objects_found.all(), above)
        return [_judged(one, None) for one in found]
    kept = (*objects_of(detection), *weaker_of(detection))
    shown = [one for one in kept if one.is_there and (one.kind or (one.found and is_reported(one.found, above)))]
    # The most probable first, and drawn ones, whose sorting is stable, behind those of the model.
    return sorted(shown, key=lambda one: 0.0 if one.found is None else -one.found.probability)


def is_corrected(detection: Detection) -> bool:
    """Return whether people have said anything of the detection's objects."""
    return any(one.kind for one in objects_of(detection))


def weaker_of(detection: Detection) -> tuple[Judged, ...]:
    """Return the kept objects that are not in the review: those below the threshold without a verdict."""
    judged = {one.key for one in objects_of(detection)}
    kept = (_judged(found, None) for found in detection.objects_found.all())
    return tuple(one for one in kept if one.key not in judged)


def newest_verdicts(verdicts: Iterable[Verdict]) -> dict[tuple[int | None, int | None], Verdict]:
    """Return the verdict in force of each object, by the key of the model's object or the number of a drawn one.

    verdicts: of one detection, oldest first.
    """
    newest = {(one.found_id, one.added_number): one for one in verdicts}
    newest.pop((None, None), None)
    return newest


def _judged(found: DetectedObject, verdict: Verdict | None) -> Judged:
    key = str(found.rank)
    if verdict is None or verdict.kind == Verdict.Kind.CLEARED:
        return Judged(key, found, "", found.class_name, found.box)
    return Judged(key, found, verdict.kind, verdict.class_name, verdict.box, verdict.reviewer_name, verdict.created_at)


def _drawn(number: int, verdict: Verdict) -> Judged:
    return Judged(
        f"{_ADDED}{number}",
        None,
        verdict.kind,
        verdict.class_name,
        verdict.box,
        verdict.reviewer_name,
        verdict.created_at,
    )


def counter_key(detection: Detection, judged: Judged) -> Key | None:
    """Return the counter of an object's verdict; None where it is not counted.

    Weaker objects are not counted: precision is that of the model's reported objects.
    """
    if judged.found is None:
        return counters.key_of(detection, Tally.Kind.ADDED, judged.class_name)
    if judged.is_open or not is_reported(judged.found, detection.thresholds):
        return None
    detail = judged.class_name if judged.kind == Verdict.Kind.RELABELLED else ""
    return counters.key_of(detection, judged.kind, judged.found.class_name, detail)


def verdict_counts(detections: Sequence[Detection]) -> Counter[Key]:
    """Return the counts that the verdicts in force of these detections add."""
    verdicts: defaultdict[int, list[Verdict]] = defaultdict(list)
    for one in Verdict.objects.filter(detection__in=detections).order_by("step", "pk"):
        verdicts[one.detection_id].append(one)
    judged = Detection.objects.filter(pk__in=verdicts)
    counts: Counter[Key] = Counter()
    for detection in with_verdicts(judged):
        counts.update(key for one in objects_of(detection) if (key := counter_key(detection, one)) is not None)
    return counts
