"""Searches all targets by coverage: `python -m tests.fuzz.search [TARGET...]`.

FUZZ_RUNS (1,000,000) inputs for each; FUZZ_SEED; FUZZ_FOLDER (var/fuzz) keeps corpus and findings. Exit code 1 when
something was found.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.campaign import SECONDS, unmeasured
from tests.fuzz.targets import TARGETS

# Of the whole process, with what it imports.
MEMORY_MB = 2048
_DONE = re.compile(r"Done (\d+) runs")
_COVERAGE = re.compile(r"cov: (\d+)")


@dataclass(frozen=True, slots=True)
class Search:
    """How many inputs were run, how many branches they took, and the end of the output if the search ended early."""

    runs: int
    coverage: int
    problem: str


def search(target: str, folder: Path, runs: int, seed: int, seconds: float = SECONDS) -> Search:
    """One target in a process of its own. libFuzzer measures time by the clock, in whole seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    limits = [f"-timeout={max(1, round(seconds))}", f"-rss_limit_mb={MEMORY_MB}", "-max_len=20000"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", target, str(folder), f"-runs={runs}", f"-seed={seed}", *limits],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        check=False,
        env=unmeasured(),
    )
    errors = done.stderr.decode(errors="replace")
    finished, branches = _DONE.search(errors), _COVERAGE.findall(errors)
    return Search(
        int(finished[1]) if finished else 0,
        int(branches[-1]) if branches else 0,
        errors[-3000:] * bool(done.returncode),
    )


def main() -> int:
    """Runs what is asked for and prints a line for each."""
    runs, seed = (
        int(os.environ.get(name, default)) for name, default in (("FUZZ_RUNS", "1000000"), ("FUZZ_SEED", "1"))
    )
    folder = Path(os.environ.get("FUZZ_FOLDER", "var/fuzz"))
    found = False
    for name in sys.argv[1:] or TARGETS:
        result = search(name, folder / f"{name}-guided", runs, seed)
        sys.stdout.write(f"{name}: {result.runs:,} runs, coverage {result.coverage:,}\n{result.problem}")
        sys.stdout.flush()
        found |= bool(result.problem)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
