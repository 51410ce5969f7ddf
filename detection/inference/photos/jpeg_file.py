"""Reads JPEGs without their metadata, and completes truncated ones, as viewers do."""

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
_APP1, _APP14, _COM, _SOS = 0xE1, 0xEE, 0xFE, 0xDA
_APP_MARKERS = range(0xE0, 0xF0)
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_EXIF = b"Exif\0\0"
# Identifier, version, two flags and the colour transform (Adobe technical note 5116).
_ADOBE_BYTES = 12
# What libjpeg makes of blocks that it has no data for: the middle of each component's range.
_GREY = 128


def without_metadata(data: bytes) -> tuple[bytes, bytes | None]:
    """Return a JPEG without application segments and comments, and its EXIF; for decoders that fall over those.

    Adobe's segment stays where it is whole: it tells how the colours are coded.
    """
    kept, exif, position = [SOI], None, len(SOI)
    for marker, start, end in _segments(data):
        position = end
        body = data[start + 4 : end]
        if marker == _APP1 and body.startswith(_EXIF) and exif is None:
            exif = body
        is_adobe = marker == _APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_BYTES
        if is_adobe or not (marker in _APP_MARKERS or marker == _COM):
            kept.append(data[start:end])
    return b"".join([*kept, data[position:]]), exif


def completed(data: bytes) -> bytes:
    """Return a cut-off JPEG with an end, so that a decoder reads it as far as it goes."""
    # Half a marker at the end would take the first byte of what is added for its own.
    return data.rstrip(b"\xff") + EOI


def share_of_rows(image: Image.Image) -> float:
    """Return which share of a completed picture's rows came from its file: those above its grey end, 0 to 1."""
    pixels = np.asarray(image)
    is_grey = (pixels.reshape(len(pixels), -1) == _GREY).all(axis=1)
    coloured = np.flatnonzero(~is_grey)
    return (int(coloured[-1]) + 1) / len(pixels) if len(coloured) else 0.0


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the first scan."""
    position = len(SOI)
    while found := _MARKER.search(data, position):
        marker, start = found[1][0], found.start()
        if marker == _SOS:
            return
        length = 0 if marker in _ALONE else int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + length
        yield marker, start, position
