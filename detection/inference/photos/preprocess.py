"""Fits upright photos to the network's input, and maps its boxes back to the photo."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from detection.inference.network import AREA, CUBIC, LETTERBOX, LINEAR, STRETCH, Network
from detection.inference.tiles.grid import Tile
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
# As a JPEG is decoded at a fraction of its size as long as it keeps twice the network's edge.
_TILE_REDUCING_GAP = 2.0
_FILTERS = {
    AREA: Image.Resampling.BOX,
    LINEAR: Image.Resampling.BILINEAR,
    CUBIC: Image.Resampling.BICUBIC,
}


def fit_photo(image_rgb: Image.Image, network: Network, tile: Tile | None = None) -> tuple[ImageArray, Placement]:
    """Return a photo, or a tile of it, as `network` takes it, (height, width, 3) uint8 RGB, and its place there."""
    box_px = (0.0, 0.0, *image_rgb.size) if tile is None else tile.box_px(image_rgb.size)
    resized = partial(stretch, image_rgb, box_px=box_px, resize=network.resize, antialias=network.antialias)
    if tile is not None:
        resized = partial(resized, reducing_gap=_TILE_REDUCING_GAP)
    if network.fit == STRETCH:
        return resized(network.size_wh), _WHOLE
    width, height = network.size_wh
    box_wh = box_px[2] - box_px[0], box_px[3] - box_px[1]
    ratio = min(width / box_wh[0], height / box_wh[1])
    centred = network.fit == LETTERBOX
    # Ultralytics rounds the size of a photo (and half of the rest down), YOLOX truncates it.
    whole_px = round if centred else int
    inner_wh = max(1, whole_px(box_wh[0] * ratio)), max(1, whole_px(box_wh[1] * ratio))
    left, top = ((width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2) if centred else (0, 0)
    whole = np.full((height, width, 3), network.pad, dtype=np.uint8)
    whole[top : top + inner_wh[1], left : left + inner_wh[0]] = resized(inner_wh)
    return whole, Placement((left / width, top / height), (inner_wh[0] / width, inner_wh[1] / height))


def stretch(
    image_rgb: Image.Image,
    size_wh: tuple[int, int],
    *,
    box_px: tuple[float, float, float, float] | None = None,
    resize: str = LINEAR,
    antialias: bool = True,
    reducing_gap: float | None = None,
) -> ImageArray:
    """Resize a photo, or what lies in a box of it, to (height, width, 3) uint8; resize: of `RESIZES`.

    With antialias a pixel is made from its whole footprint when shrinking, so that fine structure of large photos is
    averaged and not skipped (Pillow); without, from the four pixels around its centre, as `cv2.resize` does.
    reducing_gap: shrink by whole numbers first, down to so many times `size_wh`, which takes less time.
    """
    left, top, right, bottom = box_px or (0, 0, *image_rgb.size)
    if (left, top, right, bottom) == (0, 0, *image_rgb.size) and image_rgb.size == size_wh:
        return np.asarray(image_rgb, dtype=np.uint8)
    if antialias:
        box = (left, top, right, bottom)
        return np.asarray(image_rgb.resize(size_wh, _FILTERS[resize], box, reducing_gap), dtype=np.uint8)
    matrix = ((right - left) / size_wh[0], 0, left, 0, (bottom - top) / size_wh[1], top)
    return np.asarray(image_rgb.transform(size_wh, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
