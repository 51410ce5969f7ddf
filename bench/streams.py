"""Several photos at once: the engine that chooses by the number in flight, against all cores for each photo."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from bench import models, part
from bench.alternate import alternate, ratio_of_rounds
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.worker import Worker

CONCURRENCIES = (1, 2, 4, 8, 10)
# Two measurements of the same thing differ by this much here.
_NOISE = 0.97


def measure(context: Context) -> None:
    """Photos a second at each concurrency, both ways."""
    try:
        model = models.model(context.options.model, context.folder)
    except models.ModelMissingError as error:
        context.report.notes.append(str(error))
        return
    arguments = [*model.arguments, f"--cache={context.folder / 'cache'}", "--engine=openvino"]
    with Worker(Path(sys.executable), "bench.engine_worker", arguments) as worker:
        contestants = {
            _case(threads, way): partial(_throughput, worker, threads, hint, context.options.seconds)
            for threads in CONCURRENCIES
            for way, hint in (("side by side", threads), ("one after the other", 1))
        }
        found = alternate(contestants, context.options.rounds, tell=context.tell)
    rows = []
    for threads in CONCURRENCIES:
        together, alone = found[_case(threads, "side by side")], found[_case(threads, "one after the other")]
        ratio = ratio_of_rounds(together, alone)
        rows.append([str(threads), number(median(together)), number(median(alone)), number(ratio)])
        context.report.results[str(threads)] = {
            "side_by_side": median(together),
            "alone": median(alone),
            "ratio": ratio,
        }
        context.report.claims.append(
            Claim(f"streams at concurrency {threads}: throughput with / without", ratio, _NOISE)
        )
    columns = ["photos at once", "photos/s, by number in flight", "photos/s, all cores to each", "ratio"]
    context.report.tables.append(Table(f"{model.name}, OpenVINO f32", columns, rows))


def _case(threads: int, way: str) -> str:
    return f"{threads} at once, {way}"


def _throughput(worker: Worker, threads: int, photos_in_flight: int, seconds: float) -> float:
    answer = worker.ask(threads=threads, photos_in_flight=photos_in_flight, seconds=seconds)
    return float(answer["throughput"])


def _options(parser: argparse.ArgumentParser) -> None:
    part.seconds_option(1.0)(parser)
    parser.add_argument("--model", choices=models.NAMES, default=models.EMBEDDED)


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("streams", __doc__ or "", measure, rounds=5, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
