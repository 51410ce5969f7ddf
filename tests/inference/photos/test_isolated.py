"""Photos whose decoder holds Python's lock are decoded in a process of their own, as Pillow decodes them."""

import io
import threading
import time
from typing import Any
from unittest import mock

import numpy as np
import psutil
import pytest
from PIL import Image

from detection.inference.errors import ImageDecodeError, OverloadedError
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.isolated import decoder

PIXELS = 64_000_000
EDGE = 600


def noise(mode: str, edge: int = EDGE) -> Image.Image:
    """Return a picture of coarse noise: not every decoder would give it back otherwise."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(0).integers(0, 256, (edge // 10, edge // 10, channels), dtype=np.uint8)
    image = Image.fromarray(values.repeat(10, 0).repeat(10, 1).squeeze())
    return image if mode != "I;16" else Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def processes_of_ours() -> list[psutil.Process]:
    """Processes that decode for this one: other tests may have left servers of theirs."""
    return [one for one in psutil.Process().children() if any("isolated" in part for part in one.cmdline())]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """Photos that were given to a process."""
    given: list[Image.Image] = []

    def note(opened: Image.Image) -> Image.Image:
        given.append(opened)
        return decoder.decode_in_process(opened)

    monkeypatch.setattr("detection.inference.photos.decode.decode_in_process", note)
    return given


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_jpeg_2000_is_decoded_as_by_pillow(mode: str, processes: list[Image.Image]) -> None:
    data = encoded(noise(mode), "JPEG2000")
    found = decode_photo(data, max_pixels=PIXELS)
    with mock.patch.dict(decoder._SMALL, clear=True):
        here = decode_photo(data, max_pixels=PIXELS)
    assert (len(processes), found.info) == (1, here.info)
    assert np.array_equal(np.asarray(found.image_rgb), np.asarray(here.image_rgb))
    assert processes_of_ours() == []


def test_large_animation_is_decoded_as_by_pillow(processes: list[Image.Image]) -> None:
    first, second = noise("RGB", 2100), Image.new("RGB", (2100, 2100))
    found = decode_photo(
        encoded(first, "WEBP", save_all=True, append_images=[second], lossless=True), max_pixels=PIXELS
    )
    assert len(processes) == 1
    assert np.array_equal(np.asarray(found.image_rgb), np.asarray(first))


def test_small_photos_and_stills_take_no_process(processes: list[Image.Image]) -> None:
    small = noise("RGB", 100)
    for data in (
        encoded(small, "JPEG2000"),
        encoded(small, "WEBP", save_all=True, append_images=[Image.new("RGB", (100, 100))]),
        encoded(noise("RGB", 2100), "WEBP"),
        encoded(small, "JPEG"),
    ):
        decode_photo(data, max_pixels=PIXELS)
    assert processes == []


def test_others_go_on_meanwhile() -> None:
    values = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(values), "JPEG2000")
    over, waits = threading.Event(), [0.0]

    def wait() -> None:
        last = time.perf_counter()
        while not over.wait(0.001):
            now = time.perf_counter()
            waits.append(now - last)
            last = now

    other = threading.Thread(target=wait)
    other.start()
    started = time.perf_counter()
    decode_photo(data, max_pixels=PIXELS)
    lasted = time.perf_counter() - started
    over.set()
    other.join()
    assert max(waits) < lasted / 2


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_damaged_file_is_refused_and_leaves_no_process(share: float) -> None:
    data = encoded(noise("RGB"), "JPEG2000")
    start = data.index(b"\xff\x52")
    damaged = data[:start] + bytes(byte ^ 0x5A for byte in data[start : start + int(len(data) * share)]) + data[start:]
    with pytest.raises(ImageDecodeError):
        decode_photo(damaged, max_pixels=PIXELS)
    assert processes_of_ours() == []


def test_process_that_needs_too_much_memory_costs_its_photo_alone() -> None:
    data = encoded(noise("RGB", 2000), "JPEG2000")
    with mock.patch.multiple(decoder, _LEAST_BYTES=1 << 26, _BYTES_A_PIXEL=0), pytest.raises(ImageDecodeError):
        decode_photo(data, max_pixels=PIXELS)


def test_photo_is_not_blamed_where_no_process_can_be_started() -> None:
    data = encoded(noise("RGB"), "JPEG2000")
    with mock.patch("subprocess.Popen", side_effect=BlockingIOError), pytest.raises(OverloadedError):
        decode_photo(data, max_pixels=PIXELS)
