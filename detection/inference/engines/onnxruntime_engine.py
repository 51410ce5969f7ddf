"""Engine on ONNX Runtime: CPUs, and NVIDIA GPUs through CUDA or TensorRT."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import onnx
import onnxruntime as ort

from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.engines.bound_session import BoundSession, plainly, verified
from detection.inference.engines.devices import CPU, CUDA, KINDS, TENSORRT, kind_of, number_of, title_of
from detection.inference.engines.fixed_batch import run_padded
from detection.inference.errors import EngineError
from detection.inference.hardware import has_int8_products, usable_cores
from detection.inference.network import Network
from detection.inference.onnx.half_precision import half_precision
from detection.inference.types import ImageArray

_GPU_MAX_BATCH = 32
# The fastest first. On GPUs ONNX Runtime computes quantized convolutions in float32; on CPUs it has no fast float16.
_GPU_PRECISIONS = ("f16", "f32")
_CPU_PRECISIONS = ("int8", "f32")
_WARNINGS_AND_ABOVE = 2
_CPU_PROVIDER = "CPUExecutionProvider"
_NAMES = {CUDA: "CUDA", TENSORRT: "TensorRT"}

logger = logging.getLogger(__name__)


class OnnxRuntimeEngine:
    """One session; ONNX Runtime allows calls from several threads.

    run: runs a batch and returns the session's outputs, in its order.
    """

    name = "onnxruntime"
    prefetch = 0

    def __init__(
        self, session: Any, device: str, max_batch: int, precision: str, run: Callable[[ImageArray], Sequence[Any]]
    ) -> None:
        self.precision = precision
        self._run_session: Callable[[ImageArray], Sequence[Any]] | None = run
        self.device = device
        photo = session.get_inputs()[0]
        # An export may have its batch fixed; a free one has a name in its place.
        self._fixed_batch = photo.shape[0] if isinstance(photo.shape[0], int) else 0
        self.max_batch = self._fixed_batch or max_batch
        self.lanes = 1 if self.max_batch > 1 else 0
        self._output_names = [output.name for output in session.get_outputs()]

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`."""
        if self._fixed_batch > 1:
            return run_padded(batch_rgb, self._fixed_batch, self._run)
        return self._run(batch_rgb)

    def _run(self, batch_rgb: ImageArray) -> Outputs:
        if self._run_session is None:
            raise EngineError("ONNX Runtime's session is closed.")
        try:
            outputs = self._run_session(batch_rgb)
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise EngineError(f"ONNX Runtime failed on a photo: {error}") from error
        return dict(zip(self._output_names, outputs, strict=True))

    def problem(self) -> str:
        """See `Engine.problem`: a loaded network stays usable."""
        return ""

    def close(self) -> None:
        """See `Engine.close`."""
        self._run_session = None


def create(network: Network, options: EngineOptions) -> OnnxRuntimeEngine:
    """Open a session on the requested device. Raises EngineError when the GPU is not really used."""
    precision = "f32" if options.precision == "auto" else options.precision
    on_cpu = options.device == CPU
    offered = _CPU_PRECISIONS if on_cpu else _GPU_PRECISIONS
    if precision not in offered:
        raise EngineError(
            f"MODEL_PRECISION={precision} is not offered by ONNX Runtime on {'a CPU' if on_cpu else 'a GPU'}. "
            f"Use one of {', '.join(offered)}, or another MODEL_ENGINE."
        )
    title = title_of(options.device)
    if on_cpu:
        threads = options.threads or usable_cores()
        session = _session(network, [(_CPU_PROVIDER, {})], precision, threads)
        return OnnxRuntimeEngine(session, title, 1, precision, plainly(session))
    session, run = _on_gpu(network, options, precision)
    return OnnxRuntimeEngine(session, title, _GPU_MAX_BATCH, precision, run)


def offered_precisions(options: EngineOptions) -> tuple[str, ...]:
    """See `registry.offered_precisions`."""
    if options.device != CPU:
        return _GPU_PRECISIONS
    return tuple(name for name in _CPU_PRECISIONS if name != "int8" or has_int8_products())


