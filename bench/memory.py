"""Measures memory over time: photos of mixed sizes, some broken, from eight clients; growth after a warm-up, and the
peak.
"""

import argparse
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from types import TracebackType

from bench import models, part, photos, plots
from bench.load import LoadResult, send
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import Server, our_server

CLIENTS = 8
_PERIOD_S = 0.1
_WANTED_GROWTH_PERCENT = 3.0
_WANTED_PEAK_MB = 600.0
# Frequency of each size in twenty photos: as phones and cameras send them, the largest ones are rare.
MIX = {(400, 250): 5, (1000, 750): 5, (1732, 1155): 4, (3000, 2000): 2, (4240, 2832): 1, (6000, 4000): 1}
_ACCEPTED = {200, 400}


class Sampler:
    """Sampler of a server's resident set, ten times a second while its `with` block runs; `points`: seconds and
    bytes.
    """

    def __init__(self, server: Server) -> None:
        self.points: list[tuple[float, int]] = []
        self._server = server
        self._over = threading.Event()
        self.started = time.perf_counter()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_PERIOD_S):
            self.points.append((time.perf_counter() - self.started, self._server.resident_bytes()))

    def level(self) -> float:
        """Return the median of the last tenth of the points: the steady level, not a momentary peak."""
        return median(value for _, value in self.points[-max(1, len(self.points) // 10) :])


def measure(context: Context) -> None:
    """Run a warm-up, then the measured requests, with history on."""
    paths = write_mix(context.folder / "photos")
    with (
        our_server(context.folder, models.model(models.EMBEDDED, context.folder).environment) as server,
        Sampler(server) as sampler,
    ):
        context.tell(f"{context.options.warm_up} requests to warm up")
        send(server.url, paths, clients=CLIENTS, requests=context.options.warm_up)
        before = sampler.level()
        context.tell(f"{context.options.requests} requests")
        result = send(server.url, paths, clients=CLIENTS, requests=context.options.requests)
        after = sampler.level()
    _report(context, result, before, after, sampler.points)


def write_mix(folder: Path) -> list[Path]:
    """Write photos of `MIX`, a truncated one and a text named as a JPEG, in an order that mixes sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        photos.jpeg(photos.NAMES[index % len(photos.NAMES)], size_wh)
        for size_wh, times in MIX.items()
        for index in range(times)
    ]
    whole = photos.jpeg("chelsea", photos.SMALL_WH)
    files += [whole[: len(whole) // 2], b"this is no photo\n" * 100]
    paths = []
    random.Random(0).shuffle(files)
    for index, data in enumerate(files):
        path = folder / f"{index:02d}.jpg"
        path.write_bytes(data)
        paths.append(path)
    return paths


def _report(context: Context, result: LoadResult, before: float, after: float, points: list[tuple[float, int]]) -> None:
    growth_percent = (after / before - 1) * 100
    peak_mb = max(value for _, value in points) / 1e6
    odd = sum(count for status, count in result.statuses.items() if status not in _ACCEPTED)
    rows = [
        ["resident set after the warm-up, MB", number(before / 1e6)],
        ["resident set at the end, MB", number(after / 1e6)],
        ["peak, MB", number(peak_mb)],
        ["photos/s", number(result.throughput)],
        ["answered 200 / 400", f"{result.statuses.get(200, 0)} / {result.statuses.get(400, 0)}"],
        ["anything else", str(odd)],
    ]
    title = (
        f"{context.options.requests} requests after {context.options.warm_up}, {CLIENTS} clients, 0.1 to 24 megapixels"
    )
    context.report.tables.append(Table(title, ["", ""], rows))
    context.report.results.update(
        {"before_mb": before / 1e6, "after_mb": after / 1e6, "peak_mb": peak_mb} | {"load": result.summary()}
    )
    context.report.claims += [
        Claim("growth of the resident set", growth_percent, _WANTED_GROWTH_PERCENT, " %", at_most=True),
        Claim("peak of the resident set", peak_mb, _WANTED_PEAK_MB, " MB", at_most=True),
        Claim("answers that are neither 200 nor 400", odd, 0, at_most=True),
    ]
    plots.over_time(
        context.results / "memory.png", title, "resident set, MB", [(second, value / 1e6) for second, value in points]
    )


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--warm-up", type=int, default=500, help="1000 for the whole measurement (%(default)s)")
    parser.add_argument("--requests", type=int, default=1000, help="10000 for the whole measurement (%(default)s)")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("memory", __doc__ or "", measure, rounds=1, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
