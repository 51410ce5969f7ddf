"""Reads the attributes of an operator, which MXNet writes as text, into a dataclass that names and types them.

The types that a field may have are `int`, `float`, `bool`, `Literal["a", "b"]`, `X | None`, `tuple[int, int]` (the
length is checked) and `tuple[float, ...]`. Nothing is guessed: what does not parse is an error.
"""

import ast
import dataclasses
import re
from collections.abc import Collection, Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

MAX_TEXT_LENGTH = 4096
MAX_FLOAT32 = 3.4028234663852886e38
_BOOLEANS = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
_NUMBERS_AND_TUPLES = re.compile(r"[0-9eE+\-., ()\[\]]*")
_PYTHON_2_LONG = re.compile(r"(?<=\d)L")

Schema = TypeVar("Schema")


def read_attributes(schema: type[Schema], raw: Mapping[str, str], ignored: Collection[str] = ()) -> Schema:
    """Build `schema`, a dataclass, from attributes as they are written in a symbol file.

    Fields without a default are required; `ignored` names attributes that do not change the result.
    Raises ValueError with one message that lists everything unknown, missing or malformed.
    """
    types = get_type_hints(schema)
    fields = {field.name: field for field in dataclasses.fields(schema)}  # type: ignore[arg-type]
    problems = [
        f"attribute {name}={text!r} is not known" for name, text in raw.items() if name not in {*fields, *ignored}
    ]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            try:
                values[name] = parse_value(types[name], raw[name])
            except ValueError as error:
                problems.append(f"attribute {name}={raw[name][:80]!r} {error}")
        elif field.default is dataclasses.MISSING:
            problems.append(f"attribute {name} is missing")
    if problems:
        raise ValueError(", ".join(problems))
    return schema(**values)


def parse_value(annotation: Any, text: str) -> Any:
    """Parse `text` as a value of type `annotation`; raises ValueError with the end of a sentence."""
    if get_origin(annotation) in (Union, UnionType):
        return None if text == "None" else parse_value(_without_none(annotation), text)
    if get_origin(annotation) is Literal:
        return _parse_choice(get_args(annotation), text)
    if annotation is bool:
        return _parse_bool(text)
    return _checked(annotation, _parse_literal(text))


def _parse_choice(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise ValueError(f"is not supported (only {', '.join(choices)})")
    return text


def _parse_bool(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError("is not True or False")
    return _BOOLEANS[text]


def _parse_literal(text: str) -> Any:
    # MXNet's own reader of tuples takes Python 2's `3L` too (include/mxnet/tuple.h).
    plain = _PYTHON_2_LONG.sub("", text.strip())
    if len(plain) > MAX_TEXT_LENGTH or not _NUMBERS_AND_TUPLES.fullmatch(plain.replace("None", "")):
        raise ValueError("is not a number or a tuple of numbers")
    try:
        return ast.literal_eval(plain)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("is not a number or a tuple of numbers") from None


def _checked(annotation: Any, value: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return None if value is None else _checked(_without_none(annotation), value)
    if origin is tuple:
        return _checked_tuple(arguments, value)
    if annotation is int and type(value) is int:
        return value
    if annotation is float and type(value) in (int, float) and abs(value) <= MAX_FLOAT32:
        return float(value)
    raise ValueError(f"is not {'a whole number' if annotation is int else 'a number that fits float32'}")


def _without_none(annotation: Any) -> Any:
    return next(argument for argument in get_args(annotation) if argument is not type(None))


def _checked_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if arguments[-1] is Ellipsis:
        # A bare number is a tuple of one for MXNet.
        items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        return tuple(_checked(arguments[0], item) for item in items)
    if not isinstance(value, (tuple, list)) or len(value) != len(arguments):
        raise ValueError(f"is not a tuple of {len(arguments)} numbers")
    return tuple(_checked(argument, item) for argument, item in zip(arguments, value, strict=True))
