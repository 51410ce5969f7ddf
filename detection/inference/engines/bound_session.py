"""Runs a session of ONNX Runtime with inputs and outputs that stay in a GPU's memory, so that its runs can be recorded.

Photos are copied into page-locked memory, where ONNX Runtime offers it, and from there to the GPU. A batch is filled up
to one of few sizes: a size's first run settles where its outputs are, its second one is recorded (a CUDA graph), and
later ones are played again.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from detection.inference.engines.devices import CUDA
from detection.inference.types import ImageArray

Run = Callable[[ImageArray], Sequence[Any]]

_MEMORY = "cuda"
# The run option that names the recording of a run, and its value for none.
_RECORDING, _NONE = "gpu_graph_id", "-1"
# Two orders of the same sums in float16 differ by less.
_TOLERANCE = 0.02

logger = logging.getLogger(__name__)


def plainly(session: Any) -> Run:
    """Return what runs a session from host memory to host memory, without a recording."""
    photo, names = session.get_inputs()[0].name, [output.name for output in session.get_outputs()]
    options = _unrecorded()
    return lambda batch_rgb: session.run(names, {photo: batch_rgb}, options)


class BoundSession:
    """A session with memory of its own for each size of a batch; runs one call at a time.

    device: the GPU's number; max_batch: the largest batch, where the network leaves its size free.
    """

    def __init__(self, session: Any, device: int, max_batch: int) -> None:
        self.session = session
        batch = session.get_inputs()[0].shape[0]
        # Powers of two: at most half of a batch is filling.
        self.sizes = (batch,) if isinstance(batch, int) else [1 << power for power in range(max_batch.bit_length())]
        self._device = device
        self._bound: dict[int, _Bound] = {}
        self._lock = threading.Lock()

    def run(self, batch_rgb: ImageArray) -> Sequence[Any]:
        """Run at most `max_batch` photos and return the session's outputs, in its order."""
        photos = len(batch_rgb)
        size = next(each for each in self.sizes if each >= photos)
        with self._lock:
            if size not in self._bound:
                self._bound[size] = _Bound(self.session, self._device, (size, *batch_rgb.shape[1:]))
            outputs = self._bound[size].run(batch_rgb)
        return outputs if photos == size else [array[:photos] for array in outputs]


class _Bound:
    """Memory of one size of a batch, bound to a session."""

    def __init__(self, session: Any, device: int, shape: tuple[int, ...]) -> None:
        photo = session.get_inputs()[0]
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        # An output whose size depends on the photo is wherever ONNX Runtime puts it, and its run is not recorded.
        self._to_record = all(
            output.shape
            and output.shape[0] == photo.shape[0]
            and all(isinstance(axis, int) for axis in output.shape[1:])
            for output in session.get_outputs()
        )
        self._options = _unrecorded()
        self._staging_value, self._staging = _staging(shape)
        self._photos = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, _MEMORY, device)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(photo.name, self._photos)
        for name in self._outputs:
            self._binding.bind_output(name, _MEMORY, device)

    def run(self, batch_rgb: ImageArray) -> Sequence[Any]:
        np.copyto(self._staging[: len(batch_rgb)], batch_rgb)
        self._photos.update_inplace(self._staging)
        self._session.run_with_iobinding(self._binding, self._options)
        outputs: Sequence[Any] = self._binding.copy_outputs_to_cpu()
        if self._to_record:
            self._keep_outputs()
        return outputs

    def _keep_outputs(self) -> None:
        """Write the outputs of later runs where those of this one are, and record the next run."""
        for name, value in zip(self._outputs, self._binding.get_outputs(), strict=True):
            self._binding.bind_ortvalue_output(name, value)
        self._options = ort.RunOptions()
        self._options.add_run_config_entry(_RECORDING, str(len(self._staging)))
        self._to_record = False


def verified(bound: BoundSession, size_wh: tuple[int, int]) -> Run:
    """Return what runs a bound session.

    It runs plainly where a first, a recorded or a repeated run of pictures does not find what a plain run finds.
    """
    plain = plainly(bound.session)
    try:
        _compare(bound, plain, size_wh)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no public base class
        logger.warning("The network runs without memory on the GPU and CUDA graphs: %s", error)
        return plain
    return bound.run


def _compare(bound: BoundSession, plain: Run, size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    random = np.random.default_rng(0)
    for size in bound.sizes[:2]:
        for _ in ("first", "recorded", "repeated"):
            pictures = random.integers(0, 256, (size, height, width, 3), dtype=np.uint8)
            for found, expected in zip(bound.run(pictures), plain(pictures), strict=True):
                np.testing.assert_allclose(
                    found, expected, rtol=_TOLERANCE, atol=_TOLERANCE * np.abs(expected).max(initial=0)
                )


def _staging(shape: tuple[int, ...]) -> tuple[Any, ImageArray]:
    """Return memory of the host for photos, page-locked where ONNX Runtime offers that, with its array."""
    for device in ort.get_ep_devices() if hasattr(ort, "get_ep_devices") else ():
        memory = device.memory_info(ort.OrtDeviceMemoryType.HOST_ACCESSIBLE) if device.ep_name == CUDA else None
        if memory is not None:
            value = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, memory_info=memory)
            return value, value.numpy()
    return None, np.zeros(shape, np.uint8)


def _unrecorded() -> Any:
    options = ort.RunOptions()
    options.add_run_config_entry(_RECORDING, _NONE)
    return options
