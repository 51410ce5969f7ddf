"""Decodes photos in a process of their own, where Pillow's decoder holds Python's lock for all of a file.

A JPEG 2000 of 16 megapixels and 20 MB takes 3 s, an animated WebP of 144 bytes and 60 megapixels half a second: in the
server's own process nobody else would be answered meanwhile.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from detection.inference.errors import OverloadedError
from detection.inference.photos.isolated.process import ROWS
from detection.inference.queues.fair_queue import OVERLOADED

# Smaller files, in pixels and bytes, hold it for 30 ms at most; a process takes 70 to start. WebP: where it is an
# animation.
_SMALL = {"JPEG2000": (1 << 16, 200_000), "WEBP": (1 << 20, 1_000_000)}
_ROOT = Path(__file__).parents[4]
_HEAD_BYTES = 200
# OpenJPEG takes four bytes for each channel, and Pillow has the picture beside it.
_BYTES_A_PIXEL, _LEAST_BYTES = 40, 1 << 30


def holds_lock_long(opened: Image.Image) -> bool:
    """Return whether Pillow would hold Python's lock for long, while it decodes a photo that was opened from memory."""
    small = _SMALL.get(str(opened.format))
    return small is not None and (opened.width * opened.height > small[0] or len(_bytes_of(opened)) > small[1])


def _bytes_of(opened: Image.Image) -> bytes:
    file: Any = getattr(opened, "fp", None)
    return bytes(file.getvalue())


def decode_in_process(opened: Image.Image) -> Image.Image:
    """Return the pixels of a photo that was opened from memory; a palette becomes RGBA.

    Raises OSError for a damaged file, and OverloadedError where the system starts no process now.
    """
    width, height = opened.size
    most_bytes = _LEAST_BYTES + _BYTES_A_PIXEL * width * height
    module = f"{__package__}.process"
    command = [sys.executable, "-m", module, str(opened.format), str(most_bytes)]
    with _started(command) as process:
        try:
            return _received(process, _bytes_of(opened), opened.size)
        finally:
            process.kill()


def _started(command: list[str]) -> "subprocess.Popen[bytes]":
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    try:
        return subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, stderr=nothing)  # noqa: S603 - our module
    except OSError as error:  # not the photo's fault
        raise OverloadedError(OVERLOADED()) from error


def _received(process: "subprocess.Popen[bytes]", data: bytes, size_wh: tuple[int, int]) -> Image.Image:
    if process.stdin is None or process.stdout is None:
        raise OSError("The process has no pipes.")
    # It writes nothing before it has read everything.
    process.stdin.write(data)
    process.stdin.close()
    head = process.stdout.readline(_HEAD_BYTES)
    if not head:
        raise OSError("The photo cannot be decoded.")
    said = json.loads(head)
    width, height = size_wh
    if tuple(said["size"]) != size_wh:
        raise OSError("The photo has another size than its header says.")
    image = Image.new(said["mode"], size_wh)
    for top in range(0, height, ROWS):
        rows = min(ROWS, height - top)
        strip = process.stdout.read(said["row_bytes"] * rows)
        image.paste(Image.frombytes(said["mode"], (width, rows), strip), (0, top))
    return image
