"""Converts the colours of photos to sRGB, which the networks were trained with and pictures without a profile are in.

A profile is data of strangers like the pixels: one that cannot be used is left out of account, as browsers do.
"""

import hashlib
import io
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image, ImageCms

# Profiles of devices with tables have about 1 MB; the ones of cameras and phones less than 4 kB.
MAX_PROFILE_BYTES = 4 << 20
_CACHED_PROFILES = 16
# Colours of a grid that a conversion changes by no more than this are left as they are: sRGB under another name.
_SAME_LEVELS = 1
_GRID_STEPS = 9
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# The kind of pixels that a profile is made for (ICC.1:2022, 7.2.6), by the modes that Pillow decodes to.
_SPACES = {"RGB": "RGB ", "RGBA": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
_OUTPUTS = {"RGB": "RGB", "RGBA": "RGBA", "L": "RGB", "CMYK": "RGB", "LAB": "RGB"}

_transforms: "OrderedDict[bytes, ImageCms.ImageCmsTransform | None]" = OrderedDict()
_lock = threading.Lock()


def srgb_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what converts pictures of a mode from an ICC profile to sRGB; None where nothing is to be converted."""
    if not profile or mode not in _SPACES or len(profile) > MAX_PROFILE_BYTES or _space(profile) != _SPACES[mode]:
        return None
    key = hashlib.sha256(profile).digest() + mode.encode()
    with _lock:
        if key in _transforms:
            _transforms.move_to_end(key)
            return _transforms[key]
    made = _made(profile, mode)
    with _lock:
        _transforms[key] = made
        while len(_transforms) > _CACHED_PROFILES:
            _transforms.popitem(last=False)
    return made


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """Return a picture in L*a*b*, which needs no profile, as sRGB."""
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB")
    return _applied(transform, image)


def to_srgb(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    """Return a picture with its colours converted; transparency stays."""
    return _applied(transform, image)


def _space(profile: bytes) -> str:
    return profile[16:20].decode("latin-1")


def _made(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(opened, _SRGB, mode, _OUTPUTS[mode])
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, _GRID_STEPS).round().astype(np.uint8)
    if mode == "L":
        grid = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    else:
        colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        grid = Image.fromarray(colours).convert(mode)
    before = np.asarray(grid.convert("RGB"), dtype=np.int16)
    after = np.asarray(_applied(transform, grid).convert("RGB"), dtype=np.int16)
    return bool(np.abs(after - before).max() <= _SAME_LEVELS)


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:  # it is only so when asked to work in place
        raise ValueError("no picture came of a conversion of colours")
    return converted
