"""Engines for tests of what is around an engine: they answer by a rule, at once or when told."""

import threading

import numpy as np

from detection.inference.decoding import MultiBoxDecoding
from detection.inference.engines.base import Outputs
from detection.inference.errors import EngineError
from detection.inference.families.mxnet_ssd import SsdDecoding
from detection.inference.network import Network
from detection.inference.types import ImageArray
from tests.inference.paths import EMBEDDED_PREFIX

EDGE = 16


def small_network() -> Network:
    """One anchor in the middle, two classes."""
    return Network(
        name="small",
        onnx_path=EMBEDDED_PREFIX,
        decoding=SsdDecoding(np.array([[0.25, 0.25, 0.75, 0.75]], dtype=np.float32), MultiBoxDecoding()),
        classes=("dark", "light"),
        size_wh=(EDGE, EDGE),
        sha256="0" * 64,
        prefix=EMBEDDED_PREFIX,
        epoch=0,
    )


class BrightnessEngine:
    """Finds one object whose probability is the photo's mean brightness; counts and can hold its calls.

    A photo that is entirely `poison` bright makes its whole call fail, as a damaged input may on a device.
    """

    name = "brightness"
    device = "CPU"
    precision = "f32"

    def __init__(self, max_batch: int = 1, poison: int | None = None, lanes: int = 0, prefetch: int = 0) -> None:
        self.max_batch = max_batch
        self.prefetch = prefetch
        self.lanes = lanes or (1 if max_batch > 1 else 0)
        self.batches: list[int] = []
        self.in_flight_hints: list[int] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.running = threading.Semaphore(0)
        self.closed = False
        self._poison = poison

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        self.batches.append(len(batch_rgb))
        self.in_flight_hints.append(photos_in_flight)
        self.running.release()
        assert self.go_on.wait(60)
        means = batch_rgb.astype(np.float32).mean(axis=(1, 2, 3))
        if self._poison is not None and (means == self._poison).any():
            raise EngineError("The device failed on a photo.")
        probability = means / np.float32(255)
        cls_prob = np.stack([1 - probability, np.zeros_like(probability), probability], axis=1)[..., None]
        return {"cls_prob": cls_prob, "loc_pred": np.zeros((len(batch_rgb), 4), np.float32)}

    def problem(self) -> str:
        return ""

    def close(self) -> None:
        self.closed = True
