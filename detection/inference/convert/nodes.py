"""Converts the operators of a network one by one, each with its converter from the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detection.inference.convert.graph import GraphBuilder, Value
from detection.inference.convert.registry import Converter, registered_converters
from detection.inference.decoding import BoxNmsDecoding, MultiBoxDecoding
from detection.inference.errors import CheckpointError, UnsupportedOperatorError
from detection.inference.mxnet.attributes import read_attributes
from detection.inference.mxnet.params import Params
from detection.inference.mxnet.symbol import DETECTION_OPERATORS, SUPPRESSION_OPERATORS, Node, Source, Symbol

# Operators at which the converted graph ends: number of inputs, and attributes.
_ENDS: dict[str, tuple[int, type[Any]]] = {
    **dict.fromkeys(DETECTION_OPERATORS, (3, MultiBoxDecoding)),
    **dict.fromkeys(SUPPRESSION_OPERATORS, (1, BoxNmsDecoding)),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a network with its parsed attributes; where the graph ends there is no converter."""

    node: Node
    converter: Converter | None
    attributes: Any


def plan_nodes(symbol: Symbol) -> dict[int, Step]:
    """Return the steps to convert, by node number.

    Raises UnsupportedOperatorError that lists all operators, attributes and numbers of inputs without a converter.
    """
    plan: dict[int, Step] = {}
    problems: list[str] = []
    for index in symbol.live_nodes():
        node = symbol.nodes[index]
        if node.is_variable:
            continue
        try:
            plan[index] = _plan_node(node, symbol)
        except ValueError as error:
            problems.append(f"{node.name} ({node.operator}): {error}")
    if problems:
        raise UnsupportedOperatorError(
            f"{len(problems)} node(s) of this network are not supported: {'; '.join(problems)}. "
            "Use a checkpoint without them, or add converters for them (CONTRIBUTING.md says how)."
        )
    return plan


def convert_nodes(
    graph: GraphBuilder, symbol: Symbol, plan: Mapping[int, Step], params: Params, inputs: Mapping[str, Value]
) -> dict[Source, Value]:
    """Convert all planned nodes but those where the graph ends; return the outputs of all.

    params: the weights; inputs: the values of the variables that are not weights. Weights that do not fit are recorded
    in `graph.problems`. Raises CheckpointError when shapes do not fit an operator.
    """
    values: dict[Source, Value] = {}
    for index in symbol.live_nodes():
        name = symbol.nodes[index].name
        if index not in plan:
            values[Source(index, 0)] = inputs[name] if name in inputs else _weights(graph, name, params)
        elif (converter := plan[index].converter) is not None:
            outputs = _convert_node(graph, plan[index], converter, values)
            values |= {Source(index, number): value for number, value in enumerate(outputs)}
    return values


def _plan_node(node: Node, symbol: Symbol) -> Step:
    if any(source.output and not _has_several(symbol.nodes[source.node]) for source in node.predictive_inputs):
        raise ValueError("it uses another output of a node than the first")
    if node.operator in _ENDS:
        count, attributes = _ENDS[node.operator]
        _check_input_count(node, count, count)
        return Step(node, None, read_attributes(attributes, node.attributes))
    converter = registered_converters().get(node.operator)
    if converter is None:
        raise ValueError("no converter knows this operator")
    _check_input_count(node, *converter.inputs)
    return Step(node, converter, read_attributes(converter.attributes, node.attributes, converter.ignored))


def _has_several(node: Node) -> bool:
    converter = registered_converters().get(node.operator)
    return converter is not None and converter.several


def _check_input_count(node: Node, least: int, greatest: int) -> None:
    if not least <= len(node.predictive_inputs) <= greatest:
        raise ValueError(f"it has {len(node.predictive_inputs)} inputs")


def _weights(graph: GraphBuilder, name: str, params: Params) -> Value:
    array = params[name]
    if array.dtype.kind != "f":
        graph.problems.append(f"{name} is of type {array.dtype} and not of floating point")
    graph.scope = ""
    with np.errstate(over="ignore"):
        return graph.constant(array.astype(np.float32), name)


def _convert_node(
    graph: GraphBuilder, step: Step, converter: Converter, values: Mapping[Source, Value]
) -> tuple[Value, ...]:
    graph.scope = step.node.name
    try:
        outputs = converter.convert(graph, _inputs(step.node, values), step.attributes)
        return outputs if isinstance(outputs, tuple) else (outputs,)
    except ValueError as error:
        raise CheckpointError(
            f"{step.node.name} ({step.node.operator}) cannot be converted: {error}. "
            "Set MODEL_EDGE to the size that the network was trained for, and check that its files belong together."
        ) from None


def _inputs(node: Node, values: Mapping[Source, Value]) -> list[Value]:
    missing = [source.output for source in node.predictive_inputs if source not in values]
    if missing:
        raise ValueError(f"it uses an output number {missing[0]}, which is not there")
    return [values[source] for source in node.predictive_inputs]
