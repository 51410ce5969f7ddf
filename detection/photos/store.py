"""Store of the photos' files: one per content, without metadata, in Django's default storage.

That is a folder (`filesystem.py`) or a bucket that several servers share (`s3.py`); the rest of the code is
independent of the choice.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from detection.errors import StorageUnavailableError
from detection.inference.errors import ImageDecodeError
from detection.inference.messages import Message, gettext_noop
from detection.inference.photos.decode import DecodedPhoto, PhotoInfo, decode_photo, read_info
from detection.inference.photos.decoding_memory import decoding_bytes, run_decoding
from detection.models import Photo
from detection.photos.display import bounded_jpeg
from detection.photos.encode import encoded
from detection.photos.metadata import NotStrippableError, strip_metadata
from detection.web import callers

logger = logging.getLogger(__name__)

CONTENT_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
# Of photos that cannot be kept as they came.
COPY_FORMAT = "JPEG"
TURNED_BY_BROWSERS = frozenset({"JPEG", "PNG"})
_EXPORT_QUALITY = 95
# Photos stored under an earlier, higher limit stay readable.
_STORED_MAX_PIXELS = 2_000_000_000
_UNREADABLE_NOW = Message("photo_store_unavailable", gettext_noop("The photo cannot be read now. Try again later."))
_DAMAGED = "The stored file %s is damaged. Send the photo again, or bring it back from a backup."
# What says how large a photo is comes first in its file, without metadata.
_HEAD_BYTES = 65_536
_PIXEL_BYTES = 8


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A stored file, as its row describes it.

    sha256: of the upload. content_bytes, content_sha256: of the file itself. is_new: it was not there before.
    is_repaired: it was there, damaged, and has been written again.
    """

    sha256: str
    file: str
    format: str
    is_new: bool
    content_bytes: int
    content_sha256: str
    is_repaired: bool = False


def save(data: bytes, info: PhotoInfo) -> StoredPhoto:
    """Store a photo without its metadata, once per content. Raises OSError when the store cannot be written.

    A file of that name may be what a power failure left of it: one that is damaged is written again.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    kept = _without_metadata(data, info)
    photo_format = info.format if kept is not None else COPY_FORMAT
    name = f"{sha256[:2]}/{sha256}.{SUFFIXES[photo_format]}"
    there = content_of(name)
    if there is not None and kept is None and _is_intact(there):
        # Another version of the encoder would write other bytes, so only decoding can detect it.
        return _stored(name, photo_format, sha256, data, there, is_new=False)
    content = kept if kept is not None else _copy(data)
    if there == content:
        return _stored(name, photo_format, sha256, data, content, is_new=False)
    _write(name, content)
    if there is not None:
        logger.warning("The stored file %s was damaged or outdated. It was written anew from the upload.", name)
    return _stored(name, photo_format, sha256, data, content, is_new=there is None, is_repaired=there is not None)


def flush(stored: Sequence[StoredPhoto]) -> None:
    """Wait until the disk has what was written of these files and their names. Raises OSError.

    A store on another machine has a photo on its disks when it answers.
    """
    written = {photo.file for photo in stored if photo.is_new or photo.is_repaired}
    if written and not is_elsewhere():
        default_storage.flush(written)  # type: ignore[attr-defined]  # of `PhotoFileStorage`


def damage(photo: Photo) -> str:
    """Return what is wrong with the file of a photo, as a word; "" where it is whole. Raises OSError.

    Rows of older versions have no hash: of theirs only an empty file, or one that does not decode, is known.
    """
    content = content_of(photo.file)
    if content is None:
        return "missing"
    if photo.stored_sha256 is None:
        return "" if _is_intact(content) else "damaged"
    return "" if hashlib.sha256(content).hexdigest() == photo.stored_sha256 else "damaged"


def ensure(stored: StoredPhoto, data: bytes, info: PhotoInfo) -> None:
    """Write the file again if a deletion of its twin removed it between `save` and the commit of its row."""
    if not default_storage.exists(stored.file):
        kept = _without_metadata(data, info)
        _write(stored.file, kept if kept is not None else _copy(data))


def read(photo: Photo) -> bytes:
    """The bytes of a stored photo. Raises FileNotFoundError, also where the file does not have the size that was
    written; StorageUnavailableError when the store does not answer.
    """
    try:
        content = content_of(photo.file)
    except OSError as error:
        raise StorageUnavailableError(_UNREADABLE_NOW()) from error
    if content is None:
        raise FileNotFoundError(photo.file)
    if not content or (photo.stored_bytes is not None and len(content) != photo.stored_bytes):
        logger.error(_DAMAGED, photo.file)
        raise FileNotFoundError(photo.file)
    return content


def open_file(photo: Photo) -> BinaryIO:
    """Return the open file of a stored photo, of the size that was written, or a copy of one on another machine.

    Raises FileNotFoundError, and StorageUnavailableError where the store does not answer.
    """
    try:
        file: BinaryIO = default_storage.open_binary(photo.file)  # type: ignore[attr-defined]  # of both of ours
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageUnavailableError(_UNREADABLE_NOW()) from error
    size = os.fstat(file.fileno()).st_size
    if not size or (photo.stored_bytes is not None and size != photo.stored_bytes):
        file.close()
        logger.error(_DAMAGED, photo.file)
        raise FileNotFoundError(photo.file)
    return file


def check() -> None:
    """Check that a store on another machine can be used. Raises OSError."""
    if is_elsewhere():
        default_storage.check()  # type: ignore[attr-defined]  # of `PhotoObjectStorage`


def is_elsewhere() -> bool:
    """Return whether photos are in a store on another machine, and not on this one's disk."""
    return hasattr(default_storage, "check")


