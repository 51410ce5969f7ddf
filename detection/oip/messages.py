"""Parses requests of the Open Inference Protocol, with its extension for binary tensors.

A request is JSON, or JSON of `Inference-Header-Content-Length` bytes followed by the raw tensors.
Every length is checked before it is used.
"""

import base64
import binascii
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.errors import RequestError
from detection.web.json_body import read_json

HEADER_LENGTH = "Inference-Header-Content-Length"
BYTES, UINT8 = "BYTES", "UINT8"
LENGTH = struct.Struct("<I")
_MAX_AXES = 8
_MAX_NAME = 200


class MessageError(ValueError):
    """The request is malformed; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input. photos: the values of BYTES; pixels: (shape) uint8 of UINT8; the other of the two is None."""

    name: str
    shape: tuple[int, ...]
    photos: tuple[bytes, ...] | None = None
    pixels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """Parsed request. outputs: by name with whether they are requested in binary; {} for all of them.

    binary: for outputs that are not named.
    """

    request_id: str
    inputs: tuple[Tensor, ...]
    outputs: Mapping[str, bool]
    binary: bool
    parameters: Mapping[str, Any]


def read_request(body: bytes, header_length: str | None) -> InferenceRequest:
    """Parse a request. header_length: the value of that header, if there is one. Raises MessageError."""
    cut = len(body) if header_length is None else _header_length(header_length, len(body))
    try:
        document = _json_object(body[:cut])
    except MessageError as error:
        if header_length is None and not _is_text(body):
            raise MessageError(
                f"The body is no JSON, but binary without the header {HEADER_LENGTH}. Set it to the length of the JSON "
                "that the body begins with."
            ) from error
        raise
    inputs = _read_inputs(_list(document, "inputs"), memoryview(body)[cut:])
    parameters = _object(document, "parameters")
    binary = _flag(parameters, "binary_data_output")
    return InferenceRequest(_request_id(document), inputs, _outputs(document, binary), binary, parameters)


def _header_length(raw: str, body_length: int) -> int:
    if not raw.isdecimal() or len(raw) > len(str(body_length)) or int(raw) > body_length:
        raise MessageError(
            f"{HEADER_LENGTH} is {raw[:20]!r}: set it to the length of the JSON, which the {body_length} bytes of the "
            "body begin with."
        )
    return int(raw)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        document = read_json(raw)
    except RequestError as error:
        raise MessageError(f"The body is no JSON of an inference request. {error}") from error
    if not isinstance(document, dict):
        raise MessageError("The body is no JSON object: send one with `inputs`.")
    return document


