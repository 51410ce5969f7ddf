"""Frames of the videos of a run, as photos that are named by their times."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from detection.bulk.files import PhotoFile, failing
from detection.conf import current
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.videos.choice import FrameChoice
from detection.inference.videos.frames import Frame, PyAVMissingError, VideoLimits, read_frames
from detection.inference.videos.names import frame_name

NOT_CHOSEN = "This is a video. Say which of its frames to take: --frames 1s, or --frames change."


def frames_of(path: str, choice: FrameChoice | None) -> Iterator[PhotoFile]:
    """Yield the frames of a video; a photo that fails for what cannot be read, under the video's name."""
    if choice is None:
        yield failing(path, NOT_CHOSEN)
        return
    try:
        with Path(path).open("rb") as file:
            yield from _read(path, file, choice)
    except OSError as error:
        yield failing(path, f"The video cannot be read: {error.strerror or error}.")
    except (PyAVMissingError, ImageDecodeError, ImageTooLargeError) as error:
        yield failing(path, str(error))


def _read(path: str, file: BinaryIO, choice: FrameChoice) -> Iterator[PhotoFile]:
    limits = VideoLimits(current.config().max_pixels)
    for frame in read_frames(file, choice, limits):
        yield PhotoFile(frame_name(path, frame.time_s), partial(_jpeg, frame), in_sequence=True)


def _jpeg(frame: Frame) -> bytes:
    return frame.jpeg
