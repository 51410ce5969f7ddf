"""YOLOX: one output (cells, 5 + classes): box, objectness and class probabilities, the last two after their sigmoid.

Source: demo_postprocess in yolox/utils/demo_utils.py and postprocess in yolox/utils/boxes.py of
Megvii-BaseDetection/YOLOX.
"""

from dataclasses import dataclass

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.base import (
    MAX_CANDIDATES,
    Family,
    centres_to_corners,
    most_probable,
    only_output,
    require_outputs,
    require_probabilities,
    require_share,
    require_strides,
    suppressed,
    unit_boxes,
)
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray

_BOX, _CLASSES = 4, 5


@dataclass(frozen=True, slots=True)
class YoloxDecoding:
    """A card's `[decoding]`.

    strides: pixels between cells, level by level; decoded: whether the export's boxes are in pixels already.
    iou_threshold: a box that a more probable one of its class overlaps by more is suppressed.
    """

    strides: tuple[int, ...] = (8, 16, 32)
    decoded: bool = False
    iou_threshold: float = 0.45

    def __post_init__(self) -> None:
        require_strides(self.strides)
        require_share("iou_threshold", self.iou_threshold)
        if self.decoded is not True and self.decoded is not False:
            raise ValueError("decoded has to be true or false")


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode the output (cells, 5 + classes); each cell has one box, of its most probable class."""
    decoding: YoloxDecoding = network.decoding
    cells = only_output(outputs, network)
    class_ids = cells[:, _CLASSES:].argmax(axis=1)
    scores = cells[:, _BOX] * cells[:, _CLASSES:].max(axis=1)
    rows, _ = most_probable(scores[:, None], min_probability, MAX_CANDIDATES)
    boxes = cells[rows, :_BOX]
    if not decoding.decoded:
        corners, strides = _cells(network.size_wh, decoding.strides)
        # Extreme outputs may overflow here; the box then covers the photo.
        with np.errstate(over="ignore"):
            boxes = np.concatenate([boxes[:, :2] + corners[rows], np.exp(boxes[:, 2:])], axis=1) * strides[rows, None]
    boxes = unit_boxes(centres_to_corners(boxes), network.size_wh)
    return suppressed(Detections(boxes, scores[rows], class_ids[rows].astype(np.int64)), decoding.iou_threshold)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when cells or columns disagree with card and input, or values are not probabilities."""
    only_output(outputs, network)
    count = len(_cells(network.size_wh, network.decoding.strides)[1])
    require_outputs(outputs, network, {next(iter(outputs)): (count, _CLASSES + len(network.classes))})
    cells = only_output(outputs, network)
    require_probabilities(cells[:, _BOX:], network)
    # Centres in pixels spread over the whole input; offsets from a cell are a few at most.
    looks_decoded = bool(cells[:, :2].max() > network.edge / 2)
    if looks_decoded is not network.decoding.decoded:
        raise CheckpointError(
            f"{network.name} answers with {'pixels' if looks_decoded else 'offsets from cells'} for boxes. Set "
            f"`decoded = {str(looks_decoded).lower()}` under [decoding] in its model card."
        )


def _cells(size_wh: tuple[int, int], strides: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return column and row (cells, 2) and stride (cells,) of each cell, row by row."""
    places, widths = [], []
    for stride in strides:
        columns, rows = (side // stride for side in size_wh)
        y, x = np.mgrid[:rows, :columns]
        places.append(np.stack([x.ravel(), y.ravel()], axis=1))
        widths.append(np.full(rows * columns, stride))
    return np.concatenate(places).astype(np.float32), np.concatenate(widths).astype(np.float32)


FAMILY = Family(decode, check, YoloxDecoding)
