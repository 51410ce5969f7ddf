"""Operators that rearrange numbers without changing them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detection.inference.convert.graph import GraphBuilder, Value, describe
from detection.inference.convert.operators.convolution import flattened
from detection.inference.convert.registry import ANY_NUMBER, NoAttributes, converts
from detection.inference.convert.reshape import reshaped


@converts("Flatten", "flatten")
def flatten(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
    return flattened(graph, inputs[0])


@dataclass(frozen=True, slots=True)
class ReshapeAttributes:
    """src/operator/tensor/matrix_op-inl.h."""

    shape: tuple[int, ...]
    reverse: bool = False


@converts("Reshape", "reshape", attributes=ReshapeAttributes, ignored=("target_shape", "keep_highest"))
def reshape(graph: GraphBuilder, inputs: Sequence[Value], attributes: ReshapeAttributes) -> Value:
    (data,) = inputs
    return graph.reshape(data, reshaped(data.shape, attributes.shape, reverse=attributes.reverse))


@dataclass(frozen=True, slots=True)
class TransposeAttributes:
    """src/operator/tensor/matrix_op-inl.h; without axes their order is reversed."""

    axes: tuple[int, ...] = ()


@converts("transpose", attributes=TransposeAttributes)
def transpose(graph: GraphBuilder, inputs: Sequence[Value], attributes: TransposeAttributes) -> Value:
    (data,) = inputs
    axes = [data.axis(axis) for axis in attributes.axes] or list(reversed(range(data.rank)))
    if sorted(axes) != list(range(data.rank)):
        raise ValueError(f"axes {attributes.axes} are no order of the axes of {describe(data.shape)}")
    return graph.add("Transpose", [data], tuple(data.shape[axis] for axis in axes), perm=axes)


@dataclass(frozen=True, slots=True)
class ExpandDimsAttributes:
    """src/operator/tensor/matrix_op-inl.h."""

    axis: int


@converts("expand_dims", attributes=ExpandDimsAttributes)
def expand_dims(graph: GraphBuilder, inputs: Sequence[Value], attributes: ExpandDimsAttributes) -> Value:
    (data,) = inputs
    end = data.rank + 1
    if not -end <= attributes.axis < end:
        raise ValueError(f"axis {attributes.axis} cannot be added to {describe(data.shape)}")
    axis = attributes.axis % end
    return graph.reshape(data, (*data.shape[:axis], 1, *data.shape[axis:]))


@dataclass(frozen=True, slots=True)
class ConcatAttributes:
    """src/operator/nn/concat-inl.h."""

    num_args: int
    dim: int = 1


@converts("Concat", "concat", attributes=ConcatAttributes, inputs=(1, ANY_NUMBER))
def concat(graph: GraphBuilder, inputs: Sequence[Value], attributes: ConcatAttributes) -> Value:
    axis = inputs[0].axis(attributes.dim)
    if len({value.shape[:axis] + value.shape[axis + 1 :] for value in inputs}) > 1:
        shapes = ", ".join(describe(value.shape) for value in inputs)
        raise ValueError(f"its inputs differ in shape beside axis {axis}: {shapes}")
    total = sum(value.size(axis) for value in inputs)
    shape = (*inputs[0].shape[:axis], total, *inputs[0].shape[axis + 1 :])
    return graph.add("Concat", inputs, shape, axis=axis)


@dataclass(frozen=True, slots=True)
class SliceAttributes:
    """src/operator/tensor/matrix_op-inl.h; None is the natural end of an axis."""

    begin: tuple[int | None, ...]
    end: tuple[int | None, ...]
    step: tuple[int | None, ...] = ()


@converts("slice", "crop", attributes=SliceAttributes)
def slice_axes(graph: GraphBuilder, inputs: Sequence[Value], attributes: SliceAttributes) -> Value:
    (data,) = inputs
    steps = attributes.step or (None,) * len(attributes.begin)
    if not len(attributes.begin) == len(attributes.end) == len(steps) <= data.rank:
        raise ValueError(f"begin, end and step do not fit the shape {describe(data.shape)}")
    numbers = zip(attributes.begin, attributes.end, steps, strict=True)
    return _sliced(graph, data, {axis: slice(*number) for axis, number in enumerate(numbers)})


@dataclass(frozen=True, slots=True)
class SliceAxisAttributes:
    """src/operator/tensor/matrix_op-inl.h."""

    axis: int
    begin: int
    end: int | None


@converts("slice_axis", attributes=SliceAxisAttributes)
def slice_axis(graph: GraphBuilder, inputs: Sequence[Value], attributes: SliceAxisAttributes) -> Value:
    (data,) = inputs
    return _sliced(graph, data, {data.axis(attributes.axis): slice(attributes.begin, attributes.end)})


@dataclass(frozen=True, slots=True)
class SliceLikeAttributes:
    """src/operator/tensor/matrix_op-inl.h; without axes all are cut."""

    axes: tuple[int, ...] = ()


@converts("slice_like", attributes=SliceLikeAttributes, inputs=(2, 2))
def slice_like(graph: GraphBuilder, inputs: Sequence[Value], attributes: SliceLikeAttributes) -> Value:
    """Convert slice_like: only the shape of the second input matters."""
    data, like = inputs
    axes = [(data.axis(axis), like.axis(axis)) for axis in attributes.axes or range(max(data.rank, like.rank))]
    ends = {own: like.shape[other] for own, other in axes}
    for axis, end in ends.items():
        size = data.shape[axis]
        if size is not None and end is not None and size < end:
            raise ValueError(f"{describe(data.shape)} is smaller than {describe(like.shape)}, to which it is to be cut")
        if size not in (None, 1) and end is None:
            raise ValueError(f"{describe(data.shape)} would be cut to the number of photos")
    return _sliced(graph, data, {axis: slice(0, end) for axis, end in ends.items()})


@dataclass(frozen=True, slots=True)
class SliceChannelAttributes:
    """src/operator/slice_channel-inl.h; squeeze_axis: whether an axis of which one is left goes."""

    num_outputs: int
    axis: int = 1
    squeeze_axis: bool = False


@converts("SliceChannel", "split", attributes=SliceChannelAttributes, several=True)
def slice_channel(
    graph: GraphBuilder, inputs: Sequence[Value], attributes: SliceChannelAttributes
) -> tuple[Value, ...]:
    (data,) = inputs
    axis, count = data.axis(attributes.axis), attributes.num_outputs
    size = data.size(axis)
    if not 1 <= count <= size or size % count or (attributes.squeeze_axis and size != count):
        raise ValueError(f"axis {axis} of {describe(data.shape)} cannot be cut into {count} parts")
    step = size // count
    parts = [_sliced(graph, data, {axis: slice(start, start + step)}) for start in range(0, size, step)]
    if attributes.squeeze_axis:
        parts = [graph.reshape(part, part.shape[:axis] + part.shape[axis + 1 :]) for part in parts]
    return tuple(parts)


def _sliced(graph: GraphBuilder, data: Value, slices: dict[int, slice]) -> Value:
    shape, axes, chosen = list(data.shape), [], []
    for axis, part in slices.items():
        if data.shape[axis] is None:
            _require_whole_batch(part)
            continue
        positions = range(*part.indices(data.size(axis)))
        if not positions:
            raise ValueError(f"nothing is left of axis {axis} of {describe(data.shape)}")
        shape[axis] = len(positions)
        axes.append(axis)
        chosen.append(positions)
    if not axes:
        return data
    # A stop before position 0, which a negative step has, would count from the end.
    stops = [positions.stop if positions.stop >= 0 else np.iinfo(np.int64).min for positions in chosen]
    vectors = ([positions.start for positions in chosen], stops, axes, [positions.step for positions in chosen])
    return graph.add("Slice", [data, *map(graph.integers, vectors)], tuple(shape))


def _require_whole_batch(part: slice) -> None:
    if part.start not in (None, 0) or part.stop is not None or part.step not in (None, 1):
        raise ValueError("it cuts photos out of the batch")


@dataclass(frozen=True, slots=True)
class CastAttributes:
    """src/operator/tensor/elemwise_unary_op.h; the converted graph is float32 throughout."""

    dtype: Literal["float32"]


@converts("Cast", "cast", attributes=CastAttributes)
def cast(_: GraphBuilder, inputs: Sequence[Value], __: CastAttributes) -> Value:
    return inputs[0]
