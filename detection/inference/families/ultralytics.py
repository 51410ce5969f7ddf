"""YOLO as Ultralytics exports it: boxes in pixels of the input, all sigmoids taken.

Three heads, by what one photo's output is: v8 (also v9, 11, 12) has (4 + classes, cells), v5 (also v7) has
(cells, 5 + classes) with an objectness before the classes, end-to-end (v10, 26) has (objects, 6) without duplicates.
Source: non_max_suppression in ultralytics/utils/nms.py of ultralytics/ultralytics and in utils/general.py of
ultralytics/yolov5.
"""

from dataclasses import dataclass

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.families.base import (
    MAX_CANDIDATES,
    Family,
    centres_to_corners,
    most_probable,
    only_output,
    require_labels,
    require_outputs,
    require_probabilities,
    require_share,
    suppressed,
    unit_boxes,
)
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

_HEADS = ("v8", "v5", "end_to_end")
_BOX = 4
_SCORE, _CLASS, _COLUMNS = 4, 5, 6


@dataclass(frozen=True, slots=True)
class UltralyticsDecoding:
    """A card's `[decoding]`.

    head: "v8", "v5" or "end_to_end". iou_threshold: a box that a more probable one of its class overlaps by more is
    suppressed; an end-to-end network has none of those.
    """

    head: str = "v8"
    iou_threshold: float = 0.7

    def __post_init__(self) -> None:
        if self.head not in _HEADS:
            raise ValueError(f"head has to be one of {', '.join(_HEADS)}")
        require_share("iou_threshold", self.iou_threshold)


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode the output of the head, see above; each cell has one box, of its most probable class."""
    decoding: UltralyticsDecoding = network.decoding
    output = only_output(outputs, network)
    if decoding.head == "end_to_end":
        return _ready(output, network, min_probability)
    cells = output.T if decoding.head == "v8" else output
    scores, class_ids = _scores(cells, decoding.head)
    rows, _ = most_probable(scores[:, None], min_probability, MAX_CANDIDATES)
    boxes = unit_boxes(centres_to_corners(cells[rows, :_BOX]), network.size_wh)
    return suppressed(Detections(boxes, scores[rows], class_ids[rows]), decoding.iou_threshold)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when the output is not that of the head with as many classes, or not of probabilities."""
    head, classes = network.decoding.head, len(network.classes)
    output = only_output(outputs, network)
    rows, columns = output.shape if output.ndim == 2 else (0, 0)  # noqa: PLR2004 a matrix
    shapes = {"v8": (_BOX + classes, columns), "v5": (rows, _BOX + 1 + classes), "end_to_end": (rows, _COLUMNS)}
    require_outputs(outputs, network, {next(iter(outputs)): shapes[head]})
    if head == "end_to_end":
        require_probabilities(output[:, _SCORE], network)
        require_labels(output[:, _CLASS], network, classes)
    else:
        require_probabilities(output[_BOX:] if head == "v8" else output[:, _BOX:], network)


def _scores(cells: FloatArray, head: str) -> tuple[FloatArray, IntArray]:
    """Return the score of the most probable class of each cell, and the class."""
    first = _BOX + (head == "v5")
    class_ids: IntArray = cells[:, first:].argmax(axis=1).astype(np.int64)
    scores: FloatArray = cells[:, first:].max(axis=1)
    return (scores * cells[:, _BOX] if head == "v5" else scores), class_ids


def _ready(objects: FloatArray, network: Network, min_probability: float) -> Detections:
    """Return rows of xmin, ymin, xmax, ymax, score, class; padding has a score of 0."""
    rows, _ = most_probable(objects[:, _SCORE, None], min_probability, len(objects))
    class_ids: IntArray = objects[rows, _CLASS].astype(np.int64)
    known = (class_ids >= 0) & (class_ids < len(network.classes))
    rows, class_ids = rows[known], class_ids[known]
    return Detections(unit_boxes(objects[rows, :_BOX], network.size_wh), objects[rows, _SCORE], class_ids)


FAMILY = Family(decode, check, UltralyticsDecoding)
