"""Elementwise functions, and layers that are the identity at inference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detection.inference.convert.graph import GraphBuilder, Value
from detection.inference.convert.registry import NoAttributes, converts

_ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softrelu": "Softplus",
    "softsign": "Softsign",
}
_FUNCTIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softsign": "Softsign",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "negative": "Neg",
}


@dataclass(frozen=True, slots=True)
class ActivationAttributes:
    """src/operator/nn/activation-inl.h."""

    act_type: Literal["relu", "sigmoid", "tanh", "softrelu", "softsign"]


@converts("Activation", attributes=ActivationAttributes)
def activation(graph: GraphBuilder, inputs: Sequence[Value], attributes: ActivationAttributes) -> Value:
    (data,) = inputs
    return graph.add(_ACTIVATIONS[attributes.act_type], [data], data.shape)


def _register_function(operator: str, onnx_operator: str) -> None:
    @converts(operator)
    def function(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
        (data,) = inputs
        return graph.add(onnx_operator, [data], data.shape)


for _operator, _onnx_operator in _FUNCTIONS.items():
    _register_function(_operator, _onnx_operator)


@dataclass(frozen=True, slots=True)
class LeakyReluAttributes:
    """src/operator/leaky_relu-inl.h; "rrelu" predicts with the mean of its bounds."""

    act_type: Literal["leaky", "elu", "prelu", "selu", "gelu", "rrelu"] = "leaky"
    slope: float = 0.25
    lower_bound: float = 0.125
    upper_bound: float = 0.334


@converts("LeakyReLU", attributes=LeakyReluAttributes, inputs=(1, 2))
def leaky_relu(graph: GraphBuilder, inputs: Sequence[Value], attributes: LeakyReluAttributes) -> Value:
    data, *gamma = inputs
    if (attributes.act_type == "prelu") != bool(gamma):
        raise ValueError("prelu, and no other act_type, has a second input with its slopes")
    match attributes.act_type:
        case "prelu":
            return _prelu(graph, data, gamma[0])
        case "gelu":
            return _gelu(graph, data)
        case "selu":
            return graph.add("Selu", [data], data.shape)
        case "elu":
            return graph.add("Elu", [data], data.shape, alpha=attributes.slope)
        case "rrelu":
            slope = (attributes.lower_bound + attributes.upper_bound) / 2
            return graph.add("LeakyRelu", [data], data.shape, alpha=slope)
        case _:
            return graph.add("LeakyRelu", [data], data.shape, alpha=attributes.slope)


def _prelu(graph: GraphBuilder, data: Value, gamma: Value) -> Value:
    """Convert PReLU: one slope for all channels or one for each."""
    slopes = 1 if gamma.shape == (1,) else data.size(1)
    slope = graph.reshape(graph.weight(gamma, (slopes,)), (slopes, *(1,) * (data.rank - 2)))
    return graph.add("PRelu", [data, slope], data.shape)


def _gelu(graph: GraphBuilder, data: Value) -> Value:
    """x / 2 * (1 + erf(x / sqrt 2))"""
    scaled = graph.add("Mul", [data, graph.scalar(1 / math.sqrt(2))], data.shape)
    error = graph.add("Erf", [scaled], data.shape)
    shifted = graph.add("Add", [error, graph.scalar(1)], data.shape)
    half = graph.add("Mul", [data, graph.scalar(0.5)], data.shape)
    return graph.add("Mul", [half, shifted], data.shape)


@dataclass(frozen=True, slots=True)
class ClipAttributes:
    """src/operator/tensor/matrix_op-inl.h."""

    a_min: float
    a_max: float


@converts("clip", attributes=ClipAttributes)
def clip(graph: GraphBuilder, inputs: Sequence[Value], attributes: ClipAttributes) -> Value:
    (data,) = inputs
    low, high = (graph.constant(np.array(bound, np.float32)) for bound in (attributes.a_min, attributes.a_max))
    return graph.add("Clip", [data, low, high], data.shape)


@converts("_copy", "identity", "BlockGrad", "stop_gradient")
def identity(_: GraphBuilder, inputs: Sequence[Value], __: NoAttributes) -> Value:
    return inputs[0]


@converts("MakeLoss", "make_loss", ignored=("grad_scale", "valid_thresh", "normalization"))
def loss(_: GraphBuilder, inputs: Sequence[Value], __: NoAttributes) -> Value:
    return inputs[0]


@dataclass(frozen=True, slots=True)
class DropoutAttributes:
    """src/operator/nn/dropout-inl.h; the mode "always" would make predictions random."""

    mode: Literal["training"] = "training"


@converts("Dropout", attributes=DropoutAttributes, ignored=("p", "axes", "cudnn_off"))
def dropout(_: GraphBuilder, inputs: Sequence[Value], __: DropoutAttributes) -> Value:
    return inputs[0]
