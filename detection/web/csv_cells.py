"""Lines of a CSV file (RFC 4180) whose cells no spreadsheet runs."""

import csv
from collections.abc import Iterable
from typing import Any

# https://owasp.org/www-community/attacks/CSV_Injection, with the wide forms that East Asian spreadsheets take too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Lines:
    def write(self, text: str) -> bytes:
        return text.encode()


# `writerow` returns what `write` does.
_WRITER = csv.writer(_Lines())


def csv_line(cells: Iterable[Any]) -> bytes:
    """A line, UTF-8. Text from outside goes through `harmless` first."""
    line: bytes = _WRITER.writerow(cells)
    return line


def harmless(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it, and is text again."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
