"""Selection of the detections to export, read in chunks, with the classes of their labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.db.models import Max, QuerySet

from detection.exports.labels import Label, all_class_names, class_names_in, labels_of, with_labels
from detection.exports.names import photo_name
from detection.inference.videos.names import time_of
from detection.models import Detection

CHUNK = 100


def stem_of(file_name: str) -> str:
    """Return the name of a photo's file without its type; that of a video's frame ends in its time and has none."""
    return file_name if time_of(file_name) is not None else str(PurePosixPath(file_name).with_suffix(""))


@dataclass(frozen=True, slots=True)
class Example:
    """One photo with its labels.

    file_name: unique within any export, the same in every one; stem: of its file of labels, unique too. labels: those
    of `labels_of`.
    """

    detection: Detection
    file_name: str
    stem: str
    labels: tuple[Label, ...]

    @property
    def boxed(self) -> tuple[Label, ...]:
        """Labels whose box has an area; training programs reject others."""
        return tuple(label for label in self.labels if label.box.width > 0 and label.box.height > 0)


@dataclass(frozen=True, slots=True)
class Selection:
    """Chosen detections, oldest first, without those that arrive after the selection was made.

    classes: those of the models that made the detections, in their order, then all other labelled ones,
    alphabetically: an index into them is the same in every export of the same models.
    last_id: the newest primary key that is included.
    """

    detections: QuerySet[Detection]
    classes: tuple[str, ...]
    last_id: int

    @classmethod
    def of(cls, detections: QuerySet[Detection], model_classes: Sequence[str]) -> "Selection":
        """Create a selection with a few short queries, so that an unavailable database shows before anything is
        sent.
        """
        last_id = Detection.objects.aggregate(last=Max("pk"))["last"] or 0
        foreign = class_names_in(detections, sorted(all_class_names() - set(model_classes)))
        return cls(detections, (*model_classes, *foreign), last_id)

    def photos(self) -> Iterator[Detection]:
        """Yield the detections with their photos, without labels; a new run through the database at each call."""
        return self._chunked(self.detections)

    def examples(self) -> Iterator[Example]:
        """Yield the detections with their labels; a new run through the database at each call."""
        for detection in self._chunked(with_labels(self.detections)):
            yield Example(detection, self.name_of(detection), self.stem_of(detection), labels_of(detection))

    def name_of(self, detection: Detection) -> str:
        """Return the name of a detection's photo in this export."""
        return photo_name(detection)

    def stem_of(self, detection: Detection) -> str:
        """Return the name of a photo's file of labels, without its type."""
        return stem_of(self.name_of(detection))

    def _chunked(self, detections: QuerySet[Detection]) -> Iterator[Detection]:
        """Yield the detections by keyset: each chunk is a query of its own, so that a slow reader holds no transaction
        open.
        """
        detections = detections.select_related("photo").order_by("pk").filter(pk__lte=self.last_id)
        after = 0
        while chunk := list(detections.filter(pk__gt=after)[:CHUNK]):
            yield from chunk
            after = chunk[-1].pk