def _list(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects with distinct names; [] where there is none."""
    rows = document.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MessageError(f"`{name}` has to be a list of objects.")
    names = [row.get("name") for row in rows]
    if not all(isinstance(each, str) and 0 < len(each) <= _MAX_NAME for each in names):
        raise MessageError(f"Each of `{name}` needs a name, a text of at most {_MAX_NAME} characters.")
    if len(set(names)) != len(names):
        raise MessageError(f"Two of `{name}` have the same name.")
    return rows


def _object(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = row.get(name, {})
    if not isinstance(found, dict):
        raise MessageError(f"`{name}` has to be an object.")
    return found


def _flag(parameters: Mapping[str, Any], name: str) -> bool:
    found = parameters.get(name, False)
    if not isinstance(found, bool):
        raise MessageError(f"The parameter {name} has to be true or false.")
    return found


def _request_id(document: Mapping[str, Any]) -> str:
    found = document.get("id", "")
    if not isinstance(found, str) or len(found) > _MAX_NAME or not _is_unicode(found):
        raise MessageError(f"`id` has to be a text of at most {_MAX_NAME} characters.")
    return found


def _is_unicode(text: str) -> bool:
    """Return whether a text can be encoded: JSON may contain half of a surrogate pair, which UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _outputs(document: Mapping[str, Any], binary: bool) -> dict[str, bool]:
    wanted = {}
    for row in _list(document, "outputs"):
        parameters = _object(row, "parameters")
        wanted[row["name"]] = _flag(parameters, "binary_data") if "binary_data" in parameters else binary
    return wanted


def _read_inputs(rows: Sequence[dict[str, Any]], rest: memoryview) -> tuple[Tensor, ...]:
    inputs, start = [], 0
    for row in rows:
        size = _binary_size(row)
        if size is None:
            inputs.append(_from_json(row))
            continue
        if size > len(rest) - start:
            raise MessageError(f"The input {row['name']} says that {size} bytes are its own; the body ends before.")
        inputs.append(_from_bytes(row, rest[start : start + size]))
        start += size
    if start != len(rest):
        raise MessageError(f"{len(rest) - start} bytes behind the JSON belong to no input: see `binary_data_size`.")
    return tuple(inputs)


def _binary_size(row: Mapping[str, Any]) -> int | None:
    parameters = _object(row, "parameters")
    if "binary_data_size" not in parameters:
        return None
    size = parameters["binary_data_size"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise MessageError(f"`binary_data_size` of the input {row['name']} has to be a number of bytes.")
    if "data" in row:
        raise MessageError(f"The input {row['name']} has `data` and `binary_data_size`: send one of the two.")
    return size


def _shape(row: Mapping[str, Any]) -> tuple[int, ...]:
    shape = row.get("shape")
    if (
        not isinstance(shape, list)
        or not 0 < len(shape) <= _MAX_AXES
        or not all(isinstance(axis, int) and not isinstance(axis, bool) and 0 <= axis < 1 << 31 for axis in shape)
    ):
        raise MessageError(f"`shape` of the input {row['name']} has to be a list of 1 to {_MAX_AXES} sizes.")
    return tuple(shape)


def _datatype(row: Mapping[str, Any]) -> str:
    found = row.get("datatype")
    # JSON may have a list there, which is not hashable.
    if found not in (BYTES, UINT8):
        raise MessageError(f"`datatype` of the input {row['name']} has to be BYTES (files) or UINT8 (pixels).")
    return str(found)


def _from_bytes(row: Mapping[str, Any], raw: memoryview) -> Tensor:
    name, shape = row["name"], _shape(row)
    if _datatype(row) == BYTES:
        return _bytes_tensor(name, shape, _split(name, raw))
    if len(raw) != math.prod(shape):
        raise MessageError(f"The input {name} has {len(raw)} bytes, and its shape is for {math.prod(shape)}.")
    return Tensor(name, shape, pixels=np.frombuffer(raw, np.uint8).reshape(shape))


def _split(name: str, raw: memoryview) -> list[bytes]:
    """Split values that each follow their length."""
    values, start = [], 0
    while start < len(raw):
        begin = start + LENGTH.size
        length = LENGTH.unpack_from(raw, start)[0] if begin <= len(raw) else len(raw)
        if length > len(raw) - begin:
            raise MessageError(f"The input {name} ends within a value: each needs its length, 4 bytes, and its bytes.")
        values.append(bytes(raw[begin : begin + length]))
        start = begin + length
    return values


def _bytes_tensor(name: str, shape: tuple[int, ...], values: Sequence[bytes]) -> Tensor:
    if len(values) != math.prod(shape):
        raise MessageError(f"The input {name} has {len(values)} values, and its shape is for {math.prod(shape)}.")
    return Tensor(name, shape, photos=tuple(values))


def _from_json(row: Mapping[str, Any]) -> Tensor:
    name, shape, data = row["name"], _shape(row), row.get("data")
    if not isinstance(data, list):
        raise MessageError(f"The input {name} has no `data`: a list, or `binary_data_size` and bytes behind the JSON.")
    if _datatype(row) == BYTES:
        return _bytes_tensor(name, shape, [_from_base64(name, value) for value in _flat(name, data)])
    try:
        array = np.array(data)
    except ValueError as error:
        raise MessageError(f"The lists in `data` of the input {name} are not of one length.") from error
    if array.size != math.prod(shape):
        raise MessageError(f"The input {name} has {array.size} values, and its shape is for {math.prod(shape)}.")
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() > np.iinfo(np.uint8).max):
        raise MessageError(f"The values of the input {name} have to be whole numbers from 0 to 255.")
    return Tensor(name, shape, pixels=array.astype(np.uint8).reshape(shape))


def _flat(name: str, data: Sequence[Any]) -> list[Any]:
    """Yield the values of nested lists, in order."""
    for _ in range(_MAX_AXES):
        if not any(isinstance(each, list) for each in data):
            return list(data)
        data = [value for each in data for value in (each if isinstance(each, list) else [each])]
    raise MessageError(f"`data` of the input {name} has more than {_MAX_AXES} lists in each other.")


def _from_base64(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise MessageError(f"The values of the input {name} have to be texts: files in base64.")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(
            f"A value of the input {name} is no base64. Send files in base64, or as binary tensors behind the JSON."
        ) from error
