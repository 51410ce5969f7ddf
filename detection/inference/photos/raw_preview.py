"""Finds the JPEG that cameras put into their RAW files, which shows the photo as the camera developed it.

Most RAW files are TIFFs (DNG, CR2, NEF, ARW, PEF, ORF, RW2): their directories name previews of several sizes. Fuji's
RAF has a header of its own. What the sensor saw is not read: to develop it takes seconds, and knowledge of each camera.
"""

import struct
from collections.abc import Iterator

from detection.inference.photos.exif import UPRIGHT

_RAF_START, _RAF_PREVIEW = b"FUJIFILMCCD-RAW", 84
_ORDERS = {b"II": "<", b"MM": ">"}
# TIFF 6.0 has 42; Olympus "RO" and "RS", Panasonic 85.
_TIFF, _CAMERAS = 42, frozenset({0x4F52, 0x5352, 85})
_SHORT, _LONG, _UNDEFINED, _DIRECTORY = 3, 4, 7, 13
_ENTRY_BYTES = 12
_MAX_DIRECTORIES, _MAX_ENTRIES, _MAX_VALUES = 32, 512, 16
_COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _STRIPS, _STRIP_BYTES = 0x0103, 0x0106, 0x0112, 0x0111, 0x0117
_DIRECTORIES, _JPEG, _JPEG_BYTES, _PANASONIC_JPEG, _DNG_VERSION = 0x014A, 0x0201, 0x0202, 0x002E, 0xC612
# Pixels of a sensor: behind a colour filter, and linear ones (DNG specification).
_SENSOR = frozenset({32803, 34892})
_JPEG_COMPRESSIONS = frozenset({6, 7})
_START, _START_OF_SCAN = b"\xff\xd8\xff", 0xDA
# Lossless JPEG, which sensors' pixels are in, has other frames.
_FRAMES_OF_PHOTOS = frozenset({0xC0, 0xC1, 0xC2})
_MAX_SEGMENTS = 200

_Directory = dict[int, tuple[int, ...]]


def is_raw(data: bytes) -> bool:
    """Return whether a file is one of the cameras', and not a TIFF of another program."""
    if data.startswith(_RAF_START):
        return True
    directories = list(_directories(data))
    return bool(directories) and (
        _version(data) in _CAMERAS
        or data[8:10] == b"CR"
        or any(_DNG_VERSION in each or _first(each, _PHOTOMETRIC) in _SENSOR for each in directories)
    )


def preview_of(data: bytes) -> tuple[bytes, int] | None:
    """Return the largest JPEG of a RAW file and its orientation, 1 to 8; None where it has none.

    Fuji's previews tell their orientation themselves: it is 0 then.
    """
    if data.startswith(_RAF_START):
        start, length = struct.unpack_from(">II", data.ljust(_RAF_PREVIEW + 8, b"\0"), _RAF_PREVIEW)
        jpeg = data[start : start + length]
        return (jpeg, 0) if _is_photo(jpeg) else None
    directories = list(_directories(data))
    places = sorted({place for each in directories for place in _previews(each)}, key=lambda place: -place[1])
    orientation = _first(directories[0], _ORIENTATION) if directories else 0
    for start, length in places:
        jpeg = data[start : start + length]
        if len(jpeg) == length and _is_photo(jpeg):
            return jpeg, orientation or UPRIGHT
    return None


def _version(data: bytes) -> int:
    order = _ORDERS.get(data[:2])
    return int(struct.unpack_from(f"{order}H", data, 2)[0]) if order and len(data) >= 8 else 0  # noqa: PLR2004


def _directories(data: bytes) -> Iterator[_Directory]:
    """Yield the directories of a TIFF and those that they name, each once."""
    if _version(data) not in {_TIFF, *_CAMERAS}:
        return
    order = _ORDERS[data[:2]]
    waiting, seen = [struct.unpack_from(f"{order}I", data, 4)[0]], set[int]()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        start = waiting.pop(0)
        if not start or start in seen:
            continue
        seen.add(start)
        try:
            found, following = _directory(data, start, order)
        except struct.error:  # it ends before its end
            continue
        yield found
        waiting += [*found.get(_DIRECTORIES, ()), following]


def _directory(data: bytes, start: int, order: str) -> tuple[_Directory, int]:
    """Return the whole numbers of a directory by their tags, and where the next one is; of other values, the place."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    found: _Directory = {}
    for number in range(min(count, _MAX_ENTRIES)):
        place = start + 2 + number * _ENTRY_BYTES
        tag, kind, values, offset = struct.unpack_from(f"{order}HHII", data, place)
        size = {_SHORT: "H", _LONG: "I", _DIRECTORY: "I"}.get(kind)
        if size is None:
            found[tag] = (offset, values) if kind == _UNDEFINED else ()
        elif values <= _MAX_VALUES:
            form = f"{order}{values}{size}"
            found[tag] = struct.unpack_from(form, data, place + 8 if struct.calcsize(form) <= 4 else offset)  # noqa: PLR2004
    (following,) = struct.unpack_from(f"{order}I", data, start + 2 + count * _ENTRY_BYTES)
    return found, following


def _previews(directory: _Directory) -> Iterator[tuple[int, int]]:
    """Yield where the JPEGs that a directory names begin, and their lengths."""
    if _PANASONIC_JPEG in directory and len(directory[_PANASONIC_JPEG]) == 2:  # noqa: PLR2004
        yield directory[_PANASONIC_JPEG][0], directory[_PANASONIC_JPEG][1]
    if _first(directory, _PHOTOMETRIC) in _SENSOR:
        return
    yield _first(directory, _JPEG), _first(directory, _JPEG_BYTES)
    if _first(directory, _COMPRESSION) in _JPEG_COMPRESSIONS and len(directory.get(_STRIPS, ())) == 1:
        yield _first(directory, _STRIPS), _first(directory, _STRIP_BYTES)


def _first(directory: _Directory, tag: int) -> int:
    return next(iter(directory.get(tag, ())), 0)


def _is_photo(jpeg: bytes) -> bool:
    """Return whether these bytes are a JPEG of the kind that shows photos."""
    position = 2
    for _ in range(_MAX_SEGMENTS if jpeg.startswith(_START) else 0):
        if jpeg[position : position + 1] != b"\xff" or position + 4 > len(jpeg):
            return False
        marker = jpeg[position + 1]
        if marker in _FRAMES_OF_PHOTOS:
            return True
        if marker == _START_OF_SCAN:
            return False
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    return False
