"""Limits of a photo's size in pixels, checked from its header before a pixel is decoded."""

from collections.abc import Sequence

from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.messages import Message, gettext_noop

MIN_EDGE_PX = 8
_TOO_SMALL = Message(
    "photo_too_small",
    gettext_noop("The photo is %(width)s x %(height)s pixels; send one with at least %(limit)s pixels on each side."),
)
_TOO_LARGE = Message(
    "photo_too_large",
    gettext_noop(
        "The photo has %(width)s x %(height)s pixels; at most %(limit)s pixels are accepted. Send a smaller one."
    ),
)


def check_size(size_wh: Sequence[int], max_pixels: int) -> None:
    """Raise ImageTooLargeError above `max_pixels`, ImageDecodeError below MIN_EDGE_PX on a side."""
    check_pixels(size_wh, max_pixels)
    width, height = size_wh
    if min(width, height) < MIN_EDGE_PX:
        raise ImageDecodeError(_TOO_SMALL(width=width, height=height, limit=MIN_EDGE_PX))


def check_pixels(size_wh: Sequence[int], max_pixels: int) -> None:
    """Raise ImageTooLargeError for a picture of more pixels than are accepted."""
    width, height = size_wh
    if width * height > max_pixels:
        raise too_large(width, height, max_pixels)


def too_large(width: int, height: int, max_pixels: int) -> ImageTooLargeError:
    """Return the error for a picture of more pixels than are accepted."""
    return ImageTooLargeError(_TOO_LARGE(width=width, height=height, limit=f"{max_pixels:,}"))
