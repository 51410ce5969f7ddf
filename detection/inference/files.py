"""Atomic replacement of files that other processes may read, and hashes of files."""

import errno
import hashlib
import os
import stat
import tempfile
from pathlib import Path

_READABLE_BY_ALL = 0o644


def require_regular(path: Path) -> None:
    """Raise OSError for what is no regular file, or leads to none: devices and pipes may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; reads it in pieces. Raises OSError."""
    require_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Replace the content of `path` atomically: readers see the old file or the new one, never a part. Raises
    OSError.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(_READABLE_BY_ALL)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
