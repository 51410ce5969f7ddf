"""Grids of tiles: how many, where, and which of their boxes count."""

import numpy as np
import pytest

from detection.inference.tiles.grid import AUTO, UNTILED, WHOLE, Tile, Tiling, tiling_of
from detection.inference.types import Detections

INPUT = (416, 416)


@pytest.mark.parametrize(
    ("choice", "photo_wh", "grid"),
    [
        pytest.param("2", (100, 100), "2x2", id="a number is a number, however small the photo"),
        pytest.param("3", (6000, 4000), "3x3", id="or large"),
        pytest.param(WHOLE, (6000, 4000), "", id="the whole alone"),
        pytest.param(AUTO, (416, 416), "", id="no larger than the input"),
        pytest.param(AUTO, (640, 400), "2x1", id="wider"),
        pytest.param(AUTO, (640, 480), "2x2", id="somewhat larger"),
        pytest.param(AUTO, (1000, 700), "3x2", id="larger"),
        pytest.param(AUTO, (6000, 4000), "3x3", id="most"),
    ],
)
def test_choice_and_size_make_the_grid(choice: str, photo_wh: tuple[int, int], grid: str) -> None:
    assert tiling_of(choice, photo_wh, INPUT).grid == grid


def test_tiles_cover_the_photo_in_whole_pixels_and_overlap() -> None:
    photo_wh = (1001, 641)
    whole, *tiles = Tiling("3", 3, 3).views(photo_wh, INPUT)
    assert whole == Tile()
    boxes = np.array([tile.box_px(photo_wh) for tile in tiles])
    assert len(boxes) == 9
    assert np.allclose(boxes, boxes.round())
    covered = np.zeros(photo_wh[::-1], int)
    for left, top, right, bottom in boxes.round().astype(int):
        covered[top:bottom, left:right] += 1
    assert covered.min() == 1
    # A fifth of a tile's width: 1001 / 2.6 * 0.2.
    assert boxes[0][2] - boxes[1][0] == pytest.approx(77, abs=1)


def test_the_whole_photo_alone_is_one_view() -> None:
    assert list(UNTILED.views((640, 480), INPUT)) == [Tile()]


def test_what_an_inner_edge_cuts_is_left_out() -> None:
    tile = Tile((0.0, 0.4, 0.6, 1.0))
    boxes = [
        (0.0, 0.3, 0.5, 0.6),  # at the photo's own edge
        (0.3, 0.005, 0.5, 0.5),  # at the upper edge, which is an inner one
        (0.3, 0.3, 0.995, 0.5),  # at the right one
        (0.3, 0.3, 0.5, 1.0),  # at the photo's lower edge
        (0.25, 0.25, 0.5, 0.5),
    ]
    found = Detections(np.array(boxes, np.float32), np.linspace(0.9, 0.5, 5, dtype=np.float32), np.arange(5))
    kept = tile.to_photo(found)
    assert kept.class_ids.tolist() == [0, 3, 4]
    assert kept.boxes_xyxy_unit[2] == pytest.approx([0.15, 0.55, 0.3, 0.7])
    assert kept.scores.tolist() == found.scores[[0, 3, 4]].tolist()


def test_probabilities_of_tiles_count_less_where_the_photo_has_no_more_pixels() -> None:
    def weights(photo_wh: tuple[int, int]) -> set[float]:
        whole, *tiles = Tiling("3", 3, 3).views(photo_wh, INPUT)
        assert whole.weight == 1
        return {round(tile.weight, 3) for tile in tiles}

    assert weights((3264, 2448)) == {1.0}
    # 416 pixels are made of 246 and of 185: 1.95 times as many a side, and 1.5 are free.
    assert weights((640, 480)) == {0.769}
    tile = Tile(weight=0.5)
    found = Detections(np.array([[0.2, 0.2, 0.4, 0.4]], np.float32), np.array([0.8], np.float32), np.array([1]))
    assert tile.to_photo(found).scores == pytest.approx([0.4])


def test_a_photo_may_be_reduced_as_long_as_its_tiles_are_large_enough() -> None:
    width, height = Tiling("3", 3, 2).least_size_wh((400, 200))
    # Tiles are 1 / 2.6 of the width and 1 / 1.8 of the height.
    assert (width, height) == (937, 324)
