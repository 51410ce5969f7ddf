"""Objects and photos behind a number of the dashboard: exactly those that its counter counts.

`history/annotations.py: counter_key` and `history/counters.py: counts_of` say what is counted; this module says it
again as queries of the rows.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import F, FloatField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast
from django.db.models.lookups import GreaterThanOrEqual, LessThan
from django.urls import reverse

from detection.accounts.access import Caller
from detection.history.counters import SCORE_BINS
from detection.history.selectors import visible_detections
from detection.inference.types import PixelBox
from detection.models import DetectedObject, Detection, Tally, Verdict
from detection.statistics.blind import within
from detection.statistics.queries import Scope

KINDS = (
    Tally.Kind.OBJECT,
    Tally.Kind.EMPTY,
    Tally.Kind.CONFIRMED,
    Tally.Kind.CORRECTED,
    Tally.Kind.REJECTED,
    Tally.Kind.RELABELLED,
    Tally.Kind.ADDED,
)
_GONE = (Verdict.Kind.REJECTED, Verdict.Kind.CLEARED)


@dataclass(frozen=True, slots=True)
class Counted:
    """Objects that a number counts, within a scope.

    kind: of KINDS. class_name: the model's, that of a drawn object where the kind is `added`; "" for all.
    given_class: the class that people gave instead. score_bin: the twentieth of the probability, from 0 on.
    """

    scope: Scope
    kind: str = Tally.Kind.OBJECT
    class_name: str = ""
    given_class: str = ""
    score_bin: int | None = None

    def during(self, first: date | None, last: date | None) -> "Counted":
        """Return the same of other days, both included."""
        return replace(self, scope=replace(self.scope, first=first, last=last))

    @property
    def url(self) -> str:
        """Address of the page that shows them."""
        given: dict[str, Any] = {
            "kind": self.kind,
            "class": self.class_name,
            "given": self.given_class,
            "score": self.score_bin,
            "source": self.scope.source,
            "model": self.scope.model_name,
            "blind": "1" if self.scope.is_blind else "",
            "date_from": self.scope.first,
            "date_to": self.scope.last,
        }
        if self.scope.first is None and self.scope.last is None:
            given["period"] = "all"
        kept = {name: value for name, value in given.items() if value not in (None, "")}
        return f"{reverse('dashboard-objects')}?{urlencode(kept)}"


class Shown(NamedTuple):
    """Object on the page. box: None for a whole photo without objects; place: for the next page's `after`."""

    detection: Detection
    box: PixelBox | None
    class_name: str
    probability: float | None
    place: str


def page_of(counted: Counted, caller: Caller, after: tuple[int, int] | None, size: int) -> tuple[list[Shown], bool]:
    """Return objects, those of the newest detections first, and whether there are more.

    after: detection and number of the last object of the page before.
    """
    if counted.kind == Tally.Kind.EMPTY:
        rows, number = _detections(counted, caller).filter(reported_count=0), "pk"
        found = [Shown(one, None, "", None, f"{one.pk}.0") for one in _read(rows, "pk", number, after, size)]
    elif counted.kind == Tally.Kind.ADDED:
        drawn = _read(_drawn(counted, caller), "detection_id", "added_number", after, size)
        found = [
            Shown(one.detection, one.box, one.class_name, None, f"{one.detection_id}.{one.added_number}")
            for one in drawn
        ]
    else:
        objects = _read(_objects(counted, caller), "detection_id", "rank", after, size)
        found = [
            Shown(one.detection, one.box, one.class_name, one.probability, f"{one.detection_id}.{one.rank}")
            for one in objects
        ]
    return found[:size], len(found) > size


def total(counted: Counted) -> int:
    """Return their number, from the counters."""
    if counted.score_bin is not None:
        return counted.scope.sums((Tally.Kind.SCORE,), "detail")[f"{counted.score_bin:02d}"]
    sums = counted.scope.sums((Tally.Kind(counted.kind),), "class_name", "detail")
    return sum(
        count
        for (class_name, detail), count in sums.items()
        if counted.class_name in ("", class_name) and counted.given_class in ("", detail)
    )


def _read(rows: QuerySet[Any], detection: str, number: str, after: tuple[int, int] | None, size: int) -> list[Any]:
    if after is not None:
        of_same = Q() if number == "pk" else Q(**{detection: after[0], f"{number}__gt": after[1]})
        rows = rows.filter(Q(**{f"{detection}__lt": after[0]}) | of_same) if of_same else rows.filter(pk__lt=after[0])
    order = (f"-{detection}",) if number == "pk" else (f"-{detection}", number)
    return list(rows.order_by(*order)[: size + 1])


def _detections(counted: Counted, caller: Caller) -> QuerySet[Detection]:
    scope = counted.scope
    rows = visible_detections(caller).select_related("photo")
    if scope.is_blind:
        rows = rows.filter(review__is_blind=True)
    return within(rows, scope.first, scope.last, source=scope.source, model_name=scope.model_name)


def _objects(counted: Counted, caller: Caller) -> QuerySet[DetectedObject]:
    rows = DetectedObject.objects.reported().filter(detection__in=_detections(counted, caller))
    if counted.class_name:
        rows = rows.filter(class_name=counted.class_name)
    if counted.score_bin is not None:
        # As `counters.score_bin` computes it.
        scaled = Cast(F("probability"), FloatField()) * Value(float(SCORE_BINS))
        rows = rows.filter(GreaterThanOrEqual(scaled, counted.score_bin))
        if counted.score_bin < SCORE_BINS - 1:
            rows = rows.filter(LessThan(scaled, counted.score_bin + 1))
    if counted.kind != Tally.Kind.OBJECT:
        verdicts = Verdict.objects.filter(found=OuterRef("pk")).order_by("-step", "-pk")
        # The condition on `pk` comes first: judged objects are few.
        rows = rows.filter(pk__in=Verdict.objects.filter(kind=counted.kind).values("found"))
        rows = rows.annotate(said=Subquery(verdicts.values("kind")[:1])).filter(said=counted.kind)
        if counted.given_class:
            rows = rows.annotate(given=Subquery(verdicts.values("class_name")[:1])).filter(given=counted.given_class)
    return rows.select_related("detection__photo")


def _drawn(counted: Counted, caller: Caller) -> QuerySet[Verdict]:
    later = Verdict.objects.filter(detection=OuterRef("detection"), added_number=OuterRef("added_number"))
    rows = Verdict.objects.filter(added_number__isnull=False, detection__in=_detections(counted, caller))
    rows = rows.filter(pk=Subquery(later.order_by("-step", "-pk").values("pk")[:1])).exclude(kind__in=_GONE)
    if counted.class_name:
        rows = rows.filter(class_name=counted.class_name)
    return rows.select_related("detection__photo")
