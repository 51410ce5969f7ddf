"""Writes answers of the Open Inference Protocol piece by piece, so that a large one neither stops the process nor fills
its memory.

A network's outputs for the photos of one request may be many times the photos. In binary they take what they take in
memory; in JSON each number takes up to 20 bytes and a third of a microsecond, during which no other thread runs.
"""

import io
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from detection.inference.queues.fair_queue import FairTurns
from detection.oip.messages import BYTES, LENGTH, InferenceRequest, MessageError
from detection.web.serializers import to_json

# Numbers of one answer in JSON: ten photos' outputs of the embedded model, 50 MB.
MOST_JSON_NUMBERS = 4_000_000
# A piece takes about 3 ms.
_PIECE_NUMBERS = 8_192
# What is larger is written to a file, from which its reader takes it.
_MOST_NUMBERS_IN_MEMORY = 50_000
_TYPES = {"uint8": "UINT8", "int32": "INT32", "int64": "INT64", "float32": "FP32"}
# Bytes of large outputs that are in memory at the same time; a request whose outputs take more has its turn alone.
_MEMORY_BYTES, _SMALL_BYTES = 200_000_000, 10_000_000
_MOST_AT_ONCE = 8
# Outputs of each photo, and the array of all.
_COPIES = 2
_turns = FairTurns(_MEMORY_BYTES, _MOST_AT_ONCE)


def datatype(array: NDArray[Any]) -> str:
    """Return the protocol's name of an array's type."""
    return BYTES if array.dtype == object else _TYPES[str(array.dtype)]


def memory_for(
    request: InferenceRequest, shapes: Mapping[str, tuple[int, ...]], caller: str, timeout_s: float
) -> AbstractContextManager[None]:
    """Hold memory for outputs of these shapes and for writing them, as soon as there is some.

    Raises MessageError where an answer in JSON would have too many numbers; OverloadedError after `timeout_s`.
    """
    wanted = request.outputs or dict.fromkeys(shapes, request.binary)
    in_json = sum(math.prod(shapes[name]) for name, binary in wanted.items() if name in shapes and not binary)
    if in_json > MOST_JSON_NUMBERS:
        raise MessageError(
            f"The answer in JSON would have {in_json} numbers, and may have {MOST_JSON_NUMBERS}. Ask for it in binary "
            "(`binary_data_output`: true in `parameters`), for fewer outputs (`outputs`), or send fewer images."
        )
    size = _COPIES * np.dtype(np.float32).itemsize * sum(map(math.prod, shapes.values()))
    return nullcontext() if size <= _SMALL_BYTES else _turns.turn(size, caller, timeout_s)


def open_sink(tensors: Mapping[str, NDArray[Any]]) -> BinaryIO:
    """Return what an answer with these outputs is written to: memory, or for a large one a file without a name."""
    is_small = sum(array.size for array in tensors.values()) <= _MOST_NUMBERS_IN_MEMORY
    return io.BytesIO() if is_small else tempfile.TemporaryFile()


def write_answer(
    model: str, version: str, request: InferenceRequest, tensors: Mapping[str, NDArray[Any]], sink: BinaryIO
) -> int | None:
    """Write the body of a response; return the length of its JSON where binary tensors follow.

    tensors: all available outputs; of dtype object for texts. Raises MessageError for a requested one that is missing.
    """
    wanted = request.outputs or dict.fromkeys(tensors, request.binary)
    for name in wanted:
        if name not in tensors:
            raise MessageError(f"There is no output {name!r}. For these inputs there are {', '.join(tensors)}.")
    blocks = {name: _raw(tensors[name]) for name, binary in wanted.items() if binary}
    for piece in _json_pieces(model, version, request.request_id, {name: tensors[name] for name in wanted}, blocks):
        sink.write(piece)
    header_length = sink.tell()
    for block in blocks.values():
        sink.write(block)
    return header_length if blocks else None


def _json_pieces(
    model: str,
    version: str,
    request_id: str,
    tensors: Mapping[str, NDArray[Any]],
    blocks: Mapping[str, bytes | memoryview],
) -> Iterator[bytes]:
    about = {"model_name": model, "model_version": version, **({"id": request_id} if request_id else {})}
    yield to_json(about)[:-1] + b',"outputs":['
    for number, (name, array) in enumerate(tensors.items()):
        row: dict[str, Any] = {"name": name, "datatype": datatype(array), "shape": list(array.shape)}
        if name in blocks:
            row["parameters"] = {"binary_data_size": len(blocks[name])}
        yield (b"," if number else b"") + to_json(row)[:-1]
        if name not in blocks:
            yield b',"data":['
            yield from _numbers(array.ravel())
            yield b"]"
        yield b"}"
    yield b"]}"


def _numbers(values: NDArray[Any]) -> Iterator[bytes]:
    for start in range(0, values.size, _PIECE_NUMBERS):
        piece = to_json(values[start : start + _PIECE_NUMBERS].tolist())[1:-1]
        yield b"," + piece if start else piece


def _raw(array: NDArray[Any]) -> bytes | memoryview:
    """Return the bytes of a tensor; of numbers without a copy of them."""
    if array.dtype != object:
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    encoded = [str(value).encode() for value in array.ravel()]
    return b"".join(LENGTH.pack(len(value)) + value for value in encoded)
