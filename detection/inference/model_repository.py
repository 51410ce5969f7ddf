"""Writes a network as a model repository for model servers: a folder per model, with a folder per version.

Triton reads NAME/config.pbtxt (`ModelConfig` of its model_config.proto); OpenVINO Model Server reads a config.json that
lists all models. Both take the ONNX file unchanged: bytes (N, H, W, 3) in, the family's outputs out.
"""

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from detection.inference.errors import InferenceError
from detection.inference.files import replace_file
from detection.inference.network import Network
from detection.inference.text_files import read_json
from detection.program import PROGRAM

SERVERS = ("triton", "ovms")
MODEL_FILE = "model.onnx"
# The model folder in both servers' images, for the commands shown below.
MOUNTED_AT = "/models"
_VERSION = "1"
_MAX_BATCH = 32
# How long Triton delays a photo to fill a batch.
_MAX_DELAY_US = 500
_NAME = re.compile(r"[\w.-]+")
_READABLE_BY_ALL = 0o755
_TRITON_TYPES: dict[int, str] = {
    onnx.TensorProto.UINT8: "TYPE_UINT8",
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.FLOAT16: "TYPE_FP16",
    onnx.TensorProto.INT32: "TYPE_INT32",
    onnx.TensorProto.INT64: "TYPE_INT64",
}


class RepositoryError(InferenceError):
    """A model repository cannot be written; the message says what to do."""


def write_repository(network: Network, folder: Path, server: str, *, replace: bool = False) -> Path:
    """Write a network for one of `SERVERS` into `folder`, completely or not at all; return the model's own folder.

    replace: also when the folder exists. Raises RepositoryError and OSError.
    """
    if _NAME.fullmatch(network.name) is None:
        raise RepositoryError(f"A model server has no model {network.name!r}: name it with letters, digits, . _ and -.")
    if not network.is_onnx:
        raise RepositoryError(f"{network.name} is not an ONNX file, and only those are exported. Export it as ONNX.")
    target = folder / network.name
    if target.exists() and not replace:
        raise RepositoryError(f"{target} is there already. Add --replace, or name another folder.")
    listed = _listed(folder / "config.json", network.name) if server == "ovms" else None
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{network.name}-", dir=folder) as aside:
        fresh = Path(aside, "fresh")
        (fresh / _VERSION).mkdir(parents=True)
        shutil.copyfile(network.onnx_path, fresh / _VERSION / MODEL_FILE)
        if server == "triton":
            (fresh / "config.pbtxt").write_text(triton_config(network), encoding="utf-8")
        for each in (fresh, fresh / _VERSION):
            each.chmod(_READABLE_BY_ALL)
        # The old folder leaves with the temporary one; between the two renames a server finds nothing, never a half.
        with contextlib.suppress(FileNotFoundError):
            target.rename(Path(aside, "old"))
        fresh.rename(target)
    if listed is not None:
        replace_file(folder / "config.json", (json.dumps(listed, indent=2) + "\n").encode())
    return target


def has_free_batch(network: Network) -> bool:
    """Return whether the network takes any number of photos in a call. Raises RepositoryError when it cannot be
    read.
    """
    return all(not each.type.tensor_type.shape.dim[0].HasField("dim_value") for each in _values(_graph(network)))


def triton_config(network: Network) -> str:
    """Return the text of config.pbtxt, with dynamic batching where the batch is free. Raises RepositoryError."""
    graph = _graph(network)
    free = has_free_batch(network)
    weights = {each.name for each in graph.initializer}
    parts = [
        f"name: {json.dumps(network.name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {_MAX_BATCH if free else 0}",
        *(_triton_tensor("input", each, free) for each in graph.input if each.name not in weights),
        *(_triton_tensor("output", each, free) for each in graph.output),
    ]
    if free:
        parts.append(f"dynamic_batching {{\n  max_queue_delay_microseconds: {_MAX_DELAY_US}\n}}")
    parts += [
        f"parameters {{\n  key: {json.dumps(key)}\n  value {{ string_value: {json.dumps(value)} }}\n}}"
        for key, value in (("detector_model", network.full_name), ("detector_sha256", network.sha256))
    ]
    return "\n".join(parts) + "\n"


def next_steps(network: Network, folder: Path, server: str) -> str:
    """Return the commands to run next, line by line."""
    mount = f"-v {folder.resolve()}:{MOUNTED_AT}:ro"
    if server == "triton":
        command = (
            f"docker run --rm -p 8000:8000 -p 8001:8001 {mount} nvcr.io/nvidia/tritonserver:25.08-py3 "
            f"tritonserver --model-repository={MOUNTED_AT}"
        )
        url = "grpc://HOST:8001"
    else:
        command = (
            f"docker run --rm -p 9000:9000 -p 8000:8000 {mount} openvino/model_server:latest "
            f"--config_path {MOUNTED_AT}/config.json --port 9000 --rest_port 8000"
        )
        url = "grpc://HOST:9000"
    return (
        f"Serve it:\n  {command}\n(GPU: add --gpus all for Triton.) Then, here:\n"
        f"  MODEL_ENGINE=remote REMOTE_URL='{url}?model={network.name}' {PROGRAM} serve"
    )


def _graph(network: Network) -> Any:
    try:
        return onnx.load(network.onnx_path).graph
    except Exception as error:  # protobuf's errors have no common base that onnx exposes
        raise RepositoryError(f"The network {network.name} cannot be read: {error}") from error


def _values(graph: Any) -> Sequence[Any]:
    weights = {each.name for each in graph.initializer}
    return [*(each for each in graph.input if each.name not in weights), *graph.output]


def _triton_tensor(part: str, value: Any, free: bool) -> str:
    """Describe a tensor for Triton, whose dims leave out the batch where it has max_batch_size."""
    axes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in value.type.tensor_type.shape.dim]
    dims = ", ".join(map(str, axes[1:] if free else axes))
    kind = _TRITON_TYPES.get(value.type.tensor_type.elem_type)
    if kind is None:
        raise RepositoryError(
            f"The {part} {value.name} is neither of whole numbers nor of floats: Triton is not told of it."
        )
    return f"{part} {{\n  name: {json.dumps(value.name)}\n  data_type: {kind}\n  dims: [ {dims} ]\n}}"


def _listed(path: Path, name: str) -> Mapping[str, Any]:
    """Return config.json with this model added to those it lists already. Raises RepositoryError."""
    entry = {"config": {"name": name, "base_path": f"{MOUNTED_AT}/{name}"}}
    try:
        document = read_json(path) if path.exists() else {}
        others = [each for each in document.get("model_config_list", []) if each["config"]["name"] != name]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RepositoryError(f"{path} is no list of models of OpenVINO Model Server. Move it away.") from error
    return {**document, "model_config_list": [*others, entry]}
