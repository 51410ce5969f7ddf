"""Opens networks in OpenVINO's own form (IR: NAME.xml with NAME.bin) and TFLite files behind an input of bytes.

OpenVINO reads both, and its preprocessing adds what `onnx/input.py` adds to ONNX files. No other engine runs them.
"""

import tempfile
from pathlib import Path
from typing import Any

from detection.inference.cards.card import CARD_NAME, InputSpec, ModelCard
from detection.inference.engines.openvino_package import ov, shared_core
from detection.inference.errors import CheckpointError

_VERSION = 1
_HASH_DIGITS = 24


def wrapped_model(card: ModelCard, path: Path, cache_dir: Path) -> Path:
    """Write the network at `path`, which a card lists, to `cache_dir` in OpenVINO's form, behind an input of bytes.

    Return its .xml. It is made anew at each start, as the ONNX files are. Raises CheckpointError.
    """
    _require_weights(card, path)
    target = cache_dir / f"{card.sha256[:_HASH_DIGITS]}-ir-v{_VERSION}.xml"
    try:
        write_wrapped(path, card.input, target)
    except ValueError as error:
        raise CheckpointError(f"{path} does not fit its model card, or is damaged: {error}") from error
    except OSError as error:
        raise CheckpointError(
            f"{cache_dir} cannot keep models ({error}): make it a folder that this user may write to, or set DATA_DIR "
            "to another one."
        ) from error
    return target


def write_wrapped(path: Path, spec: InputSpec, target: Path) -> None:
    """Write the network at `path` to `target`, a name.xml, behind an input of bytes.

    Raises ValueError where it is damaged or has another input, OSError where it cannot be written.
    """
    try:
        model = _with_input(read_network(path), spec)
    except RuntimeError as error:
        raise ValueError(error) from error
    try:
        _save(model, target)
    except RuntimeError as error:
        raise OSError(error) from error


def read_network(path: Path) -> Any:
    """Return a network whose outputs all have names. Raises RuntimeError where it is damaged."""
    model = shared_core().read_model(path)
    for number, output in enumerate(model.outputs):
        if not output.get_names():
            output.set_names({f"output{number}"})
    return model


def _require_weights(card: ModelCard, path: Path) -> None:
    """Raise CheckpointError where the card does not list the weights of an .xml: nobody would verify them."""
    weights = path.with_suffix(".bin").name
    if path.suffix.lower() == ".xml" and weights not in card.files:
        raise CheckpointError(f"{card.folder / CARD_NAME}: [files] has to list {weights}, the weights of {path.name}.")


def _with_input(model: Any, spec: InputSpec) -> Any:
    """Return the model with the one input (N, height, width, 3) uint8 RGB. Raises ValueError with the reason."""
    if len(model.inputs) != 1:
        raise ValueError(f"it has {len(model.inputs)} inputs, and a photo needs one; export it without the others")
    width, height = spec.size_wh
    expected = [3, height, width] if spec.layout == "nchw" else [height, width, 3]
    shape = model.input(0).get_partial_shape()
    if shape.rank.get_length() != len(expected) + 1 or not shape[1:].compatible(ov.PartialShape(expected)):
        raise ValueError(f"its input is {shape}, not the {expected} of `input` ({spec.layout}) for each photo")
    if shape[1:].is_dynamic:
        model.reshape(ov.PartialShape([shape[0], *expected]))
    return _preprocessed(model, spec)


def _preprocessed(model: Any, spec: InputSpec) -> Any:
    from openvino.preprocess import ColorFormat, PrePostProcessor

    processor = PrePostProcessor(model)
    photo = processor.input(0)
    photo.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.RGB)
    photo.model().set_layout(ov.Layout(spec.layout.upper()))
    steps = photo.preprocess()
    if spec.colour == "bgr":
        steps.convert_color(ColorFormat.BGR)
    if spec.dtype != "uint8":
        steps.convert_element_type(ov.Type.f32).mean(list(spec.mean)).scale(list(spec.std))
    return processor.build()


def _save(model: Any, target: Path) -> None:
    """Write both files aside, then put them in place, the weights first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ir-", dir=target.parent) as aside:
        fresh = Path(aside) / target.name
        ov.save_model(model, fresh, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            fresh.with_suffix(suffix).replace(target.with_suffix(suffix))
