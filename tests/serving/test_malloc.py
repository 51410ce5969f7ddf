"""The C library's memory: few arenas, however many threads there are, and what is free in them goes back."""

import re
import subprocess
import sys
import threading

import pytest

from detection.inference.hardware import usable_cores
from detection.serving import malloc

# Each thread holds a piece of memory while all the others get theirs; then glibc tells its arenas as XML.
PROGRAM = """
import ctypes, sys, threading
from detection.serving import malloc
if sys.argv[1] == "few":
    malloc.keep_few_arenas()
libc = ctypes.CDLL(None)
together = threading.Barrier(int(sys.argv[2]))
def take():
    together.wait()
    taken = [bytes(100_000) for _ in range(20)]
    together.wait()
    del taken
threads = [threading.Thread(target=take) for _ in range(int(sys.argv[2]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


def arenas(which: str) -> int:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, which, str(4 * usable_cores())],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return len(re.findall(r"<heap nr=", finished.stdout))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="arenas are glibc's")
def test_threads_share_few_arenas() -> None:
    assert arenas("few") <= usable_cores() < arenas("as it comes")


# Small pieces stay between large ones that are freed. glibc keeps that memory: its heap cannot shrink below them.
GIVING_BACK = """
import os, sys, time
from detection.serving import malloc
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
pieces = [b"x" * (100_000 + index if index % 2 else 1_000 + index) for index in range(2_000)]
with malloc.trimming(float(sys.argv[1])):
    full = resident()
    del pieces[1::2]
    ended = time.monotonic() + float(sys.argv[2])
    while resident() > full - 80_000_000 and time.monotonic() < ended:
        time.sleep(0.01)
    print(full - resident())
"""


def given_back(every_s: float, patience_s: float) -> int:
    finished = subprocess.run(
        [sys.executable, "-c", GIVING_BACK, str(every_s), str(patience_s)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return int(finished.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc keeps what is free, others may not")
def test_free_memory_goes_back_to_the_system() -> None:
    assert given_back(3600, 0.5) < 40_000_000
    assert given_back(0.05, 60) > 80_000_000


def test_giving_back_ends_with_its_block() -> None:
    before = threading.active_count()
    with malloc.trimming():
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
