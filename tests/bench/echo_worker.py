"""A worker for the tests: `ok` answers, `fail` cannot be prepared, `end` ends at its first question."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bench import worker


def prepare() -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    sys.stdout.write("what a library prints\n")
    sys.stdout.flush()
    if sys.argv[1] == "fail":
        raise RuntimeError("no such model")
    if sys.argv[1] == "end":
        return lambda _question: os._exit(3)
    return lambda question: {"echo": question, "threads": os.environ.get("OMP_NUM_THREADS")}


if __name__ == "__main__":
    worker.serve(prepare)
