"""Photos of the gallery as its page and script have them: a thumbnail's size, the objects as they stand, the badges."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from detection.exports.labels import with_labels
from detection.history.addresses import place_of
from detection.history.annotations import Judged, objects_of
from detection.history.presentation import counts_text
from detection.models import Detection, Verdict

_CHANGES = frozenset({Verdict.Kind.REJECTED, Verdict.Kind.RELABELLED, Verdict.Kind.CORRECTED, Verdict.Kind.ADDED})


@dataclass(frozen=True, slots=True)
class Item:
    """Photo of the gallery with its objects as they stand."""

    detection: Detection
    objects: tuple[Judged, ...]
    is_reviewed: bool
    is_changed: bool

    @property
    def summary(self) -> str:
        """The classes of its objects with their counts."""
        return counts_text(Counter(one.class_name for one in self.objects))

    @property
    def place(self) -> str:
        """The cursor of the page that begins with this photo."""
        return place_of(self.detection)

    @property
    def file_name(self) -> str:
        """The photo's name without folders."""
        return self.detection.photo.original_name.replace("\\", "/").rpartition("/")[2]


def with_everything(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Load everything that `items_of` needs along with the detections, in two more queries for any number of them."""
    return with_labels(detections.select_related("photo", "review"))


def items_of(detections: Iterable[Detection]) -> list[Item]:
    """Return items of detections that came from `with_everything`."""
    return [_item(detection) for detection in detections]


def _item(detection: Detection) -> Item:
    judged = objects_of(detection)
    review = getattr(detection, "review", None)
    return Item(
        detection,
        tuple(one for one in judged if one.is_there),
        is_reviewed=review is not None and review.is_reviewed,
        is_changed=any(one.kind in _CHANGES for one in judged),
    )


def item_body(item: Item) -> dict[str, Any]:
    """Return an item as JSON for the script: its objects as [class, probability or null, x, y, width, height]."""
    detection = item.detection
    return {
        "id": str(detection.uuid),
        "place": item.place,
        "name": item.file_name,
        "at": detection.created_at.isoformat(),
        "width": detection.photo.width,
        "height": detection.photo.height,
        "reviewed": item.is_reviewed,
        "changed": item.is_changed,
        "objects": [
            [
                one.class_name,
                one.found and round(one.found.probability, 4),
                *(one.box.x, one.box.y, one.box.width, one.box.height),
            ]
            for one in item.objects
        ],
    }
