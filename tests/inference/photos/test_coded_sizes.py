"""Coded sizes of HEIF files that name more parts than they have bytes for."""

import struct

import pytest

from detection.inference.errors import ImageDecodeError
from detection.inference.photos.coded_sizes import coded_sizes

FULL = b"\0\0\0\0"


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def heif(items: list[tuple[int, bytes]], sizes: bytes, content: bytes, kind: bytes = b"hvc1") -> bytes:
    """A file with items of a kind: each has a number of pieces and their places, in `sizes` of iloc."""
    entries = b"".join(
        box(b"infe", b"\2\0\0\0" + struct.pack(">HH", number, 0) + kind) for number in range(1, len(items) + 1)
    )
    places = b"".join(
        struct.pack(">HHH", number, 0, count) + pieces for number, (count, pieces) in enumerate(items, start=1)
    )
    located = box(b"iloc", FULL + sizes + struct.pack(">H", len(items)) + places)
    meta = box(b"meta", FULL + box(b"iinf", FULL + struct.pack(">H", len(items)) + entries) + located)
    return box(b"ftyp", b"heic\0\0\0\0") + meta + box(b"mdat", content)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(heif([(65_535, b"")] * 3000, b"\0\0", b""), id="pieces of no byte"),
        pytest.param(heif([(1, struct.pack(">I", 0))] * 60_000, b"\x40\0", bytes(100_000)), id="pieces on each other"),
        pytest.param(
            heif([(1, struct.pack(">I", 0))] * 60_000, b"\x40\0", b"\x02\0" * 50_000, b"av01"), id="AV1 on each other"
        ),
    ],
)
def test_more_parts_than_bytes_are_refused_at_once(data: bytes) -> None:
    with pytest.raises(ImageDecodeError, match="more than 20,000 parts"):
        list(coded_sizes(data))
