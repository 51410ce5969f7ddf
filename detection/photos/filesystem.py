"""Storage of files on a local disk, each either complete or absent."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.storage import FileSystemStorage

_FLUSHERS = 8


class PhotoFileStorage(FileSystemStorage):
    """Django's file storage, with two changes for content-addressed files.

    A file is written to a temporary name and renamed, so that a crash leaves no half of it; and a name is never
    changed, because the same name means the same content.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the name unchanged; a file may be overwritten by an equal one."""
        return name

    def _save(self, name: str, content: Any) -> str:
        target = Path(self.path(name))
        temporary = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")
        with self._create(temporary) as file:
            try:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                temporary.replace(target)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        return name

    def open_binary(self, name: str) -> BinaryIO:
        """Return an open file. Raises OSError."""
        return Path(self.path(name)).open("rb")

    def flush(self, names: Iterable[str]) -> None:
        """Wait until the disk has these files and their names. Raises OSError.

        Side by side: a journaling file system writes what several ask for at once in one go.
        """
        paths = [Path(self.path(name)) for name in names]
        folders = {folder for path in paths for folder in (path.parent, path.parent.parent)}
        for wave in (paths, list(folders)):
            for done in [self._flushers.submit(_flush, path) for path in wave]:
                done.result()

    @cached_property
    def _flushers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_FLUSHERS, thread_name_prefix="photo-flush")

    def _create(self, path: Path) -> BinaryIO:
        """Create a new file with its final permissions; creates its folder if needed."""
        try:
            return self._open_new(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return self._open_new(path)

    def _open_new(self, path: Path) -> BinaryIO:
        mode = self.file_permissions_mode
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        if mode is not None:
            os.fchmod(handle, mode)  # which unlike the mode of a new file no umask cuts
        return os.fdopen(handle, "wb")


def _flush(path: Path) -> None:
    """A file that is deleted meanwhile needs no flushing."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
