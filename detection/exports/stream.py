"""Streams an export: the format's file itself, or a zip of its files and the photos.

Nothing is written to disk, and only the piece being sent is held in memory, and for a zip its table of contents.
"""

import contextlib
import io
import logging
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from detection.exports.names import photo_name
from detection.exports.registry import ExportFormat, Member, export_formats
from detection.exports.selection import Selection
from detection.photos import store as photo_store

logger = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 16
_MISSING = (
    "The files of these photos are missing from the photo store, or cannot be read. Restore them from a backup and "
    "export again:\n\n"
)

_ZIP = "application/zip"


def content_types() -> list[str]:
    """Return the possible content types of an export, without parameters."""
    singles = (known.single.content_type.partition(";")[0] for known in export_formats().values() if known.single)
    return sorted({_ZIP, *singles})


@dataclass(frozen=True, slots=True)
class Export:
    """One export: a selection, a format, with the photos or without."""

    selection: Selection
    format: ExportFormat
    photos: bool

    @property
    def suffix(self) -> str:
        """Suffix of its file name, without a dot before it."""
        return f"{self.format.name}.zip" if self.photos else self.format.suffix

    @property
    def content_type(self) -> str:
        """Its media type."""
        if self.format.single is None or self.photos:
            return _ZIP
        return self.format.single.content_type

    def blocks(self) -> Iterator[bytes]:
        """Yield its bytes, in blocks of about 64 KiB."""
        members = self.format.members(self.selection)
        if self.format.single is not None and not self.photos:
            return _gathered(_content(next(members)))
        return zipped(self._with_photos(members))

    def members(self) -> Iterator[Member]:
        """Yield its files, as they are in a zip."""
        return self._with_photos(self.format.members(self.selection))

    def _with_photos(self, members: Iterator[Member]) -> Iterator[Member]:
        yield from members
        if not self.photos:
            return
        missing = []
        for detection in self.selection.photos():
            name = photo_name(detection)
            try:
                content = photo_store.read_upright(detection.photo)
            except OSError:
                logger.exception("The file of photo %s could not be exported.", detection.photo.uuid)
                missing.append(name)
                continue
            yield Member(f"{self.format.photo_folder}/{name}", content, is_compressed=True)
        if missing:
            yield Member("missing-photos.txt", (_MISSING + "".join(f"{name}\n" for name in missing)).encode())


def _content(member: Member) -> Iterator[bytes]:
    return iter((member.content,)) if isinstance(member.content, bytes) else member.content


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces: each block costs its reader a change of threads."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def zipped(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield a zip of these files, in blocks of about 64 KiB."""
    return _gathered(_zipped(members))


class _Sink(io.RawIOBase):
    """Output of zipfile: a stream that cannot be sought, emptied by its reader."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """Return everything written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _zipped(members: Iterable[Member]) -> Iterator[bytes]:
    sink = _Sink()
    now = time.localtime()[:6]
    with contextlib.closing(zipfile.ZipFile(sink, "w")) as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, now)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if member.is_compressed else zipfile.ZIP_DEFLATED
            for _ in _written(archive, info, member.content):
                yield sink.take()
    yield sink.take()


def _written(archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: bytes | Iterator[bytes]) -> Iterator[None]:
    """Write one file, yielding after each block of it."""
    if isinstance(content, bytes):
        archive.writestr(info, content)
        yield
        return
    # The size is not known before: room for more than 4 GB.
    with archive.open(info, "w", force_zip64=True) as entry:
        for block in _gathered(content):
            entry.write(block)
            yield
