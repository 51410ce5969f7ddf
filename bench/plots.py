"""Plots of results, as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.load import LoadResult

_PANELS = (("p50", "latency p50, ms"), ("p95", "latency p95, ms"), ("p99", "latency p99, ms"), ("", "photos a second"))


def by_concurrency(path: Path, title: str, contestants: Mapping[str, Mapping[int, LoadResult]]) -> None:
    """Plot latency percentiles and throughput of each contestant by the number of clients."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for axis, (percent, label) in zip(axes.flat, _PANELS, strict=True):
        for name, results in contestants.items():
            clients = sorted(results)
            axis.plot(clients, [_value(results[count], percent) for count in clients], marker="o", label=name)
        ticks = sorted({count for results in contestants.values() for count in results})
        axis.set_xscale("log", base=2)
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.set_xlabel("clients")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes.flat[0].legend()
    _save(figure, path, title)


def by_stage(path: Path, title: str, bars: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the time of a request split by stage, one bar for each case; milliseconds."""
    stages: Sequence[str] = list(dict.fromkeys(stage for times in bars.values() for stage in times))
    figure, axis = plt.subplots(figsize=(10, 1.5 + 0.5 * len(bars)), layout="constrained")
    left = [0.0] * len(bars)
    for stage in stages:
        widths = [times.get(stage, 0.0) for times in bars.values()]
        axis.barh(list(bars), widths, left=left, label=stage)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axis.invert_yaxis()
    axis.set_xlabel("median milliseconds in each stage")
    axis.legend(ncols=len(stages), loc="upper center", bbox_to_anchor=(0.5, -0.25))
    _save(figure, path, title)


def over_time(path: Path, title: str, label: str, points: Sequence[tuple[float, float]]) -> None:
    """Plot one value over seconds."""
    figure, axis = plt.subplots(figsize=(10, 4), layout="constrained")
    axis.plot([second for second, _ in points], [value for _, value in points])
    axis.set_xlabel("seconds")
    axis.set_ylabel(label)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    _save(figure, path, title)


def _value(result: LoadResult, percent: str) -> float:
    return result.percentile_ms(float(percent[1:])) if percent else result.throughput


def _save(figure: Any, path: Path, title: str) -> None:
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)
