"""Brightness and sharpness of a photo, from a few rows of its network input: some microseconds a photo."""

import numpy as np

from detection.inference.types import ImageArray

# Every eighth row: enough for a day's mean, and a tenth of a millisecond less than all of them.
_STEP = 8
_MIN_EDGE = 3


def sampled_rows(image_rgb: ImageArray) -> ImageArray:
    """Return a copy of every eighth row, (rows, width, 3) uint8, so that the picture itself can go."""
    return image_rgb[::_STEP].copy()


def brightness_of(rows_rgb: ImageArray) -> float:
    """Return the mean of all values, 0 to 255."""
    return float(rows_rgb.mean())


def sharpness_of(rows_rgb: ImageArray) -> float:
    """Return log2 of 1 + the mean square of the second difference along the rows of green: less where a photo is
    blurred.
    """
    green = rows_rgb[:, :, 1].astype(np.int32)
    if green.shape[1] < _MIN_EDGE:
        return 0.0
    second = green[:, 2:] - 2 * green[:, 1:-1] + green[:, :-2]
    return float(np.log2(1.0 + np.square(second).mean()))
