"""Reads COCO's annotations: one JSON file for all photos."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from detection.evaluation.annotations import ADVICE, AnnotatedObject, AnnotatedPhoto, DatasetError
from detection.evaluation.photo_files import photo_path, shortened
from detection.inference.text_files import TextError, read_json

T = TypeVar("T")
_LISTS = ("categories", "annotations", "images")


def read_photos(folder: Path) -> tuple[AnnotatedPhoto, ...]:
    """Return the photos of a COCO file in its order. folder: the file itself, or its folder. Raises DatasetError."""
    path = folder if folder.is_file() else _annotation_file(folder)
    try:
        return _photos(path, read_json(path))
    except (TextError, _FormatError) as error:
        raise DatasetError(f"{path} is no annotation file of COCO: {error}. {ADVICE}") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}. {ADVICE}") from error


class _FormatError(Exception):
    """The document is not as COCO has it; a clause without more of its content than a name."""


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
    raise DatasetError(f"{folder} has no annotations. {ADVICE}")


def _photos(path: Path, document: object) -> tuple[AnnotatedPhoto, ...]:
    if not isinstance(document, Mapping):
        raise _FormatError("it is JSON, but no object with images, annotations and categories")
    for key in _LISTS:
        if not isinstance(document.get(key), list):
            raise _FormatError(f"it has no list {key!r}")
    names = dict(_each("category", document["categories"], _category))
    objects: dict[Hashable, list[AnnotatedObject]] = defaultdict(list)
    for image_id, found in _each("annotation", document["annotations"], lambda raw: _object(raw, names)):
        objects[image_id].append(found)
    folders = _photo_folders(path)
    photos = [
        (file_name, AnnotatedPhoto(photo_path(folders, file_name), tuple(objects[image_id])))
        for image_id, file_name in _each("image", document["images"], _image)
    ]
    _require_one_file_each(photos)
    return tuple(photo for _, photo in photos)


def _each(kind: str, items: list[Any], read: Callable[[Mapping[str, Any]], T]) -> Iterable[T]:
    """Read each item. Raises _FormatError with the place of one that cannot be used."""
    for number, item in enumerate(items, 1):
        try:
            yield read(item)
        except KeyError as error:
            raise _FormatError(f"{kind} {number:,} has no {shortened(error.args[0])!r}") from None
        except (TypeError, ValueError, AttributeError, OverflowError):
            raise _FormatError(f"{kind} {number:,} has a value of a kind that COCO does not have there") from None


def _category(raw: Mapping[str, Any]) -> tuple[Hashable, str]:
    hash(raw["id"])
    return raw["id"], str(raw["name"])


def _image(raw: Mapping[str, Any]) -> tuple[Hashable, str]:
    hash(raw["id"])
    return raw["id"], str(raw["file_name"])


def _object(raw: Mapping[str, Any], names: Mapping[Hashable, str]) -> tuple[Hashable, AnnotatedObject]:
    x, y, width, height = map(float, raw["bbox"])
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError("a box without an end")
    if raw["category_id"] not in names:
        raise _FormatError(f"an annotation is of category {shortened(raw['category_id'])}, which has no name in it")
    found = AnnotatedObject(
        names[raw["category_id"]], (x, y, x + width, y + height), uncounted=bool(raw.get("iscrowd", 0))
    )
    hash(raw["image_id"])
    return raw["image_id"], found


def _require_one_file_each(photos: Iterable[tuple[str, AnnotatedPhoto]]) -> None:
    """Raise _FormatError where two names, whose folders are not here, would mean the same file."""
    names: dict[Path, str] = {}
    for file_name, photo in photos:
        if names.setdefault(photo.path, file_name) != file_name:
            raise _FormatError(
                f"{shortened(file_name)} and {shortened(names[photo.path])} would both be {photo.path}: put the photos "
                "into folders as they are named"
            )


def _photo_folders(path: Path) -> list[Path]:
    """Return the possible folders of the photos: beside the file, `images`, one named by split (instances_val2017:
    val2017).
    """
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    split = path.stem.rpartition("_")[2]
    return [root, root / "images", root / split, root / "images" / split]
