"""Fits upright photos to the network's input, and maps its boxes back to the photo."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from detection.inference.network import LETTERBOX, STRETCH, Network
from detection.inference.types import Detections, ImageArray


@dataclass(frozen=True, slots=True)
class Placement:
    """Place of the photo in the network's input, in fractions of that input: its upper left corner and its size."""

    left_top: tuple[float, float] = (0.0, 0.0)
    size: tuple[float, float] = (1.0, 1.0)

    def to_photo(self, found: Detections) -> Detections:
        """Map boxes in fractions of the input to fractions of the photo, cut off at its edges.

        Returns them unchanged where the photo fills the input.
        """
        if self == _WHOLE:
            return found
        low = np.array(self.left_top * 2, dtype=np.float32)
        size = np.array(self.size * 2, dtype=np.float32)
        boxes = np.clip((found.boxes_xyxy_unit - low) / size, np.float32(0), np.float32(1))
        return Detections(boxes, found.scores, found.class_ids)


_WHOLE = Placement()


def fit_photo(image_rgb: Image.Image, network: Network) -> tuple[ImageArray, Placement]:
    """Return a photo as `network` takes it, (height, width, 3) uint8 RGB, and its place in that input."""
    if network.fit == STRETCH:
        return stretch(image_rgb, network.size_wh), _WHOLE
    width, height = network.size_wh
    ratio = min(width / image_rgb.width, height / image_rgb.height)
    inner_wh = max(1, round(image_rgb.width * ratio)), max(1, round(image_rgb.height * ratio))
    centred = network.fit == LETTERBOX
    left, top = ((width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2) if centred else (0, 0)
    whole = np.full((height, width, 3), network.pad, dtype=np.uint8)
    whole[top : top + inner_wh[1], left : left + inner_wh[0]] = stretch(image_rgb, inner_wh)
    return whole, Placement((left / width, top / height), (inner_wh[0] / width, inner_wh[1] / height))


def stretch(image_rgb: Image.Image, size_wh: tuple[int, int]) -> ImageArray:
    """Resize bilinearly, over the whole footprint of a target pixel when shrinking (Pillow's BILINEAR), so that fine
    structure of large photos is averaged and not skipped.
    """
    resized = image_rgb if image_rgb.size == size_wh else image_rgb.resize(size_wh, Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.uint8)
