"""Decodes the outputs of a single-shot network into boxes, by MXNet's rules.

Source: src/operator/contrib/multibox_detection.cc of MXNet 1.9.1.
"""

import numpy as np
from numpy.typing import NDArray

from detection.inference.decoding import MultiBoxDecoding
from detection.inference.types import Detections, FloatArray, FoundObject, IntArray, PixelBox

# Boxes that are compared at once with all less probable ones: of 32 to 256 the fastest for 1,000 boxes.
_BLOCK = 128


def decode_boxes(
    cls_prob: FloatArray,
    loc_pred: FloatArray,
    anchors_xyxy_unit: FloatArray,
    decoding: MultiBoxDecoding,
    *,
    min_probability: float = 0.0,
) -> Detections:
    """Turn one photo's outputs into its objects, most probable first.

    cls_prob: (C, A) float32, row 0 is the background; loc_pred: (4A,) float32; anchors_xyxy_unit: (A, 4) float32.
    min_probability: objects below it are left out *before* suppression. That is exact for all others, because an object
    is only ever suppressed by a more probable one, and it saves most of the work.
    """
    foreground = cls_prob[1:]
    scores = foreground.max(axis=0)
    kept = np.flatnonzero(scores >= np.float32(max(decoding.threshold, min_probability)))
    # `stable`: among equal scores the earlier anchor comes first, as in the C++ source.
    order = kept[np.argsort(-scores[kept], kind="stable")]
    # MXNet skips the cut to nms_topk when it skips the suppression.
    suppressing = 0.0 < decoding.nms_threshold <= 1.0
    if suppressing and decoding.nms_topk > 0:
        order = order[: decoding.nms_topk]
    class_ids = foreground[:, order].argmax(axis=0)
    boxes = _regress(loc_pred.reshape(-1, 4)[order], anchors_xyxy_unit[order], decoding)
    found = Detections(boxes, scores[order], class_ids.astype(np.int64))
    if not suppressing:
        return found
    alive = non_maximum_suppression(
        boxes, found.class_ids, iou_threshold=decoding.nms_threshold, across_classes=decoding.force_suppress
    )
    return Detections(boxes[alive], found.scores[alive], found.class_ids[alive])


def _regress(regression: FloatArray, anchors: FloatArray, decoding: MultiBoxDecoding) -> FloatArray:
    """Move and scale anchors by the predicted regression: (K, 4) and (K, 4) to (K, 4) xyxy, float32 throughout."""
    half = np.float32(0.5)
    size_wh = anchors[:, 2:] - anchors[:, :2]
    centre_xy = (anchors[:, :2] + anchors[:, 2:]) * half
    variances = np.asarray(decoding.variances, dtype=np.float32)
    moved_xy = regression[:, :2] * variances[:2] * size_wh + centre_xy
    # Extreme outputs may overflow here; the box then covers the photo (or is clipped), as in MXNet.
    with np.errstate(over="ignore", invalid="ignore"):
        half_wh = np.exp(regression[:, 2:] * variances[2:]) * size_wh * half
        boxes = np.concatenate([moved_xy - half_wh, moved_xy + half_wh], axis=1)
    return np.clip(boxes, np.float32(0), np.float32(1)) if decoding.clip else boxes


def iou_matrix(first_xyxy: FloatArray, second_xyxy: FloatArray) -> FloatArray:
    """Return the intersection over union of each pair of boxes: (K, 4) and (L, 4) to (K, L) float32; 0 where the union
    is empty.
    """
    left, top, right, bottom = first_xyxy.T[:, :, None]
    # Rows of one coordinate each: the products below then run over memory in order.
    others = np.ascontiguousarray(second_xyxy.T)
    shared = _overlap(left, right, others[0], others[2])
    shared *= _overlap(top, bottom, others[1], others[3])
    union = (right - left) * (bottom - top) + (others[2] - others[0]) * (others[3] - others[1])
    union -= shared
    positive = union > 0
    np.divide(shared, union, out=shared, where=positive)
    shared[~positive] = 0
    return shared


