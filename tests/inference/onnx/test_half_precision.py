"""Networks in float16: what decodes boxes behind the last weights keeps its float32."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from detection.inference.onnx.half_precision import behind_the_weights, half_precision
from tests.inference.exports import EDGE, small_export


def decoding_export() -> onnx.ModelProto:
    """A convolution whose offsets are added to a place at 700.25 pixels, in two steps."""
    model = small_export(batch=1)
    del model.graph.node[1]
    model.graph.initializer.append(numpy_helper.from_array(np.array(350.125, np.float32), "half"))
    model.graph.node.append(helper.make_node("Add", ["inner", "half"], ["halfway"]))
    model.graph.node.append(helper.make_node("Add", ["halfway", "half"], ["sums"]))
    return model


def test_nodes_behind_the_weights_are_found_and_named() -> None:
    graph = decoding_export().graph
    found = behind_the_weights(graph)
    assert all(found)
    assert sorted(found) == sorted(node.name for node in graph.node[1:])


def test_boxes_are_decoded_in_float32(tmp_path: Path) -> None:
    path = tmp_path / "export.onnx"
    onnx.save(decoding_export(), path)
    photo = np.random.default_rng(0).random((1, 3, EDGE, EDGE), np.float32)
    expected, found = (
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"images": photo})[0]
        for model in (path.read_bytes(), half_precision(path))
    )
    assert 0 < np.abs(found - expected).max() < 0.02
