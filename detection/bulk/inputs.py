"""Resolves the photos of a command line: folders, patterns, archives, lists. Lazy, and in the same order at every
run.
"""

import codecs
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from detection.bulk.archives import ARCHIVE_ERRORS, count_members, is_archive, members
from detection.bulk.files import PhotoFile, failing, is_photo_name, read_capped

FROM_LIST = "-"
_UNREADABLE_ARCHIVE = "The archive cannot be read any further ({}). Photos before this place were taken from it."


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a command line.

    paths: files, folders (taken with all below them), patterns, zip and tar archives; "-" stands for the names in
    `listed`, one a line. max_bytes: larger photos are refused.
    """

    paths: tuple[str, ...]
    listed: BinaryIO
    max_bytes: int

    def photos(self) -> Iterator[PhotoFile]:
        """Yield the photos, in the order of the paths; an unreadable one fails when it is read."""
        for path in self.paths:
            if path == FROM_LIST:
                for name in _lines(self.listed):
                    yield from self._named(os.fsdecode(name))
            else:
                yield from self._given(path)

    def count(self) -> int | None:
        """Count the photos; None where only reading them all would tell (lists, tar archives)."""
        total = 0
        for path in self.paths:
            counted = None if path == FROM_LIST else self._count(path)
            if counted is None:
                return None
            total += counted
        return total

    def _given(self, path: str) -> Iterator[PhotoFile]:
        """Yield the photos of a path of the command line, which may be a pattern."""
        if Path(path).exists() or not glob.has_magic(path):
            yield from self._named(path)
            return
        found = _matches(path)
        if not found:
            yield failing(path, "No file matches this pattern.")
        for name in found:
            yield from self._named(name)

    def _named(self, name: str) -> Iterator[PhotoFile]:
        path = Path(name)
        if not name:
            return
        if path.is_dir():
            yield from self._below(path)
        elif not path.exists():
            yield failing(name, "There is no file or folder of this name.")
        elif not path.is_file():
            yield failing(name, "This is neither a file nor a folder.")
        elif is_archive(name):
            yield from self._members(path)
        else:
            yield PhotoFile(name, partial(read_capped, path, self.max_bytes))

    def _below(self, folder: Path) -> Iterator[PhotoFile]:
        unreadable: list[OSError] = []
        for path in _walk(folder, unreadable.append):
            yield PhotoFile(str(path), partial(read_capped, path, self.max_bytes))
        for error in unreadable:
            yield failing(str(error.filename), f"The folder cannot be read: {error.strerror}.")

    def _members(self, archive: Path) -> Iterator[PhotoFile]:
        try:
            yield from members(archive, self.max_bytes)
        except ARCHIVE_ERRORS as error:
            yield failing(str(archive), _UNREADABLE_ARCHIVE.format(error))

    def _count(self, path: str) -> int | None:
        if Path(path).is_dir():
            return sum(1 for _ in _walk(Path(path), lambda _: None))
        names = [path] if Path(path).exists() or not glob.has_magic(path) else _matches(path)
        counts = [_count_file(name) for name in names]
        return None if None in counts else sum(count for count in counts if count is not None) or 1


def _lines(listed: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a list, lazily: with a byte order mark before them or without, and with any line ends."""
    before = codecs.BOM_UTF8
    for line in listed:
        yield from line.removeprefix(before).splitlines()
        before = b""


def _count_file(name: str) -> int | None:
    if not is_archive(name) or not Path(name).is_file():
        return 1
    try:
        return count_members(Path(name))
    except ARCHIVE_ERRORS:
        return 1


def _matches(pattern: str) -> list[str]:
    """Yield the files of a pattern, not folders: these would give their photos twice under `**`."""
    # Path.glob refuses absolute patterns.
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207
    return sorted(name for name in found if not Path(name).is_dir())


def _walk(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield the photos of a folder and of all below it, by name; without hidden ones, without following links to
    folders.
    """
    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in _photo_names(names))


def _photo_names(names: Iterable[str]) -> Iterator[str]:
    return (name for name in sorted(names) if is_photo_name(name) and not name.startswith("."))
