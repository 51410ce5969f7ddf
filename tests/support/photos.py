"""Photos for the tests: real ones from scikit-image, and small synthetic ones."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

_SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
_ORIENTATION_TAG = 0x0112


@cache
def real_photo(name: str, photo_format: str = "JPEG", quality: int = 95) -> bytes:
    """Return a photo of scikit-image ("chelsea", "astronaut", "motorcycle_left") as the bytes of a file."""
    with Image.open(_SKIMAGE_DATA / f"{name}.png") as image:
        return encode(image.convert("RGB"), photo_format, quality=quality)


def encode(image: Image.Image, photo_format: str = "JPEG", **options: Any) -> bytes:
    """Return the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, photo_format, **options)
    return buffer.getvalue()


def two_colours(size_wh: tuple[int, int] = (64, 32)) -> Image.Image:
    """Return a picture with a red left half, a blue right half, and a green corner: every orientation of it looks
    different.
    """
    image = Image.new("RGB", size_wh, (255, 0, 0))
    image.paste((0, 0, 255), (size_wh[0] // 2, 0, size_wh[0], size_wh[1]))
    image.paste((0, 255, 0), (0, 0, size_wh[0] // 4, size_wh[1] // 4))
    return image


def noise(size_wh: tuple[int, int], seed: int = 0) -> Image.Image:
    """Return random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def with_orientation(image: Image.Image, orientation: int, photo_format: str = "JPEG", **options: Any) -> bytes:
    """Return a file whose EXIF says how to turn it upright; the pixels are stored so that turning gives `image`."""
    stored = {
        1: image,
        2: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: image.transpose(Image.Transpose.ROTATE_180),
        4: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: image.transpose(Image.Transpose.TRANSPOSE),
        6: image.transpose(Image.Transpose.ROTATE_90),
        7: image.transpose(Image.Transpose.TRANSVERSE),
        8: image.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    return encode(stored, photo_format, exif=exif, **options)


def png_bomb(size_wh: tuple[int, int] = (30_000, 30_000)) -> bytes:
    """Return a small PNG whose header promises a huge picture, with the pixels of its first rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", *size_wh, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * (size_wh[0] + 1) * min(size_wh[1], 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def animated_webp(*frames: Image.Image) -> bytes:
    """Return a WebP of several frames, the first one first."""
    return encode(frames[0], "WEBP", save_all=True, append_images=list(frames[1:]), duration=100, lossless=True)


def sixteen_bit_png(size_wh: tuple[int, int] = (32, 16), value: int = 0x8000) -> bytes:
    """Return a grey PNG with 16 bits a pixel."""
    return encode(Image.fromarray(np.full((size_wh[1], size_wh[0]), value, dtype=np.uint16)), "PNG")
