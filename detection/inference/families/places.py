"""Check of what a box's numbers mean: what is found in a photo in one corner has to be in that corner."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.declaration import Declaration
from detection.inference.families.declared import decode_as
from detection.inference.network import Network
from detection.inference.photos.preprocess import stretch
from detection.inference.types import FloatArray, ImageArray

# The upper right corner: exchanged x and y would be the lower left one.
_SHARE = 0.6
_GREY = 114
_ORDERS, _UNITS = ("xyxy", "yxyx", "cxcywh"), ("pixel", "fraction")
_PROBABLE, _MOST = 0.3, 5
_ELSEWHERE, _THERE = 0.75, 0.92


def in_a_corner(image_rgb: ImageArray) -> ImageArray:
    """Return a picture of the same size, grey, with the photo made smaller in its upper right corner."""
    height, width = image_rgb.shape[:2]
    inner_wh = max(1, round(width * _SHARE)), max(1, round(height * _SHARE))
    picture = np.full_like(image_rgb, _GREY)
    picture[: inner_wh[1], width - inner_wh[0] :] = stretch(Image.fromarray(image_rgb), inner_wh)
    return picture


def require_places(declaration: Declaration, outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when the objects of `in_a_corner` are elsewhere, and would be there if one or two keys of
    the card, or the size of its input, were others. Where nothing is found, nothing is known.
    """
    own = _share_inside(declaration, outputs, network)
    if own >= _ELSEWHERE:
        return
    for what, other, another in _alternatives(declaration, network):
        share = _share_inside(other, outputs, another)
        if share > _THERE:
            raise CheckpointError(
                f"{network.name} finds objects where there are none: with a photo in the upper right corner {own:.0%} "
                f"of their boxes are there, and {share:.0%} with {what}. Correct that in its card."
            )


def _alternatives(declaration: Declaration, network: Network) -> Iterator[tuple[str, Declaration, Network]]:
    """Yield what a card may have meant: what is another in it, with the declaration and the network."""
    for changes in _changes(declaration):
        said = ", ".join(f"{key} = {json.dumps(value)}" for key, value in changes.items())
        yield said, replace(declaration, **changes), network
    if declaration.unit == "pixel":
        for by in (0.5, 2.0):
            width, height = (max(1, round(edge * by)) for edge in network.size_wh)
            yield (
                f"an input of {width} x {height} pixels",
                declaration,
                replace(network, size_wh=(width, height)),
            )


def _changes(declaration: Declaration) -> Iterator[dict[str, Any]]:
    """Yield the keys that differ: the order of the numbers first, then the unit, then cells and their levels."""
    if not declaration.strides:
        for unit in dict.fromkeys((declaration.unit, *_UNITS)):
            for box in _ORDERS:
                yield {"box": box} | ({"unit": unit} if unit != declaration.unit else {})
        return
    yield {"strides": declaration.strides[::-1]}
    for key in ("boxes", "scores"):
        if isinstance(value := getattr(declaration, key), tuple):
            yield {key: value[::-1]}
    for unit, box in product(_UNITS, _ORDERS):
        yield {"box": box, "unit": unit, "strides": (), "offset": 0.0}


def _share_inside(declaration: Declaration, outputs: Outputs, network: Network) -> float:
    """Return which share of the most probable boxes' areas is within the corner; 1 where there are none."""
    found = decode_as(declaration, outputs, network, _PROBABLE).first(_MOST)
    if not len(found):
        return 1.0
    return float(np.mean([_inside(box) for box in found.boxes_xyxy_unit]))


def _inside(box_xyxy_unit: FloatArray) -> float:
    left, top, right, bottom = box_xyxy_unit.tolist()
    area = max(right - left, 0.0) * max(bottom - top, 0.0)
    shared = max(right - max(left, 1 - _SHARE), 0.0) * max(min(bottom, _SHARE) - top, 0.0)
    return shared / area if area else 0.0
