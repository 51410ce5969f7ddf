"""Operators that create constants from a shape or their attributes alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx

from detection.inference.convert.graph import MAX_NUMBERS, GraphBuilder, Value
from detection.inference.convert.registry import NoAttributes, converts


@converts("zeros_like")
def zeros_like(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
    return _filled(graph, inputs[0], 0.0)


@converts("ones_like")
def ones_like(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
    return _filled(graph, inputs[0], 1.0)


def _filled(graph: GraphBuilder, data: Value, number: float) -> Value:
    shape = graph.add("Shape", [data], (data.rank,))
    value = onnx.numpy_helper.from_array(np.array([number], np.float32))
    return graph.add("ConstantOfShape", [shape], data.shape, value=value)


@dataclass(frozen=True, slots=True)
class ArangeAttributes:
    """src/operator/tensor/init_op.h; without a stop it counts from 0 to start. repeat: how often each number comes."""

    start: float
    stop: float | None = None
    step: float = 1.0
    repeat: int = 1
    infer_range: Literal["False"] = "False"
    dtype: Literal["float32"] = "float32"


@converts("_arange", attributes=ArangeAttributes, ignored=("ctx",), inputs=(0, 0))
def arange(graph: GraphBuilder, _: Sequence[Value], attributes: ArangeAttributes) -> Value:
    start, stop = (0.0, attributes.start) if attributes.stop is None else (attributes.start, attributes.stop)
    count = math.ceil((stop - start) / attributes.step) if attributes.step else 0
    if not (1 <= count <= MAX_NUMBERS and 1 <= attributes.repeat <= MAX_NUMBERS // count):
        raise ValueError("start, stop, step and repeat give no numbers, or too many")
    numbers = np.float32(start) + np.arange(count, dtype=np.float32) * np.float32(attributes.step)
    return graph.constant(np.repeat(numbers, attributes.repeat), "range")
