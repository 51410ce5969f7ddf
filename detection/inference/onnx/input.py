"""Wraps the graph of an ONNX export in the one input that engines use: photos as bytes.

Adds in front of the export's own input: the order of channels, the type, the normalisation, the layout. Further
inputs (`orig_target_sizes` of RT-DETR exports, `scale_factor` of PaddleDetection's) become constants.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from detection.inference.cards.card import InputSpec, ModelCard
from detection.inference.convert.graph import IMAGE_INPUT
from detection.inference.errors import CheckpointError
from detection.inference.families.declaration import Declaration, layout_of
from detection.inference.files import replace_file
from detection.inference.onnx.names import name_nodes
from detection.inference.onnx.outputs import keep_outputs, sort_nodes
from detection.inference.onnx.weights import load_onnx

WRAPPER_VERSION = 1
"""Goes up with every change of what is put in front; part of the file's name in the cache."""
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}
_RANK, _RANK_OF_ONE = 4, 3
_HASH_DIGITS = 24
_SIZE_INPUTS = ("orig_target_sizes", "orig_size", "target_sizes")
_HEIGHT_WIDTH_INPUT, _SCALE_INPUT = "im_shape", "scale_factor"


def wrapped_onnx(card: ModelCard, cache_dir: Path) -> Path:
    """Return the graph of a card's .onnx file behind an input of bytes; see `keep_wrapped`."""
    path = card.only_file(".onnx")
    model = load_onnx(path, card.files)
    if isinstance(card.decoding, Declaration):
        keep_outputs(model, layout_of(card.decoding).outputs, batched=card.decoding.batched)
    return keep_wrapped(model, path, card, cache_dir)


def keep_wrapped(model: onnx.ModelProto, path: Path, card: ModelCard, cache_dir: Path) -> Path:
    """Write a graph that was read from `path`, behind an input of bytes as the card describes, to `cache_dir`.

    It is made anew at each start, which takes a moment, so that a damaged file in the cache is repaired. Raises
    CheckpointError when the graph does not fit the card or the cache cannot be written.
    """
    try:
        content = wrap(model, card.input).SerializeToString()
    except (ValueError, onnx.checker.ValidationError) as error:
        raise CheckpointError(f"{path} does not fit its model card: {error}") from error
    target = cache_dir / f"{card.sha256[:_HASH_DIGITS]}-input-v{WRAPPER_VERSION}.onnx"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != content:
            replace_file(target, content)
    except OSError as error:
        raise CheckpointError(
            f"{cache_dir} cannot keep models ({error.strerror}): make it a folder that this user may write to, or set "
            "DATA_DIR to another one."
        ) from error
    return target


def wrap(model: onnx.ModelProto, spec: InputSpec) -> onnx.ModelProto:
    """Return a copy of `model` whose input is `image_rgb` (N, height, width, 3) uint8. Raises ValueError with the
    reason.
    """
    wrapped = onnx.ModelProto()
    wrapped.CopyFrom(model)
    graph = wrapped.graph
    sort_nodes(graph)
    weights = {each.name for each in graph.initializer}
    free = [each for each in graph.input if each.name not in weights]
    photo = _photo_input(free, spec)
    axes = photo.type.tensor_type.shape.dim
    is_single = len(axes) == _RANK_OF_ONE
    nodes, constants = _front(photo.name, spec, is_single=is_single)
    for extra in free:
        if extra.name != photo.name:
            constants.append(numpy_helper.from_array(_size_constant(extra, spec), extra.name))
    batch = 1 if is_single else axes[0].dim_value if axes[0].HasField("dim_value") else "N"
    width, height = spec.size_wh
    shape = [batch, height, width, 3]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(IMAGE_INPUT, TensorProto.UINT8, shape))
    graph.initializer.extend(constants)
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)
    name_nodes(graph)
    onnx.checker.check_model(wrapped)
    return wrapped


