"""Shadow model: runs a candidate on a share of the real photos, and records its objects without returning them.

It never delays a caller: a photo is offered to a short queue after its detection was recorded, and
dropped when the queue is full or the machine is busy. One thread works on the queue, with a network of one thread.
"""

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from django.db import Error, connection, transaction

from detection.conf import current
from detection.evaluation.matching import Agreement, compare
from detection.inference.detector import Detector
from detection.inference.errors import InferenceError
from detection.inference.model_files import ModelSource
from detection.inference.types import FoundObject, reported_at, rest_of
from detection.models import Detection, ShadowCount, ShadowRun
from detection.observability import metrics
from detection.predict import service as predict_service
from detection.predict.service import RecordedDetection
from detection.serving import service as serving
from detection.serving.locations import shadow_folder

logger = logging.getLogger(__name__)

# Each holds a photo of up to MAX_BODY_BYTES.
MAX_WAITING = 4
# Sources of interactive and API requests; commands over many photos are not compared.
_REAL = frozenset({Detection.Source.PAGE, Detection.Source.API, Detection.Source.WEBSOCKET})


@contextmanager
def shadowing() -> Iterator["Shadow | None"]:
    """Compare while the block runs, where SHADOW_MODEL is set."""
    if not current.config().shadow.name:
        yield None
        return
    shadow = Shadow(current.config().shadow.share)
    predict_service.listen(shadow.offer)
    try:
        yield shadow
    finally:
        predict_service.listen(None)
        shadow.stop()


class Shadow:
    """Queue, thread and candidate; the thread loads the candidate, so that the server starts without delay.

    share: of the recorded real photos. choose: random numbers in [0, 1).
    """

    def __init__(self, share: float, choose: Callable[[], float] = random.random) -> None:
        self._share = share
        self._choose = choose
        self._waiting: queue.Queue[RecordedDetection | None] = queue.Queue(MAX_WAITING)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, recorded: RecordedDetection) -> None:
        """Take a photo, or drop it; never blocks, never raises."""
        if recorded.upload.source not in _REAL or self._choose() >= self._share:
            return
        try:
            self._waiting.put_nowait(recorded)
        except queue.Full:
            metrics.series(metrics.SHADOW_PHOTOS, "dropped").inc()

    def join(self) -> None:
        """Block until all accepted photos are compared or dropped."""
        self._waiting.join()

    def stop(self) -> None:
        """Finish the current photo; drop the others."""
        self._ending.set()
        while True:
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                with suppress(queue.Empty):
                    self._waiting.get_nowait()
            else:
                break
        self._thread.join()

    def _run(self) -> None:
        candidate = _load()
        try:
            while (recorded := self._waiting.get()) is not None and not self._ending.is_set():
                if candidate is not None:
                    metrics.series(metrics.SHADOW_PHOTOS, _outcome(recorded, candidate)).inc()
                self._waiting.task_done()
        finally:
            if candidate is not None:
                serving.on_model_thread(lambda: _closed(candidate))
            connection.close()


def _load() -> Detector | None:
    config = current.config()
    try:
        options = serving.other_options(config, ModelSource(shadow_folder(config)))
        # One core at most: the others are for the photos of callers.
        options = replace(options, engine=replace(options.engine, threads=1))
        candidate = serving.load_tried(options)
    except (InferenceError, OSError) as error:
        logger.error("SHADOW_MODEL=%s cannot be loaded: nothing is compared. %s", config.shadow.name, error)
        return None
    logger.info("%s looks at %g %% of the photos too.", candidate.network.full_name, config.shadow.share * 100)
    return candidate


def _closed(detector: Detector) -> Detector:
    detector.close()
    return detector


def _outcome(recorded: RecordedDetection, candidate: Detector) -> str:
    """Compare a photo and return the outcome."""
    if not serving.has_a_free_worker():
        return "dropped"
    try:
        _compare(recorded, candidate)
    except (InferenceError, Error):
        logger.warning("A photo could not be compared with the shadow model.", exc_info=True)
        return "failed"
    except Exception:  # the thread must survive, and no caller depends on it
        logger.exception("A photo could not be compared with the shadow model.")
        return "failed"
    return "compared"


def _compare(recorded: RecordedDetection, candidate: Detector) -> None:
    """Compare objects above the caller's threshold; without one, each model's above its own."""
    asked = recorded.upload.threshold
    above, below = (
        serving.thresholds_of(net) if asked is None else asked for net in (recorded.network, candidate.network)
    )
    answer = reported_at(recorded.prediction.objects, above)
    seen = candidate.detect(
        recorded.upload.data, min_probability=rest_of(below), tiles=recorded.prediction.tiling.choice
    )
    objects = reported_at(seen.objects, below)
    _record(recorded, candidate, rest_of(below), objects, compare(answer, objects))


def _record(
    recorded: RecordedDetection,
    candidate: Detector,
    threshold: float,
    objects: list[FoundObject],
    by_class: dict[str, Agreement],
) -> None:
    with transaction.atomic():
        # Locked, so that the detection is not deleted in between.
        detection = Detection.objects.select_for_update().filter(uuid=recorded.detection_uuid).first()
        if detection is None:
            return
        run = ShadowRun.objects.create(
            detection=detection,
            model_name=candidate.network.name,
            model_version=candidate.network.version,
            model_sha256=candidate.network.sha256,
            threshold=threshold,
            objects_found=[
                {
                    "class": found.class_name,
                    "probability": found.probability,
                    "box": [found.box.x, found.box.y, found.box.width, found.box.height],
                }
                for found in objects
            ],
            disagreements=sum(each.only_answer + each.only_candidate for each in by_class.values()),
        )
        ShadowCount.objects.bulk_create(
            ShadowCount(
                run=run,
                class_name=name,
                matched=each.matched,
                only_answer=each.only_answer,
                only_candidate=each.only_candidate,
                difference=each.difference,
            )
            for name, each in by_class.items()
        )
