"""MXNet's codes for shapes."""

import pytest

from detection.inference.convert.graph import Shape
from detection.inference.convert.reshape import reshaped

# From the documentation of mxnet.sym.reshape and src/operator/tensor/matrix_op.cc, N for the batch.
VALID: dict[str, tuple[Shape, tuple[int, ...], Shape]] = {
    "numbers": ((2, 3, 4), (6, 1, 4), (6, 1, 4)),
    "0 copies": ((2, 3, 4), (4, 0, 2), (4, 3, 2)),
    "-1 is inferred": ((2, 3, 4), (6, -1), (6, 4)),
    "-1 in the middle": ((2, 3, 4), (3, -1, 8), (3, 1, 8)),
    "-1 alone": ((2, 3, 4), (-1,), (24,)),
    "-2 copies the rest": ((2, 3, 4), (-2,), (2, 3, 4)),
    "-2 after numbers": ((2, 3, 4), (2, -2, 1, 1), (2, 3, 4, 1, 1)),
    "-3 merges": ((2, 3, 4), (-3, 4), (6, 4)),
    "-3 twice": ((2, 3, 4, 5), (-3, -3), (6, 20)),
    "-3 after a copy": ((2, 3, 4), (0, -3), (2, 12)),
    "-3 and the rest": ((2, 3, 4), (-3, -2), (6, 4)),
    "-4 splits": ((2, 3, 4), (-4, 1, 2, -2), (1, 2, 3, 4)),
    "-4 infers the first": ((2, 3, 4), (2, -4, -1, 3, -2), (2, 1, 3, 4)),
    "-4 infers the second": ((2, 6, 4), (2, -4, 3, -1, -2), (2, 3, 2, 4)),
    "class rows": ((None, 40257), (0, -1, 21), (None, 1917, 21)),
    "the batch is inferred": ((None, 3, 4), (-1, 3, 4), (None, 3, 4)),
    "the batch beside a 1": ((None, 1, 4), (-3, 4), (None, 4)),
    "a 1 split off the batch": ((None, 4), (-4, 1, -1, 4), (1, None, 4)),
    "a 1 split after the batch": ((None, 4), (-4, -1, 1, 4), (None, 1, 4)),
    "the batch stays": ((None, 3, 4), (0, 12), (None, 12)),
}


@pytest.mark.parametrize(("shape", "codes", "expected"), VALID.values(), ids=VALID.keys())
def test_shape_follows_the_codes(shape: Shape, codes: tuple[int, ...], expected: Shape) -> None:
    assert reshaped(shape, codes) == expected


@pytest.mark.parametrize(
    ("shape", "codes", "expected"),
    [
        ((10, 5, 4), (-1, 0), (50, 4)),
        ((8, 3, 3, 4), (0, -1, 0), (3, 24, 4)),
        ((None, 3, 4), (-1, 0, 0), (None, 3, 4)),
    ],
    ids=["documentation's", "from the right", "batch"],
)
def test_codes_are_applied_from_the_right(shape: Shape, codes: tuple[int, ...], expected: Shape) -> None:
    assert reshaped(shape, codes, reverse=True) == expected


INVALID: dict[str, tuple[Shape, tuple[int, ...], str]] = {
    "another size": ((2, 3), (4, 2), "cannot be reshaped"),
    "no whole number": ((2, 3), (-1, 4), "does not divide by 4"),
    "two inferred": ((2, 3), (-1, -1), "more than one size"),
    "more copies than axes": ((2, 3), (0, 0, 0), "fewer axes"),
    "merge at the end": ((2, 3), (0, -3), "fewer axes"),
    "unknown code": ((2, 3), (-5, 3), "-5 is no code"),
    "split that does not come out": ((2, 3), (0, -4, 2, 2), "3 cannot be split into 2 and 2"),
    "split into two unknowns": ((2, 3), (0, -4, -1, -1), "cannot be split"),
    "split without its numbers": ((2, 3), (0, -4), "cannot be split"),
    "split into a fraction": ((2, 3), (0, -4, -1, 2), "cannot be split"),
    "batch merged": ((None, 3, 4), (-3, 4), "the batch cannot be merged"),
    "batch split": ((None, 4), (-4, 2, -1, 4), "the batch cannot be split"),
    "batch fixed": ((None, 4), (1, 4), "cannot be reshaped"),
    "photos mixed": ((None, 4), (-1, 2), "cannot be reshaped"),
    "batch of a constant": ((1, 8), (0, 4), "cannot be reshaped"),
}


@pytest.mark.parametrize(("shape", "codes", "reason"), INVALID.values(), ids=INVALID.keys())
def test_codes_that_do_not_fit_are_refused(shape: Shape, codes: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        reshaped(shape, codes)
