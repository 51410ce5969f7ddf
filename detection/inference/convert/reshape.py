"""Applies the shape codes of MXNet's Reshape: (0, -1, 21) turns (N, 8732 * 21) into (N, 8732, 21)."""

import math
from collections.abc import Iterator, Sequence

from detection.inference.convert.graph import Shape, describe

COPY, INFER, COPY_REST, MERGE, SPLIT = 0, -1, -2, -3, -4


def reshaped(shape: Shape, codes: Sequence[int], *, reverse: bool = False) -> Shape:
    """Return the shape that MXNet's `Reshape` gives; codes are applied from the right if `reverse`.

    0 copies an axis, -1 is inferred, -2 copies the rest, -3 merges two axes, -4 splits one into the two sizes that
    follow. Raises ValueError when the sizes do not divide evenly or the photos of a batch would be mixed.
    Source: InferReshapeShape in src/operator/tensor/matrix_op-inl.h.
    """
    source = shape[::-1] if reverse else shape
    sizes = _apply_codes(source, codes[::-1] if reverse else codes)
    target = _with_inferred(source, sizes)
    if (_product(source), source.count(None)) != (_product(target), target.count(None)):
        raise ValueError(f"{describe(shape)} cannot be reshaped to {tuple(codes)}")
    return target[::-1] if reverse else target


def _apply_codes(source: Shape, codes: Sequence[int]) -> list[int | None]:
    """Return the sizes, with -1 where one is inferred."""
    left: Iterator[int | None] = iter(source)
    numbers = iter(codes)
    sizes: list[int | None] = []
    for code in numbers:
        if code == COPY_REST:
            sizes.extend(left)
        elif code == MERGE:
            sizes.append(_merged(_next_axis(left, source), _next_axis(left, source)))
        elif code == SPLIT:
            sizes.extend(_split(_next_axis(left, source), next(numbers, 0), next(numbers, 0)))
        elif code == COPY:
            sizes.append(_next_axis(left, source))
        elif code < SPLIT:
            raise ValueError(f"{code} is no code of a shape")
        else:
            sizes.append(code)
            next(left, None)
    return sizes


def _next_axis(left: Iterator[int | None], source: Shape) -> int | None:
    for size in left:
        return size
    raise ValueError(f"{describe(source)} has fewer axes than the new shape refers to")


def _merged(first: int | None, second: int | None) -> int | None:
    if first is not None and second is not None:
        return first * second
    if 1 not in (first, second):
        raise ValueError("the batch cannot be merged with another axis")
    return None


def _split(size: int | None, first: int, second: int) -> tuple[int | None, int | None]:
    if size is None:
        if {first, second} != {1, INFER}:
            raise ValueError("the batch cannot be split")
        return (None, 1) if second == 1 else (1, None)
    if first == INFER and second > 0:
        first = size // second
    elif second == INFER and first > 0:
        second = size // first
    if min(first, second) < 1 or first * second != size:
        raise ValueError(f"an axis of {size} cannot be split into {first} and {second}")
    return first, second


def _with_inferred(source: Shape, sizes: list[int | None]) -> Shape:
    if sizes.count(INFER) > 1:
        raise ValueError("more than one size is to be inferred")
    if INFER not in sizes:
        return tuple(sizes)
    position = sizes.index(INFER)
    known = _product((*sizes[:position], *sizes[position + 1 :]))
    if source.count(None) > sizes.count(None):
        inferred = None
    elif known and _product(source) % known == 0:
        inferred = _product(source) // known
    else:
        raise ValueError(f"{describe(source)} does not divide by {known}")
    return (*sizes[:position], inferred, *sizes[position + 1 :])


def _product(shape: Shape) -> int:
    return math.prod(size for size in shape if size is not None)
