"""Family of all networks whose card declares where boxes, scores and labels are; exporters are presets of it."""

from dataclasses import dataclass

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.families.base import (
    MAX_CANDIDATES,
    Family,
    cells_of,
    centres_to_corners,
    most_probable,
    most_probable_of_logits,
    sigmoid,
    softmax,
    suppressed,
)
from detection.inference.families.columns import Columns, read_columns
from detection.inference.families.declaration import Declaration, Layout, layout_of
from detection.inference.families.declaration_checks import require_declared
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, IntArray

_Candidates = tuple[IntArray, IntArray, FloatArray]


def decode(outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode the outputs that the card declares."""
    return decode_as(network.decoding, outputs, network, min_probability)


def check(outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when an output, its columns or its values are not as declared."""
    require_declared(network.decoding, outputs, network)


def decode_as(declaration: Declaration, outputs: Outputs, network: Network, min_probability: float) -> Detections:
    """Decode outputs by a declaration: candidates, their boxes, suppression; cut off at the input's edges last, as the
    projects do it.
    """
    answer = _Answer(declaration, layout_of(declaration), outputs)
    rows, class_ids, scores = _candidates(answer, len(network.classes), min_probability)
    found = Detections(_boxes(answer, network.size_wh, rows), scores, class_ids)
    if declaration.nms:
        found = suppressed(found, declaration.nms)
    clipped = np.clip(found.boxes_xyxy_unit, np.float32(0), np.float32(1))
    return Detections(clipped, found.scores, found.class_ids)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A network's answer to one photo, with what its card says about it."""

    declaration: Declaration
    layout: Layout
    outputs: Outputs

    def read(self, wanted: tuple[Columns, ...]) -> FloatArray:
        """Return these columns as float32 (rows, columns)."""
        return read_columns(self.outputs, wanted, self.layout.turned)


def _boxes(answer: _Answer, size_wh: tuple[int, int], rows: IntArray) -> FloatArray:
    """Return the boxes of these rows in fractions of the input, xmin, ymin, xmax, ymax, beyond its edges too."""
    declaration = answer.declaration
    numbers = answer.read(answer.layout.boxes)[rows]
    if declaration.strides:
        numbers = _from_cells(declaration, numbers, *(each[rows] for each in cells_of(size_wh, declaration.strides)))
    elif declaration.box == "cxcywh":
        numbers = centres_to_corners(numbers)
    elif declaration.box == "yxyx":
        numbers = numbers[:, [1, 0, 3, 2]]
    if declaration.unit != "fraction":
        edges_px: FloatArray = np.array(size_wh * 2, dtype=np.float32)
        numbers = np.divide(numbers, edges_px, dtype=np.float32)
    return numbers


def _from_cells(declaration: Declaration, numbers: FloatArray, corners: FloatArray, strides: FloatArray) -> FloatArray:
    """Return boxes in pixels, xmin, ymin, xmax, ymax, from numbers that are relative to cells."""
    points = corners + np.float32(declaration.offset) if declaration.offset else corners
    widths = strides[:, None]
    if declaration.box == "cxcywh":
        # Extreme outputs may overflow here; the box then covers the photo.
        with np.errstate(over="ignore"):
            sizes: FloatArray = np.exp(numbers[:, 2:])
            return centres_to_corners(np.concatenate([numbers[:, :2] + points, sizes], axis=1) * widths)
    distances = numbers * widths if declaration.unit == "stride" else numbers
    centres = points * widths
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)


def _candidates(answer: _Answer, classes: int, min_probability: float) -> _Candidates:
    """Return rows, classes and scores of the most probable objects, those before any suppression."""
    declaration = answer.declaration
    limit = MAX_CANDIDATES if declaration.nms else declaration.top
    numbers = answer.read(answer.layout.scores)
    if answer.layout.labels:
        class_ids = _classes_of(answer.read(answer.layout.labels)[:, 0], declaration, classes)
        scores = _weighted(_activated(numbers[:, 0], declaration.activation), answer)
        rows, _ = most_probable(
            np.where(class_ids >= 0, scores, np.float32(-1))[:, None], max(min_probability, 0.0), limit
        )
        return rows, class_ids[rows], scores[rows]
    if declaration.activation == "softmax":
        numbers = softmax(numbers)
    numbers = _of_classes(numbers, declaration)
    if declaration.multi_label:
        return _several_classes(answer, numbers, min_probability, limit)
    scores = _weighted(_activated(numbers.max(axis=1), declaration.activation), answer)
    rows, _ = most_probable(scores[:, None], min_probability, limit)
    return rows, numbers[rows].argmax(axis=1).astype(np.int64), scores[rows]


def _several_classes(answer: _Answer, numbers: FloatArray, min_probability: float, limit: int) -> _Candidates:
    """Return candidates of which several may have the same row, with different classes."""
    if answer.declaration.activation == "sigmoid" and not (answer.layout.objectness or answer.layout.count):
        return most_probable_of_logits(numbers, min_probability, limit)
    scores = _weighted(_activated(numbers, answer.declaration.activation), answer)
    rows, class_ids = most_probable(scores, min_probability, limit)
    return rows, class_ids, scores[rows, class_ids]


def _of_classes(numbers: FloatArray, declaration: Declaration) -> FloatArray:
    """Return the columns of the card's classes, in its order."""
    if declaration.background:
        numbers = numbers[:, 1:] if declaration.background == "first" else numbers[:, :-1]
    return numbers[:, declaration.class_ids] if declaration.class_ids else numbers


def _activated(numbers: FloatArray, activation: str) -> FloatArray:
    return sigmoid(numbers) if activation == "sigmoid" else numbers


def _weighted(scores: FloatArray, answer: _Answer) -> FloatArray:
    """Return scores (rows,) or (rows, classes) times the objectness; -1 in rows that are not in use."""
    layout, shape = answer.layout, (-1,) + (1,) * (scores.ndim - 1)
    if layout.objectness:
        objectness = _activated(answer.read(layout.objectness)[:, 0], answer.declaration.activation)
        scores = scores * objectness.reshape(shape)
    if layout.count:
        unused = np.arange(len(scores)) >= answer.read(layout.count)[0, 0]
        scores = np.where(unused.reshape(shape), np.float32(-1), scores)
    return scores


def _classes_of(labels: FloatArray, declaration: Declaration, classes: int) -> IntArray:
    """Return the card's classes of labels (K,); -1 for labels that the card does not list."""
    numbers: IntArray = labels.astype(np.int64) - declaration.first_label
    if not declaration.class_ids:
        return np.where((numbers >= 0) & (numbers < classes), numbers, -1)
    table = np.full(max(declaration.class_ids) + 1, -1, np.int64)
    table[list(declaration.class_ids)] = np.arange(len(declaration.class_ids))
    known = (numbers >= 0) & (numbers < len(table))
    return np.where(known, table[np.where(known, numbers, 0)], -1)


def _itself(_outputs: Outputs, network: Network) -> Declaration:
    decoding: Declaration = network.decoding
    return decoding


FAMILY = Family(decode, check, Declaration, _itself)
