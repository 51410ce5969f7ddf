"""Kinds of photos: each is read, whatever it is called; what is no photo is named."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.photos.coded_sizes import coded_sizes
from detection.inference.photos.decode import decode_photo, read_info
from detection.inference.photos.formats import FORMATS, SUFFIXES, photo_format
from detection.inference.photos.gif_file import MAX_BLOCKS
from tests.support import photo_files, photos

LIMIT = 60_000_000
PICTURE = photos.two_colours((96, 48))
KINDS = photo_files.of_each_kind(PICTURE)
FORMAT_BY_SUFFIX = {suffix: each.name for each in FORMATS for suffix in each.suffixes}


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode_photo(data, max_pixels=LIMIT).image_rgb, dtype=int)


@pytest.mark.parametrize("suffix", KINDS)
def test_each_kind_is_known_by_its_bytes_and_shows_the_same_picture(suffix: str) -> None:
    data, _ = KINDS[suffix]
    info = read_info(data, max_pixels=LIMIT)
    assert (info.format, info.size_wh) == (FORMAT_BY_SUFFIX[suffix], (96, 48))
    assert np.abs(pixels(data) - np.asarray(PICTURE, dtype=int)).mean() < 2


def test_a_photo_of_a_phone_is_read() -> None:
    """Another encoder's and decoder's way of the same photo: a few levels of difference are the encoder's loss."""
    with Image.open(io.BytesIO(photos.real_photo("chelsea", "PNG"))) as original:
        expected = np.asarray(original.convert("RGB"), dtype=int)
    photo = decode_photo(photo_files.chelsea_heic(), max_pixels=LIMIT)
    assert (photo.info.format, photo.info.size_wh) == ("HEIF", (451, 300))
    assert np.abs(np.asarray(photo.image_rgb, dtype=int) - expected).mean() < 4
    assert np.abs(pixels(photo_files.chelsea_heic()).mean((0, 1)) - expected.mean((0, 1))).max() < 1


@pytest.mark.parametrize("suffix", [*KINDS, "heic"])
def test_the_limit_of_pixels_is_kept_before_decoding(suffix: str) -> None:
    data = photo_files.chelsea_heic() if suffix == "heic" else KINDS[suffix][0]
    with pytest.raises(ImageTooLargeError, match="at most 4,000 pixels"):
        read_info(data, max_pixels=4000)


