"""DETR and its relatives (RT-DETR, D-FINE, RF-DETR): they predict a set without duplicates, so there is no suppression.

Source: RTDETRPostProcessor in src/zoo/rtdetr/rtdetr_postprocessor.py of lyuwenyu/RT-DETR (sigmoid), PostProcess in
models/detr.py of facebookresearch/detr (softmax, whose last class is "no object").
"""

from dataclasses import dataclass

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.base import (
    Family,
    centres_to_corners,
    most_probable,
    require_labels,
    require_outputs,
    require_probabilities,
    sigmoid,
    softmax,
    unit_boxes,
)
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

_ACTIVATIONS = ("sigmoid", "softmax", "none")
_MAX_CLASS_ID = 100_000


@dataclass(frozen=True, slots=True)
class DetrDecoding:
    """A card's `[decoding]`.

    activation: the function from `logits` to probabilities; "none" for exports that carry the decoding: `labels`,
    `boxes` in pixels of the input (xmin, ymin, xmax, ymax), `scores`. The other fields are the names of the export's
    outputs. class_ids: the column of `logits`, or the number in `labels`, of each class of the card, where these are
    not simply 0, 1, 2 and so on: RF-DETR's are COCO's category numbers, with gaps. Other columns and labels are
    ignored. top: objects at most.
    """

    activation: str = "sigmoid"
    logits: str = "logits"
    boxes: str = "boxes"
    labels: str = "labels"
    scores: str = "scores"
    class_ids: tuple[int, ...] = ()
    top: int = 300

    def __post_init__(self) -> None:
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation has to be one of {', '.join(_ACTIVATIONS)}")
        if not all(isinstance(name, str) and name for name in (self.logits, self.boxes, self.labels, self.scores)):
            raise ValueError("logits, boxes, labels and scores have to be names of outputs")
        if not _are_class_ids(self.class_ids):
            raise ValueError("class_ids has to be a list of different whole numbers from 0 up")
        if not isinstance(self.top, int) or self.top < 1:
            raise ValueError("top has to be a whole number from 1 up")


def _are_class_ids(given: object) -> bool:
    return (
        isinstance(given, tuple)
        and all(type(each) is int and 0 <= each <= _MAX_CLASS_ID for each in given)
        and len(set(given)) == len(given)
    )


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode logits (queries, classes) and boxes (queries, 4), centre and size in fractions; or outputs already
    decoded.
    """
    decoding: DetrDecoding = network.decoding
    boxes = outputs[decoding.boxes]
    if decoding.activation == "none":
        labels = _classes_of(outputs[decoding.labels], decoding.class_ids, len(network.classes))
        scores = np.where(labels >= 0, outputs[decoding.scores], np.float32(-1))
        rows, _ = most_probable(scores[:, None], max(min_probability, 0.0), decoding.top)
        return Detections(unit_boxes(boxes[rows], network.size_wh), scores[rows], labels[rows])
    probabilities = _probabilities(outputs[decoding.logits], decoding.activation)
    if decoding.class_ids:
        probabilities = probabilities[:, decoding.class_ids]
    rows, class_ids = most_probable(probabilities, min_probability, decoding.top)
    corners = np.clip(centres_to_corners(boxes[rows]), np.float32(0), np.float32(1))
    return Detections(corners, probabilities[rows, class_ids], class_ids)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when the named outputs are missing or do not fit the classes."""
    decoding: DetrDecoding = network.decoding
    first = outputs.get(decoding.boxes)
    queries = 0 if first is None or not first.ndim else len(first)
    expected: dict[str, tuple[int, ...]] = {decoding.boxes: (queries, 4)}
    if decoding.activation == "none":
        expected |= {decoding.labels: (queries,), decoding.scores: (queries,)}
    else:
        expected |= {decoding.logits: (queries, _columns(outputs.get(decoding.logits), network))}
    if decoding.class_ids and len(decoding.class_ids) != len(network.classes):
        raise CheckpointError(
            f"{network.name} has {len(network.classes)} classes and {len(decoding.class_ids)} class_ids. Correct "
            "`class_ids` under [decoding] in its model card."
        )
    require_outputs(outputs, network, expected)
    if decoding.activation == "none":
        require_probabilities(outputs[decoding.scores], network)
        if not decoding.class_ids:
            require_labels(outputs[decoding.labels], network, len(network.classes))


def _columns(logits: FloatArray | None, network: Network) -> int:
    """Return the required number of logit columns: with class_ids the present number, if all ids are within it."""
    decoding: DetrDecoding = network.decoding
    softmax_none = int(decoding.activation == "softmax")
    if not decoding.class_ids:
        return len(network.classes) + softmax_none
    least = max(decoding.class_ids) + 1 + softmax_none
    return least if logits is None or not logits.ndim else max(least, logits.shape[-1])


def _classes_of(labels: FloatArray, class_ids: tuple[int, ...], classes: int) -> IntArray:
    """Return the classes of an export's labels (K,); -1 for labels that the card does not list."""
    numbers: IntArray = labels.astype(np.int64)
    if not class_ids:
        return np.where((numbers >= 0) & (numbers < classes), numbers, -1)
    table = np.full(max(class_ids) + 1, -1, np.int64)
    table[list(class_ids)] = np.arange(len(class_ids))
    known = (numbers >= 0) & (numbers < len(table))
    return np.where(known, table[np.where(known, numbers, 0)], -1)


def _probabilities(logits: FloatArray, activation: str) -> FloatArray:
    return sigmoid(logits) if activation == "sigmoid" else softmax(logits)[:, :-1]


FAMILY = Family(decode, check, DetrDecoding)
