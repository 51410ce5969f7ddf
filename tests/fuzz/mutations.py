"""Damages files: seeded, so that a case is known by its number."""

import json
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_HEADER_BYTES = 512
_MOST_BYTES = 64
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
_LAYOUTS = ("B", "<H", ">H", "<I", ">I", "<Q", ">Q")
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**64, 10**40, 1.5, float("inf"), float("nan"), "", "null", "data", [], {}, [[]]),
    *("(1e999,)", "(3, 3)", "(0, 0)", "(-1, -1)", "9" * 400, "(1,)" * 50, "((((1,),),),)", "[1, [2]]", "1e400", "None"),
    *("(100000, 100000)", "1000000000", "-3", "True", "nan", "\ud800", "\x00", "é" * 100, "Concat", "Pooling", "tile"),
    *("Reshape", "UpSampling", "_arange", "slice_like", "_contrib_MultiBoxDetection", "_contrib_box_nms", [0, 0, 0]),
)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A damaged file, and how many bytes were set, put in or taken out."""

    content: bytes
    mutated_bytes: int


def damaged(seed: int, case: int, files: Sequence[bytes], tokens: Sequence[bytes] = ()) -> Damaged:
    """One of the good files after one to sixteen changes."""
    chance = random.Random(f"{seed} {case}")
    whole = chance.choice(files)
    if whole.startswith(b"{") and chance.random() < 0.7:
        return _damaged_json(chance, whole)
    content, count = bytearray(whole), 0
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        count += _change(chance, content, files, tokens)
    return Damaged(bytes(content), count)


def _change(chance: random.Random, content: bytearray, files: Sequence[bytes], tokens: Sequence[bytes]) -> int:
    """Change a few bytes in place; returns how many."""
    reach = min(len(content), _HEADER_BYTES) if chance.random() < 0.5 else len(content)
    place, length = chance.randrange(reach + 1), chance.randint(1, _MOST_BYTES)
    match chance.randrange(7):
        case 0:
            new = bytes([chance.randrange(256)])
        case 1:
            layout = chance.choice(_LAYOUTS)
            new = struct.pack(layout, chance.choice(_NUMBERS) & 256 ** struct.calcsize(layout) - 1)
        case 2:
            return _cut(content, place, place + length)
        case 3:
            new = chance.randbytes(length) if chance.random() < 0.5 else bytes(content[place : place + length])
            content[place:place] = new
            return len(new)
        case 4 if tokens:
            new = chance.choice(tokens)
        case 5 if chance.random() < 0.2:
            return min(_cut(content, place, len(content)), _MOST_BYTES)
        case _:
            other = chance.choice(files)
            start = chance.randrange(len(other))
            new = other[start : start + length]
    content[place : place + len(new)] = new
    return len(new)


def _cut(content: bytearray, start: int, end: int) -> int:
    removed = len(content[start:end])
    del content[start:end]
    return removed


def _damaged_json(chance: random.Random, whole: bytes) -> Damaged:
    """Other values, members and elements at any depth of a JSON document."""
    document = json.loads(whole)
    count = 0
    for _ in range(chance.choice((1, 1, 2, 4))):
        parent, key = _anywhere(chance, document)
        new = chance.choice(_VALUES) if chance.random() < 0.8 else _anywhere(chance, document)[0]
        if chance.random() < 0.15:
            del parent[key]
            count += 1
        else:
            # A copy: a document that contains itself is none.
            parent[key] = json.loads(json.dumps(new))
            count += min(len(json.dumps(new)), _MOST_BYTES)
    return Damaged(json.dumps(document).encode(), count)


def _anywhere(chance: random.Random, document: Any) -> tuple[Any, Any]:
    """Some container in a document and one of its keys."""
    parent = document
    while True:
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        key = chance.choice(keys)
        child = parent[key]
        if not (isinstance(child, (dict, list)) and child) or chance.random() < 0.15:
            return parent, key
        parent = child
