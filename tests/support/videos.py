"""Videos for tests, made with PyAV; tests that need them are skipped without it."""

import io
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pytest
from PIL import Image

_MATRICES = {
    # ISO/IEC 14496-12: a, b, u, c, d, v, x, y, w; degrees clockwise in which players turn the picture.
    90: (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000),
    180: (-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000),
    270: (0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000),
}
_MATRIX_IN_TKHD = 40


def make_video(
    pictures: Iterable[Image.Image],
    *,
    rate: int = 10,
    container: str = "mp4",
    codec: str = "mpeg4",
    turned: int = 0,
    aspect: Fraction | None = None,
) -> bytes:
    """A video of these pictures, all of one size. turned: degrees clockwise that an MP4 says it is shown in."""
    av: Any = pytest.importorskip("av", reason="needs PyAV (requirements-video.txt)")
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        all_of_them = list(pictures)
        stream.width, stream.height = all_of_them[0].size
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for picture in all_of_them:
            output.mux(stream.encode(av.VideoFrame.from_image(picture)))
        output.mux(stream.encode(None))
    return _turned(written.getvalue(), turned) if turned else written.getvalue()


def colours(*names: str, frames_each: int = 10, size: tuple[int, int] = (160, 96)) -> list[Image.Image]:
    """Pictures of one colour each."""
    return [Image.new("RGB", size, name) for name in names for _ in range(frames_each)]


def _turned(video: bytes, degrees: int) -> bytes:
    at = video.index(b"tkhd") + 4 + _MATRIX_IN_TKHD
    matrix = b"".join(number.to_bytes(4, "big", signed=True) for number in _MATRICES[degrees])
    return video[:at] + matrix + video[at + len(matrix) :]
