"""MXNet's MultiBoxDetection and pixel rules again, as plain loops written from multibox_detection.cc.

It shares no code with `detection.inference.boxes`, nor a way of thinking: one anchor after the other.
"""

import math
from typing import NamedTuple

import numpy as np

f32 = np.float32
Box = tuple[np.float32, np.float32, np.float32, np.float32]


class Row(NamedTuple):
    """One detection: class without background, score, xmin, ymin, xmax, ymax."""

    class_id: int
    score: np.float32
    box: Box


def detect(
    cls_prob: np.ndarray,
    loc_pred: np.ndarray,
    anchors: np.ndarray,
    *,
    threshold: float,
    clip: bool,
    variances: tuple[float, float, float, float],
    nms_threshold: float,
    force_suppress: bool,
    nms_topk: int,
) -> list[Row]:
    """All detections of one photo, most probable first."""
    rows = []
    for anchor in range(cls_prob.shape[1]):
        best, score = _best_class(cls_prob[:, anchor])
        if score >= f32(threshold):
            box = _box(anchors[anchor], loc_pred[4 * anchor : 4 * anchor + 4], variances, clip=clip)
            rows.append(Row(best - 1, score, box))
    rows.sort(key=lambda row: -row.score)
    if nms_threshold <= 0 or nms_threshold > 1:
        return rows
    if nms_topk > 0:
        rows = rows[:nms_topk]
    dead = [False] * len(rows)
    for i, kept in enumerate(rows):
        for j in range(i + 1, len(rows)):
            same = force_suppress or rows[j].class_id == kept.class_id
            if not dead[i] and same and _iou(kept.box, rows[j].box) >= f32(nms_threshold):
                dead[j] = True
    return [row for row, gone in zip(rows, dead, strict=True) if not gone]


def _best_class(probabilities: np.ndarray) -> tuple[int, np.float32]:
    score, best = f32(-1), 0
    for class_id in range(1, len(probabilities)):
        if probabilities[class_id] > score:
            score, best = probabilities[class_id], class_id
    return best, score


def _box(anchor: np.ndarray, loc: np.ndarray, variances: tuple[float, ...], *, clip: bool) -> Box:
    left, top, right, bottom = (f32(value) for value in anchor)
    width, height = right - left, bottom - top
    x = loc[0] * f32(variances[0]) * width + (left + right) / f32(2)
    y = loc[1] * f32(variances[1]) * height + (top + bottom) / f32(2)
    half_width = f32(math.exp(loc[2] * f32(variances[2]))) * width / f32(2)
    half_height = f32(math.exp(loc[3] * f32(variances[3]))) * height / f32(2)
    corners = (x - half_width, y - half_height, x + half_width, y + half_height)
    return _clipped(corners) if clip else corners


def _clipped(box: Box) -> Box:
    left, top, right, bottom = (f32(max(0.0, min(1.0, float(corner)))) for corner in box)
    return left, top, right, bottom


def _iou(a: Box, b: Box) -> np.float32:
    width = np.maximum(f32(0), np.minimum(a[2], b[2]) - np.maximum(a[0], b[0]))
    height = np.maximum(f32(0), np.minimum(a[3], b[3]) - np.maximum(a[1], b[1]))
    intersection = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    return f32(0) if union <= 0 else f32(intersection / union)
