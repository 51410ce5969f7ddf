"""Photos to measure with: those of scikit-image, cut and scaled to the sizes of cameras and phones."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageOps

NAMES = ("astronaut", "chelsea", "coffee", "motorcycle_left")
SMALL_WH = (500, 375)
SIZES_WH = {"0.2 MP": (540, 360), "2 MP": (1732, 1155), "12 MP": (4240, 2832)}
_SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
# Enlarged pictures are smooth and compress too well; with grain of this deviation, files are as large as cameras'.
GRAIN = 5.0


@cache
def jpeg(name: str, size_wh: tuple[int, int], quality: int = 90, grain: float = GRAIN) -> bytes:
    """Return a photo of scikit-image, cut to the aspect of `size_wh` (pixels) and scaled to it, as a JPEG.

    grain: the deviation of the seeded noise on it, of 255; 0 for none.
    """
    with Image.open(_SKIMAGE_DATA / f"{name}.png") as opened:
        image = ImageOps.fit(opened.convert("RGB"), size_wh, Image.Resampling.LANCZOS)
    noise = np.random.default_rng(0).normal(0, grain, (size_wh[1], size_wh[0], 1)).astype(np.float32)
    pixels = np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(pixels), "JPEG", quality=quality)


def encoded(image: Image.Image, photo_format: str, **options: int) -> bytes:
    """Return the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, photo_format, **options)
    return buffer.getvalue()


def write_jpegs(folder: Path, size_wh: tuple[int, int]) -> list[Path]:
    """Write each of `NAMES` in that size; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in NAMES:
        path = folder / f"{name}-{size_wh[0]}x{size_wh[1]}.jpg"
        path.write_bytes(jpeg(name, size_wh))
        paths.append(path)
    return paths
