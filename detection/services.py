"""Detect and record: the one module that knows both the detector and the database.

The way of a photo (ARCHITECTURE.md has it with the reasons):

1. An entrance (`predict_door`, `api`, `views`, `consumers`) has the bytes, limited, and makes an `Upload`.
2. `Detector.submit` queues it, or refuses it when the queue is full.
3. A worker decodes it, upright (`inference/images.py`), and stretches it to the network's input (`preprocess.py`).
4. The engine runs the network (`inference/engines/`).
5. The family's decoding makes boxes of the outputs (`inference/families/`, `boxes.py`).
6. The recorder stores photo and rows (`recorder.py`), unless the caller wants no history.
7. The entrance answers with `Answer.objects` (`serializers.prediction_body`); pictures are drawn from the stored rows.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import Error, transaction

from detection import bookkeeping, metrics, photo_store, tracing
from detection.conf import Config
from detection.errors import DetectionTimeoutError, ModelUnavailableError, StorageUnavailableError
from detection.inference.detector import KEPT_PROBABILITY, Detector, DetectorOptions, Prediction, load_detector
from detection.inference.engines.base import EngineOptions, RemoteOptions
from detection.inference.errors import DetectorClosedError
from detection.inference.model_files import ModelSource
from detection.inference.network import Network
from detection.inference.types import FoundObject, StageTimings
from detection.models import Detection, Photo
from detection.recorder import Record, Recorder
from detection.resident_models import ModelOwner, ResidentModels, free, model_folder
from detection.text import as_text

logger = logging.getLogger(__name__)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Upload:
    """A photo and what its sender wants.

    threshold: objects above it are reported; None for `threshold_of` the model.
    store: whether photo and detection are kept.
    source: a value of `Detection.Source`. original_name: text that the caller chose; never used as a path.
    quiet: one of very many, whose detection is only logged for debugging.
    batch_item: primary key of the item of a batch that this photo is.
    detection_uuid: of the detection that is kept; None for a new one.
    model: the name of the one that is to answer; "" for the default.
    owner_id: primary key of the user whose detection it is; None where nobody has to log in.
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told: the reported objects, most probable first, and where the detection is kept, if it is.

    size_wh: width and height of the upright photo in pixels, which the boxes refer to.
    model: name@version of the one that answered.
    """

    objects: tuple[FoundObject, ...]
    detection_uuid: uuid.UUID | None
    timings: StageTimings
    size_wh: tuple[int, int]
    model: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A detection that is in the history now: what was asked for, what was found, by which network."""

    upload: Upload
    prediction: Prediction
    network: Network
    detection_uuid: uuid.UUID


class _Service:
    """The models and the recorder of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.owner = ModelOwner()
        self.others = ResidentModels(self.owner)
        self._detector: Detector | None = None
        self._recorder: Recorder | None = None
        # Told of each detection that is kept, before its caller is answered: never waits, raises nothing.
        self.on_kept: Callable[[Kept], None] = _nobody

    @property
    def loaded(self) -> Detector | None:
        return self._detector

    def detector(self, queue_size: int | None = None) -> Detector:
        """The detector, loaded by the first who asks. Servers ask before they accept requests."""
        if self._detector is None:
            with self._lock:
                if self._detector is None:
                    chosen = config() if queue_size is None else replace(config(), queue_size=queue_size)
                    self._detector = self.owner.run(load_detector, detector_options(chosen))
        return self._detector

    def resident(self, name: str) -> Detector | None:
        """The model of that name, "" for the default, if it is in memory."""
        active = self._detector
        if not name or (active is not None and active.network.name == name):
            return active
        return self.others.get(name)

    def model(self, name: str) -> Detector:
        """The model of that name, loaded now if need be. Raises UnknownModelError and what loading raises."""
        found = self.resident(name) or (self.detector() if not name else None)
        if found is not None:
            return found
        options = replace(detector_options(config()), source=ModelSource(model_folder(config(), name)))
        return self.others.load(name, lambda: load_detector(options), config().max_resident_models - 1)

    def switch(self, load: Callable[[], Detector]) -> None:
        """Load a model beside the one that answers, let it answer, then free the other when it has finished.

        Raises what `load` raises; then nothing has changed.
        """
        fresh = self.owner.run(load)
        with self._lock:
            old, self._detector = self._detector, fresh
        if old is not None:
            self.owner.run(free, old)

    def recorder(self) -> Recorder:
        if self._recorder is None:
            with self._lock:
                if self._recorder is None:
                    self._recorder = Recorder()
        return self._recorder

    def close(self) -> None:
        with self._lock:
            detector, self._detector = self._detector, None
            recorder, self._recorder = self._recorder, None
        if detector is not None:
            self.owner.run(detector.close)
        self.others.close()
        if recorder is not None:
            recorder.close()


def _nobody(_kept: Kept) -> None:
    """Listens to nothing."""


_service = _Service()


def config() -> Config:
    """The process's configuration."""
    found: Config = settings.DETECTOR
    return found


