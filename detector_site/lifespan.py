"""ASGI lifespan: loads the model before the first request, and finishes queued photos before the end."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.urls import get_resolver

from detection import __version__
from detection.conf import current
from detection.drift.worker import watching_drift
from detection.gallery.jobs import working
from detection.inference.errors import InferenceError
from detection.maintenance.worker import background_worker
from detection.observability import metrics, tracing
from detection.predict import service as predict_service
from detection.registry.reconciler import reconciling
from detection.review.queues.worker import filling_queues
from detection.serving import malloc
from detection.serving import service as serving
from detection.shadow.service import shadowing
from detection.webhooks.worker import delivering

logger = logging.getLogger(__name__)


class Lifespan:
    """ASGI middleware that loads and warms the model at start-up, and stops the detector at shutdown.

    The loop's own thread is blocked meanwhile: it has nothing else to do then. In between the reconciler switches the
    server to the active version of the model.
    """

    async def __call__(self, _scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await receive()
        try:
            serving.start()
        except InferenceError as error:
            logger.error("%s", error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        if current.config().traces:
            tracing.start(__version__)
        with (
            malloc.trimming(),
            background_worker(current.config()),
            reconciling(),
            shadowing(),
            working(),
            delivering(),
            watching_drift(),
            filling_queues(),
            _exempt_from_collections(),
        ):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        predict_service.stop()
        metrics.forget_process()
        tracing.stop()
        await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def _exempt_from_collections() -> Iterator[None]:
    """Take what is in memory at first out of Python's search for garbage: it stays, and looking through it stopped all
    threads for 0.1 s at a time.
    """
    # Loads all views.
    get_resolver().url_patterns  # noqa: B018
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
