"""Batches photos of several callers into one run of the network, for devices that need batches to be fast (GPUs)."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from detection.inference.engines.base import Engine, Outputs
from detection.inference.errors import EngineError, EngineUnavailableError
from detection.inference.types import ImageArray


class Batcher:
    """Batcher that runs the photos gathered while the device was busy, at most `engine.max_batch` at once.

    There is no waiting time: an idle device starts at once, and under load a batch grows by itself while the earlier
    ones run, `engine.lanes` of them at once. A photo's result does not depend on its neighbours: when a batch fails,
    its photos run one by one, so that only the faulty ones fail. When the engine itself is unavailable, all of them
    fail at once.
    """

    def __init__(self, engine: Engine, on_batch: Callable[[int], None] | None = None) -> None:
        self._engine = engine
        self._on_batch = on_batch
        self._waiting: deque[tuple[ImageArray, Future[Outputs]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"detector-batches-{lane}", daemon=True)
            for lane in range(engine.lanes)
        ]
        for thread in self._threads:
            thread.start()

    def infer(self, image_rgb: ImageArray) -> Outputs:
        """Run one photo, (S, S, 3) uint8, and wait for its outputs (no batch dimension). Raises EngineError."""
        future: Future[Outputs] = Future()
        with self._changed:
            if self._closed:
                raise EngineError("The detector is stopping. Send the photo again in a moment.")
            self._waiting.append((image_rgb, future))
            self._changed.notify()
        return future.result()

    def close(self) -> None:
        """Finish the queued photos, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            images = [image for image, _ in batch]
            futures = [future for _, future in batch]
            try:
                results = self._infer_all(images)
            except EngineUnavailableError as error:
                for future in futures:
                    future.set_exception(error)
            except EngineError:
                for image, future in batch:
                    self._infer_one(image, future)
            else:
                for future, result in zip(futures, results, strict=True):
                    future.set_result(result)

    def _next_batch(self) -> list[tuple[ImageArray, Future[Outputs]]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            count = min(len(self._waiting), self._engine.max_batch)
            return [self._waiting.popleft() for _ in range(count)]

    def _infer_all(self, images: list[ImageArray]) -> list[Outputs]:
        if self._on_batch is not None:
            self._on_batch(len(images))
        outputs = self._engine.infer(np.stack(images), photos_in_flight=len(images))
        return [{name: array[index] for name, array in outputs.items()} for index in range(len(images))]

    def _infer_one(self, image: ImageArray, future: "Future[Outputs]") -> None:
        try:
            future.set_result(self._infer_all([image])[0])
        except EngineError as error:
            future.set_exception(error)
