"""Sanitises names that callers choose, for storage and display."""

from detection.inference.class_names import is_plain

NAME_LENGTH = 255


def as_text(name: str) -> str:
    """Return a caller's name as one line of text, cut to size.

    Everything that a language needs stays, so that a stored name is found again: joiners of Persian and Hindi, marks of
    direction, spaces of any width. Replaced are control characters (PostgreSQL refuses NUL), line breaks, halves of
    characters, and what turns the direction of the text around it.
    """
    return plain(name[:NAME_LENGTH])


def plain(text: str) -> str:
    """Return a text of any length with a replacement for each character that controls a terminal or a page."""
    return "".join(character if is_plain(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def is_storable(text: str) -> bool:
    """Return whether a database and UTF-8 can hold a text: PostgreSQL refuses NUL, UTF-8 halves of surrogate pairs."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
