"""Arithmetic of two feature maps, or of one and a number."""

from collections.abc import Sequence
from dataclasses import dataclass

from detection.inference.convert.graph import GraphBuilder, Shape, Value, describe
from detection.inference.convert.registry import ANY_NUMBER, NoAttributes, converts

# The ONNX operator, and MXNet's names for it: between equal shapes, with broadcasting.
_BINARY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Add": (("elemwise_add", "_add", "_plus", "_Plus", "_grad_add"), ("broadcast_add", "broadcast_plus")),
    "Sub": (("elemwise_sub", "_sub", "_minus", "_Minus"), ("broadcast_sub", "broadcast_minus")),
    "Mul": (("elemwise_mul", "_mul", "_Mul"), ("broadcast_mul",)),
    "Div": (("elemwise_div", "_div", "_Div"), ("broadcast_div",)),
    "Max": (("_maximum", "_Maximum"), ("broadcast_maximum",)),
    "Min": (("_minimum", "_Minimum"), ("broadcast_minimum",)),
    "Pow": (("_power", "_Power"), ("broadcast_power",)),
}
# The ONNX operator, and MXNet's names for it with a number on the right, with a number on the left.
_SCALAR: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Add": (("_plus_scalar", "_PlusScalar"), ()),
    "Sub": (("_minus_scalar", "_MinusScalar"), ("_rminus_scalar", "_RMinusScalar")),
    "Mul": (("_mul_scalar", "_MulScalar"), ()),
    "Div": (("_div_scalar", "_DivScalar"), ("_rdiv_scalar", "_RDivScalar")),
    "Max": (("_maximum_scalar", "_MaximumScalar"), ()),
    "Min": (("_minimum_scalar", "_MinimumScalar"), ()),
    "Pow": (("_power_scalar", "_PowerScalar"), ("_rpower_scalar", "_RPowerScalar")),
}


@dataclass(frozen=True, slots=True)
class ScalarAttributes:
    """src/operator/tensor/elemwise_binary_scalar_op.h."""

    scalar: float


@dataclass(frozen=True, slots=True)
class SumAttributes:
    """src/operator/tensor/elemwise_sum.cc."""

    num_args: int


def _register_binary(onnx_operator: str, equal: Sequence[str], broadcasting: Sequence[str]) -> None:
    @converts(*equal, inputs=(2, 2))
    def elementwise(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
        return graph.add(onnx_operator, inputs, _equal_shape(inputs))

    @converts(*broadcasting, inputs=(2, 2))
    def broadcast(graph: GraphBuilder, inputs: Sequence[Value], _: NoAttributes) -> Value:
        return graph.add(onnx_operator, inputs, _broadcast_shape(*inputs))


def _register_scalar(onnx_operator: str, right: Sequence[str], left: Sequence[str]) -> None:
    @converts(*right, attributes=ScalarAttributes, ignored=("is_int",))
    def scalar_on_the_right(graph: GraphBuilder, inputs: Sequence[Value], attributes: ScalarAttributes) -> Value:
        (data,) = inputs
        return graph.add(onnx_operator, [data, graph.scalar(attributes.scalar)], data.shape)

    @converts(*left, attributes=ScalarAttributes, ignored=("is_int",))
    def scalar_on_the_left(graph: GraphBuilder, inputs: Sequence[Value], attributes: ScalarAttributes) -> Value:
        (data,) = inputs
        return graph.add(onnx_operator, [graph.scalar(attributes.scalar), data], data.shape)


for _operator, _names in _BINARY.items():
    _register_binary(_operator, *_names)
for _operator, _names in _SCALAR.items():
    _register_scalar(_operator, *_names)


@converts("add_n", "ElementWiseSum", "_sum", attributes=SumAttributes, inputs=(1, ANY_NUMBER))
def add_n(graph: GraphBuilder, inputs: Sequence[Value], _: SumAttributes) -> Value:
    return graph.add("Sum", inputs, _equal_shape(inputs))


def _equal_shape(inputs: Sequence[Value]) -> Shape:
    shapes = {value.shape for value in inputs}
    if len(shapes) > 1:
        raise ValueError(f"its inputs differ in shape: {', '.join(describe(value.shape) for value in inputs)}")
    return shapes.pop()


def _broadcast_shape(left: Value, right: Value) -> Shape:
    axes = list(zip(left.shape, right.shape, strict=False))
    if left.rank != right.rank or any(1 not in sizes and sizes[0] != sizes[1] for sizes in axes):
        raise ValueError(f"the shapes {describe(left.shape)} and {describe(right.shape)} cannot be broadcast")
    return tuple(second if first == 1 else first for first, second in axes)
