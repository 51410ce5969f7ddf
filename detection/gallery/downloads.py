"""Downloads of selected photos: plain, with boxes, or an export; a zip that is made while it is read."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone

from detection.bulk.pipeline import in_order
from detection.errors import RequestError
from detection.exports.labels import with_labels
from detection.exports.names import photo_name, photo_stem
from detection.exports.registry import Member, export_formats
from detection.exports.selection import Selection
from detection.exports.stream import Export, zipped
from detection.history.annotations import shown_objects
from detection.inference.errors import OverloadedError
from detection.inference.hardware import usable_cores
from detection.models import Detection
from detection.photos import rendering
from detection.photos import store as photo_store
from detection.registry.catalogue import classes_of_models

logger = logging.getLogger(__name__)

PLAIN, BOXES = "photos", "boxes"
_MISSING = "These photos could not be read. Restore them from a backup, and download them again:\n\n"
_CHUNK = 100
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Download:
    """File that is made while it is sent: its name, its media type, and its bytes."""

    file_name: str
    content_type: str
    blocks: Iterator[bytes]


def download_of(what: str, detections: QuerySet[Detection], *, with_photos: bool) -> Download:
    """Return a download of the detections. what: PLAIN, BOXES, or a format of exports. Raises RequestError."""
    formats = export_formats()
    name = f"{what}-{timezone.now():%Y%m%d-%H%M%S}"
    if what in formats:
        export = Export(Selection.of(detections, classes_of_models(detections)), formats[what], with_photos)
        return Download(f"{name}.{export.suffix}", export.content_type, export.blocks())
    if what not in (PLAIN, BOXES):
        raise RequestError(f"There is no download {what!r}. Use {PLAIN}, {BOXES}, or one of {', '.join(formats)}.")
    read = _plain if what == PLAIN else _with_boxes
    return Download(f"{name}.zip", "application/zip", zipped(_members(detections, read)))


def _members(detections: QuerySet[Detection], read: Callable[[Detection], Member]) -> Iterator[Member]:
    missing = []
    for detection, member in in_order(_chunked(detections), partial(_readable, read=read), usable_cores()):
        if member is None:
            missing.append(photo_name(detection))
        else:
            yield member
    if missing:
        yield Member("missing-photos.txt", (_MISSING + "".join(f"{name}\n" for name in missing)).encode())


def _chunked(detections: QuerySet[Detection]) -> Iterator[Detection]:
    """Yield the detections, oldest first, in queries of their own, so that a slow reader holds none open."""
    rows = with_labels(detections.select_related("photo")).order_by("pk")
    after = 0
    while chunk := list(rows.filter(pk__gt=after)[:_CHUNK]):
        yield from chunk
        after = chunk[-1].pk


def _readable(detection: Detection, read: Callable[[Detection], Member]) -> tuple[Detection, Member | None]:
    while True:
        try:
            return detection, read(detection)
        except OverloadedError:
            # Photos that are sent come first; the reader of a download can wait.
            time.sleep(_WAIT_S)
        except OSError:
            logger.exception("The file of photo %s could not be read for a download.", detection.photo.uuid)
            return detection, None


def _plain(detection: Detection) -> Member:
    return Member(photo_name(detection), photo_store.read_upright(detection.photo), is_compressed=True)


def _with_boxes(detection: Detection) -> Member:
    return Member(
        f"{photo_stem(detection)}.jpg",
        rendering.annotated(detection, shown_objects(detection)).jpeg,
        is_compressed=True,
    )
