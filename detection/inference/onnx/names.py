"""Names of an export's nodes and values: each node has one of its own, and none is a converter's."""

import re
from collections.abc import Mapping

import onnx

# How onnxruntime.transformers.float16 names the casts that it adds; exports that it has been through have such names.
_CASTS = re.compile(r"graph_(in|out)put_cast_?\d+|.*_cast_to_(fp16|fp32|bfloat16)(_node)?")
_OWN = "/exported"


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give nodes another name that have the name of an earlier one; ONNX Runtime refuses two of one name."""
    seen: set[str] = set()
    for number, node in enumerate(graph.node):
        if node.name and node.name in seen:
            node.name = f"{node.name}/{number}"
        seen.add(node.name)


def rename_casts(graph: onnx.GraphProto) -> None:
    """Rename nodes and inner values that are called as the converter to float16 calls what it adds."""
    ends = {value.name for value in (*graph.input, *graph.output)}
    made = {name for node in graph.node for name in node.output if _CASTS.fullmatch(name)}
    rename_values(graph, {name: name + _OWN for name in made - ends})
    for node in graph.node:
        if _CASTS.fullmatch(node.name):
            node.name += _OWN
    name_nodes(graph)


def rename_values(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values that nodes take and make, also in their inner graphs."""
    for node in graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                rename_values(inner, names)
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)
