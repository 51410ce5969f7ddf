"""The photos that are sent."""

import io
from pathlib import Path

from PIL import Image

from bench import photos
from detection.inference.photos.decode import decode_photo


def test_photos_have_their_size_and_are_always_the_same(tmp_path: Path) -> None:
    paths = photos.write_jpegs(tmp_path, (120, 90))
    first = [path.read_bytes() for path in paths]
    photos.jpeg.cache_clear()
    photos.write_jpegs(tmp_path, (120, 90))

    assert len(set(first)) == len(photos.NAMES)
    assert [path.read_bytes() for path in paths] == first
    assert {Image.open(io.BytesIO(data)).size for data in first} == {(120, 90)}


def test_grain_makes_a_file_larger() -> None:
    assert len(photos.jpeg("coffee", (400, 300))) > 1.2 * len(photos.jpeg("coffee", (400, 300), grain=0.0))


def test_every_size_is_a_photo_that_the_service_takes() -> None:
    decoded = decode_photo(photos.jpeg("chelsea", photos.SMALL_WH), max_pixels=1_000_000)

    assert decoded.info.size_wh == photos.SMALL_WH
