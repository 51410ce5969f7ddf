"""Number of cores that a process may use."""

import os
from pathlib import Path

import pytest

from detection.inference.hardware import usable_cores


@pytest.mark.parametrize(
    ("content", "expected"),
    [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("nonsense", None)],
    ids=["no quota", "one core", "half a core", "unreadable"],
)
def test_a_containers_quota_counts(tmp_path: Path, content: str, expected: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(content)
    assert usable_cores(file) == (expected or len(os.sched_getaffinity(0)))


def test_a_machine_without_affinity_has_all_its_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores(tmp_path / "absent") == os.cpu_count()
