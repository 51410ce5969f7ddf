"""Counts the arithmetic of a network from its graph."""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import onnx


def multiply_add_flops(onnx_path: Path) -> float:
    """Count floating-point operations of the convolutions and matrix products for one photo; a multiply-add counts as
    two.

    The rest (activations, normalisation, pooling) is a hundredth of them in these networks. Raises ValueError
    when the shapes cannot be inferred.
    """
    model = onnx.load(str(onnx_path))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        shapes[value.name] = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    return float(sum(_flops(node, shapes) for node in graph.node))


def _flops(node: Any, shapes: Mapping[str, Sequence[int]]) -> int:
    if node.op_type == "Conv":
        # Each output value is a dot product with one filter: input channels of its group x height x width.
        return 2 * _size(node.output[0], shapes) * prod(_shape(node.input[1], shapes)[1:])
    if node.op_type in {"Gemm", "MatMul"}:
        transposed = any(one.name == "transA" and one.i for one in node.attribute)
        left = _shape(node.input[0], shapes)
        return 2 * _size(node.output[0], shapes) * (left[-2] if transposed else left[-1])
    return 0


def _size(name: str, shapes: Mapping[str, Sequence[int]]) -> int:
    return prod(_shape(name, shapes))


def _shape(name: str, shapes: Mapping[str, Sequence[int]]) -> Sequence[int]:
    found = shapes.get(name)
    if not found or not all(found):
        raise ValueError(f"The graph does not tell the shape of {name}; its arithmetic cannot be counted.")
    return found
