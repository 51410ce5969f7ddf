"""Files of the int8 model of a checkpoint: two beside it, made by `manage.py quantize`.

`<prefix>-<epoch>-int8.onnx` is the network with quantized convolutions; `<prefix>-<epoch>-int8.json` records its
sources and its hash, so that a damaged file, or one of another checkpoint, is never run.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from detection.inference.convert.conversion import CONVERTER_VERSION
from detection.inference.errors import CheckpointError
from detection.inference.files import replace_file
from detection.inference.network import Network
from detection.inference.text_files import parse_json
from detection.program import PROGRAM

_ADVICE = f"Run `{PROGRAM} quantize PHOTOS...` with the same settings, or set MODEL_PRECISION to f32 or auto."


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedDescription:
    """Content of the JSON beside an int8 model.

    sha256: of the int8 model; checkpoint_sha256, edge and converter_version: of its source; tool and
    tool_version: that made it; calibration_photos: number of photos that its ranges were measured on;
    calibration_source: their origin, for people.
    """

    sha256: str
    checkpoint_sha256: str
    edge: int
    converter_version: int
    tool: str
    tool_version: str
    calibration_photos: int
    calibration_source: str


def quantized_paths(prefix: Path, epoch: int) -> tuple[Path, Path]:
    """Return the paths of a checkpoint's int8 model and its description."""
    stem = f"{prefix.name}-{epoch:04d}-int8"
    return prefix.with_name(f"{stem}.onnx"), prefix.with_name(f"{stem}.json")


def quantized_network(network: Network) -> Network:
    """Return the network with its int8 model in place of the float32 one, and that file's hash.

    Raises CheckpointError when there is none, when it is damaged, and when it was made from another checkpoint or edge.
    """
    model_path, description_path = quantized_paths(network.prefix, network.epoch)
    try:
        description = _parse(description_path.read_bytes())
        sha256 = hashlib.sha256(model_path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise CheckpointError(f"{network.prefix} has no int8 model for epoch {network.epoch}. {_ADVICE}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The int8 model {model_path} cannot be read. {_ADVICE}") from error
    if sha256 != description.sha256:
        raise CheckpointError(f"The int8 model {model_path} is damaged: its hash is not the recorded one. {_ADVICE}")
    made_of = (description.checkpoint_sha256, description.edge, description.converter_version)
    if made_of != (network.made_of_sha256, network.edge, CONVERTER_VERSION):
        raise CheckpointError(
            f"The int8 model {model_path} was made of another checkpoint, for another MODEL_EDGE, or by another "
            f"version of this program. {_ADVICE}"
        )
    return replace(network, onnx_path=model_path, sha256=sha256, checkpoint_sha256="", quantized=True)


def write_quantized(network: Network, model: bytes, description: QuantizedDescription) -> Path:
    """Put an int8 model and its description beside the checkpoint of `network`; each file appears complete.

    Returns the model's path. Raises CheckpointError when the folder cannot be written.
    """
    model_path, description_path = quantized_paths(network.prefix, network.epoch)
    try:
        replace_file(model_path, model)
        # Last: until it is written, the old description does not fit the new model, and neither is used.
        replace_file(description_path, (json.dumps(asdict(description), indent=2) + "\n").encode())
    except OSError as error:
        raise CheckpointError(
            f"{model_path.parent} cannot be written ({error.strerror}). Copy the checkpoint to a folder of your own "
            "and set MODEL_PREFIX to it."
        ) from error
    return model_path


def _parse(raw: bytes) -> QuantizedDescription:
    values = parse_json(raw)
    return QuantizedDescription(**{field.name: values[field.name] for field in fields(QuantizedDescription)})
