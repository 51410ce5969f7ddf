"""References in plain loops and doubles, from the published descriptions; they share no code with the product."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Found:
    """One object: class, probability, xmin, ymin, xmax, ymax in fractions of the input."""

    class_id: int
    score: float
    box: tuple[float, float, float, float]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def clipped(box: Sequence[float], size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = size_wh
    left, top, right, bottom = (
        min(max(value / side, 0.0), 1.0) for value, side in zip(box, (width, height) * 2, strict=True)
    )
    return left, top, right, bottom


def iou(first: Sequence[float], second: Sequence[float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    overlap = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    union = sum(areas) - overlap
    return overlap / union if union > 0 else 0.0


def greedy(found: list[Found], iou_above: float) -> list[Found]:
    kept: list[Found] = []
    for each in sorted(found, key=lambda found: -found.score):
        if all(each.class_id != other.class_id or iou(each.box, other.box) <= iou_above for other in kept):
            kept.append(each)
    return kept


def suppressed(found: list[Found], iou_above: float, size_wh: tuple[int, int]) -> list[Found]:
    """Boxes in pixels; the projects cut them off at the edges after the suppression."""
    return [replace(each, box=clipped(each.box, size_wh)) for each in greedy(found, iou_above)]


def cells(size_wh: tuple[int, int], strides: Sequence[int]) -> list[tuple[int, int, int]]:
    """Column, row and stride of each cell."""
    width, height = size_wh
    return [
        (column, row, stride)
        for stride in strides
        for row in range(math.ceil(height / stride))
        for column in range(math.ceil(width / stride))
    ]


def nanodet(
    rows: Any, size_wh: tuple[int, int], *, classes: int, strides: Sequence[int], bins: int, low: float
) -> list[Found]:
    """models/nanodet_plus_m/PROVENANCE.md, sentence by sentence."""
    found = []
    for values, (column, row, stride) in zip(rows, cells(size_wh, strides), strict=True):
        distances = []
        for side in range(4):
            powers = [math.exp(values[classes + side * bins + k]) for k in range(bins)]
            distances.append(sum(k * power for k, power in enumerate(powers)) / sum(powers) * stride)
        x, y = column * stride, row * stride
        box = clipped((x - distances[0], y - distances[1], x + distances[2], y + distances[3]), size_wh)
        found += [Found(k, sigmoid(values[k]), box) for k in range(classes) if sigmoid(values[k]) >= low]
    return greedy(found, 0.6)


def yolox(rows: Any, size_wh: tuple[int, int], *, strides: Sequence[int], low: float, iou_above: float) -> list[Found]:
    """demo_postprocess and postprocess of YOLOX, in loops."""
    found = []
    for values, (column, row, stride) in zip(rows, cells(size_wh, strides), strict=True):
        x, y = (values[0] + column) * stride, (values[1] + row) * stride
        width, height = math.exp(values[2]) * stride, math.exp(values[3]) * stride
        best = max(range(5, len(values)), key=lambda index: values[index])
        score = values[4] * values[best]
        if score >= low:
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            found.append(Found(best - 5, score, box))
    return suppressed(found, iou_above, size_wh)


def yunet(outputs: Any, size_wh: tuple[int, int], *, strides: Sequence[int], low: float) -> list[Found]:
    """FaceDetectorYNImpl::postProcess of OpenCV, in loops; `outputs` by name."""
    found = []
    for stride in strides:
        places = cells(size_wh, [stride])
        parts = (outputs[f"{part}_{stride}"] for part in ("cls", "obj", "bbox"))
        for (column, row, _), (shown,), (present,), (x, y, width, height) in zip(places, *parts, strict=True):
            score = math.sqrt(min(max(shown, 0.0), 1.0) * min(max(present, 0.0), 1.0))
            if score >= low:
                centre_x, centre_y = (column + x) * stride, (row + y) * stride
                half_width, half_height = math.exp(width) * stride / 2, math.exp(height) * stride / 2
                corners = (centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)
                found.append(Found(0, score, corners))
    return suppressed(found, 0.3, size_wh)


def detr(logits: Any, boxes: Any, *, softmax: bool, low: float, top: int) -> list[Found]:
    """RTDETRPostProcessor (sigmoid) and DETR's PostProcess (softmax without its last class), in loops."""
    found = []
    for values, (x, y, width, height) in zip(logits, boxes, strict=True):
        powers = [math.exp(value) for value in values]
        shares = [power / sum(powers) for power in powers][:-1] if softmax else [sigmoid(value) for value in values]
        box = clipped((x - width / 2, y - height / 2, x + width / 2, y + height / 2), (1, 1))
        found += [Found(k, share, box) for k, share in enumerate(shares) if share >= low]
    return sorted(found, key=lambda each: -each.score)[:top]


def ultralytics(rows: Any, size_wh: tuple[int, int], *, objectness: bool, low: float, iou_above: float) -> list[Found]:
    """non_max_suppression of Ultralytics with one class a box, in loops; `rows` with a cell in each."""
    found = []
    for x, y, width, height, *rest in rows:
        share, classes = (rest[0], rest[1:]) if objectness else (1.0, rest)
        best = max(range(len(classes)), key=lambda index: classes[index])
        if share * classes[best] >= low:
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            found.append(Found(best, share * classes[best], box))
    return suppressed(found, iou_above, size_wh)
