"""What a caller can say along with a photo, and what is told beside the answer's body; the same for every entrance."""

import contextlib
import math
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import unquote

from detection.errors import RequestError
from detection.models import Detection
from detection.services import Answer, Upload

T = TypeVar("T")

PHOTO_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})
FILE_NAME_HEADER = "X-File-Name"
# What a form can say in fields of its own; the query string says it too, and counts where both do.
FORM_WISHES = frozenset({"threshold", "store", "model"})
_BOOLEANS = {"0": False, "false": False, "1": True, "true": True}
_SOURCES = {
    source.value: source for source in (Detection.Source.API, Detection.Source.PAGE, Detection.Source.WEBSOCKET)
}


def media_type(content_type: str) -> str:
    """The type of a Content-Type header without its parameters, in lower case."""
    return content_type.split(";", 1)[0].strip().lower()


def file_name(raw: str | None) -> str:
    """The text of an X-File-Name header: percent-encoded, or plain in UTF-8 (HTTP itself reads it as Latin-1)."""
    with contextlib.suppress(UnicodeError):
        raw = (raw or "").encode("latin-1").decode()
    return unquote(raw or "")


def upload_from(data: bytes, query: Mapping[str, str], original_name: str) -> Upload:
    """An upload with the wishes of the query string: `threshold`, `store`, `source`, `model`.

    original_name: the caller's name for the photo, as text. Raises RequestError.
    """
    return Upload(
        data,
        source=_choice(query, "source", _SOURCES, Detection.Source.API),
        original_name=original_name,
        threshold=parse_threshold(query),
        store=parse_flag(query, "store", default=True),
        model=query.get("model", ""),
    )


def parse_threshold(query: Mapping[str, str]) -> float | None:
    """`threshold` as a number in [0, 1], None when it is not given. Raises RequestError."""
    raw = query.get("threshold")
    if raw is None:
        return None
    try:
        threshold = float(raw)
    except ValueError:
        threshold = math.nan
    if not 0.0 <= threshold <= 1.0:
        raise RequestError(f"threshold is {raw!r}; set it to a number from 0 to 1, or leave it out.")
    return threshold


def parse_flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A parameter that is 1 or true, 0 or false, or not given. Raises RequestError."""
    return _choice(query, name, _BOOLEANS, default)


def _choice(query: Mapping[str, str], name: str, choices: Mapping[str, T], default: T) -> T:
    raw = query.get(name)
    if raw is None:
        return default
    if raw not in choices:
        raise RequestError(f"{name} is {raw!r}; set it to one of {', '.join(choices)}, or leave it out.")
    return choices[raw]


def answer_headers(answer: Answer) -> dict[str, str]:
    """`Server-Timing` (W3C: milliseconds per stage), `X-Model`, and `X-Detection-Id` when it is kept."""
    headers = {"Server-Timing": ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in answer.timings)}
    if answer.model:
        headers["X-Model"] = answer.model
    if answer.detection_uuid is not None:
        headers["X-Detection-Id"] = str(answer.detection_uuid)
    return headers
