"""Limits on what surrounds the pixels in TIFF, JPEG 2000 and HEIF files, checked before a decoder reads them.

Pillow reads the tags of a TIFF and the boxes of a JPEG 2000 in Python, and keeps a copy of each tag's value; a HEIF may
name a small size and hold a huge picture.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from detection.inference.errors import ImageDecodeError
from detection.inference.photos.decompression_guard import TOO_MANY_PARTS
from detection.inference.photos.size_limits import too_large

MAX_PARTS = 20_000
MAX_TAGS = 2_000
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# StripOffsets, StripByteCounts, TileOffsets, TileByteCounts: one value for each piece of the picture.
_PIECES = frozenset({273, 279, 324, 325})
_MORE_BYTES = 1 << 20
_JP2_SUPERBOX, _JP2_CODESTREAM = b"jp2h", b"jp2c"
# SOC and SIZ; behind its length and capabilities follow the sizes of grid and tiles, and the number of channels
# (ITU-T T.800, A.5.1).
_CODESTREAM = b"\xff\x4f\xff\x51"
_SIZE = struct.Struct(">8IH")
_MAX_CHANNELS = 5
_LARGE, _TO_THE_END = 1, 0


@dataclass(frozen=True, slots=True)
class Box:
    """A box of an ISO media or JPEG 2000 file: its type, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def refuse_costly_tiff(data: bytes) -> None:
    """Raise ImageDecodeError for a TIFF of too many tags or pieces, or whose tags have more bytes than the file."""
    total = 0
    for number, (tag, count, size) in enumerate(_tags(data)):
        total += count * size
        if number > MAX_TAGS or (tag in _PIECES and count > MAX_PARTS) or total > 2 * len(data) + _MORE_BYTES:
            raise too_many_parts()


def refuse_large_codestream(data: bytes, max_pixels: int) -> None:
    """Raise ImageDecodeError for a JPEG 2000 of too many boxes or channels, ImageTooLargeError where its codestream has
    too many pixels, whatever its header tells.
    """
    boxes, start = 0, 0
    for box in boxes_of(data, 0, 0 if data.startswith(_CODESTREAM) else len(data)):
        boxes += 1
        if box.kind == _JP2_SUPERBOX:
            boxes += sum(1 for _ in boxes_of(data, box.start, box.end))
        elif box.kind == _JP2_CODESTREAM and not start:
            start = box.start
        if boxes > MAX_PARTS:
            raise too_many_parts()
    if data[start : start + 4] != _CODESTREAM or len(data) < start + _SIZE.size + 8:
        return
    width, height, left, top, _, _, _, _, channels = _SIZE.unpack_from(data, start + 8)
    if max(0, width - left) * max(0, height - top) > max_pixels:
        raise too_large(width - left, height - top, max_pixels)
    if channels > _MAX_CHANNELS:
        raise too_many_parts()


def boxes_of(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two places (ISO/IEC 14496-12, 4.2), at most one more than `MAX_PARTS`."""
    position = start
    for _ in range(MAX_PARTS + 1):
        if position + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        head = 8
        if length == _LARGE and position + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        stop = end if length == _TO_THE_END else min(position + length, end)
        if stop < position + head:
            return
        yield Box(kind, position + head, stop)
        position = stop


def _tags(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield tag, number of values and bytes of each in the first directory of a TIFF or BigTIFF."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in {b"+\0", b"\0+"}
    offset, counts, entry = (8, "Q", "HHQQ") if is_big else (4, "H", "HHII")
    try:
        (start,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", data, offset)
        (entries,) = struct.unpack_from(f"{order}{counts}", data, start)
        start += struct.calcsize(f"{order}{counts}")
        size = struct.calcsize(f"{order}{entry}")
        for number in range(min(entries, MAX_TAGS + 1)):
            tag, kind, count, _ = struct.unpack_from(f"{order}{entry}", data, start + number * size)
            yield tag, count, _TYPE_BYTES.get(kind, 1)
    except struct.error:  # it ends within its directory, which the decoder finds too
        return


def too_many_parts() -> ImageDecodeError:
    return ImageDecodeError(TOO_MANY_PARTS(limit=f"{MAX_PARTS:,}"))