def model_source(chosen: Config) -> ModelSource:
    """Where the configured model is."""
    return ModelSource(chosen.model_prefix, chosen.model_epoch, chosen.model_edge)


def detector_options(chosen: Config) -> DetectorOptions:
    """What the detector needs of the configuration."""
    return DetectorOptions(
        source=model_source(chosen),
        cache_dir=chosen.cache_dir,
        engine=EngineOptions(
            engine=chosen.model_engine,
            precision=chosen.model_precision,
            gpu=chosen.model_context_gpu,
            threads=chosen.inference_threads,
            cache_dir=chosen.cache_dir / "compiled",
            remote=RemoteOptions(
                url=chosen.remote_url,
                model=chosen.remote_model,
                timeout_s=chosen.remote_timeout_s,
                connections=chosen.remote_connections,
                batch=chosen.remote_batch,
            ),
        ),
        max_pixels=chosen.max_pixels,
        queue_size=chosen.queue_size,
    )


def start(queue_size: int | None = None) -> None:
    """Load and warm the model; a second call does nothing. Raises InferenceError.

    queue_size: how many photos may wait; None for QUEUE_SIZE, which is for callers who do not know of each other.
    """
    _service.detector(queue_size)


def model(name: str) -> Detector:
    """A model by its name, "" for the default, loaded now if need be. Raises UnknownModelError, InferenceError."""
    return _service.model(name)


def photos_at_once() -> int:
    """How many photos the detector works on side by side. Raises ModelUnavailableError before it is loaded."""
    return _loaded_detector().workers


def switch_model(load: Callable[[], Detector]) -> None:
    """Let another model answer, which `load` makes; raises what it raises, and then the old one goes on answering."""
    _service.switch(load)


def on_owner(function: Callable[[], Detector]) -> Detector:
    """Run what loads or frees a model on the thread that does this for the whole process."""
    return _service.owner.run(function)


def active_model() -> Network | None:
    """The network that answers by default; None before it is loaded."""
    return None if _service.loaded is None else _service.loaded.network


def resident_network(name: str) -> Network | None:
    """The network of the model of that name, "" for the default, if it is in memory; loads nothing."""
    found = _service.resident(name)
    return None if found is None else found.network


def loaded_models() -> dict[str, Detector]:
    """Those in memory, by name, the one that answers by default first."""
    active = _service.loaded
    first = {} if active is None else {active.network.name: active}
    return {**first, **_service.others.loaded()}


def listen(on_kept: Callable[[Kept], None] | None) -> None:
    """Hear of each detection that is kept, on its caller's thread, without waiting or raising. None: no more."""
    _service.on_kept = on_kept or _nobody


def has_a_free_worker() -> bool:
    """Whether each model could take another photo at once."""
    return all(detector.in_flight < detector.workers for detector in loaded_models().values())


def stop() -> None:
    """Finish what is queued and free the model; the next caller loads it again."""
    _service.close()


def is_ready() -> bool:
    """Whether the engine has answered on the device that was asked for (loading includes a warm-up run)."""
    return _service.loaded is not None


def readiness_problem() -> str:
    """Why no photo can be answered now, as a sentence; "" when one can. Never waits."""
    detector = _service.loaded
    return "The model is not loaded yet. Ask again in a moment." if detector is None else detector.engine.problem()


def detect_upload(
    data: bytes,
    *,
    source: str,
    original_name: str = "",
    threshold: float | None = None,
    store: bool = True,
    owner_id: int | None = None,
) -> Answer:
    """Detect and record for synchronous callers; see `detect` for what is raised."""
    return detect(Upload(data, source, original_name, threshold, store, owner_id=owner_id))


def detect(upload: Upload) -> Answer:
    """Detect and record; blocks.

    Raises ImageDecodeError, ImageTooLargeError, OverloadedError, EngineError, DetectionTimeoutError, and
    StorageUnavailableError (then nothing of the detection was kept).
    """
    with tracing.photo(upload.source, len(upload.data)):
        detector, future = submit(upload)
        return keep(upload, result_of(future, config().request_timeout_s), detector)


def result_of(future: "concurrent.futures.Future[R]", timeout_s: float) -> R:
    """Wait for what was queued. Raises DetectionTimeoutError; what still waits then leaves the queue."""
    try:
        return future.result(timeout=timeout_s)
    except concurrent.futures.TimeoutError as error:
        future.cancel()
        raise _timed_out() from error


def keep(upload: Upload, prediction: Prediction, detector: Detector) -> Answer:
    """Record what was found, if the caller wants that. Raises StorageUnavailableError."""
    if not upload.store:
        return _answer(upload, prediction, detector, None)
    started = time.perf_counter()
    detection_uuid = _service.recorder().submit(record_of(upload, prediction, detector)).result()
    _service.on_kept(Kept(upload, prediction, detector.network, detection_uuid))
    prediction.timings.add("record", time.perf_counter() - started)
    return _answer(upload, prediction, detector, detection_uuid)


