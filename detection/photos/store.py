"""Store of the photos' files: one per content, without metadata, in Django's default storage.

That is a folder (`filesystem.py`) or a bucket that several servers share (`s3.py`); the rest of the code is
independent of the choice.
"""

import hashlib
import io
import logging
from dataclasses import dataclass

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from detection.errors import StorageUnavailableError
from detection.inference.errors import ImageDecodeError
from detection.inference.photos.decode import DecodedPhoto, PhotoInfo, decode_photo, read_info
from detection.models import Photo
from detection.photos.metadata import NotStrippableError, strip_metadata

logger = logging.getLogger(__name__)

CONTENT_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
# Photos stored under an earlier, higher limit stay readable.
_STORED_MAX_PIXELS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """Properties of a stored file for its row; is_new: whether it was not there before."""

    sha256: str
    file: str
    format: str
    is_new: bool


def save(data: bytes, info: PhotoInfo) -> StoredPhoto:
    """Store a photo without its metadata, once per content. Raises OSError when the store cannot be written."""
    sha256 = hashlib.sha256(data).hexdigest()
    photo_format = _stored_format(info)
    name = f"{sha256[:2]}/{sha256}.{SUFFIXES[photo_format]}"
    is_new = not default_storage.exists(name)
    if is_new:
        _write(name, _presentable(data, info))
    return StoredPhoto(sha256, name, photo_format, is_new)


def ensure(stored: StoredPhoto, data: bytes, info: PhotoInfo) -> None:
    """Write the file again if a deletion of its twin removed it between `save` and the commit of its row."""
    if not default_storage.exists(stored.file):
        _write(stored.file, _presentable(data, info))


def read(photo: Photo) -> bytes:
    """Return the bytes of a stored photo. Raises FileNotFoundError; StorageUnavailableError when the store is
    unavailable.
    """
    try:
        with default_storage.open(photo.file) as file:
            return bytes(file.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageUnavailableError("The photo cannot be read now. Try again later.") from error


def check() -> None:
    """Check that a store on another machine can be used. Raises OSError."""
    if is_elsewhere():
        default_storage.check()  # type: ignore[attr-defined]  # of `PhotoObjectStorage`


def is_elsewhere() -> bool:
    """Return whether photos are in a store on another machine, and not on this one's disk."""
    return hasattr(default_storage, "check")


def read_upright(photo: Photo) -> bytes:
    """Return the bytes of a stored photo with upright pixels, for programs that ignore EXIF.

    Only sideways JPEGs of cameras have to be re-encoded for that. Raises FileNotFoundError, also for damaged files.
    """
    data = read(photo)
    try:
        is_upright = read_info(data, max_pixels=_STORED_MAX_PIXELS).orientation == 1
        return data if is_upright else _encode(data, photo.format)
    except ImageDecodeError as error:
        logger.exception("The stored file %s is damaged.", photo.file)
        raise FileNotFoundError(photo.file) from error


def decode(photo: Photo, *, min_edge_px: int | None = None) -> DecodedPhoto:
    """Return the pixels of a stored photo, upright. Raises FileNotFoundError, also for damaged files."""
    try:
        return decode_photo(read(photo), max_pixels=_STORED_MAX_PIXELS, min_edge_px=min_edge_px)
    except ImageDecodeError as error:
        logger.exception("The stored file %s is damaged.", photo.file)
        raise FileNotFoundError(photo.file) from error


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


def _stored_format(info: PhotoInfo) -> str:
    return "PNG" if _is_reencoded(info) else info.format


def _is_reencoded(info: PhotoInfo) -> bool:
    """Return whether the photo is re-encoded without loss: only first frames, and orientations that browsers ignore."""
    return info.format != "JPEG" and (info.orientation != 1 or (info.format == "WEBP" and info.frames > 1))


def _presentable(data: bytes, info: PhotoInfo) -> bytes:
    if _is_reencoded(info):
        return _encode(data, "PNG")
    try:
        return strip_metadata(data, info.format, info.orientation)
    except NotStrippableError:
        return _encode(data, info.format)


def _encode(data: bytes, photo_format: str) -> bytes:
    image: Image.Image = decode_photo(data, max_pixels=_STORED_MAX_PIXELS).image_rgb
    buffer = io.BytesIO()
    image.save(buffer, photo_format, **({"lossless": True} if photo_format == "WEBP" else {"quality": 95}))
    return buffer.getvalue()


def _write(name: str, content: bytes) -> None:
    default_storage.save(name, ContentFile(content))
