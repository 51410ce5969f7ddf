"""Parameters, carried by a checkpoint, for decoding a network's outputs into boxes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MultiBoxDecoding:
    """The attributes of a `_contrib_MultiBoxDetection`, with MXNet's defaults.

    threshold: the least probability of a kept anchor. clip: whether boxes are cut to [0, 1].
    variances: the scales of the box regression, in the order x, y, width, height.
    nms_threshold: the least IoU that suppresses; outside of (0, 1] nothing is sorted, cut or suppressed.
    force_suppress: whether boxes of different classes suppress each other too.
    nms_topk: how many boxes, the most probable first, enter the suppression; the others are dropped; all when <= 0.
    background_id: read, but MXNet itself always takes class 0 for the background.
    Source: src/operator/contrib/multibox_detection-inl.h and multibox_detection.cc of MXNet 1.9.1.
    """

    threshold: float = 0.01
    clip: bool = True
    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    nms_threshold: float = 0.5
    force_suppress: bool = False
    nms_topk: int = -1
    background_id: int = 0


@dataclass(frozen=True, slots=True)
class BoxNmsDecoding:
    """The attributes of a `_contrib_box_nms`, with MXNet's defaults.

    overlap_thresh: an IoU above it suppresses. valid_thresh: only scores above it take part.
    topk: how many rows, the most probable first, enter the suppression; the others are dropped; all when negative.
    coord_start, score_index, id_index: the columns of the four corners, the score, the class.
    background_id: rows of this class take no part. force_suppress: whether classes suppress each other too.
    in_format, out_format: of the boxes; only corners (xmin, ymin, xmax, ymax) are known here.
    Source: src/operator/contrib/bounding_box-inl.h of MXNet 1.9.1.
    """

    overlap_thresh: float = 0.5
    valid_thresh: float = 0.0
    topk: int = -1
    coord_start: int = 2
    score_index: int = 1
    id_index: int = -1
    background_id: int = -1
    force_suppress: bool = False
    in_format: Literal["corner"] = "corner"
    out_format: Literal["corner"] = "corner"
