"""Reads the first picture of a GIF apart from its comments and its other pictures (GIF89a specification)."""

from dataclasses import dataclass

from detection.inference.errors import ImageDecodeError
from detection.inference.messages import Message, gettext_noop

_HEADER_BYTES, _IMAGE_BYTES, _CONTROL_BYTES = 13, 10, 8
_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_HAS_TABLE, _TABLE_SIZE = 0x80, 0x07
# A block has up to 255 bytes: those of 100 MB, when they are full.
MAX_BLOCKS = 400_000
_TOO_MANY_BLOCKS = Message(
    "gif_too_many_blocks",
    gettext_noop(
        "The GIF has more than %(limit)s blocks before the end of its first picture. Save it anew, and send that."
    ),
)


class GifError(ValueError):
    """The file ends before its first picture, or is no GIF."""


@dataclass(slots=True)
class _Reader:
    data: bytes
    position: int = _HEADER_BYTES
    blocks: int = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            raise GifError("the GIF ends before its first picture")
        self.position += count
        return taken

    def skip_blocks(self) -> None:
        """Go behind a chain of blocks; one that is cut off ends with the file."""
        while self.position < len(self.data):
            self.blocks += 1
            if self.blocks > MAX_BLOCKS:
                raise ImageDecodeError(_TOO_MANY_BLOCKS(limit=f"{MAX_BLOCKS:,}"))
            length = self.data[self.position]
            self.position += 1 + length
            if not length:
                return


def first_picture(data: bytes) -> bytes:
    """Return a GIF of the first picture alone. Raises GifError, and ImageDecodeError for too many blocks."""
    reader = _Reader(data)
    head = data[:_HEADER_BYTES] + reader.take(_table_bytes(data[10]) if len(data) > _HEADER_BYTES else 1)
    control = b""
    while True:
        kind = reader.take(1)[0]
        if kind == _IMAGE:
            start = reader.position - 1
            flags = reader.take(_IMAGE_BYTES - 1)[-1]
            reader.take(_table_bytes(flags) + 1)
            reader.skip_blocks()
            return head + control + data[start : reader.position] + bytes([_TRAILER])
        if kind == _EXTENSION:
            start = reader.position - 1
            label = reader.take(1)[0]
            reader.skip_blocks()
            if label == _CONTROL and reader.position - start == _CONTROL_BYTES:
                control = data[start : reader.position]
        else:
            raise GifError("the GIF has no picture")


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & _TABLE_SIZE) + 1) if flags & _HAS_TABLE else 0
