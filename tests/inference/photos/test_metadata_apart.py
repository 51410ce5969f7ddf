"""Pixels and what is said about them: neither damages the other, and cut-off files are read as far as they go."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detection.inference.errors import ImageDecodeError
from detection.inference.photos.decode import DecodedPhoto, decode_photo, read_info
from detection.inference.photos.exif import orientation_exif, orientation_of
from tests.support import photo_files, photos
from tests.support.photo_files import chunk, jpeg_with, png_with

LIMIT = 60_000_000
PICTURE = photos.two_colours()
NOISE = photos.noise((60, 90))
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def decoded(data: bytes, **options: Any) -> DecodedPhoto:
    return decode_photo(data, max_pixels=LIMIT, **options)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decoded(data).image_rgb, dtype=int)


HARMLESS = {
    "text with a wrong checksum": png_with(chunk(b"tEXt", b"Comment\0a", is_intact=False)),
    "profile with a wrong checksum": png_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(b"profile"), is_intact=False)),
    "EXIF with a wrong checksum": png_with(chunk(b"eXIf", orientation_exif(6), is_intact=False)),
    "time with a wrong checksum": png_with(chunk(b"tIME", bytes(7), is_intact=False)),
    "text of 100 MB": png_with(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))),
    "international text of 100 MB": png_with(chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(100_000_000)))),
    "profile of 100 MB": png_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100_000_000)))),
    "profile that does not unpack": png_with(chunk(b"iCCP", b"a\0\0no zlib")),
    "profile without a name": png_with(chunk(b"iCCP", b"")),
    "physical size that is too short": png_with(chunk(b"pHYs", b"\0")),
    "gamma that is too short": png_with(chunk(b"gAMA", b"\0")),
    "animation that is none": png_with(chunk(b"acTL", bytes(8))),
    "unknown chunk": png_with(chunk(b"abCd", b"?")),
    "XMP that says it lies on its side": png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    "JPEG with such an XMP": jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
    "JPEG with half a JFIF header": jpeg_with((0xE0, b"JFIF\0")),
    "JPEG with half an Adobe segment": jpeg_with((0xEE, b"Adobe\0")),
    "JPEG with an empty profile": jpeg_with((0xE2, b"ICC_PROFILE\0")),
    "JPEG with a profile that is none": jpeg_with((0xE2, b"ICC_PROFILE\0\1\1nothing")),
    "JPEG with a damaged EXIF": jpeg_with((0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")),
    "JPEG with a damaged index of pictures": jpeg_with((0xE2, b"MPF\0MM\0*\0\0\0\x08\xff\xff")),
    "JPEG with damaged settings of Photoshop": jpeg_with((0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\xff\xff")),
}


# What Pillow says of them; the service does not log it.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning", "ignore:.*malformed MPO:UserWarning")
@pytest.mark.parametrize("case", HARMLESS)
def test_metadata_never_decides_whether_pixels_are_read(case: str) -> None:
    photo = decoded(HARMLESS[case])
    assert (photo.info.size_wh, photo.info.orientation, photo.info.is_cut_off) == ((64, 32), 1, False)
    assert np.abs(np.asarray(photo.image_rgb, dtype=int) - np.asarray(PICTURE, dtype=int)).mean() < 2


@pytest.mark.parametrize("place", np.linspace(0.1, 0.95, 9))
def test_a_flipped_bit_in_the_pixels_of_a_png_is_never_taken_for_metadata(place: float) -> None:
    """It used to be: asking a PNG for its EXIF decodes it."""
    data = bytearray(photos.encode(NOISE, "PNG", exif=orientation_exif(1)))
    data[int(len(data) * place)] ^= 0x10
    with pytest.raises(ImageDecodeError, match="cannot be read"):
        decoded(bytes(data))


def test_a_png_is_damaged_behind_most_of_its_rows() -> None:
    data, places = photo_files.png_in_pieces(NOISE)
    begin, end = places[-2]
    broken = data[: begin + 8] + bytes(end - begin - 12) + data[end - 4 :]
    photo = decoded(broken)
    rows = round(photo.info.share_read * 90)
    assert photo.info.is_cut_off
    assert 60 <= rows < 90
    assert np.array_equal(pixels(broken)[: rows - 1], np.asarray(NOISE)[: rows - 1])


def test_a_wrong_checksum_over_right_pixels_is_forgiven() -> None:
    data, places = photo_files.png_in_pieces(NOISE)
    _, end = places[0]
    photo = decoded(data[: end - 1] + bytes([data[end - 1] ^ 1]) + data[end:])
    assert (photo.info.is_cut_off, photo.info.share_read) == (False, 1.0)
    assert np.array_equal(np.asarray(photo.image_rgb), np.asarray(NOISE))


@pytest.mark.parametrize("damage", ["header", "palette"])
def test_a_png_without_its_header_or_palette_is_refused(damage: str) -> None:
    data = bytearray(photos.encode(PICTURE.quantize(4), "PNG"))
    data[8 + 8 + 8 if damage == "header" else data.index(b"PLTE") + 5] ^= 1
    with pytest.raises(ImageDecodeError, match="cannot be read"):
        decoded(bytes(data))


CUT = {
    "JPEG": photos.encode(NOISE, quality=95),
    "progressive JPEG": photos.encode(NOISE, quality=95, progressive=True),
    "grey JPEG": photos.encode(NOISE.convert("L"), quality=95),
    "PNG": photos.encode(NOISE, "PNG"),
    "PNG in pieces": photo_files.png_in_pieces(NOISE)[0],
}


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("missing", [0.02, 0.1, 0.2])
def test_a_cut_off_photo_is_read_as_far_as_it_goes(kind: str, missing: float) -> None:
    whole = CUT[kind]
    cut = whole[: int(len(whole) * (1 - missing))]
    photo = decoded(cut)
    assert (photo.info.is_cut_off, photo.info.size_wh) == (True, (60, 90))
    assert 1 - missing - 0.15 <= photo.info.share_read <= 1
    rows = max(0, int(photo.info.share_read * 90) - 33)
    if kind != "progressive JPEG":
        assert np.array_equal(pixels(cut)[:rows], pixels(whole)[:rows])
    with pytest.raises(ImageDecodeError, match="incomplete: its file is cut off"):
        decoded(cut, accept_incomplete=False)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PNG in pieces", "grey JPEG"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_photo_of_which_most_is_missing_is_refused(kind: str, share: float) -> None:
    with pytest.raises(ImageDecodeError, match="cannot be read"):
        decoded(CUT[kind][: int(len(CUT[kind]) * share)])


@pytest.mark.parametrize("lost", [b"", b"\xff", bytes(1000)])
def test_a_jpeg_without_its_end_has_all_its_rows(lost: bytes) -> None:
    whole = photos.encode(NOISE, quality=95)
    assert np.array_equal(pixels(whole[:-2] + lost), pixels(whole))


def test_a_cut_off_png_of_interlaced_rows_is_read() -> None:
    """Pillow writes none: the seven passes have so many rows of so many pixels, each behind the filter 0."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    passes = [(1, 1), (1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8)]
    body = b"".join((b"\0" + bytes([200] * columns)) * lines for lines, columns in passes)
    packed = zlib.compress(body, 0)
    whole = png_of(header, packed)
    assert set(np.asarray(decoded(whole).image_rgb).ravel()) == {200}
    photo = decoded(whole[: -12 - 4 - 10])
    assert photo.info.is_cut_off
    assert 0.7 < photo.info.share_read < 1


