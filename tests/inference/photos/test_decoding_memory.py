"""The cost of a picture with many pixels in few bytes: no more than a photo of as many pixels."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detection.inference.photos.decode import decode_photo
from tests.inference.paths import REPOSITORY
from tests.support import photos

EDGE = 4000
PROGRAM = """
import re, sys
from detection.inference.photos.decode import decode_photo
def peak():  # of this program; getrusage tells that of the one that started it, if it was larger
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
data = open(sys.argv[1], "rb").read()
before = peak()
photo = decode_photo(data, max_pixels=20_000_000)
print(peak() - before, *photo.image_rgb.size)
"""
# Those of the picture itself, as Pillow holds it, and four for RGB; WebP's decoder holds the picture four times.
BYTES_A_PIXEL = {"I;16": 2 + 4, "P": 1 + 4, "LA": 4 + 4, "RGBA": 4 + 4, "WEBP": 4 * 4 + 4}
# For a strip of the picture in its steps.
MORE_BYTES = 32 * 2**20


def picture(kind: str, size_wh: tuple[int, int]) -> bytes:
    """One colour, so that few bytes are enough."""
    match kind:
        case "I;16":
            return photos.sixteen_bit_png(size_wh)
        case "P":
            return photos.encode(Image.new("P", size_wh, 1), "PNG", transparency=0)
        case "WEBP":
            return photos.encode(Image.new("RGBA", size_wh, (10, 20, 30, 128)), "WEBP", method=0)
        case _:
            return photos.encode(Image.new(kind, size_wh), "PNG")


@pytest.mark.parametrize("kind", BYTES_A_PIXEL)
def test_a_picture_of_few_bytes_takes_no_more_memory_than_its_pixels(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(picture(kind, (EDGE, EDGE)))
    assert path.stat().st_size < 100_000
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    peak, width, height = map(int, done.stdout.split())
    assert (width, height) == (EDGE, EDGE)
    assert peak <= EDGE**2 * BYTES_A_PIXEL[kind] + MORE_BYTES


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16"])
def test_a_picture_in_strips_is_the_same_as_its_parts(mode: str) -> None:
    """1,600 x 1,400 pixels are three strips, the parts are less than one."""
    noise = np.random.default_rng(1).integers(0, 256, (1400, 1600, 4), dtype=np.uint8)
    if mode == "I;16":
        whole = Image.fromarray(noise[..., 0] * np.uint16(257))
    else:
        whole = Image.fromarray(noise).convert("RGB" if mode == "P" else mode)
    whole = whole.convert("P") if mode == "P" else whole
    options = {"transparency": 7} if mode == "P" else {}

    def decoded(image: Image.Image) -> np.ndarray:
        data = photos.encode(image, "PNG", compress_level=1, **options)
        return np.asarray(decode_photo(data, max_pixels=3_000_000).image_rgb)

    parts = [decoded(whole.crop((0, top, 1600, top + 350))) for top in range(0, 1400, 350)]
    np.testing.assert_array_equal(decoded(whole), np.concatenate(parts))
