"""Reads frames of a video as JPEG files, lazily: the process that decodes it pauses while no frame is taken."""

import importlib.util
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from detection.inference.errors import ImageDecodeError, InferenceError
from detection.inference.messages import Message, gettext_noop
from detection.inference.photos.size_limits import too_large
from detection.inference.videos.choice import FrameChoice
from detection.inference.videos.reader_process import END, HEADER, Wish, container_of

_ROOT = Path(__file__).parents[3]
_START_BYTES = 4096
_PIECE_BYTES = 1 << 20

_NO_PYAV = Message(
    "video_needs_pyav",
    gettext_noop(
        "This is a video, and its frames cannot be read here. Install PyAV: pip install -r requirements-video.txt"
    ),
)
_NO_VIDEO = Message(
    "video_without_pictures",
    gettext_noop("This file has no video in it that can be read. Send an MP4, MOV, MKV, WebM, AVI or MPEG file."),
)
_CODEC = Message("video_codec", gettext_noop("The video's codec is not read. Convert it to H.264 in an MP4 file."))
_DAMAGED = Message(
    "video_damaged",
    gettext_noop("The video is damaged, or cut off: nothing behind %(time)s s can be read. Send the whole file."),
)
_TOO_LONG = Message(
    "video_too_long",
    gettext_noop("The video is too long: its first %(time)s s were read. Cut it into parts."),
)
_TOO_MANY = Message(
    "video_too_many_frames",
    gettext_noop("More than %(count)s frames would be taken: the rest behind %(time)s s was not. Choose fewer."),
)
_MEMORY = Message("video_memory", gettext_noop("The video needs too much memory. Make its pictures smaller."))
_HANGS = Message(
    "video_slow", gettext_noop("The video cannot be read any further: it brought nothing for %(seconds)s seconds.")
)
_CRASHED = Message(
    "video_crashed",
    gettext_noop("The video cannot be read any further: its decoder failed. Convert it, and try again."),
)


class VideoError(ImageDecodeError):
    """A video, or what is behind the frames that were read, cannot be read; the message says why."""

    default_code = "video"


class PyAVMissingError(InferenceError):
    """The file is a video, and PyAV is not installed."""

    default_code = "pyav_missing"

    def __init__(self) -> None:
        super().__init__(_NO_PYAV())


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Limits of reading a video.

    max_pixels: of a frame. max_s: seconds of it that are read; max_frames: taken, max_decoded: looked at.
    memory_bytes: of the decoding process. patience_s: without a sign of life.
    """

    max_pixels: int
    max_s: float = 6 * 3600.0
    max_frames: int = 100_000
    max_decoded: int = 1_500_000
    memory_bytes: int = 3 << 30
    patience_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as a JPEG, upright and in the shape that is shown; time_s: seconds since the video's first frame."""

    time_s: float
    jpeg: bytes


def is_installed() -> bool:
    """Return whether PyAV is installed (requirements-video.txt)."""
    return importlib.util.find_spec("av") is not None


def is_video(file: BinaryIO) -> bool:
    """Return whether a file begins like a video of a container that is read."""
    start = file.read(_START_BYTES)
    file.seek(0)
    return bool(container_of(start))


def read_frames(file: BinaryIO, choice: FrameChoice, limits: VideoLimits) -> Iterator[Frame]:
    """Yield the chosen frames of a regular file, in their order.

    Raises PyAVMissingError at once; VideoError, or ImageTooLargeError, where reading ends before the end: after the
    frames until there.
    """
    if not is_installed():
        raise PyAVMissingError
    return _frames(file, choice, limits)


def _frames(file: BinaryIO, choice: FrameChoice, limits: VideoLimits) -> Iterator[Frame]:
    wish = Wish(
        choice.every_s,
        choice.changed_share,
        limits.max_pixels,
        limits.max_s,
        limits.max_frames,
        limits.max_decoded,
        limits.memory_bytes,
    )
    command = [sys.executable, "-m", "detection.inference.videos.reader_process", json.dumps(asdict(wish))]
    file.seek(0)
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and our module
        command, cwd=_ROOT, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    try:
        yield from _received(process, limits)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _received(process: "subprocess.Popen[bytes]", limits: VideoLimits) -> Iterator[Frame]:
    if process.stdout is None:
        raise VideoError(_CRASHED())
    descriptor = process.stdout.fileno()
    while True:
        time_s, length = HEADER.unpack(_exactly(descriptor, HEADER.size, limits.patience_s))
        if length == END:
            (length,) = struct.unpack("<I", _exactly(descriptor, 4, limits.patience_s))
            _raise_for(json.loads(_exactly(descriptor, length, limits.patience_s)), limits)
            return
        if length:
            yield Frame(round(time_s, 3), _exactly(descriptor, length, limits.patience_s))


def _exactly(descriptor: int, length: int, patience_s: float) -> bytes:
    """Read so many bytes. Raises VideoError where they do not come."""
    data, until = bytearray(), time.monotonic() + patience_s
    while len(data) < length:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(max(until - time.monotonic(), 0) * 1000):
            raise VideoError(_HANGS(seconds=f"{patience_s:g}"))
        piece = os.read(descriptor, min(length - len(data), _PIECE_BYTES))
        if not piece:
            raise VideoError(_CRASHED())
        data += piece
    return bytes(data)


def _raise_for(outcome: dict[str, Any], limits: VideoLimits) -> None:
    """Raise the error of an outcome; return where the whole video was read."""
    code, time_text = outcome["code"], f"{outcome.get('time_s', 0.0):.1f}"
    if code == "pixels":
        raise too_large(outcome["width"], outcome["height"], limits.max_pixels)
    sentences = {
        "no_video": _NO_VIDEO,
        "codec": _CODEC,
        "damaged": _DAMAGED,
        "duration": _TOO_LONG,
        "frames": _TOO_MANY,
        "memory": _MEMORY,
    }
    if code:
        raise VideoError(sentences[code](time=time_text, count=f"{limits.max_frames:,}"))
