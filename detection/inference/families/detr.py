"""DETR and its relatives (RT-DETR, D-FINE, RF-DETR): they predict a set without duplicates, so there is no suppression.

Source: RTDETRPostProcessor in src/zoo/rtdetr/rtdetr_postprocessor.py of lyuwenyu/RT-DETR (sigmoid), PostProcess in
models/detr.py of facebookresearch/detr (softmax, whose last class is "no object").
"""

from dataclasses import dataclass
from functools import cache

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.base import (
    Family,
    require_labels,
    require_outputs,
    require_probabilities,
)
from detection.inference.families.declaration import Declaration, require_class_ids
from detection.inference.families.declared import decode_as
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray

_ACTIVATIONS = ("sigmoid", "softmax", "none")


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
        require_class_ids(self.class_ids)
        if not isinstance(self.top, int) or self.top < 1:
            raise ValueError("top has to be a whole number from 1 up")


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode logits (queries, classes) and boxes (queries, 4), centre and size in fractions; or outputs already
    decoded.
    """
    return decode_as(_of_decoding(network.decoding), outputs, network, min_probability)


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


def _declared(_outputs: Outputs, network: Network) -> Declaration:
    return _of_decoding(network.decoding)


@cache
def _of_decoding(decoding: DetrDecoding) -> Declaration:
    """Return what the decoding says in the words of the family `declared`."""
    if decoding.activation == "none":
        return Declaration(
            decoding.boxes,
            decoding.scores,
            labels=decoding.labels,
            class_ids=decoding.class_ids,
            top=decoding.top,
        )
    return Declaration(
        decoding.boxes,
        decoding.logits,
        box="cxcywh",
        unit="fraction",
        activation=decoding.activation,
        background="last" if decoding.activation == "softmax" else "",
        class_ids=decoding.class_ids,
        multi_label=True,
        top=decoding.top,
    )


FAMILY = Family(decode, check, DetrDecoding, _declared)
