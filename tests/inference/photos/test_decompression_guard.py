"""Files that are small and take minutes are refused at once; whatever cameras and editors write is not."""

import struct
import time
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from PIL import Image

from detection.inference.errors import ImageDecodeError
from detection.inference.photos import decompression_guard
from detection.inference.photos.decode import decode_photo, read_info
from tests.support import photos

LIMIT = 60_000_000
MOST_SECONDS = 2.0
MEGABYTES = 20_000_000
SCANS = "The photo is a JPEG of more than 50 scans, which would take too long to decode."
COMPONENTS = ((1, b"\x00"), (2, b"\x11"), (3, b"\x11"))
PARTS = "The photo's file has more than 20,000 parts beside its pixels."


def grey(photo_format: str, size_wh: tuple[int, int] = (64, 64), **options: object) -> bytes:
    return photos.encode(Image.new("RGB", size_wh, (128, 128, 128)), photo_format, **options)


def progressive(more_scans: int, size_wh: tuple[int, int] = (3000, 3000)) -> bytes:
    """A JPEG that says its last scan so many times more, in 23 bytes each."""
    whole = grey("JPEG", size_wh, progressive=True)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + last * more_scans + b"\xff\xd9"


def in_three_scans(more_scans: int) -> bytes:
    """A baseline JPEG whose scans have one component each, as some encoders write them; the last one so often more."""
    whole = grey("JPEG", (3000, 3000))
    start = whole.index(b"\xff\xda")
    scans = [b"\xff\xda\x00\x08\x01" + bytes([part]) + table + b"\x00\x3f\x00" for part, table in COMPONENTS]
    pixels = whole[start + 14 : -2]
    return whole[:start] + b"".join(scan + pixels for scan in scans) + (scans[-1] + pixels) * more_scans + b"\xff\xd9"


def jpeg_after_start(inserted: bytes) -> bytes:
    whole = grey("JPEG")
    return whole[:2] + inserted + whole[2:]


def png_after_header(chunk: bytes) -> bytes:
    whole = grey("PNG")
    return whole[:33] + chunk + whole[33:]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(partial(progressive, 2000), SCANS, id="scans"),
        pytest.param(partial(in_three_scans, 2000), SCANS, id="scans of a baseline JPEG"),
        pytest.param(partial(jpeg_after_start, b"\xff\xe5\x00\x02" * (MEGABYTES // 4)), PARTS, id="empty segments"),
        pytest.param(partial(jpeg_after_start, b"\xff" * MEGABYTES), PARTS, id="fill bytes"),
        pytest.param(partial(jpeg_after_start, b"\xff\x00" * (MEGABYTES // 2)), PARTS, id="stuffed zeros"),
        pytest.param(partial(jpeg_after_start, b"\xff\xd0" * (MEGABYTES // 2)), PARTS, id="restart markers"),
        pytest.param(partial(jpeg_after_start, b"a" * MEGABYTES), PARTS, id="text"),
        pytest.param(partial(png_after_header, chunk(b"prVt") * (MEGABYTES // 12)), PARTS, id="empty chunks"),
        pytest.param(partial(png_after_header, chunk(b"IDAT") * (MEGABYTES // 12)), PARTS, id="empty pieces of pixels"),
    ],
)
def test_costly_file_is_refused_at_once(make: Callable[[], bytes], sentence: str) -> None:
    data = make()
    started = time.process_time()
    with pytest.raises(ImageDecodeError) as caught:
        decode_photo(data, max_pixels=LIMIT)
    assert time.process_time() - started < MOST_SECONDS
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(progressive(30, (64, 64)), id="progressive with many scans"),
        pytest.param(jpeg_after_start(b"\xff\xe5\x00\x02" * 5000), id="many segments"),
        pytest.param(jpeg_after_start(b"\xff" * 5000), id="fill bytes"),
        pytest.param(grey("JPEG") + b"\xff\xda" * 1000, id="a film behind the photo"),
        pytest.param(
            jpeg_after_start(b"\xff\xe1" + struct.pack(">H", 60_002) + b"\xff\xda" * 30_000), id="within a segment"
        ),
        pytest.param(png_after_header(chunk(b"tEXt", b"a\0b") * 5000), id="many chunks"),
    ],
)
def test_unusual_file_is_read(data: bytes) -> None:
    assert decode_photo(data, max_pixels=LIMIT).image_rgb.getpixel((32, 32)) == (128, 128, 128)


def is_affordable(data: bytes) -> bool:
    """Whether the structure of a file is let through; what it shows is another matter."""
    try:
        decompression_guard.refuse_expensive(data)
    except ImageDecodeError:
        return False
    return True


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", range(0, 400, 7))
def test_file_that_ends_early_costs_nothing(photo_format: str, kept: int) -> None:
    assert is_affordable(grey(photo_format)[:kept])


def test_scan_without_an_end_is_no_scan_too_many() -> None:
    whole = progressive(0)
    assert is_affordable(whole[:-2] + b"\xff\x00\xff\xda" * decompression_guard.MAX_SCANS)


def test_header_alone_is_judged_too() -> None:
    with pytest.raises(ImageDecodeError):
        read_info(progressive(2000), max_pixels=LIMIT)
