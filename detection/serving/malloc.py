"""What the C library does with freed memory; nothing where it is not glibc."""

import contextlib
import ctypes
import threading
from collections.abc import Iterator

from detection.inference.hardware import usable_cores

EVERY_S = 60.0
# glibc's malloc.h
_M_ARENA_MAX = -8


def keep_few_arenas() -> None:
    """Let all threads take their memory from as many places as there are cores; only before there are threads.

    By itself glibc makes eight for each core. What one of them has freed no other may use, so that a server with many
    threads and photos of many sizes grows for hours (docs/reliability.md).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, usable_cores())


def give_back() -> None:
    """Give freed memory back to the system: after some changes of the model it is hundreds of megabytes."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def giving_back(every_s: float = EVERY_S) -> Iterator[None]:
    """Do that again and again while the block runs, on a thread of its own.

    glibc by itself keeps what lies free between pieces in use. Whenever more large photos than ever before come
    together there is more of it, so without this a server's memory only grows (docs/reliability.md).
    """
    over = threading.Event()

    def run() -> None:
        while not over.wait(every_s):
            give_back()

    thread = threading.Thread(target=run, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
