"""Merges what the whole photo and its tiles show: an object that several of them show is one object."""

from collections.abc import Sequence

import numpy as np

from detection.inference.boxes import iou_matrix, survivors
from detection.inference.types import Detections

# Boxes of one class in two views are the same object above this IoU.
_SAME_IOU = 0.5
# Boxes that are compared, the most probable first: each with each.
_MOST = 1000


def merged(views: Sequence[Detections], min_probability: float) -> Detections:
    """Return the objects of all views from `min_probability` up, most probable first, boxes in fractions of the photo.

    Of two boxes of a class from different views that overlap by more than `_SAME_IOU` the more probable one stays: a
    piece overlaps its whole by less, so that it never takes its place. Views keep what they have of their own: their
    families have suppressed already what overlaps too much.
    """
    boxes = np.concatenate([each.boxes_xyxy_unit for each in views])
    scores = np.concatenate([each.scores for each in views])
    class_ids = np.concatenate([each.class_ids for each in views])
    of_view = np.repeat(np.arange(len(views)), [len(each) for each in views])
    kept = np.flatnonzero(scores >= np.float32(min_probability))
    order = kept[np.argsort(-scores[kept], kind="stable")][:_MOST]
    boxes, scores, class_ids, of_view = boxes[order], scores[order], class_ids[order], of_view[order]
    is_same = (
        (iou_matrix(boxes, boxes) > _SAME_IOU)
        & (class_ids[:, None] == class_ids[None, :])
        & (of_view[:, None] != of_view[None, :])
    )
    kept = np.flatnonzero(survivors(is_same))
    return Detections(boxes[kept], scores[kept], class_ids[kept])
