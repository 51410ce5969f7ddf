"""Encodes pictures while other threads go on."""

import os
import tempfile
from typing import Any, BinaryIO

from PIL import Image


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """Return the picture as a file of a format that Pillow writes, with its options.

    Pillow holds Python's lock while it encodes into memory, and releases it where it writes into a file of the system.
    """
    with _file() as file:
        image.save(file, image_format, **options)
        file.seek(0)
        return file.read()


def _file() -> BinaryIO:
    """Return a file that is gone once closed: in memory where the system has such files (Linux)."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("picture"), "w+b")
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    return file
