"""Detects in several photos of one request: all succeed, or the caller gets the failed one's error and nothing is
stored.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import numpy as np

from detection.conf import current
from detection.inference.detector import Detector, Prediction
from detection.inference.engines.base import Outputs
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.types import ImageArray
from detection.predict import service as predict_service
from detection.predict.service import DetectionResult, Upload
from detection.serving.service import Asked
from detection.web import callers

T = TypeVar("T")
R = TypeVar("R")


def detect_all(uploads: Sequence[Upload]) -> list[DetectionResult]:
    """Detect in all photos, side by side, and then record them; blocks.

    Raises the errors of `service.detect`, with the number of an unreadable photo. Nothing is stored then, unless
    the recording itself fails in the middle (StorageUnavailableError).
    """
    asked_for: list[Asked] = []

    def queue(upload: Upload) -> Future[Prediction]:
        asked, future = predict_service.submit(upload)
        asked_for.append(asked)
        return future

    predictions = _all_of(uploads, queue)
    return [predict_service.record(*each) for each in zip(uploads, predictions, asked_for, strict=True)]


def run_network(detector: Detector, batch_rgb: ImageArray) -> Outputs:
    """Return the network's outputs for its own inputs, (N, height, width, 3) uint8; blocks.

    Raises OverloadedError, EngineError and DetectionTimeoutError.
    """
    outputs = _all_of(list(batch_rgb), lambda image_rgb: detector.submit_input(image_rgb, caller=callers.current()))
    return {name: np.stack([each[name] for each in outputs]) for name in outputs[0]}


def _all_of(items: Sequence[T], queue: Callable[[T], Future[R]]) -> list[R]:
    """Queue all and block until all are done; when one fails, the queued ones leave the queue."""
    futures: list[Future[R]] = []
    deadline = time.monotonic() + current.config().request_timeout_s
    try:
        for item in items:
            futures.append(queue(item))
        return [_result(futures, number, deadline) for number in range(len(futures))]
    finally:
        for future in futures:
            future.cancel()


def _result(futures: Sequence[Future[R]], number: int, deadline: float) -> R:
    try:
        return predict_service.result_of(futures[number], max(0.0, deadline - time.monotonic()))
    except (ImageDecodeError, ImageTooLargeError) as error:
        if len(futures) == 1:
            raise
        raise type(error)(f"Image {number + 1} of {len(futures)}: {error}") from error
