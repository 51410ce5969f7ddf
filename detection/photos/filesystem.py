"""Storage of files on a local disk, each either complete or absent."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.storage import FileSystemStorage


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

    def _create(self, path: Path) -> BinaryIO:
        """Create a new file with its final permissions; creates its folder if needed."""
        try:
            return self._open_new(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return self._open_new(path)

    def _open_new(self, path: Path) -> BinaryIO:
        mode = 0o666 if self.file_permissions_mode is None else self.file_permissions_mode
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")
