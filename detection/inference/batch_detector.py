"""Callable on batches of photos' bytes, for engines that spread work over machines: Ray Data, Daft, Dask."""

import pickle
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

from detection.inference.detector import KEPT_PROBABILITY, Detector, DetectorOptions, load_detector
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.types import NamedBox, Thresholds, reported_at, rest_of

Answer = dict[str, Any]
BYTES = "bytes"


class BatchDetector:
    """Detector on batches; loads its model at the first one, and is pickled without it, often: engines do so for each
    batch. All copies of one that a process gets are the same object, with one model.

    A batch is photos' bytes, answered by a list of `Answer`, or columns, of which `bytes` has the photos: answered by
    the other columns beside `width`, `height`, `prediction` and `error`; one of the last two is None in each row.

    threshold: objects above it, or above that of their class, are reported; None for the model's. tiles: of
    `tiles.grid.CHOICES`; "" for the model's.
    Raises CheckpointError, UnsupportedOperatorError and EngineError; a photo that cannot be read has an `error`.
    """

    def __init__(self, options: DetectorOptions, threshold: float | Thresholds | None = None, tiles: str = "") -> None:
        self._options, self._threshold, self._tiles = options, threshold, tiles
        self._lock = threading.Lock()
        self._detector: Detector | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_this_process, (pickle.dumps((self._options, self._threshold, self._tiles)),)

    @property
    def detector(self) -> Detector:
        """The loaded model."""
        with self._lock:
            if self._detector is None:
                # Whoever sends batches says how much is on its way.
                self._detector = load_detector(replace(self._options, queue_size=sys.maxsize))
            return self._detector

    @overload
    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]: ...

    @overload
    def __call__(self, batch: Iterable[bytes]) -> list[Answer]: ...

    def __call__(self, batch: Mapping[str, Sequence[Any]] | Iterable[bytes]) -> dict[str, Sequence[Any]] | list[Answer]:
        """Answer a batch, in its order."""
        if not isinstance(batch, Mapping):
            return self.answers(batch)
        answers = self.answers(batch[BYTES])
        others: dict[str, Sequence[Any]] = {name: column for name, column in batch.items() if name != BYTES}
        return others | {
            name: [answer.get(name) for answer in answers] for name in ("width", "height", "prediction", "error")
        }

    def answers(self, photos: Iterable[bytes]) -> list[Answer]:
        """Return for each photo `width`, `height`, `prediction`, and `tiles` where it has some; or an `error`."""
        detector = self.detector
        threshold = detector.network.threshold if self._threshold is None else self._threshold
        least = min(rest_of(threshold), KEPT_PROBABILITY)
        futures = [detector.submit(bytes(data), min_probability=least, tiles=self._tiles) for data in photos]
        answers: list[Answer] = []
        for future in futures:
            try:
                found = future.result()
            except (ImageDecodeError, ImageTooLargeError) as error:
                answers.append({"error": str(error)})
                continue
            width, height = found.info.size_wh
            tiled = {"tiles": found.tiling.grid} if found.tiling.grid else {}
            objects = reported_at(found.objects, threshold)
            answers.append({"width": width, "height": height, **tiled, **prediction_body(objects)})
        return answers

    def close(self) -> None:
        """Free the model; the next batch loads it again."""
        with self._lock:
            detector, self._detector = self._detector, None
        if detector is not None:
            detector.close()


_by_arguments: dict[bytes, BatchDetector] = {}


def _of_this_process(arguments: bytes) -> BatchDetector:
    return _by_arguments.setdefault(arguments, BatchDetector(*pickle.loads(arguments)))  # noqa: S301


def prediction_body(objects: Iterable[NamedBox]) -> dict[str, Any]:
    """Return the body of `POST /predict`, key for key that of the 2019 service."""
    return {
        "prediction": [
            {
                "objectClass": found.class_name,
                "probability": found.probability,
                "x": found.box.x,
                "y": found.box.y,
                "width": found.box.width,
                "height": found.box.height,
            }
            for found in objects
        ]
    }
