"""Drawing: red where a box is, the photo where none is."""

import numpy as np
import pytest
from PIL import Image

from detection.inference.photos.draw import RED, draw_objects
from detection.inference.types import FoundObject, PixelBox
from tests.support import photos


def found(x: int, y: int, width: int, height: int, name: str = "cat") -> FoundObject:
    return FoundObject(0, name, 0.9959417, PixelBox(x, y, width, height), (0.0, 0.0, 1.0, 1.0))


def is_red(picture: Image.Image) -> np.ndarray:
    red: np.ndarray = np.logical_and.reduce(np.asarray(picture) == RED, axis=2)
    return red


def test_the_photo_itself_is_not_changed() -> None:
    photo = photos.noise((200, 100))
    before = photo.tobytes()
    assert draw_objects(photo, [found(20, 20, 100, 60)]).tobytes() != before
    assert photo.tobytes() == before


@pytest.mark.parametrize(
    ("size_wh", "stroke"), [((1840, 1000), 5), ((3680, 1000), 10), ((400, 300), 3)], ids=["reference", "large", "small"]
)
def test_the_stroke_grows_with_the_photo(size_wh: tuple[int, int], stroke: int) -> None:
    width, height = size_wh
    box = found(width // 4, height // 4, width // 2, height // 2)
    red = is_red(draw_objects(Image.new("RGB", size_wh), [box]))
    middle = red[:, width * 5 // 8 + width // 16]
    top_edge = middle[: height // 2]
    assert np.flatnonzero(red[height // 2, : width // 2]).tolist() == list(range(width // 4, width // 4 + stroke))
    assert top_edge[height // 4 : height // 4 + stroke].all()


def test_a_box_at_the_photos_edge_is_closed() -> None:
    red = is_red(draw_objects(Image.new("RGB", (100, 80)), [found(0, 0, 100, 80)]))
    assert red[40, 0]
    assert red[40, 99]
    assert red[79, 50]


def test_the_label_is_drawn_within_the_photo_even_for_a_box_in_the_corner() -> None:
    blank = Image.new("RGB", (640, 480))
    with_label = is_red(draw_objects(blank, [found(630, 470, 5, 5)]))
    assert with_label[440:480, 350:600].any()


def test_the_label_says_class_and_probability() -> None:
    one, other = (
        draw_objects(Image.new("RGB", (640, 480)), [found(10, 10, 600, 400, name)]) for name in ("cat", "diningtable")
    )
    changed = np.argwhere((np.asarray(one) != np.asarray(other)).any(axis=2))
    assert changed[:, 0].min() > 10
    assert changed[:, 0].max() < 60


@pytest.mark.parametrize("size", [(0, 0), (1, 40), (40, 1)])
def test_a_box_without_area_is_drawn_as_a_line_or_point(size: tuple[int, int]) -> None:
    assert is_red(draw_objects(Image.new("RGB", (100, 100)), [found(50, 80, *size)]))[80, 50]


def test_without_objects_the_copy_equals_the_photo() -> None:
    photo = photos.noise((50, 50))
    assert draw_objects(photo, []).tobytes() == photo.tobytes()
