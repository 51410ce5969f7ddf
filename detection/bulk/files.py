"""Photo files of a bulk run: their names, and reading their bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from detection.inference.photos.formats import SUFFIXES

_NAMED = 10


class BadPhotoError(Exception):
    """The bytes of one photo cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A named photo. `read` returns its bytes, or raises BadPhotoError.

    given: its name as given, or `ARCHIVE/MEMBER`.
    in_sequence: it can be read only before the next photo is requested (a member of an archive).
    version: what tells it from others of its name; "" where names are enough.
    """

    given: str
    read: Callable[[], bytes]
    in_sequence: bool = False
    version: str = ""

    @property
    def name(self) -> str:
        """Its name as text: bytes that are not UTF-8, which file names may have, are replaced."""
        return as_utf8(self.given)


@dataclass(slots=True)
class Skipped:
    """Files of folders and archives that are not named like a photo: their number, and the names of the first.

    file: where all their names are written, if there are more; None for nowhere.
    """

    file: Path | None = None
    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count a file. Raises OSError where its name cannot be written."""
        name = as_utf8(name)
        self.count += 1
        if len(self.names) < _NAMED:
            self.names.append(name)
        elif self.file is not None:
            is_first = self.count == _NAMED + 1
            with self.file.open("w" if is_first else "a", encoding="utf-8") as file:
                file.writelines(f"{each}\n" for each in ([*self.names, name] if is_first else [name]))

    def __str__(self) -> str:
        """Return a sentence; "" where there is none."""
        if not self.count:
            return ""
        more = f", and {self.count - len(self.names):,} more" if self.count > len(self.names) else ""
        if more and self.file is not None:
            more += f" (all in {self.file})"
        files = "1 file that is" if self.count == 1 else f"{self.count:,} files that are"
        return f"Skipped {files} no photos by name: {', '.join(self.names)}{more}."


def as_utf8(name: str) -> str:
    """Return a file's name as text that can be written."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_photo_name(name: str) -> bool:
    """Return whether a file in a folder or an archive is named like a photo; other files there are skipped."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def read_capped(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file. Raises BadPhotoError when it cannot be read, or has more than `max_bytes`."""
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise BadPhotoError(f"The file cannot be read: {error.strerror or error}.") from error
    return checked_size(data, max_bytes)


def checked_size(data: bytes, max_bytes: int) -> bytes:
    """Return the data itself. Raises BadPhotoError above the limit."""
    if len(data) > max_bytes:
        raise too_large(max_bytes)
    return data


def too_large(max_bytes: int) -> BadPhotoError:
    """Return the error for a photo above the limit."""
    return BadPhotoError(f"The photo has more than {max_bytes:,} bytes. Raise MAX_BODY_BYTES to have it accepted.")


def failing(name: str, sentence: str) -> PhotoFile:
    """Return a photo that fails when it is read, in its turn, for a name that cannot be opened."""

    def read() -> bytes:
        raise BadPhotoError(sentence)

    return PhotoFile(name, read)
