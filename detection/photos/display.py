"""Makes JPEGs of photos for browsers and for the store, bounded by the size of what came in."""

from collections.abc import Iterator

from PIL import Image

from detection.photos.encode import encoded

QUALITY = 92
# A JPEG of a HEIC or AVIF has two to four times its bytes; small pictures of few colours have more.
_MOST_TIMES, _ALWAYS_BYTES = 4, 2_000_000
# Lower qualities for pictures that another format packs far better, then fewer details. All pixels stay, since boxes
# are counted in them.
_QUALITIES, _COARSE_QUALITY = (QUALITY, 75, 50), 40
_COARSER = (2, 4, 8, 16)
# With so many times too many bytes, a lower quality is not enough.
_HOPELESS = 6


def to_jpeg(image_rgb: Image.Image, quality: int = QUALITY) -> bytes:
    """Return a JPEG with the colours of single pixels, which thin lines and text need."""
    return encoded(image_rgb, "JPEG", quality=quality, subsampling=0)


def bounded_jpeg(image_rgb: Image.Image, upload_bytes: int) -> bytes:
    """Return a JPEG of all pixels, of high quality where that has no more than a few times the bytes of the upload."""
    most = max(_ALWAYS_BYTES, _MOST_TIMES * upload_bytes)
    jpeg = b""
    for jpeg in _ever_smaller(image_rgb, most):
        if len(jpeg) <= most:
            break
    return jpeg


def _ever_smaller(image_rgb: Image.Image, most: int) -> Iterator[bytes]:
    for quality in _QUALITIES:
        jpeg = to_jpeg(image_rgb, quality)
        yield jpeg
        if len(jpeg) > _HOPELESS * most:
            break
    for factor in _COARSER:
        coarse = image_rgb.reduce(factor).resize(image_rgb.size, Image.Resampling.BILINEAR)
        yield to_jpeg(coarse, _COARSE_QUALITY)
