"""Refuses files that cost far more to decode than their size suggests, before a decoder reads them.

A progressive JPEG may repeat each coefficient: sixty kilobytes of scans keep a core busy for minutes. And
Pillow walks through the parts of a file in Python, microseconds each: millions of empty parts block a whole process.
"""

import re
import struct

from detection.inference.errors import ImageDecodeError
from detection.inference.messages import Message, gettext_noop

# libjpeg writes 10, encoders that optimise for size up to about 30.
MAX_SCANS = 50
# A photo with all metadata of cameras and editors has some hundred; a PNG of 20 MB in pieces of 8 kB has 2,500.
MAX_PARTS = 20_000

_SOI, _PNG_SIGNATURE = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_SOS, _EOI = 0xDA, 0xD9
# SOF0 to SOF15 without DHT, JPG and DAC; those that code each coefficient once, by Huffman or arithmetic coding.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({b"\xc0", b"\xc1", b"\xc9"})
# Offsets of the number of components in a frame's and a scan's header, from their markers on.
_FRAME_COMPONENTS, _SCAN_COMPONENTS = 9, 4
# TEM, the restart markers, SOI and EOI stand alone; after any other marker comes the length of its segment.
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_ANY_MARKER = re.compile(rb"\xff([^\x00\xff])")
# In compressed data 0xFF is followed by a stuffed zero, a restart marker or a fill byte (ITU-T T.81, B.1.1.5).
_NOT_IN_A_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_TOO_MANY_SCANS = Message(
    "photo_too_many_scans",
    gettext_noop(
        "The photo is a JPEG of more than %(limit)s scans, which would take too long to decode. Save it anew, as a "
        "baseline JPEG, and send that."
    ),
)
TOO_MANY_PARTS = Message(
    "photo_too_many_parts",
    gettext_noop("The photo's file has more than %(limit)s parts beside its pixels. Save it anew, and send that."),
)


def refuse_expensive(data: bytes) -> None:
    """Raise ImageDecodeError for a JPEG or PNG of too many parts, and for a JPEG of too many scans."""
    if data.startswith(_SOI):
        _refuse_jpeg(data)
    elif data.startswith(_PNG_SIGNATURE) and _has_many_chunks(data):
        raise _too_many_parts()


def _refuse_jpeg(data: bytes) -> None:
    """Check a JPEG up to its compressed data, which is a single piece in most photos."""
    position, parts, frame = len(_SOI), 0, b""
    # Bytes between segments are read one by one, so each counts as a part.
    while marker := _ANY_MARKER.search(data, position, position + MAX_PARTS):
        parts += marker.end() - position
        if parts > MAX_PARTS:
            raise _too_many_parts()
        position = _end_of_segment(data, marker)
        segment = data[marker.start() : position]
        if marker[1][0] == _SOS:
            if not _is_all_in_one_scan(frame, segment) and _has_many_scans(data):
                raise _too_many_scans()
            return
        if marker[1][0] in _FRAMES:
            frame = segment
    if len(data) - position > MAX_PARTS:
        raise _too_many_parts()


def _is_all_in_one_scan(frame: bytes, scan: bytes) -> bool:
    """Return whether no coefficient or component may come in a later scan, which would make libjpeg read on to the
    end.
    """
    if frame[1:2] not in _SEQUENTIAL:
        return False
    return frame[_FRAME_COMPONENTS:][:1] == scan[_SCAN_COMPONENTS:][:1]


def _has_many_scans(data: bytes) -> bool:
    """Return whether the first picture has too many scans, as libjpeg finds them: bytes between segments are
    skipped.
    """
    position, scans = len(_SOI), 0
    while marker := _NOT_IN_A_SCAN.search(data, position):
        if marker[1][0] == _EOI:
            return False
        scans += marker[1][0] == _SOS
        if scans > MAX_SCANS:
            return True
        position = _end_of_segment(data, marker)
    return False


def _end_of_segment(data: bytes, marker: re.Match[bytes]) -> int:
    at = marker.end()
    return at if marker[1][0] in _ALONE else at + int.from_bytes(data[at : at + 2], "big")


def _has_many_chunks(data: bytes) -> bool:
    position, chunks = len(_PNG_SIGNATURE), 0
    while position + 12 <= len(data) and chunks <= MAX_PARTS:
        (length,) = struct.unpack_from(">I", data, position)
        position += 12 + length
        chunks += 1
    return chunks > MAX_PARTS


def _too_many_scans() -> ImageDecodeError:
    return ImageDecodeError(_TOO_MANY_SCANS(limit=MAX_SCANS))


def _too_many_parts() -> ImageDecodeError:
    return ImageDecodeError(TOO_MANY_PARTS(limit=f"{MAX_PARTS:,}"))
