"""Grids of overlapping tiles over a photo: what a caller may choose, how many tiles that gives, and where each lies."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detection.inference.types import Detections

WHOLE, AUTO = "1", "auto"
# Tiles a side, beside the whole photo; `AUTO` is settled by the photo's pixels and the network's input.
CHOICES = (WHOLE, "2", "3", AUTO)
# The share of a tile that it has in common with its neighbour: an object up to that size is whole in one of them.
OVERLAP = 0.2
MOST_A_SIDE = 3
# A JPEG is decoded at reduced size as long as each tile keeps this share of the network's edge (docs/accuracy.md).
_DECODING_MARGIN = 0.9
# A box that comes so near to an inner edge of its tile, in parts of the tile, is taken for one that is cut by it.
_TOUCHING = 0.01
# Tiles that are enlarged by more than this show nothing more, and networks are too sure there (docs/accuracy.md).
_ENLARGEMENT = 1.5


@dataclass(frozen=True, slots=True)
class Tile:
    """Part of a photo, xmin, ymin, xmax, ymax in fractions of it, and what a probability that is found in it counts."""

    box_xyxy_unit: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    weight: float = 1.0

    def box_px(self, size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return its place in pixels of a photo of this size."""
        xmin, ymin, xmax, ymax = self.box_xyxy_unit
        width, height = size_wh
        return xmin * width, ymin * height, xmax * width, ymax * height

    def to_photo(self, found: Detections) -> Detections:
        """Map boxes in fractions of the tile to fractions of the photo, without those that an inner edge cuts: the
        whole photo, or a neighbour, has all of such an object.
        """
        box = np.array(self.box_xyxy_unit, np.float32)
        low, size = np.tile(box[:2], 2), np.tile(box[2:] - box[:2], 2)
        is_inner = np.concatenate([box[:2] > 0, box[2:] < 1])
        boxes = found.boxes_xyxy_unit
        touches = np.concatenate([boxes[:, :2] <= _TOUCHING, boxes[:, 2:] >= 1 - _TOUCHING], axis=1)
        kept = ~(touches & is_inner).any(axis=1)
        return Detections(boxes[kept] * size + low, found.scores[kept] * np.float32(self.weight), found.class_ids[kept])


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tiles of one photo: what was chosen (of `CHOICES`), and the grid that it came to."""

    choice: str = WHOLE
    columns: int = 1
    rows: int = 1

    @property
    def grid(self) -> str:
        """Columns and rows, 3x2; "" for the whole photo alone."""
        return f"{self.columns}x{self.rows}" if self.columns * self.rows > 1 else ""

    def views(self, photo_wh: tuple[int, int], input_wh: tuple[int, int]) -> Iterator[Tile]:
        """Yield what the network looks at: the whole photo, then each tile, row by row. Sizes are in pixels."""
        yield Tile()
        share_x, share_y = _length(self.columns), _length(self.rows)
        enlargement = math.sqrt(input_wh[0] / (photo_wh[0] * share_x) * input_wh[1] / (photo_wh[1] * share_y))
        weight = min(1.0, _ENLARGEMENT / enlargement)
        if self.grid:
            for top, bottom in _spans(self.rows, photo_wh[1]):
                for left, right in _spans(self.columns, photo_wh[0]):
                    yield Tile((left, top, right, bottom), weight)

    def least_size_wh(self, input_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the size to which a photo may be reduced for its tiles."""
        width, height = (_DECODING_MARGIN * edge for edge in input_wh)
        return math.ceil(width / _length(self.columns)), math.ceil(height / _length(self.rows))


UNTILED = Tiling()


def tiling_of(choice: str, photo_wh: tuple[int, int], input_wh: tuple[int, int]) -> Tiling:
    """Settle a choice for a photo and the input of a network, both in pixels.

    `AUTO`: along each side as many tiles as times the photo is larger than the input, rounded up; `MOST_A_SIDE` at
    most.
    """
    if choice == AUTO:
        columns, rows = (
            min(MOST_A_SIDE, math.ceil(photo / edge)) for photo, edge in zip(photo_wh, input_wh, strict=True)
        )
        return Tiling(choice, columns, rows)
    return Tiling(choice, int(choice), int(choice))


def _length(count: int) -> float:
    """Return the length of one of so many overlapping tiles along a side, in fractions of it."""
    return 1 / (count - (count - 1) * OVERLAP)


def _spans(count: int, side_px: int) -> Iterator[tuple[float, float]]:
    """Yield begin and end of so many tiles along a side, in fractions of it that are whole pixels."""
    length = _length(count)
    for index in range(count):
        begin = index * length * (1 - OVERLAP)
        yield round(begin * side_px) / side_px, round((begin + length) * side_px) / side_px
