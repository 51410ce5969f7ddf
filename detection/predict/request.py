"""Options of a photo in a request, and headers of its response; the same for every interface."""

import contextlib
from collections.abc import Mapping
from urllib.parse import unquote

from detection.errors import InvalidContentError
from detection.inference.photos.formats import MEDIA_TYPES, photo_format
from detection.models import Detection
from detection.predict.service import DetectionResult, Upload
from detection.web.query import parse_choice, parse_flag, parse_threshold, parse_tiles, refuse_unknown

PHOTO_TYPES = MEDIA_TYPES
# Those that the API's description lists: one name for each kind of photo.
DESCRIBED_TYPES = (
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jp2",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
)
FORM_TYPE = "multipart/form-data"
INCOMPLETE_HEADER = "X-Photo-Incomplete"
FILE_NAME_HEADER = "X-File-Name"
# Options that a form can hold in fields of its own; the query string takes precedence.
FORM_OPTIONS = frozenset({"threshold", "store", "model", "tiles"})
OPTIONS = ("threshold", "store", "source", "model", "tiles")
_SOURCES = {
    source.value: source for source in (Detection.Source.API, Detection.Source.PAGE, Detection.Source.WEBSOCKET)
}


def media_type(content_type: str) -> str:
    """Return the type of a Content-Type header without its parameters, in lower case."""
    return content_type.split(";", 1)[0].strip().lower()


def require_photo(content_type: str, data: bytes) -> None:
    """Raise InvalidContentError for a body that is no photo by its type nor by its bytes.

    The bytes say what a photo is; only what is called a picture and is no photo gets a sentence about it.
    """
    kind = media_type(content_type)
    is_called_picture = kind.startswith("image/") and kind != "image/*"
    if not is_called_picture and not photo_format(data):
        raise InvalidContentError


def file_name(raw: str | None) -> str:
    """Return the text of an X-File-Name header: percent-encoded, or plain in UTF-8 (HTTP itself reads it as
    Latin-1).
    """
    with contextlib.suppress(UnicodeError):
        raw = (raw or "").encode("latin-1").decode()
    return unquote(raw or "")


def parse_source(query: Mapping[str, str]) -> Detection.Source:
    """Return `source`, how the photo came in. Raises RequestError."""
    return parse_choice(query, "source", _SOURCES, Detection.Source.API)


def upload_from(data: bytes, query: Mapping[str, str], original_name: str) -> Upload:
    """Return an upload with the options of the query string: `threshold`, `store`, `source`, `model`,
    `tiles`.

    original_name: the caller's name for the photo, as text. Raises RequestError, also for an unknown option: a misspelt
    one would change the answer without a word.
    """
    refuse_unknown(query, OPTIONS)
    return Upload(
        data,
        source=parse_source(query),
        original_name=original_name,
        threshold=parse_threshold(query),
        store=parse_flag(query, "store", default=True),
        model=query.get("model", ""),
        tiles=parse_tiles(query),
    )


def answer_headers(answer: DetectionResult) -> dict[str, str]:
    """Return `Server-Timing` (W3C: milliseconds per stage), `X-Model`, `X-Detection-Id` when it is stored,
    `X-Tiles` (columns and rows) when tiles were looked at, and `X-Photo-Incomplete` when the photo was cut off.
    """
    headers = {"Server-Timing": ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in answer.timings)}
    if answer.model:
        headers["X-Model"] = answer.model
    if answer.detection_uuid is not None:
        headers["X-Detection-Id"] = str(answer.detection_uuid)
    if answer.tiling.grid:
        headers["X-Tiles"] = answer.tiling.grid
    if answer.share_read is not None:
        headers[INCOMPLETE_HEADER] = f"{answer.share_read:.2f}"
    return headers
