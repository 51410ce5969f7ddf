"""Formats CSV lines (RFC 4180) with cells that no spreadsheet executes."""

import codecs
import csv
from collections.abc import Iterable
from typing import Any

BYTE_ORDER_MARK = codecs.BOM_UTF8
"""The first bytes of a file, without which Excel takes UTF-8 for the system's own encoding."""

# https://owasp.org/www-community/attacks/CSV_Injection, with the wide forms that East Asian spreadsheets take too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Lines:
    def write(self, text: str) -> bytes:
        return text.encode()


# `writerow` returns the result of `write`.
_WRITER = csv.writer(_Lines())


def csv_line(cells: Iterable[Any]) -> bytes:
    """Format a line in UTF-8. Untrusted text goes through `escape_formula` first."""
    line: bytes = _WRITER.writerow(cells)
    return line


def escape_formula(text: str) -> str:
    """Prefix text that a spreadsheet would execute as a formula with an apostrophe, which makes it text again."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
