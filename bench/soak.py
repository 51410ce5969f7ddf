"""Soak test with all kinds of callers for any duration: no errors, steady memory and latency.

    python -m bench.soak --minutes 15 [--callers 6]

The first quarter warms up. The history is kept at a size (RETENTION), or pages would grow with it.
"""

import argparse
import threading
from collections.abc import Sequence
from statistics import median

import numpy as np

from bench import part, photos, plots
from bench.memory import Sampler
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import our_server
from bench.soak_client import Diary, Visit, visit_until

_KEPT = 500
_SIZES_WH = ((400, 250), (1000, 750), (1732, 1155))
_WANTED_SLOPE_PERCENT_PER_HOUR = 10.0
_WANTED_LATENCY_RATIO = 1.5
_QUARTERS = 4
Points = Sequence[tuple[float, float]]


def measure(context: Context) -> None:
    """Run all callers at once, and sample the server's memory."""
    paths = [path for size_wh in _SIZES_WH for path in photos.write_jpegs(context.folder / "photos", size_wh)]
    seconds, diary = context.options.minutes * 60, Diary()
    with our_server(context.folder, {"RETENTION": f"count:{_KEPT}"}) as server, Sampler(server) as sampler:
        context.tell(f"{context.options.callers} callers for {context.options.minutes:g} minutes")
        diary.started = sampler.started
        callers = [
            threading.Thread(target=visit_until, args=(server.address, paths, first, seconds, diary))
            for first in range(context.options.callers)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    _report(context, diary, [(second, value / 1e6) for second, value in sampler.points], seconds)


def slope_mb_per_hour(points: Points, after_s: float) -> float:
    """Return the growth of memory, by a straight line through all points after the warm-up; NaN of fewer than two."""
    late = [point for point in points if point[0] >= after_s]
    if len(late) < 2:
        return float("nan")
    at_s, values_mb = zip(*late, strict=True)
    return float(np.polyfit(at_s, values_mb, 1)[0]) * 3600


def latency_by_quarter(visits: Sequence[Visit], kind: str, seconds: float) -> list[float]:
    """Return the median latency of a kind of visit in each quarter of the time, ms; NaN where there was none."""
    quarters: list[list[float]] = [[] for _ in range(_QUARTERS)]
    for visit in visits:
        if visit.kind == kind:
            quarters[min(_QUARTERS - 1, int(visit.ended_s / seconds * _QUARTERS))].append(visit.latency_ms)
    return [median(quarter) if quarter else float("nan") for quarter in quarters]


def _report(context: Context, diary: Diary, points: Points, seconds: float) -> None:
    warm_s = seconds / _QUARTERS
    level_mb = median([value for second, value in points if second >= warm_s] or [float("nan")])
    slope_mb = slope_mb_per_hour(points, warm_s)
    kinds = {kind: latency_by_quarter(diary.visits, kind, seconds) for kind in {visit.kind for visit in diary.visits}}
    ratio = median([latencies[-1] / latencies[1] for latencies in kinds.values()] or [float("nan")])
    context.report.results.update(
        {
            "visits": len(diary.visits),
            "failed": diary.failed,
            "errors": diary.errors,
            "level_mb": level_mb,
            "peak_mb": max(value for _, value in points),
            "slope_mb_per_hour": slope_mb,
            "latency_ms_by_quarter": kinds,
        }
    )
    rows = [[kind, *map(number, latencies)] for kind, latencies in sorted(kinds.items())]
    columns = ["median latency, ms", *(f"quarter {count + 1}" for count in range(_QUARTERS))]
    context.report.tables.append(Table(f"{len(diary.visits):,} visits in {seconds / 60:g} minutes", columns, rows))
    context.report.claims += [
        Claim("visits that went wrong", diary.failed, 0, at_most=True),
        Claim(
            f"growth of memory ({number(slope_mb)} MB an hour at {number(level_mb)} MB)",
            slope_mb / level_mb * 100,
            _WANTED_SLOPE_PERCENT_PER_HOUR,
            " % an hour",
            at_most=True,
        ),
        Claim("latency of the last quarter to that of the second", ratio, _WANTED_LATENCY_RATIO, " x", at_most=True),
    ]
    context.report.notes += diary.errors[:10]
    plots.over_time(context.results / "soak.png", "Soak test", "resident set, MB", points)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=15.0, help="how long (%(default)s)")
    parser.add_argument("--callers", type=int, default=6, help="how many at once (%(default)s)")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("soak", __doc__ or "", measure, rounds=1, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
