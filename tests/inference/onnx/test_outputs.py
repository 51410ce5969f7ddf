"""Exports whose nodes are out of order, whose outputs have no batch, or which take one photo without a batch."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from detection.inference.cards.card import InputSpec
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource
from detection.inference.onnx.input import wrap
from detection.inference.onnx.outputs import keep_outputs, sort_nodes
from tests.inference.model_folders import EDGE, card_of, echo_network, write_card
from tests.support import photos

BATCH = np.random.default_rng(7).integers(0, 256, (1, 4, 6, 3)).astype(np.uint8)
LABELS = np.array([2, 1], np.int64)


def unbatched_network(photo_axes: tuple[int | str, ...]) -> onnx.ModelProto:
    """Two objects as torchvision and Detectron2 write them: (2, 4), (2,), (2,); and a size that nobody needs."""
    constants: dict[str, Any] = {
        "boxes": np.array([[4, 8, 20, 24], [0, 0, 16, 32]], np.float32),
        "scores": np.array([0.5, 0.9], np.float32),
        "labels": LABELS,
        "size": np.array([EDGE, EDGE], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights, outputs = [numpy_helper.from_array(np.zeros((), np.float32), "zero")], []
    for name, value in constants.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        weights.append(numpy_helper.from_array(value, f"{name}_is"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}_nothing"], to=kind))
        nodes.append(helper.make_node("Add", [f"{name}_is", f"{name}_nothing"], [name]))
        outputs.append(helper.make_tensor_value_info(name, kind, value.shape))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, photo_axes)
    graph = helper.make_graph(nodes, "unbatched", [images], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


DECODING = {"boxes": "boxes", "scores": "scores", "labels": "labels", "first_label": 1, "batched": False}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(
    "axes", [("N", 3, EDGE, EDGE), (1, 3, EDGE, EDGE), (3, "height", "width")], ids=["free", "batch", "one"]
)
def test_outputs_without_a_batch_serve(engine: str, axes: tuple[int | str, ...], tmp_path: Path) -> None:
    content = unbatched_network(axes).SerializeToString()
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.onnx").write_bytes(content)
    keys = card_of(tmp_path / "net", {"net.onnx": hashlib.sha256(content).hexdigest()})
    write_card(tmp_path / "net", keys | {"family": "declared", "decoding": DECODING})
    options = DetectorOptions(ModelSource(tmp_path / "net"), tmp_path / "cache", EngineOptions(engine, threads=1))
    detector = load_detector(options)
    found = detector.detect(photos.encode(photos.noise((64, 64)), "PNG")).objects
    detector.close()
    assert set(detector.output_shapes) == {"boxes", "scores", "labels"}
    assert [(each.class_name, each.box_xyxy_unit) for each in found] == [
        ("dark", (0.0, 0.0, 0.5, 1.0)),
        ("light", (0.125, 0.25, 0.625, 0.75)),
    ]


@pytest.mark.parametrize("opset", [12, 17])
def test_an_output_that_inner_graphs_take_keeps_its_value(opset: int) -> None:
    """`boxes` is answered, and taken by both branches of an If."""
    branches = [
        helper.make_graph(
            [helper.make_node(operator, ["boxes", "boxes"], [operator])],
            operator,
            [],
            [helper.make_tensor_value_info(operator, TensorProto.FLOAT, [2])],
        )
        for operator in ("Add", "Sub")
    ]
    nodes = [
        helper.make_node("Identity", ["given"], ["boxes"]),
        helper.make_node("If", ["yes"], ["twice"], then_branch=branches[0], else_branch=branches[1]),
    ]
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, [2])
    names = ("boxes", "twice")
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in names]
    yes = numpy_helper.from_array(np.array(True), "yes")
    graph = helper.make_graph(nodes, "inner", [given], outputs, [yes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    keep_outputs(model, names, batched=False)
    onnx.checker.check_model(model)
    boxes, twice = ReferenceEvaluator(model).run(None, {"given": np.array([1, 2], np.float32)})
    assert (np.asarray(boxes).tolist(), np.asarray(twice).tolist()) == ([[1, 2]], [[2, 4]])


def test_nodes_out_of_order_are_sorted() -> None:
    """As onnxruntime's conversion to float16 leaves them: the casts at the end."""
    model = wrap(echo_network((1, 3, 4, 6)), InputSpec(size_wh=(6, 4), std=(2, 2, 2)))
    expected = ReferenceEvaluator(model).run(None, {"image_rgb": BATCH})
    nodes = list(model.graph.node)[::-1]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    with pytest.raises(onnx.checker.ValidationError, match="topological"):
        onnx.checker.check_model(model)
    sort_nodes(model.graph)
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, {"image_rgb": BATCH}), expected)


def test_a_float16_export_that_is_not_sorted_serves() -> None:
    model = echo_network((1, 3, 4, 6))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    late = helper.make_node("Cast", ["images"], ["half"], to=TensorProto.FLOAT16)
    copies[0].input[0] = "half"
    del model.graph.node[:]
    model.graph.node.extend([*copies, late])
    (seen,) = ReferenceEvaluator(wrap(model, InputSpec(size_wh=(6, 4)))).run(None, {"image_rgb": BATCH})
    np.testing.assert_array_equal(np.asarray(seen), BATCH.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("name", "expected"), [("im_shape", [[4, 6]]), ("scale_factor", [[1, 1]]), ("orig_size", [[6, 4]])]
)
def test_an_export_that_asks_for_sizes_gets_them(name: str, expected: list[list[int]]) -> None:
    model = wrap(echo_network((1, 3, 4, 6), extra=name), InputSpec(size_wh=(6, 4)))
    _, given = ReferenceEvaluator(model).run(None, {"image_rgb": BATCH})
    assert np.asarray(given).tolist() == expected


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_network_for_one_photo_gets_it_without_a_batch(layout: str) -> None:
    shape = (3, 4, 6) if layout == "nchw" else (4, 6, 3)
    model = wrap(echo_network(shape), InputSpec(size_wh=(6, 4), layout=layout))
    (seen,) = ReferenceEvaluator(model).run(None, {"image_rgb": BATCH})
    expected = BATCH[0].transpose(2, 0, 1) if layout == "nchw" else BATCH[0]
    np.testing.assert_array_equal(np.asarray(seen), expected)
