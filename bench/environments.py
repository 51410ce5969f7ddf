"""Environments of the compared programs, each created when needed."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RIVALS = Path(__file__).resolve().parent / "rivals"


class EnvironmentMissingError(RuntimeError):
    """An environment could not be made; the message says why."""


def mxnet_python() -> Path:
    """Return the Python that has MXNet 1.9.1; `make` makes its environment. Raises EnvironmentMissingError."""
    _run(["make", "--silent", ".venv-mxnet/.installed"], "MXNet 1.9.1 is not measured")
    return REPOSITORY / ".venv-mxnet" / "bin" / "python"


def rival_python(name: str) -> Path:
    """Return a rival's Python, with `bench/rivals/<name>/requirements.txt` installed. Raises
    EnvironmentMissingError.
    """
    folder = REPOSITORY / f".venv-bench-{name}"
    python = folder / "bin" / "python"
    requirements = RIVALS / name / "requirements.txt"
    installed = folder / ".installed"
    if not installed.is_file() or installed.read_bytes() != requirements.read_bytes():
        without = f"{name} is not measured"
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], without)
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], without)
        installed.write_bytes(requirements.read_bytes())
    return python


def _run(command: list[str], without: str) -> None:
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        lines = (finished.stderr or finished.stdout).strip().splitlines() or ["no reason was given"]
        raise EnvironmentMissingError(f"{without}: {lines[-1]}")
