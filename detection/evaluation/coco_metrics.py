"""COCO's metrics, computed by the library faster-coco-eval."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster  # type: ignore[import-untyped]

from detection.evaluation.results import Boxes, PhotoResult

MAX_OBJECTS = 100

# It prints each of its steps.
logging.getLogger("faster_coco_eval").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class CocoScores:
    """AP@[.5:.95] and AP at IoU 0.5 over all classes that occur, and AP@[.5:.95] by class and by size of the objects;
    NaN where undefined. Small are objects below 32 x 32 pixels of the photo, large those above 96 x 96.
    """

    ap: float
    ap50: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ap_by_class: tuple[float, ...]


def coco_scores(results: Sequence[PhotoResult], class_count: int) -> CocoScores:
    """Evaluate as COCO does: 100 objects a photo, uncounted objects treated as crowds."""
    found = [row for image_id, result in enumerate(results, 1) for row in _found(image_id, result)]
    truth = COCO(_truth(results, class_count))
    evaluation = COCOeval_faster(truth, truth.loadRes(found) if found else COCO(_no_detections(truth)), "bbox")
    evaluation.params.maxDets = [1, 10, MAX_OBJECTS]
    evaluation.evaluate()
    evaluation.accumulate()
    # IoU, recall, class, size (all, small, medium, large), most objects.
    by_size = np.asarray(evaluation.eval["precision"])[..., -1]
    precision = by_size[..., 0]
    return CocoScores(
        _mean(precision),
        _mean(precision[0]),
        _mean(by_size[..., 1]),
        _mean(by_size[..., 2]),
        _mean(by_size[..., 3]),
        tuple(_mean(each) for each in precision.transpose(2, 0, 1)),
    )


def _mean(precision: Any) -> float:
    """Return the mean, NaN for -1, by which COCO marks undefined values."""
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else float("nan")


def _truth(results: Sequence[PhotoResult], class_count: int) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, result in enumerate(results, 1):
        images.append({"id": image_id, "width": result.size_wh[0], "height": result.size_wh[1]})
        for box, class_id, crowd in zip(
            _xywh(result.true_boxes_xyxy_px), result.true_classes, result.uncounted, strict=True
        ):
            annotation = _row(image_id, int(class_id), box)
            annotations.append(
                annotation | {"id": len(annotations) + 1, "area": box[2] * box[3], "iscrowd": int(crowd)}
            )
    categories = [{"id": class_id + 1, "name": str(class_id)} for class_id in range(class_count)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _no_detections(truth: Any) -> dict[str, Any]:
    return {"images": truth.dataset["images"], "annotations": [], "categories": truth.dataset["categories"]}


def _found(image_id: int, result: PhotoResult) -> list[dict[str, Any]]:
    return [
        _row(image_id, int(class_id), box) | {"score": float(probability)}
        for box, class_id, probability in zip(
            _xywh(result.found_boxes_xyxy_px), result.found_classes, result.probabilities, strict=True
        )
    ]


def _row(image_id: int, class_id: int, box_xywh: list[float]) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": class_id + 1, "bbox": box_xywh}


def _xywh(boxes_xyxy: Boxes) -> list[list[float]]:
    rows: list[list[float]] = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], 1).tolist()
    return rows
