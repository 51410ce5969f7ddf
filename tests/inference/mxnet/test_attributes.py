"""Attributes as MXNet writes them, and as nobody should."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.inference.mxnet.attributes import MAX_TEXT_LENGTH, parse_value, read_attributes


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with one attribute of each sort."""

    kernel: tuple[int, int]
    sizes: tuple[float, ...] = (1.0,)
    no_bias: bool = False
    layout: Literal["NCHW", "None"] | None = None


VALID: dict[str, tuple[Any, str, Any]] = {
    "whole number": (int, "12", 12),
    "negative number": (int, "-1", -1),
    "Python 2's long number": (int, "3L", 3),
    "number": (float, "2e-05", 2e-5),
    "whole number as a number": (float, "1", 1.0),
    "True": (bool, "True", True),
    "1 as True": (bool, "1", True),
    "False": (bool, "false", False),
    "choice": (Literal["max", "avg"], "avg", "avg"),
    "pair": (tuple[int, int], "(3, 3)", (3, 3)),
    "pair as a list": (tuple[int, int], "[3, 3]", (3, 3)),
    "pair of long numbers": (tuple[int, int], "(3L, 3L)", (3, 3)),
    "tuple without blanks": (tuple[float, ...], "(0.1,0.141)", (0.1, 0.141)),
    "tuple of one": (tuple[float, ...], "(0.2,)", (0.2,)),
    "bare number as a tuple of one": (tuple[float, ...], "0.2", (0.2,)),
    "negative tuple": (tuple[float, float], "(-1.0, -1.0)", (-1.0, -1.0)),
    "empty tuple": (tuple[int, ...], "()", ()),
    "tuple with None": (tuple[int | None, ...], "(None, 2, None)", (None, 2, None)),
    "None": (int | None, "None", None),
    "not None": (int | None, "4", 4),
    "None of a boolean": (bool | None, "None", None),
}


@pytest.mark.parametrize(("annotation", "text", "value"), VALID.values(), ids=VALID.keys())
def test_attribute_has_its_value(annotation: Any, text: str, value: Any) -> None:
    assert parse_value(annotation, text) == value


INVALID: dict[str, tuple[Any, str, str]] = {
    "fraction for a whole number": (int, "1.5", "whole number"),
    "boolean for a whole number": (int, "True", "not a number"),
    "number for a boolean": (bool, "2", "True or False"),
    "word for a boolean": (bool, "yes", "True or False"),
    "unknown choice": (Literal["max", "avg"], "lp", "only max, avg"),
    "one for a pair": (tuple[int, int], "(3,)", "tuple of 2"),
    "bare number for a pair": (tuple[int, int], "3", "tuple of 2"),
    "three for a pair": (tuple[int, int], "(3, 3, 3)", "tuple of 2"),
    "fractions for whole numbers": (tuple[int, int], "(3.0, 3.0)", "whole number"),
    "tuple of tuples": (tuple[int, ...], "((1, 2), 3)", "whole number"),
    "not finite": (float, "1e999", "fits float32"),
    "whole number beyond floating point": (float, "9" * 400, "fits float32"),
    "beyond float32": (float, "-1e39", "fits float32"),
    "too many digits": (int, "9" * 4097, "not a number"),
    "nothing": (int, "", "not a number"),
    "code": (int, "__import__('os')", "not a number"),
    "text": (float, "'1'", "not a number"),
    "unclosed": (tuple[int, ...], "(1, 2", "not a number"),
    "a sum": (int, "1 + 1", "not a number"),
    "deeply nested": (tuple[int, ...], "(" * 2000, "not a number"),
    "longer than any attribute": (tuple[int, ...], "1, " * MAX_TEXT_LENGTH, "not a number"),
    "None where a number is needed": (int, "None", "whole number"),
}


@pytest.mark.parametrize(("annotation", "text", "reason"), INVALID.values(), ids=INVALID.keys())
def test_malformed_attribute_is_refused(annotation: Any, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_value(annotation, text)


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="0123456789eE+-., ()[]NoneL", max_size=40))
def test_any_text_is_a_tuple_or_refused(text: str) -> None:
    try:
        value = parse_value(tuple[float, ...], text)
    except ValueError:
        value = ()
    assert all(type(item) is float for item in value)


def test_layer_gets_its_attributes_and_defaults() -> None:
    layer = read_attributes(Layer, {"kernel": "(1, 2)", "workspace": "256"}, ignored=("workspace",))

    assert layer == Layer(kernel=(1, 2))


def test_all_problems_of_a_layer_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="colour") as caught:
        read_attributes(Layer, {"colour": "red", "sizes": "big", "layout": "NHWC"})

    told = str(caught.value)
    assert "colour='red' is not known" in told
    assert "sizes='big' is not a number" in told
    assert "layout='NHWC' is not supported" in told
    assert "kernel is missing" in told