@pytest.mark.parametrize("suffix", [*(suffix for suffix in KINDS if suffix not in {"jpg", "png"}), "heic"])
def test_half_a_file_is_refused(suffix: str) -> None:
    data = (
        photo_files.chelsea_heic() if suffix == "heic" else photo_files.of_each_kind(photos.noise((96, 48)))[suffix][0]
    )
    with pytest.raises(ImageDecodeError, match="cannot be read"):
        decode_photo(data[: len(data) // 2], max_pixels=LIMIT)


DEEP = {
    "16 bits grey": (Image.fromarray(np.full((16, 16), 0x8000, dtype=np.uint16)), (128, 128, 128)),
    "floating point": (Image.fromarray(np.full((16, 16), 0.5, dtype=np.float32)), (128, 128, 128)),
    "black and white": (Image.new("1", (16, 16), 1), (255, 255, 255)),
    "palette": (Image.new("RGB", (16, 16), (10, 200, 30)).quantize(4), (10, 200, 30)),
    "cmyk": (Image.new("CMYK", (16, 16), (0, 255, 255, 0)), (255, 0, 0)),
    "transparent": (Image.new("RGBA", (16, 16), (0, 0, 255, 0)), (255, 255, 255)),
    "Lab": (Image.new("LAB", (16, 16), (255, 128, 128)), (255, 255, 255)),
}


@pytest.mark.parametrize("case", DEEP)
def test_every_kind_of_tiff_becomes_rgb(case: str) -> None:
    image, expected = DEEP[case]
    assert np.abs(pixels(photos.encode(image, "TIFF"))[8, 8] - expected).max() <= 2


def test_the_first_page_of_a_tiff_counts() -> None:
    data = photos.encode(PICTURE, "TIFF", save_all=True, append_images=[photos.noise((96, 48))])
    assert np.array_equal(pixels(data), np.asarray(PICTURE))


def test_the_first_frame_of_a_gif_counts_and_its_comment_does_not() -> None:
    data = photos.encode(PICTURE, "GIF", save_all=True, append_images=[photos.noise((96, 48))], comment=b"x" * 500)
    assert np.array_equal(pixels(data), pixels(photos.encode(PICTURE, "GIF")))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_tiff_is_turned_upright_once(orientation: int) -> None:
    photo = decode_photo(photos.with_orientation(PICTURE, orientation, "TIFF"), max_pixels=LIMIT)
    assert photo.info.size_wh == photo.image_rgb.size == (96, 48)
    assert np.array_equal(np.asarray(photo.image_rgb), np.asarray(PICTURE))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_avif_is_turned_upright(orientation: int) -> None:
    photo = decode_photo(photos.with_orientation(PICTURE, orientation, "AVIF", quality=100), max_pixels=LIMIT)
    assert photo.info.size_wh == photo.image_rgb.size == (96, 48)
    assert np.abs(np.asarray(photo.image_rgb, dtype=int) - np.asarray(PICTURE, dtype=int)).mean() < 3


NO_PHOTOS = {
    "svg": (b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "This is an SVG"),
    "svg with a mark": (b"\xef\xbb\xbf<svg/>", "This is an SVG"),
    "pdf": (b"%PDF-1.7\n", "This is a PDF"),
    "jpeg xl": (b"\xff\x0a\xfa\x1f", "This is a JPEG XL file"),
    "jpeg xl in boxes": (b"\0\0\0\x0cJXL \r\n\x87\n", "This is a JPEG XL file"),
    "photoshop": (b"8BPS\0\1", "This is a Photoshop document"),
    "icon": (b"\0\0\1\0\1\0", "This is an icon"),
    "video of a phone": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "This is a video"),
    "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isommp41", "This is a video"),
    "canon raw": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "This is a camera RAW file"),
    "zip": (b"PK\3\4\x14\0", "This is an archive"),
    "web page": (b"<!DOCTYPE html><title>404</title>", "This is a web page"),
    "text": (b"no photo", "cannot be read: it is damaged, incomplete, or no photo"),
}


@pytest.mark.parametrize("case", NO_PHOTOS)
def test_what_is_no_photo_is_named(case: str) -> None:
    data, sentence = NO_PHOTOS[case]
    assert photo_format(data) == ""
    with pytest.raises(ImageDecodeError, match=sentence):
        decode_photo(data, max_pixels=LIMIT)


def test_every_ending_belongs_to_one_kind() -> None:
    assert len(SUFFIXES) == sum(len(each.suffixes) for each in FORMATS)


def seconds_of(data: bytes, sentence: str) -> float:
    started = time.process_time()
    with pytest.raises(ImageDecodeError, match=sentence):
        decode_photo(data, max_pixels=LIMIT)
    return time.process_time() - started


def test_a_tiff_whose_tags_repeat_its_bytes_is_refused_at_once() -> None:
    assert seconds_of(photo_files.tiff_of_many_tags(1900, 1_000_000), "more than 20,000 parts") < 1


def test_a_gif_of_endless_blocks_is_refused_at_once() -> None:
    gif = KINDS["gif"][0]
    head = 13 + (3 << ((gif[10] & 7) + 1))
    comment = b"!\xfe" + b"\1x" * (MAX_BLOCKS + 1) + b"\0"
    assert seconds_of(gif[:head] + comment + gif[head:], "more than 400,000 blocks") < 2


def test_a_jpeg_2000_of_endless_boxes_is_refused_at_once() -> None:
    data = KINDS["jp2"][0]
    assert seconds_of(data[:12] + struct.pack(">I4s", 8, b"free") * 500_000 + data[12:], "more than 20,000 parts") < 1


def test_pictures_that_are_coded_larger_than_they_are_shown_are_refused() -> None:
    """The shown size can be anything; the decoders make room for the coded one."""
    data = photos.encode(photos.noise((300, 200)), "AVIF")
    at = data.index(b"ispe") + 8
    small = data[:at] + struct.pack(">II", 16, 16) + data[at + 8 :]
    assert read_info(small, max_pixels=LIMIT).size_wh == (16, 16)
    assert list(coded_sizes(small)) == [(300, 200)]
    wide = photos.encode(photos.noise((600, 500)), "AVIF")
    at = wide.index(b"ispe") + 8
    with pytest.raises(ImageTooLargeError, match="600 x 500 pixels"):
        read_info(wide[:at] + struct.pack(">II", 16, 16) + wide[at + 8 :], max_pixels=10_000)


