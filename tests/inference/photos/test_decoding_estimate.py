"""The memory of decoding is known from the header, however small the file is."""

import io

import pytest
from PIL import Image

from detection.inference.photos.decoding_memory import LARGE_BYTES, decoding_bytes
from tests.support import photos

SIZE_WH = (300, 200)
PIXELS = 300 * 200


def encoded(photo_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    photos.noise(SIZE_WH).save(buffer, photo_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "pixel_bytes"),
    [
        pytest.param(encoded("PNG"), 8, id="PNG"),
        pytest.param(encoded("JPEG"), 4, id="JPEG"),
        pytest.param(encoded("JPEG", progressive=True), 10, id="progressive JPEG"),
        pytest.param(encoded("JPEG", exif=b"Exif\0\0" + b"\xff\xc0" * 9000), 4, id="JPEG with metadata"),
        pytest.param(encoded("WEBP"), 12, id="WebP"),
        pytest.param(encoded("WEBP", lossless=True), 12, id="lossless WebP"),
        pytest.param(encoded("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"), 12, id="extended WebP"),
        pytest.param(encoded("WEBP", save_all=True, append_images=[photos.noise(SIZE_WH, 1)]), 20, id="animated WebP"),
        pytest.param(encoded("GIF"), 12, id="GIF"),
        pytest.param(encoded("BMP"), 12, id="BMP"),
        pytest.param(encoded("TIFF"), 12, id="TIFF"),
        pytest.param(encoded("TIFF", big_tiff=True), 12, id="BigTIFF"),
        pytest.param(encoded("AVIF"), 12, id="AVIF"),
        pytest.param(encoded("JPEG2000"), 20, id="JPEG 2000"),
        pytest.param(encoded("JPEG2000", no_jp2=True), 20, id="codestream of JPEG 2000"),
    ],
)
def test_pixels_are_counted_in_every_format(data: bytes, pixel_bytes: int) -> None:
    assert decoding_bytes(data) == pixel_bytes * PIXELS


def test_jpeg_that_is_decoded_small_takes_little() -> None:
    assert decoding_bytes(encoded("JPEG"), 40) == 4 * PIXELS // 16


@pytest.mark.parametrize(
    "data", [b"", b"no photo", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", b"RIFF1234WEBP", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_photo_takes_nothing(data: bytes) -> None:
    assert decoding_bytes(data) in {0, 12}


def test_small_file_of_many_pixels_is_large() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(buffer, "WEBP", lossless=True)
    assert len(buffer.getvalue()) < 10_000
    assert decoding_bytes(buffer.getvalue()) > LARGE_BYTES


def test_jpeg_2000_takes_its_turn_among_the_large_ones() -> None:
    buffer = io.BytesIO()
    photos.noise((600, 400)).save(buffer, "JPEG2000")
    assert decoding_bytes(buffer.getvalue()) > LARGE_BYTES
