"""Colours and orientation of decoded photos are those that Chromium shows, and what the page is given is found."""

import base64
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from detection.inference.photos.decode import decode_photo
from detection.inference.photos.exif import orientation_exif
from tests.browser.test_upload import send
from tests.support import photo_files, photos
from tests.support.photo_files import chunk, png_with

pytestmark = pytest.mark.browser
LIMIT = 1_000_000
# Draws a picture on white and reads it back.
SHOWN = """async (url) => {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.width, canvas.height, btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""))];
}"""
PATCHES = Image.fromarray(
    np.random.default_rng(5).integers(0, 256, (4, 6, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
)
KINDS = photo_files.of_each_kind(PATCHES)
SHOWN_BY_BROWSERS = ("jpg", "png", "webp", "avif", "bmp", "gif")
SRGB_PRIMARIES = chunk(b"cHRM", struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000))
WIDE_PRIMARIES = chunk(b"cHRM", struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000))


def gamma(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


WIDE, SWAPPED = photo_files.wide_profile(), photo_files.swapped_profile()


def translucent() -> Image.Image:
    image = PATCHES.copy()
    image.putalpha(100)
    return image


CASES: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{suffix: (KINDS[suffix][1], lambda suffix=suffix: KINDS[suffix][0]) for suffix in SHOWN_BY_BROWSERS},  # type: ignore[misc]
    "wide JPEG": ("image/jpeg", lambda: photo_files.with_profile(PATCHES, "JPEG", WIDE)),
    "wide PNG": ("image/png", lambda: photo_files.with_profile(PATCHES, "PNG", WIDE)),
    "wide WebP": ("image/webp", lambda: photo_files.with_profile(PATCHES, "WEBP", WIDE)),
    "swapped JPEG": ("image/jpeg", lambda: photo_files.with_profile(PATCHES, "JPEG", SWAPPED)),
    "swapped PNG with a palette": (
        "image/png",
        lambda: photos.encode(PATCHES.quantize(32), "PNG", icc_profile=SWAPPED),
    ),
    "sRGB PNG": ("image/png", lambda: photo_files.with_profile(PATCHES, "PNG", photo_files.srgb_profile())),
    "translucent PNG": ("image/png", lambda: photos.encode(translucent(), "PNG")),
    "wide translucent PNG": ("image/png", lambda: photos.encode(translucent(), "PNG", icc_profile=WIDE)),
    "CMYK JPEG": ("image/jpeg", lambda: photos.encode(PATCHES.convert("CMYK"), quality=98, subsampling=0)),
    "sideways JPEG": ("image/jpeg", lambda: photos.with_orientation(PATCHES, 6, quality=98, subsampling=0)),
    "sideways PNG": ("image/png", lambda: png_with(chunk(b"eXIf", orientation_exif(6)), image=PATCHES)),
    "sideways AVIF": (
        "image/avif",
        lambda: photos.with_orientation(PATCHES, 8, "AVIF", quality=98, subsampling="4:4:4"),
    ),
    "PNG of linear light": ("image/png", lambda: png_with(gamma(100_000), image=PATCHES)),
    "PNG of an ordinary screen": ("image/png", lambda: png_with(gamma(45_455), image=PATCHES)),
    "PNG of wide primaries": ("image/png", lambda: png_with(gamma(45_455), WIDE_PRIMARIES, image=PATCHES)),
    "PNG of sRGB in numbers": ("image/png", lambda: png_with(gamma(45_455), SRGB_PRIMARIES, image=PATCHES)),
    "PNG of Display P3": ("image/png", lambda: png_with(chunk(b"cICP", bytes([12, 13, 0, 1])), image=PATCHES)),
    "PNG of sRGB and another gamma": (
        "image/png",
        lambda: png_with(chunk(b"sRGB", b"\0"), gamma(100_000), image=PATCHES),
    ),
    "PNG with a damaged profile": (
        "image/png",
        lambda: png_with(chunk(b"iCCP", b"a\0\0garbage", is_intact=False), image=PATCHES),
    ),
}


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Page:
    """A tab whose pictures may come from anywhere."""
    return browser.new_page()


@pytest.mark.parametrize("case", CASES)
def test_colours_and_orientation_are_those_of_chromium(case: str, blank: Page) -> None:
    media_type, build = CASES[case]
    data = build()
    width, height, shown = blank.evaluate(SHOWN, f"data:{media_type};base64,{base64.b64encode(data).decode()}")
    expected = np.frombuffer(base64.b64decode(shown), dtype=np.uint8).reshape(height, width, 4)[..., :3].astype(int)
    decoded = np.asarray(decode_photo(data, max_pixels=LIMIT).image_rgb, dtype=int)
    assert decoded.shape == expected.shape
    assert np.abs(decoded - expected)[8::16, 8::16].max() <= 2


def test_chromium_turns_no_webp(blank: Page) -> None:
    """Which is why `/photo` gives a turned copy."""
    data = photos.with_orientation(photos.two_colours(), 6, "WEBP", lossless=True)
    width, height, _ = blank.evaluate(SHOWN, f"data:image/webp;base64,{base64.b64encode(data).decode()}")
    assert (width, height) == (32, 64)
    assert decode_photo(data, max_pixels=LIMIT).image_rgb.size == (64, 32)


@pytest.mark.parametrize("media_type", ["image/heic", ""])
def test_a_photo_of_a_phone_is_dropped_and_shown(media_type: str, page: Page) -> None:
    """Most systems know no media type for it, and no browser but Safari shows it."""
    send(page, "drop", ("IMG_0001.HEIC", media_type, photo_files.chelsea_heic()))
    expect(page.locator("[data-result-title]")).to_be_visible()
    picture = page.locator("[data-result-slot] [data-photo]")
    assert picture.evaluate("(img) => img.decode().then(() => [img.naturalWidth, img.naturalHeight])") == [451, 300]


def test_a_dropped_drawing_is_named(page: Page) -> None:
    send(page, "drop", ("plan.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"))
    expect(page.locator("[data-error]")).to_have_text("This is an SVG. Save it as a PNG, and send that.")


def test_the_file_field_takes_all_kinds(page: Page) -> None:
    kinds = (page.locator("#image").get_attribute("accept") or "").split(",")
    assert {"image/heic", ".heic", "image/avif", ".tif", ".jp2", "image/jpeg"} <= set(kinds)
