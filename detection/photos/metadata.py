"""Strips photos of metadata about their owners: EXIF (place, camera), comments, embedded second pictures.

The compressed pixels are copied unchanged, so nothing is lost. Where that is not possible the caller re-encodes.
"""

import struct
from collections.abc import Iterator

import numpy as np

from detection.inference.photos.exif import orientation_exif
from detection.inference.photos.png_file import SIGNATURE, chunk_bytes, chunks_of

_SOI, _EOI, _SOS, _APP0, _APP2, _APP14, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE2, 0xEE, 0xFE
_APP_MARKERS = range(0xE0, 0xF0)
_FILL, _RST_FIRST, _RST_LAST = 0xFF, 0xD0, 0xD7
# Searched at once: a file of many short scans is not read to its end for each of them.
_BLOCK_BYTES = 1 << 20
# A photo with all metadata of cameras and editors has some hundred.
_MOST_SEGMENTS = 20_000
# A JFIF segment (ITU-T T.871, section 10.1) of 16 bytes: version and density are copied, its thumbnail is not.
_JFIF_START = b"\xff\xe0\x00\x10JFIF\0"
# Chunks that affect the look of the pixels (PNG specification, section 11); text, time and EXIF are left out.
_PNG_KEPT = frozenset(
    {
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"iCCP",
        b"sBIT",
        b"pHYs",
        b"bKGD",
        b"cICP",
    }
)
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_WEBP_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP"})
_WEBP_EXIF_FLAG = 0x08
_WEBP_EXIF_XMP_FLAGS = _WEBP_EXIF_FLAG | 0x04
_WEBP_ANIMATION_FLAG = 0x02
_WEBP_VP8X_BYTES = 10


class NotStrippableError(ValueError):
    """The file's structure is not supported for copying; decode and encode it instead."""


def strip_metadata(data: bytes, photo_format: str, orientation: int) -> bytes:
    """Return the file without metadata but for its orientation (EXIF's 1..8), where that is not upright.

    Raises NotStrippableError where the picture must be re-encoded.
    """
    if photo_format == "JPEG":
        return _strip_jpeg(data, orientation)
    return _strip_png(data, orientation) if photo_format == "PNG" else _strip_webp(data, orientation)


def _strip_jpeg(data: bytes, orientation: int) -> bytes:
    if data[:2] != b"\xff\xd8":
        raise NotStrippableError("no JPEG start")
    kept = [b"\xff\xd8"]
    if orientation != 1:
        kept.append(_orientation_segment(orientation))
    for marker, segment in _jpeg_segments(data):
        if marker == _APP0 and segment[4:9] == b"JFIF\0":
            kept.append(_JFIF_START + segment[9:16].ljust(7, b"\0") + b"\0\0")
        elif _keeps_jpeg_segment(marker, segment):
            kept.append(segment)
    return b"".join(kept)


def _keeps_jpeg_segment(marker: int, segment: bytes) -> bool:
    if marker == _COM:
        return False
    if marker not in _APP_MARKERS:
        return True
    # Adobe's colour transform and the colour profile decide how the pixels look.
    return (marker == _APP14 and segment[4:9] == b"Adobe") or (marker == _APP2 and segment[4:16] == b"ICC_PROFILE\0")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and bytes of each segment after SOI; a scan's compressed data belongs to its SOS. Ends with EOI."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if data[position : position + 1] != b"\xff":
            raise NotStrippableError("a JPEG segment is not where it should be")
        while data[position + 1 : position + 2] == b"\xff":
            position += 1
        if position + 4 > len(data):
            if data[position : position + 2] == b"\xff\xd9":
                yield _EOI, b"\xff\xd9"
                return
            raise NotStrippableError("the JPEG ends within a segment")
        marker = data[position + 1]
        if marker == _EOI:
            yield _EOI, b"\xff\xd9"
            return
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if marker == _SOS:
            end = _scan_end(data, end)
        yield marker, data[position:end]
        position = end
    raise NotStrippableError("the JPEG has too many segments")


def _scan_end(data: bytes, start: int) -> int:
    """Return the end of the compressed data that begins at `start`.

    In it 0xFF is followed by 0x00 (a stuffed byte), a restart marker or another 0xFF (a fill byte); anything else is
    the next segment (ITU-T T.81, B.1.1.5). In NumPy, because this reads nearly every byte of nearly every photo.
    """
    for begin in range(start, len(data), _BLOCK_BYTES):
        block = np.frombuffer(data, dtype=np.uint8)[begin : begin + _BLOCK_BYTES + 1]
        marks = np.flatnonzero(block[:-1] == _FILL)
        after = block[marks + 1]
        ends = np.flatnonzero((after != 0) & (after != _FILL) & ((after < _RST_FIRST) | (after > _RST_LAST)))
        if len(ends):
            return begin + int(marks[ends[0]])
    raise NotStrippableError("the JPEG ends within its compressed data")


def _orientation_segment(orientation: int) -> bytes:
    """Build an EXIF segment of the orientation and nothing else."""
    body = b"Exif\0\0" + orientation_exif(orientation)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _strip_png(data: bytes, orientation: int) -> bytes:
    kept = [SIGNATURE]
    for chunk in chunks_of(data):
        if chunk.kind in _PNG_KEPT and chunk.is_intact:
            kept.append(data[chunk.start : chunk.end])
        elif chunk.kind in _PNG_PIXELS:
            raise NotStrippableError("the PNG's pixels are damaged")
        if chunk.kind == b"IHDR" and orientation != 1:
            kept.append(chunk_bytes(b"eXIf", orientation_exif(orientation)))
        if chunk.kind == b"IEND":
            return b"".join(kept)
    raise NotStrippableError("the PNG has no end")


def _strip_webp(data: bytes, orientation: int) -> bytes:
    kept: list[bytes] = []
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + (length & 1)
        if position + 8 + length > len(data):
            raise NotStrippableError("the WebP ends within a chunk")
        chunk = data[position:end]
        if kind == b"VP8X":
            if length < _WEBP_VP8X_BYTES:
                raise NotStrippableError("the WebP's header is too short")
            flags = chunk[8]
            if flags & _WEBP_ANIMATION_FLAG:
                raise NotStrippableError("of an animation only the first frame is kept")
            flags = flags & ~_WEBP_EXIF_XMP_FLAGS | (_WEBP_EXIF_FLAG if orientation != 1 else 0)
            chunk = chunk[:8] + bytes([flags]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept.append(chunk)
        position = end
    if not kept:
        raise NotStrippableError("the WebP has no picture")
    if orientation != 1:
        exif = orientation_exif(orientation)
        kept.append(b"EXIF" + struct.pack("<I", len(exif)) + exif)
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
