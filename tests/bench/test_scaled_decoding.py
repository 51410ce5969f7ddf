"""What the measurement of scaled decoding compares."""

import io

import pytest
from PIL import Image

from bench.scaled_decoding import IN_FULL, WAYS, changes, enlarged
from tests.evaluation.builders import result
from tests.support import photos

LEFT, RIGHT = (0, 0, 40, 40), (50, 0, 90, 40)


def test_a_photo_grows_to_the_edge_that_is_asked_for() -> None:
    with Image.open(io.BytesIO(enlarged(photos.encode(photos.noise((60, 40)), "PNG"), 100))) as image:
        assert (image.format, image.size) == ("JPEG", (150, 100))


@pytest.mark.parametrize(("way", "size_wh"), [(IN_FULL, (96, 64)), ("at 1/2", (48, 32)), ("saved again", (96, 64))])
def test_every_way_hands_over_what_it_decoded_without_loss(way: str, size_wh: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(WAYS[way](photos.encode(photos.noise((96, 64)))))) as image:
        assert (image.format, image.size) == ("PNG", size_wh)


def test_changes_are_those_of_the_same_objects() -> None:
    before = result([], [(0, LEFT, 0.9), (0, RIGHT, 0.6), (1, LEFT, 0.05)])
    after = result([], [(0, (1, 0, 41, 40), 0.7), (1, RIGHT, 0.6)])
    assert changes([before], [after], 0.1) == pytest.approx([0.2, 0.6])
    assert changes([before], [result([])], 0.8) == pytest.approx([0.9])
