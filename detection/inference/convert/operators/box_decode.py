"""Decodes box regression against anchors, as GluonCV's exports do in their graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detection.inference.convert.graph import GraphBuilder, Value, describe
from detection.inference.convert.registry import converts


@dataclass(frozen=True, slots=True)
class BoxDecodeAttributes:
    """src/operator/contrib/bounding_box-inl.h; clip: the greatest log-scale of a size, none unless positive.

    format: of the anchors, "center" for x, y, width, height.
    """

    std0: float = 1.0
    std1: float = 1.0
    std2: float = 1.0
    std3: float = 1.0
    clip: float = -1.0
    format: Literal["corner", "center"] = "center"


@converts("_contrib_box_decode", attributes=BoxDecodeAttributes, inputs=(2, 2))
def box_decode(graph: GraphBuilder, inputs: Sequence[Value], attributes: BoxDecodeAttributes) -> Value:
    """Decode (N, A, 4) regression and (1, A, 4) anchors to (N, A, 4) corners."""
    data, anchors = inputs
    if data.rank != 3 or data.size(2) != 4 or anchors.shape != (1, *data.shape[1:]):  # noqa: PLR2004
        raise ValueError(f"{describe(data.shape)} is no regression of the anchors {describe(anchors.shape)}")
    centre, size = _centre_and_size(graph, anchors, attributes.format)
    shift, growth = _halves(graph, data)
    half = (*data.shape[:2], 2)
    shift = graph.add("Mul", [shift, _pair(graph, attributes.std0, attributes.std1)], half)
    growth = graph.add("Mul", [growth, _pair(graph, attributes.std2, attributes.std3)], half)
    if attributes.clip > 0:
        growth = graph.add("Min", [growth, graph.scalar(attributes.clip)], half)
    moved = graph.add("Add", [graph.add("Mul", [shift, size], half), centre], half)
    grown = graph.add("Mul", [graph.add("Exp", [growth], half), size], half)
    grown = graph.add("Mul", [grown, graph.scalar(0.5)], half)
    corners = [graph.add(operator, [moved, grown], half) for operator in ("Sub", "Add")]
    return graph.add("Concat", corners, data.shape, axis=2)


def _centre_and_size(graph: GraphBuilder, anchors: Value, written: str) -> tuple[Value, Value]:
    first, second = _halves(graph, anchors)
    if written == "center":
        return first, second
    size = graph.add("Sub", [second, first], first.shape)
    half = graph.add("Mul", [size, graph.scalar(0.5)], first.shape)
    return graph.add("Add", [first, half], first.shape), size


def _halves(graph: GraphBuilder, boxes: Value) -> tuple[Value, Value]:
    """Split each box into its first two and last two numbers."""
    shape = (*boxes.shape[:2], 2)
    cuts = [map(graph.integers, ([start], [start + 2], [2])) for start in (0, 2)]
    first, second = (graph.add("Slice", [boxes, *cut], shape) for cut in cuts)
    return first, second


def _pair(graph: GraphBuilder, first: float, second: float) -> Value:
    return graph.constant(np.array([first, second], np.float32))
