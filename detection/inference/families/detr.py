"""DETR and its kin (RT-DETR, D-FINE, RF-DETR): a set of objects, no two of them alike, so nothing is suppressed.

Source: RTDETRPostProcessor in src/zoo/rtdetr/rtdetr_postprocessor.py of lyuwenyu/RT-DETR (sigmoid), PostProcess in
models/detr.py of facebookresearch/detr (softmax, whose last class is "no object").
"""

from dataclasses import dataclass

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.families.base import (
    Family,
    centres_to_corners,
    most_probable,
    require_outputs,
    sigmoid,
    softmax,
    unit_boxes,
)
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

_ACTIVATIONS = ("sigmoid", "softmax", "none")


@dataclass(frozen=True, slots=True)
class DetrDecoding:
    """A card's `[decoding]`.

    activation: what makes probabilities of `logits`; "none" for exports that carry the decoding: `labels`, `boxes` in
    pixels of the input (xmin, ymin, xmax, ymax), `scores`. The other fields are the names of the export's outputs.
    top: objects at most.
    """

    activation: str = "sigmoid"
    logits: str = "logits"
    boxes: str = "boxes"
    labels: str = "labels"
    scores: str = "scores"
    top: int = 300

    def __post_init__(self) -> None:
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation has to be one of {', '.join(_ACTIVATIONS)}")
        if not all(isinstance(name, str) and name for name in (self.logits, self.boxes, self.labels, self.scores)):
            raise ValueError("logits, boxes, labels and scores have to be names of outputs")
        if not isinstance(self.top, int) or self.top < 1:
            raise ValueError("top has to be a whole number from 1 up")


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Logits (queries, classes) and boxes (queries, 4), centre and size in fractions; or what is decoded already."""
    decoding: DetrDecoding = network.decoding
    boxes = outputs[decoding.boxes]
    if decoding.activation == "none":
        rows, _ = most_probable(outputs[decoding.scores][:, None], min_probability, decoding.top)
        labels: IntArray = outputs[decoding.labels][rows].astype(np.int64)
        known = (labels >= 0) & (labels < len(network.classes))
        rows, labels = rows[known], labels[known]
        return Detections(unit_boxes(boxes[rows], network.size_wh), outputs[decoding.scores][rows], labels)
    probabilities = _probabilities(outputs[decoding.logits], decoding.activation)
    rows, class_ids = most_probable(probabilities, min_probability, decoding.top)
    corners = np.clip(centres_to_corners(boxes[rows]), np.float32(0), np.float32(1))
    return Detections(corners, probabilities[rows, class_ids], class_ids)


def check(outputs: Outputs, network: Network) -> None:
    """Raises CheckpointError when the named outputs are not there or their sizes do not fit the classes."""
    decoding: DetrDecoding = network.decoding
    first = outputs.get(decoding.boxes)
    queries = 0 if first is None or not first.ndim else len(first)
    expected: dict[str, tuple[int, ...]] = {decoding.boxes: (queries, 4)}
    if decoding.activation == "none":
        expected |= {decoding.labels: (queries,), decoding.scores: (queries,)}
    else:
        columns = len(network.classes) + (decoding.activation == "softmax")
        expected |= {decoding.logits: (queries, columns)}
    require_outputs(outputs, network, expected)


def _probabilities(logits: FloatArray, activation: str) -> FloatArray:
    return sigmoid(logits) if activation == "sigmoid" else softmax(logits)[:, :-1]


FAMILY = Family(decode, check, DetrDecoding)
