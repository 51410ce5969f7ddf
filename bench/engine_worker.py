"""An engine in a process (and, for MXNet, an environment) of its own: times single photos."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import worker
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.precision.choice import settle_precision
from detection.inference.types import ImageArray

_WARM_UP_RUNS = 3


def prepare(arguments: Sequence[str]) -> tuple[Engine, ImageArray]:
    """Return the engine that the arguments describe, warm, and a batch of one seeded random picture. Raises
    InferenceError.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.engine_worker", description=__doc__)
    parser.add_argument("--prefix", type=Path, required=True)
    parser.add_argument("--edge", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--precision", default="f32")
    chosen = parser.parse_args(arguments)
    network, options = settle_precision(
        prepare_network(chosen.prefix, 0, chosen.edge, chosen.cache),
        EngineOptions(engine=chosen.engine, precision=chosen.precision, cache_dir=chosen.cache / "compiled"),
    )
    engine = create_engine(network, options)
    shape = (1, chosen.edge, chosen.edge, 3)
    batch_rgb = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for _ in range(_WARM_UP_RUNS):
        engine.infer(batch_rgb)
    return engine, batch_rgb


def time_runs(run: Callable[[], object], runs: int) -> list[float]:
    """Return the seconds of each of so many runs, one after the other."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return seconds


def timed(run: Callable[[], object], runs: int) -> dict[str, Any]:
    """Return the seconds of each run, and the CPU seconds of a run on all cores."""
    spent = time.process_time()
    seconds = time_runs(run, runs)
    return {"seconds": seconds, "cpu_seconds": (time.process_time() - spent) / runs}


def main() -> None:
    """Answer {"runs": 5}."""

    def ready() -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        engine, batch_rgb = prepare(sys.argv[1:])
        return lambda question: timed(lambda: engine.infer(batch_rgb), question["runs"])

    worker.serve(ready)
    # OpenVINO and MXNet have threads of their own; their shutdown at the end of an interpreter is not measured.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
