"""A lock between processes of one machine: a file that one of them holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held_by_us(path: Path) -> Iterator[bool]:
    """Hold the lock while the block runs, unless another process does: then False, at once.

    The system lets go of it when the process ends, however it ends. The file stays; where the system has no such locks
    everybody gets them. Raises OSError when the file cannot be made.
    """
    with path.open("ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True
