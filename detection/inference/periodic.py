"""Thread that does one thing again and again, for everything in the process that is periodic."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


def _nothing() -> None:
    """Do nothing at the end."""


class PeriodicThread:
    """Daemon thread that calls `work` every `every_s` seconds until `stop`; a failure is logged and it goes on.

    at_once: call it at the start too; `start` blocks until that first call is done. at_end: called once, on the thread.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        every_s: float,
        *,
        at_once: bool = False,
        at_end: Callable[[], None] = _nothing,
    ) -> None:
        self._name, self._work, self._every_s, self._at_once, self._at_end = name, work, every_s, at_once, at_end
        self._ending = threading.Event()
        self._ran = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start; block until the first call is done if it is to be made at once."""
        self._thread.start()
        if self._at_once:
            self._ran.wait()

    def stop(self, within_s: float | None = None) -> None:
        """Stop after the current call; return after `within_s` even if that goes on, which ends with the process."""
        self._ending.set()
        self._thread.join(within_s)

    def is_stopping(self) -> bool:
        """Return whether `stop` was called, for work that can end early."""
        return self._ending.is_set()

    def pause(self, seconds: float) -> bool:
        """Block for some time within the work, or until `stop`; return whether that was called."""
        return self._ending.wait(seconds)

    def _run(self) -> None:
        try:
            if self._at_once:
                self._call()
            while not self._ending.wait(self._every_s):
                self._call()
        finally:
            self._at_end()

    def _call(self) -> None:
        try:
            self._work()
        except Exception:  # the thread must survive: the failure may be gone by the next time
            logger.exception("The %s failed; it is tried again in %g seconds.", self._name, self._every_s)
        finally:
            self._ran.set()
