"""Labels of a detection in an export, chosen between the model's objects and people's verdicts."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from detection.history import counters
from detection.history.annotations import objects_of
from detection.inference.types import PixelBox
from detection.models import DetectedObject, Detection, Verdict, is_reported_row


@dataclass(frozen=True, slots=True)
class Label:
    """One object of an export; probability is the model's, even if a person has changed the rest, and None if a
    person has drawn the object.
    """

    class_name: str
    probability: float | None
    box: PixelBox


def labels_of(detection: Detection) -> tuple[Label, ...]:
    """Return the labels of a detection that came from `with_labels`.

    People's verdicts take precedence: rejected objects are left out, class and box are the corrected ones, and drawn
    objects come last. Otherwise the labels are the reported objects, the most probable first.
    """
    return tuple(
        Label(one.class_name, None if one.found is None else one.found.probability, one.box)
        for one in objects_of(detection)
        if one.is_there
    )


def with_labels(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Load everything that `labels_of` needs along with the detections, in two more queries for any number of them."""
    is_judged = Exists(Verdict.objects.filter(found=OuterRef("pk")))
    needed = DetectedObject.objects.filter(is_reported_row() | is_judged)
    return detections.prefetch_related(
        Prefetch("objects_found", queryset=needed),
        Prefetch("verdicts", queryset=Verdict.objects.order_by("step", "pk")),
    )


def all_class_names() -> set[str]:
    """Return every class of the whole history, reported by a model or given by a person."""
    named = Verdict.objects.exclude(class_name="").order_by().values_list("class_name", flat=True).distinct()
    return {*counters.class_names(), *named}


def class_names_in(detections: QuerySet[Detection], names: Iterable[str]) -> list[str]:
    """Return those of the classes that are reported in one of these detections, or given in one by a person.

    One query per class: there are few names, an index finds the first detection of each, and collecting those
    of a million detections would take seconds.
    """
    chosen = detections.order_by()
    return [
        name
        for name in names
        if chosen.filter(entries__class_name=name).exists() or chosen.filter(verdicts__class_name=name).exists()
    ]