def png_of(header: bytes, packed: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


EXIFS = {
    "none": (None, 1),
    "empty": (b"", 1),
    "big-endian": (orientation_exif(6), 6),
    "with its prefix": (b"Exif\0\0" + orientation_exif(8), 8),
    "little-endian": (b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 3, 0, 0), 3),
    "as a long number": (b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 4, 1, 3, 0), 1),
    "outside of the standard": (orientation_exif(9), 1),
    "no TIFF": (b"garbage of some length", 1),
    "directory behind the end": (b"MM\0*" + struct.pack(">I", 1000), 1),
    "ends in its directory": (orientation_exif(6)[:-8], 1),
}


@pytest.mark.parametrize("case", EXIFS)
def test_orientation_is_read_from_exif_alone(case: str) -> None:
    exif, orientation = EXIFS[case]
    assert orientation_of(exif) == orientation


def test_a_png_is_turned_by_its_exif_chunk() -> None:
    data = png_with(chunk(b"eXIf", orientation_exif(6)))
    info = read_info(data, max_pixels=LIMIT)
    assert (info.orientation, info.size_wh) == (6, (32, 64))
    turned = np.asarray(PICTURE.transpose(Image.Transpose.ROTATE_270))
    assert np.array_equal(np.asarray(decoded(data).image_rgb), turned)
