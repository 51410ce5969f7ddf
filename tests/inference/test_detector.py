"""The detector: bounded, thread-safe, and truthful about what it took."""

import gc
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detection.inference.detector import Detector, DetectorOptions, Prediction, load_detector
from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.errors import EngineError, ImageDecodeError, ImageTooLargeError, OverloadedError
from detection.inference.model_files import ModelSource
from detection.inference.photos.decode import DecodedPhoto, decode_photo
from detection.inference.types import ImageArray
from tests.inference.engines import BrightnessEngine, small_network
from tests.inference.model_folders import constant_network, write_model
from tests.support import photos


def make_detector(engine: BrightnessEngine, *, threads: int = 1, queue_size: int = 2) -> Detector:
    return Detector(small_network(), engine, max_pixels=1_000_000, queue_size=queue_size, threads=threads)


def grey(value: int, size_wh: tuple[int, int] = (200, 100)) -> bytes:
    return photos.encode(Image.new("RGB", size_wh, (value, value, value)), "PNG")


def test_it_finds_names_and_places_an_object_in_the_photos_own_pixels() -> None:
    detector = make_detector(BrightnessEngine())
    prediction = detector.detect(grey(204))
    detector.close()
    (found,) = prediction.objects
    assert found.class_name == "light"
    assert found.probability == pytest.approx(0.8)
    assert (found.box.x, found.box.y, found.box.width, found.box.height) == (50, 25, 100, 50)
    assert prediction.info.size_wh == (200, 100)


def test_each_stage_is_timed_in_the_order_of_the_way() -> None:
    detector = make_detector(BrightnessEngine())
    timings = dict(detector.detect(grey(204)).timings)
    detector.close()
    assert list(timings) == ["queue", "decode", "resize", "inference", "boxes"]
    assert all(milliseconds >= 0 for milliseconds in timings.values())


def test_a_full_queue_refuses_at_once_and_recovers() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, threads=1, queue_size=2)
    engine.go_on.clear()
    accepted = [detector.submit(grey(250)) for _ in range(3)]
    with pytest.raises(OverloadedError, match="too many photos are waiting"):
        detector.submit(grey(250))
    engine.go_on.set()
    assert [len(future.result(60).objects) for future in accepted] == [1, 1, 1]
    assert len(detector.detect(grey(250)).objects) == 1
    detector.close()
    assert detector.in_flight == 0


def test_a_cancelled_photo_never_reaches_the_network() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, threads=1, queue_size=5)
    engine.go_on.clear()
    running = detector.submit(grey(250))
    assert engine.running.acquire(timeout=60)
    waiting: Future[Prediction] = detector.submit(grey(250))
    assert waiting.cancel()
    assert detector.in_flight == 1
    engine.go_on.set()
    running.result(60)
    detector.close()
    assert engine.batches == [1]


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"no photo", ImageDecodeError), (photos.png_bomb((5000, 5000)), ImageTooLargeError)],
    ids=["damaged", "too large"],
)
def test_a_bad_photo_fails_alone_and_leaves_the_queue(data: bytes, kind: type[Exception]) -> None:
    detector = make_detector(BrightnessEngine())
    bad, good = detector.submit(data), detector.submit(grey(250))
    with pytest.raises(kind):
        bad.result(60)
    assert len(good.result(60).objects) == 1
    detector.close()
    assert detector.in_flight == 0


def test_improbable_objects_are_kept_only_when_they_are_asked_for() -> None:
    detector = make_detector(BrightnessEngine())
    asked_for = detector.detect(grey(13), min_probability=0.02)
    by_default = detector.detect(grey(13))
    detector.close()
    assert [found.probability for found in asked_for.objects] == pytest.approx([13 / 255])
    assert by_default.objects == ()


