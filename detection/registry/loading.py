"""Marker file of a version that is being loaded; it counts the processes that ended while they loaded that version.

One end may be chance (somebody killed the server, the power failed); two in a row are the version's.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from detection.inference.errors import CheckpointError

TRIES = 2


@contextmanager
def marked(path: Path) -> Iterator[None]:
    """Keep a marker at `path` while the block runs, in this process alone. Where it cannot be kept, or another process
    keeps it, the block runs without.

    Raises CheckpointError when TRIES processes ended in such a block; then the marker stays.
    """
    file = _locked(path)
    if file is None:
        yield
        return
    with file:
        if os.fstat(file.fileno()).st_size >= TRIES:
            raise CheckpointError(
                "The server ended twice while it loaded this version. Activate the version again to have it tried "
                "again, or activate another one."
            )
        with suppress(OSError):  # a full disk is no fault of the version
            os.write(file.fileno(), b".")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> BinaryIO | None:
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another process may have loaded the version, and removed the file, between the two lines above.
        is_current = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        is_current = False
    if not is_current:
        file.close()
        return None
    return file
