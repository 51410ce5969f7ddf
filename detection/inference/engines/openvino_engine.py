"""Engine on OpenVINO: the default on CPUs, and Intel's GPUs and NPUs."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.engines.devices import CPU, kind_of, number_of, title_of
from detection.inference.engines.fixed_batch import run_padded
from detection.inference.engines.openvino_package import ov, shared_core
from detection.inference.errors import EngineError
from detection.inference.hardware import has_int8_products, usable_cores
from detection.inference.network import Network
from detection.inference.types import FloatArray, ImageArray

logger = logging.getLogger(__name__)

_PRECISIONS = {"f32": ov.Type.f32, "bf16": ov.Type.bf16, "f16": ov.Type.f16}
_INT8 = "int8"
_NEEDED_CAPABILITY = {"bf16": "BF16", "f16": "FP16"}


class OpenVinoEngine:
    """A network compiled twice for a CPU: all cores on one photo for a lone caller, one core a photo for many.

    With several photos in flight the second gives more photos a second; with one, the first answers sooner. Which one
    runs is decided per call. For a GPU or an NPU it is compiled once, with as many requests as the device wants.
    """

    name = "openvino"

    def __init__(self, network: Network, precision: str, device: str, threads: int, cache_dir: str | None) -> None:
        self.precision = precision
        self.device = title_of(device)
        core = shared_core()
        _require_precision(core, precision, device)
        try:
            model = core.read_model(network.onnx_path)
            self.max_batch = _settle_batch(model, network)
            # A network for several photos at a time gets them from all callers together.
            self.lanes = 1 if self.max_batch > 1 else 0
            # Compiled, an output may also have the name of a layer that was merged into it.
            names = [output.get_any_name() for output in model.outputs]
            hints = {**kind_of(device).options, "INFERENCE_PRECISION_HINT": _arithmetic(core, precision, device)}
            variants = [
                _compile(core, model, _plugin(device), {**hints, **each}, cache_dir)
                for each in _streams(device, threads)
            ]
            # A stream that has no decoded photo ready leaves a core idle.
            self.prefetch = threads if device == CPU else variants[-1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            self._lone, self._side_by_side = _Variant(variants[0], names), _Variant(variants[-1], names)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile the network {network.name}: {error}") from error

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`."""
        variant = self._lone if photos_in_flight <= 1 else self._side_by_side
        try:
            if self.max_batch > 1:
                return run_padded(batch_rgb, self.max_batch, variant.infer_together)
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
        """Run photos one after the other."""
        with self._request() as request:
            photos = [self._run(request, photo[None]) for photo in batch_rgb]
        arrays = photos[0] if len(photos) == 1 else [np.concatenate(parts) for parts in zip(*photos, strict=True)]
        return dict(zip(self._output_names, arrays, strict=True))

    def infer_together(self, batch_rgb: ImageArray) -> Outputs:
        """Run as many photos as the network takes at a time."""
        with self._request() as request:
            return dict(zip(self._output_names, self._run(request, batch_rgb), strict=True))

    @contextmanager
    def _request(self) -> Iterator[Any]:
        try:
            request = self._free.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            yield request
        finally:
            self._free.append(request)

    def _run(self, request: Any, batch_rgb: ImageArray) -> list[FloatArray]:
        """Run one request asynchronously and block on it: `infer` would first copy the outputs into a dictionary."""
        np.copyto(request.get_input_tensor(0).data, batch_rgb)
        request.start_async()
        request.wait()
        # The request's own memory is overwritten by its next call.
        return [request.get_output_tensor(index).data.copy() for index in range(len(self._output_names))]

    def close(self) -> None:
        """Free the requests before their network: OpenVINO crashes in the other order."""
        self._free.clear()
        self._compiled = None


def _settle_batch(model: Any, network: Network) -> int:
    """Fix the input to one photo, and return 1; return the number of photos of a network that was exported for several.

    One photo a call: a fixed shape takes about 8 % less CPU than a free batch.
    """
    batch = model.input(0).get_partial_shape()[0]
    if batch.is_static and batch.get_length() > 1:
        return int(batch.get_length())
    width, height = network.size_wh
    model.reshape([1, height, width, 3])
    return 1


def _compile(core: Any, model: Any, plugin: str, hints: dict[str, Any], cache_dir: str | None) -> Any:
    """Compile a network, or take it from the folder of compiled ones.

    OpenVINO locks nothing there: one of several processes that start at the same time may fail by what another one
    writes or removes. It then compiles without the folder.
    """
    if cache_dir is not None:
        try:
            return core.compile_model(model, plugin, {**hints, "CACHE_DIR": cache_dir})
        except RuntimeError as error:
            logger.info("OpenVINO compiles without its cache, which fails: %s", error)
    return core.compile_model(model, plugin, hints)


def _streams(device: str, threads: int) -> list[dict[str, Any]]:
    """Return the options of the variants: for a lone caller, and for many."""
    if device != CPU:
        return [{}]
    return [{"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": each} for each in dict.fromkeys((1, threads))]


def _plugin(device: str) -> str:
    """Return OpenVINO's name of a device: CPU, GPU.0, NPU."""
    runtime = kind_of(device).runtime
    return f"{runtime}.{number_of(device)}" if ":" in device else runtime


def _capabilities(core: Any, device: str) -> list[str]:
    found: list[str] = core.get_property(_plugin(device), "OPTIMIZATION_CAPABILITIES")
    return found


def _arithmetic(core: Any, precision: str, device: str) -> Any:
    """Return the arithmetic of the network; for int8, of its parts that are not quantized.

    Half the width moves half the bytes: residual sums are bound by memory, not by arithmetic (docs/accuracy.md).
    """
    if precision != _INT8:
        return _PRECISIONS[precision]
    capabilities = _capabilities(core, device)
    if device != CPU:
        return ov.Type.f16 if "FP16" in capabilities else ov.Type.f32
    return ov.Type.bf16 if "BF16" in capabilities else ov.Type.f32


def _require_precision(core: Any, precision: str, device: str) -> None:
    needed = _NEEDED_CAPABILITY.get(precision)
    if needed is not None and needed not in _capabilities(core, device):
        what = "This CPU" if device == CPU else f"The device {device}"
        raise EngineError(f"{what} has no {precision} arithmetic. Set MODEL_PRECISION=f32 or auto.")


def offered_precisions(options: EngineOptions) -> tuple[str, ...]:
    """See `registry.offered_precisions`."""
    capabilities = _capabilities(shared_core(), options.device)
    halves = tuple(name for name, capability in _NEEDED_CAPABILITY.items() if capability in capabilities)
    quantized = has_int8_products() if options.device == CPU else "INT8" in capabilities
    # NPUs compute in float16 alone.
    return (*((_INT8,) if quantized else ()), *halves, *(() if options.device == "npu" else ("f32",)))


def create(network: Network, options: EngineOptions) -> OpenVinoEngine:
    """Compile the network for a device of this machine. Raises EngineError."""
    precision = "f32" if options.precision == "auto" else options.precision
    if precision not in (*_PRECISIONS, _INT8):
        raise EngineError(
            f"MODEL_PRECISION={precision} is not offered by OpenVINO here. Use one of f32, bf16, f16, int8."
        )
    if options.device == "npu" and precision not in offered_precisions(options):
        raise EngineError(f"NPUs do not compute in {precision}. Set MODEL_PRECISION=auto, or another MODEL_DEVICE.")
    cache_dir = None if options.cache_dir is None else str(options.cache_dir)
    return OpenVinoEngine(network, precision, options.device, options.threads or usable_cores(), cache_dir)
