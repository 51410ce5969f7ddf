"""Decodes photos: limits from the header first, then pixels, upright and RGB."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.photos.decompression_guard import refuse_expensive

FORMATS = ("JPEG", "PNG", "WEBP")
MIN_EDGE_PX = 8
# A picture that takes several steps to become RGB is converted in strips: each step is a copy, and a PNG of 20 kB may
# have as many pixels as a large photo.
_STRIP_PIXELS = 1 << 20
# Exceptions of Pillow's decoders on damaged files. Listed, so that a bug of ours is not reported as a bad photo.
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error, zlib.error)
_UNREADABLE = "The photo cannot be read: it is damaged, incomplete, or not a JPEG, PNG or WebP. Send another file."

# `_check_header` refuses large photos by the configured limit, from the header, before a pixel is decoded. Pillow's own
# limit is a process-wide warning, independent of the configuration.
Image.MAX_IMAGE_PIXELS = None

# Damaged EXIF is common and harmless here (`_orientation`): not logged for each such photo.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL.TiffImagePlugin")

# Transpositions that turn a stored picture upright, by the EXIF tag Orientation (TIFF 6.0, section 8).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """Content of a photo's header.

    format: "JPEG", "PNG" or "WEBP"; size_wh: width and height of the upright photo in pixels; orientation: EXIF's 1..8;
    frames: number of pictures in the file (only the first is used).
    """

    format: str
    size_wh: tuple[int, int]
    orientation: int
    frames: int


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """A photo's pixels: `image_rgb` is upright, mode RGB, and may be smaller than `info.size_wh` (scaled decoding)."""

    info: PhotoInfo
    image_rgb: Image.Image


def read_info(data: bytes, *, max_pixels: int) -> PhotoInfo:
    """Read a photo's header; no pixel is decoded.

    Raises ImageDecodeError when it is not a photo of an allowed format, ImageTooLargeError above `max_pixels`.
    """
    with _opened(data) as image:
        return _check_header(image, max_pixels)


def decode_photo(data: bytes, *, max_pixels: int, min_edge_px: int | None = None) -> DecodedPhoto:
    """Decode the first frame of a photo: upright, RGB, transparency on white, 16 bits reduced to 8.

    min_edge_px: when given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (libjpeg's scaled decoding) as long as
    both edges keep at least that many pixels. Raises ImageDecodeError and ImageTooLargeError.
    """
    with _opened(data) as image:
        info = _check_header(image, max_pixels)
        try:
            if min_edge_px is not None and image.format in {"JPEG", "MPO"}:
                image.draft(image.mode, (min_edge_px, min_edge_px))
            image.load()
            rgb = _to_rgb(image)
        except _DECODER_ERRORS as error:
            raise ImageDecodeError(_UNREADABLE) from error
    return DecodedPhoto(info, _upright(rgb, info.orientation))


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise ImageDecodeError("The photo is empty. Send the bytes of a JPEG, PNG or WebP file.")
    refuse_expensive(data)
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except _DECODER_ERRORS as error:
        raise ImageDecodeError(_UNREADABLE) from error


def _check_header(image: Image.Image, max_pixels: int) -> PhotoInfo:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"The photo has {width} x {height} pixels; at most {max_pixels:,} pixels are accepted. Send a smaller one."
        )
    if min(width, height) < MIN_EDGE_PX:
        raise ImageDecodeError(
            f"The photo is {width} x {height} pixels; send one with at least {MIN_EDGE_PX} pixels on each side."
        )
    orientation = _orientation(image)
    size_wh = (height, width) if orientation in _SIDEWAYS else (width, height)
    # An MPO is a JPEG with more pictures behind the first one, as some cameras write them.
    photo_format = "JPEG" if image.format == "MPO" else str(image.format)
    return PhotoInfo(photo_format, size_wh, orientation, getattr(image, "n_frames", 1))


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation; damaged or absent EXIF counts as upright, since the photo itself can be fine."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS:
        return 1
    return value if value in _UPRIGHT else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image.copy() if getattr(image, "is_animated", False) else image
    if not (image.mode.startswith("I") or image.has_transparency_data):
        return image.convert("RGB")
    rgb = Image.new("RGB", image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = (0, top, image.width, min(top + rows, image.height))
        rgb.paste(_flat(image.crop(strip)), strip)
    return rgb


def _flat(strip: Image.Image) -> Image.Image:
    """Reduce 16 bits to 8 or put transparency on white; return RGB."""
    if strip.mode.startswith("I"):
        sixteen_bits = np.clip(np.asarray(strip), 0, 65535)
        return Image.fromarray((sixteen_bits >> 8).astype(np.uint8)).convert("RGB")
    with_alpha = strip.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, with_alpha).convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)
