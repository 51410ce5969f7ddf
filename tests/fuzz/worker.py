"""Reads damaged files, one after the other, under limits: `python -m tests.fuzz.worker JOB`, JOB being JSON.

Its memory is capped by the system. What it works on is in a file that its parent sees, so that a case that kills or
stops the process is known.
"""

import json
import logging
import mmap
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutations import damaged
from tests.fuzz.targets import TARGETS, Target

POSITION = struct.Struct("<QQQQ")
"""Case, cases that were read without an error, cases that ended in an error of our own, mutated bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Cases first to last - 1 of a target; findings and the position go into `folder`."""

    target: str
    seed: int
    first: int
    last: int
    folder: str
    seconds: float
    memory_bytes: int


def write_finding(folder: Path, target: str, case: int, content: bytes, reason: str) -> None:
    """The input that failed, and why, beside it."""
    (folder / f"{target}-{case}.bin").write_bytes(content)
    (folder / f"{target}-{case}.txt").write_text(reason, encoding="utf-8")


def cap_memory(more_bytes: int) -> None:
    """So much address space beyond what the process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes,) * 2)


def run(job: Job, target: Target) -> None:
    """Read all cases; what goes wrong is written as a finding and does not stop the others."""
    folder = Path(job.folder)
    files = target.files()
    tally = [0, 0, 0]
    with (
        tempfile.TemporaryDirectory(dir=job.folder) as name,
        (folder / "position").open("r+b") as file,
        mmap.mmap(file.fileno(), POSITION.size) as position,
    ):
        read = target.prepare(Path(name))
        read(files[0])
        cap_memory(job.memory_bytes)
        for case in range(job.first, job.last):
            POSITION.pack_into(position, 0, case, *tally)
            made = damaged(job.seed, case, files, target.tokens)
            tally[2] += made.mutated_bytes
            started = time.process_time()
            problem = ""
            try:
                read(made.content)
                tally[0] += 1
            except target.errors:
                tally[1] += 1
            except Exception:  # noqa: BLE001 - everything else is what this looks for
                problem = traceback.format_exc()
            if (seconds := time.process_time() - started) > job.seconds:
                problem += f"\nIt took {seconds:.1f} s of CPU."
            if problem:
                write_finding(folder, job.target, case, made.content, problem)
        POSITION.pack_into(position, 0, job.last, *tally)


def main() -> None:
    """Warnings are errors, as in the tests; nothing is logged."""
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("error", module=r"detection\..*")
    job = Job(**json.loads(sys.argv[1]))
    run(job, TARGETS[job.target])


if __name__ == "__main__":
    main()
