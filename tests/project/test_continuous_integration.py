"""`.ci/run` tries once more what failed, and no more than that: a second try hides nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from detection.conf import BASE_DIR

# As our own: branches, and data of programs that the tests start.
PROJECT = """
[tool.pytest.ini_options]
addopts = ["-p", "no:randomly"]

[tool.coverage.run]
branch = true
source = ["toy"]
parallel = true
"""
MAKEFILE = """
test:
	@{python} -m pytest -q --cov --cov-fail-under=90 $(PYTEST_ARGS)
"""
TOY = "def covered(number):\n    return number + 1\n"
NOT_COVERED = "\n\ndef other(number):\n    if number:\n        return 1\n    return 2\n"
TESTS = """
from pathlib import Path
import toy

def test_toy():
    assert toy.covered(1) == 2

def test_of_chance():
    seen = Path("seen")
    if not seen.exists():
        seen.touch()
        assert {chance}
"""


def twice() -> str:
    """The function of `.ci/run`."""
    found = re.search(r"^twice\(\) \{.*?^\}", (BASE_DIR / ".ci" / "run").read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("chance", "code", "succeeds"),
    [
        pytest.param("True", TOY, True, id="all passes at once"),
        pytest.param("False", TOY, True, id="a test fails once"),
        pytest.param("False", TOY + NOT_COVERED, False, id="a test fails once, and coverage is low"),
        pytest.param("True", TOY + NOT_COVERED, False, id="coverage is low"),
        pytest.param("seen.unlink()", TOY, False, id="a test fails twice"),
    ],
)
def test_second_try_hides_no_low_coverage(chance: str, code: str, succeeds: bool, tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PROJECT,
        "Makefile": MAKEFILE.format(python=sys.executable),
        "toy.py": code,
        "test_toy.py": TESTS.format(chance=chance),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{twice()}\ntwice test"],
        cwd=tmp_path,
        # Nothing of the coverage that may be measured around this test.
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
