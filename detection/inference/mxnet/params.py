"""Reads the weights of a checkpoint: `NAME-0000.params`, in every version that MXNet 0.5 to 1.9 wrote.

    uint64 0x112, uint64 reserved
    uint64 count, then that many arrays, of one of these forms:
        uint32 0xF993FACA or 0xF993FAC9, int32 storage type (0 is dense), int32 ndim, int64 dims
        uint32 0xF993FAC8, int32 ndim, int64 dims
        uint32 ndim, uint32 dims
      each followed by int32 device type, int32 device id, int32 type flag, the values
    uint64 count, then that many names: uint64 length, bytes ("arg:conv0_weight", "aux:bn0_moving_mean")

All numbers are little-endian. Source: src/ndarray/ndarray.cc (NDArray::Save, Load, LegacyLoad) of MXNet 1.9.1.
"""

import math
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.inference.errors import CheckpointError

FILE_MAGIC = 0x112
MAGIC_V1 = 0xF993FAC8
MAGIC_V2 = 0xF993FAC9
MAGIC_V3 = 0xF993FACA
MAX_DIMENSIONS = 32
DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f8"),
    2: np.dtype("<f2"),
    3: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("i1"),
    6: np.dtype("<i8"),
    7: np.dtype("?"),
}
_KINDS = ("arg:", "aux:")

Params = Mapping[str, NDArray[Any]]


def read_params(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays by name, without the `arg:` or `aux:` before it; read-only, of the types in the file.

    Raises CheckpointError when the file is missing or is not exactly a params file. Nothing is allocated by a length
    that the file merely claims.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing: put the checkpoint's weights there, or change MODEL_PREFIX and MODEL_EPOCH."
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}): make it readable for this user.") from None
    try:
        return parse_params(content)
    except ValueError as error:
        raise CheckpointError(
            f"{path} is no complete MXNet params file: {error}. Copy or download the checkpoint anew."
        ) from None


def parse_params(content: bytes) -> dict[str, NDArray[Any]]:
    """`read_params` of bytes in memory; the arrays are views of them. Raises ValueError."""
    reader = _Reader(content)
    if reader.number("<Q") != FILE_MAGIC:
        raise ValueError("it does not begin with MXNet's number 0x112")
    reader.number("<Q")
    arrays = [_read_array(reader, index) for index in range(reader.count(4))]
    names = [_read_name(reader) for _ in range(reader.count(8))]
    if reader.remaining:
        raise ValueError(f"{reader.remaining} bytes follow its end")
    if len(names) != len(arrays):
        raise ValueError(f"it has {len(arrays)} arrays and {len(names)} names")
    params = dict(zip(names, arrays, strict=True))
    if len(params) != len(names):
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"it has more than one {', '.join(repeated)}")
    return params


class _Reader:
    """Position in the file; every read is checked against the bytes that are left."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def remaining(self) -> int:
        return len(self._content) - self._position

    def take(self, size: int) -> int:
        """Step over `size` bytes and return where they begin."""
        if size > self.remaining:
            raise ValueError(f"it ends at byte {len(self._content)} where {size - self.remaining} more are needed")
        start = self._position
        self._position += size
        return start

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._content, self.take(struct.calcsize(layout)))
        return int(value)

    def count(self, least_size: int) -> int:
        """Read a number of items of which each takes at least `least_size` bytes."""
        count = self.number("<Q")
        if count * least_size > self.remaining:
            raise ValueError(f"it announces {count} entries at byte {self._position - 8}, more than it has room for")
        return count

    def text(self, size: int) -> str:
        start = self.take(size)
        return self._content[start : start + size].decode("utf-8")

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        count = math.prod(shape)
        start = self.take(count * dtype.itemsize)
        return np.frombuffer(self._content, dtype, count, start).reshape(shape)


def _read_array(reader: _Reader, index: int) -> NDArray[Any]:
    where = f"array {index}"
    shape = _read_shape(reader, where)
    if not all(size > 0 for size in shape):
        raise ValueError(f"{where} has the impossible shape {shape}")
    reader.take(8)  # the device that it was on when it was saved
    type_flag = reader.number("<i")
    if type_flag not in DTYPES:
        raise ValueError(f"{where} is of the unknown type {type_flag}")
    return reader.array(DTYPES[type_flag], shape)


def _read_shape(reader: _Reader, where: str) -> tuple[int, ...]:
    magic = reader.number("<I")
    if magic in (MAGIC_V2, MAGIC_V3) and (storage := reader.number("<i")) != 0:
        raise ValueError(f"{where} is sparse (storage type {storage}); save the checkpoint with dense arrays")
    if magic in (MAGIC_V1, MAGIC_V2, MAGIC_V3):
        ndim, layout = reader.number("<i"), "<q"
    else:
        ndim, layout = magic, "<I"
    # Before version 3 no dimensions meant no array; since then it is a single number.
    if not (0 if magic == MAGIC_V3 else 1) <= ndim <= MAX_DIMENSIONS:
        raise ValueError(f"{where} has {ndim} dimensions")
    return tuple(reader.number(layout) for _ in range(ndim))


def _read_name(reader: _Reader) -> str:
    name = reader.text(reader.count(1))
    if not name.startswith(_KINDS):
        raise ValueError(f"the name {name[:80]!r} does not begin with arg: or aux:")
    return name[4:]
