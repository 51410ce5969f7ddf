"""The anchors of an SSD network: boxes of fixed sizes and ratios around the cells of its feature maps."""

import numpy as np

from detection.inference.types import FloatArray


def multibox_prior(
    feature_hw: tuple[int, int],
    sizes: tuple[float, ...],
    ratios: tuple[float, ...],
    *,
    clip: bool = False,
    steps_yx: tuple[float, float] = (-1.0, -1.0),
    offsets_yx: tuple[float, float] = (0.5, 0.5),
) -> FloatArray:
    """Return the anchors of one feature map, cell by cell: all sizes at the first ratio, then the first size at the
    others.

    Returns (h * w * (len(sizes) + len(ratios) - 1), 4) float32: xmin, ymin, xmax, ymax in fractions of the photo, cut
    to [0, 1] if `clip`. A step <= 0 spreads the cells evenly. All arithmetic is in float32, in MXNet's order.
    Source: src/operator/contrib/multibox_prior.cc of MXNet 1.9.1 (before 1.5 the sizes had ratio 1 whatever the first
    ratio said; it is 1 in all networks that are known).
    """
    height, width = feature_hw
    step_y, step_x = steps_yx if min(steps_yx) > 0 else (np.float32(1) / height, np.float32(1) / width)
    half_wh = _half_extents(feature_hw, np.asarray(sizes, np.float32), np.sqrt(np.asarray(ratios, np.float32)))
    centre_y = (np.arange(height, dtype=np.float32) + np.float32(offsets_yx[0])) * np.float32(step_y)
    centre_x = (np.arange(width, dtype=np.float32) + np.float32(offsets_yx[1])) * np.float32(step_x)
    centres = np.empty((height, width, 1, 2), np.float32)
    centres[..., 0] = centre_x[None, :, None]
    centres[..., 1] = centre_y[:, None, None]
    anchors = np.concatenate([centres - half_wh, centres + half_wh], axis=-1).reshape(-1, 4)
    return np.clip(anchors, 0, 1) if clip else anchors


def _half_extents(feature_hw: tuple[int, int], sizes: FloatArray, roots: FloatArray) -> FloatArray:
    """Return half the width and height of each anchor of a cell, (K, 2) float32; `roots` are the ratios' square
    roots.
    """
    height, width = np.float32(feature_hw[0]), np.float32(feature_hw[1])
    anchor_sizes = np.concatenate([sizes, np.repeat(sizes[:1], len(roots) - 1)])
    anchor_roots = np.concatenate([np.repeat(roots[:1], len(sizes)), roots[1:]])
    half_width = anchor_sizes * height / width * anchor_roots / np.float32(2)
    half_height = anchor_sizes / anchor_roots / np.float32(2)
    return np.stack([half_width, half_height], axis=-1)
