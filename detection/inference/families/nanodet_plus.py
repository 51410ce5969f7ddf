"""NanoDet-Plus: one output (cells, classes + 4 * bins), a distribution for each of a box's four distances.

Source: nanodet/model/head/nanodet_plus_head.py and integral of gfl_head.py in RangiLyu/nanodet 1.0.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.base import (
    MAX_CANDIDATES,
    Family,
    most_probable,
    most_probable_of_logits,
    only_output,
    require_outputs,
    require_probabilities,
    require_share,
    require_strides,
    softmax,
    suppressed,
    unit_boxes,
)
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

_ACTIVATIONS = ("sigmoid", "none")


@dataclass(frozen=True, slots=True)
class NanoDetDecoding:
    """A card's `[decoding]`.

    strides: pixels between cells, level by level; bins: the numbers of a distribution, 0 to bins - 1 strides.
    activation: "sigmoid" where the classes are logits, "none" where they are probabilities already, as in what the
    project's own tools/export_onnx.py writes.
    iou_threshold: a box that a more probable one of its class overlaps by more is suppressed.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64)
    bins: int = 8
    activation: str = "sigmoid"
    iou_threshold: float = 0.6

    def __post_init__(self) -> None:
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation has to be one of {', '.join(_ACTIVATIONS)}")
        require_strides(self.strides)
        require_share("iou_threshold", self.iou_threshold)
        if not isinstance(self.bins, int) or self.bins < 2:  # noqa: PLR2004 one bin is no distribution
            raise ValueError("bins has to be a whole number from 2 up")


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode the output (cells, classes + 4 * bins): classes, then logits of the distances left, top, right, bottom."""
    decoding: NanoDetDecoding = network.decoding
    cells = only_output(outputs, network)
    count = len(network.classes)
    rows, class_ids, scores = _candidates(cells[:, :count], decoding.activation, min_probability)
    centres_xy, strides = _centres(network.size_wh, decoding.strides)
    shares = softmax(cells[rows, count:].reshape(-1, 4, decoding.bins))
    distances = shares @ np.arange(decoding.bins, dtype=np.float32) * strides[rows, None]
    centres = centres_xy[rows]
    boxes_px = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
    found = Detections(unit_boxes(boxes_px, network.size_wh), scores, class_ids)
    return suppressed(found, decoding.iou_threshold)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when cells, columns or the activation disagree with card and input."""
    only_output(outputs, network)
    decoding: NanoDetDecoding = network.decoding
    shape = (len(_centres(network.size_wh, decoding.strides)[1]), len(network.classes) + 4 * decoding.bins)
    require_outputs(outputs, network, {next(iter(outputs)): shape})
    classes = only_output(outputs, network)[:, : len(network.classes)]
    if decoding.activation == "none":
        require_probabilities(classes, network)
    elif classes.min() >= 0 and classes.max() <= 1:
        raise CheckpointError(
            f"{network.name} answers with {classes.min():.4g} to {classes.max():.4g} for all classes: these are "
            'probabilities, not logits. Set `activation = "none"` under [decoding] in its model card.'
        )


def _candidates(classes: FloatArray, activation: str, min_probability: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return cells, classes and probabilities of the boxes that enter the suppression."""
    if activation == "sigmoid":
        return most_probable_of_logits(classes, min_probability, MAX_CANDIDATES)
    rows, class_ids = most_probable(classes, min_probability, MAX_CANDIDATES)
    return rows, class_ids, classes[rows, class_ids]


@cache
def _centres(size_wh: tuple[int, int], strides: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return centre (cells, 2) and stride (cells,) of each cell in pixels, row by row; without an offset of half a
    cell.
    """
    centres, widths = [], []
    for stride in strides:
        columns, rows = (-(-side // stride) for side in size_wh)
        y, x = np.mgrid[:rows, :columns]
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1) * stride)
        widths.append(np.full(rows * columns, stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(widths).astype(np.float32)


FAMILY = Family(decode, check, NanoDetDecoding)
