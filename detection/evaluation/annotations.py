"""Annotated photos: files with the objects that a person marked in them."""

from dataclasses import dataclass
from pathlib import Path

ADVICE = (
    "Give a folder or a zip with JPEGImages and Annotations of Pascal VOC, annotations.json of COCO or data.yaml of "
    "YOLO, with its photos, or the JSON file itself."
)


class DatasetError(Exception):
    """The dataset cannot be used; the message says what to fix."""


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One object that a person marked.

    box_xyxy_px: xmin, ymin, xmax, ymax in pixels, as continuous coordinates: a box over the first pixel is 0, 0, 1, 1.
    uncounted: "difficult" of Pascal VOC, a crowd of COCO: neither finding nor missing it counts.
    """

    class_name: str
    box_xyxy_px: tuple[float, float, float, float]
    uncounted: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedPhoto:
    """A photo's file and its annotated objects."""

    path: Path
    objects: tuple[AnnotatedObject, ...]
