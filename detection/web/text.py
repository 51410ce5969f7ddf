"""Names that callers choose, made fit to be kept and shown."""

import unicodedata

NAME_LENGTH = 255


def as_text(name: str) -> str:
    """A caller's file name as one line of text, cut to size: no control characters, no NUL (PostgreSQL refuses it), and
    nothing that turns the direction of writing. Cameras and systems do use unusual spaces; they become plain ones.
    """
    return "".join(_as_printable(character) for character in name[:NAME_LENGTH])


def _as_printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"
