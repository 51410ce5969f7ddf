"""Pascal VOC's metrics at IoU 0.5 (VOCevaldet.m and VOCap.m of the 2012 development kit; 11 points: of 2007)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.results import PhotoResult, iou

MIN_IOU = 0.5
_ELEVEN_POINTS = np.arange(11) / 10


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall of one class, after each found object, the most probable first.

    objects: number of annotated objects. probabilities, precisions, recalls: (K,) float64.
    """

    objects: int
    probabilities: NDArray[np.float64]
    precisions: NDArray[np.float64]
    recalls: NDArray[np.float64]

    def at(self, threshold: float) -> tuple[float, float]:
        """Return precision and recall of the objects that are more probable than `threshold`; NaN where undefined."""
        count = int(np.count_nonzero(self.probabilities > threshold))
        recall = float("nan") if self.objects == 0 else 0.0
        return (float(self.precisions[count - 1]), float(self.recalls[count - 1])) if count else (float("nan"), recall)


def curve(results: Sequence[PhotoResult], class_id: int) -> Curve:
    """Compute the curve of one class over all photos."""
    objects = sum(int(np.count_nonzero((r.true_classes == class_id) & ~r.uncounted)) for r in results)
    judged = [pair for result in results for pair in match(result, class_id)]
    judged.sort(key=lambda pair: -pair[0])
    hits = np.array([hit for _, hit in judged], dtype=bool)
    found = np.cumsum(hits)
    ranks = np.arange(1, len(hits) + 1)
    recalls = found / objects if objects else np.full(len(hits), np.nan)
    return Curve(objects, np.array([probability for probability, _ in judged]), found / ranks, recalls)


def match(result: PhotoResult, class_id: int) -> list[tuple[float, bool]]:
    """Return probability and correctness of each found object of the class. A second match of the same object is
    wrong.
    """
    mine = result.true_classes == class_id
    boxes, uncounted = result.true_boxes_xyxy_px[mine], result.uncounted[mine]
    taken = np.zeros(len(boxes), dtype=bool)
    judged = []
    for index in np.flatnonzero(result.found_classes == class_id):
        overlaps = iou(result.found_boxes_xyxy_px[index], boxes)
        best = int(overlaps.argmax()) if len(boxes) else -1
        hit = best >= 0 and overlaps[best] >= MIN_IOU
        if hit and uncounted[best]:
            continue
        judged.append((float(result.probabilities[index]), bool(hit and not taken[best])))
        if hit:
            taken[best] = True
    return judged


def eleven_point_ap(curve: Curve) -> float:
    """Compute the AP of VOC 2007: the mean over recalls 0, 0.1, ..., 1 of the best precision at that recall or
    higher.
    """
    if curve.objects == 0:
        return float("nan")
    reached = [curve.precisions[curve.recalls >= point] for point in _ELEVEN_POINTS]
    return float(np.mean([precisions.max(initial=0.0) for precisions in reached]))


def all_point_ap(curve: Curve) -> float:
    """Compute the AP of VOC 2010 and later: the area under the curve, made not increasing."""
    if curve.objects == 0:
        return float("nan")
    best = np.maximum.accumulate(curve.precisions[::-1])[::-1]
    return float(np.sum(np.diff(curve.recalls, prepend=0.0) * best))
