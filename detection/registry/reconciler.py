"""Reconciler of the active version: each server polls the database every second and switches without downtime."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from django.db import Error, connection

from detection.conf import current
from detection.inference.errors import InferenceError
from detection.inference.messages import Message, gettext_noop
from detection.inference.periodic import PeriodicThread
from detection.models import ModelVersion
from detection.observability import metrics
from detection.registry import versions as model_versions
from detection.registry.loading import marked
from detection.serving import health, points
from detection.serving import service as serving
from detection.serving.trial import TrialStoppedError

_NOT_YET: tuple[object, ...] = ("not looked yet",)

logger = logging.getLogger(__name__)

EVERY_S = 1.0
_REPLACED = Message(
    "active_model_not_loadable",
    gettext_noop(
        "The active model %(name)s could not be loaded: %(other)s answers in its place. The reason is in the server's "
        "log."
    ),
)


@contextmanager
def reconciling(every_s: float = EVERY_S) -> Iterator["Reconciler"]:
    """Run the reconciler while the block runs."""
    reconciler = Reconciler(every_s)
    reconciler.start()
    try:
        yield reconciler
    finally:
        reconciler.stop()


class Reconciler:
    """Thread that compares the answering model with the active version. A version that fails is tried once, not each
    second.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._seen = _NOT_YET
        self._told = ""
        # Primary keys by NAME@VERSION.
        self._added: dict[str, int] = {}
        self._thread = PeriodicThread("reconciler", self._poll_or_log, every_s, at_once=True, at_end=_close_connection)

    def start(self) -> None:
        """Poll once and block on the result: a new server has the active version for its first photo."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current switch."""
        self._thread.stop()

    def poll(self) -> None:
        """Poll the database, and switch the model if another one is active. Logs the reason of a failure."""
        rows = list(ModelVersion.objects.all())
        points.refresh()
        self._drop_removed({str(row): row.pk for row in rows})
        row = next((row for row in rows if row.is_active), None)
        wanted = () if row is None else (row.pk, row.activated_at)
        if wanted == self._seen:
            return
        is_first_look, self._seen = self._seen is _NOT_YET, wanted
        if serving.answering_version() == _key(row):
            _set_problem("")
        elif _change(row, self._thread.is_stopping):
            if row is not None and is_first_look:
                # This server may load a version that its predecessor could not.
                ModelVersion.objects.filter(pk=row.pk).update(problem="")
        elif row is not None and is_first_look:
            self._go_back(row)

    def _go_back(self, row: ModelVersion) -> None:
        """Begin with the version that was active before, which a server that was running has in memory."""
        name, tried = str(row), {row.pk}
        while row.replaced is not None and row.replaced.pk not in tried:
            row = row.replaced
            tried.add(row.pk)
            if _change(row, self._thread.is_stopping):
                break
        _set_problem(_sentence(name))

    def _drop_removed(self, added: dict[str, int]) -> None:
        """Drop versions that were removed, or removed and added again."""
        for name, key in self._added.items():
            if added.get(name) != key:
                serving.drop_model(name)
        self._added = added

    def _poll_or_log(self) -> None:
        try:
            self.poll()
            self._told = ""
        except Error as error:
            self._tell_once(f"{health.database_problem()} ({error})")
            connection.close()
        except Exception as error:  # the thread must survive: the failure may be gone by the next time
            if repr(error) != self._told:
                self._told = repr(error)
                logger.exception("The active model could not be followed.")

    def _tell_once(self, problem: str) -> None:
        """Log a problem when it begins, not at each look."""
        if problem != self._told:
            self._told = problem
            logger.warning("The active model is not known. %s", problem)


def _close_connection() -> None:
    """Close the database connection of this thread, which `connection` stands for."""
    connection.close()


def _change(row: ModelVersion | None, is_stopping: Callable[[], bool]) -> bool:
    """Return whether the model answers now; if not, the one before it goes on, and the problem is shown to callers."""
    name = "of MODEL_PREFIX" if row is None else str(row)
    try:
        if row is not None:
            model_versions.try_out(row, is_stopping)
        with nullcontext() if row is None else marked(_marker(row)):
            serving.switch_model(lambda: model_versions.load(row), _key(row))
    except TrialStoppedError:
        return False
    except (InferenceError, OSError) as error:
        logger.error("The model %s is active, but cannot be loaded; the model before it goes on. %s", name, error)
        if row is not None:
            ModelVersion.objects.filter(pk=row.pk).update(problem=str(error))
        _set_problem(_sentence(name))
        return False
    logger.info("The model %s answers from now on.", name)
    _set_problem("")
    return True


def _marker(row: ModelVersion) -> Path:
    """Return the path of the marker of one activation; the next one has another, so the version is tried again."""
    stamp = 0 if row.activated_at is None else row.activated_at.timestamp()
    return current.config().cache_dir / f"loading-{row.pk}-{stamp}"


def _sentence(name: str) -> str:
    """Return a message for callers, without the reason, which may name files of the server."""
    answering = serving.active_model()
    other = "none" if answering is None else answering.full_name
    return _REPLACED(name=name, other=other)


def _set_problem(sentence: str) -> None:
    serving.set_active_problem(sentence)
    metrics.ACTIVE_VERSION_LOADED.set(0 if sentence else 1)


def _key(row: ModelVersion | None) -> int | None:
    return None if row is None else row.pk
