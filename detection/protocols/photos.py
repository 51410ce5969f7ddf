"""Reads photos and numbers from the JSON of clients, and runs the detector on them."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request

from detection.accounts.access import caller_of
from detection.conf import current
from detection.errors import BodyTooLargeError, RequestError
from detection.models import Detection
from detection.predict import many
from detection.predict.service import DetectionResult, Upload
from detection.web.text import NAME_LENGTH

# Of one request: as many as a client's batch has.
MAX_PHOTOS = 16
_DATA = "data:"
_DATA_END = ";base64,"


def decode_photo(text: Any) -> bytes:
    """Return the bytes of a photo in base64 (RFC 4648), alone or as a `data:` address.

    Raises RequestError for anything else: this server fetches nothing from other addresses.
    """
    if not isinstance(text, str):
        raise RequestError("The photo has to be a text: its bytes in base64.")
    if text.startswith(_DATA):
        text = text.partition(_DATA_END)[2]
    elif "://" in text[:16]:
        raise RequestError("Photos are not fetched from addresses. Send the photo itself, in base64.")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError("The photo is no valid base64. Send the bytes of the file in base64.") from error


def text_of(document: dict[str, Any], name: str) -> str:
    """Return a short text of a JSON object; "" where it is missing or null. Raises RequestError."""
    found = document.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > NAME_LENGTH:
        raise RequestError(f"{name} has to be a text of at most {NAME_LENGTH} characters.")
    return found


def share_of(raw: Any, name: str) -> float | None:
    """Return a number from 0 to 1, as JSON or a form has it; None where it is missing. Raises RequestError."""
    if raw is None:
        return None
    try:
        found = -1.0 if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError):
        found = -1.0
    if not 0.0 <= found <= 1.0:
        raise RequestError(f"{name} has to be a number from 0 to 1, or be left out.")
    return found


def detect(
    request: Request, photos: Sequence[bytes], *, model: str = "", threshold: float | None = None, name: str = ""
) -> list[DetectionResult]:
    """Detect in the photos of a request for its caller, and record them like those of `/predict`.

    Raises RequestError for too many or too large ones, and the errors of `predict/many.py`.
    """
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise RequestError(f"A request has 1 to {MAX_PHOTOS} photos, not {len(photos)}.")
    limit = current.config().max_body_bytes
    if any(len(photo) > limit for photo in photos):
        raise BodyTooLargeError(limit)
    owner_id = caller_of(request.user).user_id
    source = Detection.Source.API
    return many.detect_all(
        [
            Upload(each, source=source, original_name=name, threshold=threshold, model=model, owner_id=owner_id)
            for each in photos
        ]
    )
