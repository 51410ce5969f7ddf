"""Stops a long run on Ctrl+C and SIGTERM: no new photo is started, running ones are finished."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Stop:
    """Request to stop the run. A second signal ends it immediately."""

    def __init__(self) -> None:
        self.requested = False
        self._waits_for_input = False

    def until_requested(self, things: Iterator[T]) -> Iterator[T]:
        """Yield the things up to the signal; also stops while blocked on the next thing."""
        while not self.requested:
            self._waits_for_input = True
            try:
                thing = next(things)
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                self._waits_for_input = False
            yield thing

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        if again or self._waits_for_input:
            raise KeyboardInterrupt


@contextmanager
def stopping() -> Iterator[Stop]:
    """Handle both signals while the block runs; only in the main thread."""
    stop = Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop._handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
