"""Watches a folder: yields its photos once they are complete, however they came there.

By looking every few seconds, for network file systems announce nothing. A file is complete when neither its size nor
its time has changed from one look to the next, and nobody on this machine has it open for writing.
"""

import errno
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from detection.bulk.files import PhotoFile, Skipped, as_utf8, is_photo_name, read_capped
from detection.bulk.shard import ALL, Shard

LOOK_EVERY_S = 2.0
# What programs call a file until it is complete.
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", ".swp")


@dataclass(frozen=True, slots=True)
class Watched:
    """Inputs that never end: the photos of a folder and of all below it, by their order of arrival.

    max_bytes, shard, skipped: as in `Inputs`. left_out: absolute paths of files and folders that are none of the
    photos, such as the output. on_skipped: gets the name of each file that is no photo by name. look_every_s: how
    long a file must not change.
    """

    folder: Path
    max_bytes: int
    shard: Shard = ALL
    skipped: Skipped = field(default_factory=Skipped, compare=False)
    left_out: frozenset[Path] = frozenset()
    on_skipped: Callable[[str], None] = field(default=lambda _: None, compare=False)
    look_every_s: float = LOOK_EVERY_S

    def photos(self) -> Iterator[PhotoFile | None]:
        """Yield each complete photo once; None when there is none for now. Raises OSError when the folder is gone.

        A file that changes afterwards, or comes again by the same name, is another photo.
        """
        # The kernel says so to whoever looks whether a file is being written, while somebody begins to.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        before: dict[str, str] = {}
        taken: dict[str, str] = {}
        while True:
            now = dict(self._seen())
            # Files that are gone may come again.
            taken = {name: version for name, version in taken.items() if now.get(name) == version}
            for name, version in now.items():
                if before.get(name) != version or name in taken or _is_being_written(name):
                    continue
                taken[name] = version
                if not is_photo_name(name):
                    self.skipped.add(name)
                    self.on_skipped(as_utf8(name))
                elif self.shard.takes(name):
                    yield PhotoFile(name, partial(read_capped, Path(name), self.max_bytes), version=version)
            before = now
            yield None
            time.sleep(self.look_every_s)

    def count(self) -> int | None:
        """Return None: nobody knows how many will come."""
        return None

    def _seen(self) -> Iterator[tuple[str, str]]:
        """Yield the names of all files and what tells their versions apart, the oldest file first."""
        found = sorted(self._files(self.folder, is_root=True), key=lambda each: (each[1].st_mtime_ns, each[0]))
        return ((name, f"{status.st_size}-{status.st_mtime_ns}") for name, status in found)

    def _files(self, folder: Path, *, is_root: bool = False) -> Iterator[tuple[str, os.stat_result]]:
        try:
            with os.scandir(folder) as entries:
                listed = [entry for entry in entries if not _is_passed_over(entry.name)]
        except OSError:
            if is_root:
                raise
            return
        for entry in listed:
            path = Path(entry.path)
            # What goes between two looks is not there.
            with suppress(OSError):
                status = entry.stat()
                if path.absolute() in self.left_out:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._files(path)
                elif stat.S_ISREG(status.st_mode):
                    yield entry.path, status


def _is_passed_over(name: str) -> bool:
    """Return whether a name is hidden, as rsync's are until a file is complete, or that of an unfinished file."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def _is_being_written(name: str) -> bool:
    """Return whether a program on this machine has the file open for writing; False where that cannot be known."""
    try:
        import fcntl
    except ImportError:
        return False
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        with Path(name).open("rb") as file:
            # Linux gives no lease to read what is open for writing.
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        # Of another user, or on a file system without leases.
        return False
    return False


def move(name: str, watched: Path, target: Path) -> None:
    """Move a photo to the same place below another folder, under a free name, unless it is gone. Raises OSError."""
    if not os.path.lexists(name):
        return
    place = target / Path(name).relative_to(watched)
    place.parent.mkdir(parents=True, exist_ok=True)
    free, number = place, 1
    while os.path.lexists(free):
        number += 1
        free = place.with_name(f"{place.stem} ({number}){place.suffix}")
    try:
        Path(name).rename(free)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another file system.
        shutil.move(name, free)
