"""Results and dataset folders for the tests of the evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from detection.evaluation.results import PhotoResult
from tests.support import photos

True_ = tuple[int, Sequence[float]]
Found = tuple[int, Sequence[float], float]

# scikit-image's photos with what is in them: class by VOC's and by COCO's name, xmin, ymin, xmax, ymax from 0.
REAL = {
    "chelsea": ("cat", "cat", (1, 2, 421, 299)),
    "astronaut": ("person", "person", (16, 8, 354, 509)),
    "motorcycle_left": ("motorbike", "motorcycle", (105, 59, 678, 445)),
}


def result(true: Sequence[True_], found: Sequence[Found] = (), uncounted: Sequence[bool] = ()) -> PhotoResult:
    """A photo of 100 x 100 pixels: true objects as class and box; found ones with their probability, sorted by it."""
    ordered = sorted(found, key=lambda each: -each[2])
    return PhotoResult(
        size_wh=(100, 100),
        true_boxes_xyxy_px=np.array([box for _, box in true], np.float64).reshape(-1, 4),
        true_classes=np.array([class_id for class_id, _ in true], np.int64),
        uncounted=np.array(uncounted or [False] * len(true), bool),
        found_boxes_xyxy_px=np.array([box for _, box, _ in ordered], np.float64).reshape(-1, 4),
        found_classes=np.array([class_id for class_id, _, _ in ordered], np.int64),
        probabilities=np.array([probability for _, _, probability in ordered], np.float64),
    )


def random_results(seed: int, photos_count: int = 12, classes: int = 2) -> list[PhotoResult]:
    """Photos whose objects are found more or less well, missed, found twice, or imagined."""
    random = np.random.default_rng(seed)

    def box() -> list[float]:
        x, y = random.uniform(0, 60, 2)
        width, height = random.uniform(15, 40, 2)
        return [float(x), float(y), float(x + width), float(y + height)]

    made = []
    for _ in range(photos_count):
        true = [(int(random.integers(classes)), box()) for _ in range(random.integers(0, 5))]
        near = [(c, list(np.array(b) + random.normal(0, 3, 4)), float(random.random())) for c, b in true * 2]
        wrong = [(int(random.integers(classes)), box(), float(random.random())) for _ in range(2)]
        made.append(result(true, [each for each in near if random.random() < 0.7] + wrong))
    return made


def write_photos(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in REAL:
        (folder / f"{name}.jpg").write_bytes(photos.real_photo(name))


def voc_object(class_name: str, box: Sequence[float], difficult: int = 0) -> str:
    """VOC counts pixels from 1, and the last one belongs to the object."""
    xmin, ymin, xmax, ymax = box
    return (
        f"<object><name>{class_name}</name><difficult>{difficult}</difficult><bndbox><xmin>{xmin + 1}</xmin>"
        f"<ymin>{ymin + 1}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
    )


def write_voc(folder: Path) -> Path:
    """The real photos as a folder of Pascal VOC."""
    write_photos(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name, (class_name, _, box) in REAL.items():
        content = f"<annotation><filename>{name}.jpg</filename>{voc_object(class_name, box)}</annotation>"
        (folder / "Annotations" / f"{name}.xml").write_text(content, encoding="utf-8")
    return folder


def coco_document() -> dict[str, Any]:
    """The real photos by COCO's names, with an object of a class that no VOC model knows."""
    names = ["giraffe", *dict.fromkeys(coco_name for _, coco_name, _ in REAL.values())]
    images, annotations = [], []
    for number, (name, (_, coco_name, (xmin, ymin, xmax, ymax))) in enumerate(REAL.items(), 1):
        images.append({"id": number, "file_name": f"{name}.jpg"})
        bbox = [xmin, ymin, xmax - xmin, ymax - ymin]
        annotations.append({"image_id": number, "category_id": names.index(coco_name), "bbox": bbox, "iscrowd": 0})
    annotations.append({"image_id": 1, "category_id": 0, "bbox": [0, 0, 9, 9]})
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(folder: Path) -> Path:
    """The real photos as a folder of COCO."""
    write_photos(folder / "images")
    (folder / "annotations.json").write_text(json.dumps(coco_document()), encoding="utf-8")
    return folder


def write_yolo(folder: Path) -> Path:
    """The real photos as a folder of YOLO, by COCO's names."""
    write_photos(folder / "images")
    (folder / "labels").mkdir()
    names = list(dict.fromkeys(coco_name for _, coco_name, _ in REAL.values()))
    for name, (_, coco_name, (xmin, ymin, xmax, ymax)) in REAL.items():
        with Image.open(folder / "images" / f"{name}.jpg") as photo:
            width, height = photo.size
        box = ((xmin + xmax) / 2 / width, (ymin + ymax) / 2 / height, (xmax - xmin) / width, (ymax - ymin) / height)
        line = f"{names.index(coco_name)} {' '.join(map(str, box))}\n"
        (folder / "labels" / f"{name}.txt").write_text(line, encoding="utf-8")
    (folder / "data.yaml").write_text(f"train: images\nval: images\nnames: {names}\n", encoding="utf-8")
    return folder
