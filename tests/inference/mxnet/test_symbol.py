"""Symbol files of several MXNet versions, and damaged ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.inference.errors import CheckpointError
from detection.inference.mxnet.symbol import Source, Symbol, read_symbol
from tests.support.checkpoints import EMBEDDED_PREFIX, NO_RESNET50, RESNET50_SYMBOL, Net, tiny_ssd


def read(document: Any, folder: Path) -> Symbol:
    path = folder / "net-symbol.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_symbol(path)


def test_embedded_symbol_has_its_operators() -> None:
    symbol = read_symbol(EMBEDDED_PREFIX.with_name("mobilenet_ssd_voc-symbol.json"))

    assert len(symbol.nodes) == 226
    assert symbol.nodes[symbol.heads[0].node].attributes["nms_threshold"] == "0.45"
    assert {node.operator for node in symbol.nodes if "anchors" in node.name} >= {"_contrib_MultiBoxPrior", "Concat"}


@pytest.mark.skipif(not RESNET50_SYMBOL.exists(), reason=NO_RESNET50)
def test_resnet50_symbol_of_2017_is_read() -> None:
    symbol = read_symbol(RESNET50_SYMBOL)

    assert len(symbol.nodes) == 536
    assert len(symbol.live_nodes()) == 536
    assert not any(name.startswith("__") for node in symbol.nodes for name in node.attributes)


@pytest.mark.parametrize("spelling", ["attrs", "attr", "param"])
def test_attributes_are_read_in_each_spelling(spelling: str, tmp_path: Path) -> None:
    symbol = read(tiny_ssd().document(spelling=spelling), tmp_path)

    convolution = next(node for node in symbol.nodes if node.name == "conv0")
    assert convolution.attributes["kernel"] == "(3, 3)"
    assert [symbol.nodes[source.node].name for source in convolution.inputs] == [
        "bn_data",
        "conv0_weight",
        "conv0_bias",
    ]


def test_annotations_of_training_are_left_out(tmp_path: Path) -> None:
    net = Net()
    attributes = {"act_type": "relu", "__lr_mult__": "2.0", "ctx_group": "a", "weight_lr_mult": "3"}
    net.add("Activation", "relu", [net.variable("data")], **attributes)

    symbol = read(net.document(), tmp_path)

    assert symbol.nodes[1].attributes == {"act_type": "relu"}


def test_param_spelling_takes_attr_for_annotations(tmp_path: Path) -> None:
    net = Net()
    net.add("Activation", "relu", [net.variable("data")], act_type="relu")
    document = net.document(spelling="param")
    document["nodes"][1]["attr"] = {"stage": "1"}

    assert read(document, tmp_path).nodes[1].attributes == {"act_type": "relu"}


def test_attributes_of_variables_say_nothing(tmp_path: Path) -> None:
    net = Net()
    net.variable("data")
    document = net.document()
    document["nodes"][0]["attrs"] = {"kernel": "(3, 3)"}

    assert read(document, tmp_path).nodes[0].attributes == {}


def test_running_averages_that_old_files_leave_out_are_added(tmp_path: Path) -> None:
    net = Net()
    data = net.variable("data")
    norm = net.add("BatchNorm", "bn", [data, net.variable("bn_gamma"), net.variable("bn_beta")])
    net.add("Activation", "relu", [norm], act_type="relu")

    symbol = read(net.document(spelling="param"), tmp_path)

    norm_node = next(node for node in symbol.nodes if node.name == "bn")
    names = [symbol.nodes[source.node].name for source in norm_node.inputs]
    assert names == ["data", "bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var"]
    assert symbol.nodes[symbol.nodes[-1].inputs[0].node] is norm_node
    assert symbol.heads == (Source(len(symbol.nodes) - 1, 0),)


def test_labels_and_losses_are_not_alive(tmp_path: Path) -> None:
    net = tiny_ssd()
    names = [node["name"] for node in net.nodes]
    net.nodes[names.index("cls_prob")]["op"] = "SoftmaxOutput"
    document = net.document()
    # A label in the place where training had it, before the operator that reads it.
    document["nodes"].insert(0, {"op": "null", "name": "label", "inputs": []})
    for node in document["nodes"]:
        node["inputs"] = [[source + 1, *rest] for source, *rest in node["inputs"]]
    document["heads"] = [[source + 1, *rest] for source, *rest in document["heads"]]
    document["nodes"][names.index("cls_prob") + 1]["inputs"].append([0, 0, 0])

    symbol = read(document, tmp_path)

    assert "label" not in {symbol.nodes[index].name for index in symbol.live_nodes()}
    assert len(symbol.live_nodes()) == len(net.nodes)


def test_without_a_detection_operator_all_heads_are_alive(tmp_path: Path) -> None:
    net = Net()
    data = net.variable("data")
    net.add("Activation", "a", [data], act_type="relu")
    net.add("Activation", "b", [data], act_type="relu")

    assert read(net.document(heads=[1, 2]), tmp_path).live_nodes() == (0, 1, 2)
    assert read(net.document(heads=[2]), tmp_path).live_nodes() == (0, 2)


def with_node(**changes: Any) -> Callable[[], Any]:
    """The tiny network with a change in its first operator."""

    def document() -> Any:
        changed = tiny_ssd().document()
        next(node for node in changed["nodes"] if node["op"] != "null").update(changes)
        return changed

    return document


DAMAGED: dict[str, tuple[Callable[[], Any], str]] = {
    "a list": (list, "'nodes' is missing"),
    "no nodes": (lambda: {"heads": []}, "'nodes' is missing"),
    "no heads": (lambda: {"nodes": []}, "'heads' is missing"),
    "empty heads": (lambda: {"nodes": [], "heads": []}, "no heads"),
    "head beyond the end": (lambda: {"nodes": [], "heads": [[0, 0, 0]]}, "the heads refers to node 0"),
    "node of text": (lambda: {"nodes": ["conv"], "heads": []}, "'name' is missing"),
    "name of a number": (with_node(name=3), "'name' is missing or of the wrong type"),
    "no inputs": (with_node(inputs=None), "'inputs' is missing"),
    "input of text": (with_node(inputs=["data"]), "is not \\[node, output\\]"),
    "negative input": (with_node(inputs=[[-1, 0]]), "is not \\[node, output\\]"),
    "input that comes later": (with_node(inputs=[[40, 0, 0]]), "node 40, which does not come before it"),
    "variable with inputs": (with_node(op="null"), "is a variable and has inputs"),
    "attributes of text": (with_node(attrs="kernel"), "'attrs' is missing or of the wrong type"),
    "attribute of a number": (with_node(attrs={"eps": 1}), "an attribute of node bn_data is not text"),
}


@pytest.mark.parametrize(("document", "reason"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_symbol_is_refused(document: Callable[[], Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        read(document(), tmp_path)
    assert "net-symbol.json" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"{", b"[" * 100_000], ids=["empty", "no text", "cut off", "deeply nested"]
)
def test_symbol_that_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net-symbol.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"it is no JSON|it is UTF-16 text|nested too deeply"):
        read_symbol(path)


def test_missing_symbol_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing: put the checkpoint's symbol file there"):
        read_symbol(tmp_path / "net-symbol.json")


def test_symbol_that_is_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_symbol(tmp_path)


TINY_TEXT = json.dumps(tiny_ssd().document()).encode()


@settings(deadline=None, derandomize=True)
@given(position=st.integers(0, len(TINY_TEXT) - 1), byte=st.integers(0, 255), end=st.integers(0, len(TINY_TEXT)))
def test_no_change_of_a_byte_escapes_the_reader(
    position: int, byte: int, end: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(TINY_TEXT)
    content[position] = byte
    path = tmp_path_factory.getbasetemp() / "changed-symbol.json"
    for changed in (bytes(content), TINY_TEXT[:end]):
        path.write_bytes(changed)
        try:
            nodes = read_symbol(path).nodes
        except CheckpointError:
            nodes = ()
        assert all(source.node < index for index, node in enumerate(nodes) for source in node.inputs)