def providers(network: Network, options: EngineOptions, precision: str, *, graphs: bool) -> list[Any]:
    """Return the execution providers of a GPU with their options, the wanted one first.

    Nodes that it does not run go to the next one. graphs: whether runs are recorded and played again.
    """
    kind, device = kind_of(options.device), {"device_id": str(number_of(options.device))}
    wanted = {**device, **kind.options, **({kind.graphs: "1"} if graphs else {})}
    rest = [(CUDA, {**device, **KINDS["cuda"].options}), (_CPU_PROVIDER, {})]
    if kind.runtime == CUDA:
        return [(CUDA, wanted), rest[1]]
    wanted |= _range_of_batches(network)
    if precision == "f16":
        wanted["trt_fp16_enable"] = "1"
    if options.cache_dir is None:
        wanted |= {"trt_engine_cache_enable": "0", "trt_timing_cache_enable": "0"}
    else:
        folder = options.cache_dir / "tensorrt" / f"{network.sha256}-{precision}"
        folder.mkdir(parents=True, exist_ok=True)
        wanted |= {"trt_engine_cache_path": os.fspath(folder), "trt_timing_cache_path": os.fspath(folder.parent)}
    return [(TENSORRT, wanted), *rest]


def _range_of_batches(network: Network) -> dict[str, str]:
    """Return the sizes of the photos' input for which TensorRT builds one engine; none where the size is fixed.

    Without it TensorRT builds another one, for minutes, whenever a batch is larger than all before.
    """
    photo = onnx.load(network.onnx_path, load_external_data=False).graph.input[0]
    if photo.type.tensor_type.shape.dim[0].HasField("dim_value"):
        return {}
    width, height = network.size_wh
    sizes = {"min": 1, "opt": _GPU_MAX_BATCH // 4, "max": _GPU_MAX_BATCH}
    return {f"trt_profile_{name}_shapes": f"{photo.name}:{size}x{height}x{width}x3" for name, size in sizes.items()}


def _on_gpu(
    network: Network, options: EngineOptions, precision: str
) -> tuple[Any, Callable[[ImageArray], Sequence[Any]]]:
    """Open a session on a GPU, with recorded runs where the network allows them, and return it with what runs it."""
    _require_support(options.device)
    try:
        session = _gpu_session(network, options, precision, graphs=True)
    except EngineError as error:
        logger.info("No CUDA graphs for %s: %s", network.name, error)
        session = _gpu_session(network, options, precision, graphs=False)
    return session, verified(BoundSession(session, number_of(options.device), _GPU_MAX_BATCH), network.size_wh)


def _gpu_session(network: Network, options: EngineOptions, precision: str, *, graphs: bool) -> Any:
    """Open a session and verify the device: ONNX Runtime falls back to the CPU without an error otherwise."""
    session = _session(network, providers(network, options, precision, graphs=graphs), precision)
    wanted = kind_of(options.device).runtime
    if session.get_providers()[0] != wanted:
        raise EngineError(
            f"ONNX Runtime could not use {_NAMES[wanted]} on the device {options.device}, and fell back. "
            f"{_advice(options.device)}"
        )
    return session


def _session(network: Network, wanted: list[Any], precision: str, threads: int = 0) -> Any:
    session_options = ort.SessionOptions()
    session_options.log_severity_level = _WARNINGS_AND_ABOVE
    session_options.intra_op_num_threads = threads
    try:
        model = half_precision(network.onnx_path) if precision == "f16" else os.fspath(network.onnx_path)
        return ort.InferenceSession(model, session_options, providers=wanted)
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise EngineError(f"ONNX Runtime cannot open the network {network.name}: {error}") from error


def _require_support(device: str) -> None:
    """Raise EngineError where the installed ONNX Runtime was built without the device's provider."""
    wanted = kind_of(device).runtime
    if wanted not in ort.get_available_providers():
        raise EngineError(
            f"The device is {device}, but the installed ONNX Runtime has no {_NAMES[wanted]} support. {_advice(device)}"
        )
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def _advice(device: str) -> str:
    further = " and NVIDIA's package tensorrt" if kind_of(device).runtime == TENSORRT else ""
    return (
        f"Install requirements-gpu.txt or detector-site[gpu]{further} on a machine with an NVIDIA GPU and its driver, "
        "or set MODEL_DEVICE=cpu (MODEL_CONTEXT_GPU=false)."
    )
