"""A photo in tiles: one decoding, a turn of the queue for each view, one answer."""

import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detection.inference import detector as detector_module
from detection.inference.detector import Prediction
from detection.inference.engines.base import Outputs
from detection.inference.errors import EngineError, ImageDecodeError, OverloadedError
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.preprocess import fit_photo
from detection.inference.types import ImageArray
from tests.inference.engines import BrightnessEngine
from tests.inference.queues.test_batching import wait_until_waiting
from tests.inference.test_detector import grey, make_detector
from tests.support import photos

WAIT_S = 60


class RecordingEngine(BrightnessEngine):
    """Remembers the brightness of each photo or view that it is given, in their order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[int] = []

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        self.seen += [round(float(view.mean())) for view in batch_rgb]
        return super().infer(batch_rgb, photos_in_flight=photos_in_flight)


def bright_corner(size_wh: tuple[int, int] = (400, 200)) -> bytes:
    """Black, but for the right lower quarter."""
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    picture[size_wh[1] // 2 :, size_wh[0] // 2 :] = 255
    return photos.encode(Image.fromarray(picture), "PNG")


def test_what_is_too_small_in_the_whole_is_found_in_its_tile_and_placed_in_the_photo() -> None:
    detector = make_detector(BrightnessEngine())
    whole, tiled = (detector.detect(bright_corner(), tiles=tiles) for tiles in ("1", "2"))
    detector.close()
    assert (whole.tiling.grid, tiled.tiling.choice, tiled.tiling.grid) == ("", "2", "2x2")
    (faint,) = whole.objects
    assert faint.probability == pytest.approx(0.25, abs=0.01)
    best = tiled.objects[0]
    # The tile is 222 of 400 pixels wide, 200 of them bright, and the network's anchor the middle half of it. The tiles
    # of 222 x 111 pixels are no smaller than the input of 16 x 16, so its probability counts in full.
    assert best.probability == pytest.approx((200 / 222) ** 2, abs=0.01)
    assert (best.box.x, best.box.y, best.box.width, best.box.height) == pytest.approx((233, 117, 111, 55), abs=1)
    assert [found.probability for found in tiled.objects] == sorted(
        (found.probability for found in tiled.objects), reverse=True
    )


@pytest.mark.parametrize(("pixels", "cut_first"), [(400 * 200, 1), (400 * 200 - 1, 5)])
def test_tiles_are_cut_in_their_turns_unless_the_photo_is_large(
    pixels: int, cut_first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[object] = []
    cut_before_a_run: list[int] = []

    class Engine(BrightnessEngine):
        def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
            cut_before_a_run.append(len(cut))
            return super().infer(batch_rgb, photos_in_flight=photos_in_flight)

    def fit(*given: Any) -> Any:
        cut.append(given)
        return fit_photo(*given)

    monkeypatch.setattr(detector_module, "fit_photo", fit)
    monkeypatch.setattr(detector_module, "_KEPT_PIXELS", pixels)
    detector = make_detector(Engine(), threads=1)
    found = detector.detect(bright_corner(), tiles="2")
    detector.close()
    assert cut_before_a_run == [min(5, cut_first + run) for run in range(5)]
    assert found.objects[0].probability == pytest.approx((200 / 222) ** 2, abs=0.01)


def test_a_tile_that_cannot_be_cut_ends_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: Any) -> Any:
        raise MemoryError

    detector = make_detector(BrightnessEngine())
    monkeypatch.setattr(detector_module, "fit_photo", fit)
    with pytest.raises(MemoryError):
        detector.detect(bright_corner(), tiles="2")
    monkeypatch.undo()
    assert detector.detect(bright_corner(), tiles="2").objects
    detector.close()


def test_a_card_says_what_nobody_else_says() -> None:
    detector = make_detector(BrightnessEngine())
    detector.network = replace(detector.network, tiles="auto")
    assert detector.detect(grey(250)).tiling.grid == "3x3"
    assert detector.detect(grey(250), tiles="1").tiling.grid == ""
    detector.close()


def test_a_photo_too_small_for_tiles_is_answered_as_ever() -> None:
    detector = make_detector(BrightnessEngine())
    small = grey(204, (16, 12))
    plain, by_size = detector.detect(small), detector.detect(small, tiles="auto")
    detector.close()
    assert (by_size.objects, by_size.tiling.choice, by_size.tiling.grid) == (plain.objects, "auto", "")


def test_others_have_their_turns_between_the_tiles() -> None:
    engine = RecordingEngine()
    detector = make_detector(engine, queue_size=20)
    engine.go_on.clear()
    tiled = detector.submit(grey(100), caller="a", tiles="3")
    assert engine.running.acquire(timeout=WAIT_S)
    behind = detector.submit(grey(150), caller="a")
    others = [detector.submit(grey(200 + number), caller=f"b{number}") for number in range(3)]
    engine.go_on.set()
    for future in (tiled, behind, *others):
        future.result(WAIT_S)
    detector.close()
    assert engine.seen.count(100) == 10
    assert max(engine.seen.index(200 + number) for number in range(3)) <= 5
    # A photo that was begun is ended before the next one of its caller.
    assert engine.seen[-1] == 150
    assert detector.in_flight == 0


def test_views_of_one_photo_make_a_batch_where_the_engine_batches() -> None:
    engine = BrightnessEngine(max_batch=8)
    detector = make_detector(engine, queue_size=20)
    engine.go_on.clear()
    tiled = detector.submit(grey(250), tiles="3")
    assert engine.running.acquire(timeout=WAIT_S)
    # There are nine threads: one is in the engine, with one view or more, the others wait for it.
    assert detector._batcher is not None
    wait_until_waiting(detector._batcher, 9 - sum(engine.batches))
    engine.go_on.set()
    assert tiled.result(WAIT_S).objects[0].probability == pytest.approx(250 / 255)
    detector.close()
    assert sum(engine.batches) == 10
    assert len(engine.batches) < 5


def test_the_engine_learns_that_a_lone_photo_in_tiles_is_many_runs() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine)
    detector.detect(grey(250), tiles="2")
    assert engine.in_flight_hints[0] == 5
    detector.detect(grey(250))
    assert engine.in_flight_hints[-1] == 1
    assert detector.has_a_free_worker
    detector.close()


class FailingEngine(BrightnessEngine):
    """Fails at its third call."""

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        if len(self.batches) == 2:
            self.batches.append(1)
            raise EngineError("The device failed on a photo.")
        return super().infer(batch_rgb, photos_in_flight=photos_in_flight)


def test_one_view_that_fails_fails_its_photo_and_costs_no_more_runs() -> None:
    engine = FailingEngine()
    detector = make_detector(engine)
    with pytest.raises(EngineError, match="failed on a photo"):
        detector.detect(grey(250), tiles="3")
    assert len(detector.detect(grey(250)).objects) == 1
    detector.close()
    assert (len(engine.batches), detector.in_flight) == (4, 0)


def test_a_bad_photo_fails_alone() -> None:
    detector = make_detector(BrightnessEngine())
    bad, good = detector.submit(b"no photo", tiles="2"), detector.submit(grey(250), tiles="2")
    with pytest.raises(ImageDecodeError):
        bad.result(WAIT_S)
    assert good.result(WAIT_S).tiling.grid == "2x2"
    detector.close()


def test_closing_finishes_the_photos_in_tiles() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, queue_size=9)
    engine.go_on.clear()
    futures = [detector.submit(grey(200 + number), tiles="2") for number in range(4)]
    assert engine.running.acquire(timeout=WAIT_S)
    closing = threading.Thread(target=detector.close)
    closing.start()
    engine.go_on.set()
    closing.join(WAIT_S)
    assert [round(future.result(0).objects[0].probability * 255) for future in futures] == [200, 201, 202, 203]


def test_no_more_photos_are_in_tiles_at_once_than_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def counting(data: bytes, **options: Any) -> Any:
        decoded.append(len(data))
        return decode_photo(data, **options)

    monkeypatch.setattr(detector_module, "decode_photo", counting)
    engine = RecordingEngine()
    detector = make_detector(engine, queue_size=20)
    engine.go_on.clear()
    futures: list[Future[Prediction]] = [
        detector.submit(grey(100 + number), caller=str(number), tiles="2") for number in range(4)
    ]
    assert engine.running.acquire(timeout=WAIT_S)
    plain = detector.submit(grey(250), caller="another")
    assert len(decoded) == 1
    engine.go_on.set()
    for future in (*futures, plain):
        future.result(WAIT_S)
    detector.close()
    # One after the other, all views of each together.
    assert engine.seen.index(250) < 3
    assert [value for value in engine.seen if value < 250] == [100 + number for number in range(4) for _ in range(5)]


def test_a_photo_in_tiles_takes_one_place_of_the_queue_and_makes_room() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, queue_size=2)
    engine.go_on.clear()
    begun, *waiting = [detector.submit(grey(200), caller="a", tiles="3") for _ in range(3)]
    assert engine.running.acquire(timeout=WAIT_S)
    other = detector.submit(grey(250), caller="b")
    engine.go_on.set()
    with pytest.raises(OverloadedError):
        waiting[1].result(WAIT_S)
    assert begun.result(WAIT_S).tiling == waiting[0].result(WAIT_S).tiling
    assert len(other.result(WAIT_S).objects) == 1
    detector.close()
    assert detector.in_flight == 0


def test_the_stages_are_timed_as_ever() -> None:
    detector = make_detector(BrightnessEngine())
    timings = dict(detector.detect(grey(204), tiles="2").timings)
    detector.close()
    assert list(timings) == ["queue", "decode", "resize", "inference", "boxes"]


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_decoded_as_large_as_its_tiles_need_it(orientation: int) -> None:
    data = photos.with_orientation(photos.two_colours((800, 400)), orientation)
    asked: list[tuple[int, int]] = []

    def least(size_wh: tuple[int, int]) -> tuple[int, int]:
        asked.append(size_wh)
        return 400, 100

    photo = decode_photo(data, max_pixels=10**6, min_size_wh=least)
    assert asked == [(800, 400)]
    assert photo.image_rgb.size == (400, 200)
