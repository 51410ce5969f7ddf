"""Questions to a process of its own, and answers from it."""

import sys
from pathlib import Path

import pytest

from bench.worker import Worker, WorkerError

PYTHON = Path(sys.executable)
MODULE = "tests.bench.echo_worker"


def test_questions_are_answered_in_turn() -> None:
    with Worker(PYTHON, MODULE, ["ok"], {"OMP_NUM_THREADS": "7"}) as worker:
        answers = [worker.ask(number=number) for number in (1, 2)]

    assert answers == [{"echo": {"number": number}, "threads": "7"} for number in (1, 2)]


def test_a_failed_preparation_tells_its_reason() -> None:
    with pytest.raises(WorkerError, match="RuntimeError: no such model"), Worker(PYTHON, MODULE, ["fail"]):
        pytest.fail("the worker cannot be ready")


def test_a_worker_that_ends_is_reported() -> None:
    with Worker(PYTHON, MODULE, ["end"]) as worker, pytest.raises(WorkerError, match="ended with 3"):
        worker.ask(number=1)


def test_a_worker_that_has_ended_cannot_be_asked() -> None:
    with Worker(PYTHON, MODULE, ["end"]) as worker:
        with pytest.raises(WorkerError):
            worker.ask(number=1)
        with pytest.raises(WorkerError, match="has ended"):
            worker.ask(number=2)
