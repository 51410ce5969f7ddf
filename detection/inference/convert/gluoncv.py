"""Converts exports of GluonCV (SSD, YOLOv3) into an ONNX model that ends where box_nms begins.

The graph contains everything before that: anchors, boxes in pixels of the input, a row for each class at each place.
The input is the network's own, `data`; the preprocessing in front of it is described by a model card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from detection.inference.cards.card import CARD_NAME, InputSpec
from detection.inference.convert.conversion import end_input, require_fitting_weights
from detection.inference.convert.graph import ROWS, GraphBuilder, Value, describe, symbolic
from detection.inference.convert.nodes import Step, convert_nodes, plan_nodes
from detection.inference.convert.operators.layout import SliceAxisAttributes
from detection.inference.decoding import BoxNmsDecoding
from detection.inference.errors import CheckpointError
from detection.inference.families.gluoncv import GluonCvDecoding
from detection.inference.mxnet.attributes import read_attributes
from detection.inference.mxnet.checkpoint import INPUT_NAME, Checkpoint
from detection.inference.mxnet.symbol import SUPPRESSION_OPERATORS, Node, Source, Symbol

_ROW_LENGTH = 6
_CLASS, _SCORE, _BOX = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedExport:
    """Converted export in memory: output `rows` (N, R, 6) is the input of its box_nms, in pixels of the input."""

    model: onnx.ModelProto
    decoding: GluonCvDecoding


def convert_export(checkpoint: Checkpoint, spec: InputSpec) -> ConvertedExport:
    """Convert an export for the input that its model card describes.

    Raises UnsupportedOperatorError with all operators and attributes without a converter, and CheckpointError when
    the network is not a GluonCV detector or does not fit its weights, classes or input.
    """
    plan = plan_nodes(checkpoint.symbol)
    ends = [index for index, step in plan.items() if step.node.operator in SUPPRESSION_OPERATORS]
    if len(ends) != 1:
        raise CheckpointError(
            f"{checkpoint.prefix} has {len(ends)} box_nms operators where the family gluoncv has one: export a "
            f"detector with its suppression (`set_nms`), or correct the family in {CARD_NAME}."
        )
    decoding = GluonCvDecoding(_usable(plan[ends[0]].attributes, checkpoint), _limit(checkpoint, ends[0]))
    width, height = spec.size_wh
    photo = Value(INPUT_NAME, (None, 3, height, width) if spec.layout == "nchw" else (None, height, width, 3))
    graph = GraphBuilder()
    values = convert_nodes(graph, checkpoint.symbol, plan, checkpoint.params, {INPUT_NAME: photo})
    require_fitting_weights(graph, checkpoint)
    rows = end_input(values, plan[ends[0]].node.inputs[0], checkpoint)
    _check(checkpoint, rows, set(_class_counts(plan, values)))
    info = helper.make_tensor_value_info(photo.name, TensorProto.FLOAT, symbolic(photo.shape))
    outputs = [graph.output(rows, ROWS)]
    return ConvertedExport(graph.model([info], outputs, {"gluoncv_export": checkpoint.prefix.name}), decoding)


def _usable(nms: BoxNmsDecoding, checkpoint: Checkpoint) -> BoxNmsDecoding:
    if (nms.id_index, nms.score_index, nms.coord_start) != (_CLASS, _SCORE, _BOX) or nms.topk == 0:
        raise CheckpointError(
            f"The box_nms of {checkpoint.prefix} reads its rows otherwise than GluonCV's detectors do (class, score, "
            "xmin, ymin, xmax, ymax), or suppresses nothing: export the network with GluonCV's own SSD or YOLOv3."
        )
    return nms


def _limit(checkpoint: Checkpoint, end: int) -> int | None:
    """Return how many rows the export keeps after its box_nms. Raises if later operators would change the values."""
    limit = None
    for node in _after(checkpoint.symbol, end):
        try:
            if node.operator != "slice_axis":
                raise ValueError("it stands after box_nms, where only slice_axis is known")
            cut = read_attributes(SliceAxisAttributes, node.attributes)
        except ValueError as error:
            raise CheckpointError(
                f"{node.name} ({node.operator}) of {checkpoint.prefix} is not supported: {error}. "
                "Export the network with GluonCV's own SSD or YOLOv3."
            ) from None
        if cut.axis == 1 and cut.begin == 0:
            limit = cut.end
    return limit


def _after(symbol: Symbol, end: int) -> Iterator[Node]:
    reached = {end}
    for index, node in enumerate(symbol.nodes):
        if reached.intersection(source.node for source in node.inputs):
            reached.add(index)
            yield node


def _class_counts(plan: Mapping[int, Step], values: Mapping[Source, Value]) -> Iterator[int]:
    """Return the possible numbers of classes: SSD has one softmax with background; YOLOv3 repeats each box for each
    class.
    """
    for index, step in plan.items():
        if step.node.operator == "softmax":
            yield values[Source(index, 0)].size(-1) - 1
        elif step.node.operator == "tile":
            yield values[Source(index, 0)].size(0)


def _check(checkpoint: Checkpoint, rows: Value, class_counts: set[int]) -> None:
    if rows.shape != (None, *rows.shape[1:2], _ROW_LENGTH) or len(class_counts) != 1:
        raise CheckpointError(
            f"{checkpoint.prefix} is neither GluonCV's SSD nor its YOLOv3: its box_nms takes {describe(rows.shape)}, "
            f"and its layers tell {sorted(class_counts)} classes apart."
        )
    (count,) = class_counts
    if count != len(checkpoint.classes):
        raise CheckpointError(
            f"{checkpoint.prefix} tells {count} classes apart and `classes` in its {CARD_NAME} names "
            f"{len(checkpoint.classes)}: name them all, in the order of the training."
        )
