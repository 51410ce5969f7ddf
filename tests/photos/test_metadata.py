"""Stripping keeps every pixel and nothing that tells about the photo's owner."""

import io
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from detection.photos.metadata import NotStrippableError, strip_metadata
from tests.support import photos

SECRET = b"48.8583N 2.2945E"
ORIENTATION_TAG, GPS_TAG, DESCRIPTION_TAG = 0x0112, 0x8825, 0x010E


def secret_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[DESCRIPTION_TAG] = SECRET.decode()
    exif[ORIENTATION_TAG] = orientation
    exif.get_ifd(GPS_TAG)[29] = SECRET.decode()
    return exif


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments: bytes) -> bytes:
    """A JPEG with more segments behind its start."""
    whole = photos.encode(photos.two_colours())
    return whole[:2] + b"".join(segments) + whole[2:]


def png_with_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return photos.encode(photos.two_colours(), "PNG", pnginfo=text, exif=secret_exif(), icc_profile=b"profile")


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def webp_of(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mpo() -> bytes:
    """A JPEG with a second picture behind the first, as phones write them."""
    second = photos.noise((64, 32))
    return photos.encode(photos.two_colours(), "MPO", save_all=True, append_images=[second])


def jfif_with_thumbnail() -> bytes:
    """A JFIF header whose thumbnail, 2 x 1 pixels, shows what was cut out of the photo."""
    whole = photos.encode(photos.two_colours())
    start = 4 + 14 + 2
    assert whole[6:11] == b"JFIF\0"
    header = segment(0xE0, whole[6:18] + bytes([2, 1]) + SECRET[:6])
    return whole[:2] + header + whole[start:]


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("photo_format", "build"),
    [
        pytest.param("JPEG", lambda: photos.encode(photos.two_colours(), exif=secret_exif()), id="JPEG with EXIF"),
        pytest.param("JPEG", lambda: photos.encode(photos.two_colours(), comment=SECRET), id="JPEG with a comment"),
        pytest.param("JPEG", lambda: photos.encode(photos.two_colours(), xmp=SECRET), id="JPEG with XMP"),
        pytest.param("JPEG", lambda: jpeg_with(segment(0xED, b"Photoshop 3.0\0" + SECRET)), id="JPEG with IPTC"),
        pytest.param("JPEG", lambda: jpeg_with(segment(0xE2, b"FPXR\0" + SECRET)), id="JPEG with FlashPix"),
        pytest.param("JPEG", lambda: jpeg_with(segment(0xE0, b"JFXX\0\x10" + SECRET)), id="JPEG with JFXX thumbnail"),
        pytest.param("JPEG", lambda: jpeg_with(segment(0xEE, b"Other\0" + SECRET)), id="JPEG with unknown APP14"),
        pytest.param("JPEG", lambda: jpeg_with(b"\xff\xff" + segment(0xFE, SECRET)), id="JPEG with fill bytes"),
        pytest.param("JPEG", lambda: photos.encode(photos.two_colours()) + SECRET, id="JPEG with bytes behind its end"),
        pytest.param("JPEG", mpo, id="MPO with a second picture"),
        pytest.param("JPEG", jfif_with_thumbnail, id="JFIF with a thumbnail"),
        pytest.param(
            "JPEG",
            lambda: photos.encode(photos.two_colours(), progressive=True, exif=secret_exif()),
            id="progressive JPEG",
        ),
        pytest.param(
            "JPEG",
            lambda: photos.encode(photos.two_colours().convert("CMYK"), exif=secret_exif()),
            id="CMYK JPEG",
        ),
        pytest.param("PNG", png_with_text, id="PNG with EXIF, text and XMP"),
        pytest.param("PNG", lambda: photos.encode(photos.two_colours(), "PNG") + SECRET, id="PNG with bytes behind"),
        pytest.param(
            "WEBP",
            lambda: photos.encode(photos.two_colours(), "WEBP", exif=secret_exif(), xmp=SECRET, lossless=True),
            id="WebP with EXIF and XMP",
        ),
        pytest.param("WEBP", lambda: photos.encode(photos.two_colours(), "WEBP"), id="simple WebP"),
    ],
)
def test_stripping_keeps_the_pixels_and_removes_the_rest(photo_format: str, build: Callable[[], bytes]) -> None:
    original = build()
    stripped = strip_metadata(original, photo_format, 1)
    assert np.array_equal(pixels(stripped), pixels(original))
    assert SECRET[:6] not in stripped
    assert len(stripped) <= len(original)
    with Image.open(io.BytesIO(stripped)) as image:
        assert not image.getexif()
        assert getattr(image, "n_frames", 1) == 1
        assert "xmp" not in image.info
        assert "comment" not in image.info


@pytest.mark.parametrize("orientation", range(2, 9))
def test_orientation_of_a_jpeg_stays_and_nothing_else_of_its_exif(orientation: int) -> None:
    original = photos.encode(photos.two_colours(), exif=secret_exif(orientation))
    with Image.open(io.BytesIO(strip_metadata(original, "JPEG", orientation))) as image:
        assert dict(image.getexif()) == {ORIENTATION_TAG: orientation}


