"""Kinds of photos, known by their first bytes, and the sentences that name what is no photo.

The bytes decide and not a name or a media type: phones, browsers and mail programs disagree on both.
"""

import re
from dataclasses import dataclass

from detection.inference.errors import ImageDecodeError
from detection.inference.messages import Message, gettext_noop
from detection.inference.photos.raw_preview import is_raw

EMPTY = Message(
    "photo_empty",
    gettext_noop("The photo is empty. Send a JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF or JPEG 2000 file."),
)()
UNREADABLE = Message(
    "photo_unreadable",
    gettext_noop(
        "The photo cannot be read: it is damaged, incomplete, or no photo. Send a JPEG, PNG, WebP, HEIC, AVIF, TIFF, "
        "BMP, GIF or JPEG 2000 file."
    ),
)()


@dataclass(frozen=True, slots=True)
class PhotoFormat:
    """A kind of photo: its name here and in Pillow, its media types, the first one being the usual one, and the endings
    of its files.
    """

    name: str
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]


JPEG, PNG, WEBP, HEIF, AVIF = "JPEG", "PNG", "WEBP", "HEIF", "AVIF"
TIFF, BMP, GIF, JPEG2000, RAW = "TIFF", "BMP", "GIF", "JPEG2000", "RAW"
FORMATS = (
    PhotoFormat(JPEG, ("image/jpeg", "image/jpg", "image/pjpeg"), ("jpg", "jpeg", "jpe", "jfif")),
    PhotoFormat(PNG, ("image/png", "image/apng", "image/x-png"), ("png", "apng")),
    PhotoFormat(WEBP, ("image/webp",), ("webp",)),
    PhotoFormat(
        HEIF,
        ("image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence"),
        ("heic", "heif", "heics", "heifs", "hif"),
    ),
    PhotoFormat(AVIF, ("image/avif", "image/avif-sequence"), ("avif", "avifs")),
    PhotoFormat(TIFF, ("image/tiff", "image/tiff-fx"), ("tif", "tiff")),
    PhotoFormat(BMP, ("image/bmp", "image/x-bmp", "image/x-ms-bmp"), ("bmp", "dib")),
    PhotoFormat(GIF, ("image/gif",), ("gif",)),
    PhotoFormat(JPEG2000, ("image/jp2", "image/jpx", "image/j2k", "image/jpm"), ("jp2", "j2k", "jpf", "jpx", "j2c")),
    PhotoFormat(
        RAW,
        (
            *("image/x-adobe-dng", "image/dng", "image/x-canon-cr2", "image/x-nikon-nef", "image/x-nikon-nrw"),
            *("image/x-sony-arw", "image/x-pentax-pef", "image/x-olympus-orf", "image/x-panasonic-rw2"),
            *("image/x-fuji-raf", "image/x-samsung-srw"),
        ),
        ("dng", "cr2", "nef", "nrw", "arw", "pef", "orf", "rw2", "raf", "srw"),
    ),
)
MEDIA_TYPES = frozenset(kind for each in FORMATS for kind in each.media_types)
SUFFIXES = frozenset(f".{suffix}" for each in FORMATS for suffix in each.suffixes)

# What starts a file of each kind.
_STARTS = (
    (b"\xff\xd8", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\0", RAW),
)
_BMP_HEADER_BYTES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_BRANDS_BYTES = 256
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
# ISO/IEC 23008-12: any coding; the compatible brands say which.
_ANY_IMAGE_BRANDS = frozenset({b"mif1", b"msf1", b"mif2", b"1pic"})

# Files that people take for photos, and what to send in their place.
_REFUSED = tuple(
    (re.compile(pattern, re.DOTALL), sentence)
    for pattern, sentence in (
        (
            rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n",
            Message("is_jpeg_xl", gettext_noop("This is a JPEG XL file. Save it as a JPEG, and send that."))(),
        ),
        (rb"%PDF-", Message("is_pdf", gettext_noop("This is a PDF. Send its pages as JPEG or PNG files."))()),
        (
            rb"8BPS",
            Message(
                "is_photoshop", gettext_noop("This is a Photoshop document. Export it as a JPEG or PNG, and send that.")
            )(),
        ),
        (
            rb"gimp xcf",
            Message("is_gimp", gettext_noop("This is a GIMP project. Export it as a JPEG or PNG, and send that."))(),
        ),
        (
            rb"%!PS|\xc5\xd0\xd3\xc6",
            Message("is_eps", gettext_noop("This is an EPS file. Export it as a JPEG or PNG, and send that."))(),
        ),
        (
            rb"\x00\x00[\x01\x02]\x00",
            Message("is_icon", gettext_noop("This is an icon. Save it as a PNG, and send that."))(),
        ),
        (
            rb"P[1-7]\s",
            Message("is_netpbm", gettext_noop("This is a Netpbm picture. Save it as a PNG, and send that."))(),
        ),
        (
            rb"#\?RADIANCE|#\?RGBE|v/1\x01",
            Message("is_hdr", gettext_noop("This is an HDR picture. Save it as a JPEG, and send that."))(),
        ),
        (
            rb"II[*]\x00|MM\x00[*]|FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\x00|FOVb|.{4}ftypcrx ",
            Message("is_raw", gettext_noop("This is a camera RAW file. Export it as a JPEG, and send that."))(),
        ),
        (
            rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI |OggS|FLV\x01|.{4}(?:moov|mdat|wide|free)",
            Message("is_video", gettext_noop("This is a video. Send single frames of it as JPEG files."))(),
        ),
        (
            rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!",
            Message("is_archive", gettext_noop("This is an archive. Unpack it, and send the photos in it."))(),
        ),
        (
            rb"\s*(?:<\?xml[^<]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^<]*>\s*)*<svg[\s/>]",
            Message("is_svg", gettext_noop("This is an SVG. Save it as a PNG, and send that."))(),
        ),
        (
            rb"\s*(?:<!--.*?-->\s*)*<(?:!DOCTYPE html|html)",
            Message("is_web_page", gettext_noop("This is a web page. Save the photo itself, and send that."))(),
        ),
    )
)
# As far as a refused file is looked through for its kind.
_TEXT_BYTES = 1024


def photo_format(data: bytes) -> str:
    """Return the kind of a photo by its first bytes; "" for what is no photo of a kind that is read."""
    for start, name in _STARTS:
        if data.startswith(start):
            return RAW if name == TIFF and is_raw(data) else name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return BMP
    return _by_brand(data) if data[4:8] == b"ftyp" else ""


def refusal(data: bytes) -> ImageDecodeError:
    """Return the error for what is no photo: it names the kind of the file where that is known."""
    start = data[:_TEXT_BYTES].removeprefix(b"\xef\xbb\xbf")
    for pattern, sentence in _REFUSED:
        if pattern.match(start):
            return ImageDecodeError(sentence)
    return ImageDecodeError(UNREADABLE)


def _by_brand(data: bytes) -> str:
    """Return HEIF or AVIF by the brands of an ISO media file's first box; its major brand counts first."""
    length = min(int.from_bytes(data[:4], "big"), _BRANDS_BYTES, len(data))
    major, compatible = data[8:12], [data[at : at + 4] for at in range(16, length - 3, 4)]
    for brand in (major, *compatible):
        if brand in _HEIF_BRANDS:
            return HEIF
        if brand in _AVIF_BRANDS:
            return AVIF
        if brand == major and brand not in _ANY_IMAGE_BRANDS:
            return ""
    return HEIF if major in _ANY_IMAGE_BRANDS else ""
