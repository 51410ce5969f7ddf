"""Reads YOLO's folders: a text file of boxes for each photo, and data.yaml or classes.txt with the names of classes."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from detection.evaluation.annotations import ADVICE, AnnotatedObject, AnnotatedPhoto, DatasetError
from detection.evaluation.photo_files import PHOTO_SUFFIXES, photo_path, shortened
from detection.inference.errors import InferenceError
from detection.inference.photos.decode import read_info
from detection.inference.text_files import LONG_BYTES, TextError, read_lines, read_text

_DESCRIPTIONS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_CLASSES = "classes.txt"
# The photos that models are conventionally not trained on come first.
_SPLITS = ("test", "val", "train")
_BOX = 5
_MAX_PIXELS = 10**9


class _FormatError(Exception):
    """A file is not as YOLO has it; a clause."""


def description_of(path: Path) -> Path | None:
    """Return the file that names the classes of a YOLO folder, or None where it is no such folder. path: may be the
    file itself.
    """
    if path.is_file():
        return path if path.suffix in {".yaml", ".yml"} else None
    candidates = [path / name for name in (*_DESCRIPTIONS, _CLASSES)]
    found = next((each for each in candidates if each.is_file()), None)
    return None if found is None or (found.name == _CLASSES and not (path / "labels").is_dir()) else found


def read_photos(description: Path) -> tuple[AnnotatedPhoto, ...]:
    """Return the photos of the split test, else val, else train, by name; reads their sizes. Raises DatasetError."""
    try:
        names, photos = _described(description)
        return tuple(AnnotatedPhoto(photo, _objects(photo, names)) for photo in photos)
    except (TextError, _FormatError) as error:
        raise DatasetError(f"{description} describes no dataset of YOLO: {error}. {ADVICE}") from None
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}. {ADVICE}") from error


def _described(description: Path) -> tuple[Mapping[int, str], Sequence[Path]]:
    if description.name == _CLASSES:
        return dict(enumerate(read_lines(description))), _photos_of([description.parent / "images"])
    try:
        document = yaml.safe_load(read_text(description))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, TextError):
            raise
        raise _FormatError("it is no YAML") from None
    if not isinstance(document, Mapping):
        raise _FormatError("it has no names of classes")
    folder = description.parent
    if isinstance(document.get("path"), str):
        own = folder / document["path"]
        folder = own if own.is_dir() else folder
    for split in _SPLITS:
        values = document.get(split)
        if values:
            places = [_place(folder, str(value)) for value in (values if isinstance(values, list) else [values])]
            return _class_names(document.get("names")), _photos_of(places)
    raise _FormatError("it names no photos under test, val or train")


def _class_names(names: Any) -> Mapping[int, str]:
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, Mapping) and all(type(number) is int for number in names):
        return {number: str(name) for number, name in names.items()}
    raise _FormatError("its names are no list and no table of numbers")


def _place(folder: Path, value: str) -> Path:
    """Return the folder or the list of photos that a split names; Roboflow leads one folder too far up."""
    parts = [part for part in re.split(r"[/\\]+", value) if part not in {"", "."}]
    tries = [folder / value, folder.joinpath(*parts), folder.joinpath(*(part for part in parts if part != ".."))]
    found = next((each for each in tries if each.exists()), None)
    if found is None:
        raise _FormatError(f"there is no {shortened(value)} beside it: put the photos there, or export with the photos")
    return found


def _photos_of(places: Sequence[Path]) -> Sequence[Path]:
    photos: list[Path] = []
    for place in places:
        if place.is_dir():
            photos += sorted(path for path in place.rglob("*") if path.suffix in PHOTO_SUFFIXES and path.is_file())
        elif place.is_file():
            photos += [photo_path([place.parent], name) for name in read_lines(place, LONG_BYTES)]
        else:
            raise _FormatError(f"there is no {place.name} beside it: put the photos there, or export with the photos")
    return photos


def _label_path(photo: Path) -> Path:
    """Return the file of boxes: beside the photo, with `labels` in place of the last folder called `images`."""
    parts = list(photo.parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def _objects(photo: Path, names: Mapping[int, str]) -> tuple[AnnotatedObject, ...]:
    """Return the objects of a photo; none where it has no file of boxes, as a photo of background has."""
    labels = _label_path(photo)
    lines = read_lines(labels) if labels.is_file() else []
    if not lines or not photo.is_file():
        return ()
    try:
        size_wh = read_info(photo.read_bytes(), max_pixels=_MAX_PIXELS).size_wh
    except InferenceError as error:
        raise DatasetError(f"{photo}: {error}") from error
    return tuple(_object(labels, number, line, size_wh, names) for number, line in enumerate(lines, 1))


def _object(
    labels: Path, number: int, line: str, size_wh: tuple[int, int], names: Mapping[int, str]
) -> AnnotatedObject:
    """Parse a line: class, then centre and size of a box in fractions of the photo, or the corners of a polygon."""
    try:
        class_id, *numbers = map(float, line.split())
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        name = names[int(class_id)]
        xmin, ymin, xmax, ymax = _corners(numbers)
    except (ValueError, KeyError, OverflowError):
        raise DatasetError(
            f"{labels}: line {number:,} is no object of YOLO: the number of a class that has a name, and four numbers "
            "of a box. Correct it."
        ) from None
    width, height = size_wh
    return AnnotatedObject(name, (xmin * width, ymin * height, xmax * width, ymax * height))


def _corners(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    if len(numbers) in {_BOX - 1, _BOX}:  # the last one may be a probability
        x, y, width, height = numbers[:4]
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(numbers) > _BOX and len(numbers) % 2 == 0:
        xs, ys = numbers[::2], numbers[1::2]
        return min(xs), min(ys), max(xs), max(ys)
    raise ValueError
