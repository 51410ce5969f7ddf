"""Operators that repeat numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from detection.inference.convert.graph import GraphBuilder, Shape, Value
from detection.inference.convert.registry import converts


@dataclass(frozen=True, slots=True)
class TileAttributes:
    """src/operator/tensor/matrix_op-inl.h; the shorter of shape and reps gets ones in front."""

    reps: tuple[int, ...]


@converts("tile", attributes=TileAttributes)
def tile(graph: GraphBuilder, inputs: Sequence[Value], attributes: TileAttributes) -> Value:
    (data,) = inputs
    missing = len(attributes.reps) - data.rank
    reps = (1,) * -missing + attributes.reps
    return _tiled(graph, graph.reshape(data, (1,) * missing + data.shape), reps)


@dataclass(frozen=True, slots=True)
class RepeatAttributes:
    """src/operator/tensor/matrix_op-inl.h; without an axis it would mix the photos of a batch."""

    repeats: int
    axis: int


@converts("repeat", attributes=RepeatAttributes)
def repeat(graph: GraphBuilder, inputs: Sequence[Value], attributes: RepeatAttributes) -> Value:
    (data,) = inputs
    axis = data.axis(attributes.axis)
    size = data.size(axis)
    before, after = data.shape[: axis + 1], data.shape[axis + 1 :]
    single = graph.reshape(data, (*before, 1, *after))
    several = _tiled(graph, single, (*(1,) * len(before), attributes.repeats, *(1,) * len(after)))
    return graph.reshape(several, (*before[:-1], size * attributes.repeats, *after))


def _tiled(graph: GraphBuilder, data: Value, reps: tuple[int, ...]) -> Value:
    shape: Shape = tuple(None if size is None else size * count for size, count in zip(data.shape, reps, strict=True))
    if any(size is None and count != 1 for size, count in zip(data.shape, reps, strict=True)):
        raise ValueError("it repeats the photos of a batch")
    return graph.add("Tile", [data, graph.integers(reps)], shape)