def test_results_are_the_same_alone_and_among_many() -> None:
    engine = BrightnessEngine(max_batch=4)
    detector = make_detector(engine, threads=2, queue_size=100)
    values = list(range(150, 250))
    with ThreadPoolExecutor(16) as callers:
        together = list(callers.map(lambda value: detector.detect(grey(value)).objects, values))
    alone = [detector.detect(grey(value)).objects for value in values]
    detector.close()
    assert together == alone


def test_the_engine_learns_whether_a_photo_is_alone() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, threads=1, queue_size=5)
    detector.detect(grey(250))
    engine.go_on.clear()
    held = [detector.submit(grey(250)) for _ in range(3)]
    engine.go_on.set()
    for future in held:
        future.result(60)
    detector.close()
    assert engine.in_flight_hints[0] == 1
    assert max(engine.in_flight_hints) > 1


class NotANumberEngine(BrightnessEngine):
    """A device whose arithmetic is broken."""

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        outputs = super().infer(batch_rgb, photos_in_flight=photos_in_flight)
        return {name: np.full_like(array, np.nan) for name, array in outputs.items()}


def test_warming_up_refuses_an_engine_that_answers_nonsense() -> None:
    detector = make_detector(NotANumberEngine())
    with pytest.raises(EngineError, match="not finite"):
        detector.warm_up()
    detector.close()


def test_closing_frees_the_engine() -> None:
    engine = BrightnessEngine(max_batch=4)
    detector = make_detector(engine)
    detector.close()
    assert engine.closed


def test_photos_are_made_ready_ahead_for_an_engine_that_queues_them() -> None:
    engine = BrightnessEngine(prefetch=2)
    detector = make_detector(engine, threads=1, queue_size=10)
    engine.go_on.clear()
    held = [detector.submit(grey(250)) for _ in range(5)]
    for _ in range(3):
        assert engine.running.acquire(timeout=60)
    assert not engine.running.acquire(timeout=0.2)
    engine.go_on.set()
    for future in held:
        assert len(future.result(60).objects) == 1
    detector.close()
    assert engine.batches == [1] * 5


def test_no_more_photos_are_decoded_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding = threading.Semaphore(2)

    def decode(data: bytes, **options: Any) -> DecodedPhoto:
        assert decoding.acquire(blocking=False)
        time.sleep(0.005)  # so that those who may come in, would
        decoding.release()
        return decode_photo(data, **options)

    monkeypatch.setattr("detection.inference.detector.decode_photo", decode)
    detector = make_detector(BrightnessEngine(prefetch=4), threads=2, queue_size=100)
    found = [detector.submit(grey(250)) for _ in range(40)]
    assert [len(future.result(60).objects) for future in found] == [1] * 40
    detector.close()


def test_bad_photo_is_let_go_of_without_a_collection() -> None:
    detector = make_detector(BrightnessEngine())
    data = b"no photo" * len("anew, so that it is no constant")
    gc.disable()
    try:
        before = sys.getrefcount(data)
        assert isinstance(detector.submit(data).exception(60), ImageDecodeError)
        detector.close()
        assert sys.getrefcount(data) == before
    finally:
        gc.enable()


def test_three_hundred_objects_of_a_photo_are_kept(tmp_path: Path) -> None:
    corners = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2) * 1.5
    boxes = np.concatenate([corners, corners + 1], axis=1).astype(np.float32)
    scores = np.linspace(0.9, 0.2, len(boxes)).astype(np.float32)
    network = constant_network({"boxes": boxes, "scores": scores, "labels": np.zeros(len(boxes), np.float32)})
    decoding = {"boxes": "boxes", "scores": "scores", "labels": "labels", "top": 400}
    folder = write_model(tmp_path / "net", network, {"family": "declared", "decoding": decoding})
    detector = load_detector(
        DetectorOptions(ModelSource(folder), tmp_path / "cache", EngineOptions("onnxruntime", threads=1))
    )
    found = detector.detect(grey(204)).objects
    detector.close()
    assert len(found) == 300
    assert found[-1].probability == pytest.approx(scores[299])
