"""Writes JSON Lines (https://jsonlines.org): one detection a line, for programs that read them one by one."""

from collections.abc import Iterator
from typing import Any

from detection.exports.labels import Label
from detection.exports.registry import Member, SingleFile, exports
from detection.exports.selection import Example, Selection
from detection.inference.videos.names import time_of
from detection.web.serializers import to_json


@exports("jsonl", "JSON Lines", single=SingleFile("jsonl", "application/jsonl"))
def json_lines(selection: Selection) -> Iterator[Member]:
    """Write JSON Lines, with objects as in the API; a probability of null marks an object that a person drew, a time of
    null a photo, which is no frame of a video.
    """
    yield Member("detections.jsonl", (to_json(_line(example)) + b"\n" for example in selection.examples()))


def _line(example: Example) -> dict[str, Any]:
    detection, photo = example.detection, example.detection.photo
    return {
        "image_id": detection.pk,
        "detection": str(detection.uuid),
        "created_at": detection.created_at.isoformat(),
        "source": detection.source,
        "file_name": example.file_name,
        "original_name": photo.original_name,
        "width": photo.width,
        "height": photo.height,
        "model_name": detection.model_name,
        "model_version": detection.model_version,
        "model_sha256": detection.model_sha256,
        "tiles": detection.tile_grid,
        "time_s": time_of(photo.original_name),
        "threshold": detection.threshold,
        "prediction": [_object(label) for label in example.labels],
    }


def _object(label: Label) -> dict[str, Any]:
    return {
        "objectClass": label.class_name,
        "probability": label.probability,
        "x": label.box.x,
        "y": label.box.y,
        "width": label.box.width,
        "height": label.box.height,
    }
