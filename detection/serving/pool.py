"""Pool of the detectors beside the default one."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from detection.errors import ModelLoadError
from detection.inference.detector import Detector
from detection.inference.errors import InferenceError
from detection.serving.model_thread import ModelThread
from detection.serving.trial import TrialError

logger = logging.getLogger(__name__)

# Each further try would hold up the models that others ask for, as long as this one hangs.
_RETRY_AFTER_S = 600.0


class DetectorPool:
    """Pool of requested models, by the names of their folders, loaded at the first request, each with its own queue.

    Beyond the limit the least recently used model is evicted; its queued photos are finished first.
    """

    def __init__(self, owner: ModelThread) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._models: OrderedDict[str, Detector] = OrderedDict()
        # Folders by the references that were found to mean them: a second model of one NAME@VERSION is found on disk.
        self._meant: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        # When a model has crashed, hung, or taken too much memory, on the monotonic clock.
        self._failed_s: dict[str, float] = {}

    def problem(self, name: str) -> str:
        """Return why the last try to load a model failed, for callers; "" where it did not."""
        return self._problems.get(name, "")

    def loaded(self) -> dict[str, Detector]:
        """Return the loaded models, by name."""
        with self._lock:
            return dict(self._models)

    def get(self, reference: str) -> Detector | None:
        """Return a loaded model, by the name of its folder or a reference that it was loaded for; never blocks."""
        with self._lock:
            name = self._meant.get(reference, reference)
            if name not in self._models:
                return None
            self._models.move_to_end(name)
            return self._models[name]

    def load(self, name: str, load: Callable[[], Detector], limit: int, reference: str) -> Detector:
        """Return a model, loaded now if need be; afterwards at most `limit` are in memory.

        name: of its folder, which `reference` was found to mean. load: tries the model and loads it on the thread of
        models. Raises ModelLoadError.
        """
        with self._loading:
            with self._lock:
                self._meant[reference] = name
            found = self.get(name)
            if found is not None:
                return found
            detector = self._loaded(name, load)
            with self._lock:
                self._models[name] = detector
                gone = [self._models.popitem(last=False)[1] for _ in range(len(self._models) - limit)]
        for each in gone:
            self._owner.free(each)
        return detector

    def drop(self, name: str) -> None:
        """Free a model after its queued photos; the next request loads it anew."""
        with self._loading:
            self._failed_s.pop(name, None)
            with self._lock:
                gone = self._models.pop(name, None)
                self._meant = {each: folder for each, folder in self._meant.items() if folder != name}
            if gone is not None:
                self._owner.free(gone)

    def _loaded(self, name: str, load: Callable[[], Detector]) -> Detector:
        if time.monotonic() - self._failed_s.get(name, -_RETRY_AFTER_S) < _RETRY_AFTER_S:
            raise ModelLoadError(name)
        try:
            detector = load()
        except (InferenceError, OSError) as error:
            logger.error("The model %s cannot be loaded. %s", name, error)
            if isinstance(error, TrialError):
                self._failed_s[name] = time.monotonic()
            failure = ModelLoadError(name)
            self._problems[name] = failure.sentence
            raise failure from error
        self._problems.pop(name, None)
        return detector

    def close(self) -> None:
        """Finish the queued photos and free all models."""
        with self._lock:
            gone, self._models = list(self._models.values()), OrderedDict()
        for each in gone:
            self._owner.free(each)
