"""Layers that multiply by weights: convolution and fully connected layers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detection.inference.convert.graph import GraphBuilder, Shape, Value
from detection.inference.convert.registry import converts


@dataclass(frozen=True, slots=True)
class ConvolutionAttributes:
    """src/operator/nn/convolution-inl.h, in two dimensions; pairs are (height, width)."""

    kernel: tuple[int, int]
    num_filter: int
    stride: tuple[int, int] = (1, 1)
    dilate: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    num_group: int = 1
    no_bias: bool = False
    layout: Literal["NCHW", "None"] = "NCHW"


@converts(
    "Convolution",
    "Convolution_v1",
    attributes=ConvolutionAttributes,
    ignored=("workspace", "cudnn_tune", "cudnn_off"),
    inputs=(2, 3),
)
def convolution(graph: GraphBuilder, inputs: Sequence[Value], attributes: ConvolutionAttributes) -> Value:
    data, weight, *bias = inputs
    _require_bias(bias, attributes.no_bias)
    groups, filters = attributes.num_group, attributes.num_filter
    channels = data.size(1)
    if min(groups, filters) < 1 or channels % groups or filters % groups:
        raise ValueError(f"{channels} channels and {filters} filters do not divide into {groups} groups")
    weights = [graph.weight(weight, (filters, channels // groups, *attributes.kernel))]
    weights += [graph.weight(value, (filters,)) for value in bias]
    spatial = tuple(_output_sizes(data.spatial(), attributes))
    return graph.add(
        "Conv",
        [data, *weights],
        (data.shape[0], filters, *spatial),
        kernel_shape=attributes.kernel,
        strides=attributes.stride,
        dilations=attributes.dilate,
        pads=attributes.pad * 2,
        group=groups,
    )


def _output_sizes(spatial: tuple[int, int], attributes: ConvolutionAttributes) -> list[int]:
    sizes = []
    axes = zip(spatial, attributes.kernel, attributes.stride, attributes.dilate, attributes.pad, strict=True)
    for size, kernel, stride, dilate, pad in axes:
        if min(kernel, stride, dilate) < 1 or pad < 0:
            raise ValueError("kernel, stride and dilate must be at least 1 and pad at least 0")
        room = size + 2 * pad - (dilate * (kernel - 1) + 1)
        if room < 0:
            raise ValueError(f"a kernel of {attributes.kernel} is larger than the padded feature map of {spatial}")
        sizes.append(room // stride + 1)
    return sizes


@dataclass(frozen=True, slots=True)
class FullyConnectedAttributes:
    """src/operator/nn/fully_connected-inl.h; flatten: whether all axes but the batch are one."""

    num_hidden: int
    no_bias: bool = False
    flatten: bool = True


@converts("FullyConnected", attributes=FullyConnectedAttributes, inputs=(2, 3))
def fully_connected(graph: GraphBuilder, inputs: Sequence[Value], attributes: FullyConnectedAttributes) -> Value:
    data, weight, *bias = inputs
    _require_bias(bias, attributes.no_bias)
    if attributes.flatten:
        data = flattened(graph, data)
    weight = graph.weight(weight, (attributes.num_hidden, data.size(-1)))
    bias = [graph.weight(value, (attributes.num_hidden,)) for value in bias]
    shape: Shape = (*data.shape[:-1], attributes.num_hidden)
    if data.rank == 2:  # noqa: PLR2004 - batch and features: what Gemm takes
        return graph.add("Gemm", [data, weight, *bias], shape, transB=1)
    transposed = graph.add("Transpose", [weight], weight.shape[::-1], perm=(1, 0))
    product = graph.add("MatMul", [data, transposed], shape)
    return graph.add("Add", [product, *bias], shape) if bias else product


def flattened(graph: GraphBuilder, data: Value) -> Value:
    """Flatten all axes of `data` after the first into one."""
    features = math.prod(data.size(axis) for axis in range(1, data.rank))
    return graph.add("Flatten", [data], (data.shape[0], features), axis=1)


def _require_bias(bias: Sequence[Value], no_bias: bool) -> None:
    if bool(bias) == no_bias:
        raise ValueError("no_bias says otherwise than the number of inputs")
