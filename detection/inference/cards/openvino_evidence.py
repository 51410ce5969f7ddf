"""Evidence of networks in OpenVINO's own form and in TFLite, as `evidence.py` has it of ONNX files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from detection.inference.cards.evidence import Signature, run_wrapped
from detection.inference.engines.openvino_files import read_network, write_wrapped
from detection.inference.errors import CheckpointError
from detection.inference.types import ImageArray

_AXES_OF_PHOTOS = 4
_DTYPES = {"f16": "float16", "u8": "uint8"}
_WHOLE = frozenset({"i32", "i64"})


def openvino_signature(path: Path) -> Signature:
    """Read the interface of a network. Raises CheckpointError where it is damaged, or no input takes a photo."""
    try:
        model = read_network(path)
    except RuntimeError as error:
        beside = f" Is {path.with_suffix('.bin').name} beside it?" if path.suffix.lower() == ".xml" else ""
        raise CheckpointError(f"{path} cannot be read: it is damaged or incomplete.{beside}") from error
    photos = [each for each in model.inputs if len(_axes(each)) == _AXES_OF_PHOTOS]
    if len(photos) != 1:
        raise CheckpointError(
            f"{path} has {len(photos)} inputs of four axes, and a detector of photos has exactly one."
        )
    outputs = {each.get_any_name(): each for each in model.outputs}
    return Signature(
        photo=_name(photos[0]),
        photo_axes=_axes(photos[0]),
        dtype=_DTYPES.get(photos[0].get_element_type().get_type_name(), "float32"),
        others=tuple(_name(each) for each in model.inputs if each.get_index() != photos[0].get_index()),
        outputs={name: _axes(each) for name, each in outputs.items()},
        integers=frozenset(name for name, each in outputs.items() if each.get_element_type().get_type_name() in _WHOLE),
        metadata={},
    )


def openvino_answers(path: Path, signature: Signature, photo_rgb: ImageArray) -> Mapping[str, NDArray[Any]]:
    """Run a network on a photo, as `answers_to` does."""
    return run_wrapped(signature, photo_rgb, ".xml", lambda spec, target: write_wrapped(path, spec, target))


def _name(port: Any) -> str:
    return str(port.get_any_name()) if port.get_names() else "input"


def _axes(port: Any) -> tuple[int, ...]:
    """Return the lengths of the axes, 0 where they are free; none where even their number is."""
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(0 if axis.is_dynamic else axis.get_length() for axis in shape)
