"""Rows of past detections for the tests."""

from datetime import datetime
from typing import Any

from detection.history import indexing
from detection.models import DetectedObject, Detection, Photo

SHA256 = "ab" * 32


def stored_detection(
    *objects: tuple[str, float],
    created_at: datetime | None = None,
    original_name: str = "photo.jpg",
    **fields: Any,
) -> Detection:
    """Create the rows of a detection of a 640 x 480 photo, without the photo's file.

    objects: class and probability of each, most probable first. fields: other values of the detection.
    """
    threshold = fields.pop("threshold", 0.5)
    photo = Photo.objects.create(
        sha256=SHA256,
        original_name=original_name,
        format=Photo.Format.JPEG,
        width=640,
        height=480,
        size_bytes=12_345,
        file=f"ab/{SHA256}.jpg",
    )
    given = {
        "model_name": "mobilenet_ssd_voc",
        "model_sha256": SHA256,
        "engine": "openvino",
        "device": "CPU",
        "precision": "f32",
        "timings_ms": {"decode": 2.5, "network": 12.5},
        "source": Detection.Source.API,
    }
    detection = Detection.objects.create(
        photo=photo,
        threshold=threshold,
        reported_count=sum(probability > threshold for _, probability in objects),
        **(given | fields),
    )
    rows = DetectedObject.objects.bulk_create(
        _object(detection, rank, class_name, probability) for rank, (class_name, probability) in enumerate(objects)
    )
    if created_at is not None:
        Detection.objects.filter(pk=detection.pk).update(created_at=created_at)
        detection.refresh_from_db()
    indexing.add([detection], rows)
    return detection


def _object(detection: Detection, rank: int, class_name: str, probability: float) -> DetectedObject:
    """Create an object whose box moves with its rank, so that no two boxes are equal."""
    x, y, width, height = 10 + rank, 20 + rank, 300, 200
    return DetectedObject(
        detection=detection,
        rank=rank,
        class_id=rank,
        class_name=class_name,
        probability=probability,
        x=x,
        y=y,
        width=width,
        height=height,
        xmin=x / 640,
        ymin=y / 480,
        xmax=(x + width) / 640,
        ymax=(y + height) / 480,
    )


def stored_rows() -> tuple[int, int, int]:
    """Count the photos, detections and objects in the database."""
    return Photo.objects.count(), Detection.objects.count(), DetectedObject.objects.count()
