"""Resolves the photos of a command line: folders, patterns, archives, stores, lists. Lazy, and in the same order at
every run.
"""

import codecs
import glob
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from detection.bulk.files import PhotoFile, Skipped, failing, is_photo_name, read_capped
from detection.bulk.shard import ALL, Shard
from detection.bulk.sources.archives import ARCHIVE_ERRORS, count_members, is_archive, members
from detection.bulk.sources.lists import ListError, is_list, names_in
from detection.bulk.sources.stores import is_address, photos_at
from detection.bulk.sources.videos import frames_of
from detection.inference.videos.choice import FrameChoice
from detection.inference.videos.names import is_video_name

FROM_LIST = "-"
_UNREADABLE_ARCHIVE = "The archive cannot be read any further ({}). Photos before this place were taken from it."


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a command line.

    paths: files, folders (taken with all below them), patterns, zip and tar archives, addresses in stores, CSV and
    Parquet lists; "-" stands for the names in `listed`, one a line. max_bytes: larger photos are refused. shard: the
    part of the photos to take. skipped: other files that were seen in folders and archives. frames: those to take from
    videos; None: videos in folders are skipped, and others refused.
    """

    paths: tuple[str, ...]
    listed: BinaryIO
    max_bytes: int
    shard: Shard = ALL
    skipped: Skipped = field(default_factory=Skipped, compare=False)
    frames: FrameChoice | None = None

    def photos(self) -> Iterator[PhotoFile]:
        """Yield the photos, in the order of the paths; an unreadable one fails when it is read.

        Raises OSError when a store does not answer.
        """
        return (photo for photo in self._all() if self.shard.takes(photo.given))

    def _all(self) -> Iterator[PhotoFile]:
        for path in self.paths:
            if path == FROM_LIST:
                for name in _lines(self.listed):
                    yield from self._named(os.fsdecode(name))
            else:
                yield from self._given(path)

    def count(self) -> int | None:
        """Count the photos; None where only reading them all would tell (lists, tar archives, videos, a shard)."""
        if self.shard != ALL:
            return None
        total = 0
        for path in self.paths:
            counted = None if path == FROM_LIST else self._count(path)
            if counted is None:
                return None
            total += counted
        return total

    def _given(self, path: str) -> Iterator[PhotoFile]:
        """Yield the photos of a path of the command line, which may be a pattern."""
        names = _as_given(path)
        if not names:
            yield failing(path, "No file matches this pattern.")
        for name in names:
            yield from self._listed(name) if is_list(name) and Path(name).is_file() else self._named(name)

    def _listed(self, name: str) -> Iterator[PhotoFile]:
        try:
            for each in names_in(Path(name)):
                yield from self._named(each)
        except ListError as error:
            yield failing(name, str(error))

    def _named(self, name: str) -> Iterator[PhotoFile]:
        path = Path(name)
        if not name:
            return
        if is_address(name):
            yield from photos_at(name, self.max_bytes, self.skipped.add)
        elif path.is_dir():
            yield from self._below(path)
        elif not path.exists():
            yield failing(name, "There is no file or folder of this name.")
        elif not path.is_file():
            yield failing(name, "This is neither a file nor a folder.")
        elif is_archive(name):
            yield from self._members(path)
        else:
            yield from self._file(name)

    def _below(self, folder: Path) -> Iterator[PhotoFile]:
        unreadable: list[OSError] = []
        for path in _walk(folder, unreadable.append, self.skipped.add, self._is_taken):
            yield from self._file(str(path))
        for error in unreadable:
            yield failing(str(error.filename), f"The folder cannot be read: {error.strerror}.")

    def _file(self, name: str) -> Iterator[PhotoFile]:
        if is_video_name(name):
            yield from frames_of(name, self.frames)
        else:
            yield PhotoFile(name, partial(read_capped, Path(name), self.max_bytes))

    def _is_taken(self, name: str) -> bool:
        return is_photo_name(name) or (self.frames is not None and is_video_name(name))

    def _members(self, archive: Path) -> Iterator[PhotoFile]:
        try:
            yield from members(archive, self.max_bytes, self.skipped.add)
        except ARCHIVE_ERRORS as error:
            yield failing(str(archive), _UNREADABLE_ARCHIVE.format(error))

    def _count(self, path: str) -> int | None:
        if Path(path).is_dir():
            names = [str(found) for found in _walk(Path(path), _ignore, _ignore, self._is_taken)]
            return None if any(map(is_video_name, names)) else len(names)
        names = _as_given(path)
        if any(is_address(name) or is_list(name) or (self.frames and is_video_name(name)) for name in names):
            return None
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


def _as_given(path: str) -> list[str]:
    """Return a path of the command line itself, or the files of a pattern."""
    is_one = Path(path).exists() or is_address(path) or not glob.has_magic(path)
    return [path] if is_one else _matches(path)


def _matches(pattern: str) -> list[str]:
    """Yield the files of a pattern, not folders: these would give their photos twice under `**`."""
    # Path.glob refuses absolute patterns.
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207
    return sorted(name for name in found if not Path(name).is_dir())


def _walk(
    folder: Path,
    on_error: Callable[[OSError], None],
    on_skipped: Callable[[str], None],
    is_taken: Callable[[str], bool],
) -> Iterator[Path]:
    """Yield the files to take of a folder and of all below it, by name; without hidden ones, without following links to
    folders.
    """
    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if is_taken(name) and not name.startswith("."):
                yield Path(parent, name)
            else:
                on_skipped(str(Path(parent, name)))


def _ignore(_seen: object) -> None:
    """Do nothing with what only a run tells."""
