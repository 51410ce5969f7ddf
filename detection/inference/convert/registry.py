"""Registry of operator converters, with their attributes and numbers of inputs.

A new operator is one function under `@converts(...)` in a module of `operators/`, and one case in
`tests/oracle/test_operators.py`.
"""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from detection.inference.convert.graph import GraphBuilder, Value

ANY_NUMBER = sys.maxsize
Schema = TypeVar("Schema")
Convert = Callable[[GraphBuilder, Sequence[Value], Schema], Value | tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class NoAttributes:
    """Schema of operators without attributes."""


@dataclass(frozen=True, slots=True)
class Converter:
    """Conversion of one MXNet operator.

    convert: takes the graph, the inputs and the parsed attributes and returns the output, or all outputs of an operator
    with `several`; raises ValueError with a sentence when they do not fit. attributes: the dataclass that names and
    types the attributes; ignored: names of attributes that do not change the result. inputs: the least and the greatest
    number of inputs.
    """

    convert: Convert[Any]
    attributes: type[Any]
    ignored: Collection[str]
    inputs: tuple[int, int]
    several: bool = False


_CONVERTERS: dict[str, Converter] = {}


def converts(
    *operators: str,
    attributes: type[Schema] = NoAttributes,  # type: ignore[assignment]
    ignored: Collection[str] = (),
    inputs: tuple[int, int] = (1, 1),
    several: bool = False,
) -> Callable[[Convert[Schema]], Convert[Schema]]:
    """Register a function as the converter of MXNet operators; takes all spellings of one operator at once."""

    def register(convert: Convert[Schema]) -> Convert[Schema]:
        for operator in operators:
            if operator in _CONVERTERS:
                raise RuntimeError(f"{operator} has two converters")
            _CONVERTERS[operator] = Converter(convert, attributes, ignored, inputs, several)
        return convert

    return register


def registered_converters() -> Mapping[str, Converter]:
    """Return all converters by the operator's name in MXNet."""
    # The modules of operators import this one; they register themselves when they are imported.
    from detection.inference.convert import operators  # noqa: F401

    return _CONVERTERS
