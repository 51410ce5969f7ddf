"""Reads the network of a checkpoint: `NAME-symbol.json`, as MXNet 0.8 to 1.9 wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.inference.errors import CheckpointError
from detection.inference.text_files import TextError, read_json

VARIABLE = "null"
DETECTION_OPERATORS = ("_contrib_MultiBoxDetection", "MultiBoxDetection")
SUPPRESSION_OPERATORS = ("_contrib_box_nms", "_contrib_box_non_maximum_suppression")
_LAST_OPERATORS = DETECTION_OPERATORS + SUPPRESSION_OPERATORS
_INPUTS_BEFORE_LABEL = {"SoftmaxOutput": 1, "Softmax": 1}
# Annotations of training and scheduling that stood beside the attributes before they were written `__like_this__`
# (src/nnvm/legacy_json_util.cc).
_ANNOTATIONS = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage", "weight_decay")
_AUXILIARY_INPUTS = {"BatchNorm": ("data", "gamma", "beta", "moving_mean", "moving_var")}


@dataclass(frozen=True, slots=True)
class Source:
    """Reference to one output of one node, as an input of another."""

    node: int
    output: int


@dataclass(frozen=True, slots=True)
class Node:
    """A variable (operator "null") or an operator with its attributes as text; annotations are left out."""

    name: str
    operator: str
    attributes: Mapping[str, str]
    inputs: tuple[Source, ...]

    @property
    def is_variable(self) -> bool:
        return self.operator == VARIABLE

    @property
    def predictive_inputs(self) -> tuple[Source, ...]:
        """Return the inputs without the labels, which only training reads."""
        return self.inputs[: _INPUTS_BEFORE_LABEL.get(self.operator)]


@dataclass(frozen=True, slots=True)
class Symbol:
    """Network graph: nodes in topological order, and its heads."""

    nodes: tuple[Node, ...]
    heads: tuple[Source, ...]

    def live_nodes(self) -> tuple[int, ...]:
        """Return the nodes that the detections depend on, in order; without labels and training losses.

        A network without an operator that makes or suppresses detections depends on all that its heads depend on.
        """
        reached = self.ancestors(head.node for head in self.heads)
        detections = [index for index in reached if self.nodes[index].operator in _LAST_OPERATORS]
        return self.ancestors(detections) if detections else reached

    def ancestors(self, roots: Iterable[int]) -> tuple[int, ...]:
        """Return the roots and all nodes that they depend on other than as labels, in order."""
        waiting, reached = list(roots), set[int]()
        while waiting:
            index = waiting.pop()
            if index in reached:
                continue
            reached.add(index)
            waiting.extend(source.node for source in self.nodes[index].predictive_inputs)
        return tuple(sorted(reached))


def read_symbol(path: Path) -> Symbol:
    """Read a symbol file; raises CheckpointError when it is missing, damaged, or its nodes are not in order."""
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing: put the checkpoint's symbol file there, or point MODEL_PREFIX to another checkpoint."
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}): make it readable for this user.") from None
    except TextError as error:
        raise _damaged(path, str(error)) from None
    try:
        return _parse_symbol(document)
    except ValueError as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path} is no MXNet symbol file: {reason}. Copy the checkpoint anew.")


def _parse_symbol(document: object) -> Symbol:
    raw_nodes = _member(document, "nodes", list)
    nodes: list[Node] = []
    renumbered: list[int] = []
    for index, raw_node in enumerate(raw_nodes):
        node = _parse_node(raw_node, index, renumbered)
        nodes.extend(_missing_variables(node))
        node = _with_missing_inputs(node, len(nodes))
        renumbered.append(len(nodes))
        nodes.append(node)
    heads = tuple(_parse_source(raw, renumbered, "the heads") for raw in _member(document, "heads", list))
    if not heads:
        raise ValueError("it has no heads")
    return Symbol(tuple(nodes), heads)


def _parse_node(raw: object, index: int, renumbered: list[int]) -> Node:
    name, operator = _member(raw, "name", str), _member(raw, "op", str)
    where = f"node {name or index}"
    sources = tuple(_parse_source(item, renumbered, where) for item in _member(raw, "inputs", list))
    if operator == VARIABLE and sources:
        raise ValueError(f"{where} is a variable and has inputs")
    # MXNet copies a layer's attributes to the layer's variables; they have no meaning there.
    attributes = {} if operator == VARIABLE else _parse_attributes(raw, where)
    return Node(name, operator, attributes, sources)


def _parse_attributes(raw: object, where: str) -> dict[str, str]:
    spelling = next((key for key in ("param", "attrs", "attr") if isinstance(raw, dict) and key in raw), None)
    if spelling is None:
        return {}
    attributes = _member(raw, spelling, dict)
    if not all(isinstance(text, str) for text in attributes.values()):
        raise ValueError(f"an attribute of {where} is not text")
    return {name: text for name, text in attributes.items() if not _is_annotation(name)}


def _is_annotation(name: str) -> bool:
    return (name.startswith("__") and name.endswith("__")) or name.endswith(_ANNOTATIONS)


def _parse_source(raw: object, renumbered: list[int], where: str) -> Source:
    numbers = raw[:2] if isinstance(raw, list) else []
    if len(numbers) != 2 or not all(type(number) is int and number >= 0 for number in numbers):  # noqa: PLR2004
        raise ValueError(f"an input of {where} is not [node, output]")
    if numbers[0] >= len(renumbered):
        raise ValueError(f"{where} refers to node {numbers[0]}, which does not come before it")
    return Source(renumbered[numbers[0]], numbers[1])


def _missing_variables(node: Node) -> list[Node]:
    """Return the running averages, which MXNet before 0.9 did not write into the file."""
    names = _AUXILIARY_INPUTS.get(node.operator, ())
    return [Node(f"{node.name}_{name}", VARIABLE, {}, ()) for name in names[len(node.inputs) :]]


def _with_missing_inputs(node: Node, end: int) -> Node:
    """Append the variables of `_missing_variables`, the last of `end` nodes, to the inputs of the node."""
    count = len(_missing_variables(node))
    added = tuple(Source(index, 0) for index in range(end - count, end))
    return Node(node.name, node.operator, node.attributes, node.inputs + added)


def _member(document: object, key: str, kind: type) -> Any:
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"{key!r} is missing or of the wrong type")  # noqa: TRY004 - the file's fault, not the caller's
    return value
