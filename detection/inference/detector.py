"""The detector: photos in, their objects out. One per process, shared by all callers."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from detection.inference.batching import Batcher
from detection.inference.boxes import to_objects
from detection.inference.engines.base import Engine, EngineOptions, Outputs
from detection.inference.engines.registry import create_engine
from detection.inference.errors import DetectorClosedError, EngineError, OverloadedError
from detection.inference.families.registry import FAMILIES
from detection.inference.hardware import usable_cores
from detection.inference.images import PhotoInfo, decode_photo
from detection.inference.model_files import ModelSource, open_model
from detection.inference.network import Network
from detection.inference.precision import settle_precision
from detection.inference.preprocess import Placement, fit_photo
from detection.inference.types import FoundObject, ImageArray, StageTimings

logger = logging.getLogger(__name__)
R = TypeVar("R")

# Objects are kept from this probability up, so that a threshold can be moved later without running the network again.
KEPT_PROBABILITY = 0.1
MAX_OBJECTS = 100
# A JPEG is decoded at a fraction of its size as long as both edges keep this many times the network's edge.
SCALED_DECODING_MARGIN = 2


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Which model, on what, within which limits."""

    source: ModelSource
    cache_dir: Path
    engine: EngineOptions
    max_pixels: int = 60_000_000
    queue_size: int = 64


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network found in one photo: objects of at least `KEPT_PROBABILITY` (or a lower threshold that was asked
    for), most probable first, `MAX_OBJECTS` at most.
    """

    objects: tuple[FoundObject, ...]
    info: PhotoInfo
    timings: StageTimings


class Detector:
    """Decodes, resizes, runs the network and decodes boxes, on threads of its own.

    `submit` never blocks: at most `queue_size` photos wait, and the next one is refused with OverloadedError.
    """

    def __init__(self, network: Network, engine: Engine, *, max_pixels: int, queue_size: int, threads: int = 0) -> None:
        self.network = network
        self.engine = engine
        self._family = FAMILIES[network.family]
        self._max_pixels = max_pixels
        # Of one photo, by name; known after `warm_up`.
        self.output_shapes: dict[str, tuple[int, ...]] = {}
        # Told the number of photos of each run of the network.
        self.on_batch: Callable[[int], None] = _nobody
        self._batcher = Batcher(engine, self._ran) if engine.lanes else None
        cores = threads or usable_cores()
        # A thread waits while its photo is in a batch; there must be enough of them to fill all that run at once.
        self._workers = cores + engine.max_batch * engine.lanes
        self._limit = self._workers + queue_size
        self._pool = ThreadPoolExecutor(self._workers + engine.ahead, thread_name_prefix="detector")
        # More at once than there are cores would gain nothing, and each holds a whole photo.
        self._preparing = threading.Semaphore(cores)
        self._in_flight = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """How many photos are worked on side by side."""
        return self._workers

    @property
    def in_flight(self) -> int:
        """How many photos wait or are worked on."""
        return self._in_flight

    def submit(self, data: bytes, *, min_probability: float = KEPT_PROBABILITY) -> "Future[Prediction]":
        """Queue the bytes of a photo. Cancelling the future before its turn costs nothing more.

        Raises OverloadedError and DetectorClosedError at once; the future raises ImageDecodeError, ImageTooLargeError
        or EngineError.
        """
        least = min(min_probability, KEPT_PROBABILITY)
        return self._queue(self._detect, data, least, time.perf_counter())

    def submit_input(self, image_rgb: ImageArray) -> "Future[Outputs]":
        """Queue what the network itself takes, (height, width, 3) uint8; the future gives its outputs, without a batch.

        Raises OverloadedError and DetectorClosedError at once; the future raises EngineError.
        """
        return self._queue(self._infer, image_rgb)

    def _queue(self, function: Callable[..., R], *arguments: Any) -> "Future[R]":
        with self._lock:
            if self._in_flight >= self._limit:
                raise OverloadedError(
                    "The server is busy: too many photos are waiting. Send this one again in a moment."
                )
            if self._closed:
                raise DetectorClosedError(
                    "The model was changed, or the server stops. Send the photo again in a moment."
                )
            self._in_flight += 1
            # Within the lock: nothing is submitted to a pool that was shut down.
            future: Future[R] = self._pool.submit(copy_context().run, function, *arguments)
        future.add_done_callback(self._finished)
        return future

    def detect(self, data: bytes, *, min_probability: float = KEPT_PROBABILITY) -> Prediction:
        """Queue a photo and wait for what is found in it; raises what `submit` and its future raise."""
        return self.submit(data, min_probability=min_probability).result()

    def warm_up(self) -> None:
        """Run the network once.

        Raises CheckpointError when its outputs are not those of its family, EngineError when they are not finite.
        """
        width, height = self.network.size_wh
        outputs = self._infer(np.zeros((height, width, 3), dtype=np.uint8))
        self._family.check(outputs, self.network)
        self.output_shapes = {name: array.shape for name, array in outputs.items()}
        if not all(np.isfinite(array).all() for array in outputs.values()):
            raise EngineError(
                f"{self.engine.name} answers with numbers that are not finite in {self.engine.precision}. "
                "Set MODEL_PRECISION=f32 or choose another MODEL_ENGINE."
            )

    def close(self) -> None:
        """Finish the photos that are queued, then free the engine. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._pool.shutdown(wait=True)
        if self._batcher is not None:
            self._batcher.close()
        self.engine.close()

    def _finished(self, _: "Future[Any]") -> None:
        with self._lock:
            self._in_flight -= 1

    def _detect(self, data: bytes, min_probability: float, submitted: float) -> Prediction:
        """The way of a photo, steps 2 to 5 (ARCHITECTURE.md)."""
        timings = StageTimings()
        clock = _Clock(timings, submitted)
        with self._preparing:
            clock.lap("queue")
            image, placement, info = self._prepare(data, clock)
        outputs = self._infer(image)
        clock.lap("inference")
        found = self._family.decode(outputs, self.network, min_probability).first(MAX_OBJECTS)
        objects = to_objects(placement.to_photo(found), info.size_wh, self.network.classes)
        clock.lap("boxes")
        return Prediction(objects, info, timings)

    def _prepare(self, data: bytes, clock: "_Clock") -> tuple[ImageArray, Placement, PhotoInfo]:
        """What the network takes of a photo; the photo itself is let go of."""
        photo = decode_photo(data, max_pixels=self._max_pixels, min_edge_px=SCALED_DECODING_MARGIN * self.network.edge)
        clock.lap("decode")
        image, placement = fit_photo(photo.image_rgb, self.network)
        clock.lap("resize")
        return image, placement, photo.info

    def _ran(self, photos: int) -> None:
        self.on_batch(photos)

    def _infer(self, image_rgb: ImageArray) -> Outputs:
        if self._batcher is not None:
            return self._batcher.infer(image_rgb)
        self._ran(1)
        outputs = self.engine.infer(image_rgb[None], photos_in_flight=self._in_flight)
        return {name: array[0] for name, array in outputs.items()}


def _nobody(_photos: int) -> None:
    """Listens to nothing."""


class _Clock:
    """Adds the time since the last lap to a stage."""

    def __init__(self, timings: StageTimings, started: float) -> None:
        self._timings = timings
        self._last = started

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._timings.add(stage, now - self._last)
        self._last = now


def load_detector(options: DetectorOptions) -> Detector:
    """Read, convert (or take from the cache), compile and warm a model.

    Raises CheckpointError, UnsupportedOperatorError or EngineError with a sentence that says what to do.
    """
    started = time.perf_counter()
    network = open_model(options.source, options.cache_dir)
    network, engine_options = settle_precision(network, options.engine)
    engine = create_engine(network, engine_options)
    detector = Detector(
        network,
        engine,
        max_pixels=options.max_pixels,
        queue_size=options.queue_size,
        threads=options.engine.threads,
    )
    detector.warm_up()
    logger.info(
        "Model %s (%d classes, %d x %d pixels) is ready after %.1f s.",
        network.name,
        len(network.classes),
        *network.size_wh,
        time.perf_counter() - started,
    )
    return detector
