"""Comparison, and selection by it; true is 1.0 for MXNet, false 0.0."""

from collections.abc import Sequence

import onnx

from detection.inference.convert.graph import GraphBuilder, Value, describe
from detection.inference.convert.operators.arithmetic import ScalarAttributes
from detection.inference.convert.registry import NoAttributes, converts


@converts("_greater_scalar", "_GreaterScalar", attributes=ScalarAttributes, ignored=("is_int",))
def greater_scalar(graph: GraphBuilder, inputs: Sequence[Value], attributes: ScalarAttributes) -> Value:
    (data,) = inputs
    truth = graph.add("Greater", [data, graph.scalar(attributes.scalar)], data.shape)
    return graph.add("Cast", [truth], data.shape, to=onnx.TensorProto.FLOAT)


@converts("where", inputs=(3, 3))
def where(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
    """src/operator/tensor/control_flow_op.h; its other form, one condition for each photo, mixes shapes."""
    condition, chosen, other = inputs
    if not condition.shape == chosen.shape == other.shape:
        raise ValueError(f"its inputs differ in shape: {', '.join(describe(value.shape) for value in inputs)}")
    truth = graph.add("Cast", [condition], condition.shape, to=onnx.TensorProto.BOOL)
    return graph.add("Where", [truth, chosen, other], chosen.shape)
