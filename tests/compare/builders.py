"""Rows of two models' answers for one photo."""

from collections.abc import Sequence
from typing import Any

from detection.history import indexing
from detection.models import DetectedObject, Detection, Photo
from tests.support.builders import SHA256, stored_detection

Box = tuple[int, int, int, int]
Objects = Sequence[tuple[str, Box]]
# Boxes in pixels of a photo of 640 x 480, of which none overlaps another one.
LEFT, MIDDLE, RIGHT = (0, 0, 200, 200), (220, 0, 200, 200), (430, 0, 200, 200)
A, B = "model_a@1.0", "model_b@1.0"


def answer(photo: Photo, model: str, objects: Objects, **fields: Any) -> Detection:
    """Store what a model has found in a photo, each with a probability of 0.9."""
    name, _, version = model.partition("@")
    given = {"engine": "openvino", "device": "CPU", "precision": "f32", "source": "api", "model_sha256": SHA256}
    detection = Detection.objects.create(
        photo=photo,
        model_name=name,
        model_version=version,
        threshold=0.5,
        reported_count=len(objects),
        **given | fields,
    )
    rows = DetectedObject.objects.bulk_create(
        _object(detection, rank, class_name, box) for rank, (class_name, box) in enumerate(objects)
    )
    indexing.add([detection], rows)
    return detection


def _object(detection: Detection, rank: int, class_name: str, box: Box) -> DetectedObject:
    x, y, width, height = box
    corners = {"xmin": x / 640, "ymin": y / 480, "xmax": (x + width) / 640, "ymax": (y + height) / 480}
    pixels = {"x": x, "y": y, "width": width, "height": height}
    return DetectedObject(
        detection=detection, rank=rank, class_id=rank, class_name=class_name, probability=0.9, **pixels, **corners
    )


def two_answers(a: Objects, b: Objects, original_name: str = "photo.jpg", **fields: Any) -> tuple[Detection, Detection]:
    """Store the answers of A and B for a photo of their own."""
    photo = stored_detection(original_name=original_name, model_name="first", **fields).photo
    return answer(photo, A, a, **fields), answer(photo, B, b, **fields)
