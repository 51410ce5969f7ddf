"""Average precision computed anew, slowly and sharing no code with `detection.evaluation`.

For photos without uncounted objects. Written from the definitions of COCO and Pascal VOC: at each threshold of IoU
every found object, the most probable first, takes the free true object that it overlaps most, if by enough.
"""

from collections.abc import Sequence

import numpy as np

from detection.evaluation.results import PhotoResult

Box = tuple[float, float, float, float]


def overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both)


def hits(results: Sequence[PhotoResult], class_id: int, min_iou: float) -> tuple[list[bool], int]:
    """Whether each found object of a class is right, over all photos by probability, and how many there are."""
    rows, objects = [], 0
    for photo, result in enumerate(results):
        true = [
            tuple(box) for box, c in zip(result.true_boxes_xyxy_px, result.true_classes, strict=True) if c == class_id
        ]
        objects += len(true)
        found = zip(result.probabilities, result.found_boxes_xyxy_px, result.found_classes, strict=True)
        rows += [(-p, photo, tuple(box), true) for p, box, c in found if c == class_id]
    verdicts, taken = [], set()
    for _, photo, box, true in sorted(rows, key=lambda row: row[0]):
        free = [(overlap(box, each), index) for index, each in enumerate(true) if (photo, index) not in taken]
        best, index = max(free, default=(0.0, -1))
        verdicts.append(best >= min_iou)
        if best >= min_iou:
            taken.add((photo, index))
    return verdicts, objects


def average_precision(verdicts: Sequence[bool], objects: int, recalls: Sequence[float]) -> float:
    """The mean over `recalls` of the best precision that is reached there or later."""
    points = []
    for rank in range(1, len(verdicts) + 1):
        right = sum(verdicts[:rank])
        points.append((right / objects, right / rank))
    total = sum(max([precision for recall, precision in points if recall >= wanted], default=0.0) for wanted in recalls)
    return total / len(recalls)


def area_under_curve(verdicts: Sequence[bool], objects: int) -> float:
    """Each true object that is found adds 1 / objects of recall at the best precision from there on."""
    precisions = [sum(verdicts[:rank]) / rank for rank in range(1, len(verdicts) + 1)]
    return sum(max(precisions[index:]) for index, verdict in enumerate(verdicts) if verdict) / objects


def coco_ap(results: Sequence[PhotoResult], class_id: int) -> float:
    """AP@[.5:.95] of one class: ten thresholds of IoU, 101 recalls."""
    # The very numbers of COCO's code: a recall may be equal to one of them.
    thresholds = np.linspace(0.5, 0.95, 10).tolist()
    recalls = np.linspace(0, 1, 101).tolist()
    return sum(average_precision(*hits(results, class_id, each), recalls) for each in thresholds) / len(thresholds)
