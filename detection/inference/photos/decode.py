"""Decodes photos: limits from the header first, then pixels, upright, RGB, in sRGB.

Pixels and what is said about them go separate ways: damaged metadata never costs a photo, and damaged pixels are never
taken for damaged metadata.
"""

import contextlib
import ctypes
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pi_heif
from PIL import Image, _imaging

from detection.inference.errors import ImageDecodeError
from detection.inference.messages import Message, gettext_noop
from detection.inference.photos import colour, formats, jpeg_file
from detection.inference.photos.coded_sizes import refuse_large_pictures
from detection.inference.photos.container_limits import refuse_costly_tiff, refuse_large_codestream
from detection.inference.photos.decompression_guard import refuse_expensive
from detection.inference.photos.exif import SIDEWAYS, UPRIGHT, orientation_exif, orientation_of, turned_upright
from detection.inference.photos.gif_file import GifError, first_picture
from detection.inference.photos.isolated.decoder import decode_in_process, holds_lock_long
from detection.inference.photos.png_file import MOST, PngError, read_png
from detection.inference.photos.raw_preview import preview_of
from detection.inference.photos.size_limits import check_pixels, check_size
from detection.inference.photos.webp_file import decode_still

# A picture that takes several steps to become RGB is converted in strips: each step is a copy, and a PNG of 20 kB may
# have as many pixels as a large photo.
_STRIP_PIXELS = 1 << 20
# Exceptions of Pillow's decoders on damaged files. Listed, so that a bug of ours is not reported as a bad photo.
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error, zlib.error)
_FILE_ERRORS = (*_DECODER_ERRORS, PngError, GifError, KeyError, RuntimeError)
_CUT_OFF = Message("photo_cut_off", gettext_noop("The photo is incomplete: its file is cut off. Send the whole file."))
# `check_size` refuses large photos by the configured limit, from the header, before a pixel is decoded. Pillow's own
# limit is a process-wide warning, independent of the configuration.
Image.MAX_IMAGE_PIXELS = None

# Damaged tags and indexes are common and harmless: not logged for each such photo.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.(Tiff|Jpeg)ImagePlugin")

# libtiff prints what is wrong with a file, a line for each of its strips; Pillow tells it by an exception too.
with contextlib.suppress(AttributeError, OSError):
    for _set_handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        ctypes.CDLL(_imaging.__file__)[_set_handler](None)

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

# These tell their orientation in EXIF. A TIFF and a HEIF are turned by their decoders, and the others are never turned.
_TURNED_BY_EXIF = frozenset({formats.JPEG, formats.PNG, formats.WEBP, formats.AVIF, formats.RAW})
# In which mode the colours of a picture are converted (`_to_rgb`).
_COLOUR_MODES = {"RGB": "RGB", "L": "L", "CMYK": "CMYK", "RGBA": "RGBA", "P": "RGBA", "PA": "RGBA", "I;16": "L"}
_SCALED = frozenset({formats.JPEG, formats.RAW})
_WITH_FRAMES = frozenset({formats.JPEG, formats.WEBP})


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """Content of a photo's header.

    format: a name of `formats.FORMATS`; size_wh: width and height of the upright photo in pixels; orientation: EXIF's
    1..8; frames: number of pictures in a JPEG or WebP (only the first is used); is_cut_off: the file ends before its
    end; share_read: which share of the rows it has, 0 to 1, known when the pixels are decoded; has_other_colours: it
    has a colour profile that is not sRGB's.
    """

    format: str
    size_wh: tuple[int, int]
    orientation: int
    frames: int
    is_cut_off: bool = False
    share_read: float = 1.0
    has_other_colours: bool = False


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """A photo's pixels: `image_rgb` is upright, mode RGB, and may be smaller than `info.size_wh` (scaled decoding)."""

    info: PhotoInfo
    image_rgb: Image.Image


