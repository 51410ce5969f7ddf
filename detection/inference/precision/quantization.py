"""Makes the int8 model of a network: ONNX Runtime's static quantization, calibrated on photos.

Weights are quantized per channel; of the activations only the inputs of convolutions are. Outputs of convolutions,
residual sums, the heads' probabilities and boxes stay floating point: quantizing these too costs accuracy and no engine
is faster with it (docs/accuracy.md has the comparison, also with OpenVINO's NNCF).
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
import onnx.version_converter
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from detection.inference.convert.conversion import CONVERTER_VERSION
from detection.inference.convert.graph import IMAGE_INPUT
from detection.inference.detector import SCALED_DECODING_MARGIN
from detection.inference.errors import CheckpointError
from detection.inference.network import Network
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.preprocess import fit_photo
from detection.inference.precision.int8_files import QuantizedDescription, write_quantized
from detection.inference.types import ImageArray

_OPERATORS = ["Conv"]
# QuantizeLinear has an axis from this opset on.
_PER_CHANNEL_OPSET = 13
_OPTIONS = {"OpTypesToExcludeOutputQuantization": _OPERATORS, "QuantizeBias": False}


def quantize(network: Network, photos: Iterable[bytes], *, max_pixels: int, source: str) -> Path:
    """Write the int8 model of `network` beside its checkpoint and return its path.

    photos: bytes of files like those of the service; each is decoded and resized as in the detector.
    source: their origin, for people. Raises ImageDecodeError and ImageTooLargeError on a photo, CheckpointError
    when there is none or the folder cannot be written.
    """
    if not network.is_onnx:
        raise CheckpointError(
            f"{network.name} is not an ONNX file, and int8 models are made of those. Export it as ONNX, or in int8."
        )
    reader = _PhotoReader(network_inputs(network, photos, max_pixels))
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        model = _quantized_model(network, reader, Path(folder))
    description = QuantizedDescription(
        sha256=hashlib.sha256(model).hexdigest(),
        checkpoint_sha256=network.made_of_sha256,
        edge=network.edge,
        converter_version=CONVERTER_VERSION,
        tool="onnxruntime.quantization.quantize_static",
        tool_version=onnxruntime.__version__,
        calibration_photos=reader.count,
        calibration_source=source,
    )
    return write_quantized(network, model, description)


def network_inputs(network: Network, photos: Iterable[bytes], max_pixels: int) -> Iterator[ImageArray]:
    """Yield the photos as the network's inputs: (height, width, 3) uint8 each."""
    min_edge_px = SCALED_DECODING_MARGIN * network.edge
    for data in photos:
        photo = decode_photo(data, max_pixels=max_pixels, min_edge_px=min_edge_px)
        yield fit_photo(photo.image_rgb, network)[0]


class _PhotoReader(CalibrationDataReader):  # type: ignore[misc]
    """Reader that gives photos to ONNX Runtime's calibration and counts them."""

    def __init__(self, images_rgb: Iterator[ImageArray]) -> None:
        self._images_rgb = images_rgb
        self.count = 0

    def get_next(self) -> dict[str, ImageArray] | None:
        image_rgb = next(self._images_rgb, None)
        if image_rgb is None:
            return None
        self.count += 1
        return {IMAGE_INPUT: image_rgb[None]}


def _quantized_model(network: Network, reader: _PhotoReader, folder: Path) -> bytes:
    prepared, quantized = folder / "prepared.onnx", folder / "int8.onnx"
    onnx.save(_in_opset(network), prepared)
    # Batch normalisation is folded into the convolution before it, so that there is one range to measure instead of
    # two.
    quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
    try:
        quantize_static(
            prepared,
            quantized,
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_OPERATORS,
            extra_options=_OPTIONS,
        )
    except ValueError as error:
        if reader.count == 0:
            raise CheckpointError(
                "There is no photo to calibrate with. Name photos, or folders that hold some."
            ) from error
        raise
    _require_openable(network, quantized)
    return quantized.read_bytes()


def _in_opset(network: Network) -> onnx.ModelProto:
    """Return the network in an opset that has quantization per channel. Raises CheckpointError."""
    model = onnx.load(network.onnx_path)
    opset = max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=1)
    if opset >= _PER_CHANNEL_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _PER_CHANNEL_OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise CheckpointError(
            f"{network.name} was exported in opset {opset}, which has no quantization per channel, and cannot be "
            f"converted ({error}). Export it in opset {_PER_CHANNEL_OPSET} or newer."
        ) from error


def _require_openable(network: Network, path: Path) -> None:
    try:
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise CheckpointError(
            f"The int8 model of {network.name} cannot be opened, so it was not kept: {error} Export the network in "
            "a newer opset, or use another MODEL_PRECISION."
        ) from error
