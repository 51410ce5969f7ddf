"""How a network's outputs become boxes: the numbers that a checkpoint carries for it, nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MultiBoxDecoding:
    """The attributes of a `_contrib_MultiBoxDetection`, with MXNet's defaults.

    threshold: the least probability of a kept anchor. clip: whether boxes are cut to [0, 1].
    variances: the scales of the box regression, in the order x, y, width, height.
    nms_threshold: the least IoU that suppresses; outside of (0, 1] nothing is sorted, cut or suppressed.
    force_suppress: whether boxes of different classes suppress each other too.
    nms_topk: how many boxes, the most probable first, enter the suppression; the others are dropped; all when <= 0.
    background_id: read, but MXNet itself takes class 0 for the background whatever this says.
    Source: src/operator/contrib/multibox_detection-inl.h and multibox_detection.cc of MXNet 1.9.1.
    """

    threshold: float = 0.01
    clip: bool = True
    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    nms_threshold: float = 0.5
    force_suppress: bool = False
    nms_topk: int = -1
    background_id: int = 0