def _overlap(low: FloatArray, high: FloatArray, other_low: FloatArray, other_high: FloatArray) -> FloatArray:
    """Return the length that each interval (K, 1) shares with each other one (L,): (K, L), 0 at least."""
    length: FloatArray = np.minimum(high, other_high)
    length -= np.maximum(low, other_low)
    return np.maximum(length, np.float32(0), out=length)


def non_maximum_suppression(
    boxes_xyxy: FloatArray, class_ids: IntArray, *, iou_threshold: float, across_classes: bool
) -> IntArray:
    """Suppress boxes greedily, given in order of score, and return the indices that are kept, in order.

    boxes_xyxy: (K, 4) float32; class_ids: (K,) int64. A box is dropped when a kept box before it overlaps it by at
    least `iou_threshold` and has the same class (or any class, with `across_classes`). Blocks of the most probable are
    compared with all that is left, so that what they suppress is not compared again.
    """
    left, kept = np.arange(len(boxes_xyxy)), []
    while len(left):
        head, rest = left[:_BLOCK], left[_BLOCK:]
        # Boxes without an end, of wild outputs, overlap by no number, which suppresses nothing.
        with np.errstate(over="ignore", invalid="ignore"):
            suppresses = iou_matrix(boxes_xyxy[head], boxes_xyxy[left]) >= np.float32(iou_threshold)
        if not across_classes:
            suppresses &= class_ids[head][:, None] == class_ids[left]
        alive = survivors(suppresses[:, : len(head)])
        kept.append(head[alive])
        left = rest[~suppresses[alive, len(head) :].any(axis=0)] if len(rest) else rest
    return kept[0] if len(kept) == 1 else np.concatenate([left, *kept])


def survivors(suppresses: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of (K,) boxes no surviving one before them suppresses."""
    alive = np.ones(len(suppresses), dtype=bool)
    # Only rows with another one than the box itself.
    for index in np.flatnonzero(suppresses.sum(axis=1) > suppresses.diagonal()):
        if alive[index]:
            alive[index + 1 :] &= ~suppresses[index, index + 1 :]
    return alive


def to_objects(detections: Detections, size_wh: tuple[int, int], classes: tuple[str, ...]) -> tuple[FoundObject, ...]:
    """Name the objects and give their boxes in pixels of a photo of `size_wh`."""
    boxes = detections.boxes_xyxy_unit
    return tuple(
        FoundObject(
            class_id=class_id,
            class_name=classes[class_id],
            probability=shortest_float(score),
            box=box,
            box_xyxy_unit=(left, top, right, bottom),
        )
        for class_id, score, box, (left, top, right, bottom) in zip(
            detections.class_ids.tolist(),
            detections.scores,
            pixel_boxes(boxes, size_wh),
            boxes.tolist(),
            strict=True,
        )
    )


def shortest_float(value: np.float32) -> float:
    """Return the float with the fewest digits that reads back to this float32: 0.9959417, not 0.99594169855."""
    return float(str(np.float32(value)))


def pixel_boxes(boxes_xyxy_unit: FloatArray, size_wh: tuple[int, int]) -> list[PixelBox]:
    """Convert boxes in fractions, (K, 4), to whole pixels: corners are truncated (`int(W * xmin)`), sizes are their
    differences.

    The products are float32, as in the service of 2019; corners outside of the photo are clamped to it.
    """
    # All at once: for one box NumPy takes as long as for a hundred.
    width, height = size_wh
    edges = np.array([width, height, width, height], dtype=np.float32)
    corners = (np.clip(np.nan_to_num(boxes_xyxy_unit), 0.0, 1.0).astype(np.float32) * edges).astype(np.int64)
    return [
        PixelBox(left, top, max(right - left, 0), max(bottom - top, 0)) for left, top, right, bottom in corners.tolist()
    ]


def pixel_box(box_xyxy_unit: FloatArray, size_wh: tuple[int, int]) -> PixelBox:
    """Convert one box, (4,), as `pixel_boxes` does."""
    return pixel_boxes(box_xyxy_unit[None], size_wh)[0]
