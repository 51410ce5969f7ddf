"""Engine on OpenVINO, the default on CPUs."""

from collections import deque
from functools import cache
from typing import Any

import numpy as np

from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.engines.openvino_package import ov
from detection.inference.errors import EngineError
from detection.inference.hardware import has_int8_products, usable_cores
from detection.inference.network import Network
from detection.inference.types import FloatArray, ImageArray

_PRECISIONS = {"f32": ov.Type.f32, "bf16": ov.Type.bf16, "f16": ov.Type.f16}
_INT8 = "int8"
_NEEDED_CAPABILITY = {"bf16": "BF16", "f16": "FP16"}


class OpenVinoEngine:
    """A network compiled twice: all cores on one photo for a lone caller, one core a photo for many.

    With several photos in flight the second gives more photos a second; with one, the first answers sooner. Which one
    runs is decided per call.
    """

    name = "openvino"
    device = "CPU"
    max_batch = 1
    lanes = 0

    def __init__(self, network: Network, precision: str, threads: int, cache_dir: str | None) -> None:
        self.precision = precision
        # A stream that has no decoded photo ready leaves a core idle.
        self.prefetch = threads
        core = _core()
        _require_precision(core, precision)
        try:
            model = core.read_model(network.onnx_path)
            # One photo a call: a fixed shape takes about 8 % less CPU than a free batch.
            width, height = network.size_wh
            model.reshape([1, height, width, 3])
            # Compiled, an output may also have the name of a layer that was merged into it.
            names = [output.get_any_name() for output in model.outputs]
            hints = {"INFERENCE_PRECISION_HINT": _arithmetic(core, precision), "INFERENCE_NUM_THREADS": threads}
            if cache_dir is not None:
                hints["CACHE_DIR"] = cache_dir
            self._lone = _Variant(core.compile_model(model, "CPU", {**hints, "NUM_STREAMS": 1}), names)
            self._side_by_side = (
                _Variant(core.compile_model(model, "CPU", {**hints, "NUM_STREAMS": threads}), names)
                if threads > 1
                else self._lone
            )
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile the network {network.name}: {error}") from error

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`."""
        variant = self._lone if photos_in_flight <= 1 else self._side_by_side
        try:
            return variant.infer(batch_rgb)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO failed on a photo: {error}") from error

    def problem(self) -> str:
        """See `Engine.problem`: a loaded network stays usable."""
        return ""

    def close(self) -> None:
        """See `Engine.close`."""
        self._lone.close()
        self._side_by_side.close()


class _Variant:
    """Compiled network and its infer requests. A request serves one call at a time, from any thread."""

    def __init__(self, compiled: Any, output_names: list[str]) -> None:
        self._compiled = compiled
        self._output_names = output_names
        self._free: deque[Any] = deque()

    def infer(self, batch_rgb: ImageArray) -> Outputs:
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            photos = [self._infer_one(request, photo) for photo in batch_rgb]
        finally:
            self._free.append(request)
        arrays = photos[0] if len(photos) == 1 else [np.concatenate(parts) for parts in zip(*photos, strict=True)]
        return dict(zip(self._output_names, arrays, strict=True))

    def _infer_one(self, request: Any, photo_rgb: ImageArray) -> list[FloatArray]:
        """Run one request asynchronously and block on it: `infer` would first copy the outputs into a dictionary."""
        np.copyto(request.get_input_tensor(0).data, photo_rgb[None])
        request.start_async()
        request.wait()
        # The request's own memory is overwritten by its next call.
        return [request.get_output_tensor(index).data.copy() for index in range(len(self._output_names))]

    def close(self) -> None:
        """Free the requests before their network: OpenVINO crashes in the other order."""
        self._free.clear()
        self._compiled = None


@cache
def _core() -> Any:
    """Return OpenVINO's core, a single one for the life of the process.

    Its CPU plugin gives the thread that starts it an alternate signal stack and unmaps that memory when it is destroyed
    (src/plugins/intel_cpu/src/sigstack_manager.cpp). When several cores come and go, or one is destroyed on another
    thread, the stack stays registered after it is unmapped, and the next signal kills the process silently.
    """
    return ov.Core()


def _capabilities(core: Any) -> list[str]:
    found: list[str] = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return found


def _arithmetic(core: Any, precision: str) -> Any:
    """Return the arithmetic of the network; for int8, of its parts that are not quantized.

    Half the width moves half the bytes: residual sums are bound by memory, not by arithmetic (docs/accuracy.md).
    """
    if precision != _INT8:
        return _PRECISIONS[precision]
    return ov.Type.bf16 if "BF16" in _capabilities(core) else ov.Type.f32


def _require_precision(core: Any, precision: str) -> None:
    needed = _NEEDED_CAPABILITY.get(precision)
    if needed is not None and needed not in _capabilities(core):
        raise EngineError(f"This CPU has no {precision} arithmetic. Set MODEL_PRECISION=f32 or auto.")


def offered_precisions(_options: EngineOptions) -> tuple[str, ...]:
    """See `registry.offered_precisions`."""
    capabilities = _capabilities(_core())
    halves = tuple(name for name, capability in _NEEDED_CAPABILITY.items() if capability in capabilities)
    return (*((_INT8,) if has_int8_products() else ()), *halves, "f32")


def create(network: Network, options: EngineOptions) -> OpenVinoEngine:
    """Compile the network for this machine's CPU. Raises EngineError."""
    if options.gpu:
        raise EngineError(
            "MODEL_CONTEXT_GPU=true cannot be served by MODEL_ENGINE=openvino, which runs on the CPU here. "
            "Set MODEL_ENGINE=onnxruntime, or MODEL_CONTEXT_GPU=false."
        )
    precision = "f32" if options.precision == "auto" else options.precision
    if precision not in (*_PRECISIONS, _INT8):
        raise EngineError(
            f"MODEL_PRECISION={precision} is not offered by OpenVINO here. Use one of f32, bf16, f16, int8."
        )
    cache_dir = None if options.cache_dir is None else str(options.cache_dir)
    return OpenVinoEngine(network, precision, options.threads or usable_cores(), cache_dir)
