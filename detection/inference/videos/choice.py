"""Choice of the frames of a video: one each interval, or one whenever the picture has changed."""

import re
from dataclasses import dataclass
from typing import Self

_INTERVAL = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)?", re.ASCII)
_CHANGE = re.compile(r"change(?::(\d{1,2}(?:\.\d{1,3})?)%)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_CHANGED_SHARE = 0.05
HOW = "Give an interval such as 1s, 500ms or 2m, or `change`, or `change:2%`."


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames to take from a video, beside the first.

    every_s: the first frame at or after each multiple of so many seconds. changed_share: a frame that differs from the
    last taken one in at least this share of the 32 x 32 cells of both pictures in grey, by a tenth of white or more.
    One of both is 0.
    """

    every_s: float = 0.0
    changed_share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `1s`, `0.5`, `500ms`, `2m`, `change` or `change:2%`. Raises ValueError with a sentence for people."""
        if (found := _CHANGE.fullmatch(text)) and (found[1] is None or float(found[1]) > 0):
            return cls(changed_share=_CHANGED_SHARE if found[1] is None else float(found[1]) / 100)
        if (found := _INTERVAL.fullmatch(text)) and float(found[1]) > 0:
            return cls(every_s=float(found[1]) * _SECONDS[found[2]])
        raise ValueError(f"{text[:40]!r} is no choice of frames. {HOW}")

    def __str__(self) -> str:
        return f"change:{self.changed_share:.3%}" if self.changed_share else f"{self.every_s:g}s"
