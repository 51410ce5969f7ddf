"""Every server follows the active version: it asks the database each second and changes without downtime."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, connection

from detection.inference.errors import InferenceError
from detection.models import ModelVersion
from detection.observability import metrics
from detection.registry import versions as model_versions
from detection.serving import service as serving

_NOT_YET: tuple[object, ...] = ("not looked yet",)

logger = logging.getLogger(__name__)

EVERY_S = 1.0


@contextmanager
def following_the_active_model(every_s: float = EVERY_S) -> Iterator["Follower"]:
    """Follow while the block runs."""
    follower = Follower(every_s)
    follower.start()
    try:
        yield follower
    finally:
        follower.stop()


class Follower:
    """A thread that compares what answers with what is active. A version that fails is tried once, not each second."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._ending = threading.Event()
        self._looked = threading.Event()
        self._seen = _NOT_YET
        # Primary keys by NAME@VERSION.
        self._added: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="model-follower", daemon=True)

    def start(self) -> None:
        """Look at once and wait for it: a new server has the active version for its first photo."""
        self._thread.start()
        self._looked.wait()

    def stop(self) -> None:
        """Wait until a change that runs is done."""
        self._ending.set()
        self._thread.join()

    def once(self) -> None:
        """Look at the database, and change the model if another one is active. Logs why when that fails."""
        rows = list(ModelVersion.objects.all())
        self._drop_what_was_removed({str(row): row.pk for row in rows})
        row = next((row for row in rows if row.is_active), None)
        wanted = () if row is None else (row.pk, row.activated_at)
        if wanted == self._seen:
            return
        is_first_look, self._seen = self._seen is _NOT_YET, wanted
        if serving.answering_version() == _key(row):
            _tell_problem("")
        elif _change(row) and row is not None and is_first_look:
            # What the server before this one could not load, this one could.
            ModelVersion.objects.filter(pk=row.pk).update(problem="")

    def _drop_what_was_removed(self, added: dict[str, int]) -> None:
        """A version that was removed, or removed and added again, answers under its name no more."""
        for name, key in self._added.items():
            if added.get(name) != key:
                serving.drop_model(name)
        self._added = added

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._once_or_log()
                self._looked.set()
                self._ending.wait(self._every_s)
        finally:
            connection.close()

    def _once_or_log(self) -> None:
        try:
            self.once()
        except Error as error:
            logger.warning("The active model is not known: the database does not answer. %s", error)
            connection.close()
        except Exception:  # the thread must live on: what failed may be mended by the next time
            logger.exception("The active model could not be followed.")


def _change(row: ModelVersion | None) -> bool:
    """Whether the model answers now; if not, the one before it goes on, and everybody who asks is told."""
    name = "of MODEL_PREFIX" if row is None else str(row)
    try:
        serving.switch_model(lambda: model_versions.load(row), _key(row))
    except (InferenceError, OSError) as error:
        logger.error("The model %s is active, but cannot be loaded; the model before it goes on. %s", name, error)
        if row is not None:
            ModelVersion.objects.filter(pk=row.pk).update(problem=str(error))
        _tell_problem(_sentence(name))
        return False
    logger.info("The model %s answers from now on.", name)
    _tell_problem("")
    return True


def _sentence(name: str) -> str:
    """For callers, so without the reason, which may name files of the server."""
    answering = serving.active_model()
    other = "none" if answering is None else answering.full_name
    return (
        f"The active model {name} could not be loaded: {other} answers in its place. The reason is in the server's log."
    )


def _tell_problem(sentence: str) -> None:
    serving.note_active_problem(sentence)
    metrics.ACTIVE_VERSION_LOADED.set(0 if sentence else 1)


def _key(row: ModelVersion | None) -> int | None:
    return None if row is None else row.pk
