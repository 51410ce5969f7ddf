"""Reads photos that people have reviewed elsewhere: exports of Label Studio (JSON) and COCO files."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class ReviewFileError(Exception):
    """A file of reviews cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class DrawnObject:
    """Object of a reviewed photo. box_unit: x, y, width and height in fractions of the upright photo; None for what is
    no upright rectangle.
    """

    class_name: str
    box_unit: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class ReviewedPhoto:
    """Reviewed photo: the name of its file, the detection that our export wrote beside it, or "", and its objects."""

    name: str
    detection: str
    objects: tuple[DrawnObject, ...]


def read_reviews(path: Path) -> Iterator[ReviewedPhoto]:
    """Yield the reviewed photos of a file. Raises ReviewFileError, and OSError."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise ReviewFileError(f"{path} is no JSON. Export the reviews as Label Studio's JSON or as COCO.") from error
    try:
        if isinstance(document, list):
            yield from _tasks(document)
        elif isinstance(document, dict) and {"images", "annotations", "categories"} <= document.keys():
            yield from _images(document)
        else:
            raise ReviewFileError(
                f"{path} is neither Label Studio's JSON (a list of tasks) nor COCO (images, annotations, categories)."
            )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ReviewFileError(f"{path} lacks something, or has another kind of it: {error!r}.") from error


def _tasks(tasks: list[Any]) -> Iterator[ReviewedPhoto]:
    """Yield the tasks that have an annotation which was not skipped: the newest one of each."""
    for task in tasks:
        given = [each for each in task["annotations"] if not each.get("was_cancelled")]
        if given:
            newest = max(given, key=lambda each: str(each.get("updated_at") or ""))
            address = next((value for value in task["data"].values() if isinstance(value, str)), "")
            detection = (task.get("meta") or {}).get("detection", "")
            objects = (_region(each) for each in newest["result"] if each.get("type") == "rectanglelabels")
            yield ReviewedPhoto(_file_of(address), str(detection), tuple(objects))


def _file_of(address: str) -> str:
    """Return the file of an address; Label Studio gives those of its local storage as `?d=FOLDER/NAME`."""
    parts = urlsplit(address)
    return parse_qs(parts.query).get("d", [unquote(parts.path)])[0]


def _region(region: Mapping[str, Any]) -> DrawnObject:
    value = region["value"]
    (name,) = value["rectanglelabels"]
    if value.get("rotation") or region.get("image_rotation"):
        return DrawnObject(name, None)
    x, y, width, height = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
    return DrawnObject(name, (x, y, width, height))


def _images(document: Mapping[str, Any]) -> Iterator[ReviewedPhoto]:
    names = {category["id"]: str(category["name"]) for category in document["categories"]}
    annotations = defaultdict(list)
    for annotation in document["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    for image in document["images"]:
        width, height = float(image["width"]), float(image["height"])
        objects = []
        for each in annotations[image["id"]]:
            x, y, w, h = each["bbox"]
            box = None if each.get("iscrowd") else (x / width, y / height, w / width, h / height)
            objects.append(DrawnObject(names[each["category_id"]], box))
        yield ReviewedPhoto(str(image["file_name"]), str(image.get("detection", "")), tuple(objects))
