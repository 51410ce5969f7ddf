"""Runs campaigns: `python -m tests.fuzz.campaign [TARGET...]`.

FUZZ_CASES (100,000) damaged files of each kind; FUZZ_SEED; FUZZ_FOLDER (var/fuzz) keeps what was found: the file and,
beside it, what happened. Exit code 1 when something was.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.fuzz.mutations import damaged
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import POSITION, Job, write_finding

SECONDS = 2.0
MEMORY_BYTES = 512 * 2**20
# Of the clock, which runs on while others compute: after it a case counts as hanging.
_WALL_SECONDS = 60.0
_POLL_SECONDS = 0.2
_CHECKPOINTS = ("params", "symbol", "gluoncv-ssd", "gluoncv-yolo3")


@dataclass(frozen=True, slots=True)
class Report:
    """How many files were read, refused with an error of our own, or are findings; and the bytes that were mutated."""

    cases: int = 0
    read: int = 0
    refused: int = 0
    mutated_bytes: int = 0
    findings: tuple[str, ...] = ()

    def __add__(self, other: "Report") -> "Report":
        ours, theirs = ([*asdict(each).values()] for each in (self, other))
        return Report(*(first + second for first, second in zip(ours, theirs, strict=True)))


def run_campaign(job: Job, command: tuple[str, ...] = ("-m", "tests.fuzz.worker")) -> Report:
    """All cases of a job, in workers that are replaced when one dies or hangs; each such case is a finding."""
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    total, left = Report(), job
    while left.first < left.last:
        (folder / "position").write_bytes(POSITION.pack(left.first, 0, 0, 0))
        reason = _run_worker(left, command)
        case, read, refused, count = POSITION.unpack((folder / "position").read_bytes())
        if reason:
            _save(left, case, reason)
            case += 1
        total += Report(case - left.first, read, refused, count)
        left = replace(left, first=case)
    findings = tuple(sorted(path.stem for path in folder.glob(f"{job.target}-*.bin")))
    return replace(total, findings=findings)


def _run_worker(job: Job, command: tuple[str, ...]) -> str:
    """Why the worker ended before its time; nothing if it did not."""
    # A file and not a pipe, which is full after some messages of a decoder and then stops the worker.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, *command, json.dumps(asdict(job))],
            stderr=said,
            stdout=subprocess.DEVNULL,
            env=unmeasured(),
        )
        for _ in _moves(job, process):
            pass
        hangs = process.poll() is None
        if hangs:
            process.kill()
        process.wait()
        said.seek(0)
        errors = said.read()
    if hangs:
        return f"It did not end within {_WALL_SECONDS:.0f} s."
    return f"The process ended with {process.returncode}: {errors.decode(errors='replace')[-2000:]}" * bool(
        process.returncode
    )


def unmeasured() -> dict[str, str]:
    """The environment for a worker: to measure which lines it takes would cost more than all it does."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def _moves(job: Job, process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """As long as the worker goes from case to case."""
    position, last, since = Path(job.folder) / "position", b"", time.monotonic()
    while time.monotonic() - since < _WALL_SECONDS:
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            yield
        else:
            return
        now = position.read_bytes()[:8]
        if now != last:
            last, since = now, time.monotonic()


def _save(job: Job, case: int, reason: str) -> None:
    target = TARGETS.get(job.target)
    content = damaged(job.seed, case, target.files(), target.tokens).content if target else b""
    write_finding(Path(job.folder), job.target, case, content, reason)


def main() -> int:
    """Runs what is asked for and prints a line for each; 1 when something was found."""
    names = sys.argv[1:] or list(TARGETS)
    cases, seed = (
        int(os.environ.get(name, default)) for name, default in (("FUZZ_CASES", "100000"), ("FUZZ_SEED", "1"))
    )
    folder = Path(os.environ.get("FUZZ_FOLDER", "var/fuzz"))
    found, checkpoint_bytes = False, 0
    for name in names:
        started = time.monotonic()
        report = run_campaign(
            Job(
                target=name,
                seed=seed,
                first=0,
                last=cases,
                folder=str(folder / name),
                seconds=SECONDS,
                memory_bytes=MEMORY_BYTES,
            )
        )
        checkpoint_bytes += report.mutated_bytes * (name in _CHECKPOINTS)
        found |= bool(report.findings)
        _tell(name, report, time.monotonic() - started)
    sys.stdout.write(f"{checkpoint_bytes:,} mutated bytes of checkpoints\n")
    return int(found)


def _tell(name: str, report: Report, seconds: float) -> None:
    sys.stdout.write(
        f"{name}: {report.cases:,} files, {report.read:,} read, {report.refused:,} refused, "
        f"{len(report.findings)} findings, {report.mutated_bytes:,} mutated bytes, {seconds:.0f} s\n"
    )
    for finding in report.findings[:20]:
        sys.stdout.write(f"  {finding}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
