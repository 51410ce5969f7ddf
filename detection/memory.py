"""What the C library does with freed memory; nothing where it is not glibc."""

import contextlib
import ctypes

from detection.inference.hardware import usable_cores

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