@pytest.mark.parametrize(
    ("photo_format", "profile_format"), [("JPEG", "JPEG"), ("PNG", "PNG"), ("WEBP", "WEBP")], ids=str
)
def test_colour_profile_stays(photo_format: str, profile_format: str) -> None:
    original = photos.encode(photos.two_colours(), profile_format, icc_profile=b"a colour profile", exif=secret_exif())
    with Image.open(io.BytesIO(strip_metadata(original, photo_format, 1))) as image:
        assert image.info["icc_profile"] == b"a colour profile"


def test_stripping_twice_changes_nothing_more() -> None:
    once = strip_metadata(photos.encode(photos.two_colours(), exif=secret_exif(6)), "JPEG", 6)
    assert strip_metadata(once, "JPEG", 6) == once


@pytest.mark.parametrize(
    ("data", "photo_format", "orientation"),
    [
        pytest.param(b"", "JPEG", 1, id="no bytes"),
        pytest.param(b"\xff\xd8", "JPEG", 1, id="JPEG start only"),
        pytest.param(b"\xff\xd8\xff\xff\xff", "JPEG", 1, id="JPEG fill bytes only"),
        pytest.param(b"\xff\xd8abc", "JPEG", 1, id="JPEG without segments"),
        pytest.param(photos.encode(photos.two_colours())[:-2], "JPEG", 1, id="JPEG without end"),
        pytest.param(photos.encode(photos.two_colours())[:30], "JPEG", 1, id="JPEG within its tables"),
        pytest.param(photos.encode(photos.two_colours(), "PNG")[:-12], "PNG", 1, id="PNG without end"),
        pytest.param(photos.encode(photos.two_colours(), "PNG")[:50], "PNG", 1, id="PNG within a chunk"),
        pytest.param(photos.encode(photos.two_colours(), "WEBP")[:-4], "WEBP", 1, id="WebP within a chunk"),
        pytest.param(webp_of(webp_chunk(b"VP8X", b"")), "WEBP", 1, id="WebP with an empty header"),
        pytest.param(webp_of(webp_chunk(b"EXIF", SECRET)), "WEBP", 1, id="WebP without a picture"),
        pytest.param(photos.animated_webp(photos.two_colours(), photos.noise((64, 32))), "WEBP", 1, id="animated WebP"),
    ],
)
def test_what_is_not_understood_is_left_to_the_encoder(data: bytes, photo_format: str, orientation: int) -> None:
    with pytest.raises(NotStrippableError):
        strip_metadata(data, photo_format, orientation)


ORIGINALS = {
    "JPEG": photos.encode(photos.two_colours(), exif=secret_exif(), comment=SECRET, progressive=True),
    "PNG": png_with_text(),
    "WEBP": photos.encode(photos.two_colours(), "WEBP", exif=secret_exif()),
}


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(photo_format=st.sampled_from(sorted(ORIGINALS)), data=st.data())
def test_damaged_files_are_stripped_or_refused_and_never_crash(photo_format: str, data: st.DataObject) -> None:
    damaged = bytearray(ORIGINALS[photo_format])
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=6)):
        damaged[position] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        stripped = strip_metadata(cut, photo_format, 1)
    except NotStrippableError:
        return
    assert stripped
    assert len(stripped) <= len(cut) + 2  # a JFIF header may be filled up


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(photo_format=st.sampled_from(sorted(ORIGINALS)), tail=st.binary(max_size=200))
def test_bytes_at_random_are_stripped_or_refused_and_never_crash(photo_format: str, tail: bytes) -> None:
    try:
        stripped = strip_metadata(ORIGINALS[photo_format][:12] + tail, photo_format, 1)
    except NotStrippableError as error:
        assert str(error)  # noqa: PT017 either outcome is right; anything else fails the test
    else:
        assert stripped


def test_chunks_of_a_png_keep_their_checksums() -> None:
    stripped = strip_metadata(png_with_text(), "PNG", 1)
    position, kinds = 8, []
    while position < len(stripped):
        length, kind = struct.unpack_from(">I4s", stripped, position)
        body = stripped[position + 4 : position + 8 + length]
        assert struct.unpack_from(">I", stripped, position + 8 + length)[0] == zlib.crc32(body)
        kinds.append(kind)
        position += 12 + length
    assert kinds == [b"IHDR", b"iCCP", b"IDAT", b"IEND"]


def test_jpeg_of_many_short_scans_is_read_once() -> None:
    """Each scan's end used to be looked for in the whole rest of the file."""
    whole = photos.encode(photos.two_colours(), progressive=True)
    scan = whole[whole.rfind(b"\xff\xda") : -2]
    data = whole[:-2] + scan * 300 + bytes(15_000_000) + b"\xff\xd9"
    started = time.process_time()
    assert len(strip_metadata(data, "JPEG", 1)) == len(data)
    assert time.process_time() - started < 3


def test_jpeg_of_endless_segments_is_encoded_anew() -> None:
    whole = photos.encode(photos.two_colours())
    with pytest.raises(NotStrippableError, match="too many segments"):
        strip_metadata(whole[:2] + b"\xff\xe5\x00\x02" * 30_000 + whole[2:], "JPEG", 1)
