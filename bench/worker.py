"""Measurements in a process of their own, controlled over stdin and stdout, so that contestants can alternate."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

REPOSITORY = Path(__file__).resolve().parent.parent
END_TIMEOUT_S = 30.0


class WorkerError(RuntimeError):
    """A worker failed; the message is its reason."""


class Worker:
    """Process that answers one request at a time; use it in a `with` statement."""

    def __init__(
        self, python: Path, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Worker":
        """Block until the worker is ready. Raises WorkerError with its reason when its start fails."""
        try:
            self._read()
        except WorkerError:
            self._process.communicate(timeout=END_TIMEOUT_S)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=END_TIMEOUT_S)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send a request and block on the response. Raises WorkerError."""
        stdin = cast(IO[str], self._process.stdin)
        try:
            stdin.write(json.dumps(question) + "\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise WorkerError("The worker has ended.") from error
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = cast(IO[str], self._process.stdout).readline()
        if not line:
            raise WorkerError(f"The worker ended with {self._process.wait()}; its reason is above.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return answer


def serve(prepare: Callable[[], Callable[[Mapping[str, Any]], Mapping[str, Any]]]) -> None:
    """Make the answering function, report readiness, and answer until stdin ends; runs in the worker.

    Output of libraries goes to stderr, so that it cannot be taken for a response. A failed preparation is answered with
    its reason.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        answer_to = prepare()
    except Exception as error:  # noqa: BLE001 the edge of the process: its parent tells the reason
        _reply(answers, {"error": f"{type(error).__name__}: {error}"})
        return
    _reply(answers, {"ready": True})
    for line in sys.stdin:
        _reply(answers, answer_to(json.loads(line)))


def _reply(answers: Any, reply: Mapping[str, Any]) -> None:
    answers.write(json.dumps(reply) + "\n")
    answers.flush()