async def detect_async(upload: Upload) -> Answer:
    """`detect` for the event loop. When the caller is cancelled, a photo that still waits leaves the queue."""
    with tracing.photo(upload.source, len(upload.data)):
        return await _detect_async(upload)


async def _detect_async(upload: Upload) -> Answer:
    if _service.resident(upload.model) is None:
        await asyncio.to_thread(_service.model, upload.model)
    detector, future = submit(upload)
    try:
        async with asyncio.timeout(config().request_timeout_s):
            prediction = await asyncio.wrap_future(future)
    except TimeoutError as error:
        raise _timed_out() from error
    if not upload.store:
        return _answer(upload, prediction, detector, None)
    started = time.perf_counter()
    recorded = _service.recorder().submit(record_of(upload, prediction, detector))
    detection_uuid = await asyncio.wrap_future(recorded)
    _service.on_kept(Kept(upload, prediction, detector.network, detection_uuid))
    prediction.timings.add("record", time.perf_counter() - started)
    return _answer(upload, prediction, detector, detection_uuid)


def submit(upload: Upload) -> "tuple[Detector, concurrent.futures.Future[Prediction]]":
    """Queue a photo. Raises OverloadedError.

    A model that was changed between our asking for it and its queue is asked for again."""
    while True:
        detector = _service.model(upload.model)
        with contextlib.suppress(DetectorClosedError):
            return detector, metrics.submit(detector, upload.data, _threshold(upload, detector))


def threshold_of(network: Network) -> float:
    """Above which probability objects are reported where the caller says nothing: PROBABILITY_MORE, else the card's."""
    configured = config().probability_more
    return network.threshold if configured is None else configured


def _threshold(upload: Upload, detector: Detector) -> float:
    return threshold_of(detector.network) if upload.threshold is None else upload.threshold


def _timed_out() -> DetectionTimeoutError:
    return DetectionTimeoutError(
        f"The detection took longer than {config().request_timeout_s:g} seconds. Send the photo again later."
    )


def _answer(upload: Upload, prediction: Prediction, detector: Detector, detection_uuid: uuid.UUID | None) -> Answer:
    threshold = _threshold(upload, detector)
    objects = tuple(found for found in prediction.objects if found.probability > threshold)
    metrics.observe_photo(detector.network, prediction.timings, objects)
    tracing.stages(prediction.timings, detector.network.full_name, len(objects))
    _log(upload, prediction, len(objects), detection_uuid)
    return Answer(objects, detection_uuid, prediction.timings, prediction.info.size_wh, detector.network.full_name)


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


def record_of(upload: Upload, prediction: Prediction, detector: Detector) -> Record:
    """What is kept of a prediction."""
    return Record(
        data=upload.data,
        info=prediction.info,
        original_name=as_text(upload.original_name),
        objects=prediction.objects,
        threshold=_threshold(upload, detector),
        timings_ms={stage: round(ms, 3) for stage, ms in prediction.timings},
        source=upload.source,
        model_name=detector.network.name,
        model_version=detector.network.version,
        model_sha256=detector.network.sha256,
        engine=detector.engine.name,
        device=detector.engine.device,
        precision=detector.engine.precision,
        batch_item=upload.batch_item,
        owner_id=upload.owner_id,
        detection_uuid=upload.detection_uuid or uuid.uuid4(),
    )


def delete_detection(detection: Detection) -> None:
    """Delete a detection, its photo when no other detection has it, and the file when no other photo has it.

    The file goes only after the deletion is committed, also within the caller's transaction. Raises
    StorageUnavailableError; then nothing was deleted.
    """
    try:
        with transaction.atomic():
            # Locked, so that of two who delete the last two detections of a photo, one sees that it was the last.
            photo = Photo.objects.select_for_update().filter(pk=detection.photo_id).first()
            bookkeeping.leave(Detection.objects.filter(pk=detection.pk))
            detection.delete()
            if photo is not None and not photo.detections.exists():
                photo.delete()
                transaction.on_commit(partial(photo_store.discard_unused, photo.file), robust=True)
    except Error as error:
        raise StorageUnavailableError(
            "The detection could not be deleted: the database cannot be written now. Try again later."
        ) from error


def model_info() -> dict[str, Any]:
    """The loaded model, for people and programs. Raises ModelUnavailableError before it is loaded."""
    detector = _loaded_detector()
    return {
        "name": detector.network.name,
        "version": detector.network.version,
        "sha256": detector.network.sha256,
        "engine": detector.engine.name,
        "device": detector.engine.device,
        "precision": detector.engine.precision,
        "classes": list(detector.network.classes),
        "input_edge": detector.network.edge,
        "threshold": threshold_of(detector.network),
        "kept_from_probability": KEPT_PROBABILITY,
    }


def _loaded_detector() -> Detector:
    detector = _service.loaded
    if detector is None:
        raise ModelUnavailableError("The model is not loaded yet. Try again in a moment.")
    return detector
