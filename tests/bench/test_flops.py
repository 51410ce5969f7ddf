"""The arithmetic of graphs whose arithmetic is known."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench.flops import multiply_add_flops


def write_graph(folder: Path, node: Any, data: list[Any], weight: tuple[int, ...]) -> Path:
    graph = helper.make_graph(
        [node],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, data)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.zeros(weight, dtype=np.float32), "w")],
    )
    path = folder / "graph.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("node", "data", "weight", "flops"),
    [
        pytest.param(
            helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]),
            ["N", 3, 10, 20],
            (8, 3, 3, 3),
            2 * 8 * 10 * 20 * 27,
            id="convolution",
        ),
        pytest.param(
            helper.make_node("Conv", ["x", "w"], ["y"], group=4),
            ["N", 4, 5, 5],
            (4, 1, 1, 1),
            2 * 4 * 25,
            id="depthwise convolution",
        ),
        pytest.param(helper.make_node("MatMul", ["x", "w"], ["y"]), ["N", 6], (6, 5), 2 * 5 * 6, id="matrix product"),
        pytest.param(
            helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), ["N", 6], (5, 6), 2 * 5 * 6, id="fully connected"
        ),
        pytest.param(
            helper.make_node("Gemm", ["w", "x"], ["y"], transA=1, transB=1),
            ["N", 6],
            (6, 5),
            2 * 5 * 6,
            id="fully connected, transposed",
        ),
        pytest.param(helper.make_node("Add", ["x", "w"], ["y"]), ["N", 6], (6,), 0, id="not counted"),
    ],
)
def test_flops(tmp_path: Path, node: Any, data: list[Any], weight: tuple[int, ...], flops: float) -> None:
    assert multiply_add_flops(write_graph(tmp_path, node, data, weight)) == flops


def test_unknown_shapes_are_said(tmp_path: Path) -> None:
    path = write_graph(tmp_path, helper.make_node("MatMul", ["x", "w"], ["y"]), ["N", "M"], (6, 5))

    with pytest.raises(ValueError, match="does not tell the shape of x"):
        multiply_add_flops(path)
