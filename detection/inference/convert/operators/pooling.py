"""Layers that shrink or enlarge feature maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detection.inference.convert.graph import GraphBuilder, Shape, Value
from detection.inference.convert.registry import converts
from detection.inference.types import FloatArray

_GLOBAL = {"max": "GlobalMaxPool", "avg": "GlobalAveragePool", "sum": "GlobalAveragePool"}


@dataclass(frozen=True, slots=True)
class PoolingAttributes:
    """src/operator/nn/pooling-inl.h, in two dimensions; pairs are (height, width)."""

    kernel: tuple[int, ...] = ()
    pool_type: Literal["max", "avg", "sum"] = "max"
    global_pool: bool = False
    pooling_convention: Literal["valid", "full"] = "valid"
    stride: tuple[int, ...] = ()
    pad: tuple[int, ...] = ()
    count_include_pad: bool | None = None
    layout: Literal["NCHW", "None"] = "NCHW"


@dataclass(frozen=True, slots=True)
class _Window:
    """Pooling along one axis: `end` is the padding after it, `output` the number of windows."""

    size: int
    kernel: int
    stride: int
    pad: int
    end: int
    output: int


@converts("Pooling", "Pooling_v1", attributes=PoolingAttributes, ignored=("cudnn_off", "p_value"))
def pooling(graph: GraphBuilder, inputs: Sequence[Value], attributes: PoolingAttributes) -> Value:
    (data,) = inputs
    height, width = data.spatial()
    if attributes.global_pool:
        pooled = graph.add(_GLOBAL[attributes.pool_type], [data], (*data.shape[:2], 1, 1))
        return _scaled(graph, pooled, height * width) if attributes.pool_type == "sum" else pooled
    windows = _windows((height, width), attributes)
    shape: Shape = (*data.shape[:2], *(window.output for window in windows))
    options = {
        "kernel_shape": [window.kernel for window in windows],
        "strides": [window.stride for window in windows],
        "pads": [window.pad for window in windows] + [window.end for window in windows],
    }
    if attributes.pool_type == "max":
        return graph.add("MaxPool", [data], shape, **options)
    area = windows[0].kernel * windows[1].kernel
    if attributes.pool_type == "sum":
        pooled = graph.add("AveragePool", [data], shape, count_include_pad=1, **options)
        return _scaled(graph, pooled, area)
    include = attributes.count_include_pad is not False
    pooled = graph.add("AveragePool", [data], shape, count_include_pad=int(include), **options)
    if include and any(window.end > window.pad for window in windows):
        # MXNet's divisor counts the requested padding, not the surplus of the "full" convention.
        ratio = area / np.outer(_counted(windows[0]), _counted(windows[1]))
        pooled = graph.add("Mul", [pooled, graph.constant(ratio.astype(np.float32)[None, None])], shape)
    return pooled


def _windows(spatial: tuple[int, int], attributes: PoolingAttributes) -> list[_Window]:
    stride, pad = attributes.stride or (1, 1), attributes.pad or (0, 0)
    if not len(attributes.kernel) == len(stride) == len(pad) == len(spatial):
        raise ValueError("kernel, stride and pad must have two numbers each")
    full = attributes.pooling_convention == "full"
    return [_window(*numbers, full=full) for numbers in zip(spatial, attributes.kernel, stride, pad, strict=True)]


def _window(size: int, kernel: int, stride: int, pad: int, *, full: bool) -> _Window:
    if min(kernel, stride) < 1 or not 0 <= pad < kernel:
        raise ValueError(f"kernel {kernel}, stride {stride} and pad {pad} do not go together")
    room = size + 2 * pad - kernel
    if room < 0:
        raise ValueError(f"a kernel of {kernel} is larger than the padded feature map of {size}")
    output = (-(-room // stride) if full else room // stride) + 1
    end = max(pad, (output - 1) * stride + kernel - size - pad)
    if end >= kernel:
        raise ValueError(f"the last window of kernel {kernel} and stride {stride} lies outside of the feature map")
    return _Window(size, kernel, stride, pad, end, output)


def _counted(window: _Window) -> FloatArray:
    """Count the positions of each window that lie in the feature map or the requested padding."""
    starts = np.arange(window.output, dtype=np.float32) * window.stride - window.pad
    ends: FloatArray = np.minimum(starts + window.kernel, window.size + window.pad)
    return ends - starts


def _scaled(graph: GraphBuilder, value: Value, factor: float) -> Value:
    return graph.add("Mul", [value, graph.scalar(factor)], value.shape)


@dataclass(frozen=True, slots=True)
class UpSamplingAttributes:
    """src/operator/nn/upsampling-inl.h."""

    scale: int
    sample_type: Literal["nearest"]
    num_args: int = 1


@converts(
    "UpSampling",
    attributes=UpSamplingAttributes,
    ignored=("num_filter", "multi_input_mode", "workspace"),
    inputs=(1, 1),
)
def up_sampling(graph: GraphBuilder, inputs: Sequence[Value], attributes: UpSamplingAttributes) -> Value:
    (data,) = inputs
    height, width = data.spatial()
    scale = attributes.scale
    scales = graph.constant(np.array([1, 1, scale, scale], np.float32))
    shape: Shape = (*data.shape[:2], height * scale, width * scale)
    return graph.add(
        "Resize",
        [data, None, scales],
        shape,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
