"""Networks that answer as a recording says: an ONNX file with the interface of the export, for the four photos."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.exporters.recording import CELLS, Recording, Value

AVERAGES = "averages_of_the_input"
"""A value of the graph: what the network was given, as a recording keeps it, (1, 3, CELLS, CELLS)."""


def export_of(recording: Recording, folder: Path) -> Path:
    """Write the export and the files beside it into a folder of its name, and return that."""
    place = folder / recording.name
    place.mkdir(parents=True)
    onnx.save(network_of(recording), place / "best.onnx")
    for name, text in recording.beside.items():
        (place / name).write_text(text, encoding="utf-8")
    if not recording.beside and "names" not in recording.metadata:
        (place / "classes.txt").write_text("\n".join(recording.classes) + "\n", encoding="utf-8")
    return place


def network_of(recording: Recording) -> onnx.ModelProto:
    """Return a network that answers what the export answered to that photo whose averages come closest."""
    nodes, constants = _choice(recording)
    for name, value in recording.outputs.items():
        parts = [answer[name] for answer in recording.answers]
        ends = np.cumsum([len(part) for part in parts])
        constants |= {f"{name}/all": np.concatenate(parts), f"{name}/starts": ends - [len(part) for part in parts]}
        constants |= {f"{name}/ends": ends}
        for edge in ("start", "end"):
            nodes.append(helper.make_node("Gather", [f"{name}/{edge}s", "chosen"], [f"{name}/{edge}"]))
        nodes.append(helper.make_node("Slice", [f"{name}/all", f"{name}/start", f"{name}/end", "first_axis"], [name]))
        assert parts[0].dtype == np.dtype(value.dtype), name
    graph = helper.make_graph(
        nodes,
        "recorded",
        [_info(name, value) for name, value in recording.inputs.items()],
        [_info(name, value) for name, value in recording.outputs.items()],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, recording.metadata)
    return model


def _choice(recording: Recording) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    """Return the nodes from the input to `chosen`, the number of the photo (1,), and their constants."""
    width, height = recording.size_wh
    constants: dict[str, NDArray[Any]] = {
        "rows": _averaging(height),
        "columns": _averaging(width).T.copy(),
        "given": recording.given,
        "first_axis": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Cast", [recording.photo], ["photo"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["rows", "photo"], ["by_row"]),
        helper.make_node("MatMul", ["by_row", "columns"], [AVERAGES]),
        helper.make_node("Sub", ["given", AVERAGES], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "axes"], ["distances"], keepdims=0),
        helper.make_node("ArgMin", ["distances"], ["chosen"], axis=0, keepdims=1),
    ]
    constants["axes"] = np.array([1, 2, 3], np.int64)
    return nodes, constants


def _averaging(side: int) -> NDArray[Any]:
    """Return the matrix (CELLS, side) that averages over CELLS parts of a side."""
    starts = np.linspace(0, side, CELLS + 1).astype(int)
    matrix = np.zeros((CELLS, side), np.float32)
    for cell, (start, end) in enumerate(pairwise(starts)):
        matrix[cell, start:end] = 1 / (end - start)
    return matrix


def _info(name: str, value: Value) -> onnx.ValueInfoProto:
    axes = [axis or f"{name}_{number}" for number, axis in enumerate(value.axes)]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype)), axes)
