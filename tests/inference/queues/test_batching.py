"""Batches: what gathers while the device is busy runs together, and nobody suffers from a neighbour."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from detection.inference.errors import EngineError
from detection.inference.queues.batching import Batcher
from detection.inference.types import ImageArray
from tests.inference.engines import EDGE, BrightnessEngine


def grey(value: int) -> ImageArray:
    return np.full((EDGE, EDGE, 3), value, dtype=np.uint8)


def probability(batcher: Batcher, value: int) -> float:
    return float(batcher.infer(grey(value))["cls_prob"][2, 0])


def run_together(engine: BrightnessEngine, values: list[int]) -> list[float | EngineError]:
    """Hold the device with a first photo until all others wait, then let it go."""

    def ask(value: int) -> float | EngineError:
        try:
            return probability(batcher, value)
        except EngineError as error:
            return error

    batcher = Batcher(engine)
    engine.go_on.clear()
    with ThreadPoolExecutor(len(values) + 1) as callers:
        first = callers.submit(ask, 0)
        assert engine.running.acquire(timeout=60)
        futures = [callers.submit(ask, value) for value in values]
        wait_until_waiting(batcher, len(values))
        engine.go_on.set()
        results = [future.result(60) for future in futures]
        assert first.result(60) == 0.0
    batcher.close()
    return results


def wait_until_waiting(batcher: Batcher, count: int) -> None:
    reached = threading.Event()
    with batcher._changed:
        assert batcher._changed.wait_for(lambda: len(batcher._waiting) >= count or reached.is_set(), 60)


def test_what_gathered_runs_in_one_call_and_each_gets_its_own() -> None:
    engine = BrightnessEngine(max_batch=8)
    results = run_together(engine, [51, 102, 255])
    assert results == pytest.approx([0.2, 0.4, 1.0])
    assert engine.batches == [1, 3]


def test_a_batch_is_never_larger_than_the_engine_wants() -> None:
    engine = BrightnessEngine(max_batch=2)
    run_together(engine, [1, 2, 3, 4, 5])
    assert max(engine.batches) == 2
    assert sum(engine.batches) == 6


def test_one_bad_photo_fails_alone() -> None:
    engine = BrightnessEngine(max_batch=8, poison=200)
    good, bad, other = run_together(engine, [51, 200, 102])
    assert [good, other] == pytest.approx([0.2, 0.4])
    assert isinstance(bad, EngineError)


def test_an_idle_device_starts_at_once_with_a_single_photo() -> None:
    engine = BrightnessEngine(max_batch=8)
    batcher = Batcher(engine)
    assert probability(batcher, 255) == 1.0
    assert engine.batches == [1]
    batcher.close()


def test_after_its_end_a_batcher_refuses_with_a_sentence() -> None:
    batcher = Batcher(BrightnessEngine(max_batch=2))
    batcher.close()
    with pytest.raises(EngineError, match="stopping"):
        batcher.infer(grey(0))
