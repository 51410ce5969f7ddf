"""A worker whose readers are wrong, each in its own way, for the tests of the campaign itself."""

import ctypes
import json
import os
import sys
import time
from pathlib import Path

from tests.fuzz.targets import Read, Target
from tests.fuzz.worker import Job, run

_BAD_CASE = 3


def _broken(fail: Read) -> Target:
    """Reads the good file at the start, and fails at the fourth case."""
    calls = iter(range(-1, 1000))

    def read(content: bytes) -> None:
        if next(calls) == _BAD_CASE:
            fail(content)

    return Target(lambda _: read, lambda: [b"a file"], ())


def _raise(_: bytes) -> None:
    raise KeyError("node")


def _crash(_: bytes) -> None:
    ctypes.string_at(0)


def _spin(_: bytes) -> None:
    started = time.process_time()
    while time.process_time() - started < 0.3:
        pass


def _grow(_: bytes) -> None:
    bytearray(2**31)


BROKEN = {"raises": _raise, "crashes": _crash, "spins": _spin, "grows": _grow, "exits": lambda _: os._exit(5)}


if __name__ == "__main__":
    job = Job(**json.loads(sys.argv[1]))
    run(job, _broken(BROKEN[Path(job.folder).name]))
