"""Reads a PNG as a list of chunks, and separates those of its pixels from metadata.

The decoder gets the chunks of the pixels alone. Text, profiles and EXIF may be damaged, huge or absent: the picture is
the same. What a cut-off file has of its pixels is completed with rows of zeros.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from detection.inference.photos.colour import MAX_PROFILE_BYTES
from detection.inference.photos.named_colours import PRIMARIES, SRGB_CURVE, icc_profile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 20_000
_HEADER = struct.Struct(">IIBBBBB")
_END = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_BESIDE_THE_ROWS = frozenset({b"IHDR", b"PLTE", b"tRNS"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIECE_BYTES = 1 << 20
# A file that has less of its rows counts as damaged.
MOST = 2 / 3
# Of the curves of screens and of linear light, as gAMA counts them.
_GAMMAS = (20_000, 200_000)
# What stands for sRGB where nothing else is said (section 11.3.2.4).
_SRGB_GAMMA, _SAME_GAMMA = 45_455, 500
# Of Adam7: first column and row, and the steps to the next ones (section 8.1).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class PngError(ValueError):
    """The file has no pixels that could be decoded."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its kind, where it begins and ends in the file, and whether its checksum is right."""

    kind: bytes
    start: int
    end: int
    is_intact: bool

    def body(self, data: bytes) -> bytes:
        """Return what is in it."""
        return data[self.start + 8 : self.end - 4]


@dataclass(frozen=True, slots=True)
class PngFile:
    """A PNG for a decoder.

    pixels: a whole PNG with nothing but pixels in it. exif, icc: as they are in the file, where they are there and
    intact. share_read: of the rows, how many came from the file, 0 to 1. is_cut_off: the file is not whole.
    """

    pixels: bytes
    exif: bytes | None
    icc: bytes | None
    share_read: float
    is_cut_off: bool


