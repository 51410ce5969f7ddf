"""Names of videos, and of their frames: `clip.mp4 @ 00:01.500`, from which the time is read back."""

import re
from pathlib import PurePosixPath

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".flv", ".wmv"}
)
_FRAME = re.compile(r"(?P<video>.+) @ (?:(?P<hours>\d+):)?(?P<minutes>\d\d):(?P<seconds>\d\d\.\d{3})", re.DOTALL)


def is_video_name(name: str) -> bool:
    """Return whether a file is named like a video."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def frame_name(video: str, time_s: float) -> str:
    """Return the name of a frame, by the seconds into its video: minutes, seconds and thousandths, hours where there
    are some.
    """
    thousandths = round(time_s * 1000)
    minutes, seconds = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{video} @ {f'{hours}:' if hours else ''}{minutes:02}:{seconds // 1000:02}.{seconds % 1000:03}"


def time_of(name: str) -> float | None:
    """Return the seconds into the video of a frame's name; None for the name of a photo."""
    found = _FRAME.fullmatch(name)
    if found is None or not is_video_name(found["video"]):
        return None
    whole = int(found["hours"] or 0) * 3600 + int(found["minutes"]) * 60
    return round(whole + float(found["seconds"]), 3)
