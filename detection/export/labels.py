"""Which labels a detection has in an export: the one place that chooses between the model and people."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, Prefetch, QuerySet

from detection.inference.types import PixelBox
from detection.models import DetectedObject, Detection


@dataclass(frozen=True, slots=True)
class Label:
    """One object of an export; probability is None where a person has said it."""

    class_name: str
    probability: float | None
    box: PixelBox


def labels_of(detection: Detection) -> tuple[Label, ...]:
    """The labels of a detection that came from `with_labels`: its reported objects, most probable first."""
    return tuple(Label(found.class_name, found.probability, found.box) for found in detection.objects_found.all())


def with_labels(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Load all that `labels_of` needs along with the detections, in one more query however many there are."""
    return detections.prefetch_related(Prefetch("objects_found", queryset=_reported()))


def class_names_in(detections: QuerySet[Detection]) -> Iterable[str]:
    """Every class that `labels_of` gives to one of these detections."""
    names = _reported().filter(detection__in=detections.order_by()).order_by()
    return names.values_list("class_name", flat=True).distinct()


def _reported() -> QuerySet[DetectedObject]:
    return DetectedObject.objects.filter(probability__gt=F("detection__threshold"))
