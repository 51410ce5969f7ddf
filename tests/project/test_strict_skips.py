"""REQUIRE_ALL=1 turns skips into failures: pytest itself runs a small module with the plugin."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from detection.conf import BASE_DIR

MODULE = """
import pytest

def test_that_passes():
    assert True

@pytest.mark.skip(reason="Chromium is not installed")
def test_that_is_marked():
    assert True

def test_that_skips_itself():
    pytest.skip("no ../shared here")

@pytest.mark.skip(reason="needs a GPU that runs CUDA")
def test_on_a_gpu():
    assert True

@pytest.mark.xfail(reason="known", strict=True)
def test_that_fails_as_expected():
    assert False
"""
SKIPPED_MODULE = """
import pytest

pytest.importorskip("a_module_that_nobody_has")
"""


def run_pytest(folder: Path, require_all: str) -> tuple[int, dict[str, int], str]:
    """Run pytest on `folder`; exit code, counts of outcomes, output."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "tests.support.strict_skips",
    ]
    command += ["-p", "no:cacheprovider", "-rs", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment |= {"REQUIRE_ALL": require_all, "PYTHONPATH": str(BASE_DIR), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", ended.stdout.splitlines()[-1])}
    return ended.returncode, counts, ended.stdout


@pytest.mark.parametrize(
    ("require_all", "code", "counts"),
    [
        pytest.param(
            "1", 1, {"error": 1, "failed": 1, "passed": 1, "skipped": 1, "xfailed": 1}, id="everything is asked for"
        ),
        pytest.param("", 0, {"passed": 1, "skipped": 3, "xfailed": 1}, id="skips are allowed"),
    ],
)
def test_a_skip_fails_where_everything_is_asked_for(
    tmp_path: Path, require_all: str, code: int, counts: dict[str, int]
) -> None:
    (tmp_path / "test_few.py").write_text(MODULE)
    ended, seen, output = run_pytest(tmp_path, require_all)
    assert (ended, seen) == (code, counts)
    assert ("REQUIRE_ALL=1 asks for every test: Chromium is not installed" in output) is (require_all == "1")


@pytest.mark.parametrize(
    ("require_all", "counts"),
    [pytest.param("1", {"error": 1}, id="everything"), pytest.param("", {"skipped": 1}, id="skips allowed")],
)
def test_a_skipped_module_is_an_error_where_everything_is_asked_for(
    tmp_path: Path, require_all: str, counts: dict[str, int]
) -> None:
    (tmp_path / "test_module.py").write_text(SKIPPED_MODULE)
    assert run_pytest(tmp_path, require_all)[1] == counts
