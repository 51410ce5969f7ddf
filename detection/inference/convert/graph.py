"""An ONNX graph under construction, with the shape of every value in it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 17
IR_VERSION = 8
PRODUCER = "detector-site"
MAX_NUMBERS = 2**28
"""In one value for one photo; a damaged checkpoint must not ask for all memory."""
IMAGE_INPUT = "image_rgb"
OUTPUTS = ("cls_prob", "loc_pred")
ANCHORS = "anchors"
ROWS = "rows"

Shape = tuple[int | None, ...]
"""The sizes of a value's axes; None is the number of photos in a batch."""


@dataclass(frozen=True, slots=True)
class Value:
    """A float32 tensor of the graph: its name and shape."""

    name: str
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    def axis(self, axis: int) -> int:
        """Return `axis` counted from the front; raises ValueError when the value has no such axis."""
        if not -self.rank <= axis < self.rank:
            raise ValueError(f"there is no axis {axis} in the shape {describe(self.shape)}")
        return axis % self.rank

    def size(self, axis: int) -> int:
        """Return the size of an axis; raises ValueError when it is the batch."""
        size = self.shape[self.axis(axis)]
        if size is None:
            raise ValueError(f"axis {axis} of the shape {describe(self.shape)} is the batch")
        return size

    def spatial(self) -> tuple[int, int]:
        """Return height and width of a feature map; raises ValueError when the value is none."""
        if self.rank != 4:  # noqa: PLR2004 - batch, channels, height, width
            raise ValueError(f"the shape {describe(self.shape)} is not that of a feature map")
        return self.size(2), self.size(3)


def describe(shape: Shape) -> str:
    """Format a shape for people: (N, 3, 300, 300)."""
    return f"({', '.join(map(str, symbolic(shape)))})"


def symbolic(shape: Shape) -> list[int | str]:
    """Format a shape for ONNX, with a name for the batch axis."""
    return ["N" if size is None else size for size in shape]


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and constants; `scope` is put before the names of what is added next.

    problems: all weights that do not fit, so that they can be reported together.
    """

    scope: str = ""
    problems: list[str] = field(default_factory=list)
    _nodes: list[onnx.NodeProto] = field(default_factory=list)
    _constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    _names: set[str] = field(default_factory=lambda: {IMAGE_INPUT, *OUTPUTS, ANCHORS, ROWS})

    def add(self, operator: str, inputs: Sequence[Value | None], shape: Shape, **attributes: Any) -> Value:
        """Add an ONNX operator with one output of the given shape; None leaves an optional input out.

        Raises ValueError when that shape is empty or larger than any real network's.
        """
        if not 1 <= math.prod(1 if size is None else max(size, 0) for size in shape) <= MAX_NUMBERS:
            raise ValueError(f"its output would be {describe(shape)}")
        name = self._unique(f"{self.scope}/{operator}")
        names = ["" if value is None else value.name for value in inputs]
        self._nodes.append(helper.make_node(operator, names, [name], name=name, **attributes))
        return Value(name, shape)

    def constant(self, array: NDArray[Any], label: str = "constant") -> Value:
        """Add a constant, of the array's own type."""
        name = self._unique(f"{self.scope}/{label}" if self.scope else label)
        self._constants[name] = array
        return Value(name, array.shape)

    def scalar(self, number: float) -> Value:
        return self.constant(np.array(number, np.float32))

    def integers(self, numbers: Iterable[int]) -> Value:
        """Add a vector of int64, as ONNX takes shapes and axes."""
        return self.constant(np.array(list(numbers), np.int64))

    def reshape(self, value: Value, shape: Shape) -> Value:
        """Reshape `value` to a shape of the same size, with at most one batch axis."""
        if value.shape == shape:
            return value
        target = self.integers(-1 if size is None else size for size in shape)
        return self.add("Reshape", [value, target], shape)

    def weight(self, value: Value, shape: tuple[int, ...]) -> Value:
        """Return `value` as a weight of the given shape; records a problem when its shape differs."""
        if value.shape != shape:
            self.problems.append(f"{value.name} is {describe(value.shape)} where {self.scope} needs {describe(shape)}")
        return Value(value.name, shape)

    def output(self, value: Value, name: str) -> onnx.ValueInfoProto:
        """Export `value` from the graph under one of the reserved names."""
        self._nodes.append(helper.make_node("Identity", [value.name], [name], name=name))
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, symbolic(value.shape))

    def nodes_for(self, outputs: Iterable[str]) -> list[onnx.NodeProto]:
        """Return the nodes that the outputs depend on, in order."""
        wanted, chosen = set(outputs), []
        for node in reversed(self._nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                chosen.append(node)
        return chosen[::-1]

    def model(
        self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto], metadata: Mapping[str, str]
    ) -> onnx.ModelProto:
        """Build the model that computes `outputs`, without unused nodes; checked by onnx.checker."""
        nodes = self.nodes_for(output.name for output in outputs)
        used = dict.fromkeys(name for node in nodes for name in node.input if name in self._constants)
        initializers = [numpy_helper.from_array(np.ascontiguousarray(self._constants[name]), name) for name in used]
        graph = helper.make_graph(nodes, PRODUCER, inputs, outputs, initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name=PRODUCER
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _unique(self, name: str) -> str:
        unique, number = name, 1
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
        self._names.add(unique)
        return unique
