"""Finds how large the pictures of a HEIF or AVIF are coded, before a decoder makes room for them.

The size that such a file shows (ispe) and the one that its pictures are coded in are told in different places: in
HEVC's sequence parameter sets and AV1's sequence headers, which a stranger may write as large as the decoders can.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator

from detection.inference.photos.bits import Bits
from detection.inference.photos.container_limits import MAX_PARTS, Box, boxes_of, too_many_parts
from detection.inference.photos.size_limits import too_large

# Decoders pad to whole coding units, and encoders code a little more than is shown.
_MARGIN_PX = 256
_FULL_BOX_HEAD, _CONFIGURATION_HEAD = 4, 22
_HEVC_ITEMS = frozenset({b"hvc1", b"hev1"})
# Versions of `infe` with 16-bit numbers, and of `iloc` with 32-bit ones.
_SHORT_ENTRY, _WIDE_LOCATIONS = 2, 2
_HEVC_SEQUENCE, _AV1_SEQUENCE = 33, 1
# As far as a sequence header is read, and a parameter set up to its size.
_HEADER_BYTES = 128
_FORMAT_444 = 3
_LEB128_BITS = 56
# Above it a level has a tier (AV1 specification, 5.5.1).
_HIGH_TIER_LEVEL = 7


def refuse_large_pictures(data: bytes, max_pixels: int) -> None:
    """Raise ImageTooLargeError for a file whose coded pictures have more pixels than are accepted, and ImageDecodeError
    for one of too many parts.
    """
    for width, height in coded_sizes(data):
        if max(0, width - _MARGIN_PX) * max(0, height - _MARGIN_PX) > max_pixels:
            raise too_large(width, height, max_pixels)


def coded_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield width and height in pixels of each coded sequence; what is damaged is left out.

    Raises ImageDecodeError for too many parts: a part may have no byte, and pieces may lie on each other.
    """
    parts = _Parts()
    for meta in _inside(data, Box(b"", 0, len(data)), (b"meta",)):
        content = Box(b"", meta.start + _FULL_BOX_HEAD, meta.end)
        for box in _inside(data, content, (b"iprp", b"ipco", b"hvcC")):
            yield from _readable(_units_of_configuration(data, box, parts), _hevc_size)
        kinds = dict(_kinds_of_items(data, content))
        for number, piece in _items(data, content, parts):
            if kinds.get(number) in _HEVC_ITEMS:
                yield from _readable(_nal_units(data, piece, parts), _hevc_size)
            elif kinds.get(number) == b"av01":
                yield from _readable(_av1_units(data, piece, parts), _av1_size)


class _Parts:
    """Count of the parts of a file. Raises ImageDecodeError above MAX_PARTS."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise too_many_parts()


def _readable(units: Iterator[bytes], size_of: Callable[[bytes], tuple[int, int]]) -> Iterator[tuple[int, int]]:
    with contextlib.suppress(struct.error, IndexError, EOFError):
        for unit in units:
            yield size_of(unit)


def _inside(data: bytes, box: Box, path: tuple[bytes, ...]) -> Iterator[Box]:
    for inner in boxes_of(data, box.start, box.end):
        if inner.kind == path[0]:
            if len(path) == 1:
                yield inner
            else:
                yield from _inside(data, inner, path[1:])


def _kinds_of_items(data: bytes, content: Box) -> Iterator[tuple[int, bytes]]:
    """Yield number and type of each item (ISO/IEC 14496-12, 8.11.6)."""
    for table in _inside(data, content, (b"iinf",)):
        head = _FULL_BOX_HEAD + (4 if data[table.start : table.start + 1] > b"\0" else 2)
        for entry in boxes_of(data, table.start + head, table.end):
            reader = _Numbers(data, entry)
            with contextlib.suppress(EOFError):
                version = reader.take(1)
                reader.take(3)
                number = reader.take(2 if version == _SHORT_ENTRY else 4)
                reader.take(2)
                yield number, reader.take(4).to_bytes(4, "big")


def _items(data: bytes, content: Box, parts: _Parts) -> Iterator[tuple[int, Box]]:
    """Yield the number of each item and where its pieces lie in the file (ISO/IEC 14496-12, 8.11.3)."""
    inner = next(_inside(data, content, (b"idat",)), None)
    for box in _inside(data, content, (b"iloc",)):
        with contextlib.suppress(EOFError):
            yield from _pieces(data, box, inner, parts)


def _pieces(data: bytes, box: Box, inner: Box | None, parts: _Parts) -> Iterator[tuple[int, Box]]:
    reader = _Numbers(data, box)
    version = reader.take(1)
    reader.take(3)
    sizes, bases = reader.take(1), reader.take(1)
    wide = 2 if version < _WIDE_LOCATIONS else 4
    for _ in range(reader.take(wide)):
        parts.count()
        number = reader.take(wide)
        method = reader.take(2) & 0x0F if version else 0
        reader.take(2)
        base = reader.take(bases >> 4)
        for _ in range(reader.take(2)):
            parts.count()
            reader.take(bases & 0x0F if version else 0)
            start = base + reader.take(sizes >> 4) + (inner.start if method == 1 and inner else 0)
            length = reader.take(sizes & 0x0F)
            yield number, Box(b"", start, min(start + length, len(data)) if length else len(data))


class _Numbers:
    """Numbers of whole bytes in a box. Raises EOFError behind its end."""

    def __init__(self, data: bytes, box: Box) -> None:
        self._data = data
        self._box = box
        self._at = box.start

    def take(self, count: int) -> int:
        self._at += count
        if self._at > self._box.end:
            raise EOFError("the box ends before its end")
        return int.from_bytes(self._data[self._at - count : self._at], "big")


def _units_of_configuration(data: bytes, box: Box, parts: _Parts) -> Iterator[bytes]:
    """Yield the parameter sets in a HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    position = box.start + _CONFIGURATION_HEAD
    arrays = data[position]
    position += 1
    for _ in range(arrays):
        kind, count = struct.unpack_from(">BH", data, position)
        position += 3
        for _ in range(count):
            parts.count()
            (length,) = struct.unpack_from(">H", data, position)
            if kind & 0x3F == _HEVC_SEQUENCE:
                yield data[position + 2 : position + 2 + min(length, _HEADER_BYTES)]
            position += 2 + length


