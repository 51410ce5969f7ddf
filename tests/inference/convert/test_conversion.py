"""Whole checkpoints: what the model looks like, and checkpoints that cannot be converted."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from detection.inference.convert.conversion import ConvertedNetwork, convert
from detection.inference.decoding import MultiBoxDecoding
from detection.inference.errors import CheckpointError, UnsupportedOperatorError
from detection.inference.mxnet.checkpoint import load_checkpoint
from tests.support.checkpoints import (
    EMBEDDED_EDGE,
    EMBEDDED_PREFIX,
    NO_RESNET50,
    PARAMS_VERSIONS,
    RESNET50_EDGE,
    RESNET50_SYMBOL,
    Net,
    tiny_ssd,
    write_checkpoint,
    write_random_resnet50_ssd,
    write_tiny_ssd,
)

EDGE = 32


def converted(net: Net, folder: Path, *, edge: int = EDGE, heads: list[int] | None = None) -> ConvertedNetwork:
    prefix = write_checkpoint(folder, net.document(heads), net.arrays)
    return convert(load_checkpoint(prefix, 0), edge)


def run(network: ConvertedNetwork, batch_rgb: Any) -> Mapping[str, Any]:
    """The outputs by name."""
    session = onnxruntime.InferenceSession(network.model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image_rgb": batch_rgb}), strict=True))


def photos(count: int, edge: int) -> Any:
    return np.random.default_rng(5).integers(0, 256, (count, edge, edge, 3), dtype=np.uint8)


def node(net: Net, name: str) -> dict[str, Any]:
    return next(node for node in net.nodes if node["name"] == name)


def index(net: Net, name: str) -> int:
    return [node["name"] for node in net.nodes].index(name)


def test_embedded_checkpoint_has_the_contract_of_a_network() -> None:
    network = convert(load_checkpoint(EMBEDDED_PREFIX, 0), EMBEDDED_EDGE)

    onnx.checker.check_model(network.model, full_check=True)
    outputs = run(network, photos(2, EMBEDDED_EDGE))
    assert outputs["cls_prob"].shape == (2, 21, 1917)
    assert outputs["loc_pred"].shape == (2, 7668)
    np.testing.assert_allclose(outputs["cls_prob"].sum(axis=1), 1, rtol=1e-5)
    assert network.anchors.shape == (1917, 4)
    assert network.anchors.dtype == np.float32
    assert network.decoding == MultiBoxDecoding(nms_threshold=0.45, nms_topk=100)


def test_photos_of_a_batch_do_not_touch_each_other() -> None:
    network = convert(load_checkpoint(EMBEDDED_PREFIX, 0), EMBEDDED_EDGE)
    batch = photos(3, EMBEDDED_EDGE)

    together, alone = run(network, batch), run(network, batch[1:2])

    for name, output in alone.items():
        np.testing.assert_allclose(together[name][1], output[0], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not RESNET50_SYMBOL.exists(), reason=NO_RESNET50)
def test_resnet50_network_has_the_contract_of_a_network(tmp_path: Path) -> None:
    network = convert(load_checkpoint(write_random_resnet50_ssd(tmp_path), 0), RESNET50_EDGE)

    outputs = run(network, photos(1, RESNET50_EDGE))
    assert outputs["cls_prob"].shape == (1, 21, 6132)
    assert outputs["loc_pred"].shape == (1, 24528)
    assert network.anchors.shape == (6132, 4)
    assert network.decoding == MultiBoxDecoding(nms_threshold=0.5, nms_topk=400)


def test_all_versions_and_spellings_are_one_network(tmp_path: Path) -> None:
    batch = photos(1, EDGE)
    prefixes = [write_tiny_ssd(tmp_path / version, version=version) for version in PARAMS_VERSIONS]
    prefixes += [write_tiny_ssd(tmp_path / spelling, spelling=spelling) for spelling in ("attr", "param")]

    outputs = [run(convert(load_checkpoint(prefix, 0), EDGE), batch)["cls_prob"] for prefix in prefixes]

    assert len({output.tobytes() for output in outputs}) == 1


def test_model_has_no_dead_nodes_and_no_unused_weights(tmp_path: Path) -> None:
    graph = converted(tiny_ssd(), tmp_path).model.graph

    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    assert {initializer.name for initializer in graph.initializer} <= used
    assert all(used.intersection(node.output) for node in graph.node)
    assert not any("prior" in node.name for node in graph.node)


def test_decoding_carries_the_attributes_of_the_detection_operator(tmp_path: Path) -> None:
    attributes = {
        "threshold": 0.2,
        "clip": False,
        "variances": (0.1, 0.2, 0.3, 0.4),
        "nms_threshold": 0.6,
        "force_suppress": True,
        "nms_topk": 7,
    }

    assert converted(tiny_ssd(detection=attributes), tmp_path).decoding == MultiBoxDecoding(**attributes)  # type: ignore[arg-type]


def test_training_symbol_converts_to_its_detections(tmp_path: Path) -> None:
    net = tiny_ssd()
    expected = run(converted(net, tmp_path / "plain"), photos(1, EDGE))["cls_prob"]
    label = net.variable("label")
    loss = net.add("SmoothL1Loss", "loss", [label])
    node(net, "cls_prob").update(op="SoftmaxOutput", attrs={"multi_output": "True", "ignore_label": "-1"})

    network = converted(net, tmp_path / "training", heads=[index(net, "detection"), loss])

    np.testing.assert_allclose(run(network, photos(1, EDGE))["cls_prob"], expected, rtol=1e-6)


def test_float64_and_float16_weights_become_float32(tmp_path: Path) -> None:
    net = tiny_ssd()
    expected = run(converted(net, tmp_path / "f4"), photos(1, EDGE))["cls_prob"]
    net.arrays["arg:conv0_weight"] = net.arrays["arg:conv0_weight"].astype(np.float64)
    net.arrays["arg:conv0_bias"] = net.arrays["arg:conv0_bias"].astype(np.float16)

    outputs = run(converted(net, tmp_path / "mixed"), photos(1, EDGE))

    assert outputs["cls_prob"].dtype == np.float32
    np.testing.assert_allclose(outputs["cls_prob"], expected, atol=0.01)


def test_all_nodes_that_are_not_supported_are_told_at_once(tmp_path: Path) -> None:
    net = tiny_ssd()
    node(net, "relu0").update(op="Quaternion")
    node(net, "conv1")["attrs"].update(dilation="(2, 2)", kernel="(3,)")
    node(net, "cls0")["attrs"].update(layout="NHWC")
    node(net, "cls1")["inputs"][0][1] = 1
    node(net, "relu1")["inputs"] *= 2
    node(net, "detection")["attrs"].update(keep_topk="5")

    with pytest.raises(UnsupportedOperatorError, match=r"^6 node\(s\)") as caught:
        converted(net, tmp_path)

    told = str(caught.value)
    assert "relu0 (Quaternion): no converter knows this operator" in told
    assert "dilation='(2, 2)' is not known, attribute kernel='(3,)' is not a tuple of 2 numbers" in told
    assert "cls0 (Convolution): attribute layout='NHWC' is not supported (only NCHW, None)" in told
    assert "cls1 (Convolution): it uses another output of a node than the first" in told
    assert "relu1 (Activation): it has 2 inputs" in told
    assert "detection (_contrib_MultiBoxDetection): attribute keep_topk='5' is not known" in told


def test_all_weights_of_another_shape_are_told_at_once(tmp_path: Path) -> None:
    net = tiny_ssd()
    net.arrays["arg:conv0_weight"] = np.zeros((8, 4, 3, 3), np.float32)
    net.arrays["arg:bn_data_beta"] = np.zeros(4, np.float32)
    net.arrays["arg:cls0_bias"] = net.arrays["arg:cls0_bias"].astype(np.int32)

    with pytest.raises(CheckpointError, match=r"The weights of .*net do not fit its network") as caught:
        converted(net, tmp_path)

    told = str(caught.value)
    assert "conv0_weight is (8, 4, 3, 3) where conv0 needs (8, 3, 3, 3)" in told
    assert "bn_data_beta is (4) where bn_data needs (3)" in told
    assert "cls0_bias is of type int32 and not of floating point" in told


def test_classification_network_is_refused(tmp_path: Path) -> None:
    net = Net()
    net.add("SoftmaxActivation", "out", [net.add("Flatten", "flat", [net.variable("data")])])

    with pytest.raises(CheckpointError, match="has 0 MultiBoxDetection operators where one is expected"):
        converted(net, tmp_path)


def test_synset_of_another_length_is_refused(tmp_path: Path) -> None:
    prefix = write_tiny_ssd(tmp_path)
    (tmp_path / "synset.txt").write_text("cat\n", encoding="utf-8")

    with pytest.raises(CheckpointError, match=r"tells 2 classes apart and synset\.txt beside it names 1"):
        convert(load_checkpoint(prefix, 0), EDGE)


def test_anchors_that_do_not_belong_to_the_boxes_are_refused(tmp_path: Path) -> None:
    net = tiny_ssd()
    node(net, "prior1")["attrs"]["ratios"] = "(1.0,)"

    with pytest.raises(CheckpointError, match=r"At MODEL_EDGE=32 the outputs .* box regression \(N, 896\), anchors"):
        converted(net, tmp_path)


def test_edge_that_does_not_fit_a_full_connection_names_the_weights(tmp_path: Path) -> None:
    net = tiny_ssd()
    flat = index(net, "loc_all")
    weight, bias = net.variable("fc_weight", (896, 896)), net.variable("fc_bias", (896,))
    # The network's list has to stay in order: the operators that read the new one come after it.
    tail = [net.add("FullyConnected", "fc", [flat, weight, bias], num_hidden=896)]
    detection = node(net, "detection")
    tail.append(net.add(detection["op"], "detection2", [index(net, "cls_prob"), tail[0], index(net, "anchors")]))
    assert converted(net, tmp_path / "fitting", heads=[tail[1]]).anchors.shape == (224, 4)

    with pytest.raises(CheckpointError, match=r"fc_weight is \(896, 896\) where fc needs \(896, \d+\)"):
        converted(net, tmp_path / "other", edge=64, heads=[tail[1]])


def test_edge_that_is_too_small_names_the_layer(tmp_path: Path) -> None:
    net = tiny_ssd()
    node(net, "conv1")["attrs"].update(pad="(0, 0)")

    with pytest.raises(CheckpointError, match=r"conv1 \(Convolution\) cannot be converted: a kernel .*MODEL_EDGE"):
        converted(net, tmp_path, edge=8)


def test_anchors_that_depend_on_the_photo_are_refused(tmp_path: Path) -> None:
    net = tiny_ssd()
    rows = net.add("Reshape", "boxes", [index(net, "loc_all")], shape="(-1, 224, 4)")
    node(net, "detection")["inputs"][2][0] = rows
    order = [*range(rows - 1), rows, rows - 1]
    moved = Net(nodes=[net.nodes[number] for number in order], arrays=net.arrays)
    moved.nodes[-1]["inputs"][2][0] = rows - 1

    with pytest.raises(CheckpointError, match="do not belong together"):
        converted(moved, tmp_path)


def test_variable_with_the_name_of_an_output_does_no_harm(tmp_path: Path) -> None:
    net = tiny_ssd()
    text = json.dumps(net.document()).replace('"conv0_bias"', '"cls_prob"')
    arrays = {name.replace("conv0_bias", "cls_prob"): array for name, array in net.arrays.items()}
    prefix = write_checkpoint(tmp_path, json.loads(text), arrays)

    outputs = run(convert(load_checkpoint(prefix, 0), EDGE), photos(1, EDGE))

    assert outputs["cls_prob"].shape == (1, 3, 224)