def read_png(data: bytes) -> PngFile:
    """Split a PNG. Raises PngError where its header, its palette or all of its pixels are missing or damaged."""
    chunks = list(chunks_of(data))
    if not chunks or chunks[0].kind != b"IHDR" or not chunks[0].is_intact or len(chunks[0].body(data)) != _HEADER.size:
        raise PngError("the PNG has no header")
    if any(chunk.kind == b"PLTE" and not chunk.is_intact for chunk in chunks):
        raise PngError("the PNG's palette is damaged")
    is_whole = chunks[-1].kind == b"IEND" and all(chunk.is_intact for chunk in chunks if chunk.kind == b"IDAT")
    kept = b"".join(
        data[chunk.start : chunk.end] for chunk in chunks if chunk.is_intact and chunk.kind in _BESIDE_THE_ROWS
    )
    if is_whole:
        pixels, share = b"".join(data[chunk.start : chunk.end] for chunk in chunks if chunk.kind == b"IDAT"), 1.0
    else:
        pixels, share = _completed(data, chunks)
    exif = _first(data, chunks, b"eXIf")
    is_cut_off = not is_whole and (share < 1 or chunks[-1].kind != b"IEND")
    return PngFile(SIGNATURE + kept + pixels + _END, exif, _colours(data, chunks), share, is_cut_off)


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a file up to its end or to IEND; the last one may be cut off, and counts as damaged then."""
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            yield Chunk(kind, position, len(data) + 4, is_intact=False)
            return
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        yield Chunk(kind, position, end, zlib.crc32(memoryview(data)[position + 4 : end - 4]) == checksum)
        if kind == b"IEND":
            return
        position = end


def chunk_bytes(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _first(data: bytes, chunks: list[Chunk], kind: bytes) -> bytes | None:
    return next((chunk.body(data) for chunk in chunks if chunk.kind == kind and chunk.is_intact), None)


def _colours(data: bytes, chunks: list[Chunk]) -> bytes | None:
    """Return the profile of a file's colours, in the order of the specification (4.3): cICP, iCCP, sRGB, gAMA and
    cHRM.
    """
    named, icc, gamma, chromaticities = (_first(data, chunks, kind) for kind in (b"cICP", b"iCCP", b"gAMA", b"cHRM"))
    if named is not None and len(named) == 4 and named[0] in PRIMARIES and named[1] == SRGB_CURVE:  # noqa: PLR2004
        return icc_profile(PRIMARIES[named[0]], None)
    if icc is not None and (profile := _profile(icc)) is not None:
        return profile
    if _first(data, chunks, b"sRGB") is not None or gamma is None or len(gamma) != 4:  # noqa: PLR2004
        return None
    (coded,) = struct.unpack(">I", gamma)
    white_and_primaries = PRIMARIES[1]
    if chromaticities is not None and len(chromaticities) == 8 * 4:
        white_and_primaries = tuple(value / 100_000 for value in struct.unpack(">8I", chromaticities))
    if not _GAMMAS[0] <= coded <= _GAMMAS[1]:
        return None
    if chromaticities is None and abs(coded - _SRGB_GAMMA) <= _SAME_GAMMA:
        return None
    return icc_profile(white_and_primaries, 100_000 / coded)


def _profile(body: bytes) -> bytes | None:
    """Return the colour profile of an iCCP chunk; None where it is damaged or unpacks to too much."""
    _, separator, rest = body.partition(b"\0")
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(rest[1:], MAX_PROFILE_BYTES) if separator else b""
    except zlib.error:
        return None
    return profile if unpacking.eof else None


def _completed(data: bytes, chunks: list[Chunk]) -> tuple[bytes, float]:
    """Return the pixels of a damaged file as one chunk, and which share of its rows they hold.

    A chunk with a wrong checksum ends what can be trusted, unless the checksum of all pixels together proves them
    right.
    """
    width, height, depth, kind, _, _, interlace = _HEADER.unpack(chunks[0].body(data))
    if kind not in _CHANNELS or not width or not height:
        raise PngError("the PNG's header is damaged")
    rows = _row_bytes(width, height, depth * _CHANNELS[kind], is_interlaced=bool(interlace))
    whole = sum(count * size for count, size in rows)
    stream = _Stream(data, chunks, whole)
    trusts_all = stream.length(trusted_only=False) == whole and stream.is_proven
    share = 1.0 if trusts_all else stream.length(trusted_only=True) / whole
    if share < MOST:
        raise PngError("most of the PNG's pixels are missing")
    return chunk_bytes(b"IDAT", stream.packed(trusted_only=not trusts_all)), share


class _Stream:
    """The compressed pixels of a damaged file, as far as they can be unpacked."""

    def __init__(self, data: bytes, chunks: list[Chunk], whole: int) -> None:
        self._data = data
        self._chunks = [chunk for chunk in chunks if chunk.kind == b"IDAT"]
        self._whole = whole
        # Whether the last reading came to the end of the stream, whose checksum was right.
        self.is_proven = False

    def length(self, *, trusted_only: bool) -> int:
        """Return how many of the bytes can be unpacked."""
        return sum(len(piece) for piece in self._unpacked(trusted_only=trusted_only))

    def packed(self, *, trusted_only: bool) -> bytes:
        """Return the bytes packed anew, with zeros for those that are missing."""
        packing, packed, count = zlib.compressobj(1), [], 0
        for piece in self._unpacked(trusted_only=trusted_only):
            packed.append(packing.compress(piece))
            count += len(piece)
        for start in range(count, self._whole, _PIECE_BYTES):
            packed.append(packing.compress(bytes(min(_PIECE_BYTES, self._whole - start))))
        return b"".join([*packed, packing.flush()])

    def _unpacked(self, *, trusted_only: bool) -> Iterator[bytes]:
        unpacking, left, self.is_proven = zlib.decompressobj(), self._whole, False
        for packed in self._pieces(trusted_only=trusted_only):
            rest = packed
            try:
                while rest and left:
                    piece = unpacking.decompress(rest, min(_PIECE_BYTES, left))
                    left -= len(piece)
                    rest = unpacking.unconsumed_tail
                    yield piece
                if not left and not unpacking.eof:
                    unpacking.decompress(rest, 1)
            except zlib.error:
                return
        self.is_proven = unpacking.eof

    def _pieces(self, *, trusted_only: bool) -> Iterator[bytes]:
        for chunk in self._chunks:
            is_cut_off = chunk.end > len(self._data)
            if trusted_only and not chunk.is_intact and not is_cut_off:
                return
            body = self._data[chunk.start + 8 :] if is_cut_off else chunk.body(self._data)
            for start in range(0, len(body), _PIECE_BYTES):
                yield body[start : start + _PIECE_BYTES]


def _row_bytes(width: int, height: int, bits: int, *, is_interlaced: bool) -> Iterator[tuple[int, int]]:
    """Yield number and size of the rows, with the byte of their filter; of each pass where the rows are interlaced."""
    for left, top, right, down in _PASSES if is_interlaced else ((0, 0, 1, 1),):
        columns, lines = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and lines > 0:
            yield lines, (columns * bits + 7) // 8 + 1
