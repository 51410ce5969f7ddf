"""Service that detects and records: the one module that imports both the detector and the database.

A photo's way, by the numbers of ARCHITECTURE.md:

1. Limits of connection and body (`asgi/`).
2. An entrance makes an `Upload` of the request (`fast_path`, `api`, `views`, `consumers`, `live`; `request.py`).
3. `serving.ask` settles model and threshold.
4. `Detector.submit` queues the photo, or refuses it when the queue is full.
5. A worker decodes it, upright, and fits it to the network (`inference/photos/`).
6. The engine runs the network (`inference/engines/`).
7. The family decodes boxes (`inference/families/`, `boxes.py`).
8. The recorder writes file and rows (`history/recorder.py`), unless the caller wants no history.
9. The entrance answers with the reported objects (`web/serializers.py`).
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from detection.conf import current
from detection.errors import DetectionTimeoutError
from detection.history.recorder import Record, Recorder
from detection.inference.detector import Prediction
from detection.inference.errors import DetectorClosedError
from detection.inference.messages import Message, gettext_noop
from detection.inference.network import Network
from detection.inference.tiles.grid import UNTILED, Tiling
from detection.inference.types import FoundObject, StageTimings, reported_at
from detection.observability import metrics, tracing
from detection.serving import service as serving
from detection.serving.service import Asked
from detection.web import callers
from detection.web.text import as_text

logger = logging.getLogger(__name__)

_TIMED_OUT = Message(
    "detection_timed_out",
    gettext_noop("The detection took longer than %(seconds)s seconds. Send the photo again later."),
)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Upload:
    """Photo with the sender's options.

    threshold: objects above it are reported; None for the model's own, or its operating point's.
    store: whether photo and detection are kept.
    source: a value of `Detection.Source`. original_name: text that the caller chose; never used as a path.
    quiet: one of very many, whose detection is only logged for debugging.
    batch_item: primary key of the batch item of this photo.
    detection_uuid: of the stored detection; None for a new one.
    model: the name of the requested model; "" for the default.
    tiles: of `tiles.grid.CHOICES`: in how many a side the photo is looked at beside the whole; "" for the model's own.
    owner_id: primary key of the user who owns the detection; None where no login is required.
    """

    data: bytes
    source: str
    original_name: str = ""
    threshold: float | None = None
    store: bool = True
    quiet: bool = False
    batch_item: int | None = None
    detection_uuid: uuid.UUID | None = None
    owner_id: int | None = None
    model: str = ""
    tiles: str = ""


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """Result for the caller: the reported objects, most probable first, and the id of the stored detection, if any.

    size_wh: width and height of the upright photo in pixels, which the boxes refer to.
    model: name@version of the model. tiling: the tiles that were looked at beside the whole photo.
    share_read: the share of its rows that a cut-off photo had; None for a whole one.
    """

    objects: tuple[FoundObject, ...]
    detection_uuid: uuid.UUID | None
    timings: StageTimings
    size_wh: tuple[int, int]
    model: str = ""
    share_read: float | None = None
    tiling: Tiling = UNTILED


@dataclass(frozen=True, slots=True)
class RecordedDetection:
    """Recorded detection: the upload, the prediction and the network."""

    upload: Upload
    prediction: Prediction
    network: Network
    detection_uuid: uuid.UUID


class _LazyRecorder:
    """Recorder of this process, created for the first recorded detection, and its listener."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        # Called before the caller gets its answer: must not block or raise.
        self.on_recorded: Callable[[RecordedDetection], None] = _ignore

    def recorder(self) -> Recorder:
        if self._recorder is None:
            with self._lock:
                if self._recorder is None:
                    self._recorder = Recorder()
        return self._recorder

    def close(self) -> None:
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()


def _ignore(_recorded: RecordedDetection) -> None:
    """Do nothing: the default listener."""


_lazy_recorder = _LazyRecorder()


def listen(on_recorded: Callable[[RecordedDetection], None] | None) -> None:
    """Set the listener of recorded detections, called on the caller's thread; must not block or raise. None removes
    it.
    """
    _lazy_recorder.on_recorded = on_recorded or _ignore


def stop() -> None:
    """Finish and record queued photos, and free the models; the next request loads them again."""
    serving.stop()
    _lazy_recorder.close()


def detect(upload: Upload) -> DetectionResult:
    """Detect and record; blocks.

    Raises ImageDecodeError, ImageTooLargeError, OverloadedError, EngineError, DetectionTimeoutError, and
    StorageUnavailableError (then nothing of the detection was kept).
    """
    with tracing.photo(upload.source, len(upload.data)):
        asked, future = submit(upload)
        return record(upload, result_of(future, current.config().request_timeout_s), asked)


def result_of(future: "concurrent.futures.Future[R]", timeout_s: float) -> R:
    """Block on a queued photo or record. Raises DetectionTimeoutError; what is still queued then leaves the queue."""
    try:
        return future.result(timeout=timeout_s)
    except concurrent.futures.TimeoutError as error:
        future.cancel()
        raise _timed_out() from error


