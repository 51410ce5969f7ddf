"""Measures CPU time of the front end alone: HTTP, limits, the queue, JSON; the model answers at once."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import part, photos
from bench.alternate import alternate
from bench.load import send
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import Server, free_port, our_server, running

CLIENTS = (1, 8)
_WARM_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one round: CPU milliseconds a request, requests a second, median latency in milliseconds."""

    cpu_ms: float
    throughput: float
    p50_ms: float


def measure(context: Context) -> None:
    """Measure a bare ASGI callable, and the service with history off and on, each with a body of about 80 kB."""
    paths = photos.write_jpegs(context.folder / "photos", photos.SMALL_WH)[-1:]
    with ExitStack() as stack:
        port = free_port()
        command = [sys.executable, "-m", "bench.bare_asgi", str(port)]
        bare = stack.enter_context(running("bare", command, port=port, folder=context.folder))
        ours = stack.enter_context(our_server(context.folder, {}, name="front", program="bench.instant_server"))
        targets = {"bare ASGI callable": (bare, ""), "history off": (ours, "?store=0"), "history on": (ours, "")}
        contestants = {
            (name, clients): partial(_cost, server, query, paths, clients, context.options.seconds)
            for clients in CLIENTS
            for name, (server, query) in targets.items()
        }
        found = alternate(
            {f"{name}, clients: {clients}": run for (name, clients), run in contestants.items()},
            context.options.rounds,
            tell=context.tell,
        )
    _report(context, found, paths[0].stat().st_size)


def _cost(server: Server, query: str, paths: Sequence[Path], clients: int, seconds: float) -> Cost:
    send(server.url + query, paths, clients=clients, seconds=_WARM_UP_S)
    before = server.cpu_seconds()
    result = send(server.url + query, paths, clients=clients, seconds=seconds)
    spent = server.cpu_seconds() - before
    return Cost(spent * 1000.0 / len(result.latencies_ms), result.throughput, result.percentile_ms(50))


def _report(context: Context, found: dict[str, list[Cost]], body_bytes: int) -> None:
    costs = {
        name: Cost(
            median(cost.cpu_ms for cost in rounds),
            median(cost.throughput for cost in rounds),
            median(cost.p50_ms for cost in rounds),
        )
        for name, rounds in found.items()
    }
    rows = [
        [name, *(number(value) for value in (cost.cpu_ms, cost.throughput, cost.p50_ms))]
        for name, cost in costs.items()
    ]
    title = f"The front end alone, body of {body_bytes:,} bytes"
    context.report.tables.append(Table(title, ["", "CPU ms a request", "requests/s", "p50 ms"], rows))
    context.report.results.update(
        {
            name: {"cpu_ms": cost.cpu_ms, "throughput": cost.throughput, "p50_ms": cost.p50_ms}
            for name, cost in costs.items()
        }
    )
    context.report.claims += [
        Claim(f"CPU of the front end a request, {name}", cost.cpu_ms, 0.7, " ms", at_most=True)
        for name, cost in costs.items()
        if name.startswith("history off")
    ]


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run(
        "frontend", __doc__ or "", measure, rounds=3, add_options=part.seconds_option(2.0), arguments=arguments
    )


if __name__ == "__main__":
    main()
