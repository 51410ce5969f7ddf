"""Colours: a profile counts for the network and for pictures drawn on the server; without one, nothing changes."""

import numpy as np
import pytest
from PIL import Image

from detection.inference.photos.colour import srgb_transform
from detection.inference.photos.decode import decode_photo, read_info
from tests.support import photo_files, photos
from tests.support.photo_files import with_profile

LIMIT = 1_000_000
PATCHES = Image.fromarray(
    np.random.default_rng(3).integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode_photo(data, max_pixels=LIMIT).image_rgb, dtype=int)


def by_hand(image: Image.Image) -> np.ndarray:
    """Return the sRGB of colours in Adobe's primaries, from the two matrices and the curves (IEC 61966-2-1)."""
    wide, srgb = (np.array(primaries).T for primaries in (photo_files.WIDE_XYZ, photo_files.SRGB_XYZ))
    linear = (np.asarray(image) / 255) ** (round(2.2 * 256) / 256)
    mixed = np.clip(linear @ (np.linalg.inv(srgb) @ wide).T, 0, 1)
    curved = np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)
    return np.asarray((curved * 255).round(), dtype=int)


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_colours_of_a_profile_become_srgb(photo_format: str) -> None:
    without = pixels(with_profile(PATCHES, photo_format, b""))
    data = with_profile(PATCHES, photo_format, photo_files.wide_profile())
    expected = by_hand(Image.fromarray(without.astype(np.uint8)))
    assert read_info(data, max_pixels=LIMIT).has_other_colours
    assert np.abs(pixels(data) - expected)[8::16, 8::16].max() <= 2


def test_transparency_and_a_profile_go_together() -> None:
    image = PATCHES.copy()
    image.putalpha(128)
    expected = (by_hand(PATCHES) * 128 + 255 * 127) / 255
    got = pixels(photos.encode(image, "PNG", icc_profile=photo_files.wide_profile()))
    assert np.abs(got - expected).max() <= 2


def test_a_palette_is_converted_too() -> None:
    image = PATCHES.quantize(16)
    got = pixels(photos.encode(image, "PNG", icc_profile=photo_files.wide_profile()))
    assert np.abs(got - by_hand(image.convert("RGB"))).max() <= 2


@pytest.mark.parametrize(
    "profile",
    [photo_files.srgb_profile(), b"no profile", b"", photo_files.wide_profile()[:200], bytes(128)],
    ids=["sRGB", "text", "none", "half a profile", "zeros"],
)
def test_srgb_and_what_is_no_profile_change_nothing(profile: bytes) -> None:
    data = with_profile(PATCHES, "PNG", profile)
    assert not read_info(data, max_pixels=LIMIT).has_other_colours
    assert np.array_equal(pixels(data), np.asarray(PATCHES))


def test_a_profile_for_other_pixels_is_left_alone() -> None:
    grey = PATCHES.convert("L")
    assert np.array_equal(
        pixels(photos.encode(grey, "PNG", icc_profile=photo_files.wide_profile())), np.asarray(grey.convert("RGB"))
    )


def test_a_conversion_is_built_once() -> None:
    profile = photo_files.swapped_profile()
    assert srgb_transform(profile, "RGB") is srgb_transform(bytes(bytearray(profile)), "RGB")


def test_scaled_decoding_converts_colours_too() -> None:
    image = PATCHES.resize((512, 512), Image.Resampling.NEAREST)
    data = with_profile(image, "JPEG", photo_files.swapped_profile())
    small = decode_photo(data, max_pixels=LIMIT, min_edge_px=64).image_rgb
    assert small.size == (64, 64)
    assert np.abs(np.asarray(small, dtype=int)[8, 8] - np.asarray(PATCHES, dtype=int)[8, 8, ::-1]).max() <= 4
