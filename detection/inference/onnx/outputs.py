"""Puts the nodes of an export in order, and its outputs into the form that engines answer in: a batch first."""

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper, numpy_helper

from detection.inference.onnx.names import rename_values

_INNER = "/without_batch"


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Sort the nodes so that each comes after those whose outputs it takes, as ONNX demands.

    Converters to float16 (onnxruntime.transformers.float16, which Ultralytics uses) append the casts at the end. Nodes
    that are in order stay as they are; those of a cycle, which no order helps, come last.
    """
    missing = {name for node in graph.node for name in node.output if name}
    waiting, ordered = list(graph.node), []
    is_sorted = True
    while waiting:
        later: list[onnx.NodeProto] = []
        for node in waiting:
            if missing.isdisjoint(_taken(node)):
                ordered.append(node)
                missing.difference_update(node.output)
            else:
                later.append(node)
        is_sorted &= not later
        if len(later) == len(waiting):
            ordered += later
            break
        waiting = later
    if not is_sorted:
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
        del graph.node[:]
        graph.node.extend(copies)


def _taken(node: onnx.NodeProto) -> set[str]:
    """Return the names that a node takes, those of its inner graphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _taken(inner)
    return names


def keep_outputs(model: onnx.ModelProto, names: Collection[str], *, batched: bool) -> None:
    """Leave those outputs that are decoded, of those that the model has; an axis for the batch goes in front of them
    where there is none.
    """
    graph = model.graph
    kept = [each for each in graph.output if each.name in names]
    if not kept:
        return  # what is missing is named when the outputs are checked
    copies = [onnx.ValueInfoProto.FromString(each.SerializeToString()) for each in kept]
    del graph.output[:]
    graph.output.extend(copies)
    if not batched:
        _add_batch(model)


def _add_batch(model: onnx.ModelProto) -> None:
    """Put an axis in front of each output. The network takes one photo at a time."""
    graph = model.graph
    opset = max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=1)
    rename_values(graph, {output.name: output.name + _INNER for output in graph.output})
    axes = numpy_helper.from_array(np.array([0], np.int64), f"axes{_INNER}")
    if opset >= 13:  # noqa: PLR2004 axes became an input
        graph.initializer.append(axes)
    for output in graph.output:
        inner = output.name + _INNER
        graph.node.append(
            helper.make_node("Unsqueeze", [inner, axes.name], [output.name])
            if opset >= 13  # noqa: PLR2004 see above
            else helper.make_node("Unsqueeze", [inner], [output.name], axes=[0])
        )
        if output.type.tensor_type.HasField("shape"):
            shape = [axis.dim_value or axis.dim_param or None for axis in output.type.tensor_type.shape.dim]
            kind = output.type.tensor_type.elem_type
            output.CopyFrom(helper.make_tensor_value_info(output.name, kind, [1, *shape]))
    for photo in graph.input:
        axes_of_photo = photo.type.tensor_type.shape.dim
        if len(axes_of_photo) == 4 and not axes_of_photo[0].dim_value:  # noqa: PLR2004 a photo's
            axes_of_photo[0].Clear()
            axes_of_photo[0].dim_value = 1
