"""Loads annotated photos from folders in the style of Pascal VOC, of YOLO or of COCO."""

from dataclasses import dataclass
from pathlib import Path

from detection.evaluation import coco, voc, yolo
from detection.evaluation.annotations import ADVICE, AnnotatedPhoto, DatasetError


@dataclass(frozen=True, slots=True)
class Dataset:
    """Photos in a fixed order. style: "Pascal VOC", "YOLO" or "COCO"."""

    name: str
    style: str
    photos: tuple[AnnotatedPhoto, ...]


def load_dataset(folder: Path) -> Dataset:
    """Read the annotations of a folder, of a COCO file or of YOLO's data.yaml; no pixel is decoded.

    Raises DatasetError.
    """
    if not folder.exists():
        raise DatasetError(f"{folder} does not exist. {ADVICE}")
    description = yolo.description_of(folder)
    if folder.is_dir() and (folder / voc.ANNOTATIONS).is_dir():
        dataset = Dataset(folder.resolve().name, "Pascal VOC", voc.read_photos(folder))
    elif description is not None:
        dataset = Dataset(description.resolve().parent.name, "YOLO", yolo.read_photos(description))
    else:
        dataset = Dataset(folder.resolve().name, "COCO", coco.read_photos(folder))
    if not dataset.photos:
        raise DatasetError(f"{folder} names no photo. Give a folder with annotated photos.")
    missing = [photo.path for photo in dataset.photos if not photo.path.is_file()]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(dataset.photos)} photos of {folder} are missing, {missing[0]} for one. "
            "Put them there (an export has them when it is asked for with the photos), or correct the annotations."
        )
    return dataset
