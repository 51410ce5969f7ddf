"""Folders with a model card and a network of a few nodes, which answers the same whatever the photo is."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

EDGE = 32


def constant_network(outputs: Mapping[str, NDArray[np.float32]]) -> bytes:
    """An ONNX model with the input `images` whose outputs, each with a batch of 1, are these numbers.

    The input is really used: its mean times zero is added.
    """
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights = [numpy_helper.from_array(np.zeros((), np.float32), "zero")]
    infos = []
    for name, array in outputs.items():
        weights.append(numpy_helper.from_array(array[None], f"{name}_is"))
        nodes.append(helper.make_node("Add", [f"{name}_is", "nothing"], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *array.shape)))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, EDGE, EDGE))
    graph = helper.make_graph(nodes, "constant", [images], infos, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def network_for_black_alone(output: NDArray[np.float32]) -> bytes:
    """Like `constant_network`, but nothing is finite unless the photo is black: half precision may overflow so."""
    model = onnx.load_from_string(constant_network({"output": output}))
    del model.graph.node[1]
    model.graph.initializer.append(numpy_helper.from_array(np.full((), -1, np.float32), "minus"))
    model.graph.node.insert(1, helper.make_node("Mul", ["mean", "minus"], ["below"]))
    model.graph.node.insert(2, helper.make_node("Sqrt", ["below"], ["nothing"]))
    return bytes(model.SerializeToString())


def network_with(nodes: Sequence[onnx.NodeProto], result: str, **numbers: NDArray[Any]) -> bytes:
    """Like `constant_network`, but these nodes run first; they get `nothing`, which is 0, and `numbers` by name.

    result: a tensor of theirs, whose mean counts for nothing.
    """
    model = onnx.load_from_string(constant_network(nanodet_outputs(0)))
    add = model.graph.node.pop()
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in numbers.items())
    model.graph.node.extend(nodes)
    model.graph.node.append(helper.make_node("ReduceMean", [result], ["average"], keepdims=0))
    model.graph.node.append(helper.make_node("Mul", ["average", "zero"], ["nothing_either"]))
    add.input[1] = "nothing_either"
    model.graph.node.append(add)
    return bytes(model.SerializeToString())


def crashing_network() -> bytes:
    """A network that reads far outside of its tensors: OpenVINO, which does not check that, ends with SIGSEGV."""
    nodes = [
        helper.make_node("Cast", ["nothing"], ["zeros"], to=TensorProto.INT64),
        helper.make_node("Add", ["far", "zeros"], ["there"]),
        helper.make_node("GatherND", ["numbers", "there"], ["got"]),
    ]
    return network_with(nodes, "got", numbers=np.zeros((4, 4), np.float32), far=np.full((1, 2), 2**42, np.int64))


def hanging_network() -> bytes:
    """A network with a loop of 2^62 steps."""
    names = [("step", TensorProto.INT64), ("goes", TensorProto.BOOL), ("sum", TensorProto.FLOAT)]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes"], ["goes_on"]),
            helper.make_node("Add", ["sum", "nothing"], ["sum_then"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, kind, []) for name, kind in names],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_then", TensorProto.FLOAT, []),
        ],
    )
    loop = helper.make_node("Loop", ["steps", "yes", "nothing"], ["spun"], body=body)
    return network_with([loop], "spun", steps=np.array(2**62, np.int64), yes=np.array(True))


def hungry_network(size_bytes: int) -> bytes:
    """A network with a tensor of this size."""
    nodes = [helper.make_node("Expand", ["nothing", "many"], ["equal"]), helper.make_node("Exp", ["equal"], ["large"])]
    return network_with(nodes, "large", many=np.array([size_bytes // 4], np.int64))


def scalar_network() -> bytes:
    """A network that answers one number for all photos of a batch together."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, EDGE, EDGE))
    node = helper.make_node("ReduceMean", ["images"], ["output"], axes=[0, 1, 2, 3], keepdims=0)
    graph = helper.make_graph([node], "scalar", [images], [helper.make_tensor_value_info("output", 1, ())])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def echo_network(shape: tuple[int, ...], dtype: int = TensorProto.FLOAT, extra: str = "") -> onnx.ModelProto:
    """A network that answers what it is given, to see what is put in front; `extra` is another input, answered too."""
    inputs = [helper.make_tensor_value_info("images", dtype, shape)]
    nodes = [helper.make_node("Cast", ["images"], ["seen"], to=TensorProto.FLOAT)]
    outputs = [helper.make_tensor_value_info("seen", TensorProto.FLOAT, shape)]
    if extra:
        inputs.append(helper.make_tensor_value_info(extra, TensorProto.INT64, (1, 2)))
        nodes.append(helper.make_node("Identity", [extra], ["told"]))
        outputs.append(helper.make_tensor_value_info("told", TensorProto.INT64, (1, 2)))
    graph = helper.make_graph(nodes, "echo", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def nanodet_outputs(object_class: int, classes: int = 2, bins: int = 4) -> dict[str, NDArray[np.float32]]:
    """One object of a class over the middle of the photo; strides (8,), 16 cells."""
    rows = np.full((16, classes + 4 * bins), -8, dtype=np.float32)
    rows[5, object_class] = 3.0
    return {"output": rows}


def write_model(folder: Path, network: bytes, card: Mapping[str, Any] | None = None) -> Path:
    """A folder with the network, and a card of `nanodet_plus` with two classes; `card` replaces its keys."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.onnx").write_bytes(network)
    write_card(folder, card_of(folder, {"net.onnx": hashlib.sha256(network).hexdigest()}) | dict(card or {}))
    return folder


def card_of(folder: Path, files: Mapping[str, str]) -> dict[str, Any]:
    """The keys of a card of `nanodet_plus` with two classes, for these files and their hashes."""
    return {
        "name": folder.name,
        "title": "A network of a few nodes",
        "version": "1.0",
        "family": "nanodet_plus",
        "licence": "MIT",
        "source": "the tests",
        "classes": ["dark", "light"],
        "files": dict(files),
        "input": {"edge": EDGE},
        "decoding": {"strides": [8], "bins": 4},
    }


def write_card(folder: Path, keys: Mapping[str, Any]) -> None:
    """`model.toml` with these keys; None leaves one out."""
    given = {key: value for key, value in keys.items() if value is not None}
    plain = [f"{key} = {_toml(value)}\n" for key, value in given.items() if not isinstance(value, dict)]
    tables = [
        f"[{key}]\n" + "".join(f'"{name}" = {_toml(each)}\n' for name, each in value.items())
        for key, value in given.items()
        if isinstance(value, dict)
    ]
    (folder / "model.toml").write_text("".join(plain + tables), encoding="utf-8")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)
