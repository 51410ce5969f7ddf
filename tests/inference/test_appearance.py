"""Brightness and sharpness from a few rows."""

import numpy as np
from PIL import ImageFilter

from detection.inference.photos.appearance import brightness_of, sampled_rows, sharpness_of
from tests.support import photos


def test_rows_are_a_copy_of_every_eighth() -> None:
    image = np.asarray(photos.noise((32, 24), 0))
    rows = sampled_rows(image)
    assert rows.base is None
    np.testing.assert_array_equal(rows, image[[0, 8, 16]])


def test_a_brighter_photo_is_brighter() -> None:
    dark = np.full((16, 16, 3), 50, np.uint8)
    assert (brightness_of(sampled_rows(dark)), brightness_of(sampled_rows(dark + 100))) == (50.0, 150.0)


def test_a_blurred_photo_is_less_sharp_by_its_radius() -> None:
    image = photos.noise((320, 320), 0)
    found = [
        sharpness_of(sampled_rows(np.asarray(image.filter(ImageFilter.GaussianBlur(radius))))) for radius in (0, 1, 3)
    ]
    assert found[0] > found[1] + 2 > found[2] + 3


def test_nothing_to_see_has_no_sharpness() -> None:
    assert sharpness_of(sampled_rows(np.full((8, 2, 3), 9, np.uint8))) == 0.0
    assert sharpness_of(sampled_rows(np.full((8, 20, 3), 9, np.uint8))) == 0.0
