"""Renders pictures of stored detections on request: the photo with red boxes, and a thumbnail."""

import io
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from detection.inference.hardware import usable_cores
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.draw import draw_objects
from detection.inference.types import NamedBox, StageTimings, reported_at
from detection.models import Detection, Photo
from detection.observability import metrics
from detection.photos import store as photo_store

THUMBNAIL_EDGE_PX = 320
_QUALITY = 90
# Each drawing holds a whole photo in memory: at most one per core, the others are queued.
_turns = threading.BoundedSemaphore(usable_cores())


@dataclass(frozen=True, slots=True)
class Picture:
    """Encoded JPEG and the duration of its steps."""

    jpeg: bytes
    timings: StageTimings


def annotated(detection: Detection, threshold: float | None = None) -> Picture:
    """Return the photo with the objects above `threshold` (None: the detection's own). Raises FileNotFoundError."""
    above = detection.threshold if threshold is None else threshold
    objects = reported_at(detection.objects_found.all(), above)
    timings = StageTimings()
    with _turns:
        started = time.perf_counter()
        photo = photo_store.decode(detection.photo)
        decoded = time.perf_counter()
        jpeg = _encode(draw_objects(photo.image_rgb, objects))
    timings.add("decode", decoded - started)
    timings.add("draw", time.perf_counter() - decoded)
    metrics.observe_stage("draw", timings.stages_ms["draw"])
    return Picture(jpeg, timings)


def displayed(photo: Photo) -> tuple[bytes, str]:
    """Return a stored photo as every browser shows it upright, and its format. Raises FileNotFoundError."""
    data = photo_store.read(photo)
    if photo_store.is_shown_as_is(photo, data):
        return data, photo.format
    with _turns:
        return photo_store.copy_for_display(photo, data), photo_store.COPY_FORMAT


def with_objects(photo: Photo, objects: Sequence[NamedBox]) -> bytes:
    """Return a JPEG of a stored photo with these objects. Raises FileNotFoundError."""
    with _turns:
        return _encode(draw_objects(photo_store.decode(photo).image_rgb, objects))


def draw(data: bytes, objects: Sequence[NamedBox], *, max_pixels: int) -> bytes:
    """Return a JPEG of a photo that is not stored, with its objects. Raises ImageDecodeError and ImageTooLargeError."""
    with _turns:
        return _encode(draw_objects(decode_photo(data, max_pixels=max_pixels).image_rgb, objects))


def thumbnail(detection: Detection) -> Picture:
    """Return the photo, at most THUMBNAIL_EDGE_PX wide and high. Raises FileNotFoundError."""
    timings = StageTimings()
    started = time.perf_counter()
    with _turns:
        image = photo_store.decode(detection.photo, min_edge_px=THUMBNAIL_EDGE_PX).image_rgb
        image.thumbnail((THUMBNAIL_EDGE_PX, THUMBNAIL_EDGE_PX), Image.Resampling.LANCZOS)
        jpeg = _encode(image)
    timings.add("thumbnail", time.perf_counter() - started)
    return Picture(jpeg, timings)


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