def read_upright(photo: Photo) -> bytes:
    """Return the bytes of a stored photo whose pixels show it upright and in sRGB to programs that ignore EXIF and
    colour profiles, in the photo's format.

    Only photos that say otherwise are re-encoded. Raises FileNotFoundError, also for damaged files.
    """
    data = read(photo)
    if _is_plain(photo, data, in_srgb=True):
        return data
    return encoded(_decoded(photo, data).image_rgb, photo.format, quality=_EXPORT_QUALITY)


def is_shown_as_is(photo: Photo, data: bytes) -> bool:
    """Return whether browsers show the bytes of a stored photo upright: they read the orientation of JPEGs and PNGs,
    and not that of WebPs. Raises FileNotFoundError for a damaged file.
    """
    return photo.format in TURNED_BY_BROWSERS or _is_plain(photo, data)


def copy_for_display(photo: Photo, data: bytes) -> bytes:
    """Return a stored photo as an upright JPEG in sRGB. Raises FileNotFoundError for a damaged file."""
    return bounded_jpeg(_decoded(photo, data).image_rgb, len(data))


def _is_plain(photo: Photo, data: bytes, *, in_srgb: bool = False) -> bool:
    """Return whether the pixels of a file lie upright and, where that is asked for, are in sRGB."""
    try:
        info = read_info(data, max_pixels=_STORED_MAX_PIXELS)
    except ImageDecodeError as error:
        logger.exception("The stored file %s is damaged.", photo.file)
        raise FileNotFoundError(photo.file) from error
    return info.orientation == 1 and not (in_srgb and info.has_other_colours)


def decode(photo: Photo, *, min_edge_px: int | None = None) -> DecodedPhoto:
    """Return the pixels of a stored photo, upright. Raises FileNotFoundError, also for damaged files."""
    return _decoded(photo, read(photo), min_edge_px)


def _decoded(photo: Photo, data: bytes, min_edge_px: int | None = None) -> DecodedPhoto:
    try:
        return decode_photo(data, max_pixels=_STORED_MAX_PIXELS, min_edge_px=min_edge_px, accept_incomplete=False)
    except ImageDecodeError as error:
        logger.exception("The stored file %s is damaged.", photo.file)
        raise FileNotFoundError(photo.file) from error


def memory_to_decode(photo: Photo, min_edge_px: int | None = None) -> int:
    """Estimate the bytes that `decode` takes. Raises FileNotFoundError, where the file is on this machine."""
    if is_elsewhere():
        return photo.width * photo.height * _PIXEL_BYTES
    with open_file(photo) as file:
        return decoding_bytes(file.read(_HEAD_BYTES), min_edge_px)


def discard_unused(file: str) -> None:
    """Remove a file that no row references any more; call it after the deletion of a row was committed.

    An upload of the same content may commit its row while the file is removed: the rows are checked again afterwards,
    and the file is put back. (The uploader checks too, `ensure`; one of the two is always last.)
    """
    if Photo.objects.filter(file=file).exists():
        return
    try:
        with default_storage.open(file) as opened:
            data = bytes(opened.read())
        default_storage.delete(file)
    except FileNotFoundError:
        return
    except OSError:
        logger.exception("The file %s of a deleted photo could not be removed.", file)
        return
    if Photo.objects.filter(file=file).exists() and not default_storage.exists(file):
        _write(file, data)


def discard(file: str) -> None:
    """Remove a file; logs a failure."""
    try:
        default_storage.delete(file)
    except OSError:
        logger.exception("The file %s could not be removed.", file)


def _stored(name: str, photo_format: str, sha256: str, data: bytes, content: bytes, **flags: bool) -> StoredPhoto:
    """Describe a file; it is hashed here, on the threads that write side by side, unless it is the upload itself."""
    return StoredPhoto(
        sha256=sha256,
        file=name,
        format=photo_format,
        content_bytes=len(content),
        content_sha256=sha256 if content == data else hashlib.sha256(content).hexdigest(),
        **flags,
    )


def content_of(name: str) -> bytes | None:
    """Return the bytes of a file; None where it is not there. Raises OSError."""
    try:
        with default_storage.open(name) as file:
            return bytes(file.read())
    except FileNotFoundError:
        return None


def _is_intact(content: bytes) -> bool:
    """Return whether a stored file decodes to its last pixel."""

    def decode() -> None:
        decode_photo(content, max_pixels=_STORED_MAX_PIXELS, accept_incomplete=False)

    try:
        run_decoding(decoding_bytes(content), decode, callers.current())
    except ImageDecodeError:
        return False
    return True


def _without_metadata(data: bytes, info: PhotoInfo) -> bytes | None:
    """Return the upload as it is kept, without what it says about its owner; None where only a copy can be kept: of
    formats that browsers do not show, of damaged files, and of the first frame of an animation.
    """
    if info.format not in SUFFIXES or info.is_cut_off:
        return None
    try:
        return strip_metadata(data, info.format, info.orientation)
    except NotStrippableError:
        return None


def _copy(data: bytes) -> bytes:
    """Return an upright JPEG of a photo in sRGB, whose size is bounded by the upload's."""
    return run_decoding(
        2 * decoding_bytes(data),
        lambda: bounded_jpeg(decode_photo(data, max_pixels=_STORED_MAX_PIXELS).image_rgb, len(data)),
        callers.current(),
    )


def _write(name: str, content: bytes) -> None:
    default_storage.save(name, ContentFile(content))
