"""Each operator's converter, in ONNX Runtime, against MXNet: one case for each way in which it can be used."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from detection.inference.convert.graph import GraphBuilder, Value, symbolic
from detection.inference.convert.nodes import convert_nodes, plan_nodes
from detection.inference.convert.registry import registered_converters
from detection.inference.mxnet.params import Params, read_params
from detection.inference.mxnet.symbol import Symbol, read_symbol
from detection.inference.types import FloatArray
from tests.oracle.mxnet_runner import run_symbol
from tests.oracle.operator_cases import CASES

SHAPE = (2, 6, 9, 10)
"""Of `data` in all cases: batch, channels, height, width; odd and even, nothing square."""


@pytest.mark.parametrize("name", CASES)
def test_operator_computes_what_mxnet_computes(name: str, tmp_path: Path) -> None:
    symbol = CASES[name](mx.sym.Variable("data"))
    data = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    arguments, auxiliaries = random_weights(symbol)
    expected = run_symbol(symbol, {**arguments, "data": mx.nd.array(data)}, auxiliaries)[0]

    actual = run_converted(*saved_and_read(symbol, arguments, auxiliaries, tmp_path), data)

    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-6)


def test_every_registered_operator_has_a_case_or_is_another_name_of_one() -> None:
    used = {node["op"] for build in CASES.values() for node in nodes_of(build(mx.sym.Variable("data")))}
    tested = {registered_converters()[operator].convert for operator in used - {"null"}}

    untested = [operator for operator, converter in registered_converters().items() if converter.convert not in tested]

    assert untested == []


def nodes_of(symbol: Any) -> list[dict[str, Any]]:
    """The nodes in the JSON of a symbol."""
    nodes: list[dict[str, Any]] = json.loads(symbol.tojson())["nodes"]
    return nodes


def random_weights(symbol: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Seeded arguments (labels too) and auxiliary states of a symbol; variances are positive."""
    argument_shapes, _, auxiliary_shapes = symbol.infer_shape(data=SHAPE)
    random = np.random.default_rng(1)
    arguments = {
        name: mx.nd.array(random.standard_normal(shape) * 0.5)
        for name, shape in zip(symbol.list_arguments(), argument_shapes, strict=True)
        if name != "data"
    }
    auxiliaries = {
        name: mx.nd.array(random.uniform(0.5, 2.0, shape))
        for name, shape in zip(symbol.list_auxiliary_states(), auxiliary_shapes, strict=True)
    }
    return arguments, auxiliaries


def saved_and_read(
    symbol: Any, arguments: Mapping[str, Any], auxiliaries: Mapping[str, Any], folder: Path
) -> tuple[Symbol, Params]:
    """The symbol and its weights, saved by MXNet and read by the reader."""
    symbol.save(str(folder / "net-symbol.json"))
    named = {f"arg:{name}": value for name, value in arguments.items() if "label" not in name}
    named |= {f"aux:{name}": value for name, value in auxiliaries.items()}
    if named:
        mx.nd.save(str(folder / "net-0000.params"), named)
    return read_symbol(folder / "net-symbol.json"), read_params(folder / "net-0000.params") if named else {}


def run_converted(symbol: Symbol, params: Params, data: FloatArray) -> NDArray[Any]:
    """The first output of the converted network in ONNX Runtime."""
    graph = GraphBuilder()
    photo = Value("input", (None, *data.shape[1:]))
    values = convert_nodes(graph, symbol, plan_nodes(symbol), params, {"data": photo})
    head = values[symbol.heads[0]]
    model = graph.model(
        [onnx.helper.make_tensor_value_info(photo.name, onnx.TensorProto.FLOAT, symbolic(photo.shape))],
        [graph.output(head, "output")],
        {},
    )
    assert graph.problems == []
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {photo.name: data})
    assert output.shape == tuple(len(data) if size is None else size for size in head.shape)
    return np.asarray(output)
