"""Memory for decoding photos: estimated from a photo's header, and shared by all who decode in this process.

A file of 34 bytes may be a photo of 60 megapixels, which takes a gigabyte for a moment. Small photos need no turn:
their number is bounded by that of the threads. Large ones wait until there is memory for them, whoever decodes them:
the detector, the recorder, or who draws pictures. They are decoded at a lower priority than all else that the process
does, so that they hardly take time from photos that cost little.
"""

import re
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar

from detection.inference.background import in_background
from detection.inference.hardware import usable_cores
from detection.inference.photos.webp_file import is_animated
from detection.inference.queues.fair_queue import FairTurns, most_large

R = TypeVar("R")
# A photo that takes more is large: a JPEG of 24 megapixels, a PNG of 12, a WebP of 8.
LARGE_BYTES = 100_000_000
# Of all large photos that are decoded at the same time; one that alone takes more is decoded alone.
BUDGET_BYTES = 1_000_000_000

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
# Bytes a pixel at the peak. PNG: Pillow's four, and four for transparency or 16 bits. WebP: its decoder's picture,
# ours, and one more for transparency; of an animation two canvases beside it. A JPEG that is progressive: all its
# coefficients at full size.
_PNG_PIXEL, _WEBP_PIXEL, _ANIMATION_PIXEL, _JPEG_PIXEL, _COEFFICIENTS = 8, 12, 20, 4, 6
# Their decoders hold the picture once more, beside Pillow's.
_OTHER_PIXEL = 12
# OpenJPEG's picture, four bytes a channel, and Pillow's in two processes (`isolated/`).
_JPEG_2000_PIXEL = 20
_JPEG_2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
# Smaller files, in bytes, are decoded at once.
_SMALL_FILE = 300_000
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT, _TIFF_LONG, _MOST_TAGS = 256, 257, 3, 4, 1000
_HEAD_BYTES = 65_536
_SCALES = (8, 4, 2)
_MOST_SEGMENTS = 500
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SOS = 0xDA
_PLAIN = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_SEGMENT = struct.Struct(">BBH")


def decoding_bytes(data: bytes, min_edge_px: int | None = None) -> int:
    """Estimate the memory for decoding a photo from its header; 0 for what is no photo. min_edge_px: as decoded."""
    if data.startswith(_PNG):
        return _PNG_PIXEL * int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return (_ANIMATION_PIXEL if is_animated(data) else _WEBP_PIXEL) * _webp_pixels(data)
    if data.startswith(_JPEG):
        return _jpeg_bytes(data, min_edge_px)
    pixels = max(
        (pixels_of(data) for starts, pixels_of in _OTHERS if any(data.startswith(start, at) for at, start in starts)),
        default=0,
    )
    if not data.startswith(_JPEG_2000):
        return _OTHER_PIXEL * pixels
    # It takes many times as long as another photo of its size, and has its turn among the large ones.
    return max(_JPEG_2000_PIXEL * pixels, LARGE_BYTES + 1 if len(data) > _SMALL_FILE else 0)


def _webp_pixels(data: bytes) -> int:
    kind = data[12:16]
    if kind == b"VP8X":
        return (1 + int.from_bytes(data[24:27], "little")) * (1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF))
    return (int.from_bytes(data[26:28], "little") & 0x3FFF) * (int.from_bytes(data[28:30], "little") & 0x3FFF)


def _gif_pixels(data: bytes) -> int:
    return int.from_bytes(data[6:8], "little") * int.from_bytes(data[8:10], "little")


def _bmp_pixels(data: bytes) -> int:
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
    return abs(width * height)


def _box_pixels(data: bytes) -> int:
    """Return the pixels of HEIF and AVIF (box `ispe`, the largest of several), and of JPEG 2000 (`ihdr`)."""
    head = data[:_HEAD_BYTES]
    sizes = [head[found.end() + 4 :][:8] for found in re.finditer(b"ispe", head)]
    sizes += [head[found.end() :][:8] for found in re.finditer(b"ihdr", head)]
    return max((int.from_bytes(size[:4], "big") * int.from_bytes(size[4:], "big") for size in sizes), default=0)


def _codestream_pixels(data: bytes) -> int:
    return int.from_bytes(data[8:12], "big") * int.from_bytes(data[12:16], "big")


def _tiff_pixels(data: bytes) -> int:
    """Return the pixels of a TIFF or BigTIFF, whose numbers have four and eight bytes."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    width = 8 if b"+" in data[2:4] else 4
    start = int.from_bytes(data[width : 2 * width], order)
    first = start + (8 if width == 8 else 2)  # noqa: PLR2004 - of the same
    sizes = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    for number in range(min(_MOST_TAGS, int.from_bytes(data[start:first], order))):
        entry = data[first + (4 + 2 * width) * number :][: 4 + 2 * width]
        tag, kind = int.from_bytes(entry[:2], order), int.from_bytes(entry[2:4], order)
        if tag in sizes:
            value = entry[4 + width :]
            sizes[tag] = int.from_bytes(value[:2] if kind == _TIFF_SHORT else value[:4], order)
            if kind > _TIFF_LONG:
                sizes[tag] = int.from_bytes(value, order)
    return sizes[_TIFF_WIDTH] * sizes[_TIFF_HEIGHT]


_OTHERS = (
    (((0, b"GIF8"),), _gif_pixels),
    (((0, b"BM"),), _bmp_pixels),
    (((4, b"ftyp"), (4, b"jP  ")), _box_pixels),
    (((0, b"\xff\x4f\xff\x51"),), _codestream_pixels),
    (((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")), _tiff_pixels),
)


def _jpeg_bytes(data: bytes, min_edge_px: int | None) -> int:
    position = _after_plain_segments(data)
    for _ in range(_MOST_SEGMENTS):
        position = data.find(b"\xff", position)
        marker = data[position + 1] if 0 <= position < len(data) - 1 else _SOS
        if marker == _SOS:
            break
        if marker in _FRAMES:
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            width = int.from_bytes(data[position + 7 : position + 9], "big")
            edge = min(width, height)
            scale = next((one for one in _SCALES if min_edge_px and edge // one >= min_edge_px), 1)
            coefficients = _COEFFICIENTS if marker in _PROGRESSIVE else 0
            return width * height * _JPEG_PIXEL // (scale * scale) + width * height * coefficients
        is_alone = marker == 0xFF or marker in _ALONE  # noqa: PLR2004 - a fill byte
        position += 1 if is_alone else 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return 0


def _after_plain_segments(data: bytes) -> int:
    """Return where the first segment begins that is no table, comment or metadata; quick, as each photo comes by."""
    position, end = 2, len(data) - _SEGMENT.size
    while position <= end:
        start, marker, size = _SEGMENT.unpack_from(data, position)
        if start != 0xFF or marker not in _PLAIN:  # noqa: PLR2004 - what begins a marker
            break
        position += 2 + size
    return position


_turns = FairTurns(BUDGET_BYTES, most_large(usable_cores()))


def decoding(size: int, caller: str = "", timeout_s: float | None = None) -> AbstractContextManager[None]:
    """Hold so many bytes of memory for a photo, as soon as there are. Raises OverloadedError."""
    return _turns.turn(size, caller, timeout_s) if size > LARGE_BYTES else nullcontext()


def run_decoding(size: int, decode: Callable[[], R], caller: str = "") -> R:
    """Run what decodes a photo and takes so many bytes of memory. Raises OverloadedError, and what it raises."""
    with decoding(size, caller):
        return in_background(decode) if size > LARGE_BYTES else decode()
