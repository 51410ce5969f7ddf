"""Writes what was found into XMP sidecars beside the photos, for Immich, digiKam, Lightroom and darktable."""

import contextlib
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from detection.bulk.files import BadPhotoError
from detection.inference.types import FoundObject, PixelBox
from detection.photos.xmp import Region, merge
from detection.photos.xmp_reader import SidecarError

# Larger ones are no sidecars; those of photo managers have some kilobytes.
MAX_BYTES = 10_000_000
SUFFIX = ".xmp"
_SIDEWAYS_FROM = 5


def sidecar_of(photo: Path) -> Path:
    """Return the sidecar that a photo has: NAME.JPG.xmp, or Lightroom's NAME.xmp; the first where it has none yet."""
    own, lightrooms = photo.with_name(photo.name + SUFFIX), photo.with_suffix(SUFFIX)
    return lightrooms if lightrooms.is_file() and not own.is_file() else own


def write_sidecar(
    photo: Path, objects: Iterable[FoundObject], size_wh: tuple[int, int], orientation: int, *, with_regions: bool
) -> bool:
    """Add the classes of a photo, and where they are, to its sidecar; return whether it had to be changed.

    size_wh: of the upright photo in pixels; orientation: EXIF's, 1 to 8. Raises BadPhotoError for a sidecar that cannot
    be merged, which stays as it is, and OSError.
    """
    path = sidecar_of(photo)
    found = list(objects)
    stored_wh = size_wh if orientation < _SIDEWAYS_FROM else (size_wh[1], size_wh[0])
    regions = [stored_region(one.class_name, one.box, size_wh, orientation) for one in found] if with_regions else []
    try:
        existing = _read(path)
        merged = merge(existing, (one.class_name for one in found), regions, stored_wh)
    except SidecarError as error:
        raise BadPhotoError(f"The sidecar {path.name} cannot be merged. {error}") from error
    if merged == existing or (existing is None and not found):
        return False
    _replace(path, merged)
    return True


def stored_region(name: str, box: PixelBox, size_wh: tuple[int, int], orientation: int) -> Region:
    """Return a box of the upright photo as a region of the stored picture, which EXIF's orientation turns."""
    width, height = box.width / size_wh[0], box.height / size_wh[1]
    x, y = box.x / size_wh[0] + width / 2, box.y / size_wh[1] + height / 2
    # What takes each kind of upright picture back to the stored one (Exif 2.32, tag 0112h).
    back = {
        1: (x, y),
        2: (1 - x, y),
        3: (1 - x, 1 - y),
        4: (x, 1 - y),
        5: (y, x),
        6: (y, 1 - x),
        7: (1 - y, 1 - x),
        8: (1 - y, x),
    }[orientation]
    if orientation >= _SIDEWAYS_FROM:
        width, height = height, width
    return Region(name, *back, width, height)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(raw) > MAX_BYTES:
        raise SidecarError(f"It has more than {MAX_BYTES:,} bytes, as no sidecar has. Move it away.")
    return raw


def _replace(path: Path, content: bytes) -> None:
    """Write a file anew, atomically, with the rights of the one before; through a link, where it is one."""
    target = path.resolve()
    temporary = target.with_name(f"{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        temporary.write_bytes(content)
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
