"""Pairs of answers of two models for one photo, and what they agree about."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from detection.accounts.access import Caller
from detection.errors import RequestError
from detection.evaluation.matching import partners
from detection.history.presentation import with_reported_objects
from detection.history.selectors import visible_detections
from detection.inference.network import full_name
from detection.models import DetectedObject, Detection


@dataclass(frozen=True, slots=True)
class Pair:
    """Two detections of one photo with the objects that they report.

    partners: places in objects_a and objects_b of what both found: one class, IoU of 0.5 or more.
    """

    a: Detection
    b: Detection
    objects_a: tuple[DetectedObject, ...]
    objects_b: tuple[DetectedObject, ...]
    partners: tuple[tuple[int, int], ...]

    @property
    def only_a(self) -> tuple[DetectedObject, ...]:
        """Objects that A alone found."""
        return _without(self.objects_a, {place for place, _other in self.partners})

    @property
    def only_b(self) -> tuple[DetectedObject, ...]:
        """Objects that B alone found."""
        return _without(self.objects_b, {place for _other, place in self.partners})

    @property
    def url(self) -> str:
        """The address of the page that shows it."""
        return reverse("compare-pair", args=[self.a.uuid, self.b.uuid])


def pairs_of(answers: Sequence[tuple[Detection, Detection]]) -> tuple[Pair, ...]:
    """Return the pairs of these detections, whose objects are read in one query.

    They are not prefetched: Django would clone a queryset for each detection, a fifth of the time of 1,000 pairs.
    """
    objects: defaultdict[int, list[DetectedObject]] = defaultdict(list)
    for found in DetectedObject.objects.reported().filter(detection__in={one.pk for both in answers for one in both}):
        objects[found.detection_id].append(found)
    return tuple(_pair(a, b, tuple(objects[a.pk]), tuple(objects[b.pk])) for a, b in answers)


def _pair(
    a: Detection, b: Detection, objects_a: tuple[DetectedObject, ...], objects_b: tuple[DetectedObject, ...]
) -> Pair:
    return Pair(a, b, objects_a, objects_b, tuple(partners(objects_a, objects_b)))


def find_pair(a: UUID, b: UUID, caller: Caller) -> Pair:
    """Return the pair of two detections by their ids. Raises RequestError where they are of different photos, and
    Detection.DoesNotExist.
    """
    detections = visible_detections(caller).select_related("photo")
    (pair,) = pairs_of([(detections.get(uuid=a), detections.get(uuid=b))])
    if pair.a.photo_id != pair.b.photo_id:
        raise RequestError(gettext("These are answers for different photos. Choose two of one photo."))
    return pair


def other_answers(detection: Detection, caller: Caller) -> QuerySet[Detection]:
    """Return the other detections of a detection's photo, the newest first."""
    return with_reported_objects(visible_detections(caller)).filter(photo=detection.photo_id).exclude(pk=detection.pk)


def model_of(detection: Detection) -> str:
    """Return NAME@VERSION of the model of a detection; the name alone where it has no version."""
    return full_name(detection.model_name, detection.model_version)


def pair_body(pair: Pair) -> dict[str, Any]:
    """Return a pair as JSON for the script: each side's objects as [class, probability, x, y, width, height, is the
    other's, too], the most probable first.
    """
    photo = pair.a.photo
    both_a, both_b = ({places[side] for places in pair.partners} for side in (0, 1))
    return {
        "photo": reverse("detection-photo", args=[pair.a.uuid]),
        "name": photo.original_name,
        "width": photo.width,
        "height": photo.height,
        "a": _side(pair.a, pair.objects_a, both_a),
        "b": _side(pair.b, pair.objects_b, both_b),
        "partners": pair.partners,
    }


def _side(detection: Detection, objects: tuple[DetectedObject, ...], both: set[int]) -> dict[str, Any]:
    return {
        "id": str(detection.uuid),
        "model": model_of(detection),
        "url": detection.get_absolute_url(),
        "objects": [
            [one.class_name, round(one.probability, 4), one.x, one.y, one.width, one.height, place in both]
            for place, one in enumerate(objects)
        ],
    }


def _without(objects: tuple[DetectedObject, ...], places: set[int]) -> tuple[DetectedObject, ...]:
    return tuple(one for place, one in enumerate(objects) if place not in places)
