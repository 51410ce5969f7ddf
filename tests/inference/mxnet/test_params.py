"""Params files of every version, and damaged ones."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detection.inference.errors import CheckpointError
from detection.inference.mxnet.params import FILE_MAGIC, MAGIC_V2, MAGIC_V3, parse_params, read_params
from tests.support.checkpoints import EMBEDDED_PREFIX, PARAMS_VERSIONS, TYPE_FLAGS, array_bytes, params_bytes

ARRAYS: dict[str, NDArray[Any]] = {
    "arg:weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "aux:mean": np.array([1.5], np.float64),
    "arg:odd": np.array([1, 2, 3], np.int8),  # leaves what follows at an odd place
    "arg:half": np.array([[0.5, 2.0]], np.float16),
}


@pytest.mark.parametrize("version", PARAMS_VERSIONS)
def test_arrays_of_every_version_are_read(version: str) -> None:
    params = parse_params(params_bytes(ARRAYS, version))

    assert list(params) == ["weight", "mean", "odd", "half"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(params[name[4:]], array, strict=True)


@pytest.mark.parametrize("dtype", TYPE_FLAGS)
def test_arrays_of_every_type_are_read(dtype: str) -> None:
    array = np.array([0, 1, 1], dtype)

    np.testing.assert_array_equal(parse_params(params_bytes({"arg:a": array}))["a"], array, strict=True)


def test_single_number_is_read_from_version_3() -> None:
    assert parse_params(params_bytes({"arg:a": np.array(2.5, np.float32)}, "v3"))["a"] == 2.5


def test_embedded_params_are_read() -> None:
    params = read_params(EMBEDDED_PREFIX.with_name("mobilenet_ssd_voc-0000.params"))

    assert len(params) == 98
    assert sum(array.size for array in params.values()) == 5_783_429
    assert params["conv0_weight"].shape == (32, 3, 3, 3)
    assert not params["conv0_weight"].flags.writeable


def array_of(
    *, ndim: int = 1, dims: tuple[int, ...] = (2,), type_flag: int = 0, storage: int = 0, magic: int = MAGIC_V2
) -> bytes:
    """A file with one array whose head says what it should not, and no values."""
    head = struct.pack(f"<QQQIii{len(dims)}qiii", FILE_MAGIC, 0, 1, magic, storage, ndim, *dims, 1, 0, type_flag)
    return head + struct.pack("<Q", 1)


GOOD = params_bytes(ARRAYS)
HUGE = 2**62
DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "ends at byte 0 where 8 more are needed"),
    "text": (lambda: b"<html><body>Not found", "does not begin with"),
    "cut off": (lambda: GOOD[:-1], "announces 8 entries|ends at byte"),
    "bytes after the end": (lambda: GOOD + b"\0\0", "2 bytes follow its end"),
    "two files": (lambda: GOOD + GOOD, "bytes follow its end"),
    "more arrays than bytes": (lambda: struct.pack("<QQQ", FILE_MAGIC, 0, HUGE), f"announces {HUGE} entries"),
    "huge array": (lambda: array_of(dims=(HUGE,)), "ends at byte"),
    "array beyond 64 bits": (lambda: array_of(ndim=4, dims=(HUGE,) * 4), "ends at byte"),
    "negative size": (lambda: array_of(dims=(-1,)), r"array 0 has the impossible shape \(-1,\)"),
    "size of nothing": (lambda: array_of(dims=(0,)), "impossible shape"),
    "no dimensions": (lambda: array_of(ndim=0, dims=()), "array 0 has 0 dimensions"),
    "unknown shape": (lambda: array_of(ndim=-1, dims=(), magic=MAGIC_V3), "array 0 has -1 dimensions"),
    "too many dimensions": (lambda: array_of(ndim=10**6), "array 0 has 1000000 dimensions"),
    "unknown type": (lambda: array_of(type_flag=99), "array 0 is of the unknown type 99"),
    "sparse": (lambda: array_of(storage=1), "array 0 is sparse"),
    "fewer names than arrays": (
        lambda: struct.pack("<QQQ", FILE_MAGIC, 0, 1) + array_bytes(ARRAYS["arg:odd"], "v2") + struct.pack("<Q", 0),
        "1 arrays and 0 names",
    ),
    "name that is no text": (lambda: GOOD.replace(b"arg:odd", b"arg:\xff\xff\xff"), "utf-8"),
    "name without a kind": (lambda: GOOD.replace(b"arg:odd", b"odd.arg"), "'odd.arg' does not begin with arg: or aux:"),
    "name twice": (lambda: params_bytes({"arg:a": ARRAYS["arg:odd"], "aux:a": ARRAYS["arg:odd"]}), "more than one a"),
}


@pytest.mark.parametrize(("content", "reason"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_params_are_refused(content: Callable[[], bytes], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "net-0000.params"
    path.write_bytes(content())

    with pytest.raises(CheckpointError, match=reason) as caught:
        read_params(path)

    assert str(path) in str(caught.value)
    assert "Copy or download the checkpoint anew." in str(caught.value)


def test_missing_params_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing: put the checkpoint's weights there"):
        read_params(tmp_path / "net-0000.params")


def test_params_that_are_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_params(tmp_path)


SMALL = {version: params_bytes(ARRAYS, version) for version in PARAMS_VERSIONS}


@settings(deadline=None, derandomize=True)
@given(data=st.data(), version=st.sampled_from(PARAMS_VERSIONS))
def test_no_truncation_escapes_the_reader(data: Any, version: str) -> None:
    end = data.draw(st.integers(0, len(SMALL[version]) - 1))

    with pytest.raises(ValueError, match=r"it (ends|announces)"):
        parse_params(SMALL[version][:end])


@settings(deadline=None, derandomize=True)
@given(data=st.data(), version=st.sampled_from(PARAMS_VERSIONS))
def test_no_change_of_bytes_escapes_the_reader_or_allocates_much(data: Any, version: str) -> None:
    content = bytearray(SMALL[version])
    for position, byte in data.draw(st.dictionaries(st.integers(0, len(content) - 1), st.integers(0, 255))).items():
        content[position] = byte
    try:
        params = parse_params(bytes(content))
    except ValueError:
        params = {}
    assert sum(array.nbytes for array in params.values()) <= len(content)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_no_garbage_escapes_the_reader(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r"it (ends|announces|has)|array 0|bytes follow|the name|utf-8"):
        parse_params(struct.pack("<QQQ", FILE_MAGIC, 0, 1) + garbage)
