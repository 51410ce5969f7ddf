"""Reads photos from zip and tar archives: one member after the other, in memory, never as files.

Archives are untrusted. The names of members are text and never become paths, links are skipped, and the unpacked
size of a member is cut at the limit of a photo, whatever its header promises.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

from detection.bulk.files import BadPhotoError, PhotoFile, checked_size, is_photo_name, too_large

# Exceptions of the standard library's readers on archives that are damaged, encrypted or of an unknown method.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    IndexError,  # a member without a name
)
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# Long names and PAX records are read into memory whole; a real one has some hundred bytes.
_MAX_HEADER_BYTES = 1 << 20
_HEADER_TYPES = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, b"L", b"K"})


def is_archive(name: str) -> bool:
    """Return whether a file name has the suffix of an archive."""
    return name.lower().endswith((".zip", *_TAR_SUFFIXES))


def members(archive: Path, max_bytes: int, on_skipped: Callable[[str], None]) -> Iterator[PhotoFile]:
    """Yield the photos of an archive in its order. Raises one of ARCHIVE_ERRORS where it cannot be read any further.

    on_skipped: gets the names of the other files.
    """
    if archive.suffix.lower() == ".zip":
        return _zip_members(archive, max_bytes, on_skipped)
    return _tar_members(archive, max_bytes, on_skipped)


def count_members(archive: Path) -> int | None:
    """Count the photos of an archive; None for a tar, which would have to be read to its end. Raises as `members`."""
    if archive.suffix.lower() != ".zip":
        return None
    with zipfile.ZipFile(archive) as opened:
        return sum(1 for info in opened.infolist() if is_photo_member(info.filename))


def is_photo_member(name: str) -> bool:
    """Return whether a member is named like a photo and not hidden: macOS adds a hidden file beside each photo."""
    return is_photo_name(name) and not any(_is_hidden(part) for part in PurePosixPath(name).parts)


def _is_hidden(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part != "..")


def _zip_members(archive: Path, max_bytes: int, on_skipped: Callable[[str], None]) -> Iterator[PhotoFile]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            name = f"{archive}/{info.filename}"
            if not is_photo_member(info.filename):
                if not info.is_dir():
                    on_skipped(name)
            else:
                yield PhotoFile(name, partial(_read_zip, opened, info, max_bytes), in_sequence=True)


def _read_zip(opened: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    try:
        with opened.open(info) as member:
            return checked_size(member.read(max_bytes + 1), max_bytes)
    except ARCHIVE_ERRORS as error:
        raise BadPhotoError(f"This member of the archive cannot be read: {error}.") from error


class _Member(tarfile.TarInfo):
    """Header of a tar; an oversized one ends the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _HEADER_TYPES and header.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def _tar_members(archive: Path, max_bytes: int, on_skipped: Callable[[str], None]) -> Iterator[PhotoFile]:
    with _open_tar(archive) as opened:
        while (info := opened.next()) is not None:
            name = f"{archive}/{info.name}"
            if not info.isreg() or not is_photo_member(info.name):
                if not info.isdir():
                    on_skipped(name)
            else:
                yield PhotoFile(name, partial(_read_tar, opened, info, max_bytes), in_sequence=True)
            # tarfile keeps every header it has read, which only serves going back.
            opened.members.clear()  # type: ignore[attr-defined]
        _check_end(opened)


def _open_tar(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, tarinfo=_Member)
    except tarfile.ReadError as error:  # its message lists every compression's error, over many lines
        raise tarfile.ReadError("no tar archive, or damaged from its beginning") from error


def _check_end(opened: tarfile.TarFile) -> None:
    """Raise on a damaged header in the middle, which looks like the end to `next`; the real end is a block of zeros, or
    nothing.
    """
    if opened.fileobj is not None:
        opened.fileobj.seek(opened.offset)
        if opened.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError("a damaged header")


def _read_tar(opened: tarfile.TarFile, info: tarfile.TarInfo, max_bytes: int) -> bytes:
    if info.size > max_bytes:
        raise too_large(max_bytes)
    member = opened.extractfile(info)
    try:
        return b"" if member is None else member.read()
    except ARCHIVE_ERRORS as error:
        raise BadPhotoError(f"This member of the archive cannot be read: {error}.") from error
