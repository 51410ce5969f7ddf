"""Runs one operator alone: converted, in ONNX Runtime."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from detection.inference.convert.graph import GraphBuilder, Value, symbolic
from detection.inference.convert.nodes import convert_nodes, plan_nodes
from detection.inference.mxnet.symbol import read_symbol
from tests.support.checkpoints import Net


class Misfit(AssertionError):  # noqa: N818 - a failed assertion, by a name
    """The weights do not fit the operator."""


@dataclass(frozen=True)
class Single:
    """One operator whose inputs are `data`, as often as `copies` says, and then its weights."""

    operator: str
    attributes: Mapping[str, object]
    weights: tuple[NDArray[Any], ...] = ()
    copies: int = 1

    def net(self) -> tuple[Net, dict[str, NDArray[Any]]]:
        """The network and its weights by name."""
        net = Net()
        inputs = [net.variable("data")] * self.copies
        inputs += [net.variable(f"weight{index}") for index in range(len(self.weights))]
        net.add(self.operator, "layer", inputs, **self.attributes)
        return net, {f"weight{index}": array for index, array in enumerate(self.weights)}


def run_single(single: Single, data: NDArray[np.float32]) -> NDArray[np.float32]:
    """The operator's output; fails where the weights do not fit or the static shape is not that of the output."""
    net, params = single.net()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net-symbol.json"
        path.write_text(json.dumps(net.document()), encoding="utf-8")
        symbol = read_symbol(path)
    graph = GraphBuilder()
    source = Value("input", (None, *data.shape[1:]))
    output = convert_nodes(graph, symbol, plan_nodes(symbol), params, {"data": source})[symbol.heads[0]]
    info = onnx.helper.make_tensor_value_info(source.name, onnx.TensorProto.FLOAT, symbolic(source.shape))
    if graph.problems:
        raise Misfit(graph.problems)
    model = graph.model([info], [graph.output(output, "output")], {})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (array,) = session.run(None, {source.name: data})
    assert array.shape == tuple(len(data) if size is None else size for size in output.shape)
    return np.asarray(array, np.float32)
