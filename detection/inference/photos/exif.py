"""Reads the orientation of a photo from its EXIF, as browsers do: from nothing else, and without trust in the rest."""

import struct

from PIL import Image

UPRIGHT = 1
# The orientations that exchange width and height.
SIDEWAYS = frozenset({5, 6, 7, 8})
# Transpositions that turn a stored picture upright, by the tag Orientation (TIFF 6.0, section 8).
_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PREFIX = b"Exif\0\0"
_ORIENTATIONS = range(1, 9)
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_ENTRY_BYTES = 12
# TIFF 6.0 sorts the entries by their tags, and 0x0112 is among the first.
_MAX_ENTRIES = 512


def orientation_of(exif: bytes | None) -> int:
    """Return the orientation, 1 to 8, in a block of EXIF; 1 where it has none or is damaged.

    Only the first directory is looked at (TIFF 6.0, section 2), so that damage elsewhere does not matter.
    """
    body = (exif or b"").removeprefix(_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(body[:4])
    if order is None:
        return UPRIGHT
    try:
        return _of_first_directory(body, order)
    except struct.error:  # it ends before its end
        return UPRIGHT


def orientation_exif(orientation: int) -> bytes:
    """Return a block of EXIF, without its prefix, that holds the orientation and nothing else."""
    entry = struct.pack(">HHIHH", _ORIENTATION_TAG, _SHORT, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return a stored picture as its orientation says that it is to be seen; itself where that is upright."""
    method = _TO_UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _of_first_directory(body: bytes, order: str) -> int:
    (start,) = struct.unpack_from(f"{order}I", body, 4)
    (count,) = struct.unpack_from(f"{order}H", body, start)
    for entry in range(min(count, _MAX_ENTRIES)):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", body, start + 2 + entry * _ENTRY_BYTES)
        if tag == _ORIENTATION_TAG:
            return value if kind == _SHORT and value in _ORIENTATIONS else UPRIGHT
    return UPRIGHT
