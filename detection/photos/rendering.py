"""Renders pictures of stored detections on request: the photo with red boxes, and a thumbnail."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from detection.conf.current import config
from detection.inference.background import in_background
from detection.inference.hardware import usable_cores
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.decoding_memory import decoding, decoding_bytes
from detection.inference.photos.draw import draw_objects
from detection.inference.queues.fair_queue import FairTurns, most_large
from detection.inference.types import DrawnBox, NamedBox, PixelBox, StageTimings
from detection.models import Detection, Photo
from detection.observability import metrics
from detection.photos import store as photo_store
from detection.photos.encode import encoded
from detection.photos.picture_cache import PictureCache
from detection.web import callers

THUMBNAIL_EDGE_PX = 320
_QUALITY = 90
# Around the crop of an object, as a share of its longer side.
_MARGIN = 0.15
# A drawing has the decoded photo, a copy with boxes, and the encoder's buffers.
_COPIES = 2
# One core is left for photos that are sent, where there are several.
_turns = FairTurns(usable_cores(), most_large(usable_cores()))
_drawn = PictureCache()


@dataclass(frozen=True, slots=True)
class Picture:
    """Encoded JPEG and the duration of its steps."""

    jpeg: bytes
    timings: StageTimings


def annotated(detection: Detection, objects: Sequence[DrawnBox]) -> Picture:
    """Return the photo with these objects (`annotations.shown_objects`). Raises FileNotFoundError."""
    timings = _no_time("decode", "draw")
    size = _COPIES * photo_store.memory_to_decode(detection.photo)
    key = (detection.photo.file, tuple((found.class_name, found.probability, found.box) for found in objects))

    def drawn() -> bytes:
        started = time.perf_counter()
        photo = photo_store.decode(detection.photo)
        decoded = time.perf_counter()
        jpeg = _encode(draw_objects(photo.image_rgb, objects))
        timings.add("decode", decoded - started)
        timings.add("draw", time.perf_counter() - decoded)
        metrics.observe_stage("draw", timings.stages_ms["draw"])
        return jpeg

    return Picture(_in_turn(size, key, drawn), timings)


def displayed(photo: Photo) -> tuple[bytes | BinaryIO, str]:
    """Return a stored photo as every browser shows it upright, or its open file, and its format.

    Raises FileNotFoundError.
    """
    if photo.format in photo_store.TURNED_BY_BROWSERS:
        return photo_store.open_file(photo), photo.format
    data = photo_store.read(photo)
    if photo_store.is_shown_as_is(photo, data):
        return data, photo.format
    size, key = _COPIES * decoding_bytes(data), (photo.file, photo_store.COPY_FORMAT)
    return _in_turn(size, key, lambda: photo_store.copy_for_display(photo, data)), photo_store.COPY_FORMAT


def with_objects(photo: Photo, objects: Sequence[NamedBox]) -> bytes:
    """Return a JPEG of a stored photo with these objects. Raises FileNotFoundError."""
    return _in_turn(
        _COPIES * photo_store.memory_to_decode(photo),
        None,
        lambda: _encode(draw_objects(photo_store.decode(photo).image_rgb, objects)),
    )


def draw(data: bytes, objects: Sequence[NamedBox], *, max_pixels: int) -> bytes:
    """Return a JPEG of a photo that is not stored, with its objects. Raises ImageDecodeError and ImageTooLargeError."""
    return _in_turn(
        _COPIES * decoding_bytes(data),
        None,
        lambda: _encode(draw_objects(decode_photo(data, max_pixels=max_pixels).image_rgb, objects)),
    )


def thumbnail(detection: Detection) -> Picture:
    """Return the photo, at most THUMBNAIL_EDGE_PX wide and high. Raises FileNotFoundError."""
    timings = _no_time("thumbnail")
    size = photo_store.memory_to_decode(detection.photo, THUMBNAIL_EDGE_PX)

    def shrunk() -> bytes:
        started = time.perf_counter()
        image = photo_store.decode(detection.photo, min_edge_px=THUMBNAIL_EDGE_PX).image_rgb
        image.thumbnail((THUMBNAIL_EDGE_PX, THUMBNAIL_EDGE_PX), Image.Resampling.LANCZOS)
        jpeg = _encode(image)
        timings.add("thumbnail", time.perf_counter() - started)
        return jpeg

    return Picture(_in_turn(size, (detection.photo.file,), shrunk), timings)


def crop(detection: Detection, box: PixelBox) -> Picture:
    """Return an object with a margin, at most THUMBNAIL_EDGE_PX wide and high. Raises FileNotFoundError."""
    timings = _no_time("thumbnail")
    size = photo_store.memory_to_decode(detection.photo)

    def cut() -> bytes:
        started = time.perf_counter()
        image = photo_store.decode(detection.photo).image_rgb
        margin = round(_MARGIN * max(box.width, box.height))
        left, top = max(0, box.x - margin), max(0, box.y - margin)
        right, bottom = min(image.width, box.x + box.width + margin), min(image.height, box.y + box.height + margin)
        image = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        image.thumbnail((THUMBNAIL_EDGE_PX, THUMBNAIL_EDGE_PX), Image.Resampling.LANCZOS)
        jpeg = _encode(image)
        timings.add("thumbnail", time.perf_counter() - started)
        return jpeg

    return Picture(_in_turn(size, (detection.photo.file, box), cut), timings)


def _no_time(*stages: str) -> StageTimings:
    """Return the timings of a picture that was made before."""
    timings = StageTimings()
    for stage in stages:
        timings.add(stage, 0.0)
    return timings


def _in_turn(size: int, key: Hashable | None, make: Callable[[], bytes]) -> bytes:
    """Return a picture that was made before, or make it when its caller has a turn. Raises OverloadedError.

    Large photos wait for memory first, and take no turn of the small ones meanwhile.
    """
    found = _drawn.get(key)
    if found is not None:
        return found
    caller, timeout_s = callers.current(), config().request_timeout_s
    with decoding(size, caller, timeout_s), _turns.turn(1, caller, timeout_s):
        jpeg = _drawn.get(key) or in_background(make)
    _drawn.put(key, jpeg)
    return jpeg


def _encode(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", quality=_QUALITY)
