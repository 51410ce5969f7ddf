"""JSON of requests, read in one place, so that no view meets text that a database cannot hold."""

import json
import re
from typing import Any, NoReturn

from rest_framework.parsers import JSONParser

from detection.errors import JsonTooLargeError, RequestError
from detection.web.text import is_storable

# The largest list that is accepted, of the 2,000 photos of a batch with names of 255 characters each in escapes, is
# smaller. Parsing more would hold everybody up, whatever is counted afterwards.
MAX_JSON_BYTES = 4 << 20
# In JSON with files in base64 the texts are long; what takes time are values, and each has one of these around it.
_MARKS = (b",", b"[", b"{", b":")
_MAX_MARKS = 20_000
# Escapes of NUL and of surrogates; only text with one of these is looked through.
_SUSPICIOUS = re.compile(r"\\u(0000|[dD][89a-fA-F])")


def read_json(raw: bytes, *, holds_files: bool = False) -> Any:
    """Return the value of a JSON body (RFC 8259: UTF-8; a byte order mark is skipped).

    holds_files: whether it has files in base64, and so is limited by its number of values instead of its bytes.
    Raises JsonTooLargeError, and RequestError for what is not JSON, is nested too deeply, or has characters that cannot
    be stored: NUL and halves of surrogate pairs.
    """
    if len(raw) > MAX_JSON_BYTES and not (holds_files and sum(map(raw.count, _MARKS)) <= _MAX_MARKS):
        raise JsonTooLargeError(MAX_JSON_BYTES)
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise RequestError("The JSON is nested too deeply. Compare it with the API's description.") from error
    except ValueError as error:
        raise RequestError("The body is no JSON. Send JSON in UTF-8, as the API's description shows it.") from error
    if _SUSPICIOUS.search(text):
        _refuse_unstorable(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse_unstorable(value: Any) -> None:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and not is_storable(found):
            raise RequestError("The JSON has a character that cannot be stored (NUL, or half of a surrogate pair).")
        if isinstance(found, dict):
            waiting += [*found.keys(), *found.values()]
        elif isinstance(found, list):
            waiting += found


class JsonBodyParser(JSONParser):
    """DRF's parser of JSON, strict about text."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the value of the body. Raises RequestError."""
        return read_json(stream.read())
