"""MXNet's box_nms again, as plain loops written from bounding_box-inl.h and bounding_box-common.h.

It shares no code with `detection.inference.families.gluoncv`: rows are marked and copied as the C++ source does.
"""

from collections.abc import Sequence

import numpy as np

f32 = np.float32
Row = Sequence[np.float32]
SUPPRESSED = -1


def box_nms(
    rows: Sequence[Row], *, overlap: float, valid: float, topk: int, force: bool, background: int
) -> list[list[float]]:
    """The rows (class, score, xmin, ymin, xmax, ymax) that stay, in the order in which MXNet writes them."""
    index = [place for place, row in enumerate(rows) if row[1] > f32(valid) and row[0] != f32(background)]
    index.sort(key=lambda place: -rows[place][1])
    count = len(rows) if topk < 0 else min(topk, len(rows))
    for first in range(min(count, len(index))):
        for second in range(first + 1, min(count, len(index))):
            if SUPPRESSED in (index[first], index[second]):
                continue
            one, other = rows[index[first]], rows[index[second]]
            if not force and int(one[0]) != int(other[0]):
                continue
            if _overlap(one[2:], other[2:]) > f32(overlap):
                index[second] = SUPPRESSED
    return [[float(number) for number in rows[place]] for place in index[:count] if place != SUPPRESSED]


def _overlap(one: Row, other: Row) -> np.float32:
    shared = _side(one[0], one[2], other[0], other[2]) * _side(one[1], one[3], other[1], other[3])
    union = _area(one) + _area(other) - shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return f32(f32(shared) / f32(union))


def _side(low: np.float32, high: np.float32, other_low: np.float32, other_high: np.float32) -> np.float32:
    left = low if low > other_low else other_low
    right = high if high < other_high else other_high
    return right - left if right - left > 0 else f32(0)


def _area(box: Row) -> np.float32:
    width, height = box[2] - box[0], box[3] - box[1]
    return f32(0) if width < 0 or height < 0 else width * height