def test_the_coded_size_of_a_heic_is_found_in_its_configuration_and_in_its_pictures() -> None:
    """libheif's encoder codes whole units of eight pixels."""
    data = photo_files.chelsea_heic()
    assert list(coded_sizes(data)) == [(456, 304)]
    parameters = data.index(b"\x61\0\1", data.index(b"hvcC"))
    (length,) = struct.unpack_from(">H", data, parameters + 3)
    unit = data[parameters + 5 :][:length]
    picture = data[data.index(b"mdat") + 4 :]
    inside = data[: len(data) - len(picture)] + struct.pack(">I", len(unit)) + unit + picture[4 + len(unit) :]
    assert list(coded_sizes(inside)) == [(456, 304), (456, 304)]


def test_a_jpeg_2000_whose_codestream_is_larger_than_its_header_is_refused() -> None:
    data = KINDS["jp2"][0]
    at = data.index(b"\xff\x4f\xff\x51") + 8
    with pytest.raises(ImageTooLargeError, match="60000 x 60000 pixels"):
        read_info(data[:at] + struct.pack(">II", 60_000, 60_000) + data[at + 8 :], max_pixels=LIMIT)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_fax_is_read(compression: str) -> None:
    image = Image.new("1", (64, 32), 1)
    image.paste(0, (0, 0, 32, 32))
    assert pixels(photos.encode(image, "TIFF", compression=compression))[16, ::63].tolist() == [[0] * 3, [255] * 3]


def test_what_libtiff_says_of_a_damaged_file_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """A line for each of thousands of strips would fill the log of the server."""
    data = bytearray(photos.encode(photos.noise((96, 48)), "TIFF", compression="tiff_adobe_deflate"))
    data[500] ^= 0xFF
    with pytest.raises(ImageDecodeError, match="cannot be read"):
        decode_photo(bytes(data), max_pixels=LIMIT)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits", "zstd", "lzma"])
def test_a_tiff_is_read_however_photos_are_compressed(compression: str) -> None:
    assert np.abs(pixels(photos.encode(PICTURE, "TIFF", compression=compression)) - np.asarray(PICTURE)).mean() < 3


def raw_files() -> dict[str, bytes]:
    """Return files as cameras build them: a small and a large preview, and pixels of the sensor as lossless JPEG."""
    small, large = (photos.encode(PICTURE.resize(size), quality=95) for size in ((32, 16), PICTURE.size))
    return {
        "DNG": photo_files.raw_file(small, large, b"*\0", dng=True),
        "NEF": photo_files.raw_file(small, large, b"*\0"),
        "ORF": photo_files.raw_file(small, large, b"RO"),
        "RW2": photo_files.raw_file(small, large, b"U\0", panasonic=True),
        "RAF": b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 92, len(large)) + large + bytes(100),
    }


@pytest.mark.parametrize("camera", raw_files())
def test_a_raw_file_is_read_by_its_largest_preview(camera: str) -> None:
    photo = decode_photo(raw_files()[camera], max_pixels=LIMIT)
    assert (photo.info.format, photo.info.size_wh) == ("RAW", (96, 48))
    assert np.abs(np.asarray(photo.image_rgb, dtype=int) - np.asarray(PICTURE, dtype=int)).mean() < 3


def test_the_preview_of_a_raw_file_is_turned_as_its_first_directory_says() -> None:
    jpeg = photos.encode(PICTURE, quality=95)
    photo = decode_photo(photo_files.raw_file(jpeg, jpeg, b"*\0", orientation=6), max_pixels=LIMIT)
    assert photo.info.size_wh == photo.image_rgb.size == (48, 96)


def test_a_raw_file_without_a_preview_is_named() -> None:
    with pytest.raises(ImageDecodeError, match="This is a camera RAW file"):
        decode_photo(photo_files.raw_file(b"", b"", b"*\0"), max_pixels=LIMIT)
