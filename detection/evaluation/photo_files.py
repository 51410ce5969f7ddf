"""Finds the photos that annotations name, also by paths of another machine or system."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG", ".WEBP")
_SEPARATORS = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"[A-Za-z]:")


def photo_path(folders: Sequence[Path], name: str) -> Path:
    """Return the file that `name` means in the first folder that has it; where none has, the path in the first one.

    A name is taken literally before it is taken for a path of Windows, for one of another machine, of which the folders
    that are the same here count (`C:\\data\\images\\1\\a.jpg`, `images/1/a.jpg`, `1/a.jpg`, `a.jpg`), or for a URL's.
    """
    found = (folder / each for each in _meanings(name) for folder in folders)
    return next((path for path in found if _is_file(path)), folders[0] / name)


def _meanings(name: str) -> Iterator[str]:
    yield name
    for spelling in dict.fromkeys((name, unquote(name))):
        parts = [part for part in _SEPARATORS.split(spelling) if part not in {"", ".", ".."}]
        if parts and _DRIVE.fullmatch(parts[0]):
            del parts[0]
        yield from ("/".join(parts[start:]) for start in range(len(parts)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for a file, or with NUL
        return False


def shortened(text: object, length: int = 80) -> str:
    """Return a text from a file as one short line for a message."""
    return ascii(str(text)[:length])[1:-1] + ("..." if len(str(text)) > length else "")