def _nal_units(data: bytes, item: Box, parts: _Parts) -> Iterator[bytes]:
    """Yield the parameter sets that an item of HEVC itself holds, each behind its length."""
    position = item.start
    while position + 6 <= item.end:
        parts.count()
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4] >> 1 & 0x3F == _HEVC_SEQUENCE:
            yield data[position + 4 : position + 4 + min(length, _HEADER_BYTES)]
        position += 4 + length


def _av1_units(data: bytes, item: Box, parts: _Parts) -> Iterator[bytes]:
    """Yield the sequence headers of an item of AV1 (AV1 specification, 5.3)."""
    position = item.start
    while position < item.end:
        parts.count()
        head = data[position]
        position += 2 if head & 0x04 else 1
        length, shift = 0, 0
        while head & 0x02 and shift < _LEB128_BITS:
            length |= (data[position] & 0x7F) << shift
            shift += 7
            position += 1
            if data[position - 1] < 0x80:  # noqa: PLR2004
                break
        length = length if head & 0x02 else item.end - position
        if head >> 3 & 0x0F == _AV1_SEQUENCE:
            yield data[position : position + min(length, _HEADER_BYTES)]
        position += length


def _hevc_size(unit: bytes) -> tuple[int, int]:
    """Return width and height of a sequence parameter set (ITU-T H.265, 7.3.2.2)."""
    bits = Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.skip(4)
    layers = bits.number(3)
    bits.skip(1 + 96)
    present = [(bits.number(1), bits.number(1)) for _ in range(layers)]
    if layers:
        bits.skip(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.skip(88 * has_profile + 8 * has_level)
    bits.exponential()
    if bits.exponential() == _FORMAT_444:
        bits.skip(1)
    return bits.exponential(), bits.exponential()


def _av1_size(unit: bytes) -> tuple[int, int]:
    """Return the largest width and height of a sequence header (AV1 specification, 5.5.1), of stills above all."""
    bits = Bits(unit)
    bits.skip(4)
    if bits.number(1):
        bits.skip(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.number(4) + 1, bits.number(4) + 1
    return bits.number(width_bits) + 1, bits.number(height_bits) + 1


def _skip_operating_points(bits: Bits) -> None:
    has_model = False
    delay_bits = 0
    if bits.number(1):
        bits.skip(64)
        if bits.number(1):
            bits.exponential()
        has_model = bool(bits.number(1))
        if has_model:
            delay_bits = bits.number(5) + 1
            bits.skip(32 + 5 + 5)
    has_delay = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.skip(12)
        if bits.number(5) > _HIGH_TIER_LEVEL:
            bits.skip(1)
        if has_model and bits.number(1):
            bits.skip(2 * delay_bits + 1)
        if has_delay and bits.number(1):
            bits.skip(4)
