"""Annotated and found objects, photo by photo: the input of every metric."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.inference.types import IntArray

Boxes = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoResult:
    """Annotated and found objects of one photo, boxes in its pixels.

    true_boxes_xyxy_px: (T, 4), true_classes: (T,), uncounted: (T,) bool. found_boxes_xyxy_px: (K, 4),
    found_classes: (K,), probabilities: (K,), not increasing.
    """

    size_wh: tuple[int, int]
    true_boxes_xyxy_px: Boxes
    true_classes: IntArray
    uncounted: NDArray[np.bool_]
    found_boxes_xyxy_px: Boxes
    found_classes: IntArray
    probabilities: NDArray[np.float64]


def of_classes(results: Sequence[PhotoResult], class_ids: Collection[int]) -> list[PhotoResult]:
    """Return the same photos with the objects of these classes only, both annotated and found."""
    chosen = []
    for result in results:
        true = np.isin(result.true_classes, list(class_ids))
        found = np.isin(result.found_classes, list(class_ids))
        chosen.append(
            PhotoResult(
                size_wh=result.size_wh,
                true_boxes_xyxy_px=result.true_boxes_xyxy_px[true],
                true_classes=result.true_classes[true],
                uncounted=result.uncounted[true],
                found_boxes_xyxy_px=result.found_boxes_xyxy_px[found],
                found_classes=result.found_classes[found],
                probabilities=result.probabilities[found],
            )
        )
    return chosen


def iou(boxes_xyxy: Boxes, others_xyxy: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union of boxes, (..., 4), with each of (T, 4), as (..., T); 0 for an empty union."""
    low = np.maximum(boxes_xyxy[..., None, :2], others_xyxy[:, :2])
    high = np.minimum(boxes_xyxy[..., None, 2:], others_xyxy[:, 2:])
    intersection = np.prod(np.maximum(high - low, 0), axis=-1)
    areas, other_areas = (np.prod(some[..., 2:] - some[..., :2], axis=-1) for some in (boxes_xyxy, others_xyxy))
    union = areas[..., None] + other_areas - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0), np.float64)
