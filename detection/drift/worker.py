"""Thread that writes the days that are over, and shows the newest ones in the metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from detection.drift import service
from detection.drift.mail import mailing
from detection.inference.periodic import PeriodicThread
from detection.observability import metrics

EVERY_S = 600.0


@contextmanager
def watching_drift() -> Iterator[None]:
    """Look every ten minutes while the block runs; of several servers the first one writes a day. E-mails have a thread
    of their own.
    """
    thread = PeriodicThread("drift watcher", run_once, EVERY_S)
    thread.start()
    try:
        with mailing():
            yield
    finally:
        thread.stop()


def run_once() -> None:
    """Write the days that are over and have no row yet, and set the metrics."""
    try:
        service.update()
        for row in service.latest():
            metrics.series(metrics.DRIFT_FINDINGS, row.model).set(len(row.findings))
    finally:
        connection.close()
