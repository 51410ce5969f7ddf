"""Layers that normalise feature maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detection.inference.convert.graph import GraphBuilder, Shape, Value
from detection.inference.convert.registry import converts


@dataclass(frozen=True, slots=True)
class BatchNormAttributes:
    """src/operator/nn/batch_norm-inl.h; fix_gamma: whether gamma counts as 1 whatever its weights say."""

    eps: float = 1e-3
    fix_gamma: bool = True
    axis: int = 1


@converts(
    "BatchNorm",
    "BatchNorm_v1",
    attributes=BatchNormAttributes,
    ignored=("momentum", "use_global_stats", "output_mean_var", "cudnn_off", "min_calib_range", "max_calib_range"),
    inputs=(5, 5),
)
def batch_norm(graph: GraphBuilder, inputs: Sequence[Value], attributes: BatchNormAttributes) -> Value:
    data, gamma, *others = inputs
    axis = data.axis(attributes.axis)
    channels = data.size(axis)
    second = data.axis(1)
    beta, mean, variance = (graph.weight(value, (channels,)) for value in others)
    if attributes.fix_gamma:
        gamma = graph.constant(np.broadcast_to(np.float32(1), channels), "gamma")
    gamma = graph.weight(gamma, (channels,))
    # ONNX normalises along axis 1 only.
    order = list(range(data.rank))
    order[second], order[axis] = axis, second
    if axis != second:
        data = graph.add("Transpose", [data], _permuted(data.shape, order), perm=order)
    normalised = graph.add(
        "BatchNormalization", [data, gamma, beta, mean, variance], data.shape, epsilon=attributes.eps
    )
    if axis != second:
        normalised = graph.add("Transpose", [normalised], _permuted(data.shape, order), perm=order)
    return normalised


def _permuted(shape: Shape, order: Sequence[int]) -> Shape:
    return tuple(shape[axis] for axis in order)


@dataclass(frozen=True, slots=True)
class L2NormalizationAttributes:
    """src/operator/l2_normalization-inl.h."""

    eps: float = 1e-10
    mode: Literal["instance", "channel", "spatial"] = "instance"


@converts("L2Normalization", attributes=L2NormalizationAttributes)
def l2_normalization(graph: GraphBuilder, inputs: Sequence[Value], attributes: L2NormalizationAttributes) -> Value:
    """x / sqrt(sum of x * x over the axes of the mode + eps)"""
    (data,) = inputs
    first, end = {"instance": (1, data.rank), "channel": (1, 2), "spatial": (2, data.rank)}[attributes.mode]
    if first >= data.rank:
        raise ValueError(f"the mode {attributes.mode} needs more than {data.rank} axes")
    axes = list(range(first, end))
    reduced: Shape = tuple(1 if axis in axes else size for axis, size in enumerate(data.shape))
    squares = graph.add("ReduceSumSquare", [data], reduced, axes=axes, keepdims=1)
    shifted = graph.add("Add", [squares, graph.scalar(attributes.eps)], reduced)
    return graph.add("Div", [data, graph.add("Sqrt", [shifted], reduced)], data.shape)
