"""Small campaigns of every target, and proof that a campaign finds what is wrong."""

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.fuzz.broken_worker import BROKEN
from tests.fuzz.campaign import MEMORY_BYTES, SECONDS, run_campaign
from tests.fuzz.mutations import damaged
from tests.fuzz.search import search
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import Job

CASES = int(os.environ.get("FUZZ_CASES", "250"))
RUNS = int(os.environ.get("FUZZ_RUNS", "1500"))
# As requirements-dev.txt says.
HAS_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
# What each kind of broken reader writes about its finding.
EXPECTED = {
    "raises": "KeyError: 'node'",
    "crashes": "The process ended with -11",
    "spins": "s of CPU",
    "grows": "MemoryError",
    "exits": "The process ended with 5",
}


def job(target: str, folder: Path, cases: int, *, seconds: float = SECONDS) -> Job:
    return Job(
        target=target, seed=0, first=0, last=cases, folder=str(folder), seconds=seconds, memory_bytes=MEMORY_BYTES
    )


@pytest.mark.timeout(120 + CASES)
@pytest.mark.parametrize("target", TARGETS)
def test_no_damaged_file_escapes_its_reader(target: str, tmp_path: Path) -> None:
    report = run_campaign(job(target, tmp_path, CASES))

    assert {name: (tmp_path / f"{name}.txt").read_text(encoding="utf-8") for name in report.findings} == {}
    assert report.cases == report.read + report.refused == CASES
    assert min(report.read, report.refused) > 0


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_reader_is_found(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / kind
    report = run_campaign(job("broken", folder, 6, seconds=0.2), ("-m", "tests.fuzz.broken_worker"))

    assert "broken-3" in report.findings
    assert EXPECTED[kind] in (folder / "broken-3.txt").read_text(encoding="utf-8")
    assert report.cases == 6


def test_a_case_is_known_by_its_number() -> None:
    files = TARGETS["image"].files()
    first, again, other = (damaged(1, case, files) for case in (7, 7, 8))
    assert first == again != other
    assert first.mutated_bytes > 0


@pytest.mark.skipif(not HAS_WHEEL, reason="needs a wheel of atheris: Linux on x86-64, Python 3.13 at most")
@pytest.mark.timeout(300 + RUNS // 10)
@pytest.mark.parametrize("target", TARGETS)
def test_a_search_by_coverage_finds_nothing(target: str, tmp_path: Path) -> None:
    result = search(target, tmp_path, RUNS, seed=1, seconds=20)

    assert result.problem == ""
    assert result.runs >= RUNS
    assert result.coverage > 20
