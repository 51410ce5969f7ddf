"""Decodes still WebPs by libwebp itself, which Pillow brings: Pillow's own decoder is one for animations.

That one takes two more pictures of memory, and holds Python's lock all the while: 0.5 s for a file of 70 bytes.
"""

import ctypes
import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, features

_ANIMATED = 0x02
_CHANNELS = 4


def decode_still(opened: Image.Image) -> Image.Image | None:
    """Return the pixels of a WebP that was opened, in its mode; None for an animation, and without the library.

    Raises OSError for a damaged file. Source: webp/decode.h, `WebPDecodeRGBAInto`.
    """
    decode = _library_function()
    file = getattr(opened, "fp", None)
    data = file.getvalue() if isinstance(file, io.BytesIO) else b""
    if decode is None or not data or is_animated(data):
        return None
    width, height = opened.size
    pixels = np.zeros((height, width, _CHANNELS), dtype=np.uint8)
    if not decode(data, len(data), pixels.ctypes.data, pixels.nbytes, width * _CHANNELS):
        raise OSError("The WebP cannot be decoded.")
    return Image.frombytes(opened.mode, opened.size, pixels.data, "raw", "RGBA" if opened.mode == "RGBA" else "RGBX")


def is_animated(data: bytes) -> bool:
    """Return whether the header of a WebP announces an animation."""
    return data[12:16] == b"VP8X" and bool(data[20:21]) and bool(data[20] & _ANIMATED)


@cache
def _library_function() -> Any:
    if not features.check("webp"):
        return None
    from PIL import _webp

    try:
        function = ctypes.CDLL(_webp.__file__).WebPDecodeRGBAInto
    except (AttributeError, OSError):  # it is linked in another way
        return None
    function.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    function.restype = ctypes.c_void_p
    return function
