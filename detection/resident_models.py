"""The models of this process beside the one that answers by default, and the thread that all of them belong to."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from detection import memory
from detection.conf import BASE_DIR, Config
from detection.errors import UnknownModelError
from detection.inference.cards import has_card
from detection.inference.detector import Detector
from detection.inference.errors import CheckpointError

P = ParamSpec("P")
T = TypeVar("T")


class ModelOwner:
    """One thread, as old as the process, that loads and frees every model, one at a time.

    Compiling takes all cores and much memory: two at once would take as long and twice the memory.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model-owner")

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the thread, wait for it, and answer or raise what it does."""
        return self._thread.submit(function, *args, **kwargs).result()


def free(detector: Detector) -> None:
    """Let a detector finish and free it, and give its memory back to the system; on the owner's thread."""
    detector.close()
    memory.give_back()


def models_parents(config: Config) -> tuple[Path, Path]:
    """Where folders of models are looked for, in this order."""
    return config.models_dir, BASE_DIR / "models"


def model_folder(config: Config, name: str) -> Path:
    """The folder of a model of MODELS. Raises UnknownModelError."""
    if name in config.models:
        for parent in models_parents(config):
            if has_card(parent / name):
                return parent / name
    raise UnknownModelError(name, config.models)


def shadow_folder(config: Config) -> Path:
    """The folder of SHADOW_MODEL: NAME, or NAME@VERSION of a version that was added. Raises CheckpointError."""
    for parent in models_parents(config):
        if has_card(parent / config.shadow_model):
            return parent / config.shadow_model
    raise CheckpointError(f"There is no model {config.shadow_model}, which SHADOW_MODEL names.")


class ResidentModels:
    """Models that were asked for by name, loaded by the first who asks, each with a queue of its own.

    Of those that are too many the one that was not asked for longest goes; what it still works on is finished first.
    """

    def __init__(self, owner: ModelOwner) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._models: OrderedDict[str, Detector] = OrderedDict()

    def loaded(self) -> dict[str, Detector]:
        """Those that are in memory now, by name."""
        with self._lock:
            return dict(self._models)

    def get(self, name: str) -> Detector | None:
        """A model that is in memory; never waits."""
        with self._lock:
            if name in self._models:
                self._models.move_to_end(name)
            return self._models.get(name)

    def load(self, name: str, load: Callable[[], Detector], limit: int) -> Detector:
        """A model, loaded now if need be; afterwards at most `limit` are in memory. Raises what `load` raises."""
        with self._loading:
            found = self.get(name)
            if found is not None:
                return found
            detector = self._owner.run(load)
            with self._lock:
                self._models[name] = detector
                gone = [self._models.popitem(last=False)[1] for _ in range(len(self._models) - limit)]
        for each in gone:
            self._owner.run(free, each)
        return detector

    def close(self) -> None:
        """Finish what is queued and free all."""
        with self._lock:
            gone, self._models = list(self._models.values()), OrderedDict()
        for each in gone:
            self._owner.run(each.close)
