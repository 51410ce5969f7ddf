"""Loads annotated photos from folders in the style of Pascal VOC or of COCO."""

from dataclasses import dataclass
from pathlib import Path

from detection.evaluation import coco, voc
from detection.evaluation.annotations import AnnotatedPhoto, DatasetError


@dataclass(frozen=True, slots=True)
class Dataset:
    """Photos in a fixed order. style: "Pascal VOC" or "COCO"."""

    name: str
    style: str
    photos: tuple[AnnotatedPhoto, ...]


def load_dataset(folder: Path) -> Dataset:
    """Read the annotations of a folder (or a COCO file); no photo is opened. Raises DatasetError."""
    if folder.is_dir() and (folder / voc.ANNOTATIONS).is_dir():
        dataset = Dataset(folder.resolve().name, "Pascal VOC", voc.read_photos(folder))
    else:
        dataset = Dataset(folder.resolve().name, "COCO", coco.read_photos(folder))
    if not dataset.photos:
        raise DatasetError(f"{folder} names no photo. Give a folder with annotated photos.")
    missing = [photo.path for photo in dataset.photos if not photo.path.is_file()]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(dataset.photos)} photos of {folder} are missing, {missing[0]} for one. "
            "Put them there, or correct the annotations."
        )
    return dataset
