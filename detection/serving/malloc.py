"""Controls how the C library keeps freed memory; does nothing where it is not glibc."""

import contextlib
import ctypes
from collections.abc import Iterator

from detection.inference.hardware import usable_cores
from detection.inference.periodic import PeriodicThread

EVERY_S = 60.0
# glibc's malloc.h
_M_ARENA_MAX = -8


def keep_few_arenas() -> None:
    """Limit glibc's memory arenas to the number of cores; only before there are threads.

    By default glibc makes eight for each core. Memory freed in one cannot be used by another, so that a server with
    many threads and photos of many sizes grows for hours (docs/reliability.md).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, usable_cores())


def trim() -> None:
    """Return freed memory to the system: after some switches of the model it is hundreds of megabytes."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def trimming(every_s: float = EVERY_S) -> Iterator[None]:
    """Return freed memory periodically while the block runs, on a thread of its own.

    glibc by itself keeps free memory between pieces in use. It grows with each new maximum of concurrent large
    photos, so without this a server's memory only grows (docs/reliability.md).
    """
    thread = PeriodicThread("memory trimmer", trim, every_s)
    thread.start()
    try:
        yield
    finally:
        thread.stop()
