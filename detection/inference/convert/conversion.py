"""Converts a checkpoint into an ONNX model that ends where MultiBoxDetection begins.

1. every operator that the detections depend on is found in the registry and its attributes are parsed, or everything
   unsupported is reported at once;
2. each node is converted, with static shapes but for the batch;
3. the anchors, which depend on the input's size only, are computed;
4. what remains is checked: weights, anchors and classes have to fit each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from detection.inference.convert.graph import (
    ANCHORS,
    IMAGE_INPUT,
    OUTPUTS,
    GraphBuilder,
    Value,
    describe,
    symbolic,
)
from detection.inference.convert.nodes import convert_nodes, plan_nodes
from detection.inference.decoding import MultiBoxDecoding
from detection.inference.errors import CheckpointError
from detection.inference.mxnet.checkpoint import INPUT_NAME, Checkpoint
from detection.inference.mxnet.symbol import DETECTION_OPERATORS, SUPPRESSION_OPERATORS, Source
from detection.inference.types import FloatArray

CONVERTER_VERSION = 1
"""Goes up with every change of what a checkpoint is converted to; part of the cache's key."""


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedNetwork:
    """A model as `detection.inference.network.Network` describes it, in memory.

    anchors: (A, 4) float32, xmin, ymin, xmax, ymax in fractions of the photo.
    """

    model: onnx.ModelProto
    anchors: FloatArray
    decoding: MultiBoxDecoding


def convert(checkpoint: Checkpoint, edge: int) -> ConvertedNetwork:
    """Convert a checkpoint for square photos of `edge` pixels.

    Raises UnsupportedOperatorError with all operators and attributes without a converter, and CheckpointError when
    weights, network, classes and edge do not fit each other.
    """
    plan = plan_nodes(checkpoint.symbol)
    detections = [step for step in plan.values() if step.node.operator in DETECTION_OPERATORS]
    if any(step.node.operator in SUPPRESSION_OPERATORS for step in plan.values()):
        raise CheckpointError(
            f"{checkpoint.prefix} is an export of GluonCV, which does not say how photos are normalised: write a model "
            'card, model.toml, with family = "gluoncv" into its folder and give the folder\'s name instead '
            "(docs/models.md)."
        )
    if len(detections) != 1:
        raise CheckpointError(
            f"{checkpoint.prefix} has {len(detections)} MultiBoxDetection operators where one is expected: "
            "export the network for detection, not for training or classification."
        )
    graph = GraphBuilder(scope=IMAGE_INPUT)
    image = Value(IMAGE_INPUT, (None, edge, edge, 3))
    values = convert_nodes(graph, checkpoint.symbol, plan, checkpoint.params, {INPUT_NAME: _pixels(graph, image)})
    require_fitting_weights(graph, checkpoint)
    cls_prob, loc_pred, anchors = (end_input(values, source, checkpoint) for source in detections[0].node.inputs)
    _check_outputs(checkpoint, edge, cls_prob, loc_pred, anchors)
    outputs = [graph.output(value, name) for name, value in zip(OUTPUTS, (cls_prob, loc_pred), strict=True)]
    image_info = helper.make_tensor_value_info(image.name, TensorProto.UINT8, symbolic(image.shape))
    return ConvertedNetwork(
        model=graph.model([image_info], outputs, {"mxnet_checkpoint": checkpoint.prefix.name}),
        anchors=_evaluate(graph, anchors),
        decoding=detections[0].attributes,
    )


def require_fitting_weights(graph: GraphBuilder, checkpoint: Checkpoint) -> None:
    """Raise CheckpointError that lists all weights that do not fit."""
    if graph.problems:
        raise CheckpointError(
            f"The weights of {checkpoint.prefix} do not fit its network: {'; '.join(graph.problems)}. "
            "Use the symbol and params files of the same training run."
        )


def end_input(values: Mapping[Source, Value], source: Source, checkpoint: Checkpoint) -> Value:
    """Return the first input of the node where the graph ends. Raises CheckpointError when there is no such output."""
    if source not in values:
        raise CheckpointError(f"{checkpoint.prefix} is damaged: its last operator uses an output that is not there.")
    return values[source]


def _pixels(graph: GraphBuilder, image: Value) -> Value:
    """Add the conversion of bytes to the network's input; the transpose to NCHW is cheapest on bytes."""
    order = (0, 3, 1, 2)
    turned = graph.add("Transpose", [image], tuple(image.shape[axis] for axis in order), perm=order)
    return graph.add("Cast", [turned], turned.shape, to=TensorProto.FLOAT)


def _check_outputs(checkpoint: Checkpoint, edge: int, cls_prob: Value, loc_pred: Value, anchors: Value) -> None:
    count = (loc_pred.shape[-1] or 0) // 4
    expected = ((None, *cls_prob.shape[1:2], count), (None, 4 * count), (1, count, 4))
    if (cls_prob.shape, loc_pred.shape, anchors.shape) != expected:
        raise CheckpointError(
            f"At MODEL_EDGE={edge} the outputs of {checkpoint.prefix} do not belong together: class probabilities "
            f"{describe(cls_prob.shape)}, box regression {describe(loc_pred.shape)}, anchors "
            f"{describe(anchors.shape)}. Set MODEL_EDGE to the size that the network was trained for."
        )
    classes = cls_prob.size(1) - 1
    if classes != len(checkpoint.classes):
        raise CheckpointError(
            f"{checkpoint.prefix} tells {classes} classes apart and synset.txt beside it names "
            f"{len(checkpoint.classes)}: write one name a line, without the background."
        )


def _evaluate(graph: GraphBuilder, anchors: Value) -> FloatArray:
    """Evaluate the anchors, (A, 4); as their first axis is not the batch, they do not depend on the photo."""
    output = graph.output(anchors, ANCHORS)
    (array,) = ReferenceEvaluator(graph.model([], [output], {})).run(None, {})
    units: FloatArray = np.asarray(array, np.float32)[0]
    return units
