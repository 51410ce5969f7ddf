"""Prometheus metrics of `/metrics`, summed over processes where PROMETHEUS_MULTIPROC_DIR is set."""

import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, multiprocess
from prometheus_client.exposition import choose_encoder

from detection.inference.detector import Detector, Prediction
from detection.inference.errors import OverloadedError
from detection.inference.network import Network
from detection.inference.types import FoundObject

M = TypeVar("M", Counter, Gauge, Histogram)
R = TypeVar("R")
_FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class BisectingHistogram(Histogram):
    """Histogram that finds the bucket by bisection; the library tries one after the other, eleven times a photo."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count an amount, which is a number."""
        if exemplar is not None:
            super().observe(amount, exemplar)
            return
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


disable_created_metrics()  # type: ignore[no-untyped-call]
# A registry of our own: the default one would add Python's garbage collector, and is missing with several processes.
registry = CollectorRegistry()

REQUESTS = Counter("detector_requests", "Answered requests.", ["route", "status"], registry=registry)
REQUEST_SECONDS = BisectingHistogram(
    "detector_request_seconds", "From the first byte to the last.", ["route"], buckets=_FAST_S, registry=registry
)
STAGE_SECONDS = BisectingHistogram(
    "detector_stage_seconds", "Each step of a detection.", ["stage"], buckets=_FAST_S, registry=registry
)
_MODEL = ["model", "version"]
PHOTOS = Counter("detector_photos", "Photos that were answered.", _MODEL, registry=registry)
EMPTY_PHOTOS = Counter("detector_empty_photos", "Answered photos without a reported object.", _MODEL, registry=registry)
MODEL_REQUESTS = Counter(
    "detector_model_requests",
    "Photos that a model was asked for: answered, failed, left by their callers, or refused by its queue.",
    [*_MODEL, "outcome"],
    registry=registry,
)
INFERENCE_SECONDS = BisectingHistogram(
    "detector_inference_seconds", "The network alone, by model.", _MODEL, buckets=_FAST_S, registry=registry
)
OBJECTS = Counter("detector_objects", "Reported objects.", ["object_class"], registry=registry)
SCORES = BisectingHistogram(
    "detector_scores",
    "Probabilities of the reported objects.",
    buckets=[tenth / 10 for tenth in range(1, 11)],
    registry=registry,
)
VERDICTS = Counter("detector_verdicts", "What reviewers said of objects and photos.", ["verdict"], registry=registry)
STORED_PHOTOS = Counter("detector_stored_photos", "Photos that were kept.", registry=registry)
STORED_BYTES = Counter("detector_stored_bytes", "Bytes of the uploads that were kept.", registry=registry)
BATCH_PHOTOS = BisectingHistogram(
    "detector_batch_photos", "Photos in one run of the network.", buckets=[1, 2, 4, 8, 16, 32, 64], registry=registry
)
SHADOW_PHOTOS = Counter(
    "detector_shadow_photos",
    "Photos for the shadow model: compared, dropped since the machine was busy, or failed.",
    ["outcome"],
    registry=registry,
)
WEBHOOK_EVENTS = Counter(
    "detector_webhook_events",
    "Attempts to send events to webhooks: delivered or failed; disabled counts webhooks that were switched off.",
    ["outcome"],
    registry=registry,
)
DRIFT_FINDINGS = Gauge(
    "detector_drift_findings",
    "Measures in which a model's newest day differs from its reference period.",
    ["model"],
    multiprocess_mode="livemax",
    registry=registry,
)
IN_FLIGHT = Gauge(
    "detector_in_flight",
    "Photos that wait or are worked on.",
    ["model"],
    multiprocess_mode="livesum",
    registry=registry,
)
QUEUE_DEPTH = Gauge(
    "detector_queue_depth", "Photos that wait for a worker.", ["model"], multiprocess_mode="livesum", registry=registry
)
MODEL_INFO = Gauge(
    "detector_model_info",
    "1 for each model that has answered.",
    ["name", "version", "sha256", "engine", "device", "precision"],
    multiprocess_mode="livemax",
    registry=registry,
)
ACTIVE_VERSION_LOADED = Gauge(
    "detector_active_version_loaded",
    "1 where the active model answers; 0 where it could not be loaded, and another one answers in its place.",
    multiprocess_mode="livemin",
    registry=registry,
)
ACTIVE_VERSION_LOADED.set(1)
MEMORY = Gauge(
    "detector_resident_memory_bytes",
    "Memory of the processes, as of their last photos.",
    multiprocess_mode="livesum",
    registry=registry,
)

# Limit of the series for models: with very many models, further ones share one series.
MAX_MODELS = 50
OTHER_MODELS = ("other", "")
_models: set[tuple[str, str]] = set()
_series: dict[tuple[Any, tuple[str, ...]], Any] = {}

