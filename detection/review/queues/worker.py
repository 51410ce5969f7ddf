"""Thread that fills the review queues."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from detection.inference.periodic import PeriodicThread
from detection.review.queues.filling import fill
from detection.review.queues.registry import FILLERS

EVERY_S = 60.0


@contextmanager
def filling_queues() -> Iterator[None]:
    """Fill the queues every minute while the block runs."""
    thread: PeriodicThread

    def work() -> None:
        try:
            for filler in FILLERS:
                fill(filler, thread.is_stopping)
        finally:
            connection.close()

    thread = PeriodicThread("queue filler", work, EVERY_S)
    thread.start()
    try:
        yield
    finally:
        thread.stop()
