"""The detector: photos in, their objects out. One per process, shared by all callers."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from detection.inference.batching import Batcher
from detection.inference.boxes import to_objects
from detection.inference.engines.base import Engine, EngineOptions, Outputs
from detection.inference.engines.registry import create_engine
from detection.inference.errors import DetectorClosedError, OverloadedError
from detection.inference.fair_queue import OVERLOADED, FairQueue, most_large
from detection.inference.families.registry import FAMILIES
from detection.inference.hardware import usable_cores
from detection.inference.messages import Message, gettext_noop
from detection.inference.model_files import ModelSource, open_model
from detection.inference.network import Network
from detection.inference.photos.decode import PhotoInfo, decode_photo
from detection.inference.photos.decoding_memory import LARGE_BYTES, decoding, decoding_bytes
from detection.inference.photos.preprocess import Placement, fit_photo
from detection.inference.precision.choice import settle_precision
from detection.inference.sanity_checks import check_outputs, decoding_errors_as_checkpoint_errors
from detection.inference.types import FoundObject, ImageArray, StageTimings

logger = logging.getLogger(__name__)
P = TypeVar("P")
R = TypeVar("R")
S = TypeVar("S")

# Objects are kept from this probability up, so that a threshold can be moved later without running the network again.
KEPT_PROBABILITY = 0.1
MAX_OBJECTS = 100
# A JPEG is decoded at reduced size as long as both edges keep this many times the network's edge.
SCALED_DECODING_MARGIN = 2

_CLOSED = Message(
    "model_changed",
    gettext_noop("The model was changed, or the server stops. Send the photo again in a moment."),
)


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Options of a detector: the model, the engine and the limits."""

    source: ModelSource
    cache_dir: Path
    engine: EngineOptions
    max_pixels: int = 60_000_000
    accept_incomplete: bool = True
    queue_size: int = 64


@dataclass(frozen=True, slots=True)
class Prediction:
    """Objects found in one photo: those of at least `KEPT_PROBABILITY` (or a lower requested threshold), most probable
    first, `MAX_OBJECTS` at most.
    """

    objects: tuple[FoundObject, ...]
    info: PhotoInfo
    timings: StageTimings


class DetectorObserver(Protocol):
    """Observer of a detector, for metrics; called on its threads and its callers', must neither block nor raise."""

    def queued(self, detector: "Detector") -> None: ...

    def refused(self, detector: "Detector") -> None: ...

    def ended(self, detector: "Detector", future: "Future[Any]") -> None: ...

    def ran(self, photos: int) -> None: ...


class _NoObserver:
    """Observer that does nothing."""

    def queued(self, detector: "Detector") -> None:
        """Ignore."""

    refused = queued

    def ended(self, detector: "Detector", future: "Future[Any]") -> None:
        """Ignore."""

    def ran(self, photos: int) -> None:
        """Ignore."""