@dataclass(slots=True)
class _Opened:
    """A photo whose header was read: its pixels are not decoded yet."""

    format: str
    image: Image.Image
    exif: bytes | None = None
    icc: bytes | None = None
    is_cut_off: bool = False
    share_read: float = 1.0

    def info(self) -> PhotoInfo:
        orientation = orientation_of(self.exif) if self.format in _TURNED_BY_EXIF else UPRIGHT
        width, height = self.image.size
        size_wh = (height, width) if orientation in SIDEWAYS else (width, height)
        frames = getattr(self.image, "n_frames", 1) if self.format in _WITH_FRAMES else 1
        return PhotoInfo(
            self.format,
            size_wh,
            orientation,
            frames,
            self.is_cut_off,
            self.share_read,
            has_other_colours=colour.srgb_transform(self.icc, _COLOUR_MODES.get(self.image.mode, "")) is not None,
        )


def read_info(data: bytes, *, max_pixels: int) -> PhotoInfo:
    """Read a photo's header; no pixel is decoded.

    Raises ImageDecodeError when it is not a photo of an allowed format, ImageTooLargeError above `max_pixels`.
    """
    opened = _opened(data, max_pixels)
    with opened.image:
        return opened.info()


def decode_photo(
    data: bytes,
    *,
    max_pixels: int,
    min_edge_px: int | None = None,
    min_size_wh: Callable[[tuple[int, int]], tuple[int, int]] | None = None,
    accept_incomplete: bool = True,
) -> DecodedPhoto:
    """Decode the first frame of a photo: upright, sRGB, transparency on white, 16 bits reduced to 8.

    min_edge_px: when given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (libjpeg's scaled decoding) as long as
    both edges keep at least that many pixels; min_size_wh: the same for width and height each, made from the size of
    the upright photo. accept_incomplete: a file that is cut off is decoded as far as it goes,
    if it has most of its rows. Raises ImageDecodeError and ImageTooLargeError.
    """
    opened = _opened(data, max_pixels)
    with opened.image:
        info = opened.info()
        least_wh = None if min_edge_px is None else (min_edge_px, min_edge_px)
        if min_size_wh is not None:
            least_wh = min_size_wh(info.size_wh)
            least_wh = least_wh[::-1] if info.orientation in SIDEWAYS else least_wh
        image = _loaded(opened, least_wh)
        if image is None:
            opened, image = _completed_jpeg(data, max_pixels, least_wh)
        info = replace(info, is_cut_off=opened.is_cut_off, share_read=opened.share_read)
        if info.is_cut_off and not accept_incomplete:
            raise ImageDecodeError(_CUT_OFF())
        try:
            rgb = _to_rgb(image, opened.icc)
        except _FILE_ERRORS as error:
            raise ImageDecodeError(formats.UNREADABLE) from error
    return DecodedPhoto(info, turned_upright(rgb, info.orientation))


def _opened(data: bytes, max_pixels: int) -> _Opened:
    if not data:
        raise ImageDecodeError(formats.EMPTY)
    kind = formats.photo_format(data)
    if not kind:
        raise formats.refusal(data)
    refuse_expensive(data)
    if kind in _REFUSALS:
        _REFUSALS[kind](data, max_pixels)
    try:
        opened = _OPENERS[kind](data, max_pixels) if kind in _OPENERS else _simple(data, kind)
    except _FILE_ERRORS as error:
        raise ImageDecodeError(formats.UNREADABLE) from error
    check_size(opened.image.size, max_pixels)
    return opened


def _simple(data: bytes, kind: str) -> _Opened:
    image = Image.open(io.BytesIO(data), formats=(kind,))
    # Viewers do not look for the orientation in XMP; Pillow does, where it turns pictures by itself.
    image.info.pop("xmp", None)
    return _Opened(kind, image, image.info.get("exif"), image.info.get("icc_profile"))


def _open_jpeg(data: bytes, _: int) -> _Opened:
    # An MPO is a JPEG with more pictures behind the first one, as some cameras write them.
    try:
        return _simple(data, formats.JPEG)
    except _DECODER_ERRORS:
        bare, exif = jpeg_file.without_metadata(data)
        return _Opened(formats.JPEG, Image.open(io.BytesIO(bare), formats=(formats.JPEG,)), exif)


def _open_png(data: bytes, max_pixels: int) -> _Opened:
    # Before anything is unpacked.
    check_pixels(struct.unpack_from(">II", data, 16), max_pixels)
    png = read_png(data)
    image = Image.open(io.BytesIO(png.pixels), formats=(formats.PNG,))
    return _Opened(formats.PNG, image, png.exif, png.icc, png.is_cut_off, png.share_read)


