"""Atomic replacement of files that other processes may read, and hashes of files."""

import errno
import hashlib
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` at the end, or leaves no trace when anything is raised; who may read
    it is decided by the umask, as for any new file. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    try:
        # Not by `tempfile`, whose files only their owner may read.
        with temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
