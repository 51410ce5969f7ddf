"""The network's input."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from detection.inference.photos.preprocess import Placement, fit_photo, stretch
from detection.inference.types import Detections
from tests.inference.families.networks import network_of
from tests.support import photos


def test_a_photo_is_stretched_to_the_square() -> None:
    batch = stretch(photos.two_colours((640, 320)), (300, 300))
    assert batch.shape == (300, 300, 3)
    assert batch.dtype == np.uint8
    assert batch[200, 10].tolist() == [255, 0, 0]
    assert batch[200, 290].tolist() == [0, 0, 255]


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.zeros((1000, 1000, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    shrunk = stretch(Image.fromarray(stripes), (100, 100))
    assert np.abs(shrunk[10:-10, 10:-10].astype(float) - 127.5).max() <= 1.5


def test_a_photo_of_the_right_size_is_not_touched() -> None:
    photo = photos.noise((300, 300))
    assert np.array_equal(stretch(photo, (300, 300)), np.asarray(photo))


@pytest.mark.parametrize(
    ("fit", "left_top", "corners"),
    [
        pytest.param("letterbox", (0.0, 0.25), [(0, 0, 114), (16, 0, 255), (47, 63, 255), (48, 0, 114)], id="centred"),
        pytest.param("letterbox_top_left", (0.0, 0.0), [(0, 0, 255), (31, 63, 255), (32, 0, 114)], id="top left"),
    ],
)
def test_a_letterbox_keeps_the_shape_and_says_where_the_photo_is(
    fit: str, left_top: tuple[float, float], corners: list[tuple[int, int, int]]
) -> None:
    network = replace(network_of("nanodet_plus", None, (64, 64)), fit=fit, pad=114)
    image, placement = fit_photo(Image.new("RGB", (200, 100), "white"), network)
    assert image.shape == (64, 64, 3)
    assert [int(image[row, column, 0]) for row, column, _ in corners] == [value for *_, value in corners]
    assert (placement.left_top, placement.size) == (left_top, (1.0, 0.5))


def test_boxes_go_back_to_the_photo_and_are_cut_off_at_its_edges() -> None:
    found = Detections(
        np.array([[0.0, 0.25, 0.5, 0.75], [0.5, 0.0, 1.0, 0.5]], np.float32),
        np.array([0.9, 0.8], np.float32),
        np.array([0, 1], np.int64),
    )
    placed = Placement((0.0, 0.25), (1.0, 0.5)).to_photo(found)
    assert placed.boxes_xyxy_unit.tolist() == [[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5]]
    assert placed.class_ids.tolist() == [0, 1]


def test_a_stretched_photo_fills_a_rectangle_and_its_boxes_stay() -> None:
    image, placement = fit_photo(photos.noise((50, 50)), network_of("nanodet_plus", None, (60, 36)))
    assert image.shape == (36, 60, 3)
    found = Detections(np.array([[-0.1, 0, 1.2, 1]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    assert placement.to_photo(found) is found
