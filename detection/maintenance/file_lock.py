"""Lock between processes of one machine, held through a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock while the block runs; yield False at once if another process has it.

    The system releases it when the process ends, however it ends. The file stays; on systems without such locks
    every process gets it. Raises OSError when the file cannot be made.
    """
    with path.open("ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True
