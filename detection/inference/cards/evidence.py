"""Everything known of an export before it has a card: its interface, the files beside it, its answer to a photo."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from detection.inference.cards.beside import Beside
from detection.inference.cards.card import InputSpec
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.errors import CheckpointError, InferenceError
from detection.inference.network import Network
from detection.inference.onnx.input import wrap
from detection.inference.types import ImageArray

_RANKS = (4, 3)
_COLOURS = 3
_DTYPES = {onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.UINT8: "uint8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Interface of an export: its photo input, its other inputs, its outputs, their axes (0 where free) and its
    metadata.
    """

    photo: str
    photo_axes: tuple[int, ...]
    dtype: str
    others: tuple[str, ...] = ()
    outputs: Mapping[str, tuple[int, ...]]
    integers: frozenset[str] = frozenset()
    metadata: Mapping[str, str]

    @property
    def layout(self) -> str:
        """ "nhwc" where the colours are the last axis."""
        return "nhwc" if self.photo_axes[-1] == _COLOURS else "nchw"

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the input, 0 where free."""
        height, width = self.photo_axes[-3:-1] if self.layout == "nhwc" else self.photo_axes[-2:]
        return width, height


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence by which exporters are recognised.

    classes: how many are named; seen: the outputs for one photo as the export answers them; empty where it could not be
    run.
    """

    signature: Signature
    beside: Beside
    classes: int
    size_wh: tuple[int, int]
    seen: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The outputs' axes: those that were seen, else those of the file, 0 where free."""
        return {
            name: self.seen[name].shape if name in self.seen else axes for name, axes in self.signature.outputs.items()
        }

    @property
    def only_output(self) -> tuple[str, tuple[int, ...]]:
        """The name and axes of the output, if there is one; "" and none else."""
        outputs = self.outputs
        return next(iter(outputs.items())) if len(outputs) == 1 else ("", ())

    def cells(self, *strides: int) -> int:
        """Return the number of cells of a network with these strides."""
        width, height = self.size_wh
        return sum(-(-width // stride) * -(-height // stride) for stride in strides)


def signature_of(model: onnx.ModelProto, path: Path) -> Signature:
    """Read the interface of a model. Raises CheckpointError where no input takes a photo."""
    weights = {each.name for each in model.graph.initializer}
    inputs = {each.name: each for each in model.graph.input if each.name not in weights}
    photos = next(filter(None, ([name for name in inputs if _is_photo(inputs[name], rank)] for rank in _RANKS)), [])
    if len(photos) != 1:
        raise CheckpointError(
            f"{path} has {len(photos)} inputs of four axes, and a detector of photos has exactly one."
        )
    (photo,) = photos
    whole = {onnx.TensorProto.INT64, onnx.TensorProto.INT32}
    return Signature(
        photo=photo,
        photo_axes=_axes(inputs[photo]),
        dtype=_DTYPES.get(inputs[photo].type.tensor_type.elem_type, "float32"),
        others=tuple(name for name in inputs if name != photo),
        outputs={each.name: _axes(each) for each in model.graph.output},
        integers=frozenset(each.name for each in model.graph.output if each.type.tensor_type.elem_type in whole),
        metadata={each.key: each.value for each in model.metadata_props},
    )


def _is_photo(value: onnx.ValueInfoProto, rank: int) -> bool:
    axes = _axes(value)
    return len(axes) == rank and (rank == max(_RANKS) or _COLOURS in {axes[0], axes[-1]})


def _axes(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)


def answers_to(model: onnx.ModelProto, signature: Signature, photo_rgb: ImageArray) -> Mapping[str, NDArray[Any]]:
    """Run an export on a photo, (height, width, 3) uint8 of the size of its input, scaled to 0 to 1. Returns its
    outputs; none where it cannot be run, which is told when the model is added.
    """
    return run_wrapped(
        signature, photo_rgb, ".onnx", lambda spec, path: path.write_bytes(wrap(model, spec).SerializeToString())
    )


def run_wrapped(
    signature: Signature, photo_rgb: ImageArray, suffix: str, write: Callable[[InputSpec, Path], object]
) -> Mapping[str, NDArray[Any]]:
    """Run an export as `answers_to`. write: writes it, behind an input of bytes, to a path with this suffix."""
    height, width, _ = photo_rgb.shape
    std = (1.0, 1.0, 1.0) if signature.dtype == "uint8" else (255.0, 255.0, 255.0)
    spec = InputSpec(size_wh=(width, height), std=std, dtype=signature.dtype, layout=signature.layout)
    with tempfile.TemporaryDirectory(prefix="model-card-") as folder:
        path = Path(folder) / f"export{suffix}"
        try:
            write(spec, path)
            network = Network(
                name="export",
                onnx_path=path,
                decoding=None,
                classes=(),
                size_wh=spec.size_wh,
                sha256="0" * 64,
                prefix=path.with_suffix(""),
            )
            engine = create_engine(network, EngineOptions())
        except (InferenceError, ValueError, OSError, onnx.checker.ValidationError):
            return {}
        try:
            outputs = engine.infer(photo_rgb[None])
        except InferenceError:
            return {}
        finally:
            engine.close()
    return {name: np.array(array) for name, array in outputs.items()}
