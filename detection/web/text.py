"""Sanitises names that callers choose, for storage and display."""

import unicodedata

NAME_LENGTH = 255


def as_text(name: str) -> str:
    """Return a caller's file name as one line of text, cut to size: without control characters, NUL (PostgreSQL refuses
    it) and marks of writing direction. Unusual spaces, which cameras and systems do use, become plain ones.
    """
    return "".join(_as_printable(character) for character in name[:NAME_LENGTH])


def _as_printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"
