"""Softmax, for the three operators that MXNet has for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detection.inference.convert.graph import GraphBuilder, Value, describe
from detection.inference.convert.registry import converts


@dataclass(frozen=True, slots=True)
class SoftmaxAttributes:
    """src/operator/nn/softmax-inl.h."""

    axis: int = -1
    temperature: float | None = None
    dtype: Literal["float32", "None"] = "None"
    use_length: Literal["False", "0", "None"] = "False"


@converts("softmax", attributes=SoftmaxAttributes)
def softmax(graph: GraphBuilder, inputs: Sequence[Value], attributes: SoftmaxAttributes) -> Value:
    (data,) = inputs
    axis = data.axis(attributes.axis)
    if attributes.temperature is not None:
        if attributes.temperature == 0:
            raise ValueError("a temperature of 0 divides by nothing")
        data = graph.add("Div", [data, graph.scalar(attributes.temperature)], data.shape)
    return graph.add("Softmax", [data], data.shape, axis=axis)


@dataclass(frozen=True, slots=True)
class SoftmaxActivationAttributes:
    """src/operator/nn/softmax_activation-inl.h."""

    mode: Literal["instance", "channel"] = "instance"


@converts("SoftmaxActivation", attributes=SoftmaxActivationAttributes)
def softmax_activation(graph: GraphBuilder, inputs: Sequence[Value], attributes: SoftmaxActivationAttributes) -> Value:
    (data,) = inputs
    if attributes.mode == "channel":
        return graph.add("Softmax", [data], data.shape, axis=data.axis(1))
    return _softmax_of_vectors(graph, data, "mode=channel")


@dataclass(frozen=True, slots=True)
class SoftmaxOutputAttributes:
    """src/operator/softmax_output-inl.h: its prediction, not its gradient."""

    multi_output: bool = False
    preserve_shape: bool = False


@converts(
    "SoftmaxOutput",
    "Softmax",
    attributes=SoftmaxOutputAttributes,
    ignored=("grad_scale", "ignore_label", "use_ignore", "normalization", "out_grad", "smooth_alpha"),
)
def softmax_output(graph: GraphBuilder, inputs: Sequence[Value], attributes: SoftmaxOutputAttributes) -> Value:
    (data,) = inputs
    if attributes.preserve_shape:
        return graph.add("Softmax", [data], data.shape, axis=data.axis(-1))
    if attributes.multi_output:
        return graph.add("Softmax", [data], data.shape, axis=data.axis(1))
    return _softmax_of_vectors(graph, data, "multi_output or preserve_shape")


def _softmax_of_vectors(graph: GraphBuilder, data: Value, remedy: str) -> Value:
    """Apply softmax to (N, C); for more axes MXNet itself takes all but the batch or, with oneDNN, the last one."""
    if data.rank != 2:  # noqa: PLR2004 - batch and classes
        raise ValueError(f"for the shape {describe(data.shape)} it needs {remedy}, to say what the classes are")
    return graph.add("Softmax", [data], data.shape, axis=1)
