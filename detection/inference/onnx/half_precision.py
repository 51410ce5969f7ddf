"""Converts a network to float16, but for what follows its last weights.

Boxes are decoded there, and a float16 has steps of half a pixel between 512 and 1024.
"""

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from detection.inference.onnx.names import rename_casts

# The work of a network, and what float16 is for.
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"}
# How the converter names the casts behind nodes that stay in float32.
_TO_HALF = "_cast_to_fp16_node"


def half_precision(onnx_path: Path) -> bytes:
    """Convert a network to float16 and return the bytes of the ONNX model; its input and outputs keep their types.

    Operators that overflow or are not defined in float16 stay in float32 (the converter's own list), and so does the
    decoding behind the last weights.
    """
    model = onnx.load(onnx_path)
    rename_casts(model.graph)
    model = convert_float_to_float16(model, keep_io_types=True, node_block_list=behind_the_weights(model.graph))
    _leave_out_detours(model.graph)
    return bytes(model.SerializeToString())


def _leave_out_detours(graph: onnx.GraphProto) -> None:
    """Pass on what the converter casts to float16 and back between two nodes that stay in float32."""
    wide = {node.output[0]: node.input[0] for node in graph.node if node.name.endswith(_TO_HALF)}
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT and node.input[0] in wide:
            node.op_type = "Identity"
            node.input[0] = wide[node.input[0]]
            node.ClearField("attribute")


def behind_the_weights(graph: onnx.GraphProto) -> list[str]:
    """Return the names of the nodes of which no convolution or matrix product depends, and give them names."""
    depended_on: set[str] = set()
    found = []
    for number, node in reversed(list(enumerate(graph.node))):
        if node.op_type in _WEIGHTED or not depended_on.isdisjoint(node.output):
            depended_on.update(node.input)
        else:
            node.name = node.name or f"behind_the_weights/{number}"
            found.append(node.name)
    return found
