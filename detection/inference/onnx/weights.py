"""Loads ONNX files, including weights in separate files."""

from collections.abc import Collection, Iterator
from pathlib import Path

import onnx
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data

from detection.inference.errors import CheckpointError


def load_onnx(path: Path, listed: Collection[str]) -> onnx.ModelProto:
    """Load a model with all its weights.

    listed: the names of the files in the same folder that weights may come from, whose hashes were verified. Raises
    CheckpointError for files that are not models, and for weights from any other file, which could change unnoticed.
    """
    model = read_onnx(path)
    missing = sorted(external_files(model) - set(listed))
    if missing:
        raise CheckpointError(
            f"{path} has weights in {missing[0]}, which [files] does not list. Put it beside it and list it with its "
            "SHA-256, or export with all weights in one file."
        )
    try:
        load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise CheckpointError(f"{path} does not find its weights: {error}") from error
    return model


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read a model without the weights in separate files. Raises CheckpointError for a file that is not a model."""
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common base that onnx exposes
        raise CheckpointError(f"{path} is no ONNX model: {error}") from error


def external_files(model: onnx.ModelProto) -> set[str]:
    """Return the names of the files that hold weights of a model, as the model lists them."""
    return {ExternalDataInfo(tensor).location for tensor in _tensors(model) if uses_external_data(tensor)}


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Collection[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in (attribute.g, *attribute.graphs):
                yield from _of_graph(graph)
