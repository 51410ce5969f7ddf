"""Runs the steps of a detection without a service around them: decode, resize, network, boxes, in plain threads."""

import argparse
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from bench import steps, worker
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.network import Network
from detection.inference.types import FoundObject


@dataclass(frozen=True, slots=True)
class Loop:
    """Network and its engine."""

    network: Network
    engine: Engine

    def detect(self, data: bytes, photos_in_flight: int) -> tuple[FoundObject, ...]:
        """Run one photo through all steps."""
        prepared = steps.prepare(data, self.network)
        outputs = self.engine.infer(prepared.batch_rgb, photos_in_flight=photos_in_flight)
        return steps.finish(outputs, prepared, self.network)


def run(loop: Loop, photos: Sequence[bytes], *, threads: int, seconds: float) -> dict[str, Any]:
    """Run photos in turn on `threads` threads; return photos per second, and the latency of each in milliseconds."""
    latencies_ms: list[float] = []
    turn = count()
    started = time.perf_counter()
    deadline = started + seconds

    def work() -> None:
        while (before := time.perf_counter()) < deadline:
            loop.detect(photos[next(turn) % len(photos)], threads)
            latencies_ms.append((time.perf_counter() - before) * 1000.0)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return {"throughput": len(latencies_ms) / (time.perf_counter() - started), "latencies_ms": latencies_ms}


def prepare(arguments: Sequence[str]) -> Loop:
    """Load the network that the arguments describe. Raises InferenceError."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare_loop", description=__doc__)
    parser.add_argument("--prefix", type=Path, required=True)
    parser.add_argument("--edge", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    network = prepare_network(chosen.prefix, 0, chosen.edge, chosen.cache)
    return Loop(network, create_engine(network, EngineOptions(cache_dir=chosen.cache / "compiled")))


def main() -> None:
    """Answer requests of the form {"photos": [paths], "threads": 2, "seconds": 3}."""

    def ready() -> Any:
        loop = prepare(sys.argv[1:])

        def answer(question: Mapping[str, Any]) -> dict[str, Any]:
            photos = [Path(path).read_bytes() for path in question["photos"]]
            return run(loop, photos, threads=question["threads"], seconds=question["seconds"])

        return answer

    worker.serve(ready)


if __name__ == "__main__":
    main()