def _open_gif(data: bytes, _: int) -> _Opened:
    return _simple(first_picture(data), formats.GIF)


def _open_raw(data: bytes, max_pixels: int) -> _Opened:
    found = preview_of(data)
    if found is None:
        raise formats.refusal(data)
    jpeg, orientation = found
    refuse_expensive(jpeg)
    opened = _open_jpeg(jpeg, max_pixels)
    exif = orientation_exif(orientation) if orientation else opened.exif
    return _Opened(formats.RAW, opened.image, exif, opened.icc)


_REFUSALS = {
    formats.TIFF: lambda data, _: refuse_costly_tiff(data),
    formats.JPEG2000: refuse_large_codestream,
    formats.HEIF: refuse_large_pictures,
    formats.AVIF: refuse_large_pictures,
}
_OPENERS = {formats.JPEG: _open_jpeg, formats.PNG: _open_png, formats.GIF: _open_gif, formats.RAW: _open_raw}


def _loaded(opened: _Opened, least_wh: tuple[int, int] | None) -> Image.Image | None:
    """Decode the pixels; None for a JPEG that cannot be decoded as it is."""
    image = opened.image
    try:
        if least_wh is not None and opened.format in _SCALED:
            image.draft(image.mode, least_wh)
        size_wh = image.size
        if opened.format == formats.WEBP and (still := decode_still(image)) is not None:
            return still
        if holds_lock_long(image):
            return decode_in_process(image)
        image.load()
        if opened.format == formats.HEIF and image.size != size_wh:
            raise ImageDecodeError(formats.UNREADABLE)
    except _FILE_ERRORS as error:
        if opened.format == formats.JPEG:
            return None
        raise ImageDecodeError(formats.UNREADABLE) from error
    return image


def _completed_jpeg(data: bytes, max_pixels: int, least_wh: tuple[int, int] | None) -> tuple[_Opened, Image.Image]:
    """Decode a JPEG that ends before its end as far as it goes. Raises ImageDecodeError where most of it is missing."""
    opened = _opened(jpeg_file.completed(data), max_pixels)
    image = _loaded(opened, least_wh)
    if image is None or (share := jpeg_file.share_of_rows(image)) < MOST:
        raise ImageDecodeError(formats.UNREADABLE)
    opened.is_cut_off, opened.share_read = True, share
    return opened, image


def _to_rgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    transform = colour.srgb_transform(icc, _COLOUR_MODES.get(image.mode, ""))
    if image.mode == "RGB" and transform is None and not image.has_transparency_data:
        return image.copy() if getattr(image, "is_animated", False) else image
    if image.mode == "LAB":
        return colour.lab_to_srgb(image)
    if image.mode == "RGB" and transform is not None:
        return colour.to_srgb(image, transform)
    if transform is None and not (image.mode[0] in "IF" or image.has_transparency_data):
        return image.convert("RGB")
    rgb = Image.new("RGB", image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = (0, top, image.width, min(top + rows, image.height))
        rgb.paste(_flat(image.crop(strip), icc), strip)
    return rgb


def _flat(strip: Image.Image, icc: bytes | None) -> Image.Image:
    """Reduce 16 bits to 8, convert colours to sRGB, put transparency on white; return RGB."""
    if strip.mode[0] in "IF":
        strip = _eight_bits(strip)
    elif strip.mode not in {"L", "RGB", "CMYK"} or strip.has_transparency_data:
        strip = strip.convert("RGBA")
    transform = colour.srgb_transform(icc, strip.mode)
    if transform is not None:
        strip = colour.to_srgb(strip, transform)
    if strip.mode != "RGBA":
        return strip.convert("RGB")
    white = Image.new("RGBA", strip.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, strip).convert("RGB")


def _eight_bits(strip: Image.Image) -> Image.Image:
    values = np.asarray(strip)
    if strip.mode == "F":
        # Floating point counts from 0 to 1 (TIFF Technical Note 3).
        return Image.fromarray((np.clip(np.nan_to_num(values), 0, 1) * 255).round().astype(np.uint8))
    return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))
