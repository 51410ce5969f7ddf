"""The network's input."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from detection.inference.photos.preprocess import Placement, fit_photo, stretch
from detection.inference.tiles.grid import Tile
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


def sampled(values: np.ndarray, size_wh: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    """Bilinear between the four pixels around each centre, in plain loops (OpenCV, modules/imgproc/src/resize.cpp)."""
    left, top, right, bottom = box
    out = np.zeros((size_wh[1], size_wh[0], 3))
    for row in range(size_wh[1]):
        for column in range(size_wh[0]):
            x = left + (column + 0.5) * (right - left) / size_wh[0] - 0.5
            y = top + (row + 0.5) * (bottom - top) / size_wh[1] - 0.5
            for j in (0, 1):
                for i in (0, 1):
                    at_x, at_y = int(np.floor(x)) + i, int(np.floor(y)) + j
                    share = (1 - abs(x - at_x)) * (1 - abs(y - at_y))
                    pixel = values[min(max(at_y, 0), len(values) - 1), min(max(at_x, 0), values.shape[1] - 1)]
                    out[row, column] += share * pixel
    return out


@pytest.mark.parametrize("box", [(0, 0, 90, 60), (30, 10, 75, 60)], ids=["whole", "part"])
@pytest.mark.parametrize("size_wh", [(20, 15), (120, 100)], ids=["smaller", "larger"])
def test_without_antialias_pixels_between_are_skipped_as_in_training(
    size_wh: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    photo = photos.noise((90, 60))
    resized = stretch(photo, size_wh, box_px=box, antialias=False)
    # Pillow cuts off what is behind the point.
    assert np.abs(resized - sampled(np.asarray(photo, float), size_wh, box)).max() < 1.01


def test_area_is_the_mean_of_what_a_pixel_covers() -> None:
    photo = photos.noise((80, 60))
    means = np.asarray(photo, float).reshape(15, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(stretch(photo, (20, 15), resize="area") - means).max() <= 1
    assert np.abs(stretch(photo, (20, 15)) - means).max() > 10


def test_cubic_keeps_edges_sharper() -> None:
    edge = Image.new("L", (40, 40), 100).convert("RGB")
    edge.paste((200, 200, 200), (20, 0, 40, 40))
    linear, cubic = (stretch(edge, (20, 20), resize=name).astype(int) for name in ("linear", "cubic"))
    assert cubic.max() > linear.max() == 200


def test_a_tile_is_fitted_like_a_photo_of_its_own() -> None:
    photo = photos.noise((90, 60))
    tile = Tile((30 / 90, 10 / 60, 75 / 90, 1.0))
    for fit in ("stretch", "letterbox"):
        network = replace(network_of("nanodet_plus", None, (64, 64)), fit=fit, pad=114)
        alone, place = fit_photo(photo.crop((30, 10, 75, 60)), network)
        within, place_within = fit_photo(photo, network, tile)
        assert place == place_within
        # At its edges, pixels of the neighbours take part.
        assert np.abs(alone.astype(int) - within)[2:-2, 8:-8].max() <= 1


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


@pytest.mark.parametrize("fit", ["letterbox", "letterbox_top_left"])
@pytest.mark.parametrize("size_wh", [(200, 77), (77, 200), (199, 133), (427, 640), (640, 1), (333, 97)])
def test_a_letterbox_rounds_as_its_project_does(fit: str, size_wh: tuple[int, int]) -> None:
    """Ultralytics' LetterBox (data/augment.py) and YOLOX's preproc (data/data_augment.py)."""
    network = replace(network_of("nanodet_plus", None, (64, 64)), fit=fit, pad=114)
    image, _ = fit_photo(Image.new("RGB", size_wh, "white"), network)
    width, height = size_wh
    ratio = min(64 / height, 64 / width)
    if fit == "letterbox":
        inner_w, inner_h = max(round(width * ratio), 1), max(round(height * ratio), 1)
        left, top = round((64 - inner_w) / 2 - 0.1), round((64 - inner_h) / 2 - 0.1)
    else:
        (inner_w, inner_h), (left, top) = (max(int(width * ratio), 1), max(int(height * ratio), 1)), (0, 0)
    expected = np.full((64, 64), 114)
    expected[top : top + inner_h, left : left + inner_w] = 255
    assert np.array_equal(image[:, :, 0], expected)


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
