"""Models of this process: loading, look-up, switching and freeing."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from detection.conf import Config
from detection.conf.current import config
from detection.errors import ModelUnavailableError
from detection.inference.detector import KEPT_PROBABILITY, Detector, DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions, RemoteOptions
from detection.inference.messages import Message, gettext_noop
from detection.inference.model_files import ModelSource
from detection.inference.network import Network
from detection.inference.types import Thresholds, rest_of
from detection.observability import metrics
from detection.serving import points
from detection.serving.locations import model_folder
from detection.serving.model_thread import ModelThread
from detection.serving.points import ServedPoint
from detection.serving.pool import DetectorPool
from detection.serving.trial import try_model

_NOT_LOADED = Message("model_not_loaded", gettext_noop("The model is not loaded yet. Try again in a moment."))


class _Models:
    """State of the models of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.owner = ModelThread()
        self.others = DetectorPool(self.owner)
        self._detector: Detector | None = None
        self.version: int | None = None
        self.problem = ""

    @property
    def loaded(self) -> Detector | None:
        return self._detector

    def detector(self, options: DetectorOptions | None = None) -> Detector:
        """Return the default detector, loaded at the first call. Servers call it before they accept requests."""
        if self._detector is None:
            with self._lock:
                if self._detector is None:
                    wanted = options or detector_options(config())
                    self._detector = metrics.observe(self.owner.run(lambda: load_detector(wanted)))
        return self._detector

    def resident(self, reference: str) -> Detector | None:
        """Return the requested model, "" for the default, if it is in memory. The default takes precedence."""
        active = self._detector
        if not reference or (active is not None and reference in {active.network.name, active.network.full_name}):
            return active
        return self.others.get(reference)

    def model(self, reference: str) -> Detector:
        """Return the requested model, loaded now if need be. Raises UnknownModelError, AmbiguousModelError,
        ModelLoadError.

        For the default it raises the errors of loading.
        """
        found = self.resident(reference) or (self.detector() if not reference else None)
        if found is not None:
            return found
        folder = model_folder(config(), reference)
        options = other_options(config(), ModelSource(folder))
        return self.others.load(
            folder.name,
            lambda: metrics.observe(self.load_tried(options)),
            config().max_resident_models - 1,
            reference,
        )

    def load_tried(self, options: DetectorOptions) -> Detector:
        """Try a model in a process of its own, then load it here. Raises the errors of both."""
        try_model(options)
        return self.owner.run(lambda: load_detector(options))

    def switch(self, load: Callable[[], Detector], version: int | None) -> None:
        """Load a model beside the answering one, put it in its place, then free the other when it has finished.

        Raises the errors of `load`; then nothing has changed.
        """
        fresh = metrics.observe(self.owner.run(load))
        with self._lock:
            old, self._detector, self.version = self._detector, fresh, version
        if old is not None:
            self.owner.free(old)

    def close(self) -> None:
        with self._lock:
            detector, self._detector, self.version, self.problem = self._detector, None, None, ""
        if detector is not None:
            self.owner.free(detector)
        self.others.close()


_models = _Models()


def configured_source(chosen: Config) -> ModelSource:
    """Return the source of MODEL_PREFIX's model, which is the default while no version is active."""
    return ModelSource(chosen.model_prefix, chosen.model_epoch, chosen.model_edge)


def detector_options(chosen: Config) -> DetectorOptions:
    """Return the detector's options from the configuration."""
    return DetectorOptions(
        source=configured_source(chosen),
        cache_dir=chosen.cache_dir,
        engine=EngineOptions(
            engine=chosen.model_engine,
            precision=chosen.model_precision,
            device=chosen.model_device,
            threads=chosen.inference_threads,
            cache_dir=chosen.cache_dir / "compiled",
            remote=RemoteOptions() if chosen.remote is None else RemoteOptions(**asdict(chosen.remote)),
        ),
        max_pixels=chosen.max_pixels,
        accept_incomplete=chosen.accept_incomplete,
        queue_size=chosen.queue_size,
    )


def other_options(chosen: Config, source: ModelSource) -> DetectorOptions:
    """Return the options of a model that is not the default: one without an int8 model runs in f32."""
    options = detector_options(chosen)
    return replace(options, source=source, engine=replace(options.engine, may_fall_back=True))


def start(queue_size: int | None = None, source: ModelSource | None = None) -> None:
    """Load and warm the model; a second call does nothing. Raises InferenceError.

    queue_size: length of the photo queue; None for QUEUE_SIZE, which is for independent callers.
    source: of the model; None for MODEL_PREFIX's, with which a server begins before it switches to the active version.
    """
    chosen = config() if queue_size is None else replace(config(), queue_size=queue_size)
    options = detector_options(chosen)
    _models.detector(options if source is None else replace(options, source=source))


class Asked(NamedTuple):
    """A model that is to answer, loaded, and the threshold above which objects are reported to this caller.

    point: the operating point that decides instead, class by class, where the caller gave no threshold; `threshold` is
    then that of its other classes.
    """

    detector: Detector
    threshold: float
    point: ServedPoint | None = None

    @property
    def thresholds(self) -> float | Thresholds:
        """The threshold, or those of the point."""
        return self.threshold if self.point is None else self.point.thresholds


