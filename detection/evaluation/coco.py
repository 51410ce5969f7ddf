"""Reads COCO's annotations: one JSON file for all photos."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection.evaluation.annotations import AnnotatedObject, AnnotatedPhoto, DatasetError

_ADVICE = "Give a folder with JPEGImages and Annotations, a folder with annotations.json, or the JSON file itself."


def read_photos(folder: Path) -> tuple[AnnotatedPhoto, ...]:
    """Return the photos of a COCO file in its order. folder: the file itself, or its folder. Raises DatasetError."""
    path = folder if folder.is_file() else _annotation_file(folder)
    try:
        return _photos(path, json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DatasetError(f"{path} is no annotation file of COCO ({error!r}). {_ADVICE}") from error


def _annotation_file(folder: Path) -> Path:
    single = folder / "annotations.json"
    if single.is_file():
        return single
    # COCO's own downloads have captions and key points beside the boxes.
    for pattern in ("instances_*.json", "*.json"):
        found = sorted((folder / "annotations").glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise DatasetError(f"{folder / 'annotations'} has several files ({names}). Give the one that counts.")
    raise DatasetError(f"{folder} has no annotations. {_ADVICE}")


def _photos(path: Path, document: Mapping[str, Any]) -> tuple[AnnotatedPhoto, ...]:
    names = {category["id"]: str(category["name"]) for category in document["categories"]}
    objects: dict[Any, list[AnnotatedObject]] = defaultdict(list)
    for annotation in document["annotations"]:
        x, y, width, height = map(float, annotation["bbox"])
        objects[annotation["image_id"]].append(
            AnnotatedObject(
                names[annotation["category_id"]],
                (x, y, x + width, y + height),
                uncounted=bool(annotation.get("iscrowd", 0)),
            )
        )
    folders = _photo_folders(path)
    return tuple(
        AnnotatedPhoto(_photo_path(folders, str(image["file_name"])), tuple(objects[image["id"]]))
        for image in document["images"]
    )


def _photo_folders(path: Path) -> list[Path]:
    """Return the possible folders of the photos: beside the file, `images`, one named by split (instances_val2017:
    val2017).
    """
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    split = path.stem.rpartition("_")[2]
    return [root, root / "images", root / split, root / "images" / split]


def _photo_path(folders: list[Path], file_name: str) -> Path:
    candidates = [folder / file_name for folder in folders]
    return next((path for path in candidates if path.is_file()), candidates[0])
