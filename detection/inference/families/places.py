"""Check of the order of a box's numbers: what is found in a photo in one corner has to be in that corner."""

from dataclasses import replace

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
_ORDERS = ("xyxy", "yxyx", "cxcywh")
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
    """Raise CheckpointError when the objects of `in_a_corner` are elsewhere, and would be there in another order of
    their numbers. Where nothing is found, nothing is known.
    """
    if declaration.box not in _ORDERS or declaration.strides:
        return
    inside = {order: _share_inside(replace(declaration, box=order), outputs, network) for order in _ORDERS}
    own, best = inside[declaration.box], max(inside, key=lambda order: inside[order])
    if own < _ELSEWHERE and inside[best] > _THERE:
        raise CheckpointError(
            f"{network.name} finds objects where there are none: with a photo in the upper right corner {own:.0%} of "
            f'their boxes are there, and {inside[best]:.0%} with box = "{best}". Correct box under [decoding] in its '
            "card."
        )


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
