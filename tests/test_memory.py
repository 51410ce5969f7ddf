"""The C library's arenas: few of them, however many threads there are."""

import re
import subprocess
import sys

import pytest

from detection.inference.hardware import usable_cores

# Each thread holds a piece of memory while all the others get theirs; then glibc tells its arenas as XML.
PROGRAM = """
import ctypes, sys, threading
from detection import memory
if sys.argv[1] == "few":
    memory.keep_few_arenas()
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
