"""References of a card to an output or to columns of it: "output0", "output0[4]", "output0[0:4]", "output0[4:]"."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from detection.inference.engines.base import Outputs
from detection.inference.types import FloatArray

_FORM = re.compile(r"(?P<output>.+?)(?:\[(?P<first>\d{1,6})(?P<colon>:(?P<end>\d{1,6})?)?\])?")


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns `first` up to `end` (None: the last) of an output; the whole of it without both."""

    output: str
    first: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Return whether no column is left out."""
        return self.first == 0 and self.end is None

    def take(self, table: FloatArray) -> FloatArray:
        """Return these columns of a table (rows, columns)."""
        return table if self.is_whole else table[:, self.first : self.end]

    def overlaps(self, other: "Columns") -> bool:
        """Return whether both name the same column."""
        ends = [math.inf if each.end is None else each.end for each in (self, other)]
        return self.output == other.output and self.first < ends[1] and other.first < ends[0]

    def within(self, count: int) -> bool:
        """Return whether a table of so many columns has them."""
        return self.first < count and (self.end is None or self.end <= count)


def parse_columns(key: str, given: object) -> tuple[Columns, ...]:
    """Return the columns that a card names under `key`: a text, or a list of texts, one for each level.

    Raises ValueError.
    """
    texts = given if isinstance(given, tuple) else (given,)
    return tuple(_parse(key, text) for text in texts)


def _parse(key: str, text: object) -> Columns:
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{key} has to be an output or its columns, as in "output0[0:4]", or a list of these')
    if match["first"] is None:
        return Columns(match["output"])
    first = int(match["first"])
    end = first + 1 if match["colon"] is None else int(match["end"]) if match["end"] else None
    if end is not None and end <= first:
        raise ValueError(f"{key} names no column: in {text} the second number has to be the larger one")
    return Columns(match["output"], first, end)


def as_table(array: FloatArray, *, turned: bool) -> FloatArray:
    """Return an output of one photo as float32 (rows, columns), however many axes the rows have.

    turned: whether the columns come first, (columns, rows) or (columns, height, width). A list of numbers is a column.
    """
    numbers = np.asarray(array, np.float32)
    if numbers.ndim < 2:  # noqa: PLR2004 a list
        return numbers.reshape(-1, 1)
    return numbers.reshape(len(numbers), -1).T if turned else numbers.reshape(-1, numbers.shape[-1])


def read_columns(outputs: Outputs, wanted: tuple[Columns, ...], turned: Collection[str]) -> FloatArray:
    """Return the columns of all levels, one below the other, as float32 (rows, columns)."""
    parts = [each.take(as_table(outputs[each.output], turned=each.output in turned)) for each in wanted]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
