"""COCO's object detection format (https://cocodataset.org/#format-data): one JSON file."""

import itertools
import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any

from detection.exports.registry import Member, SingleFile, exports
from detection.exports.selection import Example, Selection
from detection.models import Detection


@exports("coco", "COCO JSON", single=SingleFile("coco.json", "application/json"))
def coco(selection: Selection) -> Iterator[Member]:
    """Write COCO JSON: image ids are primary keys of detections, category ids count from 1; both are stable across
    exports.

    An image has the model of its detection under our own keys, as an annotation has its score: readers ignore them.
    """
    # Where Datumaro and CVAT look for boxes, and for the photos beside it in `images`.
    yield Member("annotations/instances_default.json", _document(selection))


def _document(selection: Selection) -> Iterator[bytes]:
    """Write the lists one after the other, in two runs through the database: neither is held in memory."""
    categories = [
        {"id": number, "name": name, "supercategory": "object"} for number, name in enumerate(selection.classes, 1)
    ]
    yield b'{"info":' + _json({"description": "Exported detections", "version": "1.0"})
    yield b',"licenses":[],"categories":' + _json(categories)
    written = array("q")
    yield b',"images":['
    yield from _joined(_images(selection, written))
    yield b'],"annotations":['
    yield from _joined(_annotations(selection, written))
    yield b"]}\n"


def _images(selection: Selection, written: "array[int]") -> Iterator[dict[str, Any]]:
    for detection in selection.photos():
        written.append(detection.pk)
        yield _image(detection, selection.name_of(detection))


def _image(detection: Detection, file_name: str) -> dict[str, Any]:
    photo = detection.photo
    return {
        "id": detection.pk,
        "file_name": file_name,
        "width": photo.width,
        "height": photo.height,
        "date_captured": f"{detection.created_at:%Y-%m-%d %H:%M:%S}",
        "original_name": photo.original_name,
        "detection": str(detection.uuid),
        "model_name": detection.model_name,
        "model_version": detection.model_version,
        "model_sha256": detection.model_sha256,
        "tiles": detection.tile_grid,
    }


def _annotations(selection: Selection, written: "array[int]") -> Iterator[dict[str, Any]]:
    """Write the annotations of the images already written: a detection committed between the two runs has none."""
    category_ids = {name: number for number, name in enumerate(selection.classes, 1)}
    numbers = itertools.count(1)
    for example in selection.examples():
        image_id = example.detection.pk
        place = bisect_left(written, image_id)
        if place < len(written) and written[place] == image_id:
            yield from _boxes(example, category_ids, numbers)


def _boxes(example: Example, category_ids: dict[str, int], numbers: Iterator[int]) -> Iterator[dict[str, Any]]:
    for label in example.boxed:
        x, y, width, height = label.box.x, label.box.y, label.box.width, label.box.height
        yield {
            "id": next(numbers),
            "image_id": example.detection.pk,
            "category_id": category_ids[label.class_name],
            "bbox": [x, y, width, height],
            "area": width * height,
            "iscrowd": 0,
            "segmentation": [],
            **({} if label.probability is None else {"score": label.probability}),
        }


def _joined(items: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for index, item in enumerate(items):
        yield (b",\n" if index else b"\n") + _json(item)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
