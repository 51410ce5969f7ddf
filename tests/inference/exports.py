"""Small exports for tests: one convolution, with what real files bring along."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from detection.inference.cards.card import InputSpec
from detection.inference.network import Network
from detection.inference.onnx.input import wrap

EDGE = 16


def small_export(
    *,
    batch: int | str = "N",
    opset: int = 17,
    labels: bool = False,
    same_names: bool = False,
    places: bool = False,
) -> onnx.ModelProto:
    """Return a network with outputs `sums` (N, 2, EDGE, EDGE) and, on request, `labels` (N, EDGE, EDGE) int64.

    same_names: whether all nodes have the name of a cast that the converter to float16 adds; places: whether there is
    an output `places` (4, M) int64, those of `sums` that are not zero.
    """
    shape: list[Any] = [batch, 3, EDGE, EDGE]
    weight = np.linspace(-0.5, 0.5, 2 * 3 * 9, dtype=np.float32).reshape(2, 3, 3, 3)
    name = "graph_output_cast0" if same_names else ""
    nodes = [
        helper.make_node("Conv", ["images", "weight"], ["inner"], name=name or "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["inner"], ["sums"], name=name or "relu"),
    ]
    outputs = [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [batch, 2, EDGE, EDGE])]
    if labels:
        nodes.append(helper.make_node("ArgMax", ["sums"], ["labels"], name="best", axis=1, keepdims=0))
        outputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, [batch, EDGE, EDGE]))
    if places:
        nodes.append(helper.make_node("NonZero", ["sums"], ["places"], name="found"))
        outputs.append(helper.make_tensor_value_info("places", TensorProto.INT64, [4, "M"]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        outputs,
        [numpy_helper.from_array(weight, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def network_at(path: Path, model: onnx.ModelProto) -> Network:
    """Return the export as the network of a card that divides bytes by 255, wrapped as it serves."""
    onnx.save(wrap(model, InputSpec(size_wh=(EDGE, EDGE), std=(255.0, 255.0, 255.0))), path)
    return Network(
        name="small",
        family="declared",
        onnx_path=path,
        decoding=None,
        classes=("cat", "dog"),
        size_wh=(EDGE, EDGE),
        sha256="0" * 64,
        prefix=path.with_suffix(""),
    )
