"""Decoding: every kind of photo to upright RGB, every kind of damage to a sentence."""

import numpy as np
import pytest
from PIL import Image

from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.photos.decode import decode_photo, read_info
from tests.support import photos

LIMIT = 60_000_000


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(decode_photo(data, max_pixels=LIMIT).image_rgb)


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP"])
def test_it_decodes_each_allowed_format_to_rgb(photo_format: str) -> None:
    photo = decode_photo(photos.real_photo("chelsea", photo_format), max_pixels=LIMIT)
    assert (photo.info.format, photo.info.size_wh, photo.image_rgb.mode) == (photo_format, (451, 300), "RGB")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP"])
def test_it_turns_every_exif_orientation_upright(orientation: int, photo_format: str) -> None:
    upright = photos.two_colours()
    options = {"quality": 100, "subsampling": 0} if photo_format == "JPEG" else {"lossless": True}
    photo = decode_photo(photos.with_orientation(upright, orientation, photo_format, **options), max_pixels=LIMIT)
    assert photo.info.size_wh == photo.image_rgb.size == (64, 32)
    assert np.abs(np.asarray(photo.image_rgb, dtype=int) - np.asarray(upright, dtype=int)).mean() < 3


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_a_damaged_exif_does_not_cost_the_photo() -> None:
    data = photos.encode(photos.two_colours(), exif=b"Exif\0\0" + b"MM\0*\xff\xff\xff\xff garbage")
    assert read_info(data, max_pixels=LIMIT).orientation == 1
    assert decoded(data).shape == (32, 64, 3)


def test_an_orientation_outside_of_the_standard_counts_as_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert read_info(photos.encode(photos.two_colours(), exif=exif), max_pixels=LIMIT).orientation == 1


COLOURS = {
    "greyscale": (Image.new("L", (16, 16), 128), "PNG", (128, 128, 128)),
    "grey with alpha": (Image.new("LA", (16, 16), (0, 0)), "PNG", (255, 255, 255)),
    "black and white": (Image.new("1", (16, 16), 1), "PNG", (255, 255, 255)),
    "transparent is white": (Image.new("RGBA", (16, 16), (0, 0, 255, 0)), "PNG", (255, 255, 255)),
    "half transparent": (Image.new("RGBA", (16, 16), (0, 0, 0, 51)), "PNG", (204, 204, 204)),
    "palette": (Image.new("RGB", (16, 16), (10, 200, 30)).quantize(4), "PNG", (10, 200, 30)),
    "webp with alpha": (Image.new("RGBA", (16, 16), (0, 0, 255, 0)), "WEBP", (255, 255, 255)),
    "cmyk": (Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", (254, 0, 0)),
    "grey jpeg": (Image.new("L", (16, 16), 77), "JPEG", (77, 77, 77)),
}


@pytest.mark.parametrize("case", COLOURS)
def test_every_colour_mode_becomes_rgb(case: str) -> None:
    image, photo_format, expected = COLOURS[case]
    pixel = decoded(photos.encode(image, photo_format))[8, 8]
    assert np.abs(pixel.astype(int) - expected).max() <= 2


def test_a_palette_with_transparency_is_put_on_white() -> None:
    image = Image.new("P", (16, 16), 0)
    image.putpalette([255, 0, 0] * 256)
    assert decoded(photos.encode(image, "PNG", transparency=0))[8, 8].tolist() == [255, 255, 255]


def test_sixteen_bits_are_reduced_and_not_cut_off() -> None:
    assert decoded(photos.sixteen_bit_png(value=0x8000))[8, 8].tolist() == [128, 128, 128]


def test_only_the_first_frame_of_an_animation_counts() -> None:
    data = photos.animated_webp(Image.new("RGB", (16, 16), (250, 0, 0)), Image.new("RGB", (16, 16), (0, 250, 0)))
    assert read_info(data, max_pixels=LIMIT).frames == 2
    assert decoded(data)[8, 8].tolist() == [250, 0, 0]


def test_a_jpeg_with_more_pictures_behind_the_first_counts_as_a_jpeg() -> None:
    data = photos.encode(photos.two_colours(), "MPO", save_all=True, append_images=[photos.noise((64, 32))])
    photo = decode_photo(data, max_pixels=LIMIT)
    assert (photo.info.format, photo.info.frames, photo.image_rgb.size) == ("JPEG", 2, (64, 32))


JPEG = photos.encode(photos.noise((200, 100)))
DAMAGED = {
    "empty": (b"", "is empty"),
    "text named .jpg": (b"this is no photo", "cannot be read"),
    "truncated jpeg": (JPEG[: len(JPEG) // 2], "cannot be read"),
    "only a jpeg's start": (b"\xff\xd8\xff", "cannot be read"),
    "truncated png": (photos.encode(photos.noise((64, 64)), "PNG")[:500], "cannot be read"),
    "png with a damaged chunk": (
        photos.encode(photos.noise((64, 64)), "PNG").replace(b"IDAT", b"IDAU", 1),
        "cannot be",
    ),
    "truncated webp": (photos.encode(photos.noise((64, 64)), "WEBP")[:200], "cannot be read"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is an SVG. Save it as a PNG"),
    "one pixel high": (photos.encode(Image.new("RGB", (500, 1))), "500 x 1 pixels; send one with at least 8"),
    "zero wide": (photos.png_bomb((0, 0)), "cannot be read"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_no_photo_is_refused_with_a_sentence(case: str) -> None:
    data, sentence = DAMAGED[case]
    with pytest.raises(ImageDecodeError, match=sentence):
        decode_photo(data, max_pixels=LIMIT)


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(ImageTooLargeError, match="30000 x 30000 pixels; at most 60,000,000"):
        decode_photo(photos.png_bomb(), max_pixels=LIMIT)


def test_the_pixel_limit_is_the_configured_one() -> None:
    data = photos.encode(photos.noise((100, 100)))
    assert read_info(data, max_pixels=10_000).size_wh == (100, 100)
    with pytest.raises(ImageTooLargeError):
        read_info(data, max_pixels=9_999)


@pytest.mark.parametrize(
    ("size_wh", "min_edge_px", "decoded_wh"),
    [((1600, 1200), 300, (400, 300)), ((1600, 1200), 301, (800, 600)), ((1600, 1200), 1201, (1600, 1200))],
)
def test_scaled_decoding_keeps_the_pixels_that_are_asked_for(
    size_wh: tuple[int, int], min_edge_px: int, decoded_wh: tuple[int, int]
) -> None:
    data = photos.encode(photos.two_colours(size_wh))
    photo = decode_photo(data, max_pixels=LIMIT, min_edge_px=min_edge_px)
    assert (photo.image_rgb.size, photo.info.size_wh) == (decoded_wh, size_wh)


def test_a_scaled_sideways_photo_reports_its_upright_full_size() -> None:
    data = photos.with_orientation(photos.two_colours((1600, 1200)), 6)
    photo = decode_photo(data, max_pixels=LIMIT, min_edge_px=300)
    assert (photo.image_rgb.size, photo.info.size_wh) == ((400, 300), (1600, 1200))
