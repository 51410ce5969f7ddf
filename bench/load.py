"""Sends load from a process of its own, and collects the results."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
_STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Results of a load, as the callers saw them.

    latencies_ms: of the responses with 200. statuses: number of responses of each; 0: the connection was lost, -1: no
    response. throughput: responses with 200 a second. stages_ms: the median of each stage of `Server-Timing`.
    slowest_ms: of all responses.
    """

    latencies_ms: tuple[float, ...]
    statuses: Mapping[int, int]
    throughput: float
    slowest_ms: float
    stages_ms: Mapping[str, float] = field(default_factory=dict)

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that `percent` of the responses stayed below; NaN without responses."""
        return percentile(self.latencies_ms, percent)

    @property
    def failures(self) -> dict[int, int]:
        """Count the statuses that are not 200."""
        return {status: number for status, number in self.statuses.items() if status != 200 and number}

    def summary(self) -> dict[str, Any]:
        """Return everything but the single latencies, for JSON."""
        return {
            "throughput": self.throughput,
            "p50_ms": self.percentile_ms(50),
            "p95_ms": self.percentile_ms(95),
            "p99_ms": self.percentile_ms(99),
            "slowest_ms": self.slowest_ms,
            "statuses": {str(status): number for status, number in self.statuses.items() if number},
            "stages_ms": dict(self.stages_ms),
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile with linear interpolation (NumPy's default); NaN of nothing."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


def stage_medians(timings: Sequence[str]) -> dict[str, float]:
    """Return the median of each stage, in milliseconds, over values of the header `Server-Timing`."""
    stages: dict[str, list[float]] = {}
    for timing in timings:
        for stage, duration in _STAGE.findall(timing):
            stages.setdefault(stage, []).append(float(duration))
    return {stage: median(durations) for stage, durations in stages.items()}


def pooled(results: Sequence[LoadResult]) -> LoadResult:
    """Combine several rounds of the same load: all latencies, the median throughput and stages."""
    statuses: dict[int, int] = {}
    for result in results:
        for status, number in result.statuses.items():
            statuses[status] = statuses.get(status, 0) + number
    stages = dict.fromkeys(stage for result in results for stage in result.stages_ms)
    return LoadResult(
        latencies_ms=tuple(latency for result in results for latency in result.latencies_ms),
        statuses=statuses,
        throughput=median(result.throughput for result in results),
        slowest_ms=max(result.slowest_ms for result in results),
        stages_ms={
            stage: median(result.stages_ms[stage] for result in results if stage in result.stages_ms)
            for stage in stages
        },
    )


def send(
    url: str,
    photos: Sequence[Path],
    *,
    clients: int,
    seconds: float = 3600.0,
    requests: int | None = None,
    patience_s: float = 60.0,
) -> LoadResult:
    """Have `clients` callers send photos in turn to `url`, for `seconds` or until `requests` are sent.

    Raises CalledProcessError when the client fails.
    """
    command = [sys.executable, "-m", "bench.load_client", url, *map(str, photos)]
    command += [f"--clients={clients}", f"--seconds={seconds}", f"--patience={patience_s}"]
    if requests is not None:
        command.append(f"--requests={requests}")
    finished = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    return read_tally(json.loads(finished.stdout))


def read_tally(tally: Mapping[str, Any]) -> LoadResult:
    """Parse the client's output."""
    latencies_ms = tuple(tally["latencies_ms"])
    return LoadResult(
        latencies_ms=latencies_ms,
        statuses={int(status): number for status, number in tally["statuses"].items()},
        throughput=len(latencies_ms) / tally["lasted_s"] if latencies_ms else 0.0,
        slowest_ms=tally["slowest_ms"],
        stages_ms=stage_medians(tally["timings"]),
    )
