"""Pool of the detectors beside the default one, and the thread on which models are loaded and freed."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from detection.errors import ModelLoadError
from detection.inference.detector import Detector
from detection.inference.errors import InferenceError
from detection.serving import malloc

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class ModelThread:
    """Thread for the life of the process that loads and frees every model, one at a time.

    Compiling takes all cores and much memory: two at once would take as long and twice the memory.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model-thread")

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the thread, block, and return its result or raise its error."""
        return self._thread.submit(function, *args, **kwargs).result()


def free(detector: Detector) -> None:
    """Close a detector, free it, and return its memory to the system; on the owner's thread."""
    detector.close()
    malloc.trim()


class DetectorPool:
    """Pool of requested models, by the names of their folders, loaded at the first request, each with its own queue.

    Beyond the limit the least recently used model is evicted; its queued photos are finished first.
    """

    def __init__(self, owner: ModelThread) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._models: OrderedDict[str, Detector] = OrderedDict()
        self._problems: dict[str, str] = {}

    def problem(self, name: str) -> str:
        """Return why the last try to load a model failed, for callers; "" where it did not."""
        return self._problems.get(name, "")

    def loaded(self) -> dict[str, Detector]:
        """Return the loaded models, by name."""
        with self._lock:
            return dict(self._models)

    def get(self, reference: str) -> Detector | None:
        """Return a loaded model, by the name of its folder or NAME@VERSION; never blocks."""
        with self._lock:
            name = self._name_of(reference)
            if name is None:
                return None
            self._models.move_to_end(name)
            return self._models[name]

    def load(self, name: str, load: Callable[[], Detector], limit: int) -> Detector:
        """Return a model, loaded now if need be; afterwards at most `limit` are in memory. Raises ModelLoadError."""
        with self._loading:
            found = self.get(name)
            if found is not None:
                return found
            detector = self._loaded(name, load)
            with self._lock:
                self._models[name] = detector
                gone = [self._models.popitem(last=False)[1] for _ in range(len(self._models) - limit)]
        for each in gone:
            self._owner.run(free, each)
        return detector

    def drop(self, name: str) -> None:
        """Free a model after its queued photos; the next request loads it anew."""
        with self._loading:
            with self._lock:
                gone = self._models.pop(name, None)
            if gone is not None:
                self._owner.run(free, gone)

    def _loaded(self, name: str, load: Callable[[], Detector]) -> Detector:
        try:
            detector = self._owner.run(load)
        except (InferenceError, OSError) as error:
            logger.error("The model %s cannot be loaded. %s", name, error)
            failure = ModelLoadError(name)
            self._problems[name] = failure.sentence
            raise failure from error
        self._problems.pop(name, None)
        return detector

    def _name_of(self, reference: str) -> str | None:
        if reference in self._models:
            return reference
        return next((name for name, each in self._models.items() if _is_called(name, each, reference)), None)

    def close(self) -> None:
        """Finish the queued photos and free all models."""
        with self._lock:
            gone, self._models = list(self._models.values()), OrderedDict()
        for each in gone:
            self._owner.run(each.close)


def _is_called(name: str, detector: Detector, full_name: str) -> bool:
    version = detector.network.version
    return bool(version) and full_name in {f"{name}@{version}", detector.network.full_name}
