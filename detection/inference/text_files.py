"""Reads text files that people bring: UTF-8 with or without a byte order mark, with the line ends of any system."""

import codecs
import json
import os
from pathlib import Path
from typing import Any

from detection.inference.files import require_regular

SHORT_BYTES = 1 << 20
"""Enough for a card or a list of classes."""
LONG_BYTES = 1 << 30
"""Enough for the annotations of a large dataset."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TextError(ValueError):
    """The content is not what its reader needs. The message is a short clause that quotes nothing of it."""


def decode_text(data: bytes) -> str:
    """Return UTF-8 as text with `\\n` at the ends of lines, without a byte order mark. Raises TextError."""
    if data.startswith(_UTF16):
        raise TextError("it is UTF-16 text: save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error itself holds the whole content.
        raise TextError(f"it is not UTF-8 text: byte {error.start + 1:,} belongs to no character") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: Path, max_bytes: int = SHORT_BYTES) -> str:
    """Return the text of a file; see `decode_text`. Raises OSError, and TextError above `max_bytes`."""
    return decode_text(_content(path, max_bytes))


def _content(path: Path, max_bytes: int) -> bytes:
    require_regular(path)
    with path.open("rb") as file:
        # Not `read(max_bytes + 1)`, which takes that much memory before it reads.
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise TextError(f"it has more than {max_bytes:,} bytes")
        return file.read(size)


def read_lines(path: Path, max_bytes: int = SHORT_BYTES) -> list[str]:
    """Return the lines of a file that hold anything, stripped. Raises OSError, and TextError above `max_bytes`.

    Other characters that Unicode counts as line breaks (a form feed, U+2028) stay within their line.
    """
    return [line.strip() for line in read_text(path, max_bytes).split("\n") if line.strip()]


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text. Raises TextError."""
    try:
        return json.loads(decode_text(data))
    except json.JSONDecodeError as error:
        raise TextError(f"it is no JSON: {error.msg} in line {error.lineno:,}, column {error.colno:,}") from None
    except RecursionError:
        raise TextError("it is JSON with lists nested too deeply") from None
    except TextError:
        raise
    except ValueError:
        raise TextError("it is JSON with a number of too many digits") from None


def read_json(path: Path, max_bytes: int = LONG_BYTES) -> Any:
    """Return the value of a JSON file. Raises OSError, and TextError above `max_bytes`."""
    return parse_json(_content(path, max_bytes))
