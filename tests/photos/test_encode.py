"""Encoding of pictures, during which other threads go on."""

import io
import os
from typing import Any, BinaryIO

import pytest
from PIL import Image

from detection.photos.encode import encoded


@pytest.fixture(params=["memory", "disk"], autouse=True)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system with files in memory, and one without."""
    if request.param == "disk":
        monkeypatch.delattr(os, "memfd_create", raising=False)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_file_is_what_is_written_into_memory(image_format: str) -> None:
    image = Image.effect_noise((640, 480), 60).convert("RGB")
    expected = io.BytesIO()
    image.save(expected, image_format, quality=71)
    assert encoded(image, image_format, quality=71) == expected.getvalue()


def test_pillow_writes_into_a_file_of_the_system() -> None:
    """Where a file has a number, Pillow encodes without Python's lock (`_encode_to_file` of its encode.c)."""
    numbers = []

    class Picture(Image.Image):
        def save(self, fp: Any, format: str | None = None, **options: Any) -> None:  # noqa: A002 - Pillow's name
            file: BinaryIO = fp
            numbers.append(file.fileno())
            file.write(f"{format} {options}".encode())

    assert encoded(Picture(), "JPEG", quality=90) == b"JPEG {'quality': 90}"
    assert len(numbers) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(numbers[0])
