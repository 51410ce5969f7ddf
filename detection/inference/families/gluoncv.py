"""GluonCV's SSD and YOLOv3: one output `rows` (R, 6), a row for each class at each place, as box_nms takes it.

Source: src/operator/contrib/bounding_box-inl.h and bounding_box-common.h of MXNet 1.9.1.
"""

from dataclasses import dataclass

import numpy as np

from detection.inference.decoding import BoxNmsDecoding
from detection.inference.engines.base import Outputs
from detection.inference.families.base import Family, require_outputs, unit_boxes
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

# Limit for exports that keep all objects: each is compared with all less probable ones.
MAX_KEPT = 1000


@dataclass(frozen=True, slots=True)
class GluonCvDecoding:
    """Parameters from the export: the attributes of its box_nms, and the number of objects it keeps (None for all)."""

    nms: BoxNmsDecoding
    limit: int | None = None


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode rows (R, 6) of class, score, xmin, ymin, xmax, ymax in pixels of the input to objects.

    Rows below `min_probability` are left out before the suppression; that is exact for all others.
    """
    decoding: GluonCvDecoding = network.decoding
    rows, nms = outputs["rows"], decoding.nms
    scores = rows[:, 1]
    valid = (scores > np.float32(nms.valid_thresh)) & (scores >= np.float32(min_probability))
    places = _most_probable(scores, np.flatnonzero(valid & (rows[:, 0] != np.float32(nms.background_id))), nms.topk)
    found = rows[places]
    class_ids = found[:, 0].astype(np.int64)
    limit = MAX_KEPT if decoding.limit is None else min(decoding.limit, MAX_KEPT)
    kept = _suppress(found[:, 2:], np.zeros_like(class_ids) if nms.force_suppress else class_ids, nms, limit)
    return Detections(unit_boxes(found[kept, 2:], network.size_wh), found[kept, 1], class_ids[kept])


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError unless the number of rows is a multiple of the number of classes."""
    rows = outputs.get("rows")
    places = 0 if rows is None else len(rows) // len(network.classes)
    require_outputs(outputs, network, {"rows": (places * len(network.classes), 6)})


def _most_probable(scores: FloatArray, places: IntArray, topk: int) -> IntArray:
    """Return the first `topk` of these places (all when negative), the most probable first."""
    if 0 < topk < len(places):
        # Sorting all of a few hundred thousand rows takes longer than a small network.
        least = np.partition(scores[places], -topk)[-topk]
        places = places[scores[places] >= least]
    # `stable`: among equal scores the earlier row comes first, as in the C++ source.
    ordered = places[np.argsort(-scores[places], kind="stable")]
    return ordered[:topk] if topk > 0 else ordered


def _suppress(boxes_xyxy: FloatArray, groups: IntArray, nms: BoxNmsDecoding, limit: int) -> IntArray:
    """Return the first `limit` boxes that no kept one of their group overlaps by more than `overlap_thresh`."""
    areas = _area(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])
    left = np.arange(len(boxes_xyxy))
    kept: list[int] = []
    while len(left) and len(kept) < limit:
        first, left = left[0], left[1:]
        kept.append(int(first))
        low = np.maximum(boxes_xyxy[first, :2], boxes_xyxy[left, :2])
        high = np.minimum(boxes_xyxy[first, 2:], boxes_xyxy[left, 2:])
        shared = _area(high - low)
        # Two boxes without an area overlap by 0 / 0, which suppresses nothing.
        with np.errstate(all="ignore"):
            iou = shared / (areas[first] + areas[left] - shared)
            left = left[~((groups[left] == groups[first]) & (iou > np.float32(nms.overlap_thresh)))]
    return np.array(kept, dtype=np.int64)


def _area(size_wh: FloatArray) -> FloatArray:
    """Return the areas of sizes, (K, 2) to (K,); 0 where a side is negative."""
    return np.where((size_wh < 0).any(axis=1), np.float32(0), size_wh[:, 0] * size_wh[:, 1])


FAMILY = Family(decode, check)