def ask(reference: str, threshold: float | None = None) -> Asked:
    """Settle in one step which model answers, loaded now if need be, and above which threshold.

    reference: NAME@VERSION; NAME for the default when that is its name, else for the one of MODELS; "" for the default.
    threshold: the caller's; None for the active operating point, else PROBABILITY_MORE, else that of the model's card.
    Raises UnknownModelError and ModelLoadError, for the default InferenceError.
    """
    return asked_of(_models.model(reference), threshold)


async def ask_async(reference: str, threshold: float | None = None) -> Asked:
    """Do as `ask`; a model that has to be loaded is loaded off the event loop."""
    resident = _models.resident(reference)
    if resident is None:
        resident = await asyncio.to_thread(_models.model, reference)
    return asked_of(resident, threshold)


def asked_of(detector: Detector, threshold: float | None) -> Asked:
    """Settle for a loaded model above which threshold objects are reported, as `ask` does."""
    if threshold is not None:
        return Asked(detector, threshold)
    point = point_of(detector.network)
    return Asked(detector, threshold_of(detector.network) if point is None else point.thresholds.rest, point)


def photos_at_once() -> int:
    """Return how many photos the detector processes at the same time. Raises ModelUnavailableError before it is
    loaded.
    """
    return _loaded_detector().workers


def switch_model(load: Callable[[], Detector], version: int | None) -> None:
    """Switch to the model that `load` makes; on its errors, which are raised, the old one stays.

    version: primary key of its `ModelVersion`; None for the model of MODEL_PREFIX.
    """
    _models.switch(load, version)


def answering_version() -> int | None:
    """Return the primary key of the default model's `ModelVersion`; None for the model of MODEL_PREFIX."""
    return _models.version


def load_tried(options: DetectorOptions) -> Detector:
    """Return a model that passed a trial in a process of its own. Raises the errors of trying and of loading it."""
    return _models.load_tried(options)


def on_model_thread(function: Callable[[], Detector]) -> Detector:
    """Run a function that loads or frees a model on the process's thread for that."""
    return _models.owner.run(function)


def active_model() -> Network | None:
    """Return the network of the default model; None before it is loaded."""
    return None if _models.loaded is None else _models.loaded.network


def set_active_problem(sentence: str) -> None:
    """Set the reason why the active model does not answer in this process; "" when it does."""
    _models.problem = sentence


def active_problem() -> str:
    """Return why the active model does not answer in this process, and which one does, for callers; "" when it does."""
    return _models.problem


def active_detector() -> Detector | None:
    """Return the default model; None before it is loaded."""
    return _models.loaded


def load_problem(name: str) -> str:
    """Return why the last try to load another model failed, by the name of its folder, for callers; "" where it did
    not.
    """
    return _models.others.problem(name)


def resident_network(reference: str) -> Network | None:
    """Return the network of a model, named as for `model`, if it is in memory; loads nothing."""
    found = _models.resident(reference)
    return None if found is None else found.network


def other_models() -> dict[str, Detector]:
    """Return the models in memory beside the default one, by the names of their folders."""
    return _models.others.loaded()


def drop_model(name: str) -> None:
    """Free a model that is not the default, by the name of its folder."""
    _models.others.drop(name)


def fewest_workers() -> int:
    """Return the least number of workers of the models in memory; 1 where there is none yet."""
    return min((detector.workers for detector in _in_memory()), default=1)


def has_a_free_worker() -> bool:
    """Return whether each model could take another photo at once."""
    return all(detector.has_a_free_worker for detector in _in_memory())


def _in_memory() -> list[Detector]:
    active = _models.loaded
    return [*([] if active is None else [active]), *other_models().values()]


def stop() -> None:
    """Finish queued photos and free the models; the next request loads them again."""
    _models.close()


def is_ready() -> bool:
    """Return whether the engine has run on the requested device (loading includes a warm-up run)."""
    return _models.loaded is not None


def readiness_problem() -> str:
    """Return why no photo can be answered now, as a sentence; "" when one can. Never blocks."""
    detector = _models.loaded
    return "The model is not loaded yet. Ask again in a moment." if detector is None else detector.engine.problem()


def point_of(network: Network) -> ServedPoint | None:
    """Return the active operating point of a model; None where its own threshold decides."""
    return points.active(network.name, network.version)


def thresholds_of(network: Network) -> float | Thresholds:
    """Return the probabilities above which objects are reported by default: the active point's, else `threshold_of`."""
    point = point_of(network)
    return threshold_of(network) if point is None else point.thresholds


def threshold_of(network: Network) -> float:
    """Return the probability above which objects are reported without an operating point: PROBABILITY_MORE, else the
    card's.
    """
    configured = config().probability_more
    return network.threshold if configured is None else configured


def model_info() -> dict[str, Any]:
    """Describe the loaded model, for people and programs. Raises ModelUnavailableError before it is loaded."""
    detector = _loaded_detector()
    return {
        "name": detector.network.name,
        "version": detector.network.version,
        "sha256": detector.network.sha256,
        "engine": detector.engine.name,
        "device": detector.engine.device,
        "precision": detector.engine.precision,
        "precision_reason": detector.precision_reason,
        "classes": list(detector.network.classes),
        "input_edge": detector.network.edge,
        "threshold": rest_of(thresholds_of(detector.network)),
        **points.describe(detector.network.name, detector.network.version),
        "tiles": detector.network.tiles,
        "kept_from_probability": KEPT_PROBABILITY,
        "problem": active_problem(),
    }


def _loaded_detector() -> Detector:
    detector = _models.loaded
    if detector is None:
        raise ModelUnavailableError(_NOT_LOADED())
    return detector
