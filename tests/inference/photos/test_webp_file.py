"""Still WebPs are decoded by libwebp itself, to the pixels that Pillow gives, without Python's lock."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from detection.inference.photos.webp_file import decode_still
from tests.support import photos

SIZE_WH = (333, 217)


def picture(mode: str = "RGB") -> Image.Image:
    image = photos.noise((50, 30)).resize(SIZE_WH)
    if mode == "RGBA":
        image.putalpha(photos.noise((50, 30), 1).convert("L").resize(SIZE_WH))
    return image


def webp(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture(mode).save(buffer, "WEBP", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    "options", [{"quality": 60}, {"lossless": True}, {"lossless": True, "exact": True}, {"icc_profile": b"profile"}]
)
def test_pixels_are_those_of_pillow(mode: str, options: dict[str, object]) -> None:
    data = webp(mode, **options)
    with Image.open(io.BytesIO(data)) as ours, Image.open(io.BytesIO(data)) as pillows:
        still = decode_still(ours)
        assert still is not None
        assert still.mode == pillows.mode == mode
        assert np.array_equal(np.asarray(still), np.asarray(pillows))


def test_animation_is_left_to_pillow() -> None:
    data = webp(save_all=True, append_images=[photos.noise(SIZE_WH)])
    with Image.open(io.BytesIO(data)) as opened:
        assert decode_still(opened) is None


def test_damaged_pixels_are_an_error() -> None:
    data = bytearray(webp(lossless=True))
    data[40:-1] = b"\xff" * (len(data) - 41)
    with Image.open(io.BytesIO(bytes(data))) as opened, pytest.raises(OSError, match="cannot be decoded"):
        decode_still(opened)


def test_others_go_on_while_a_large_one_is_decoded() -> None:
    """Pillow's decoder would hold the lock until the last pixel: the other thread would count a few times at most."""
    buffer = io.BytesIO()
    Image.new("RGB", (5000, 5000), (200, 30, 30)).save(buffer, "WEBP", lossless=True)
    counted, over = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not over.wait(0.0005):
            counted += 1

    with Image.open(buffer) as opened:
        thread = threading.Thread(target=count)
        thread.start()
        before = counted
        decode_still(opened)
        during = counted - before
        over.set()
        thread.join()
    assert during > 20