def record(upload: Upload, prediction: Prediction, asked: Asked) -> DetectionResult:
    """Record a prediction, if the caller wants that. Raises StorageUnavailableError, and DetectionTimeoutError: what
    is being written then may be kept all the same.
    """
    if not upload.store:
        return _answer(upload, prediction, asked, None)
    recording = _Recording(upload, prediction, asked)
    return recording.answer(result_of(recording.queued, current.config().request_timeout_s))


async def detect_async(upload: Upload) -> DetectionResult:
    """Run `detect` on the event loop. When the caller is cancelled, a queued photo leaves the queue."""
    with tracing.photo(upload.source, len(upload.data)):
        return await _detect_async(upload)


async def _detect_async(upload: Upload) -> DetectionResult:
    while True:
        asked = await serving.ask_async(upload.model, upload.threshold)
        with contextlib.suppress(DetectorClosedError):
            future = _queue(upload, asked)
            break
    prediction = await _in_time(future)
    if not upload.store:
        return _answer(upload, prediction, asked, None)
    recording = _Recording(upload, prediction, asked)
    return recording.answer(await _in_time(recording.queued))


async def _in_time(future: "concurrent.futures.Future[R]") -> R:
    """Await what is queued. Raises DetectionTimeoutError; what is still queued then leaves the queue."""
    try:
        async with asyncio.timeout(current.config().request_timeout_s):
            return await asyncio.wrap_future(future)
    except TimeoutError as error:
        raise _timed_out() from error


def submit(upload: Upload) -> "tuple[Asked, concurrent.futures.Future[Prediction]]":
    """Queue a photo for the model that it asks for, loaded now if need be. Raises OverloadedError.

    Retries with the new model if it was switched between the look-up and its queue.
    """
    while True:
        asked = serving.ask(upload.model, upload.threshold)
        with contextlib.suppress(DetectorClosedError):
            return asked, _queue(upload, asked)


def _queue(upload: Upload, asked: Asked) -> "concurrent.futures.Future[Prediction]":
    return asked.detector.submit(
        upload.data, min_probability=asked.threshold, caller=callers.current(), tiles=upload.tiles
    )


class _Recording:
    """Recording of a prediction, queued at once; its caller waits for `queued` in its own way, then answers."""

    def __init__(self, upload: Upload, prediction: Prediction, asked: Asked) -> None:
        self._upload, self._prediction, self._asked = upload, prediction, asked
        self._started = time.perf_counter()
        self.queued = _lazy_recorder.recorder().submit(record_of(upload, prediction, asked))

    def answer(self, detection_uuid: uuid.UUID) -> DetectionResult:
        """Inform the listener of the recorded detection, and return the answer to its caller."""
        _lazy_recorder.on_recorded(
            RecordedDetection(self._upload, self._prediction, self._asked.detector.network, detection_uuid)
        )
        self._prediction.timings.add("record", time.perf_counter() - self._started)
        return _answer(self._upload, self._prediction, self._asked, detection_uuid)


def _timed_out() -> DetectionTimeoutError:
    return DetectionTimeoutError(_TIMED_OUT(seconds=f"{current.config().request_timeout_s:g}"))


def _answer(upload: Upload, prediction: Prediction, asked: Asked, detection_uuid: uuid.UUID | None) -> DetectionResult:
    network = asked.detector.network
    objects = tuple(reported_at(prediction.objects, asked.thresholds))
    metrics.observe_photo(network, prediction.timings, objects)
    tracing.stages(prediction.timings, network.full_name, len(objects))
    _log(upload, prediction, len(objects), detection_uuid)
    info = prediction.info
    return DetectionResult(
        objects,
        detection_uuid,
        prediction.timings,
        info.size_wh,
        network.full_name,
        info.share_read if info.is_cut_off else None,
        prediction.tiling,
    )


def _log(upload: Upload, prediction: Prediction, reported: int, detection_uuid: uuid.UUID | None) -> None:
    logger.log(
        logging.DEBUG if upload.quiet else logging.INFO,
        "Detected %d objects in a photo of %d x %d pixels.",
        reported,
        *prediction.info.size_wh,
        extra={
            "detection": detection_uuid,
            "source": upload.source,
            "bytes": len(upload.data),
            "timings_ms": {stage: round(ms, 3) for stage, ms in prediction.timings},
        },
    )


def record_of(upload: Upload, prediction: Prediction, asked: Asked) -> Record:
    """Return the record of a prediction."""
    detector = asked.detector
    return Record(
        data=upload.data,
        info=prediction.info,
        original_name=as_text(upload.original_name),
        objects=prediction.objects,
        threshold=asked.threshold,
        point=asked.point,
        timings_ms={stage: round(ms, 3) for stage, ms in prediction.timings},
        source=upload.source,
        model_name=detector.network.name,
        model_version=detector.network.version,
        model_sha256=detector.network.sha256,
        engine=detector.engine.name,
        device=detector.engine.device,
        precision=detector.engine.precision,
        tiles=prediction.tiling.choice,
        tile_grid=prediction.tiling.grid,
        sampled_rows=prediction.sampled_rows,
        batch_item=upload.batch_item,
        owner_id=upload.owner_id,
        detection_uuid=upload.detection_uuid or uuid.uuid4(),
    )