_MEMORY_READ_S = 5.0
_memory_read = deque([-_MEMORY_READ_S], maxlen=1)
_SEVERAL = "PROMETHEUS_MULTIPROC_DIR"
_STATM = Path("/proc/self/statm")


def series(metric: M, *labels: str) -> M:
    """Return the cached series of a metric with these labels: `labels()` takes a lock, and a photo needs some
    twenty.
    """
    found: M | None = _series.get((metric, labels))
    if found is None:
        found = _series[metric, labels] = metric.labels(*labels)
    return found


def model_labels(network: Network) -> tuple[str, str]:
    """Return name and version of a model for its series; they come from operators, never from callers."""
    found = (network.name, network.version)
    if found not in _models:
        if len(_models) >= MAX_MODELS:
            return OTHER_MODELS
        _models.add(found)
    return found


def observe_photo(network: Network, stages_ms: Iterable[tuple[str, float]], objects: Iterable[FoundObject]) -> None:
    """Count a photo: the steps of its detection in milliseconds, its reported objects."""
    labels = model_labels(network)
    for stage, spent_ms in stages_ms:
        observe_stage(stage, spent_ms)
    series(PHOTOS, *labels).inc()
    empty = True
    for found in objects:
        empty = False
        series(OBJECTS, found.class_name).inc()
        SCORES.observe(found.probability)
    if empty:
        series(EMPTY_PHOTOS, *labels).inc()


def observe_verdicts(kinds: Iterable[str]) -> None:
    """Count the verdicts of one step of a review."""
    for kind in kinds:
        series(VERDICTS, kind).inc()


def observe_stage(stage: str, spent_ms: float) -> None:
    """Count one step and its duration in milliseconds."""
    series(STAGE_SECONDS, stage).observe(spent_ms / 1000.0)


class _Observer:
    """Counts what a detector does (`DetectorObserver`).

    refused_photos: of this process, where the counter of Prometheus has those of all.
    """

    def __init__(self) -> None:
        self.refused_photos = 0

    def queued(self, detector: Detector) -> None:
        """Set the load."""
        observe_load(detector)

    def refused(self, detector: Detector) -> None:
        """Count a photo that found the queue full."""
        self.refused_photos += 1
        series(MODEL_REQUESTS, *model_labels(detector.network), "refused").inc()

    def ended(self, detector: Detector, future: Future[Any]) -> None:
        """Count a photo by its outcome; one that had to make room for another was refused."""
        observe_load(detector)
        labels = model_labels(detector.network)
        outcome = _outcome(future)
        self.refused_photos += outcome == "refused"
        series(MODEL_REQUESTS, *labels, outcome).inc()
        if outcome == "answered" and isinstance(future.result(), Prediction):
            series(INFERENCE_SECONDS, *labels).observe(dict(future.result().timings)["inference"] / 1000.0)

    def ran(self, photos: int) -> None:
        """Count a run of the network."""
        BATCH_PHOTOS.observe(photos)


_OBSERVER = _Observer()


def refused_photos() -> int:
    """Return how many photos this process has refused since its queues were full."""
    return _OBSERVER.refused_photos


def observe(detector: Detector) -> Detector:
    """Count what a detector does from now on, and return it."""
    network, engine = detector.network, detector.engine
    series(MODEL_INFO, *model_labels(network), network.sha256, engine.name, engine.device, engine.precision).set(1)
    detector.observer = _OBSERVER
    return detector


def _outcome(future: Future[Any]) -> str:
    if future.cancelled():
        return "left"
    error = future.exception()
    if error is None:
        return "answered"
    return "refused" if isinstance(error, OverloadedError) else "failed"


def observe_load(detector: Detector) -> None:
    """Set the number of a model's photos in flight, and of those that its workers cannot take yet."""
    name, in_flight = detector.network.name, detector.in_flight
    series(IN_FLIGHT, name).set(in_flight)
    series(QUEUE_DEPTH, name).set(max(0, in_flight - detector.workers))
    if time.monotonic() - _memory_read[-1] > _MEMORY_READ_S:
        observe_memory()


def observe_memory() -> None:
    """Read the memory of this process; does nothing on systems without /proc."""
    _memory_read.append(time.monotonic())
    try:
        MEMORY.set(int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        return


def exposition(accept: str) -> tuple[bytes, str]:
    """Return the metrics of all processes, in the format that the `Accept` header requests, and its content type.

    Raises ValueError when PROMETHEUS_MULTIPROC_DIR is not a folder.
    """
    observe_memory()
    encode, content_type = choose_encoder(accept)
    shown = registry
    if _SEVERAL in os.environ:
        shown = CollectorRegistry()
        multiprocess.MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
    return encode(shown), content_type


def forget_process() -> None:
    """Remove the gauges of this process, which is ending, from the sums of all processes."""
    if _SEVERAL in os.environ:
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