def _photo_input(free: Sequence[onnx.ValueInfoProto], spec: InputSpec) -> onnx.ValueInfoProto:
    by_rank = {
        rank: [each for each in free if len(each.type.tensor_type.shape.dim) == rank] for rank in (_RANK, _RANK_OF_ONE)
    }
    # Detectron2 and torchvision export networks for a single photo, without an axis for the batch.
    photos = by_rank[_RANK] or [each for each in by_rank[_RANK_OF_ONE] if _is_photo(each, spec)]
    if len(photos) != 1:
        raise ValueError(f"it has {len(photos)} inputs of four axes, and a photo needs exactly one")
    (photo,) = photos
    if photo.type.tensor_type.elem_type != _TYPES[spec.dtype]:
        actual = TensorProto.DataType.Name(photo.type.tensor_type.elem_type)
        raise ValueError(f"its input {photo.name} is of type {actual}, not `input.dtype` = {spec.dtype}")
    width, height = spec.size_wh
    expected = (3, height, width) if spec.layout == "nchw" else (height, width, 3)
    actual_shape = [axis.dim_value for axis in photo.type.tensor_type.shape.dim][-_RANK_OF_ONE:]
    if any(actual and actual != wanted for actual, wanted in zip(actual_shape, expected, strict=True)):
        raise ValueError(
            f"its input {photo.name} is {tuple(actual_shape)} for one photo, not the {expected} of `input` "
            f"({spec.layout})"
        )
    return photo


def _is_photo(value: onnx.ValueInfoProto, spec: InputSpec) -> bool:
    """Return whether an input of three axes has the three colours where the layout puts them."""
    axes = value.type.tensor_type.shape.dim
    return bool(axes[0 if spec.layout == "nchw" else -1].dim_value == 3)  # noqa: PLR2004 colours


def _front(name: str, spec: InputSpec, *, is_single: bool) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from the bytes to the export's input, and their constants. The transpose is cheapest on
    bytes.
    """
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    constants: list[onnx.TensorProto] = []

    def constant(label: str, array: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(array, f"{IMAGE_INPUT}/{label}"))
        return f"{IMAGE_INPUT}/{label}"

    channels_first = spec.layout == "nchw"
    if spec.colour == "bgr":
        steps.append(("Gather", [constant("order", np.array([2, 1, 0], np.int64))], {"axis": 3}))
    if channels_first:
        steps.append(("Transpose", [], {"perm": (0, 3, 1, 2)}))
    if spec.dtype != "uint8":
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
        shape = (1, 3, 1, 1) if channels_first else (1, 1, 1, 3)
        if any(spec.mean):
            steps.append(("Sub", [constant("mean", np.array(spec.mean, np.float32).reshape(shape))], {}))
        if any(scale != 1 for scale in spec.std):
            steps.append(("Div", [constant("std", np.array(spec.std, np.float32).reshape(shape))], {}))
    if spec.dtype == "float16":
        steps.append(("Cast", [], {"to": TensorProto.FLOAT16}))
    if is_single:
        height_width = spec.size_wh[::-1]
        shape_of_one = (3, *height_width) if channels_first else (*height_width, 3)
        steps.append(("Reshape", [constant("one", np.array(shape_of_one, np.int64))], {}))
    steps.append(("Identity", [], {}))
    nodes, value = [], IMAGE_INPUT
    for number, (operator, more, attributes) in enumerate(steps, start=1):
        output = name if number == len(steps) else f"{IMAGE_INPUT}/{number}"
        nodes.append(
            helper.make_node(operator, [value, *more], [output], f"{IMAGE_INPUT}/{operator}_{number}", **attributes)
        )
        value = output
    return nodes, constants


def _size_constant(extra: onnx.ValueInfoProto, spec: InputSpec) -> NDArray[Any]:
    """Return the size of the network's input as a constant, for exports that scale their boxes by it.

    PaddleDetection has height and width, and the factors by which the photo was resized.
    """
    values = {_HEIGHT_WIDTH_INPUT: spec.size_wh[::-1], _SCALE_INPUT: (1, 1)} | dict.fromkeys(_SIZE_INPUTS, spec.size_wh)
    if extra.name not in values:
        raise ValueError(f"it has an input {extra.name} that nobody can fill; export it without")
    dtype = helper.tensor_dtype_to_np_dtype(extra.type.tensor_type.elem_type)
    return np.array([values[extra.name]], dtype=dtype)
