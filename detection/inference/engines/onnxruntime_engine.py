"""Engine on ONNX Runtime: NVIDIA GPUs through CUDA, and CPUs."""

import os
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.errors import EngineError
from detection.inference.hardware import has_int8_products, usable_cores
from detection.inference.network import Network
from detection.inference.types import ImageArray

CUDA = "CUDAExecutionProvider"
_GPU_MAX_BATCH = 32
# The fastest first. On GPUs ONNX Runtime computes quantized convolutions in float32; on CPUs it has no fast float16.
_GPU_PRECISIONS = ("f16", "f32")
_CPU_PRECISIONS = ("int8", "f32")
_WARNINGS_AND_ABOVE = 2


class OnnxRuntimeEngine:
    """One session; ONNX Runtime allows calls from several threads."""

    name = "onnxruntime"
    prefetch = 0

    def __init__(self, session: Any, device: str, max_batch: int, precision: str) -> None:
        self.precision = precision
        self._session = session
        self.device = device
        photo = session.get_inputs()[0]
        # An export may have its batch fixed; a free one has a name in its place.
        self.max_batch = min(max_batch, photo.shape[0]) if isinstance(photo.shape[0], int) else max_batch
        self.lanes = 1 if self.max_batch > 1 else 0
        self._input_name = photo.name
        self._output_names = [output.name for output in session.get_outputs()]

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`."""
        try:
            outputs = self._session.run(self._output_names, {self._input_name: batch_rgb})
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise EngineError(f"ONNX Runtime failed on a photo: {error}") from error
        return dict(zip(self._output_names, outputs, strict=True))

    def problem(self) -> str:
        """See `Engine.problem`: a loaded network stays usable."""
        return ""

    def close(self) -> None:
        """See `Engine.close`."""
        self._session = None


def create(network: Network, options: EngineOptions) -> OnnxRuntimeEngine:
    """Open a session on the requested device. Raises EngineError when the GPU is not really used."""
    precision = "f32" if options.precision == "auto" else options.precision
    offered = _GPU_PRECISIONS if options.gpu else _CPU_PRECISIONS
    if precision not in offered:
        raise EngineError(
            f"MODEL_PRECISION={precision} is not offered by ONNX Runtime on {'a GPU' if options.gpu else 'a CPU'}. "
            f"Use one of {', '.join(offered)}, or another MODEL_ENGINE."
        )
    session_options = ort.SessionOptions()
    session_options.log_severity_level = _WARNINGS_AND_ABOVE
    if options.gpu:
        session = _cuda_session(network, session_options, precision)
        return OnnxRuntimeEngine(session, "CUDA GPU 0", _GPU_MAX_BATCH, precision)
    session_options.intra_op_num_threads = options.threads or usable_cores()
    session = _session(network, session_options, ["CPUExecutionProvider"], precision)
    return OnnxRuntimeEngine(session, "CPU", 1, precision)


def offered_precisions(options: EngineOptions) -> tuple[str, ...]:
    """See `registry.offered_precisions`."""
    if options.gpu:
        return _GPU_PRECISIONS
    return tuple(name for name in _CPU_PRECISIONS if name != "int8" or has_int8_products())


def half_precision(onnx_path: Path) -> bytes:
    """Convert a network to float16 and return the bytes of the ONNX model; its input and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(onnx_path), keep_io_types=True)
    return bytes(model.SerializeToString())


def _session(network: Network, session_options: Any, providers: list[Any], precision: str) -> Any:
    try:
        model = half_precision(network.onnx_path) if precision == "f16" else os.fspath(network.onnx_path)
        return ort.InferenceSession(model, session_options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise EngineError(f"ONNX Runtime cannot open the network {network.name}: {error}") from error


def _cuda_session(network: Network, session_options: Any, precision: str) -> Any:
    """Open a session on CUDA and verify the device: ONNX Runtime falls back to the CPU without an error otherwise."""
    advice = (
        "Install requirements-gpu.txt on a machine with an NVIDIA GPU and its driver, or set MODEL_CONTEXT_GPU=false."
    )
    if CUDA not in ort.get_available_providers():
        raise EngineError(f"MODEL_CONTEXT_GPU=true, but the installed ONNX Runtime has no CUDA support. {advice}")
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    providers = [(CUDA, {"cudnn_conv_algo_search": "HEURISTIC"}), "CPUExecutionProvider"]
    session = _session(network, session_options, providers, precision)
    if session.get_providers()[0] != CUDA:
        raise EngineError(f"MODEL_CONTEXT_GPU=true, but ONNX Runtime could not use the GPU and fell back. {advice}")
    return session
