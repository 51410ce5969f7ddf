"""An engine on several devices of one kind: each call goes to the one with the fewest calls."""

import threading
from collections.abc import Sequence

from detection.inference.engines.base import Engine, Outputs
from detection.inference.types import ImageArray


class SeveralDevices:
    """Engines of one name, each on a device of its own, as one engine."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines
        self.name = engines[0].name
        self.precision = engines[0].precision
        self.device = ", ".join(engine.device for engine in engines)
        self.max_batch = engines[0].max_batch
        self.lanes = sum(engine.lanes for engine in engines)
        self.prefetch = sum(engine.prefetch for engine in engines)
        self._calls = [0] * len(engines)
        self._lock = threading.Lock()

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """See `Engine.infer`."""
        with self._lock:
            place = min(range(len(self._calls)), key=self._calls.__getitem__)
            self._calls[place] += 1
        try:
            return self._engines[place].infer(batch_rgb, photos_in_flight=photos_in_flight)
        finally:
            with self._lock:
                self._calls[place] -= 1

    def problem(self) -> str:
        """See `Engine.problem`: the first one's that has any."""
        return next(filter(None, (engine.problem() for engine in self._engines)), "")

    def close(self) -> None:
        """See `Engine.close`."""
        for engine in self._engines:
            engine.close()
