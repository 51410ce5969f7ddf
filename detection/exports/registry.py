"""Registry of the export formats.

A new format is one function under `@exports(...)` in a module of `formats/`, read back in
`tests/exports/test_formats.py` with the library that people use for it.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from detection.errors import RequestError
from detection.exports.selection import Selection


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an export; long content comes in pieces. is_compressed: no further compression is worthwhile."""

    name: str
    content: bytes | Iterator[bytes]
    is_compressed: bool = False


Members = Callable[[Selection], Iterator[Member]]


@dataclass(frozen=True, slots=True)
class SingleFile:
    """Property of a format that is a single file: its suffix and its media type."""

    suffix: str
    content_type: str


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """Writer of detections in one format.

    members: yields its files, without photos. photo_folder: where its readers look for the photos. single: None for a
    format of many files, which is a zip. is_folder: `manage.py detect` writes a folder in its place.
    needs: a package that is not always installed. own_photos_only: it fits the photos of an export, upright and by
    their names there, and not those that a command was given.
    """

    name: str
    title: str
    members: Members
    photo_folder: str
    single: SingleFile | None
    is_folder: bool = False
    needs: str = ""
    own_photos_only: bool = False

    def require(self) -> None:
        """Raise RequestError where the package that it needs is not installed."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            raise RequestError(
                f"{self.title} needs {self.needs}: run pip install -r requirements-{self.name}.txt (or "
                f"detector-site[{self.name}]), or choose another format."
            )

    @property
    def suffix(self) -> str:
        """Suffix of its file name without the photos, without a dot before it."""
        return f"{self.name}.zip" if self.single is None else self.single.suffix


_FORMATS: dict[str, ExportFormat] = {}


def exports(
    name: str,
    title: str,
    *,
    photo_folder: str = "images",
    single: SingleFile | None = None,
    is_folder: bool = False,
    needs: str = "",
    own_photos_only: bool = False,
) -> Callable[[Members], Members]:
    """Register a function as the writer of a format; name: in addresses and commands, title: for people."""

    def register(members: Members) -> Members:
        if name in _FORMATS:
            raise RuntimeError(f"{name} has two writers")
        _FORMATS[name] = ExportFormat(name, title, members, photo_folder, single, is_folder, needs, own_photos_only)
        return members

    return register


def export_formats() -> Mapping[str, ExportFormat]:
    """Return all formats by name, in the order in which they are offered."""
    # The modules of formats import this one; they register themselves when they are imported.
    from detection.exports import formats  # noqa: F401

    return _FORMATS
