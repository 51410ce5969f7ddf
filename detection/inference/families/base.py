"""Interface of the families of networks, and the functions they share."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection.inference.boxes import non_maximum_suppression
from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

if TYPE_CHECKING:
    from detection.inference.families.declaration import Declaration

# Boxes that enter the suppression, the most probable first: each is compared with each.
MAX_CANDIDATES = 1000
_HALF_PRECISION = 0.01
_MAX_STRIDE = 4096
# The most that rounding a probability to a float32 moves its logit, where that is not above 1 - 1e-6.
_ROUNDING = 0.1


@dataclass(frozen=True, slots=True)
class Family:
    """Decoding of one family of networks.

    decode: turns one photo's outputs (without the batch), the network and the least probability into objects in
    fractions of the network's input. check: raises CheckpointError when the outputs are not those of this family and
    network. decoding: the frozen dataclass of a card's `[decoding]`, whose wrong values raise ValueError; None where
    the checkpoint itself carries all that is needed. declared: the declaration (`families/declaration.py`) of these
    outputs; None where none can describe them.
    """

    decode: Callable[[Outputs, Network, float], Detections]
    check: Callable[[Outputs, Network], None]
    decoding: type[Any] | None = None
    declared: "Callable[[Outputs, Network], Declaration] | None" = None


def sigmoid(logits: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)) in float32, without an overflow for any x."""
    small: FloatArray = np.exp(-np.abs(logits))
    probabilities: FloatArray = np.where(logits >= 0, np.float32(1), small) / (np.float32(1) + small)
    return probabilities


def softmax(logits: FloatArray) -> FloatArray:
    """Return exp(x) over its sum along the last axis, in float32."""
    powers: FloatArray = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: FloatArray = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def centres_to_corners(boxes_cxcywh: FloatArray) -> FloatArray:
    """Convert (K, 4) centre x, centre y, width, height to (K, 4) xmin, ymin, xmax, ymax."""
    half_wh = boxes_cxcywh[:, 2:] / np.float32(2)
    return np.concatenate([boxes_cxcywh[:, :2] - half_wh, boxes_cxcywh[:, :2] + half_wh], axis=1)


def unit_boxes(boxes_xyxy_px: FloatArray, size_wh: tuple[int, int]) -> FloatArray:
    """Convert boxes in pixels of the network's input to fractions of it, cut off at its edges."""
    return np.clip(boxes_xyxy_px / np.array(size_wh * 2, dtype=np.float32), np.float32(0), np.float32(1))


def most_probable(scores: FloatArray, min_probability: float, limit: int) -> tuple[IntArray, IntArray]:
    """Return rows and classes of the `limit` highest of (K, C) scores from `min_probability` up, the highest first.

    A row may appear with several classes. Among equal scores the earlier row comes first.
    """
    rows, class_ids = np.nonzero(scores >= np.float32(min_probability))
    order = np.argsort(-scores[rows, class_ids], kind="stable")[:limit]
    return rows[order], class_ids[order]


def most_probable_of_logits(
    logits: FloatArray, min_probability: float, limit: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return rows, classes and probabilities as `most_probable` of `sigmoid(logits)` gives them.

    Only logits that can reach `min_probability` are exponentiated: a handful of the hundreds of thousands of a photo.
    """
    likely = np.nonzero(logits >= _lowest_logit(min_probability))
    scores = sigmoid(logits[likely])
    enough = np.nonzero(scores >= np.float32(min_probability))[0]
    chosen = enough[np.argsort(-scores[enough], kind="stable")[:limit]]
    return likely[0][chosen], likely[1][chosen], scores[chosen]


def _lowest_logit(probability: float) -> float:
    """Return a lower bound for all logits of at least this probability, however their sigmoid was rounded."""
    if probability <= 0:
        return -math.inf
    certain = min(probability, 1 - 1e-6)
    return math.log(certain / (1 - certain)) - _ROUNDING


def suppressed(found: Detections, iou_above: float) -> Detections:
    """Remove the boxes that a more probable one of their class overlaps by more than `iou_above`."""
    alive = non_maximum_suppression(
        found.boxes_xyxy_unit,
        found.class_ids,
        # The least float32 that is more.
        iou_threshold=float(np.nextafter(np.float32(iou_above), np.float32(2))),
        across_classes=False,
    )
    return Detections(found.boxes_xyxy_unit[alive], found.scores[alive], found.class_ids[alive])


@cache
def cells_of(size_wh: tuple[int, int], strides: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return column and row (cells, 2) and stride (cells,) of each cell, level by level, row by row."""
    places, widths = [], []
    for stride in strides:
        columns, rows = (-(-side // stride) for side in size_wh)
        y, x = np.mgrid[:rows, :columns]
        places.append(np.stack([x.ravel(), y.ravel()], axis=1))
        widths.append(np.full(rows * columns, stride))
    return np.concatenate(places).astype(np.float32), np.concatenate(widths).astype(np.float32)


def require_outputs(outputs: Outputs, network: Network, expected: dict[str, tuple[int, ...]]) -> None:
    """Raise CheckpointError unless the outputs (without the batch) have these names and shapes."""
    actual = {name: array.shape for name, array in outputs.items()}
    if any(actual.get(name) != shape for name, shape in expected.items()):
        raise CheckpointError(
            f"{network.name} has the outputs {describe(actual)}; the family {network.family} with "
            f"{len(network.classes)} classes and an input of {network.size_wh[0]} x {network.size_wh[1]} pixels has "
            f"{describe(expected)}. Correct family, classes, input or decoding in its model card."
        )


def require_probabilities(values: FloatArray, network: Network) -> None:
    """Raise CheckpointError for values that are not probabilities, beyond what rounding in half precision explains."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if low < -_HALF_PRECISION or high > 1 + _HALF_PRECISION:
        raise CheckpointError(
            f"{network.name} answers with {low:.4g} to {high:.4g} where the family {network.family} has probabilities, "
            "0 to 1. Export it with its sigmoid, or correct family and decoding in its model card."
        )


def require_labels(labels: NDArray[Any], network: Network, classes: int) -> None:
    """Raise CheckpointError when an export that decodes itself names a class beyond the first `classes`.

    Negative labels are padding in some exports.
    """
    if labels.size and labels.max() >= classes:
        raise CheckpointError(
            f"{network.name} answers with class {int(labels.max())}, and its card knows 0 to {classes - 1}. Correct "
            "classes in its model card."
        )


def only_output(outputs: Outputs, network: Network) -> FloatArray:
    """Return the output of a network that has one. Raises CheckpointError when there are more."""
    if len(outputs) != 1:
        raise CheckpointError(
            f"{network.name} has the outputs {', '.join(outputs)}; the family {network.family} has one. "
            "Correct the family in its model card."
        )
    return next(iter(outputs.values()))


def describe(shapes: dict[str, tuple[int, ...]]) -> str:
    """Format names and shapes for people: logits (300, 80), boxes (300, 4)."""
    return ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in shapes.items())


def require_strides(strides: tuple[int, ...]) -> None:
    """Raise ValueError unless there are strides, whole, positive and within the largest input."""
    if not isinstance(strides, tuple) or not strides or not all(map(_is_stride, strides)):
        raise ValueError(f"strides has to be a list of whole numbers from 1 to {_MAX_STRIDE}")


def _is_stride(stride: object) -> bool:
    return type(stride) is int and 1 <= stride <= _MAX_STRIDE


def require_share(name: str, value: object) -> None:
    """Raise ValueError unless a value is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{name} has to be a number from 0 to 1")
