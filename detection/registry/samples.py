"""Objects that a version finds in a few photos, drawn for a person to judge before it answers."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from django.utils.translation import gettext
from PIL import Image

from detection.accounts.access import Caller
from detection.conf import current
from detection.history.selectors import visible_detections
from detection.inference.boxes import pixel_box
from detection.inference.detector import Detector, Prediction
from detection.inference.errors import ImageDecodeError
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.draw import draw_objects
from detection.inference.types import FoundObject, reported_at
from detection.models import ModelVersion
from detection.photos import store as photo_store
from detection.photos.encode import encoded
from detection.registry import versions as model_versions
from detection.serving import service as serving
from detection.serving.trial import SAMPLE_PHOTO

PHOTOS = 6
# The newest detections whose photos are looked at: several may be of one photo.
_NEWEST = 60
_EDGE_PX = 480


@dataclass(frozen=True, slots=True)
class Sample:
    """Photo with the objects that are reported by default, most probable first. picture: a data: address of a JPEG."""

    name: str
    picture: str
    objects: tuple[FoundObject, ...]


def look(row: ModelVersion, caller: Caller) -> list[Sample]:
    """Run a version, loaded for this alone, on the newest photos that the caller may see and on the sample photo.

    Raises CheckpointError and EngineError.
    """
    model_versions.try_out(row)
    detector = serving.on_model_thread(lambda: model_versions.load(row))
    try:
        return list(islice(_samples(detector, caller), PHOTOS))
    finally:
        serving.on_model_thread(lambda: _closed(detector))


def _samples(detector: Detector, caller: Caller) -> Iterator[Sample]:
    threshold = serving.threshold_of(detector.network)
    for name, data in _photos(caller):
        try:
            prediction = detector.detect(data)
        except ImageDecodeError:
            continue
        yield _sample(name, data, prediction, threshold)


def _photos(caller: Caller) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of photos: the newest different ones, then the sample photo."""
    seen = set()
    for detection in visible_detections(caller).select_related("photo").order_by("-pk")[:_NEWEST]:
        if detection.photo.file in seen:
            continue
        seen.add(detection.photo.file)
        try:
            yield str(detection.photo), photo_store.read(detection.photo)
        except FileNotFoundError:
            continue
    yield gettext("Sample photo"), SAMPLE_PHOTO.read_bytes()


def _sample(name: str, data: bytes, prediction: Prediction, threshold: float) -> Sample:
    found = tuple(reported_at(prediction.objects, threshold))
    image_rgb = decode_photo(data, max_pixels=current.config().max_pixels, min_edge_px=_EDGE_PX).image_rgb
    image_rgb.thumbnail((2 * _EDGE_PX, 2 * _EDGE_PX))
    placed = [replace(each, box=pixel_box(np.array(each.box_xyxy_unit, np.float32), image_rgb.size)) for each in found]
    return Sample(name, _data_address(draw_objects(image_rgb, placed)), found)


def _data_address(image_rgb: Image.Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encoded(image_rgb, 'JPEG', quality=85)).decode()}"


def _closed(detector: Detector) -> Detector:
    detector.close()
    return detector