class Detector:
    """Detector that decodes photos, resizes them, runs the network and decodes boxes, on threads of its own.

    `submit` never blocks: at most `queue_size` photos are queued, and the next one is refused with OverloadedError.
    """

    def __init__(
        self,
        network: Network,
        engine: Engine,
        *,
        max_pixels: int,
        queue_size: int,
        threads: int = 0,
        accept_incomplete: bool = True,
    ) -> None:
        self.network = network
        self.engine = engine
        self._family = FAMILIES[network.family]
        self._max_pixels = max_pixels
        self._accept_incomplete = accept_incomplete
        # By name, without the batch; set by `warm_up`.
        self.output_shapes: dict[str, tuple[int, ...]] = {}
        self.observer: DetectorObserver = _NoObserver()
        self._batcher = Batcher(engine, self._ran) if engine.lanes else None
        cores = threads or usable_cores()
        # A thread is blocked while its photo is in a batch, so there must be enough threads to fill all batches in
        # flight.
        self._workers = cores + engine.max_batch * engine.lanes
        self._limit = self._workers + queue_size
        self._pool = ThreadPoolExecutor(self._workers + engine.prefetch, thread_name_prefix="detector")
        # More at once than there are cores would gain nothing, and each holds a whole photo.
        self._preparing = threading.Semaphore(cores)
        self._waiting: FairQueue[_Task[Any, Any]] = FairQueue()
        self._most_large = most_large(cores)
        self._large = 0
        self._in_flight = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """Number of photos that are processed at the same time."""
        return self._workers

    @property
    def in_flight(self) -> int:
        """Number of photos that are queued or being processed."""
        return self._in_flight

    def submit(
        self, data: bytes, *, min_probability: float = KEPT_PROBABILITY, caller: str = ""
    ) -> "Future[Prediction]":
        """Queue the bytes of a photo. Cancelling the future before its turn frees its place.

        caller: who sent it; callers take turns, and a full queue makes room for one who has fewer photos in it.
        Raises OverloadedError and DetectorClosedError at once; the future raises ImageDecodeError, ImageTooLargeError
        or EngineError, and OverloadedError where its photo had to make room.
        """
        least = min(min_probability, KEPT_PROBABILITY)
        clock = _Clock(time.perf_counter())
        size = decoding_bytes(data, SCALED_DECODING_MARGIN * self.network.edge)

        def prepare() -> "_Prepared":
            with decoding(size, caller):
                return self._prepare(data, clock)

        return self._queue(
            prepare, lambda prepared: self._detect(prepared, least, clock), caller, is_large=size > LARGE_BYTES
        )

    def submit_input(self, image_rgb: ImageArray, *, caller: str = "") -> "Future[Outputs]":
        """Queue a network input, (height, width, 3) uint8; the future gives the outputs, without a batch axis.

        Raises OverloadedError and DetectorClosedError at once; the future raises EngineError and OverloadedError.
        """
        return self._queue(lambda: image_rgb, self._infer, caller, is_large=False)

    def _queue(self, prepare: Callable[[], P], run: Callable[[P], R], caller: str, *, is_large: bool) -> "Future[R]":
        task: _Task[P, R] = _Task(prepare, run, is_large)
        try:
            displaced = self._enter(task, caller)
        except OverloadedError:
            self.observer.refused(self)
            raise
        task.future.add_done_callback(self._finished)
        self.observer.queued(self)
        if displaced is not None and displaced.future.set_running_or_notify_cancel():
            displaced.future.set_exception(OverloadedError(OVERLOADED()))
        return task.future

    def _enter(self, task: "_Task[P, R]", caller: str) -> "_Task[Any, Any] | None":
        """Put a photo into the queue; return the one that had to make room for it."""
        with self._lock:
            if self._closed:
                raise DetectorClosedError(_CLOSED())
            displaced = None
            if self._in_flight >= self._limit:
                displaced = self._waiting.displace(caller)
                if displaced is None:
                    raise OverloadedError(OVERLOADED())
            self._in_flight += 1
            self._waiting.put(caller, task)
            # Within the lock: nothing is submitted to a pool that was shut down.
            self._pool.submit(self._work)
            return displaced

    def _work(self) -> None:
        """Run photos to their ends, as long as there is one whose turn it is."""
        while True:
            with self._preparing:
                task = self._next()
                if task is None:
                    return
                prepared = task.attempt(task.prepare)
                if task.is_large:
                    with self._lock:
                        self._large -= 1
            if prepared is not None:
                result = task.attempt(task.run, prepared)
                if result is not None:
                    task.future.set_result(result)
            # What they hold must not stay until the next photo comes.
            task = prepared = result = None

    def _next(self) -> "_Task[Any, Any] | None":
        """Take the next photo that was not cancelled; one large photo less is prepared than there are cores."""
        with self._lock:
            while True:
                task = self._waiting.take(lambda task: not task.is_large or self._large < self._most_large)
                if task is None or task.future.set_running_or_notify_cancel():
                    break
            if task is not None:
                self._large += task.is_large
            return task

    def detect(self, data: bytes, *, min_probability: float = KEPT_PROBABILITY) -> Prediction:
        """Queue a photo and block until its objects are found; raises what `submit` and its future raise."""
        return self.submit(data, min_probability=min_probability).result()

    def warm_up(self) -> None:
        """Run the network once, on a picture that contains all values a pixel can have; see `run_sanity_check`."""
        width, height = self.network.size_wh
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        outputs = self._try_input(picture)
        self.output_shapes = {name: array.shape for name, array in outputs.items()}

    def run_sanity_check(self, data: bytes) -> None:
        """Run the network on the bytes of a photo and check that its outputs are plausible.

        Raises the errors of a photo, CheckpointError for outputs of another family or network and for impossible
        objects, EngineError for numbers that are not finite.
        """
        self._try_input(self._prepare(data, _Clock(time.perf_counter())).image_rgb)

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

    def _finished(self, future: "Future[Any]") -> None:
        with self._lock:
            self._in_flight -= 1
        self.observer.ended(self, future)

    def _prepare(self, data: bytes, clock: "_Clock") -> "_Prepared":
        """Decode and fit a photo: step 5 of ARCHITECTURE.md."""
        clock.lap("queue")
        photo = decode_photo(
            data,
            max_pixels=self._max_pixels,
            min_edge_px=SCALED_DECODING_MARGIN * self.network.edge,
            accept_incomplete=self._accept_incomplete,
        )
        clock.lap("decode")
        image, placement = fit_photo(photo.image_rgb, self.network)
        clock.lap("resize")
        return _Prepared(image, placement, photo.info)

    def _detect(self, prepared: "_Prepared", min_probability: float, clock: "_Clock") -> Prediction:
        """Run the network and decode its boxes: steps 6 and 7."""
        outputs = self._infer(prepared.image_rgb)
        clock.lap("inference")
        found = self._family.decode(outputs, self.network, min_probability).first(MAX_OBJECTS)
        placed = prepared.placement.to_photo(found)
        objects = to_objects(placed, prepared.info.size_wh, self.network.classes)
        clock.lap("boxes")
        return Prediction(objects, prepared.info, clock.timings)

    def _ran(self, photos: int) -> None:
        self.observer.ran(photos)

    def _try_input(self, image_rgb: ImageArray) -> Outputs:
        with decoding_errors_as_checkpoint_errors(self.network):
            outputs = self._infer(image_rgb)
            check_outputs(outputs, self.network, self._family, self.engine)
        return outputs

    def _infer(self, image_rgb: ImageArray) -> Outputs:
        if self._batcher is not None:
            return self._batcher.infer(image_rgb)
        self._ran(1)
        outputs = self.engine.infer(image_rgb[None], photos_in_flight=self._in_flight)
        return {name: array[0] for name, array in outputs.items()}


@dataclass(frozen=True, slots=True)
class _Task(Generic[P, R]):
    """A queued photo: the two steps to its result, and the future of who waits for it."""

    prepare: Callable[[], P]
    run: Callable[[P], R]
    is_large: bool
    future: "Future[R]" = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)

    def attempt(self, step: Callable[..., S], *given: Any) -> S | None:
        """Take a step; None where it fails, which the future gets to know."""
        try:
            return self.context.run(step, *given)
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the caller's thread
            # The error references this frame, and the future the error: the photo would stay until a collection.
            self.future.set_exception(error)
            del self, step, given
            return None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Prepared network input, (height, width, 3) uint8, with the photo's place in it and the photo's header."""

    image_rgb: ImageArray
    placement: Placement
    info: PhotoInfo


class _Clock:
    """Stopwatch that adds the time since the last lap to a stage."""

    def __init__(self, started: float) -> None:
        self.timings = StageTimings()
        self._last = started

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.timings.add(stage, now - self._last)
        self._last = now


def load_detector(options: DetectorOptions) -> Detector:
    """Read, convert (or take from the cache), compile and warm a model.

    Raises CheckpointError, UnsupportedOperatorError or EngineError with a message that says what to do.
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
        accept_incomplete=options.accept_incomplete,
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
