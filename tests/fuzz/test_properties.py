"""Files that are well-formed and make no sense, drawn by hypothesis: read, or refused with an error of our own."""

import json
import math
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection.inference.cards.card import read_card
from detection.inference.convert.registry import registered_converters
from detection.inference.errors import CheckpointError, ImageDecodeError, ImageTooLargeError
from detection.photos.metadata import NotStrippableError
from tests.fuzz.targets import TARGETS
from tests.inference.convert.single import Misfit, Single, run_single
from tests.inference.model_folders import write_card
from tests.support import photos

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
fuzzing = settings(
    deadline=None,
    derandomize=True,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NUMBERS = st.one_of(st.integers(-3, 40), st.sampled_from([0.1, 1e-30, 2**31, -(2**63), 10**12]))
TEXTS = st.one_of(NUMBERS.map(str), st.sampled_from(["None", "True", "(3, 3)", "data", "null", ""]))
WHOLE = st.one_of(st.integers(-2, 7), st.sampled_from([100, 2**31, -(2**40)]))
REAL = st.one_of(st.floats(-2, 2, width=32), st.sampled_from([0.0, 1.0, 1e30]))
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=4)
CONVERTERS = sorted(registered_converters().items())


def ends_well(read: Callable[[], object], *errors: type[Exception]) -> bool:
    """Whether something is read, or refused with a sentence by one of our own errors; others are raised."""
    try:
        read()
    except errors as error:
        return bool(str(error))
    return True


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of the type of an operator's attribute, more likely sensible than not."""
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return st.one_of(st.none(), *(values_of(each) for each in arguments if each is not type(None)))
    if get_origin(annotation) is Literal:
        return st.sampled_from(arguments)
    if get_origin(annotation) is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=4).map(tuple)
    if get_origin(annotation) is tuple:
        return st.tuples(*(values_of(each) for each in arguments))
    return {bool: st.booleans(), int: WHOLE, float: REAL}[annotation]


@st.composite
def operators(draw: st.DrawFn) -> tuple[Single, tuple[int, ...]]:
    """One operator with attributes of the right types on data of some shape, and that shape."""
    name, converter = draw(st.sampled_from(CONVERTERS))
    least, greatest = converter.inputs
    copies = draw(st.integers(0, min(greatest, 3)))
    shapes = draw(st.lists(SIZES, min_size=max(0, least - copies), max_size=max(0, min(greatest, 5) - copies)))
    weights = tuple(np.full(shape, 0.5, np.float32) for shape in shapes)
    hints = get_type_hints(converter.attributes)
    needed = {each.name for each in fields(converter.attributes) if each.default is MISSING}
    chosen = {key for key in hints if key in needed or draw(st.booleans())}
    attributes = {key: draw(values_of(hints[key])) for key in sorted(chosen)}
    return Single(name, attributes, weights, copies), (2, *draw(SIZES))


@fuzzing
@given(operators())
def test_an_operator_is_refused_or_gives_what_its_shape_says(drawn: tuple[Single, tuple[int, ...]]) -> None:
    """`run_single` checks the model with ONNX, runs it, and compares the shapes."""
    single, shape = drawn
    data = np.linspace(-1, 1, math.prod(shape), dtype=np.float32).reshape(shape)
    assert ends_well(lambda: run_single(single, data), CheckpointError, Misfit)


LETTERS = st.text(st.characters(codec="ascii", exclude_characters='"\\'), max_size=9).filter(str.isprintable)
VALUES = st.recursive(
    st.one_of(st.booleans(), NUMBERS, LETTERS), lambda inner: st.lists(inner, max_size=4), max_leaves=6
)
SECTIONS: dict[str, Sequence[str]] = {
    "input": ("edge", "width", "height", "fit", "pad", "colour", "mean", "std", "dtype", "layout", "other"),
    "decoding": ("strides", "bins", "iou_threshold", "decoded", "activation", "logits", "top", "other"),
    "accuracy": ("photos", "coco_ap"),
    "files": ("net.onnx", "../net.onnx", ""),
}
PLAIN = ("name", "title", "version", "family", "licence", "source", "classes", "threshold", "other")


@st.composite
def cards(draw: st.DrawFn) -> dict[str, Any]:
    """A good card with some keys replaced or left out."""
    card: dict[str, Any] = {"name": "net", "title": "Net", "version": "1", "licence": "MIT", "source": "the tests"}
    card |= {
        "family": draw(st.sampled_from(["nanodet_plus", "yolox", "ultralytics", "detr", "gluoncv", "mxnet_ssd"])),
        "classes": ["a", "b"],
    }
    card |= {"files": {"net.onnx": "0" * 64}, "input": {"edge": 32}, "decoding": {}}
    for section, keys in SECTIONS.items():
        card.setdefault(section, {})
        card[section] = card[section] | draw(st.dictionaries(st.sampled_from(keys), VALUES, max_size=3))
    return card | draw(st.dictionaries(st.sampled_from(PLAIN), st.one_of(st.none(), VALUES), max_size=2))


@fuzzing
@given(cards())
def test_no_card_escapes_its_reader(card: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_card(Path(name), card)
        assert ends_well(lambda: read_card(Path(name)), CheckpointError)


@fuzzing
@given(st.recursive(st.none() | NUMBERS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_no_json_escapes_the_reader_of_symbols(document: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        read = TARGETS["symbol"].prepare(Path(name))
        content = json.dumps({"nodes": document, "heads": document}).encode()
        assert ends_well(lambda: read(content), CheckpointError)


def jpeg_part(kind: int, body: bytes) -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body


def png_part(kind: int, body: bytes) -> bytes:
    name = (b"tEXt", b"iCCP", b"eXIf", b"gAMA", b"sBIT", b"tRNS", b"PLTE", b"IDAT", b"abCd", b"acTL", b"zTXt")[
        kind % 11
    ]
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def webp_part(kind: int, body: bytes) -> bytes:
    name = (b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"ANIM", b"ANMF", b"VP8X", b"abcd")[kind % 8]
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def with_parts(whole: bytes, place: int, part: Callable[[int, bytes], bytes], drawn: list[tuple[int, bytes]]) -> bytes:
    return whole[:place] + b"".join(part(kind, body) for kind, body in drawn) + whole[place:]


PICTURE = photos.two_colours((32, 24))
JPEG, PNG, WEBP = (photos.encode(PICTURE, name) for name in ("JPEG", "PNG", "WEBP"))
PARTS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=8)


@fuzzing
@given(PARTS, st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_no_parts_of_a_photo_escape_the_entrance(drawn: list[tuple[int, bytes]], kind: str) -> None:
    content = {
        "JPEG": lambda: with_parts(JPEG, 2, jpeg_part, drawn),
        "PNG": lambda: with_parts(PNG, 33, png_part, drawn),
        "WEBP": lambda: with_parts(WEBP, 12, webp_part, drawn),
    }[kind]()
    if kind == "WEBP":
        content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
    with tempfile.TemporaryDirectory() as name:
        read = TARGETS["image"].prepare(Path(name))
        assert ends_well(lambda: read(content), ImageDecodeError, ImageTooLargeError, NotStrippableError)


@fuzzing
@given(st.binary(max_size=200), st.sampled_from(["params", "card", "onnx", "image"]))
def test_no_bytes_escape_any_reader(content: bytes, target: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        read = TARGETS[target].prepare(Path(name))
        assert ends_well(lambda: read(content), *TARGETS[target].errors)
