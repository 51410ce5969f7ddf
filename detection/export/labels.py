"""Which labels a detection has in an export: the one place that chooses between the model and people."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from detection.inference.types import PixelBox
from detection.models import DetectedObject, Detection, ListEntry, Verdict
from detection.verdicts import objects_of


@dataclass(frozen=True, slots=True)
class Label:
    """One object of an export; probability is the model's, also where a person has changed the rest, and None where a
    person has drawn the object.
    """

    class_name: str
    probability: float | None
    box: PixelBox


def labels_of(detection: Detection) -> tuple[Label, ...]:
    """The labels of a detection that came from `with_labels`.

    What people said takes precedence: rejected objects are left out, class and box are the corrected ones, and those
    that were missed come last. Else it is the reported objects, the most probable first.
    """
    return tuple(
        Label(one.class_name, None if one.found is None else one.found.probability, one.box)
        for one in objects_of(detection)
        if one.is_there
    )


def with_labels(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Load all that `labels_of` needs along with the detections, in two more queries however many there are."""
    is_judged = Exists(Verdict.objects.filter(found=OuterRef("pk")))
    needed = DetectedObject.objects.filter(Q(probability__gt=F("detection__threshold")) | is_judged)
    return detections.prefetch_related(
        Prefetch("objects_found", queryset=needed),
        Prefetch("verdicts", queryset=Verdict.objects.order_by("step", "pk")),
    )


def class_names_in(detections: QuerySet[Detection]) -> Iterable[str]:
    """Every class that `labels_of` gives to one of these detections, and those that people have taken back."""
    chosen = detections.order_by().values("pk")
    reported = ListEntry.objects.filter(detection__in=chosen).exclude(class_name="").order_by()
    said = Verdict.objects.filter(detection__in=chosen).exclude(class_name="").order_by()
    return {
        *reported.values_list("class_name", flat=True).distinct(),
        *said.values_list("class_name", flat=True).distinct(),
    }
