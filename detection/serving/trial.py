"""Tries models in a process of their own, with limits of time and memory, before this process loads them.

A model can crash, hang, or take all memory, as it is loaded or with its first photo; then only that process ends.
"""

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from detection.conf import BASE_DIR, PACKAGES_DIR
from detection.conf.current import config
from detection.inference import errors
from detection.inference.detector import DetectorOptions
from detection.inference.hardware import available_memory_bytes
from detection.inference.messages import Sentence
from detection.inference.model_files import ModelSource, name_and_version
from detection.inference.network import full_name
from detection.serving import trial_process
from detection.serving.trial_process import Trial

logger = logging.getLogger(__name__)

SAMPLE_PHOTO = BASE_DIR / "static" / "detection" / "samples" / "chelsea.jpg"
_EVERY_S = 0.05
# The rest of what is free stays for those who are served meanwhile.
_SHARE_OF_MEMORY = 0.9
_PRINTED_BYTES = 4_000
_ERRORS = {
    kind.__name__: kind
    for kind in (
        errors.CheckpointError,
        errors.UnsupportedOperatorError,
        errors.EngineError,
        errors.EngineUnavailableError,
        errors.ImageDecodeError,
    )
}


class TrialError(errors.EngineError):
    """The model crashed, hung, or took too much memory when it was tried, or hung when it was loaded."""

    default_code = "model_trial"


class TrialStoppedError(Exception):
    """The trial was given up, because the server stops."""


def _never() -> bool:
    return False


class _Passed:
    """Models that have passed in this process; one is tried at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keys: set[Any] = set()


_passed = _Passed()


def try_model(options: DetectorOptions, *, is_stopped: Callable[[], bool] = _never) -> None:
    """Load, check and run a model in a process of its own; do nothing where these files have passed there before.

    is_stopped: asked several times a second; when true, TrialStoppedError is raised. Raises TrialError, and the errors
    of loading a model.
    """
    with _passed.lock:
        key = _key_of(options)
        if key not in _passed.keys:
            _run(options, SAMPLE_PHOTO, is_stopped)
            _passed.keys.add(key)


def files_beside(options: DetectorOptions) -> list[Path]:
    """Return the files to copy along with a model, which is opened in a process of its own. Raises TrialError, and the
    errors of opening a model.
    """
    return [options.source.location / name for name in _run(options, None, _never)]


@dataclass(frozen=True, slots=True)
class _End:
    """Describe how a process ended that brought no outcome, as the end of a sentence, with what to do."""

    what: str
    advice: str


_NO_MEMORY = "Use a smaller model, or a machine with more memory."
_ENGINE = "Export it anew, or choose another MODEL_ENGINE; the log has what it printed."


def _run(options: DetectorOptions, photo: Path | None, is_stopped: Callable[[], bool]) -> list[str]:
    timeout_s = config().model_load_timeout_s
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        pickle.dump(Trial(options, photo, timeout_s), given)
        given.seek(0)
        process = _start(given, answer, printed)
        try:
            end = _watch(process, timeout_s, is_stopped)
        finally:
            process.kill()
            process.wait()
        outcome = _read(answer) if process.returncode == 0 else {}
        end = end or _end_of(process.returncode, outcome)
        if end is not None:
            said = f"The model {_name_of(options.source)} was tried in a process of its own, which {end.what}."
            logger.error("%s It printed: %s", said, _tail(printed))
            raise TrialError(f"{said} {end.advice}")
    if "error" in outcome:
        raise _error(outcome["error"])
    found: list[str] = outcome["beside"]
    return found


def _start(given: IO[bytes], answer: IO[bytes], printed: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start the process in the current folder, which paths may start from; its modules come from ours alone."""
    modules = os.pathsep.join(filter(None, (str(PACKAGES_DIR), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", trial_process.__name__],
        env={**os.environ, "PYTHONPATH": modules},
        stdin=given,
        stdout=answer,
        stderr=printed,
    )


def _watch(process: "subprocess.Popen[bytes]", timeout_s: float, is_stopped: Callable[[], bool]) -> _End | None:
    """Block until the process ends, or has to be ended; return why it has to, None where it ended by itself."""
    deadline = time.monotonic() + timeout_s
    free_bytes = available_memory_bytes()
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_EVERY_S)
        if is_stopped():
            raise TrialStoppedError
        if free_bytes is not None and _resident_bytes(process.pid) > (most := free_bytes * _SHARE_OF_MEMORY):
            return _End(f"took more than {most / 1e6:,.0f} MB of memory, all that was free, and was ended", _NO_MEMORY)
        if time.monotonic() > deadline:
            advice = "If it only takes longer than that here, set MODEL_LOAD_TIMEOUT to more."
            return _End(f"did not finish within {timeout_s:g} seconds, and was ended", advice)
    return None


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):  # not Linux, or it has just ended
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _end_of(code: int, outcome: dict[str, Any]) -> _End | None:
    """Return how a process ended by itself; None where it brought an outcome."""
    if outcome.get("memory"):
        return _End("did not get the memory that it asked for", _NO_MEMORY)
    if code == -signal.SIGKILL:
        return _End("was killed, as the system does when memory runs out", _NO_MEMORY)
    if code < 0:
        return _End(f"crashed ({signal.Signals(-code).name})", _ENGINE)
    return None if outcome else _End(f"ended with exit code {code}", _ENGINE)


def _read(answer: IO[bytes]) -> dict[str, Any]:
    answer.seek(0)
    try:
        outcome: dict[str, Any] = json.loads(answer.read())
    except ValueError:
        return {}
    return outcome


def _tail(printed: IO[bytes]) -> str:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, size - _PRINTED_BYTES))
    return printed.read().decode(errors="replace").strip() or "nothing"


def _error(described: dict[str, Any]) -> errors.InferenceError:
    kind = _ERRORS.get(described["class"], errors.EngineError)
    return kind(Sentence(described["text"], described["code"] or kind.default_code, described.get("params")))


def _name_of(source: ModelSource) -> str:
    with suppress(errors.CheckpointError):
        return full_name(*name_and_version(source))
    return source.location.name


def _key_of(options: DetectorOptions) -> tuple[object, ...]:
    """Return what a trial depends on: the options, and names, sizes and times of the files, which a folder that is
    moved keeps, and another model in its place has not.
    """
    location = options.source.location
    folder, name = (location, "") if location.is_dir() else (location.parent, location.name)
    files = [path for path in sorted(folder.glob("*")) if path.is_file()]
    state = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return replace(options, source=replace(options.source, location=Path(name))), state
